"""The JSON Schema of configs, with which an editor completes and checks them."""

from typing import Any

from cnnrun.config.kinds import Schema
from cnnrun.config.sections import CONFIG


def json_schema() -> dict[str, Any]:
    """A JSON Schema (2020-12) that accepts the configs that cnnrun accepts.

    It is wider in places: rules between values, such as strides beside dilation_rate, are checked
    by `cnnrun validate` alone. `data`, `model` and its layers are not required where `extends` may
    bring them.
    """
    definitions: dict[str, Schema] = {}
    config = CONFIG.schema(definitions)
    sections: dict[str, Schema] = config["properties"]
    complete = {"model": {"required": sections["model"].pop("required")}}
    extends = {"type": "string", "description": "A config below this one, whose values it changes"}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "cnnrun config",
        "type": "object",
        "properties": {"extends": extends, **sections},
        "additionalProperties": False,
        "if": {"not": {"required": ["extends"]}},
        "then": {"required": config["required"], "properties": complete},
        "$defs": definitions,
    }
