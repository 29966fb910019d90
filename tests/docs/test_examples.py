"""Every example that is a program runs to its end and says what it should; for servers see test_web.py."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import boto3
import pytest

import stepsched as ss

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
PROGRAMS = sorted(
    path.name
    for path in EXAMPLES.glob("*.py")
    if '__name__ == "__main__"' in path.read_text(encoding="utf-8") and not path.name.startswith("web_")
)
ON_AWS = "stepfunctions_life.py"
"""The program that calls AWS."""
LINES: dict[str, list[str]] = {
    "quickstart.py": [
        r"    Cron      At 09:00, Monday to Friday, Europe/Paris",
        r"    Cron      cron\(0 9 \? \* MON-FRI \*\) +Fri 25 Jan 09:00 \+0100 .*",
        r"    Windowed  -  .*Thu 31 Jan 18:00.*",
        r"    remind-me: the kettle boils .*",
        r"    paused:    paused",
        r"    resumed:   active",
        r"    cancelled: cancelled",
        r"    runs in the week: .*morning-report 5.*tidy-up \d+",
    ],
    "stepfunctions_stack.py": [
        r"    Table +AWS::DynamoDB::Table",
        r"    Runner +AWS::StepFunctions::StateMachine",
        r"    .*: lambda:InvokeFunction on .*:function:close-the-books",
        r"    Runner: states:DescribeStateMachine, .*",
    ],
    "workflow_restart.py": [
        r"nightly/monday: failed, 1 succeeded, 1 failed, 1 upstream_failed, .*",
        r"load +failed .* OSError: the disk is full",
        r"restart of nightly/monday: reuse 1, run 2",
        r"nightly/monday: succeeded, 3 succeeded, .*, restarted 1 time",
        r"load +succeeded .* attempt 2",
        r"20\d\d-\d\d-\d\d, Europe/Paris \(\+0[12]:00\)",
        r"#: critical path, .* in all .*",
    ],
    "workflow_batch.py": [
        r"tell +Lambda tell +load; when all have ended",
        r"    s4 --> s5",
        r"Workflows +AWS::StepFunctions::StateMachine",
    ],
    "fan_out_worker.py": [f"report on {city}, delivery 1" for city in ("paris", "lima", "osaka", "lima")],
    "http_starlette.py": [
        r"201 /v1/jobs/reports%2Fdaily active",
        r"cron\(0 9 \? \* MON-FRI \*\)",
        r"403 target_not_allowed",
        r"a page of the application",
    ],
    "http_fastapi.py": [r"201 -", r"201 true", r"\['remind-me'\]", r"Unauthorized"],
    "http_django.py": [r"201", r'2031-01-01T10:00:00\+01:00 "2-', r"\{'names': \['daily'\]\}"],
    ON_AWS: [
        r"created:   wake-up, next \d{2}:\d{2}:\d{2}",
        r"run:       succeeded, scheduled for \d{2}:\d{2}:\d{2}, started at \d{2}:\d{2}:\d{2}",
        r"message:   \{\"text\":\"good morning\"\}",
        r"repaired:  nightly was dead; started nightly-.*",
        r"removed:   .*",
    ],
}
"""Lines that must stand in a program's output, in this order; regular expressions."""


def run(
    path: Path, folder: Path, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Runs a program from another folder, with every warning an error."""
    return subprocess.run(
        [sys.executable, "-W", "error", str(path)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=environment,
    )


def test_there_is_a_quickstart() -> None:
    assert "quickstart.py" in PROGRAMS
    assert set(LINES) <= set(PROGRAMS)


@pytest.mark.parametrize("name", [name for name in PROGRAMS if name != ON_AWS])
def test_the_program_runs_from_anywhere_and_leaves_nothing_behind(name: str, tmp_path: Path) -> None:
    check(name, run(EXAMPLES / name, tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_the_program_that_calls_aws_leaves_nothing_behind_there(
    tmp_path: Path, on_aws: Mapping[str, str]
) -> None:
    there = [held(on_aws)]
    check(ON_AWS, run(EXAMPLES / ON_AWS, tmp_path, on_aws))
    there.append(held(on_aws))
    assert there[0] == there[1]
    assert list(tmp_path.iterdir()) == []


def test_the_worker_of_a_queue_works_until_a_signal(tmp_path: Path, on_aws: Mapping[str, str]) -> None:
    session = boto3.Session(region_name=on_aws["AWS_DEFAULT_REGION"])
    own = {key: on_aws[f"AWS_{key.upper()}"] for key in ("access_key_id", "secret_access_key")}
    keys: Any = {f"aws_{key}": value for key, value in own.items()}
    with closing(session.client("sqs", endpoint_url=on_aws["AWS_ENDPOINT_URL"], **keys)) as sqs:
        url = sqs.get_queue_url(QueueName="orders")["QueueUrl"]
        sqs.send_message(QueueUrl=url, MessageBody="paris")
        with subprocess.Popen(
            [sys.executable, "-W", "error", str(EXAMPLES / "fan_out_worker.py")],
            cwd=tmp_path,
            env={**on_aws, "QUEUE_URL": url},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as program:
            assert program.stdout is not None
            assert program.stdout.readline() == "report on paris, delivery 1\n"
            sqs.send_message(QueueUrl=url, MessageBody="lima")
            program.send_signal(
                signal.SIGTERM
            )  # the request that waits is answered with the message or without
            sqs.send_message(QueueUrl=url, MessageBody="osaka")
            out, _ = program.communicate(timeout=60)
    assert program.returncode == 0
    assert "received   " in out
    assert "failed      0" in out


def held(environment: Mapping[str, str]) -> list[object]:
    """The queues, tables, machines and roles of an account."""
    session: Any = boto3.Session(
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        region_name=environment["AWS_DEFAULT_REGION"],
    )
    found = list[object]()
    for service, operation, key in (
        ("sqs", "list_queues", "QueueUrls"),
        ("dynamodb", "list_tables", "TableNames"),
        ("stepfunctions", "list_state_machines", "stateMachines"),
        ("iam", "list_roles", "Roles"),
    ):
        client = session.client(service, endpoint_url=environment["AWS_ENDPOINT_URL"])
        with closing(client):
            found.append(getattr(client, operation)().get(key, []))
    return found


def check(name: str, done: subprocess.CompletedProcess[str]) -> None:
    """Looks whether a program has ended well and said what it should."""
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    # Those of steps that fail as they should are lines of the log, with a bar before them.
    assert not any(line.startswith("Traceback") for line in done.stderr.splitlines())
    lines = iter(done.stdout.splitlines())
    for wanted in LINES.get(name, []):
        assert any(re.fullmatch(wanted, line) for line in lines), f"{wanted!r} is missing in {done.stdout}"


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.json")), ids=lambda path: str(path.name))
def test_a_file_of_jobs_loads(path: Path) -> None:
    jobs = ss.load_jobs(path)
    assert len(jobs) == len(json.loads(path.read_text(encoding="utf-8")))


def test_a_program_that_fails_is_seen_to_fail(tmp_path: Path) -> None:
    broken = tmp_path / "broken.py"
    broken.write_text("import warnings\nwarnings.warn('beware', stacklevel=1)\n")
    assert run(broken, tmp_path).returncode == 1
