"""What Keras's own docstrings say, read from the installed source by `ast`: Keras is not imported.

The names and arguments that a config may use are those of the table that `validate` checks against;
here is what they mean.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from inspect import cleandoc
from pathlib import Path
from textwrap import indent
from typing import Final, final

from cnnrun.config.keras_table import module_of

_ELOQUENT: Final[Mapping[str, tuple[str, ...]]] = {
    "layers": ("Dropout", "Conv2D"),
    "optimizers": ("Adam",),
    "applications": ("MobileNetV3Small",),
}
"""Classes that explain the arguments that many have in common."""

Definition = ast.ClassDef | ast.FunctionDef
_PLACEHOLDER: Final = re.compile(r"^( *)\{\{(\w+)\}\}", re.MULTILINE)
_HEADINGS: Final = ("Args:", "Arguments:")
_ARGUMENT: Final = re.compile(r"`?\*{0,2}(\w+(?:`?, ?`?\w+)*)`?(?: \([^)]*\))?:(?: |$)")


@final
@dataclass(frozen=True)
class Explanation:
    """What a class or function of Keras says about itself.

    Attributes:
        name: where users find it, such as "keras.layers.Conv2D"; "" for what is cnnrun's own.
        summary: the first paragraph of its docstring.
        arguments: argument -> what it means, in Keras's words.
    """

    name: str
    summary: str
    arguments: Mapping[str, str]


def explain(family: str, name: str) -> Explanation:
    """What the installed Keras says about a name.

    Args:
        family: a module of Keras, such as "layers", or "schedules".
        name: a class or function in it.

    Raises:
        LookupError: it does not stand there, or Keras is not installed as source.
    """
    public = module_of(family)
    module, definition = _definition(public, name)
    lineage = list(_lineage(module, definition))
    texts = [_docstring(*each) for each in lineage]
    arguments = _said_by_others(family, public)
    for text in reversed(texts):  # what a class says goes before what its bases say
        arguments |= _arguments(text)
    paragraph = texts[0].split("\n\n")[0]
    return Explanation(f"{public}.{name}", " ".join(paragraph.split()), arguments)


def _said_by_others(family: str, public: str) -> dict[str, str]:
    """What arguments of the same name mean elsewhere, for classes that do not say it."""
    arguments: dict[str, str] = {}
    for name in _ELOQUENT.get(family, ()):
        for each in reversed(list(_lineage(*_definition(public, name)))):
            arguments |= _arguments(_docstring(*each))
    return arguments


def _definition(module: str, name: str) -> tuple[str, Definition]:
    """Where a name is defined, however often it is imported on the way."""
    for node in _tree(module).body:
        if isinstance(node, Definition) and node.name == name:
            return module, node
    return _definition(*_imported(module, name))


def _imported(module: str, name: str) -> tuple[str, str]:
    """The module and name that a name of a module was imported from.

    Raises:
        LookupError: it was not.
    """
    for node in ast.walk(_tree(module)):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    return node.module, alias.name
    raise LookupError(f"{module} has no {name}")


def _lineage(module: str, definition: Definition) -> Iterator[tuple[str, Definition]]:
    """A definition, and the classes of Keras that it is made of, nearest first."""
    yield module, definition
    for base in definition.bases if isinstance(definition, ast.ClassDef) else ():
        try:
            found = _definition(*_reference(module, base))
        except LookupError:
            continue  # a class that is not Keras's
        yield from _lineage(*found)


def _reference(module: str, node: ast.expr) -> tuple[str, str]:
    """The module and name that an expression such as `Layer` or `base_layer.Layer` speaks of.

    Raises:
        LookupError: it speaks of none.
    """
    if isinstance(node, ast.Name):
        return module, node.id
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return ".".join(_imported(module, node.value.id)), node.attr
    raise LookupError(f"{module} refers to {ast.unparse(node)}")


def _docstring(module: str, definition: Definition) -> str:
    """A docstring, with what Keras adds to it when it is imported.

    That is a text in place of `{{name}}`; or, for the networks of keras.applications, a constant
    that several functions of a module share.
    """
    text = ast.get_docstring(definition) or ""
    if isinstance(definition, ast.FunctionDef) and not any(_section(text)):
        shared = filter(lambda each: any(_section(each)), _constants(module).values())
        return f"{text}\n\n{next(shared, '')}".strip().replace("{name}", definition.name)
    return _PLACEHOLDER.sub(lambda match: indent(_text(module, match[2]), match[1]), text)


def _text(module: str, name: str) -> str:
    """The text that a module refers to by a name, or by a module and the name; "" if by none."""
    for node in ast.walk(_tree(module)):
        if isinstance(node, ast.Attribute) and node.attr == name:
            there, name = _reference(module, node)
            return _text(there, name)
    return _constants(module).get(name, "")


def _constants(module: str) -> dict[str, str]:
    """The texts that a module gives names to, without their indentation."""
    return {
        target.id: cleandoc(node.value.value)
        for node in _tree(module).body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name) and isinstance(node.value.value, str)
    }


def _arguments(docstring: str) -> dict[str, str]:
    """What stands below `Args:`, argument by argument."""
    found: dict[str, str] = {}
    names: list[str] = []
    level = None
    for line in _section(docstring):
        depth = len(line) - len(line.lstrip())
        level = depth if level is None else level
        match = _ARGUMENT.match(line.strip()) if depth <= level else None
        if match is not None:
            names = re.findall(r"\w+", match[1])
            line = line.strip()[match.end() :]
        for name in names:
            found[name] = f"{found.get(name, '')} {line.strip()}".strip()
    return found


def _section(docstring: str) -> Iterator[str]:
    """The indented lines below the heading of the arguments."""
    inside = False
    for line in docstring.splitlines():
        if line.strip() in _HEADINGS:
            inside = True
        elif inside and line.strip():
            if not line.startswith(" "):
                return
            yield line


@cache
def _tree(module: str) -> ast.Module:
    """The syntax tree of a module of Keras.

    Raises:
        LookupError: there is no source of this module.
    """
    path = _root().parent.joinpath(*module.split("."))
    source = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    try:
        return ast.parse(source.read_text(encoding="utf-8"))
    except OSError as error:
        raise LookupError(f"there is no source of {module}") from error


@cache
def _root() -> Path:
    """The folder of the installed Keras.

    Raises:
        LookupError: it is not installed in a folder.
    """
    spec = find_spec("keras")  # looks for a package without importing it
    if spec is None or not spec.submodule_search_locations:
        raise LookupError("Keras is not installed")
    return Path(spec.submodule_search_locations[0])
