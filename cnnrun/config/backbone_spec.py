"""What `model.backbone` says of itself, beside its constructor's arguments."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final, Literal, final

from typing_extensions import override

from cnnrun.config.applications import APPLICATIONS, unknown_application
from cnnrun.config.kinds import Either, Kind, Nullable, Schema
from cnnrun.config.places import Invalid, Place, is_text
from cnnrun.config.records import Record, WrittenAs
from cnnrun.config.scalar_kinds import Choice, FilePath, Text
from cnnrun.config.yaml_tree import Node, ScalarNode
from cnnrun.wording import closest

_WORDS: Final = ("imagenet", "none")
_WEIGHTS_PATH: Final = FilePath("a weights file or of an earlier run")


@final
@dataclass(frozen=True)
class NetworkName(Kind):
    """The name of a network of keras.applications."""

    @property
    @override
    def phrase(self) -> str:
        return "a network of keras.applications"

    @override
    def accepts(self, node: Node) -> bool:
        return is_text(node)

    @override
    def read(self, place: Place) -> str | Invalid:
        node = place.node
        if not isinstance(node, ScalarNode) or not isinstance(node.value, str):
            return self.refuse_form(place)
        if node.value not in APPLICATIONS:
            rule, received, advice = unknown_application(node.value)
            return place.refuse(rule, received=received, advice=advice)
        return node.value

    @override
    def schema(self, definitions: dict[str, Schema]) -> Schema:
        return {"enum": list(APPLICATIONS)}


@final
@dataclass(frozen=True)
class Weights(Kind):
    """`imagenet`, `none`, or a path; a bare word that is almost one of these is refused."""

    @property
    @override
    def phrase(self) -> str:
        return "`imagenet`, `none`, a weights file or the folder of an earlier run"

    @override
    def accepts(self, node: Node) -> bool:
        return is_text(node)

    @override
    def read(self, place: Place) -> Any:
        node = place.node
        if not isinstance(node, ScalarNode) or not isinstance(node.value, str):
            return self.refuse_form(place)
        if node.value in _WORDS:
            return node.value
        meant = None if set(node.value) & set("./~") else closest(node.value, _WORDS)
        if meant is not None:
            advice = f"did you mean `{meant}`? a folder of that name is `./{node.text}`"
            return place.refuse(f"must be {self.phrase}", received=f"`{node.text}`", advice=advice)
        return _WEIGHTS_PATH.read(place)

    @override
    def holds(self, value: Any) -> bool:
        return isinstance(value, str | Path)

    @override
    def write(self, value: Any, *, relative_to: Path) -> Any:
        if not isinstance(value, Path):
            return value
        path = _WEIGHTS_PATH.write(value, relative_to=relative_to)
        # A folder may be called "imagenet".
        return path if "/" in path else f"./{path}"

    @override
    def schema(self, definitions: dict[str, Schema]) -> Schema:
        return {"anyOf": [{"enum": list(_WORDS)}, {"type": "string", "minLength": 1}]}


@dataclass(frozen=True)
class TrainableFrom:
    """Only the layer of this name, and those after it, learn."""

    layer: Annotated[str, Text("a layer's name"), "the first layer that learns", WrittenAs("from")]


TRAINABLE: Final = Either(
    (Choice(("all", "none")), Record(TrainableFrom, "a map with `from`")),
    "`all`, `none` or {from: LAYER}",
)


@dataclass(frozen=True, kw_only=True)
class BackboneSpec:
    """A network that is there already, and on top of which `model.layers` stand.

    Attributes:
        arguments: the constructor's own arguments, as written; `include_top` is false by default.
    """

    name: Annotated[
        str | None,
        Nullable(NetworkName()),
        "the network of keras.applications; left out for an earlier run's",
    ] = None
    weights: Annotated[
        Literal["imagenet", "none"] | Path,
        Weights(),
        "imagenet, none (initial ones), a weights file, or without a name an earlier run's folder",
    ] = "imagenet"
    output_layer: Annotated[
        str | None,
        Nullable(Text("a layer's name")),
        "the layer that model.layers stand on; the last one before its classifier by default",
    ] = None
    trainable: Annotated[
        Literal["all", "none"] | TrainableFrom,
        TRAINABLE,
        "what of it learns in a stage that says nothing: none, all, or from a layer on",
    ] = "none"
    batch_norm: Annotated[
        Literal["frozen", "train"] | None,
        Nullable(Choice(("frozen", "train"))),
        "whether its batch norm stays frozen where its layers learn, or is trained with them;"
        " with `weights: none` there is nothing to keep, and it is trained",
    ] = None
    arguments: Mapping[str, Any] = field(default_factory=dict)

    @property
    def learns_batch_norm(self) -> Literal["frozen", "train"]:
        """What becomes of its batch norm where its layers learn."""
        return self.batch_norm or ("train" if self.weights == "none" else "frozen")


BACKBONE_FIELDS: Final = Record(BackboneSpec, "the name of a network, or a map of the backbone")
"""Its own keys; the constructor's arguments stand among them."""
