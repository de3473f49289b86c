"""A parameter that is set once stays: the documented steps, resolved by the SAM CLI itself."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.aws.template import read

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-sam" / "bin" / "python"
PARAMETERS = read((ROOT / "template.yaml").read_text())["Parameters"]
ANSWERS = {name: str(parameter["Default"]) for name, parameter in PARAMETERS.items()} | {
    "AlarmEmail": "finance@example.com",
    "MonthlyBudgetUsd": "5000",
}
"""What `sam deploy --guided` saves: every parameter, blank ones too."""
SNOWFLAKE = {
    "SnowflakeUserArn": ("STORAGE_AWS_IAM_USER_ARN", "arn:aws:iam::123456789012:user/abc1-s"),
    "SnowflakeExternalId": ("STORAGE_AWS_EXTERNAL_ID", "LAKE_SFCRole=2_aB+c/dE=="),
    "SnowflakeQueueArn": ("NOTIFICATION_CHANNEL", "arn:aws:sqs:eu-west-1:123456789012:sf-snow"),
}
"""The values of the handshake, with what stands for them in the documentation."""

Run = Callable[..., Any]


@pytest.fixture(scope="module")
def sam() -> Iterator[subprocess.Popen[str]]:
    if not PYTHON.exists():
        reason = "no environment for the SAM CLI: run `make .venv-sam/.installed`"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    with subprocess.Popen(
        [PYTHON, "-m", "tests.infra.sam_cli"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "SAM_CLI_TELEMETRY": "0"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        yield process


@pytest.fixture
def run(sam: subprocess.Popen[str], clone: Path) -> Run:
    """Run a command in a clone whose first deploy was guided."""

    def command(*words: str) -> Any:
        assert sam.stdin is not None
        assert sam.stdout is not None
        sam.stdin.write(json.dumps([str(clone), words]) + "\n")
        sam.stdin.flush()
        return json.loads(sam.stdout.readline())

    command("guided", *(f"{name}={value}" for name, value in ANSWERS.items()))
    return command


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    shutil.copy(ROOT / "samconfig.toml", tmp_path)
    template = {"Parameters": PARAMETERS, "Resources": {}}  # the whole is slow to parse
    (tmp_path / "template.yaml").write_text(json.dumps(template))
    return tmp_path


def deployed(sent: list[dict[str, Any]], before: dict[str, str]) -> dict[str, str]:
    """Return the stack's parameters after a deploy, as CloudFormation takes them."""
    assert {parameter["ParameterKey"] for parameter in sent} == PARAMETERS.keys()
    return before | {
        parameter["ParameterKey"]: parameter["ParameterValue"]
        for parameter in sent
        if not parameter.get("UsePreviousValue")
    }


def documented_steps() -> list[list[str]]:
    """Return the commands of docs/snowflake.md that have to do with the stack, with values."""
    text = (ROOT / "docs" / "snowflake.md").read_text()
    for word, value in SNOWFLAKE.values():
        text = re.sub(rf"(?<==){word}\b", value, text)
    return [
        shlex.split(line) for line in re.findall(r"^ {4,}((?:make|sam) .+)$", text, re.MULTILINE)
    ]


def made(step: list[str]) -> list[str]:
    """Return what make would run for a step, without the interpreter."""
    shown = subprocess.run(
        [*step, "--dry-run", "--no-print-directory"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    interpreter, *words = shlex.split(shown.stdout.splitlines()[-1])
    assert interpreter == str(PYTHON.relative_to(ROOT))
    assert words[:2] == ["-m", "infra.parameters"]
    return words[2:]


def test_the_handshake_with_snowflake_survives_the_next_deploy(run: Run, clone: Path) -> None:
    stack = dict(ANSWERS)
    for program, command, *arguments in documented_steps():
        if program == "make":
            assert run("parameters", *made([program, command, *arguments])) == 0
        else:
            stack = deployed(run(command, *arguments), stack)
    values = {name: value for name, (_, value) in SNOWFLAKE.items()}
    assert stack == ANSWERS | values
    assert deployed(run("deploy"), stack) == stack
    text = (clone / "samconfig.toml").read_text()
    assert "# NAMED: the role that Snowflake assumes" in text
    assert 'stack_name = "anthropic-lake"' in text


def test_what_one_deploy_alone_is_told_is_lost_with_the_next(run: Run) -> None:
    queue = SNOWFLAKE["SnowflakeQueueArn"][1]
    once = deployed(run("deploy", "--parameter-overrides", f"SnowflakeQueueArn={queue}"), ANSWERS)
    assert once["SnowflakeQueueArn"] == queue
    assert deployed(run("deploy"), once)["SnowflakeQueueArn"] == ""


@pytest.mark.parametrize("page", sorted((ROOT / "docs").glob("*.md")), ids=lambda page: page.stem)
def test_no_page_sets_a_parameter_for_one_deploy_alone(page: Path) -> None:
    assert "--parameter-overrides" not in page.read_text()


def test_each_environment_has_its_own_parameters(run: Run) -> None:
    assert run("parameters", "--config-env", "second", "AlarmEmail=second@example.com") == 0
    second = deployed(run("deploy", "--config-env", "second", "--stack-name", "second"), {})
    assert second == {"AlarmEmail": "second@example.com"}
    assert deployed(run("deploy"), {}) == ANSWERS


def test_a_parameter_that_the_template_lacks_is_refused(run: Run, clone: Path) -> None:
    before = (clone / "samconfig.toml").read_text()
    assert run("parameters", "AlarmEmail=other@example.com", "SnowflakeQueuArn=x") == 1
    assert (clone / "samconfig.toml").read_text() == before


def test_parameters_in_another_file_are_left_to_it(run: Run, clone: Path) -> None:
    config = clone / "samconfig.toml"
    text = re.sub(
        r"(?m)^parameter_overrides = .+$",
        'parameter_overrides = "file://p.yaml"',
        config.read_text(),
    )
    config.write_text(text)
    assert run("parameters", "AlarmEmail=other@example.com") == 1
    assert config.read_text() == text
