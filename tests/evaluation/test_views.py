"""Views of images and the mean over them; the oracles are NumPy's own operations, and a loop."""

from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image
from syrupy.assertion import SnapshotAssertion

from cnnrun.assembly.targets import Output, class_probabilities
from cnnrun.errors import InputError
from cnnrun.evaluation.finished_runs import evaluate_run
from cnnrun.evaluation.views import mean_predictions, named_views, views_of
from cnnrun.runs.folder import open_run

IMAGES = np.random.default_rng(0).integers(0, 256, (2, 32, 64, 3)).astype(np.uint8)


def test_views_are_mirrored_and_moved_with_the_border_repeated() -> None:
    """Oracle: np.flip, and slices of np.pad's edge."""
    looks = views_of(("flip", "shift"), image_size=(32, 64)).looks
    edged = np.pad(IMAGES, ((0, 0), (1, 1), (2, 2), (0, 0)), mode="edge")
    whole = edged[:, 1:-1, 2:-2]
    up, down = edged[:, 2:, 2:-2], edged[:, :-2, 2:-2]
    left, right = edged[:, 1:-1, 4:], edged[:, 1:-1, :-4]
    expected = [whole, up, down, left, right]
    assert len(looks) == 10
    for look, view in zip(looks[:5], expected, strict=True):
        np.testing.assert_array_equal(look(IMAGES), view)
    for look, plain in zip(looks[5:], looks[:5], strict=True):
        np.testing.assert_array_equal(look(IMAGES), plain(np.flip(IMAGES, axis=2)))


@pytest.mark.parametrize("names", [("flip",), ("shift",), ("flip", "shift"), ()])
@pytest.mark.parametrize("size", [(8, 8), (224, 112)])
def test_what_is_averaged_is_said(
    names: tuple[str, ...], size: tuple[int, int], snapshot: SnapshotAssertion
) -> None:
    assert views_of(names, image_size=size).sentence == snapshot


@pytest.mark.parametrize("text", ["rotate", "flip,", "flip,flip", "fliip, shift", ""])
def test_unknown_ways_are_refused(text: str, snapshot: SnapshotAssertion) -> None:
    with pytest.raises(InputError) as refusal:
        named_views(text)
    assert str(refusal.value) == snapshot


@pytest.mark.parametrize(
    "output",
    [
        Output(3, "logits"),
        Output(1, "logits"),
        Output(3, "probabilities"),
        Output(3, "logits", is_multi_label=True),
        Output(1, "logits", is_multi_label=True),
        Output(3, "probabilities", is_multi_label=True),
    ],
    ids=str,
)
def test_probabilities_are_averaged_whatever_the_last_layer_gives(output: Output) -> None:
    """Oracle: the mean of the probabilities of each view."""
    generator = np.random.default_rng(3)
    views = [generator.normal(size=(5, output.units)) for _ in range(4)]
    if output.scale == "probabilities":
        views = [np.exp(view) / np.exp(view).sum(axis=1, keepdims=True) for view in views]
    mean = mean_predictions(views, output)
    expected = np.mean([class_probabilities(view, output) for view in views], axis=0)
    np.testing.assert_allclose(class_probabilities(mean, output), expected, rtol=1e-5)


def test_a_run_is_measured_by_the_mean_over_its_views(earlier: Path) -> None:
    """Oracle: Keras's predictions of each view, averaged; and without views those of the run."""
    evaluated = evaluate_run(open_run(earlier), data=None, augment=("flip", "shift"))
    plain = evaluate_run(open_run(earlier), data=None)
    model = keras.models.load_model(earlier / "model.keras")
    manifest, rows = evaluated.manifest, evaluated.evaluation.rows
    files = [Image.open(manifest.file(row)) for row in rows.tolist()]
    images = np.stack([np.asarray(file) for file in files])[..., None]
    looks = views_of(("flip", "shift"), image_size=(6, 6)).looks
    by_hand = np.mean([np.array(model(look(images).astype(np.float32))) for look in looks], axis=0)
    np.testing.assert_allclose(evaluated.evaluation.probabilities, by_hand, atol=2e-6)
    alone = np.array(model(images.astype(np.float32)))
    np.testing.assert_allclose(plain.evaluation.probabilities, alone, atol=2e-6)
    assert plain.averaged == ""
    assert evaluated.averaged.startswith("probabilities are means over 10 views")
    likelihoods = by_hand[np.arange(len(by_hand)), manifest.labels[rows]]
    np.testing.assert_allclose(
        evaluated.evaluation.scores.as_json()["loss"], -np.log(likelihoods).mean(), rtol=1e-4
    )
