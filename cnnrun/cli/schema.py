"""`cnnrun schema`: the JSON Schema of configs."""


def schema() -> None:
    """Print the JSON Schema of configs, with which an editor completes and checks them.

    For example: `cnnrun schema > cnnrun.schema.json`
    """
    from cnnrun.cli.output import print_json
    from cnnrun.config.schema import json_schema

    print_json(json_schema())
