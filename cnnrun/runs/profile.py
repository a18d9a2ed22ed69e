"""Where a run's time went, and what to change about it: profile.json."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from cnnrun.config.sections import Config
from cnnrun.runs.files import write_json
from cnnrun.runs.folder import RunFolder

Phase = Literal[
    "start-up",
    "data and network",
    "first step",
    "input",
    "compute",
    "validation",
    "checkpoint",
    "results",
]

PHASES: Final[Mapping[Phase, str]] = {
    "start-up": "loading TensorFlow, reading the config",
    "data and network": "decoding images, building the network, trying a step on two images",
    "first step": "compiling, tracing, the first execution of each stage",
    "input": "training steps waiting for images",
    "compute": "training steps",
    "validation": "validation images",
    "checkpoint": "best weights, checkpoints, callbacks at the ends of epochs",
    "results": "test images, model.keras, plots",
}
"""Every moment of a run belongs to one of these."""

# Waiting below this share of the training steps is noise.
INPUT_BOUND_SHARE: Final = 0.2
# A step below this is mostly what TensorFlow does around the arithmetic.
SMALL_STEP_S: Final = 0.004


@dataclass(frozen=True)
class Profile:
    """Where the time of a run went.

    Attributes:
        seconds: wall time of each phase.
        steps: the training steps that "input" and "compute" were measured over.
    """

    seconds: Mapping[Phase, float]
    steps: int

    @property
    def total(self) -> float:
        """Seconds in all."""
        return sum(self.seconds.values())

    @property
    def step_seconds(self) -> float:
        """Seconds of a training step, waiting left out; 0 where none was measured."""
        return self.seconds["compute"] / self.steps if self.steps else 0.0

    def share(self, phase: Phase) -> float:
        """The part of the whole time that went into a phase, 0 to 1."""
        return self.seconds[phase] / self.total if self.total else 0.0


def write_profile(run: RunFolder, profile: Profile, *, advice: str) -> None:
    """profile.json holds the profile.

    Raises:
        StorageError: it cannot be written.
    """
    write_json(run.profile_json, profile_document(profile, advice=advice))


def profile_document(profile: Profile, *, advice: str) -> dict[str, Any]:
    """The content of profile.json."""
    return {
        "phases": {
            phase: {"seconds": seconds, "share": profile.share(phase), "what": PHASES[phase]}
            for phase, seconds in profile.seconds.items()
        },
        "seconds": profile.total,
        "steps": profile.steps,
        "step_seconds": profile.step_seconds,
        "advice": advice,
    }


def advice_on(profile: Profile, config: Config, *, images_are_in: str) -> str:
    """What the run was bound by, and what to change.

    Args:
        profile: where its time went.
        config: the run's resolved config.
        images_are_in: where the decoded images are kept: `ImageStore.kept_in`.
    """
    seconds = profile.seconds
    before = seconds["start-up"] + seconds["data and network"] + seconds["first step"]
    training = seconds["input"] + seconds["compute"]
    waits = seconds["input"] >= INPUT_BOUND_SHARE * training
    groups = {
        "start-up": before,
        "input" if waits else "compute": training,
        "validation": seconds["validation"],
        "checkpoint": seconds["checkpoint"],
        "results": seconds["results"],
    }
    bound = max(groups, key=lambda name: groups[name])
    share = f"{bound}-bound: {groups[bound]:.1f} of {profile.total:.1f} s"
    if bound == "input":
        return (
            f"input-bound: training steps waited {seconds['input']:.1f} of {training:.1f} s for"
            f" images; {_about_input(config, images_are_in)}"
        )
    if bound == "compute":
        return f"{share} were training steps; {_about_compute(profile, config)}"
    return f"{share} {_ELSEWHERE[bound]}"


_ELSEWHERE: Final[Mapping[str, str]] = {
    "start-up": (
        "went before the second step; more epochs would not pay that again, and several runs pay it"
        " once in `cnnrun ablate`"
    ),
    "validation": (
        "were validation after the epochs; hold fewer images out for it (`data.split.validation`)"
    ),
    "checkpoint": (
        "went at the ends of epochs; look at what `train.callbacks` do, and whether the disk of the"
        " run folder is slow (`--into`)"
    ),
    "results": "were evaluation and plots at the end, which more epochs would not pay again",
}


def _about_input(config: Config, images_are_in: str) -> str:
    if images_are_in != "memory":
        return "raise `data.cache_memory_mb`, so that decoded images stay in memory"
    if config.augment.engine == "keras":
        return "write `augment.engine: fast`"
    return "give `augment` fewer parameters, or `data.image_size` fewer pixels"


def _about_compute(profile: Profile, config: Config) -> str:
    if profile.step_seconds < SMALL_STEP_S:
        return (
            f"a step takes {1000 * profile.step_seconds:.1f} ms, most of it around the arithmetic:"
            " a larger `train.batch_size` makes fewer of them"
        )
    return (
        "`cnnrun show --time` measures whether another `train.precision` than"
        f" {config.train.precision} is faster here, and `cnnrun show` which layers cost most"
    )
