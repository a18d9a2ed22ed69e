"""Study files: a question, what is varied to answer it, and what is tested."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args

from cnnrun.ablation.studies.factor_values import ChangeMap, LevelMap, ValueList, Word, WordKind
from cnnrun.ablation.studies.search import SEARCH, Search
from cnnrun.ablation.studies.tune import TUNE, Tune
from cnnrun.config.config_files import read_config_text
from cnnrun.config.kinds import ListOf, MapOf, Nullable
from cnnrun.config.metric_names import lower_is_better
from cnnrun.config.overrides import Change
from cnnrun.config.places import Place, in_words
from cnnrun.config.records import Record, WrittenAs
from cnnrun.config.scalar_kinds import Boolean, Choice, FilePath, Integer, Label, Number, Text
from cnnrun.config.yaml_tree import MapNode, Node, parse_tree
from cnnrun.errors import ConfigError, Problem
from cnnrun.wording import suggestion

Better = Literal["lower", "higher"]
Expectation = Literal["better", "worse", "larger", "smaller", "equivalent", "as good"]
InLayerLists = Literal["move_batch_norm", "swap_activations"]

FEWEST_SEEDS: Final = 2
_NOT_OF_A_SEARCH: Final = (
    "factors",
    "contrasts",
    "target",
    "looks",
    "repeat",
    "resplit",
    "tune",
    "diagnostics",
)
SEEDS_RULE: Final = "must be at least 2"
SEEDS_ADVICE: Final = (
    "arms are compared in pairs of one seed, and a single pair cannot tell a difference from chance"
)


@dataclass(frozen=True)
class Target:
    """What counts as having learnt: a metric of metrics.jsonl reaches a value."""

    metric: Annotated[
        str,
        Text("the name of a metric of an epoch"),
        "the metric of an epoch that has to reach the value, such as val_accuracy",
    ]
    value: Annotated[
        float,
        Number(),
        "the value that it has to reach; losses and errors from above, all else from below",
    ]


TARGET: Final = Record(Target, "a map of `metric` and `value`")


@dataclass(frozen=True)
class Level:
    """A value of a factor: its label, and the changes of the config that make it."""

    label: str
    changes: tuple[Change, ...]


@dataclass(frozen=True, kw_only=True)
class Factor:
    """What is varied: an address with values, or named levels that change several addresses."""

    path: Annotated[
        Word | None,
        Nullable(WordKind("the address of a value of the config")),
        "the address in the config of what is varied, for `values`; or its role, such as"
        " `role.dropout`",
    ] = None
    values: Annotated[
        Mapping[str, Node],
        ValueList(),
        "the values to try there, as a list, or as a map of names",
    ] = field(default_factory=dict)
    named_levels: Annotated[
        Mapping[str, tuple[Change, ...]],
        LevelMap(),
        "a map of names, each a map of addresses and values",
        WrittenAs("levels"),
    ] = field(default_factory=dict)
    in_layer_lists: Annotated[
        InLayerLists | None,
        Nullable(Choice(get_args(InLayerLists))),
        "what is done with layers that are spelled out, which the value at `path` does not reach",
    ] = None

    @property
    def levels(self) -> tuple[Level, ...]:
        """The levels in the order of the file."""
        if self.path is None:
            return tuple(Level(label, changes) for label, changes in self.named_levels.items())
        address, position = self.path.text, self.path.position
        return tuple(
            Level(label, (Change(address, position, node),)) for label, node in self.values.items()
        )

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of the levels."""
        return tuple(self.values if self.path else self.named_levels)


def _check_factor(place: Place, values: Mapping[str, Any]) -> None:
    """Either a path with values, or levels."""
    if place.has_key("path") == place.has_key("levels"):
        place.refuse(
            "a factor has either `path` and `values`, or `levels`",
            advice="`path` is an address such as `model.blocks.activation`; each of `levels` is a"
            " map of addresses and values",
        )
    elif place.has_key("path") != place.has_key("values"):
        given = "path" if place.has_key("path") else "values"
        other = "values" if given == "path" else "path"
        place.refuse_key(
            given,
            "`path` and `values` go together",
            received=f"`{given}` alone",
            advice=f"add `{other}`",
        )


FACTOR: Final = Record(Factor, "a map with `path` and `values`", checks=(_check_factor,))


_SELECTION: Final = MapOf(Label("a value of a factor"), "factors and values")
_Of = Annotated[Mapping[str, str], _SELECTION, "factors and the values that are compared"]
_Against = Annotated[
    Mapping[str, str], _SELECTION, "factors and the values that they are compared with"
]


@dataclass(frozen=True, kw_only=True)
class Difference:
    """The arms with the levels of `of`, less those with the levels of `against`."""

    of: _Of
    against: _Against


DIFFERENCE: Final = Record(Difference, "a map of `of` and `against`")


@dataclass(frozen=True, kw_only=True)
class DeclaredContrast:
    """A difference that the study tests, in levels of its factors."""

    name: Annotated[str, Text("a name"), "what the contrast is called in the report"]
    of: _Of
    against: _Against
    less: Annotated[
        Difference | None,
        Nullable(DIFFERENCE),
        "another difference, which is subtracted from this one",
    ] = None
    expects: Annotated[
        Expectation | None,
        Nullable(Choice(get_args(Expectation))),
        "what the study's claim says of it: better or worse; of two differences larger or smaller;"
        " equivalent within the margin, or as good, which is equivalent or better",
    ] = None
    optional: Annotated[
        bool, Boolean(), "whether it is left out in silence where its values are not tried"
    ] = False

    @property
    def selections(self) -> tuple[Mapping[str, str], ...]:
        """All selections of arms that it speaks of."""
        rest = (self.less.of, self.less.against) if self.less else ()
        return (self.of, self.against, *rest)


CONTRAST: Final = Record(DeclaredContrast, "a map with `name`, `of` and `against`")


@dataclass(frozen=True, kw_only=True)
class Metric:
    """The one measure that is tested."""

    written: Annotated[
        Word | None,
        Nullable(WordKind("the name of a metric")),
        "the measure that is tested, such as val_loss_area; test_loss by default",
        WrittenAs("name"),
    ] = None
    better: Annotated[
        Better | None,
        Nullable(Choice(("lower", "higher"))),
        "whether lower or higher is better; by the name it is known of losses and errors",
    ] = None
    margin: Annotated[
        float | None,
        Nullable(Number(above=0)),
        'the smallest difference that matters; the verdict "equivalent" needs it',
    ] = None

    @property
    def name(self) -> str:
        """Such as "val_loss_area"."""
        return self.written.text if self.written else "test_loss"

    @property
    def direction(self) -> Better:
        """Which direction is better."""
        return self.better or better_direction(self.name)


METRIC: Final = Record(Metric, "a map of `name`, `better` and `margin`", short="name")


@dataclass(frozen=True, kw_only=True)
class Repeat:
    """Folds as what is repeated: each of them is the test once, in each of so many cuts."""

    folds: Annotated[int, Integer(2), "how many parts the images are cut into"]
    times: Annotated[int, Integer(1), "how often they are cut anew"] = 1


REPEAT: Final = Record(Repeat, "a map of `folds` and `times`")


@dataclass(frozen=True, kw_only=True)
class Study:
    """A checked study file."""

    question: Annotated[str, Text("a question"), "the question that the study answers"]
    claim: Annotated[
        str,
        Text("a sentence"),
        "what is said about it elsewhere, such as in the notes that teach it",
    ] = ""
    base: Annotated[
        Path | None,
        Nullable(FilePath("a config")),
        "the config that all arms start from; the digits by default",
    ] = None
    settings: Annotated[
        tuple[Change, ...],
        ChangeMap(),
        "addresses and values that all arms share",
        WrittenAs("set"),
    ] = ()
    example: Annotated[
        tuple[Change, ...],
        ChangeMap(),
        "addresses and values that all arms share where the command line names no config, such as"
        " how long the base trains",
    ] = ()
    factors: Annotated[
        Mapping[str, Factor],
        MapOf(FACTOR, "factors"),
        "what is varied, by name; the arms are all combinations",
    ] = field(default_factory=dict)
    contrasts: Annotated[
        tuple[DeclaredContrast, ...],
        ListOf(CONTRAST, "contrasts"),
        "the differences that are tested; without any, each arm against the first, or main effects"
        " and interactions of several factors",
    ] = ()
    metric: Annotated[Metric, METRIC, "the one measure that is tested"] = Metric()
    target: Annotated[
        Target | None,
        Nullable(TARGET),
        "what counts as having learnt, for epochs and seconds to it",
    ] = None
    seeds: Annotated[
        int | None,
        Nullable(Integer(0)),
        "how many seeds each arm is trained with; 7 by default, or as many as the contrasts need",
    ] = None
    looks: Annotated[
        tuple[int, ...],
        ListOf(Integer(FEWEST_SEEDS), "numbers of seeds"),
        "in place of `seeds`, the numbers of seeds at which the study may be looked at, planned"
        " beforehand, such as [10, 14]",
    ] = ()
    repeat: Annotated[
        Repeat | None,
        Nullable(REPEAT),
        "in place of `seeds`, folds: parts of the images that are the test by turns",
    ] = None
    resplit: Annotated[bool, Boolean(), "whether a seed also draws a new split of the images"] = (
        False
    )
    tune: Annotated[
        Tune | None,
        Nullable(TUNE),
        "a number of the config that each arm is given its own best value of, on validation images"
        " and seeds of its own, before the arms are compared",
    ] = None
    search: Annotated[
        Search | None,
        Nullable(SEARCH),
        "in place of `factors`, what `cnnrun tune` looks through for a better config",
    ] = None
    diagnostics: Annotated[
        bool, Boolean(), "whether activations and gradients of each layer are recorded in each run"
    ] = False

    def of_example(self) -> "Study":
        """The study with what it sets for its own example, before what it always sets."""
        return replace(self, settings=(*self.example, *self.settings))


def _check_seeds(place: Place, values: Mapping[str, Any]) -> None:
    seeds = values.get("seeds")
    if seeds is not None and seeds < FEWEST_SEEDS:
        place.entry("seeds").refuse(SEEDS_RULE, advice=SEEDS_ADVICE)


def _check_looks(place: Place, values: Mapping[str, Any]) -> None:
    looks = values.get("looks", ())
    if looks and (len(looks) < 2 or list(looks) != sorted(set(looks))):
        place.entry("looks").refuse(
            "must be two or more numbers of seeds, rising", advice="write for example [10, 14]"
        )
    elif looks and values.get("seeds") is not None:
        place.entry("seeds").refuse(
            "`seeds` and `looks` do not go together", advice="leave `seeds` out"
        )


def _check_repeat(place: Place, values: Mapping[str, Any]) -> None:
    if values.get("repeat") is None:
        return
    for key in ("seeds", "looks", "resplit"):
        if values.get(key):
            place.entry(key).refuse(
                f"`{key}` and `repeat` do not go together: each fold has a seed and a split of its"
                " own",
                advice=f"leave `{key}` out",
            )


def _check_contrasts(place: Place, values: Mapping[str, Any]) -> None:
    """Contrasts speak of factors and values that there are, and differ in something."""
    factors: Mapping[str, Factor] = values.get("factors", {})
    if not factors:
        return
    for index, contrast in enumerate(values.get("contrasts", ())):
        here = place.entry("contrasts").item(index)
        if contrast.of == contrast.against:
            here.entry("against").refuse(
                "the two sides of a contrast must differ", advice="name other values"
            )
        sides = [here.entry("of"), here.entry("against")]
        if contrast.less is not None:
            sides += [here.entry("less").entry("of"), here.entry("less").entry("against")]
        for side, selection in zip(sides, contrast.selections, strict=True):
            _check_selection(side, selection, factors, optional=contrast.optional)


def _check_selection(
    place: Place, selection: Mapping[str, str], factors: Mapping[str, Factor], *, optional: bool
) -> None:
    for name, rule, advice in unknown_levels(selection, factors):
        if name not in factors:
            place.refuse_key(name, rule, received=f"`{name}`", advice=advice)
        elif not optional:
            place.entry(name).refuse(rule, advice=advice)


def _check_search(place: Place, values: Mapping[str, Any]) -> None:
    """A study compares what its factors make, or searches."""
    if not place.has_key("search"):
        if not place.has_key("factors"):
            place.refuse(
                "`factors` is required, or `search`",
                received="neither",
                advice="`factors`: what is varied, by name; the arms are all combinations",
            )
        return
    for key in _NOT_OF_A_SEARCH:
        if values.get(key):
            place.refuse_key(
                key,
                f"`{key}` and `search` do not go together",
                received=f"`{key}` as well",
                advice="leave one of them out",
            )


def _check_expectations(place: Place, values: Mapping[str, Any]) -> None:
    """A claim says of a contrast what its verdict can be."""
    metric: Metric = values.get("metric", Metric())
    for index, contrast in enumerate(values.get("contrasts", ())):
        here = place.entry("contrasts").item(index)
        if contrast.expects is None:
            continue
        if not values.get("claim"):
            here.entry("expects").refuse(
                "says what a claim says of the contrast, and the study has none",
                advice="add `claim:`, or leave `expects` out",
            )
        elif contrast.expects in ("equivalent", "as good"):
            if metric.margin is None:
                here.entry("expects").refuse(
                    "needs a margin, within which differences do not matter",
                    advice="write `metric: {name: test_loss, margin: 0.02}`",
                )
        elif (contrast.expects in ("larger", "smaller")) != (contrast.less is not None):
            of_two = contrast.less is not None
            here.entry("expects").refuse(
                "a difference of differences is larger or smaller"
                if of_two
                else "a difference of arms is better or worse",
                advice="write `smaller`" if of_two else "write `better`, or add `less`",
            )


STUDY: Final = Record(
    Study,
    "a map of a question and its factors",
    checks=(
        _check_seeds,
        _check_looks,
        _check_repeat,
        _check_contrasts,
        _check_expectations,
        _check_search,
    ),
    whole="a study",
)


def load_study(path: Path) -> Study:
    """The checked study of a file; paths in it are relative to it.

    Raises:
        ConfigError: with every problem of the file.
    """
    tree = parse_tree(read_config_text(path, what="study"), file=str(path))
    problems = list(tree.problems)
    if isinstance(tree.root, MapNode):
        study = STUDY.read(Place(tree.root, "", problems))
    else:
        rule, advice = "a study must be a map", "begin with `question:` and `factors:`"
        problems.append(Problem(tree.root.position, "", rule, in_words(tree.root), advice))
    if problems:
        unique = {(each.position, each.rule, each.received): each for each in problems}
        raise ConfigError(list(unique.values()))
    if not isinstance(study, Study):
        raise TypeError(f"{path} was read without a problem, and gave {study!r}")
    return study


def better_direction(metric: str) -> Better:
    """Whether less or more of a metric is better, by its name."""
    return "lower" if lower_is_better(metric) else "higher"


def unknown_levels(
    selection: Mapping[str, str], factors: Mapping[str, Factor]
) -> Iterator[tuple[str, str, str]]:
    """What a selection names and no factor has: the factor's name, the rule, the advice."""
    for name, label in selection.items():
        if name not in factors:
            yield name, "must be a factor of the study", suggestion(name, list(factors))
        elif label not in factors[name].labels:
            labels = factors[name].labels
            yield name, f"must be a value of `{name}`", suggestion(label, labels)


def problems_of(errors: Sequence[ConfigError]) -> list[Problem]:
    """The problems of several refusals, each once.

    What several arms, or several roles, are refused for at one place of the config is one problem.
    """
    found: list[Problem] = []
    seen: set[tuple[object, str]] = set()
    for problem in (each for error in errors for each in error.problems):
        keys = {(problem.position, problem.rule), (problem.position, problem.received)}
        if not seen & keys:
            found.append(problem)
        seen |= keys
    return found
