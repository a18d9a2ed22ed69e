"""`cnnrun predict`: what a run takes images for."""

from pathlib import Path
from typing import Annotated

import typer

from cnnrun.cli.options import AsJson, RunPath


def predict(
    run: RunPath,
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE", help="Image files.")],
    top: Annotated[int, typer.Option("--top", min=1, help="How many classes of each.")] = 5,
    as_json: AsJson = False,
) -> None:
    """Print the most probable classes of images, by the model of a run."""
    from cnnrun.cli.output import print_json, print_table
    from cnnrun.cli.tensorflow_chatter import silence_tensorflow
    from cnnrun.runs.folder import open_run

    opened = open_run(run)
    silence_tensorflow()
    from cnnrun.training.using import predict_images

    predictions = predict_images(opened, images, top=top)
    if as_json:
        document = [
            {
                "image": prediction.image,
                "classes": [
                    {"class": name, "probability": probability}
                    for name, probability in zip(
                        prediction.classes, prediction.probabilities, strict=True
                    )
                ],
            }
            for prediction in predictions
        ]
        print_json({"run": run, "predictions": document})
        return
    rows = [
        (str(prediction.image) if place == 0 else "", name, f"{probability:.4f}")
        for prediction in predictions
        for place, (name, probability) in enumerate(
            zip(prediction.classes, prediction.probabilities, strict=True)
        )
    ]
    print_table(("image", "class", "probability"), rows, numeric=frozenset({"probability"}))
