"""Boxes and arrows of a network. Oracle: the graph that is drawn, and sums over it."""

import xml.etree.ElementTree as ET  # what is parsed is what we have drawn

from cnnrun.pages.network_drawing import draw_network
from cnnrun.pages.network_picture import network_figure
from cnnrun.pages.page_files import DrawnLayer
from cnnrun.pages.render import render_network


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
    skips = [arrow.corners for arrow in drawing.arrows if arrow.is_skip]
    lanes = {across for _, (across, _), *_ in skips}
    assert len(skips) == len(lanes) == 2


def test_many_kinds_are_counted_and_what_costs_nothing_is_drawn() -> None:
    drawing = draw_network([layer(f"l{n}", f"block/l{n}", cost=0) for n in range(9)])
    assert drawing.boxes[0].kinds == "9 Conv2D"
    assert drawing.boxes[0].share == 0.0


def test_the_file_and_the_picture_say_the_same() -> None:
    """Oracle: an XML parser, which reads nothing that is not well formed."""
    drawing = draw_network(
        [
            layer("a<b>&"),
            layer("b", "residual_1/conv_block_1/conv", ("a<b>&",)),
            layer("e", "residual_1/add", ("b", "a<b>&")),
        ]
    )
    file = render_network(drawing)
    root = ET.fromstring(file)  # noqa: S314
    texts = [each.text for each in root.iter("{http://www.w3.org/2000/svg}text")]
    picture = [each.get_text() for each in network_figure(drawing).axes[0].texts]
    assert sorted(picture) == sorted(texts)
    assert {"a<b>&", "conv_block_1", "residual_1", "3 x 3"} <= set(texts)
    lines = [each.get("d") for each in root.iter("{http://www.w3.org/2000/svg}path")]
    assert lines == [arrow.path for arrow in drawing.arrows]
    # Programs that draw have no variables of CSS.
    assert "var(" not in file


def test_a_shortcut_turns_round_corners() -> None:
    chain = [layer("a"), layer("b", inputs=("a",)), layer("c", inputs=("b", "a"))]
    arrow = next(each for each in draw_network(chain).arrows if each.is_skip)
    start, first, second, end = arrow.corners
    assert [command for command, _ in arrow.strokes] == ["M", "L", "Q", "L", "Q", "L"]
    assert arrow.path.startswith(f"M{start[0]} {start[1]}L{first[0] + 6} {first[1]}Q")
    assert arrow.path.endswith(f"L{end[0]} {end[1]}")
    assert first[0] == second[0] < start[0]
