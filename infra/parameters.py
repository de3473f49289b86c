"""Parameters of the stack, kept in samconfig.toml: what every later `sam deploy` sends.

    .venv-sam/bin/python -m infra.parameters SnowflakeQueueArn=arn:aws:sqs:... Name=value ...

Run by the interpreter of .venv-sam: the SAM CLI reads and writes its own file. A value that is set
on the command line of one `sam deploy` is gone with the next, which sends what the file says.
"""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from samcli.cli.types import (  # type: ignore[import-not-found,unused-ignore]
    CfnParameterOverridesType,
)
from samcli.commands.deploy.guided_config import (  # type: ignore[import-not-found,unused-ignore]
    GuidedConfig,
)
from samcli.lib.config.samconfig import (  # type: ignore[import-not-found,unused-ignore]
    SamConfig,
)
from samcli.yamlhelper import yaml_parse  # type: ignore[import-not-found,unused-ignore]

COMMAND, SECTION, KEY = ["deploy"], "parameters", "parameter_overrides"
ELSEWHERE = ("file://", "$include")


class ParameterRefused(Exception):
    """A parameter cannot be set; the message says why."""


def set_parameters(folder: Path, environment: str, changes: dict[str, str]) -> None:
    """Set parameters in samconfig.toml and keep all others.

    Args:
        folder: Where samconfig.toml and template.yaml are.
        environment: The configuration environment, one for each stack.
        changes: The new values, by the parameters' names.

    Raises:
        ParameterRefused: The template has no such parameter, or the parameters are in another file.
    """
    known = yaml_parse((folder / "template.yaml").read_text(encoding="utf-8"))["Parameters"]
    if unknown := sorted(changes.keys() - known.keys()):
        raise ParameterRefused(f"template.yaml has no parameter {', '.join(unknown)}")
    # A config that was read once mixes its sections: another one is written.
    present = (
        SamConfig(folder, "samconfig.toml").get_all(COMMAND, SECTION, environment).get(KEY, "")
    )
    if any(mark in str(present) for mark in ELSEWHERE):
        raise ParameterRefused("samconfig.toml names another file of parameters: edit that one")
    values = CfnParameterOverridesType().convert(present, None, None) | changes
    text = " ".join(
        f"{name}={GuidedConfig.quote_parameter_values(value)}" for name, value in values.items()
    )
    config = SamConfig(folder, "samconfig.toml")
    config.put(COMMAND, SECTION, KEY, text, environment)
    config.flush()


def main(arguments: list[str] | None = None, folder: Path = Path()) -> int:
    """Set the parameters that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m infra.parameters", description=main.__doc__)
    parser.add_argument("--config-env", default="default", help="environment of samconfig.toml")
    parser.add_argument("parameters", nargs="+", metavar="Name=value")
    options = parser.parse_args(arguments)
    pairs = [parameter.partition("=") for parameter in options.parameters]
    if not all(equals for _, equals, _ in pairs):
        parser.error("each parameter is Name=value")
    logging.disable()
    try:
        set_parameters(folder, options.config_env, {name: value for name, _, value in pairs})
    except ParameterRefused as error:
        print(error, file=sys.stderr)
        return 1
    print(
        f"samconfig.toml [{options.config_env}] has them: every `sam deploy` sends them from now on"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
