"""Workflows whose stored definition cannot be read, such as one of a later stepsched: the others go on."""

from __future__ import annotations

import logging
import sqlite3
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

import stepsched as ss
from stepsched.testing import FakeClock
from stepsched.workflows import StepStatus, WorkflowRunStatus

T0 = datetime(2030, 1, 7, tzinfo=timezone.utc)
MINUTE = timedelta(minutes=1)


def work() -> int:
    return 1


def flow(name: str) -> ss.Workflow:
    first, second = (ss.Step(each, target=ss.HandlerTarget(work)) for each in "ab")
    return ss.Workflow(name, steps=[first, second.replace(needs=("a",))])


def reopened(path: Path) -> tuple[ss.LocalBackend, ss.WorkflowClient]:
    backend = ss.LocalBackend(path, clock=FakeClock(T0))
    return backend, ss.WorkflowClient(backend)


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    """A file with a run of a workflow that cannot be read, and a run of one that can."""
    path = tmp_path / "jobs.db"
    backend, flows = reopened(path)
    for name in ("later", "good"):
        flows.start(flow(name), run_id="r")
    at, target, retry = (
        ss.OneTime("2100-01-01T00:00:00"),
        ss.WorkflowTarget("later"),
        ss.Retry(max_attempts=0),
    )
    ss.SchedulerClient(backend).create(ss.Job(name="j", schedule=at, target=target, retry=retry))
    backend.close()
    with sqlite3.connect(path) as db:
        db.execute("""UPDATE workflows SET document = replace(document, '"title"', '"new"')"""
                   """ WHERE name = 'later'""")  # fmt: skip
    db.close()
    return path


def test_other_workflows_go_on_and_its_run_fails_with_the_reason(damaged: Path) -> None:
    backend, flows = reopened(damaged)
    backend.advance(MINUTE)
    assert flows.status("good/r").status is WorkflowRunStatus.SUCCEEDED
    found = flows.status("later/r")
    assert found.status is WorkflowRunStatus.FAILED
    assert "version 1 of workflow 'later' cannot be read by this version" in str(found.error)
    assert [step.status for step in found.steps] == [StepStatus.SUCCEEDED, StepStatus.CANCELLED]


def test_the_run_of_a_job_fails_with_the_reason(damaged: Path) -> None:
    backend, flows = reopened(damaged)
    jobs = ss.SchedulerClient(backend)
    jobs.run_now("j")
    backend.advance(MINUTE)
    (run,) = jobs.runs("j")
    assert run.status is ss.jobs.RunStatus.FAILED
    assert "workflow 'later' cannot be read" in str(run.error)
    assert flows.status("good/r").status is WorkflowRunStatus.SUCCEEDED


def test_it_is_left_out_of_the_list_and_its_run_can_be_cancelled(
    damaged: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _, flows = reopened(damaged)
    with caplog.at_level(logging.ERROR):
        assert [each.name for each in flows.list()] == ["good"]
    assert "workflow later is left out of the list" in caplog.text
    assert len(flows.runs()) == 2
    assert flows.cancel("later").status is WorkflowRunStatus.CANCELLED
    with pytest.raises(ss.errors.WorkflowNotFoundError, match="goood"):
        flows.get("goood")
