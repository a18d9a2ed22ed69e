"""A config as the text of resolved.yaml: every default and choice of cnnrun written out."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from cnnrun.config.layer_lists import LayerList
from cnnrun.config.sections import CONFIG, Config
from cnnrun.config.values import LayerSpec
from cnnrun.config.yaml_scalars import has_leading_zero, plain_value

_WIDTH: Final = 100


def dump_config(config: Config, *, relative_to: Path) -> str:
    """A config as YAML text, which `load_config` reads as an equal config.

    Args:
        config: the config.
        relative_to: the folder of the file that the text is for; paths become relative to it.
    """
    return yaml_text(plain_config(config, relative_to=relative_to))


def yaml_text(values: Mapping[str, Any]) -> str:
    """Maps, lists, texts and numbers as YAML text, the innermost maps and lists in one line."""
    return yaml.dump(
        dict(values),
        Dumper=_Dumper,
        sort_keys=False,
        default_flow_style=None,
        width=_WIDTH,
        allow_unicode=True,
    )


def plain_config(config: Config, *, relative_to: Path) -> dict[str, Any]:
    """A config in maps, lists, texts and numbers, its paths relative to a folder."""
    return CONFIG.write(config, relative_to=relative_to)


def plain_layers(layers: Sequence[LayerSpec]) -> list[Any]:
    """Layers in maps, lists, texts and numbers."""
    return LayerList().write(layers, relative_to=Path())


class _Dumper(yaml.SafeDumper):
    """Quotes what YAML 1.1 or 1.2 would read as something else than text; writes no aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _represent_text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    is_text = isinstance(plain_value(text), str) and not has_leading_zero(text)
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if is_text else "'")


_Dumper.add_representer(str, _represent_text)
