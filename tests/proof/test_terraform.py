"""Terraform itself reads the texts of exported jobs as they were written.

It needs the program ``terraform`` on the path. The resources are turned into outputs, since their provider is
not at hand: what is proved is the syntax and that no text is an expression.

    python -m pytest tests/proof/test_terraform.py -m proof
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

import stepsched as ss
from tests.unit.exports.generated import NOW, generated
from tests.unit.exports.readers import evaluated

ROLE = "arn:aws:iam::123456789012:role/scheduler"
pytestmark = [pytest.mark.proof, pytest.mark.filterwarnings("ignore::stepsched.ScheduleWarning")]


def terraform(folder: Path, *arguments: str) -> str:
    environment = {key: value for key, value in os.environ.items() if key != "TF_CLI_CONFIG_FILE"}
    done = subprocess.run(
        ["terraform", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def read(value: Any) -> Any:
    """A part of a resource as the reader of the tests evaluates it."""
    match value:
        case dict():
            return {evaluated(key, {}): read(item) for key, item in value.items()}
        case list():
            return [read(item) for item in value]
    return evaluated(value, {})


def test_terraform_reads_what_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    jobs = [job.replace(group="default") for job in generated(400, seed=11)]
    made = ss.deploy.jobs_to_terraform(jobs, role_arn=ROLE, names=True, now=NOW, next_runs=2)
    bodies = made["resource"]["aws_scheduler_schedule"]
    outputs = {"output": {label: {"value": body} for label, body in bodies.items()}, "//": made["//"]}
    (tmp_path / "main.tf.json").write_text(json.dumps(outputs))
    terraform(tmp_path, "init", "-no-color")
    terraform(tmp_path, "apply", "-auto-approve", "-no-color")
    found = json.loads(terraform(tmp_path, "output", "-json"))
    assert {label: each["value"] for label, each in found.items()} == {
        label: read(body) for label, body in bodies.items()
    }
