"""plan.json: what a study set out to do, fixed when it is first started."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from cnnrun.ablation.planning.arms import config_digest
from cnnrun.ablation.planning.make_plan import cells_of, seed_numbers
from cnnrun.ablation.planning.plan import Contrast, StudyPlan
from cnnrun.ablation.studies.study import Study
from cnnrun.errors import RunError, StudyError
from cnnrun.runs.files import holds, json_text, read_json, storage_errors, write_new, write_text

_PLAN: Final = "plan.json"
ANOTHER_FOLDER: Final = "name another folder with `--into`, or move this one away"


@dataclass(frozen=True)
class _Recorded:
    """What plan.json says."""

    name: str
    metric: str
    better: str
    margin: float | None
    resplit: bool
    looks: tuple[int, ...]
    repeat: Mapping[str, int] | None
    tune: Mapping[str, Any] | None
    is_of_0_1_0: bool
    seeds: tuple[int, ...]
    contrasts: Mapping[str, Mapping[str, float]]
    digests: Mapping[str, str]


def continued_plan(plan: StudyPlan, study: Study, *, folder: Path, seeds: int | None) -> StudyPlan:
    """The plan as it goes on in a folder: seeds and contrasts that came later are marked.

    Args:
        plan: the study as it is asked for now.
        study: the study.
        folder: its folder, which may hold what was done already.
        seeds: the number of seeds that is asked for; None for those that are planned.

    Raises:
        StudyError: the folder holds something else, or the study was planned with more seeds or
            with contrasts that are missing now.
        RunError: plan.json is damaged.
    """
    # A seed that a planned look adds is as planned as the first.
    if not (folder / _PLAN).exists():
        refuse_used_folder(folder)
        return plan
    recorded = _read(folder / _PLAN)
    planned = recorded.seeds
    asked = planned if seeds is None else seed_numbers(planned[0], seeds)
    _refuse_another_plan(plan, study, recorded, folder, seeds=len(asked))
    last_planned = study.looks[-1] if study.looks else len(planned)
    return replace(
        plan,
        contrasts=tuple(_marked(contrast, recorded) for contrast in plan.contrasts),
        seeds=asked,
        added_seeds=asked[last_planned:],
        cells=tuple(cells_of(study, plan.arms, asked)),
    )


def write_plan(plan: StudyPlan, study: Study, folder: Path) -> None:
    """plan.json holds the plan; of one that goes on, what was planned first stays.

    Raises:
        StudyError: another process has just planned something else.
        RunError: plan.json is damaged.
        StorageError: the folder cannot be written to.
    """
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    declared = [contrast for contrast in plan.contrasts if contrast.is_declared]
    text = json_text(plan_json(plan, study, declared=declared), indent=2) + "\n"
    if write_new(folder / _PLAN, text.encode("utf-8")):
        return
    kept = _read(folder / _PLAN)
    _refuse_another_plan(plan, study, kept, folder, seeds=len(plan.seeds))
    declared = [Contrast(name, weights) for name, weights in kept.contrasts.items()]
    text = json_text(plan_json(plan, study, declared=declared), indent=2) + "\n"
    # The date of the file is that of the plan.
    if not holds(folder / _PLAN, text):
        write_text(folder / _PLAN, text)


def plan_json(plan: StudyPlan, study: Study, *, declared: Sequence[Contrast]) -> dict[str, Any]:
    """The content of plan.json."""
    return {
        "study": plan.name,
        "question": study.question,
        "base": plan.base.name,
        "shared": plan.shared,
        "metric": {
            "name": study.metric.name,
            "better": study.metric.direction,
            "margin": study.metric.margin,
        },
        "resplit": study.resplit,
        "looks": study.looks,
        "repeat": study.repeat and asdict(study.repeat),
        "tune": _tuning_json(plan),
        "planned_seeds": [seed for seed in plan.seeds if seed not in plan.added_seeds],
        "added_seeds": plan.added_seeds,
        "contrasts": [{"name": each.name, "weights": each.weights} for each in declared],
        "arms": [
            {
                "name": arm.name,
                "levels": arm.levels,
                "overrides": arm.overrides,
                "config": config_digest(arm.config),
            }
            for arm in plan.arms
        ],
    }


def _tuning_json(plan: StudyPlan) -> dict[str, Any] | None:
    """What is tried for each arm, as plan.json gives it back."""
    if plan.tuning is None:
        return None
    return {
        "path": plan.tuning.address,
        "scale": "log" if plan.tuning.is_logarithmic else "linear",
        "low": plan.tuning.low,
        "high": plan.tuning.high,
        "values": list(plan.tuning.values),
        "seeds": list(plan.tuning.seeds),
    }


def _marked(contrast: Contrast, recorded: _Recorded) -> Contrast:
    planned = recorded.contrasts.get(contrast.name)
    return replace(contrast, is_declared=planned == dict(contrast.weights))


def refuse_used_folder(folder: Path) -> None:
    """Raise unless a folder without a plan is absent, or empty.

    Raises:
        StudyError: it holds something.
    """
    if folder.is_dir():
        with storage_errors(folder):
            names = sorted(each.name for each in folder.iterdir() if each.name != ".lock")
        if names:
            raise _not_its_own(folder, f"one that holds {names[0]!r} and no plan.json")
    elif folder.exists():
        raise _not_its_own(folder, "a file")


def _not_its_own(folder: Path, received: str) -> StudyError:
    rule = "a study needs a folder of its own"
    return StudyError.at(folder, rule=rule, received=received, advice=ANOTHER_FOLDER)


def _refuse_another_plan(
    plan: StudyPlan, study: Study, recorded: _Recorded, folder: Path, *, seeds: int
) -> None:
    _refuse_0_1_0(plan, recorded, folder)
    _refuse_another_study(plan, study, recorded, folder)
    _refuse_lost_contrasts(plan, recorded, folder)
    if seeds < len(recorded.seeds):
        raise StudyError.at(
            folder,
            rule=f"a study keeps to its plan, here of {len(recorded.seeds)} seeds",
            received=f"--seeds {seeds}",
            advice=f"leave --seeds out, or {ANOTHER_FOLDER}",
        )


def _refuse_0_1_0(plan: StudyPlan, recorded: _Recorded, folder: Path) -> None:
    """A study of 0.1.0 is listed and compared; its cells are not those of this version."""
    now = {arm.name: config_digest(arm.config) for arm in plan.arms}
    if recorded.is_of_0_1_0 and any(recorded.digests.get(name) != now[name] for name in now):
        raise StudyError.at(
            folder,
            rule="a study goes on with the version that it was planned by",
            received="one of cnnrun 0.1.0: configs have gained keys since, and arms and contrasts"
            " are called otherwise, so that its cells cannot be told from those of another study",
            advice="`cnnrun runs --cells` and `cnnrun compare` read them, and to begin anew,"
            f" {ANOTHER_FOLDER}",
        )


def _refuse_another_study(plan: StudyPlan, study: Study, recorded: _Recorded, folder: Path) -> None:
    metric = study.metric
    now = {
        "name": plan.name,
        "metric": metric.name,
        "better": metric.direction,
        "margin": metric.margin,
        "resplit": study.resplit,
        "looks": study.looks,
        "repeat": study.repeat and asdict(study.repeat),
        "tune": _tuning_json(plan),
    }
    for key, value in now.items():
        before = getattr(recorded, key)
        if before != value:
            raise StudyError.at(
                folder,
                rule=f"a folder holds one study, here one whose {key} is {in_words(before)}",
                received=in_words(value),
                advice=ANOTHER_FOLDER,
            )
    for arm in plan.arms:
        if recorded.digests.get(arm.name, config_digest(arm.config)) != config_digest(arm.config):
            raise StudyError.at(
                folder,
                rule="a study goes on with the configs that it was started with",
                received=f"another one of `{arm.name}`",
                advice=f"take the change back, or {ANOTHER_FOLDER}",
            )


def in_words(value: object) -> str:
    """A value of a plan, a list of numbers with commas between."""
    if value is None:
        return "none"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {in_words(each)}" for name, each in value.items())
    if isinstance(value, list):
        return f"[{', '.join(map(str, value))}]"
    return (", ".join(map(str, value)) or "none") if isinstance(value, tuple) else str(value)


def _refuse_lost_contrasts(plan: StudyPlan, recorded: _Recorded, folder: Path) -> None:
    """To drop a declared contrast would make what is left easier to claim."""
    lost = sorted(set(recorded.contrasts) - {contrast.name for contrast in plan.contrasts})
    if lost:
        raise StudyError.at(
            folder,
            rule=f"a study keeps to its plan, here with the contrast `{lost[0]}`",
            received="values without its arms",
            advice=f"try them again, or {ANOTHER_FOLDER}",
        )


def _read(path: Path) -> _Recorded:
    written = read_json(path)
    try:
        return _Recorded(
            name=written["study"],
            metric=written["metric"]["name"],
            better=written["metric"]["better"],
            margin=written["metric"]["margin"],
            resplit=written["resplit"],
            looks=tuple(map(int, written.get("looks", ()))),
            repeat=written.get("repeat"),
            tune=written.get("tune"),
            is_of_0_1_0="looks" not in written,
            seeds=tuple(map(int, written["planned_seeds"])),
            contrasts={each["name"]: dict(each["weights"]) for each in written["contrasts"]},
            digests={each["name"]: each["config"] for each in written["arms"]},
        )
    except (KeyError, TypeError, ValueError) as error:
        raise RunError.at(
            path,
            rule="must hold the plan of a study",
            received="a damaged file",
            advice=f"restore it, or {ANOTHER_FOLDER}",
        ) from error
