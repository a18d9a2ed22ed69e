"""`cnnrun train` on a folder that has grown names the earlier run, and `compare` takes both."""

import re
from pathlib import Path

from cnnrun.cli.train import tell_of_earlier_images
from cnnrun.runs.earlier_data import earlier_run_on_other_images
from cnnrun.runs.folder import RunFolder

CONFIG = """\
data: {directory: images, image_size: [8, 8], color_mode: grayscale}
model: {layers: [Flatten, classifier]}
train: {epochs: 1}
"""
TRAIN = ("train", "c.yaml", "--no-git")


def test_the_earlier_run_is_named_and_can_be_compared(
    command, make_images, tmp_path: Path, snapshot
) -> None:
    (tmp_path / "c.yaml").write_text(CONFIG)
    make_images("images", {"cat": 30, "dog": 30})
    first = _trained(command(*TRAIN))
    assert earlier_run_on_other_images(first) is None
    again = _trained(command(*TRAIN))
    assert earlier_run_on_other_images(again) is None  # the same images
    (tmp_path / "images" / "cat" / "0003.png").rename(tmp_path / "images" / "cat" / "3.png")
    make_images("more", {"cat": 9, "dog": 4})
    for file in (tmp_path / "more").rglob("*.png"):
        file.rename(tmp_path / "images" / file.parent.name / f"new_{file.name}")

    ended = command(*TRAIN)
    grown = _trained(ended)
    (note,) = [line for line in ended.stderr.splitlines() if "have changed" in line]
    named = re.search(r"`cnnrun (compare) (\S+) (\S+)`", note)
    assert named is not None
    assert [Path(each) for each in named.groups()[1:]] == [again.path, grown.path]
    assert re.sub(r"\d+-\d+-seed0(-\d)?", "<run>", note) == snapshot
    found = earlier_run_on_other_images(grown)
    assert found is not None

    compared = command(*named.groups())
    assert (compared.exit_code, compared.stderr) == (0, "")
    assert f"on the {found.images} test images that both have" in " ".join(compared.stdout.split())

    other = _trained(command(*TRAIN, "--set", "train.epochs=2"))
    assert earlier_run_on_other_images(other) is None
    (again.path / "predictions.csv").write_text("damaged")
    found = earlier_run_on_other_images(grown)
    assert found is not None
    assert found.run == first
    grown.predictions_csv.unlink()  # as where there are no test images
    tell_of_earlier_images(grown, quiet=False)


def _trained(ended) -> RunFolder:
    assert ended.exit_code == 0, ended.stderr
    return RunFolder(Path(ended.stdout.splitlines()[-1]))
