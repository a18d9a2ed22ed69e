"""A run as a page. Oracles: html.parser for what stands in it, hashlib for its policy."""

import base64
import hashlib
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cnnrun.pages.run_page import run_page, write_run_page
from cnnrun.pages.thumbnails import MOST_PICTURES, map_thumbnail, thumbnail
from cnnrun.runs.files import write_json, write_text
from cnnrun.runs.folder import RunFolder

from .page import Page

MakeRun = Callable[..., RunFolder]

HOSTILE = "<script>alert(1)</script>"
LARGEST = 3_000_000


def test_a_page_says_what_was_asked_and_what_came_out(make_run: MakeRun) -> None:
    page = Page(run_page(make_run()))
    assert (
        "pets/20260102-030405-seed3 learns to tell 2 classes apart from 100 training images by a"
        " network of 98 parameters in 2 epochs."
    ) in page.text
    assert (
        "It is right on 75.0 % of 40 test images (95 % interval 60.0 to 86.0 %), where chance is"
        " 50.0 % and always the commonest class of the training images 55.0 %."
    ) in page.text
    assert "cat/torn.png : image file is truncated" in page.text
    assert "cnnrun train pets.yaml --set train.epochs=2" in page.text
    assert "with changes that were not committed" in page.text
    assert page.tags.count("h1") == 1


def test_nothing_is_asked_of_anybody_and_the_policy_names_style_and_script(
    make_run: MakeRun,
) -> None:
    text = run_page(make_run())
    assert {each.partition(":")[0] for each in Page(text).references if each[:1] != "#"} == {"data"}
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', text)
    assert policy is not None
    rules = policy[1].replace("&#39;", "'")
    assert rules.startswith("default-src 'none'; img-src data:; ")
    for tag in ("style", "script"):
        (inside,) = re.findall(f"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in rules
    # A style attribute would break the policy, and so would a handler.
    assert not [name for name in Page(text).attributes if name == "style" or name.startswith("on")]


def test_names_are_text_whatever_they_look_like(make_run: MakeRun) -> None:
    run = make_run(classes=(HOSTILE, "a\x1b[31m\u202eb", "{{ 7 * 7 }}"))
    plain, page = Page(run_page(make_run("plain"))), Page(run_page(run))
    assert page.tags.count("script") == plain.tags.count("script") == 1
    assert HOSTILE in page.text
    assert "{{ 7 * 7 }}" in page.text
    assert "\x1b" not in page.text
    assert "\u202e" not in page.text


def test_the_same_run_gives_the_same_bytes_wherever_it_is_told_from(
    make_run: MakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(with_page=False)
    first = write_run_page(run).read_bytes()
    monkeypatch.chdir(run.path)
    assert write_run_page(RunFolder(Path())).read_bytes() == first
    monkeypatch.chdir(tmp_path)
    moved = shutil.copytree(tmp_path / "experiments", tmp_path / "elsewhere")
    again = write_run_page(RunFolder(moved / "pets" / run.path.name)).read_bytes()
    assert again == first


def test_maps_stand_beside_the_mistakes_that_they_explain(make_run: MakeRun) -> None:
    page = Page(run_page(make_run(with_maps=True)))
    assert page.tags.count("img") == 40 + 10 + 2
    assert "Grad-CAM at conv_block_1_act , 8x8 places" in page.text
    assert "Grad-CAM" not in Page(run_page(make_run("without"))).text


def test_a_thousand_mistakes_and_their_maps_fit_into_three_megabytes() -> None:
    noise = np.random.default_rng(0).uniform(0, 1, (224, 224, 3))
    both = thumbnail(255 * noise, of=MOST_PICTURES), map_thumbnail(noise, of=MOST_PICTURES)
    assert MOST_PICTURES * sum(map(len, both)) * 4 / 3 < LARGEST - 300_000


def test_a_thousand_pictures_and_a_thousand_classes_fit_into_three_megabytes(
    make_run: MakeRun,
) -> None:
    names = tuple(f"class number {number}" for number in range(1000))
    text = run_page(make_run(classes=names, images=1000, side=96))
    page = Page(text)
    assert len(text.encode()) <= LARGEST
    assert page.tags.count("img") == 1000 + 2
    assert "With 1,000 classes, these are the pairs that are confused most." in page.text


def test_a_run_without_page_is_shown_without_pictures_and_says_so(make_run: MakeRun) -> None:
    with_pictures, without = (
        Page(run_page(make_run(name, with_page=name == "with"))) for name in ("with", "without")
    )
    assert "This run left no pictures for its page" in without.text
    assert "is cat called dog , 50.0 %" in without.text
    for said in ("30 of 40 test images right", "10 wrong of 40", "100.0 % (83.9 to 100.0 %)"):
        assert said in without.text
        assert said in with_pictures.text


@pytest.mark.parametrize("state", ["failed", "interrupted", "running"])
def test_a_run_that_did_not_finish_says_so(make_run: MakeRun, state: str) -> None:
    page = Page(run_page(make_run(state=state)))
    # Nobody holds it: what calls itself running was killed.
    told = "interrupted" if state == "running" else state
    assert f"This run is {told}." in page.text
    assert "Loss and metrics of 2 epochs." in page.text
    assert ("the loss became NaN in epoch 3" in page.text) == (state == "failed")


def test_without_test_images_nothing_is_said_of_them(make_run: MakeRun) -> None:
    page = Page(run_page(make_run(with_test=False)))
    assert "There were no test images: what it comes to is known of validation images" in page.text
    assert "No test images" in page.text


DAMAGES = {
    "state.json": "{",
    "result.json": "[]",
    "classes.json": "3",
    "environment.json": "[]",
    "metrics.jsonl": "no json\n",
    "predictions.csv": "a,b\n1\n",
    "resolved.yaml": "a: [",
    "page/tested.json": '{"confusion": [[0, 99, 1]], "pictures": [{"path": 1}]}',
    "page/network.json": '[{"name": "a"}]',
    "page/data.json": '{"counts": {"train": [1]}}',
    "page/curves.svg": "no picture",
}


@pytest.mark.parametrize("name", DAMAGES)
@pytest.mark.parametrize("how", ["damaged", "absent", "binary"])
def test_whatever_is_damaged_the_rest_is_shown(make_run: MakeRun, name: str, how: str) -> None:
    run = make_run()
    path = run.path / name
    if how == "damaged":
        write_text(path, DAMAGES[name])
    elif how == "binary":
        path.write_bytes(b"\x00\xff\xfe" * 50)
    else:
        path.unlink()
    page = Page(run_page(run))
    assert page.tags.count("h1") == 1
    assert "How to repeat it" in page.text
    if name in ("state.json", "result.json") and how == "damaged":
        assert f"{name}: must" in page.text
        assert str(run.path) not in page.text


def test_a_class_that_a_damaged_file_names_and_is_not_there_is_left_out(make_run: MakeRun) -> None:
    run = make_run(classes=("cat", "dog", "owl"))
    write_json(run.classes_json, ["cat", "dog"])
    assert "owl" not in Page(run_page(run)).text.replace("owl/", "")


def test_a_page_is_made_without_tensorflow_matplotlib_or_scipy(make_run: MakeRun) -> None:
    run = make_run()
    script = (
        "import sys; from pathlib import Path\n"
        "from cnnrun.pages.run_page import write_run_page\n"
        "from cnnrun.runs.folder import RunFolder\n"
        f"write_run_page(RunFolder(Path({str(run.path)!r})))\n"
        "heavy = ('tensorflow', 'keras', 'matplotlib', 'scipy')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (ended.stdout, ended.stderr) == ("[]\n", "")


CALIBRATION = {
    "method": "temperature",
    "temperature": 1.3134,
    "fitted_on": {"split": "validation", "images": 268},
    "test": {
        "before": {"ece": {"value": 0.05}, "negative_log_likelihood": 0.2, "brier": 0.1},
        "after": {"ece": {"value": 0.02}, "negative_log_likelihood": 0.1, "brier": 0.1},
    },
    "notes": ["A note."],
}


def test_a_calibrated_run_says_what_it_came_to(make_run: MakeRun) -> None:
    run = make_run()
    assert "Calibrated by" not in run_page(run)
    write_json(run.calibration_json, CALIBRATION)
    text = Page(run_page(run)).text
    assert "Calibrated by temperature, 1.31, fitted to 268 validation images." in text
    assert "calibration error 0.0500 0.0200" in text
    assert "A note." in text
    write_json(run.calibration_json, {"method": "temperature"})
    assert "Calibrated by" not in run_page(run)
