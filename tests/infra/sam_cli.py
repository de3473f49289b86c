"""The SAM CLI's own parameter resolution, for a test that cannot import it: JSON lines in and out.

Run by the interpreter of .venv-sam. Each line on standard input is a folder and a command, each on
standard output what the command did:
- `guided Name=value ...` saves answers as `sam deploy --guided` does,
- `parameters ...` is `python -m infra.parameters`, and returns its exit code,
- `deploy ...` returns the parameters that `sam deploy` sends to CloudFormation.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from samcli.commands.deploy.command import (  # type: ignore[import-not-found,unused-ignore]
    cli,
)
from samcli.commands.deploy.deploy_context import (  # type: ignore[import-not-found,unused-ignore]
    DeployContext,
)
from samcli.commands.deploy.guided_config import (  # type: ignore[import-not-found,unused-ignore]
    GuidedConfig,
)
from samcli.yamlhelper import yaml_parse  # type: ignore[import-not-found,unused-ignore]

from infra import parameters

TEMPLATE = "template.yaml"


def guided(answers: list[str]) -> None:
    values = dict(answer.split("=", 1) for answer in answers)
    with cli.make_context("deploy", []):
        config = GuidedConfig(TEMPLATE, "parameters")
        config.save_config(values, config_file="samconfig.toml", stack_name="anthropic-lake")


def deploy(arguments: list[str]) -> list[dict[str, Any]]:
    context = cli.make_context("deploy", arguments)
    template = yaml_parse(Path(TEMPLATE).read_text())
    sent: list[dict[str, Any]] = DeployContext.merge_parameters(
        template, context.params["parameter_overrides"]
    )
    return sent


COMMANDS: dict[str, Callable[[list[str]], Any]] = {
    "guided": guided,
    "parameters": parameters.main,
    "deploy": deploy,
}


def main() -> None:
    """Serve until standard input ends."""
    for line in sys.stdin:
        folder, (command, *arguments) = json.loads(line)
        os.chdir(folder)
        with contextlib.redirect_stdout(sys.stderr):
            answer = COMMANDS[command](arguments)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
