"""What is read from Keras's source is what the imported Keras says of itself."""

import inspect
from importlib import import_module

import pytest

from cnnrun.config.keras_table import module_of
from cnnrun.manual.keras_names import find_names, names_in
from cnnrun.manual.keras_source import explain

FAMILIES = (
    "layers",
    "image_layers",
    "optimizers",
    "schedules",
    "losses",
    "metrics",
    "callbacks",
    "initializers",
    "regularizers",
    "constraints",
    "activations",
    "applications",
)
# Arguments of which Keras 3.15 says nothing, in the class, its bases or its siblings.
SILENT = {
    "Conv3DTranspose.output_padding",
    "Convolution3DTranspose.output_padding",
    "Masking.mask_value",
    "RandomColorDegeneration.value_range",
    "Resizing.antialias",
    "SparseCategoricalCrossentropy.ignore_class",
    "Tversky.axis",
}
# Where what a class does not say is taken from another one.
SHARED = ("layers", "image_layers", "optimizers", "applications")


def words(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("family", FAMILIES)
def test_it_says_what_the_imported_keras_says(family: str) -> None:
    import tensorflow  # noqa: F401 the backend, loaded as everywhere

    module = import_module(module_of(family))
    for name in names_in(family):
        found = getattr(module, name, None)
        if found is None:  # an alias
            continue
        documented = [inspect.getdoc(each) or "" for each in getattr(found, "__mro__", (found,))]
        said = explain(family, name)
        assert said.summary == words(documented[0].split("\n\n")[0]), name
        everything = words(" ".join(documented))
        invented = [each for each in said.arguments.values() if words(each) not in everything]
        assert not invented or family in SHARED, (name, invented)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_argument_that_a_config_may_give_is_explained(family: str) -> None:
    silent = {
        f"{name}.{argument}"
        for name in names_in(family)
        for topic in find_names(name)
        if topic.family == family
        for argument, row in topic.rows.items()
        if not topic.short_for and row.doc.startswith("Keras does not say")
    }
    assert silent <= SILENT, silent - SILENT


def test_what_keras_inserts_when_it_is_imported_is_read_as_well() -> None:
    # Oracle: keras.optimizers.Adam.__doc__, whose `{{base_optimizer_keyword_args}}` is replaced.
    assert explain("optimizers", "Adam").arguments["clipnorm"].startswith("Float. If set")


def test_an_argument_s_text_goes_on_over_lines() -> None:
    # Oracle: the docstring of keras.layers.Conv2D.
    assert explain("layers", "Conv2D").arguments["filters"] == (
        "int, the dimension of the output space (the number of filters in the convolution)."
    )


def test_a_name_that_is_not_there_is_told() -> None:
    with pytest.raises(LookupError, match=r"keras\.layers has no Conv9D"):
        explain("layers", "Conv9D")
