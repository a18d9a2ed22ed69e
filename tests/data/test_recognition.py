"""What folders mean, by their structure. Oracle: what whoever made such folders meant by them.

Every listing is written as folders, their subfolders and the number of images in each.
"""

from collections.abc import Mapping
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from cnnrun.data.layout_choices import Undecided
from cnnrun.data.layouts import place_images
from cnnrun.data.recognition import Recognized, recognize

Tree = Mapping[str, Any]


def paths_of(tree: Tree | list[str] | int, above: str = "") -> list[str]:
    """The paths of a tree of folders; a number stands for so many images of random names."""
    if isinstance(tree, int):
        return [f"{above}{abs(hash_of(above + str(number))):08x}.png" for number in range(tree)]
    if isinstance(tree, list):
        return [f"{above}{name}" for name in tree]
    return [path for name, inner in tree.items() for path in paths_of(inner, f"{above}{name}/")]


def hash_of(text: str) -> int:
    """A number that differs from text to text, the same in every process."""
    return sum((index + 7) ** 5 * ord(letter) for index, letter in enumerate(text))


def read(tree: Tree | list[str]) -> tuple[dict[str, int], dict[str, int], Recognized]:
    """The number of images a class and a split that the tree is recognized to have."""
    paths = paths_of(tree)
    recognized = recognize(paths)
    assert isinstance(recognized, Recognized), recognized
    classes: dict[str, int] = {}
    splits: dict[str, int] = {}
    for image in place_images(paths, recognized.layout).images:
        classes[image.label] = classes.get(image.label, 0) + 1
        splits[image.split] = splits.get(image.split, 0) + 1
    return classes, splits, recognized


PETS = {"gato": 4, "perro": 4}


def named(words: list[str], start: int, stop: int, form: str = "{}_{}.jpg") -> list[str]:
    """Names of a word and a number."""
    return [form.format(word, number) for word in words for number in range(start, stop)]


def counted(start: int, stop: int) -> list[str]:
    """Names of a number alone."""
    return [f"{number:05}.jpg" for number in range(start, stop)]


COUNTED = {name: [f"{number}.jpg" for number in range(6)] for name in ("Cat", "Dog")}
MASKED = [f"ISIC_{number}.jpg" for number in (24306, 31007, 29881, 25030)]
SPLIT: dict[str, tuple[Tree, dict[str, int]]] = {
    "training_set, test_set": (
        {"training_set": PETS, "test_set": PETS},
        {"train": 8, "test": 8},
    ),
    "train_data, val_data": ({"train_data": PETS, "val_data": PETS}, {"train": 8, "validation": 8}),
    "x_train, x_test": ({"x_train": PETS, "x_test": PETS}, {"train": 8, "test": 8}),
    "camel case": ({"leafTrain": PETS, "leafTest": PETS}, {"train": 8, "test": 8}),
    "a stranger": (
        {"Training": PETS, "Testing": PETS, "notes": 3},
        {"train": 8, "test": 8},
    ),
    "a stranger with the classes": (
        {"train": PETS, "test": PETS, "extra": PETS},
        {"train": 8, "test": 8},
    ),
    "a class that test lacks": (
        {"train": {**PETS, "pez": 4}, "test": {"pez": 2}},
        {"train": 12, "test": 2},
    ),
    "unlabelled test images": ({"Train": PETS, "Test": 5}, {"train": 8}),
    "unlabelled test images in a folder": (
        {"train": PETS, "test": {"images": 5}, "val": {"images": 5}},
        {"train": 8},
    ),
    "each below its own name": (
        {
            "seg_train": {"seg_train": PETS},
            "seg_test": {"seg_test": PETS},
            "seg_pred": {"seg_pred": 3},
        },
        {"train": 8, "test": 8},
    ),
    "two depths": (
        {"train": {"photos": PETS}, "test": PETS},
        {"train": 8, "test": 8},
    ),
    "the whole once more": (
        {
            "train": PETS,
            "test": PETS,
            "val": PETS,
            "xray": {"train": PETS, "test": PETS, "val": PETS},
        },
        {"train": 8, "test": 8, "validation": 8},
    ),
    "below wrappers": (
        {"a": {"b": {"train_set": PETS, "valid_set": PETS}}},
        {"train": 8, "validation": 8},
    ),
    "splits in the classes": (
        {"gato": {"train": 4, "test": 4}, "perro": {"train": 4, "test": 4}},
        {"train": 8, "test": 8},
    ),
}


@pytest.mark.parametrize("name", SPLIT)
def test_splits(name: str) -> None:
    tree, splits = SPLIT[name]

    classes, found, recognized = read(tree)

    assert set(classes) - {"pez"} == {"gato", "perro"}
    assert found == splits
    usual = {"a class that test lacks", "two depths"}
    assert bool(recognized.notes) or name in usual


CLASSES: dict[str, tuple[Tree, set[str]]] = {
    "a train among vehicles": ({"bus": 3, "train": 3, "car": 3}, {"bus", "train", "car"}),
    "vehicles with makes": (
        {"bus": {"man": 2, "setra": 2}, "train": {"ice": 2, "tgv": 2}, "car": {"vw": 2, "kia": 2}},
        {"bus", "train", "car"},
    ),
    "breeds in species": (
        {"dog": {"husky": 3, "pug": 3}, "cat": {"siamese": 3, "persian": 3}},
        {"dog", "cat"},
    ),
    "a class called test": ({"pass": 3, "test": 3, "fail": 3}, {"pass", "test", "fail"}),
    "two tests": ({"blood_test": 3, "urine_test": 3}, {"blood_test", "urine_test"}),
    "valid and invalid": ({"valid": 3, "invalid": 3}, {"valid", "invalid"}),
    "digits": ({str(digit): 3 for digit in range(10)}, {str(digit) for digit in range(10)}),
    "a letter and a number": ({f"c{n}": 3 for n in range(10)}, {f"c{n}" for n in range(10)}),
    "numbered classes": ({f"class_{n}": 3 for n in range(3)}, {"class_0", "class_1", "class_2"}),
    "wordnet": ({"n01443537": 3, "n01629819": 3}, {"n01443537", "n01629819"}),
    "wordnet with images": (
        {"n01443537": {"images": 3}, "n01629819": {"images": 3}},
        {"n01443537", "n01629819"},
    ),
    "counters": (COUNTED, {"Cat", "Dog"}),
    "counters with names": (
        {
            name: [f"image_{number:04}.jpg" for number in range(1, 8)]
            for name in ("accordion", "anchor")
        },
        {"accordion", "anchor"},
    ),
    "counters and a picture of another name": (
        {
            "owl": [*(f"{number}.jpg" for number in range(8)), "night.jpg"],
            "jay": [*(f"{number}.jpg" for number in range(9)), "day.jpg"],
        },
        {"owl", "jay"},
    ),
    "a species in every genus": (
        {"dog": {"husky": 3}, "cat": {"siamese": 3}},
        {"dog", "cat"},
    ),
    "masks in one class alone": (
        {"COVID": {"images": 3, "masks": 3}, "Normal": {"images": 3}},
        {"COVID", "Normal"},
    ),
    "one subfolder in common": (
        {"dog": {"adult": 3, "puppy": 3}, "cat": {"adult": 3, "kitten": 3}},
        {"dog", "cat"},
    ),
    "images and masks in every class": (
        {"COVID": {"images": 3, "masks": 3}, "Normal": {"images": 3, "masks": 3}},
        {"COVID", "Normal"},
    ),
    "images and segmentations": (
        {"images": PETS, "segmentations": PETS},
        {"gato", "perro"},
    ),
    "images and what belongs to them": (
        {"images": PETS, "annotations": {"trimaps": 8}},
        {"gato", "perro"},
    ),
    "classes and the whole once more": (
        {"no": 3, "yes": 3, "brain_tumor_dataset": {"no": 3, "yes": 3}},
        {"no", "yes"},
    ),
    "words of cameras in every class": (
        {"wren": named(["IMG", "DSC"], 0, 6), "crow": named(["IMG", "DSC"], 6, 12)},
        {"wren", "crow"},
    ),
    "sides in every class": (
        {"worn": named(["left", "right"], 0, 6), "new": named(["left", "right"], 6, 9)},
        {"worn", "new"},
    ),
    "classes in folders and in names": (
        {name: named([name], 0, 6) for name in ("wren", "crow")},
        {"wren", "crow"},
    ),
    "one numbering of classes alike": (
        {"wren": counted(0, 40), "crow": counted(40, 80)},
        {"wren", "crow"},
    ),
    "two words in every name": (
        {f"{state}_{fruit}": 3 for state in ("fresh", "rotten") for fruit in ("fig", "kiwi")},
        {"fresh_fig", "rotten_fig", "fresh_kiwi", "rotten_kiwi"},
    ),
    "a class called exam": ({"exam": 9, "lecture": 30, "lab": 12}, {"exam", "lecture", "lab"}),
    "names of any script": ({"猫": 3, "cão [novo]": 3}, {"猫", "cão [novo]"}),
}


@pytest.mark.parametrize("name", CLASSES)
def test_classes(name: str) -> None:
    tree, expected = CLASSES[name]

    classes, splits, _ = read(tree)

    assert set(classes) == expected
    assert set(splits) == {""}


UNDECIDED: dict[str, Tree] = {
    "parts with splits": {f"part{n}": {"train": PETS, "test": PETS} for n in (1, 2)},
    "folds with splits": {f"fold{n}": {"train": 4, "test": 4} for n in (1, 2)},
    "labels as pictures": {
        "images": {"train": 4, "val": 4},
        "labels": {"train": 4, "val": 4},
    },
    "training beside documents": {"train": PETS, "docs": 2},
    "patients of one label each": {
        "anna": {"benign": 3},
        "bo": {"malignant": 3},
        "cem": {"benign": 3},
    },
    "patients of one label or two": {
        "pa": {"0": 3},
        "pb": {"1": 3},
        "pc": {"0": 3},
        "pd": {"0": 3, "1": 3},
    },
    "cities": {
        "rome": {"cat": 3, "dog": 3},
        "oslo": {"cat": 3, "bird": 3},
        "bonn": {"dog": 3, "bird": 3},
    },
    "a split that lacks a class": {"learn": PETS, "hold": {"gato": 2}},
    "days": {"2019-01-01": 3, "2019-01-02": 3},
    "years of two species": {
        "cat": {"2019": 3, "2020": 3},
        "dog": {"2019": 3, "2020": 3},
    },
    "patients": {patient: {"0": 3, "1": 3} for patient in ("10253", "10254", "8863", "9022")},
    "splits in Spanish": {"entrenamiento": {"a": 9, "b": 9}, "prueba": {"a": 3, "b": 3}},
    "numbered parts": {f"part_{n}": 4 for n in range(3)},
    "numbered parts with classes": {f"teil{n}": PETS for n in (1, 2)},
    "folds": {f"fold_{n}": {"all": 3, "hem": 3} for n in range(5)},
    "folds in training": {
        "training_data": {f"fold_{n}": {"all": 3, "hem": 3} for n in range(3)},
        "testing_data": {"final": 5},
    },
    "variants": {
        variant: {"rost": MASKED, "gesund": MASKED} for variant in ("farbe", "grau", "maske")
    },
    "train and test1": {
        "train": [f"{name}.{n}.jpg" for name in ("cat", "dog") for n in range(5)],
        "test1": [f"{n}.jpg" for n in range(1, 6)],
    },
    "train and test without classes": {"train": 5, "test": 5},
    "validation and test": {"validation": PETS, "test": PETS},
    "images and annotations": {
        "images": [
            f"{name}_{n}.jpg" for name in ("Abyssinian", "great_pyrenees") for n in range(5)
        ],
        "annotations": {"trimaps": 10},
    },
    "pictures and masks": {"bilder": MASKED, "masken": [n.replace("jpg", "png") for n in MASKED]},
    "masks beside": {
        name: [f"{name} ({n}){end}.png" for n in range(1, 6) for end in ("", "_mask")]
        for name in ("benign", "malignant")
    },
    "folders beside": {
        "rust": {"": ["a1.png", "b7.png"], "a1": 3},
        "sound": 3,
    },
    "flat splits in Spanish": {"ejercicio": 9, "examen": 4},
    "flat splits in German, wrapped": {"lernen": {"bilder": 9}, "prüfen": {"bilder": 4}},
    "flat splits in Chinese and a stranger": {"训练集": 9, "测试集": 4, "说明": 2},
    "three flat splits in Polish": {"trenowanie": 9, "walidacja": 3, "egzamin": 3},
    "splits with classes in the names": {
        "alfa": named(["wren", "crow"], 0, 8),
        "beta": named(["wren", "crow"], 8, 11),
    },
    "usual splits with classes in the names": {
        "train": named(["wren", "crow"], 0, 8, "{}.{}.png"),
        "test": named(["wren", "crow"], 8, 11, "{}.{}.png"),
    },
    "sites with classes in the names": {
        site: named(["benign", "malignant"], number, number + 4, "{}-{}.png")
        for number, site in enumerate(("lund", "oulu", "graz", "bern", "nice"))
    },
    "patients with a numbered class at the end of names": {
        patient: [f"{patient}_x{x}_y7_class{n}.png" for n in (0, 1) for x in range(4)]
        for patient in ("8863", "9022", "10253")
    },
    "splits and classes in one name": {
        f"{split}_{name}": 4 for split in ("train", "test") for name in ("wren", "crow")
    },
    "classes and splits in one name, in Portuguese": {
        f"{name}-{split}": 4 for split in ("treino", "prova") for name in ("pato", "pombo")
    },
    "splits and classes of several words in one name": {
        f"{split}_{name}": 4 for split in ("train", "test") for name in ("great_tit", "crow")
    },
    "shares of splits and one numbering": {"uno": counted(0, 80), "dos": counted(80, 100)},
    "class folders in one of two": {"labeled": PETS, "unlabeled": 5},
    "class folders in training, in Swedish": {"träning": PETS, "provet": 5},
    "a split of one class, in Spanish": {
        "aprender": {"a": 5, "b": 5, "c": 5},
        "examen": {"c": 4},
    },
    "pictures and what was made of them": {
        "raw": counted(0, 9),
        "augmented": [f"{number:05}_flip.jpg" for number in range(9)],
    },
    "twice the training": {
        "Train": {"1": ["a.png", "b.png"], "2": ["c.png"]},
        "train": {"1": ["a.png", "b.png"], "2": ["c.png"]},
        "Test": {"1": 1},
    },
}


@pytest.mark.parametrize("name", UNDECIDED)
def test_what_is_not_certain_is_a_choice(name: str, snapshot: SnapshotAssertion) -> None:
    tree = UNDECIDED[name]
    paths = [path.replace("//", "/") for path in paths_of(tree)]

    undecided = recognize(paths)

    assert isinstance(undecided, Undecided), undecided
    assert len(undecided.choices) <= 4
    shown = [f"{'  |  '.join(choice.lines)}    # {choice.meaning}" for choice in undecided.choices]
    otherwise = [undecided.otherwise] if undecided.otherwise else []
    assert "\n".join([undecided.reason, *shown, *otherwise]) == snapshot


SAID: dict[str, Tree] = {
    "one numbering": {"uno": counted(0, 83), "dos": counted(83, 100)},
    "shares of splits": {"a1x": 70, "b7": 15, "cc": 15},
    "kinds of one class alone": {"dog": {"husky": 4, "pug": 4}, "cat": 6},
    "one name of training": {"aprendizaje": 40, "zzz": 9},
    "words for splits in the names of images": {
        mood: named(["Training", "PublicTest"], 0, 5) for mood in ("glad", "sad")
    },
}


@pytest.mark.parametrize("name", SAID)
def test_a_sign_of_splits_that_is_no_proof_is_said(name: str, snapshot: SnapshotAssertion) -> None:
    classes, _, recognized = read(SAID[name])

    assert set(classes) == set(SAID[name])
    assert "\n".join(recognized.notes) == snapshot


def test_splits_and_classes_in_the_names_of_images() -> None:
    names = named(["train_wren", "train_crow", "test_wren", "test_crow"], 0, 8)
    undecided = recognize(names)
    assert isinstance(undecided, Undecided)
    assert undecided.choices[0].lines == (
        'layout: "{split}_{label}_[0-9]*"',
        'split: {train: "train", test: "test"}',
    )


def test_images_without_folders(snapshot: SnapshotAssertion) -> None:
    undecided = recognize([f"{name}-{n}.png" for name in ("oak", "elm") for n in range(5)])

    assert isinstance(undecided, Undecided)
    assert [choice.lines for choice in undecided.choices] == [('layout: "{label}-[0-9]*"',)]


def test_splits_are_proposed_by_what_their_names_hold_then_by_size() -> None:
    tree = {"Prüfdaten": PETS, "Trainingsdaten": PETS, "validacion_cruzada": PETS}
    undecided = recognize(paths_of(tree))
    assert isinstance(undecided, Undecided)
    assert undecided.choices[0].lines == (
        'layout: "{split}/{label}/**"',
        'split: {train: "Trainingsdaten", validation: "validacion_cruzada", test: "Prüfdaten"}',
    )
