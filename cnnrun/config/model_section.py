"""The section `model`: the network, or what stands on a backbone."""

from dataclasses import dataclass
from typing import Annotated

from cnnrun.config.backbone_spec import BackboneSpec
from cnnrun.config.backbones import Backbone
from cnnrun.config.blocks import BLOCKS, BlocksSpec
from cnnrun.config.keras_calls import NOTHING
from cnnrun.config.kinds import Nullable
from cnnrun.config.layer_lists import LayerList
from cnnrun.config.values import LayerSpec


@dataclass(frozen=True, kw_only=True)
class ModelSpec:
    """The network: its backbone if it has one, its layers, and what its blocks have in common.

    `layers` are all of the network, or the head on top of the backbone; `stem` is what stands
    below it.
    """

    blocks: Annotated[BlocksSpec, BLOCKS, "what every block uses unless it says otherwise"] = (
        BlocksSpec()
    )
    backbone: Annotated[
        BackboneSpec | None,
        Nullable(Backbone(), NOTHING),
        "a network that model.layers stand on, or `none`",
    ] = None
    stem: Annotated[
        tuple[LayerSpec, ...] | None,
        Nullable(LayerList(), NOTHING),
        "layers between the standardized images and the backbone, such as a learnable resizer;"
        " they learn from the start",
    ] = None
    layers: Annotated[
        tuple[LayerSpec, ...],
        LayerList(is_whole_network=True),
        "the layers of the network, or those on the backbone",
    ]
