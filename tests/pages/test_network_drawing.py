"""Boxes and arrows of a network. Oracle: the graph that is drawn, and sums over it."""

from cnnrun.pages.network_drawing import draw_network
from cnnrun.pages.page_files import DrawnLayer


def layer(name: str, path: str = "", inputs: tuple[str, ...] = (), cost: int = 10) -> DrawnLayer:
    return DrawnLayer(name, "Conv2D", path or name, (4, 4, 2), cost, 2 * cost, (3, 3), inputs)


def test_layers_of_a_block_share_a_box_and_a_shortcut_passes_them_by() -> None:
    drawing = draw_network(
        [
            layer("a"),
            layer("b", "residual_1/conv_block_1/conv", ("a",)),
            layer("c", "residual_1/conv_block_1/norm", ("b",)),
            layer("d", "residual_1/conv_block_2/conv", ("c",)),
            layer("e", "residual_1/add", ("d", "a")),
        ]
    )
    assert [(box.title, box.kinds, box.depth) for box in drawing.boxes] == [
        ("a", "Conv2D", 0),
        ("conv_block_1", "Conv2D, Conv2D", 1),
        ("conv_block_2", "Conv2D", 1),
        ("residual_1", "Conv2D", 0),
    ]
    assert [arrow.is_skip for arrow in drawing.arrows] == [False, True, False, False]
    assert drawing.boxes[1].parameters == "20"
    assert sum(box.share for box in drawing.boxes) == 1.0
    assert (
        drawing.summary == "5 layers in 4 blocks, 50 parameters and 100 multiply-adds for an image"
    )


def test_the_blocks_of_published_networks_are_known_by_their_names() -> None:
    names = [
        "conv1_conv",
        "conv2_block1_1_conv",
        "conv2_block1_1_bn",
        "conv2_block2_1_conv",
        "block_13_expand",
        "block_13_project",
        "block2a_expand",
        "mixed7",
        "conv_dw_1",
        "conv_dw_1_bn",
    ]
    boxes = draw_network([layer(name) for name in names]).boxes
    assert [box.title for box in boxes] == [
        "conv1_conv",
        "conv2_block1",
        "conv2_block2",
        "block_13",
        "block2a",
        "mixed7",
        "conv_dw_1",
    ]


def test_skips_that_overlap_lie_in_lanes_of_their_own() -> None:
    drawing = draw_network(
        [
            layer("a"),
            layer("b", inputs=("a",)),
            layer("c", inputs=("b", "a")),
            layer("d", inputs=("b", "c")),
        ]
    )
    skips = [arrow.path for arrow in drawing.arrows if arrow.is_skip]
    lanes = {path.split("H")[1].split("Q")[0] for path in skips}
    assert len(skips) == len(lanes) == 2


def test_many_kinds_are_counted_and_what_costs_nothing_is_drawn() -> None:
    drawing = draw_network([layer(f"l{n}", f"block/l{n}", cost=0) for n in range(9)])
    assert drawing.boxes[0].kinds == "9 Conv2D"
    assert drawing.boxes[0].share == 0.0
