"""`cnnrun find-rate`: a learning-rate range test, drawn, and what to write."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cnnrun.cli.options import AsJson, ConfigFile, Overrides, Quiet
from cnnrun.cli.picture_file import refuse_other_endings
from cnnrun.errors import InputError

if TYPE_CHECKING:
    from cnnrun.config.sections import Config
    from cnnrun.preview.rate_curve import RateCurve

LOWEST, HIGHEST, STEPS = 1e-6, 10.0, 100
FEWEST_STEPS = 20


def find_rate(
    config: ConfigFile,
    out: Annotated[
        Path, typer.Option(metavar="FILE.png", help="Where to write the picture.")
    ] = Path("find_rate.png"),
    lowest: Annotated[
        float, typer.Option("--from", metavar="RATE", help="The rate of the first step.")
    ] = LOWEST,
    highest: Annotated[
        float, typer.Option("--to", metavar="RATE", help="The rate of the last step.")
    ] = HIGHEST,
    steps: Annotated[
        int, typer.Option(min=FEWEST_STEPS, metavar="N", help="How many training steps.")
    ] = STEPS,
    overrides: Overrides = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Try ever higher learning rates for some steps, draw the loss, and say what to write.

    The network begins at its initial weights; nothing of this training is
    kept. It is one pass of one seed and finds the order of magnitude: a few
    seeds of whole trainings decide, which is what `cnnrun tune` is for.

    For example: `cnnrun find-rate configs/digits.yaml`
    """
    from cnnrun.cli.terminal import waiting

    refuse_other_endings(out, option="--out", endings=(".png",), example="find_rate.png")
    if not 0 < lowest < highest:
        raise InputError.at(
            "--from",
            rule="must be above 0 and below --to",
            received=f"{lowest:g}, with --to {highest:g}",
            advice=f"leave both out, for {LOWEST:g} to {HIGHEST:g}",
        )
    with waiting("reading the config", quiet=quiet):
        from cnnrun.cli.output import print_json, print_note
        from cnnrun.cli.tensorflow_chatter import load_tensorflow
        from cnnrun.config.load import load_config

        checked = load_config(config, overrides=overrides or [])
    load_tensorflow(quiet=quiet)
    with waiting(f"trying rates in {steps} steps", quiet=quiet):
        from cnnrun.preview.rate_range import try_rates

        curve = try_rates(
            checked,
            lowest=lowest,
            highest=highest,
            steps=steps,
            listener=lambda note: print_note(note.text, quiet=quiet),
        )
        draw(curve, checked, out)
    if as_json:
        print_json(document(curve, checked, out))
    else:
        print_advice(curve, checked, config, out)


def draw(curve: "RateCurve", config: "Config", out: Path) -> None:
    """Writes the picture."""
    from cnnrun.plots.rate_range import rate_range_curve
    from cnnrun.plots.save import save_figure

    figure = rate_range_curve(
        curve.rates,
        curve.losses,
        curve.smoothed.tolist(),
        steepest=curve.steepest,
        least=curve.least,
        suggested=curve.suggested,
        title=f"{config.source.stem}: the loss while the learning rate rises",
    )
    save_figure(figure, out)


def document(curve: "RateCurve", config: "Config", out: Path) -> dict[str, Any]:
    """All that was seen, as JSON."""
    from cnnrun.config.learning_rates import learning_rates_of

    address, present = learning_rates_of(config, stage=0)
    return {
        "address": address,
        "present": max(present),
        "suggested": curve.suggested,
        "steepest": curve.rates[curve.steepest],
        "least": curve.rates[curve.least],
        "rates": list(curve.rates),
        "losses": list(curve.losses),
        "smoothed": curve.smoothed.tolist(),
        "picture": str(out),
    }


def print_advice(curve: "RateCurve", config: "Config", file: Path, out: Path) -> None:
    """Prints what was seen, what to write, and what decides."""
    from cnnrun.cli.output import print_sentence, print_text
    from cnnrun.config.learning_rates import learning_rates_of

    address, present = learning_rates_of(config, stage=0)
    suggested = curve.suggested
    print_sentence(
        f"The loss falls fastest at a learning rate of {curve.rates[curve.steepest]:.2g} and is"
        f" least at {curve.rates[curve.least]:.2g}."
    )
    if len(present) > 1:
        print_sentence(
            f"Begin with a tenth of the latter: {suggested:g} as the highest of the rates that"
            f" `{address}` has."
        )
    else:
        print_sentence(
            f"Begin with a tenth of the latter: write `{address}: {suggested:g}`; the config"
            f" has {present[0]:g}."
        )
        print_sentence(
            "This was one pass of one seed: a few seeds of whole trainings decide, with"
            f" `cnnrun tune {file} --over {address}={suggested / 3:.1g}..{suggested * 3:.1g}`."
        )
    print_text(str(out))
