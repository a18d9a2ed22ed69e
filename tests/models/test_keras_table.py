"""The table of Keras's classes; its oracle is the Keras that is installed."""

import inspect
import json
import re

import keras
import pytest

from cnnrun.models.argument_kinds import argument_kind, is_left_out
from cnnrun.models.keras_modules import MODULES
from cnnrun.models.keras_table import EXTRA_ALIASES, TABLE_FILE, keras_table, table_text
from cnnrun.models.refusals import REFUSED

TABLE = json.loads(TABLE_FILE.read_text())
FAMILIES = list(MODULES)


def test_the_file_in_the_package_is_that_of_the_installed_keras():
    assert TABLE_FILE.read_text() == table_text(keras_table()), (
        "run `python -m cnnrun.models.keras_table`"
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_every_class_is_either_known_or_refused_with_a_reason(family):
    module = MODULES[family]
    classes = {
        name
        for name, member in vars(module).items()
        if inspect.isclass(member) and name[0].isupper()
    }
    assert classes <= set(TABLE[family]) | set(REFUSED.get(family, {}))
    assert not set(TABLE[family]) & set(REFUSED.get(family, {}))


@pytest.mark.parametrize("family", FAMILIES)
def test_arguments_and_defaults_are_those_of_the_signature(family):
    for name, entry in TABLE[family].items():
        signature = inspect.signature(getattr(MODULES[family], name)).parameters
        for argument in entry["arguments"]:
            parameter = signature.get(argument["name"])
            if parameter is None:  # taken through **kwargs
                assert "kwargs" in signature
            elif argument["required"]:
                assert "default" not in argument
            else:
                assert json.loads(json.dumps(parameter.default)) == argument["default"]


@pytest.mark.parametrize("family", FAMILIES)
def test_no_argument_of_a_class_is_missing_without_a_reason(family):
    for name, entry in TABLE[family].items():
        signature = inspect.signature(getattr(MODULES[family], name)).parameters
        variadic = {inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL}
        own = {key for key, one in signature.items() if one.kind not in variadic}
        wanted = {key for key in own if not is_left_out(name, key)}
        assert wanted <= {argument["name"] for argument in entry["arguments"]}


@pytest.mark.parametrize("family", sorted(set(TABLE["aliases"])))
def test_aliases_stand_for_what_keras_makes_of_them(family):
    module = MODULES[family]
    for alias, owner in TABLE["aliases"][family].items():
        assert owner in TABLE[family]
        if alias in EXTRA_ALIASES.get(family, {}):
            continue
        found = getattr(module, alias, None) or module.get(alias)
        name = found.__name__ if hasattr(found, "__name__") else type(found).__name__
        same = {_letters(name)} & {_letters(owner), _letters(alias)}
        assert same or issubclass(type(found), getattr(module, owner))


def test_conv2d_is_described_exactly(snapshot):
    assert TABLE["layers"]["Conv2D"] == snapshot


def test_refusals_and_renamings_are_complete(snapshot):
    assert {"refused": TABLE["refused"], "renamed": TABLE["renamed"]} == snapshot


def test_renamings_lead_from_an_argument_that_is_gone_to_one_that_is_there():
    for owner, names in TABLE["renamed"].items():
        entry = TABLE["layers"].get(owner) or TABLE["optimizers"].get(owner)
        entry = entry or TABLE["callbacks"][owner]
        known = {argument["name"] for argument in entry["arguments"]}
        assert not set(names) & known
        assert set(names.values()) <= known


def test_an_argument_that_no_table_settles_is_an_error():
    with pytest.raises(LookupError, match=re.escape("what Thing.gadget takes")):
        argument_kind("Thing", "layers", "gadget", dimensions=None, default=None)


def test_activations_are_the_functions_of_keras():
    for name in TABLE["activations"]:
        assert keras.activations.get(name) is getattr(keras.activations, name)


def _letters(name):
    return name.replace("_", "").lower()
