"""Messages from what Keras raises."""

import keras
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnrun.models.channel_axis import channels_axis
from cnnrun.models.layer_failures import LayerError, explain, keras_message, shape_text

MESSAGES = {
    "a plain sentence": (ValueError("Something is wrong."), "Something is wrong"),
    "the coloured heart of a call trace": (
        ValueError("Exception encountered when calling X.\n\n\x1b[1mToo small.\x1b[0m\n\nArgs: 1"),
        "Too small",
    ),
    "an operation's failure": (
        ValueError("{{function_node __wrapped__Add}} must match [Op:Add] name: add"),
        "must match",
    ),
    "no words at all": (KeyError(), "KeyError"),
    "several lines": (TypeError("first\nsecond"), "first"),
}


@pytest.mark.parametrize("case", MESSAGES)
def test_the_sentence_that_matters_is_kept(case):
    error, expected = MESSAGES[case]
    assert keras_message(error) == expected


def test_what_no_rule_explains_keeps_the_words_of_keras():
    found = explain(ValueError("Odd."), inputs=[(None, 4, 4, 3)])
    assert str(found) == (
        "the layer must suit its arguments and its input, received input (batch, 4, 4, 3): Odd"
    )


@given(st.text(min_size=1))
def test_any_text_makes_one_line(text):
    error = explain(ValueError(text), inputs=())
    assert isinstance(error, LayerError)
    assert "\n" not in str(error)


def test_shapes_are_written_with_the_batch_by_name():
    assert shape_text((None, 8, None, 3)) == "(batch, 8, ?, 3)"
    assert shape_text((2, 3)) == "(2, 3)"


def test_the_axis_of_the_channels_is_followed_through_permutations():
    pixels = keras.Input((8, 8, 3))
    permuted = keras.layers.Permute((3, 1, 2))(pixels)
    summed = keras.layers.Add()([permuted, keras.layers.ReLU()(permuted)])
    assert [channels_axis(x) for x in (pixels, permuted, summed)] == [3, 1, 1]
    assert channels_axis(keras.layers.Permute((2, 3, 1))(summed)) == 3
    assert channels_axis(keras.layers.Reshape((3, 8, 8))(pixels)) is None
    assert channels_axis(keras.layers.Flatten()(pixels)) is None
