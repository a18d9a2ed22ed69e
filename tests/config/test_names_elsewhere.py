"""What others call what Keras has; the oracle is that what is advised is read."""

import re
from collections.abc import Callable

import pytest
from syrupy.assertion import SnapshotAssertion

from cnnrun.config.keras_table import argument_rows, keras_table
from cnnrun.config.names_elsewhere import ARGUMENTS_ELSEWHERE, NAMES_ELSEWHERE, places_of_training
from cnnrun.config.sections import Config

from .conftest import with_train

Complain = Callable[[str], str]
Load = Callable[..., Config]

SECTIONS = {
    "image_layers": "augment: {{layers: [{}]}}\n",
    "schedules": "train:\n  optimizer: {{SGD: {{learning_rate: {}}}}}\n",
    "losses": "train:\n  loss: {}\n",
}
DATA = "data: {directory: images, image_size: [8, 8], color_mode: rgb}\n"
MODEL = "model: {layers: [Flatten, classifier]}\n"


@pytest.mark.parametrize("family", NAMES_ELSEWHERE)
def test_names_of_others_are_told_what_to_write(
    family: str, complain: Complain, load: Load, snapshot: SnapshotAssertion
) -> None:
    section = SECTIONS[family]
    texts = {name: DATA + section.format(name) + MODEL for name in NAMES_ELSEWHERE[family]}
    assert {name: complain(text) for name, text in texts.items()} == snapshot
    for name, advice in NAMES_ELSEWHERE[family].items():
        assert name not in keras_table()[family]
        for code in re.findall(r"`(\w+: \{.*?\})`", advice):
            load(DATA + section.format(f"{{{code}}}") + MODEL)


@pytest.mark.parametrize("written", ARGUMENTS_ELSEWHERE)
def test_arguments_of_others_are_told_what_to_write(
    written: str, complain: Complain, load: Load, snapshot: SnapshotAssertion
) -> None:
    owner, argument = written.split(".")
    family = next(each for each in SECTIONS if owner in keras_table()[each])
    section = SECTIONS[family]
    assert argument not in argument_rows(family, owner)
    assert complain(DATA + section.format(f"{{{owner}: {{{argument}: 0.5}}}}") + MODEL) == snapshot
    for code in re.findall(r"`(factor: .*?)`", ARGUMENTS_ELSEWHERE[written]):
        load(DATA + section.format(f"{{{owner}: {{{code}}}}}") + MODEL)


def test_what_stands_in_the_parts_of_train_is_told_where(
    complain: Complain, snapshot: SnapshotAssertion
) -> None:
    keys = ("lr", "momentum", "weight_decay", "label_smoothing", "warmup_epochs", "EarlyStopping")
    written = "\n".join(f"{key}: 1" for key in (*keys, "mixup", "learning_rat"))
    assert complain(with_train(written)) == snapshot


@pytest.mark.parametrize(("key", "place"), places_of_training().items())
def test_each_of_these_places_is_read(key: str, place: str, load: Load) -> None:
    values = {"gradient_accumulation_steps": "2", "ema_overwrite_frequency": "1"}
    values |= dict.fromkeys(("nesterov", "use_ema", "amsgrad"), "true")
    averaged = "optimizer: {SGD: {use_ema: true}}\n" if key == "SwapEMAWeights" else ""
    place = place.replace("warmup_steps: ...", "warmup_steps: 1 epoch")
    load(with_train(averaged + place.replace("...", values.get(key, "0.5"))))
