"""Values become one HTML file: every name escaped, and nothing in it that asks for anything."""

import base64
import hashlib
import re
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from cnnrun.pages.network_drawing import Drawing
from cnnrun.pages.shown_figure import ShownFigure
from cnnrun.shown_text import harmless

_TEMPLATES: Final = "templates"
_COLOUR: Final = re.compile(r"--([a-z]+): (#[0-9a-f]+);")
_VARIABLE: Final = re.compile(r"var\(--([a-z]+)\)")


def render(template: str, values: Mapping[str, Any]) -> str:
    """The page that a template makes of values.

    Its policy lets a browser load nothing but pictures that stand in it, apply no style but its
    own, and run no script but its own.

    Args:
        template: its file in `templates/`.
        values: what it names, all of it.
    """
    style, script = _text("page.css") + _text("network.css"), _text("page.js")
    policy = (
        "default-src 'none'; img-src data:; base-uri 'none'; form-action 'none';"
        f" style-src '{_digest(style)}'; script-src '{_digest(script)}'"
    )
    return (
        _environment()
        .get_template(template)
        .render(policy=policy, style=Markup(style), script=Markup(script), **values)  # noqa: S704
    )


def render_network(drawing: Drawing) -> str:
    """A drawing of a network as an SVG file, on white paper, for programs that know little CSS."""
    light = dict(_COLOUR.findall(_text("page.css").partition("}")[0]))
    style = _VARIABLE.sub(lambda found: light[found[1]], _text("network.css"))
    values = {"drawing": drawing, "style": Markup(style), "paper": light["paper"]}  # noqa: S704
    return _environment().get_template("network.svg").render(values)


def render_figure(figure: ShownFigure) -> Markup:
    """A figure as the pages have it."""
    parts: Any = _environment().get_template("parts.html").module
    return Markup(parts.figure(figure))  # noqa: S704 the template has escaped it


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("cnnrun.pages", _TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    environment.filters["thousands"] = lambda number: f"{number:,}"
    return environment


def _shown(value: Any) -> Any:
    """Names without what turns the direction of writing around, and other commands."""
    is_name = isinstance(value, str) and not isinstance(value, Markup)
    return harmless(value) if is_name else value


@cache
def _text(name: str) -> str:
    return (resources.files("cnnrun.pages") / _TEMPLATES / name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    """What the policy calls a text that it lets be."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
