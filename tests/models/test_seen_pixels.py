"""Which pixels reach a number. Oracle: the gradient of a linear twin with positive weights."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from cnnrun.models.network import Network
from cnnrun.models.receptive_field import receptive_fields
from cnnrun.models.seen_pixels import UntracedLayerError, seen_pixels

NETWORKS = {
    "dilated": """
        - Conv2D: {filters: 2, kernel_size: 3, padding: same, dilation_rate: 2}
        - Conv2D: {filters: 2, kernel_size: [3, 2], padding: same, dilation_rate: 2, name: last}
        """,
    "strides and pooling": """
        - Conv2D: {filters: 2, kernel_size: 2, strides: 2, padding: same}
        - AveragePooling2D: {pool_size: [2, 1], strides: 1}
        - SeparableConv2D: {filters: 3, kernel_size: 2, name: last}
        """,
    "padding and cropping": """
        - ZeroPadding2D: {padding: [[0, 3], [1, 0]]}
        - DepthwiseConv2D: {kernel_size: 3, dilation_rate: 2}
        - Cropping2D: {cropping: [[1, 0], [0, 1]]}
        - Conv2D: {filters: 2, kernel_size: 2, strides: 3, name: last}
        """,
    "branches and a shortcut": """
        - residual:
            layers:
              - Conv2D: {filters: 3, kernel_size: 3, padding: same, dilation_rate: 3}
        - branches:
            branches:
              - - Conv2D: {filters: 2, kernel_size: 1}
              - - Conv2D: {filters: 2, kernel_size: 3, padding: same, dilation_rate: 2}
        - Conv2D: {filters: 2, kernel_size: 1, name: last}
        """,
    "enlarged": """
        - AveragePooling2D: {pool_size: 3}
        - UpSampling2D: {size: [3, 2]}
        - Conv2D: {filters: 2, kernel_size: 2, name: last}
        """,
}
HEAD = "\n- GlobalAveragePooling2D\n- classifier"


def built(build, lines: str) -> Network:
    """The network of some lines, all its weights positive."""
    network = build(_dedented(lines) + HEAD)
    for weight in network.model.trainable_variables:
        weight.assign(np.full(weight.shape, 0.5, np.float32))
    return network


def _dedented(lines: str) -> str:
    first = next(line for line in lines.splitlines() if line.strip())
    indent = len(first) - len(first.lstrip())
    return "\n".join(line[indent:] for line in lines.splitlines() if line.strip())


def reached(network: Network, name: str, row: int, column: int) -> np.ndarray:
    """Where the gradient of a number with respect to the image is not 0."""
    model = keras.Model(network.model.input, network.model.get_layer(name).output)
    image = tf.ones((1, *network.model.input.shape[1:]))
    with tf.GradientTape() as tape:
        tape.watch(image)
        number = model(image)[0, row, column, 0]
    return np.abs(tape.gradient(number, image).numpy()[0]).sum(axis=-1) > 0


@pytest.mark.parametrize("name", NETWORKS)
def test_seen_are_the_pixels_that_a_gradient_reaches(build, name: str) -> None:
    network = built(build, NETWORKS[name])
    height, width = network.model.get_layer("last").output.shape[1:3]
    for row, column in {(0, 0), (height // 2, width // 2), (height - 1, 0)}:
        seen = seen_pixels(network, "last", row=row, column=column)
        np.testing.assert_array_equal(seen, reached(network, "last", row, column))


def test_a_dilation_leaves_holes_in_what_its_receptive_field_spans(build) -> None:
    network = built(build, NETWORKS["dilated"])
    seen = seen_pixels(network, "last", row=4, column=4)
    rows, columns = (np.flatnonzero(seen.any(axis=axis)) for axis in (1, 0))
    span = (np.ptp(rows) + 1, np.ptp(columns) + 1)
    # Rows 0 to 8 of 8: the last one lies on the padding.
    assert receptive_fields(network)["last"] == (9, 7)
    assert span == (7, 7)
    assert seen.sum() == 16


def test_what_is_largest_may_be_any_place_of_its_window(build) -> None:
    pooled = NETWORKS["strides and pooling"]
    largest = built(build, pooled.replace("AveragePooling2D", "MaxPooling2D"))
    seen = seen_pixels(largest, "last", row=1, column=2)
    np.testing.assert_array_equal(seen, reached(built(build, pooled), "last", 1, 2))


def test_after_what_is_of_the_whole_image_all_of_it_is_seen(build) -> None:
    network = build(
        """\
        - Conv2D: {filters: 2, kernel_size: 3}
        - GroupNormalization: {groups: 1}
        - Conv2D: {filters: 2, kernel_size: 1, name: last}
        """
        + HEAD.replace("\n", "\n        ")
    )
    assert seen_pixels(network, "last", row=0, column=0).all()


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("UpSampling2D: {size: 2, interpolation: bilinear}", "UpSampling2D with bilinear"),
        ("Permute: {dims: [2, 1, 3]}", "Permute"),
        ("Reshape: {target_shape: [4, 16, 3]}", "Reshape"),
    ],
)
def test_what_cannot_be_traced_is_named(build, line: str, kind: str) -> None:
    lines = f"- {line}\n- Conv2D: {{filters: 2, kernel_size: 1, name: last}}" + HEAD
    with pytest.raises(UntracedLayerError, match=kind):
        seen_pixels(build(lines), "last", row=0, column=0)
