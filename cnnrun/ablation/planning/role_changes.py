"""From the roles that a study names to the values of a config that they are there."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import floor
from pathlib import Path
from typing import Final, cast

from cnnrun.ablation.planning.tuned_address import present_rate, rate_change
from cnnrun.ablation.studies.activation_swaps import with_activation
from cnnrun.ablation.studies.batch_norm_moves import all_layers, is_spelled_out, with_batch_norm_at
from cnnrun.ablation.studies.convolution_arguments import (
    BLOCK,
    arguments_of,
    can_dilate,
    convolutions_of,
    keeps_size,
    with_dilation,
    with_dropout,
    with_dropout_rate,
    with_kernels,
)
from cnnrun.ablation.studies.pooling_and_head import (
    WAYS,
    convolution_before,
    first_pool,
    head_of,
    with_first_pooling,
    with_head,
)
from cnnrun.ablation.studies.roles import address_of, role_of
from cnnrun.config.blocks import POSITIONS
from cnnrun.config.call_forms import call_name, opened_call
from cnnrun.config.composition import compose_files
from cnnrun.config.epoch_counts import STEPS_OF_SCHEDULES, stretched_length
from cnnrun.config.load import load_config
from cnnrun.config.overrides import OVERRIDES, Change, override, parsed_override
from cnnrun.config.sections import Config
from cnnrun.config.values import BatchNormPosition
from cnnrun.config.yaml_tree import Entry, ListNode, MapNode, Node, ScalarNode
from cnnrun.errors import ConfigError, Position, Problem
from cnnrun.wording import quoted, suggestion

_LAYERS: Final = "model.layers"
_BLOCKS: Final = "model.blocks"
_BLOCK_KINDS: Final = (BLOCK, "dense_block")
_OF_BLOCKS: Final = ("batch_norm", "activation", "kernel_initializer", "kernel_regularizer")
_OF_DROPOUT: Final = ("dropout", "spatial_dropout", "dropout_rate")
_OF_CONVOLUTIONS: Final = (*_OF_BLOCKS, *_OF_DROPOUT, "dilation_rate")
_OWN_CONVOLUTIONS: Final = "have convolutions of the config's own, which the study changes"
# Of batch norm that a config says nothing of: Keras's 0.99 lags behind in short trainings.
_MOMENTUM: Final = "0.9"
_DIGITS: Final = ".6g"


def load_with_roles(base: Path, overrides: Sequence[str | Change]) -> Config:
    """The checked config of a file, with values put in, some of which have roles for addresses.

    Raises:
        ConfigError: what `load_config` raises, and what a role needs that the config lacks.
    """
    return load_config(base, overrides=without_roles(base, overrides))


def without_roles(base: Path, overrides: Sequence[str | Change]) -> list[str | Change]:
    """The overrides with each role as what it is in this config, after those before it.

    Raises:
        ConfigError: a role is unknown, its value is none, or the config lacks what it is.
    """
    plain: list[str | Change] = []
    for each in overrides:
        role = _role_in(each)
        if role is None:
            plain.append(each)
        else:
            change = parsed_override(each) if isinstance(each, str) else each
            plain += _resolved(_Asked(base, tuple(plain), role, change))
    return plain


def _role_in(each: str | Change) -> str | None:
    if isinstance(each, str):
        return role_of(each.partition("=")[0].strip(), Position(OVERRIDES, 1, 1, each))
    return role_of(each.address, each.position)


@dataclass(frozen=True)
class _Asked:
    """A role with its value, over a config that earlier values are in.

    Attributes:
        base: the config's file.
        before: what is put in before, without roles.
        role: the role.
        change: what is asked for.
    """

    base: Path
    before: Sequence[str | Change]
    role: str
    change: Change

    @property
    def value(self) -> Node:
        """What the role is to be."""
        return self.change.value

    @property
    def root(self) -> MapNode:
        """The config so far."""
        return override(compose_files(self.base).root, self.before)[0]

    @property
    def layers(self) -> ListNode:
        """Its list of layers."""
        layers = _inside(self.root, "model", "layers")
        if not isinstance(layers, ListNode):
            raise self.lacks(self.root.position, "model.layers", "have a list of layers", "none")
        return layers

    def to(self, address: str, value: Node) -> Change:
        """What to put in, so that problems of it point at where the role stands."""
        return Change(address, self.change.position, value)

    def refused(self, rule: str, advice: str) -> ConfigError:
        """The value is none that this role takes."""
        received = self.value.text if isinstance(self.value, ScalarNode) else "a list or a map"
        address = self.change.address
        return ConfigError([Problem(self.value.position, address, rule, f"`{received}`", advice)])

    def lacks(
        self, position: Position, address: str, must: str, received: str, advice: str = ""
    ) -> ConfigError:
        """The config lacks what the role is."""
        rule = f"must {must}"
        if must != _OWN_CONVOLUTIONS:
            rule += f" for the study's `{address_of(self.role)}`"
        return ConfigError(
            [
                Problem(
                    position,
                    address,
                    rule,
                    received,
                    advice or "study another config, or add what is missing",
                )
            ]
        )


def _resolved(asked: _Asked) -> list[Change]:
    if asked.role in _OF_CONVOLUTIONS:
        _refuse_without_convolutions(asked)
    if asked.role in _OF_BLOCKS:
        return list(_of_blocks(asked))
    if asked.role == "dropout_rate":
        of_blocks = _inside(asked.root, "model", "blocks", "dropout")
        changed = with_dropout_rate(asked.layers, asked.value, of_blocks=of_blocks)
        return [asked.to(_LAYERS, changed)]
    if asked.role in _OF_DROPOUT:
        return [asked.to(_LAYERS, with_dropout(asked.layers, asked.role, asked.value))]
    if asked.role == "dilation_rate":
        return [_dilation(asked)]
    if asked.role == "first_pooling":
        return [_first_pooling(asked)]
    if asked.role == "head":
        return [_head(asked)]
    if asked.role == "backbone":
        return list(_backbone(asked))
    if asked.role == "training_share":
        return list(_share(asked))
    config = load_config(asked.base, overrides=asked.before)
    if asked.role in ("learning_rate", "learning_rate_times"):
        return [_rate(asked, config)]
    number = _whole_number(asked)
    if asked.role == "batch_size":
        steps = config.train.batch_size / number
        batches = asked.to("train.batch_size", asked.value)
        return [batches, *_stretched(asked, steps=steps, epochs=1)]
    return [*_longer(asked, config, number), *_stretched(asked, steps=number, epochs=number)]


def _refuse_without_convolutions(asked: _Asked) -> None:
    layers = asked.layers
    if convolutions_of(layers):
        return
    names = ", ".join(call_name(node) or "" for node in layers.items) or "no layers"
    backbone = _inside(asked.root, "model", "backbone", "name")
    on_top = f" on top of {backbone.text}" if isinstance(backbone, ScalarNode) else ""
    raise asked.lacks(
        layers.position,
        _LAYERS,
        _OWN_CONVOLUTIONS,
        f"{names}{on_top}",
        "study a config with a `conv_block` or a `Conv2D`"
        + (", whose layers are not a backbone's" if on_top else ""),
    )


def _of_blocks(asked: _Asked) -> Iterator[Change]:
    """What `model.blocks` says of blocks, and the same of layers that are spelled out."""
    layers, value, role = asked.layers, asked.value, asked.role
    position = _position(asked) if role == "batch_norm" else None
    _refuse_where_blocks_say_otherwise(asked)
    if any(call_name(node) in _BLOCK_KINDS for node in all_layers(layers)):
        yield asked.to(f"{_BLOCKS}.{role}", value if position is None else _norm(asked, position))
    if not is_spelled_out(layers):
        return
    if position is not None:
        changed = with_batch_norm_at(layers, position)
    elif role == "activation":
        changed = with_activation(layers, value)
    else:
        changed = with_kernels(layers, role.removeprefix("kernel_"), value)
    yield asked.to(_LAYERS, changed)


def _refuse_where_blocks_say_otherwise(asked: _Asked) -> None:
    """Raise where each convolution is a block with a value of its own, which it keeps."""
    convolutions = convolutions_of(asked.layers)
    if all(call_name(node) == BLOCK and asked.role in arguments_of(node) for node in convolutions):
        raise asked.lacks(
            convolutions[0].position,
            _LAYERS,
            f"have a `{BLOCK}` that takes its `{asked.role}` from `{_BLOCKS}`",
            f"`{asked.role}` in each of them, which it keeps",
            f"move it to `{_BLOCKS}.{asked.role}`",
        )


def _position(asked: _Asked) -> BatchNormPosition:
    word = asked.value.value if isinstance(asked.value, ScalarNode) else None
    if word not in POSITIONS:
        advice = suggestion(word, POSITIONS) if isinstance(word, str) else "write one of these"
        raise asked.refused(f"must be one of {quoted(POSITIONS)}", advice)
    return cast("BatchNormPosition", word)


def _norm(asked: _Asked, position: BatchNormPosition) -> Node:
    """Blocks' batch norm at a position, with the arguments that it has."""
    where = asked.value.position
    there = {"position": Entry(where, asked.value)}
    present = _inside(asked.root, "model", "blocks", "batch_norm")
    if isinstance(present, MapNode):
        return MapNode(present.position, {**present.entries, **there})
    if present is None and position != "none":
        there["momentum"] = Entry(where, ScalarNode(where, float(_MOMENTUM), _MOMENTUM))
    return MapNode(where, there)


def _dilation(asked: _Asked) -> Change:
    layers = asked.layers
    dilated = [node for node in convolutions_of(layers) if can_dilate(node)]
    if not dilated:
        first = convolutions_of(layers)[0]
        raise asked.lacks(
            first.position, _LAYERS, "have a convolution without strides", "strides in all of them"
        )
    cut = next((node for node in dilated if not keeps_size(node)), None)
    if cut is not None:
        raise asked.lacks(
            cut.position,
            _LAYERS,
            "pad its convolutions",
            f"`{call_name(cut)}` with `padding: valid`",
            "write `padding: same` there; dilated without it, arms would differ in their sizes too",
        )
    return asked.to(_LAYERS, with_dilation(layers, asked.value))


def _first_pooling(asked: _Asked) -> Change:
    layers, value = asked.layers, asked.value
    found = first_pool(layers)
    if found is None:
        names = ", ".join(call_name(node) or "" for node in layers.items)
        raise asked.lacks(
            layers.position,
            _LAYERS,
            "have a MaxPooling2D or AveragePooling2D",
            names,
            "study a config with one between its convolutions",
        )
    word = value.value if isinstance(value, ScalarNode) else None
    if isinstance(word, str) and word not in WAYS and not word[:1].isupper():
        raise asked.refused(f"must be one of {quoted(WAYS)}, or a layer", suggestion(word, WAYS))
    owner, at = found
    if word in WAYS[2:] and convolution_before(owner.items, at) is None:
        raise asked.lacks(
            owner.items[at].position,
            _LAYERS,
            "have a convolution right before its first pooling",
            f"`{call_name(owner.items[at - 1])}` there" if at else "nothing there",
            "study a config in which a convolution is pooled",
        )
    return asked.to(_LAYERS, with_first_pooling(layers, value))


def _head(asked: _Asked) -> Change:
    layers = asked.layers
    head = asked.value.items if isinstance(asked.value, ListNode) else (asked.value,)
    if not head:
        raise asked.refused("must be a layer, or a list of layers", "write [Flatten]")
    if head_of(layers) is None:
        names = ", ".join(call_name(node) or "" for node in layers.items) or "no layers"
        raise asked.lacks(
            layers.position,
            _LAYERS,
            "go from feature maps to a `classifier` or Dense by Flatten or a global pooling",
            names,
            "write for example GlobalAveragePooling2D before `classifier`",
        )
    return asked.to(_LAYERS, with_head(layers, head))


def _backbone(asked: _Asked) -> Iterator[Change]:
    model = _inside(asked.root, "model") or asked.root
    if not isinstance(_inside(model, "backbone"), MapNode | ScalarNode):
        raise asked.lacks(
            model.position,
            "model.backbone",
            "be there",
            "a network without one",
            "study a config with a backbone, such as `cnnrun init --data` writes beside the small"
            " network's",
        )
    if not isinstance(asked.value, MapNode):
        raise asked.refused("must be a map of what changes", "write for example {trainable: all}")
    for key, entry in asked.value.entries.items():
        yield asked.to(f"model.backbone.{key}", entry.node)


def _rate(asked: _Asked, config: Config) -> Change:
    """The learning rate, or so many times as much as the config has."""
    value = asked.value.value if isinstance(asked.value, ScalarNode) else None
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        example = "0.01" if asked.role == "learning_rate" else "10"
        raise asked.refused("must be a number above 0", f"write for example {example}")
    if asked.role == "learning_rate_times":
        value = float(f"{value * present_rate(config):{_DIGITS}}")
    return rate_change(config, value, position=asked.change.position, written=asked.value)


def _share(asked: _Asked) -> Iterator[Change]:
    """A share of the training images, and so many epochs that there are as many updates."""
    share = asked.value.value if isinstance(asked.value, ScalarNode) else None
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share <= 1:
        raise asked.refused("must be above 0 and at most 1", "write for example 0.25")
    yield asked.to("data.train_share", asked.value)
    yield from _longer(asked, load_config(asked.base, overrides=asked.before), 1 / share)
    yield from _stretched(asked, steps=1, epochs=1 / share)
    callbacks = _inside(asked.root, "train", "callbacks")
    for number, callback in enumerate(callbacks.items if isinstance(callbacks, ListNode) else ()):
        name = call_name(callback) or ""
        patience = _inside(callback, name, "patience")
        if patience is not None:
            address = f"train.callbacks[{number}].{name}.patience"
            yield asked.to(address, _times(asked, patience, 1 / share))


def _whole_number(asked: _Asked) -> int:
    value = asked.value.value if isinstance(asked.value, ScalarNode) else None
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise asked.refused("must be a whole number of at least 1", "write for example 4")
    return value


def _longer(asked: _Asked, config: Config, times: float) -> Iterator[Change]:
    """So many times as many epochs, of each stage that says how many it has."""
    yield asked.to("train.epochs", _integer(asked, round(config.train.epochs * times)))
    for number, stage in enumerate(config.train.stages):
        if stage.epochs is not None:
            address = f"train.stages[{number}].epochs"
            yield asked.to(address, _integer(asked, round(stage.epochs * times)))


def _stretched(asked: _Asked, *, steps: float, epochs: float) -> Iterator[Change]:
    """Schedules of the learning rate so many times as long, by the unit of each length."""
    train = _inside(asked.root, "train")
    stages = _inside(train, "stages")
    sections = {"train": train}
    if isinstance(stages, ListNode):
        sections |= {f"train.stages[{number}]": each for number, each in enumerate(stages.items)}
    for where, section in sections.items():
        optimizer = _inside(section, "optimizer")
        if optimizer is not None:
            for address, length in _lengths(optimizer, f"{where}.optimizer"):
                stretched = _stretched_length(asked, length, steps, epochs)
                if stretched is not length:
                    yield asked.to(address, stretched)


def _lengths(call: Node, address: str) -> Iterator[tuple[str, Node]]:
    """The lengths of the schedules in an optimizer, and in schedules of schedules, by address."""
    name = call_name(call) or ""
    for key in STEPS_OF_SCHEDULES:
        length = _inside(call, name, key)
        if length is not None:
            yield f"{address}.{name}.{key}", length
    for key in ("learning_rate", "inner_optimizer"):
        inner = _inside(call, name, key)
        if inner is not None:
            yield from _lengths(inner, f"{address}.{name}.{key}")


def _stretched_length(asked: _Asked, length: Node, steps: float, epochs: float) -> Node:
    if isinstance(length, ListNode):
        items = tuple(_stretched_length(asked, item, steps, epochs) for item in length.items)
        changed = any(new is not old for new, old in zip(items, length.items, strict=True))
        return ListNode(length.position, items) if changed else length
    written = length.value if isinstance(length, ScalarNode) else None
    if not isinstance(written, str):
        return length if steps == 1 else _times(asked, length, steps)
    stretched = stretched_length(written, epochs)
    return ScalarNode(asked.value.position, stretched, stretched) if epochs != 1 else length


def _times(asked: _Asked, count: Node, times: float) -> Node:
    number = count.value if isinstance(count, ScalarNode) else None
    return _integer(asked, max(1, floor(number * times))) if isinstance(number, int) else count


def _integer(asked: _Asked, number: int) -> Node:
    return ScalarNode(asked.value.position, number, str(number))


def _inside(node: Node | None, *keys: str) -> Node | None:
    """What stands below keys of maps; calls may be bare names. None where nothing does."""
    for key in keys:
        opened = None if node is None else opened_call(node)
        if not isinstance(opened, MapNode) or key not in opened.entries:
            return None
        node = opened.entries[key].node
    return node
