"""Every verb of the command line on every backend: an SQLite file, EventBridge Scheduler as moto shows it,
and a stack of Step Functions on an emulator that runs state machines.

Each backend is asked the same command lines in the same order. Where it cannot do one, the exit code is 5.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from moto import mock_aws

import stepsched as ss
from stepsched.core.clock import SystemClock
from stepsched.deploy import template
from tests.parts.ministack import REGION, Ministack
from tests.unit.cli.conftest import CommandLine, Done, stepsched  # noqa: F401 -- a fixture

ROLE = "arn:aws:iam::123456789012:role/scheduler"
QUEUE = "arn:aws:sqs:eu-west-1:123456789012:inbox"
CANNOT = 5


@dataclass(frozen=True)
class Backend:
    """A backend as a command line names it."""

    kind: str
    options: list[str]
    queue: str
    """The ARN of a queue to which it can send."""
    call: CommandLine

    def __call__(self, *arguments: str, **options: Any) -> Done:
        return self.call(*arguments, *self.options, clock=SystemClock(), **options)


pytestmark = pytest.mark.usefixtures("shared_models")


@pytest.fixture
def local(stepsched: CommandLine, tmp_path: Path) -> Backend:  # noqa: F811
    return Backend("local", ["--backend", "local:jobs.db"], QUEUE, stepsched)


@pytest.fixture
def eventbridge(stepsched: CommandLine, monkeypatch: pytest.MonkeyPatch) -> Iterator[Backend]:  # noqa: F811
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        options = ["--backend", f"eventbridge:{ROLE}", "--region", REGION]
        yield Backend("eventbridge", options, QUEUE, stepsched)


@pytest.fixture
def stack(
    stepsched: CommandLine,  # noqa: F811
    ministack: Ministack,
    account: str,
    aws: Callable[[str], Any],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Backend]:
    """The backend of a stack on the emulator, whose clock stands still."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", account)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    url = aws("sqs").create_queue(QueueName="inbox")["QueueUrl"]
    arn = aws("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    cloudformation = aws("cloudformation")
    made = json.dumps(template([ss.QueueTarget(arn)]))
    cloudformation.create_stack(StackName="jobs", TemplateBody=made, Capabilities=["CAPABILITY_IAM"])
    options = ["--backend", "stack:jobs", "--region", REGION, "--endpoint-url", ministack.endpoint_url]
    ministack.hold_waits()  # otherwise every run of a year comes due at once
    yield Backend("stack", options, arn, stepsched)
    ministack.release_waits()  # ends the executions
    cloudformation.delete_stack(StackName="jobs")


@pytest.fixture(params=["local", "eventbridge", "stack"])
def backend(request: pytest.FixtureRequest) -> Backend:
    made: Backend = request.getfixturevalue(request.param)
    return made


STEPS: list[tuple[str, tuple[int, int, int]]] = [
    ("create daily --schedule cron(0_9_*_*_?_*) --timezone Europe/Paris --target QUEUE", (0, 0, 0)),
    ("create daily --schedule cron(0_9_*_*_?_*) --timezone Europe/Paris --target QUEUE", (0, 0, 0)),
    ("create daily --schedule rate(5_minutes) --target QUEUE", (4, 4, 4)),
    ("create weekly --schedule rate(7_days) --target QUEUE --tag team=a", (0, 0, 0)),
    ("list", (0, 0, 0)),
    ("list --prefix w -o name", (0, 0, 0)),
    ("list --tag team=a -o table", (0, 0, 0)),
    ("get daily", (0, 0, 0)),
    ("get nothing", (3, 3, 3)),
    ("update daily --description changed", (0, 0, 0)),
    ("pause daily --reason moving", (0, 0, 0)),
    ("pause daily", (0, 0, 0)),
    ("resume daily", (0, 0, 0)),
    ("upcoming", (0, 0, 0)),
    ("upcoming daily --limit 3", (0, 0, 0)),
    ("versions daily", (0, CANNOT, 0)),
    ("run-now daily", (0, 0, 0)),
    ("runs daily", (0, CANNOT, 0)),
    ("wait daily --timeout LENGTH", (124, CANNOT, 0)),
    ("backfill daily --since now-2d --until now", (0, CANNOT, 0)),
    ("logs daily", (0, CANNOT, 0)),
    ("dead-letters", (0, 2, 0)),
    ("redrive daily --all", (0, 2, 0)),
    ("repair", (0, 0, 0)),
    ("export jobs.yaml", (0, 0, 0)),
    ("plan jobs.yaml --detailed-exitcode", (0, 0, 0)),
    ("apply jobs.yaml", (0, 0, 0)),
    ("pause --all", (0, 0, 0)),
    ("resume --all", (0, 0, 0)),
    ("cancel weekly --yes", (0, 0, 0)),
    ("plan jobs.yaml", (0, 0, 0)),
    ("apply jobs.yaml", (0, 0, 0)),
    ("cancel --all --yes", (0, 0, 0)),
    ("list -o name", (0, 0, 0)),
]
"""Command lines, with the exit codes on the file, on EventBridge Scheduler and on the stack. ``_`` stands for
a blank in an argument, ``QUEUE`` for the ARN of a queue, ``LENGTH`` for as long as the run may need: on the
file nothing runs it."""


def test_every_verb_ends_as_the_table_says(backend: Backend) -> None:
    place = ("local", "eventbridge", "stack").index(backend.kind)
    found = list[tuple[str, int, str]]()
    for line, codes in STEPS:
        words = line.replace("QUEUE", backend.queue)
        words = words.replace("LENGTH", "30s" if backend.kind == "stack" else "0s")
        arguments = [each.replace("_", " ") for each in words.split()]
        done = backend(*arguments)
        has_error = any(each.startswith("error: ") for each in done.err.splitlines())
        if done.code != codes[place] or has_error is (done.code == 0) or "Traceback" in done.err:
            found.append((line, done.code, done.err))
    assert found == []


@pytest.fixture
def two_jobs(backend: Backend) -> Backend:
    """The backend, with a job that is paused for a reason, and one that is active."""
    for name in ("quiet", "busy"):
        made = backend(
            "create",
            name,
            "--schedule",
            "cron(0 9 * * ? *)",
            "--target",
            backend.queue,
            "--tag",
            f"of={name}",
        )
        assert made.code == 0, made.err
    assert backend("pause", "quiet", "--reason", "the move").code == 0
    return backend


def states(backend: Backend) -> list[tuple[str, str, str | None, int]]:
    """The name, the status, the reason of the pause and the version of each job."""
    return sorted(
        (each["job"]["name"], each["status"], each["pause_reason"], each["version"])
        for each in backend("list", "-o", "json").document
    )


def test_what_list_prints_changes_nothing_when_it_is_applied(two_jobs: Backend) -> None:
    before = states(two_jobs)
    done = two_jobs("apply", "-", "-o", "json", stdin=two_jobs("list", "-o", "json").out)
    assert done.code == 0, done.err
    assert states(two_jobs) == before
    assert [(name, status, reason) for name, status, reason, _ in before] == [
        ("busy", "active", None),
        ("quiet", "paused", "the move"),
    ]


def test_a_window_resumes_exactly_what_it_has_paused(two_jobs: Backend) -> None:
    paused = two_jobs("pause", "--all", "--reason", "window", "-o", "json")
    assert [each["job"]["name"] for each in paused.document] == ["busy"]
    assert [each[1] for each in states(two_jobs)] == ["paused", "paused"]
    resumed = two_jobs("resume", "--from", "-", stdin=paused.out)
    assert resumed.code == 0, resumed.err
    assert [each[1] for each in states(two_jobs)] == ["active", "paused"]
