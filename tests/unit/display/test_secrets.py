"""No form of a value shows a secret, wherever it stands and however short the value is."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

import stepsched as ss
from stepsched.core.values import Value
from stepsched.display.results import Displayed, DisplayedFields
from stepsched.jobs import JobRecord, Run
from stepsched.testing import FakeClock, TimeTravel
from stepsched.watching.pictures import Layout, html_of, lines_of, text_of
from stepsched.watching.reading import Seen
from stepsched.workers import QueueMessage, WorkerEvent, WorkerEventKind
from stepsched.workflows import StepRun, StepStatus, WorkflowRun, WorkflowRunStatus
from stepsched.workflows.results import WorkflowRuns

T0 = datetime(2030, 1, 7, tzinfo=timezone.utc)
LOGIN = "postgres://u:sesame@h/db"
OUTPUT = '{"password": "sesame"}'
COMMAND = ss.CommandTarget(["echo", "--password", "sesame"])
JOB = ss.Job(name="j", schedule=ss.Rate("PT1H"), target=COMMAND, input={"password": "sesame"})
RUN = Run(
    id=1,
    job="j",
    scheduled_for=T0,
    status=ss.RunStatus.FAILED,
    attempt=1,
    started_at=T0,
    ended_at=T0 + timedelta(seconds=1),
    error=LOGIN,
    output=OUTPUT,
)
STEP = StepRun(name="s", status=StepStatus.FAILED, error=LOGIN, output=OUTPUT, started_at=T0, ended_at=T0)
FLOW_RUN = WorkflowRun(
    workflow="w",
    id="r",
    version=1,
    status=WorkflowRunStatus.FAILED,
    started_at=T0,
    ended_at=T0,
    steps=(STEP,),
    error=LOGIN,
)
RECORD = JobRecord(
    job=JOB, status=ss.JobStatus.ACTIVE, version=1, created_at=T0, updated_at=T0, next_run=T0, last_run=RUN
)
MESSAGE = QueueMessage(OUTPUT, "id", attributes={"token": "sesame"})


class Pair(DisplayedFields, Value, frozen=True):
    """A value with fields of any type."""

    target: Any
    values: Any


VALUES = [
    pytest.param(COMMAND, id="an argument after its option"),
    pytest.param(ss.CommandTarget(["echo", "--password=sesame"]), id="an option"),
    pytest.param(
        ss.ApiTarget("ecs", "runTask", {"E": [{"Name": "DB_PASSWORD", "Value": "sesame"}]}), id="a variable"
    ),
    pytest.param(ss.ApiTarget("ecs", "runTask", {"E": [OUTPUT]}), id="a document in a list"),
    pytest.param(ss.HttpTarget("https://e.example", signing_secret="sesame" * 8), id="a field"),
    pytest.param(ss.ParallelTarget([COMMAND, COMMAND]), id="a target in a target"),
    pytest.param(JOB, id="an input"),
    pytest.param(RECORD, id="the last run"),
    pytest.param(RUN, id="a run"),
    pytest.param(ss.jobs.Runs([RUN, RUN], now=T0), id="runs"),
    pytest.param(ss.jobs.Event(ss.jobs.EventKind.FAILED, T0, "j", RUN), id="an event"),
    pytest.param(ss.jobs.Repair(job="j", problem="dead", detail=LOGIN, remedy=LOGIN), id="a repair"),
    pytest.param(STEP, id="a step"),
    pytest.param(FLOW_RUN, id="a run of a workflow"),
    pytest.param(WorkflowRuns([FLOW_RUN], now=T0), id="runs of workflows"),
    pytest.param(MESSAGE, id="a message"),
    pytest.param(WorkerEvent(WorkerEventKind.FAILED, T0, MESSAGE, LOGIN), id="a failed message"),
    pytest.param(Pair(target=COMMAND, values=("--password", "sesame")), id="a list in a field"),
    pytest.param(Pair(target=LOGIN, values=[{"Name": "DB_PASSWORD", "Value": "sesame"}]), id="objects"),
]


@pytest.mark.parametrize("value", VALUES)
def test_every_form_masks_it(value: Displayed) -> None:
    shown = [repr(value), str(value), value.to_text(), value.to_markdown(), value.to_html()]
    assert [form for form in shown if "sesame" in form] == []
    assert "***" in shown[-1]


def test_a_call_of_a_recorder_masks_the_target_too() -> None:
    with TimeTravel(T0) as travel:
        travel.client.create(JOB)
        travel.advance(timedelta(hours=2))
        call = travel.recorder.calls[0] if travel.recorder.calls else None
    shown = Pair(target=COMMAND, values=()) if call is None else call
    assert "echo --password '***'" in shown.to_text()
    assert "sesame" not in shown.to_html()


def test_pictures_mask_it() -> None:
    svg = ss.jobs.Runs([RUN, RUN.replace(id=2, scheduled_for=T0 + timedelta(days=1))], now=T0).to_svg()
    assert "postgres://u:***@h/db" in svg
    assert "sesame" not in svg + FLOW_RUN.to_svg()


def test_a_watch_masks_it() -> None:
    waiting = RUN.replace(id=2, status=ss.RunStatus.PENDING, ended_at=None)
    seen = Seen(
        now=T0,
        counts={"active": 1},
        upcoming=[RECORD],
        running=[],
        waiting=[waiting],
        troubled=[RUN],
        latest={1: RUN, 2: waiting},
        outage=LOGIN,
    )
    lines = list(lines_of(seen._replace(latest={}, outage=None), seen))
    shown = [html_of(seen), text_of(seen, 40, 200, Layout()), *lines]
    assert [form for form in shown if "sesame" in form] == []
    assert len(lines) == 3
    assert all("postgres://u:***@h/db" in form for form in shown)


def test_data_are_whole() -> None:
    client = ss.SchedulerClient(ss.LocalBackend(clock=FakeClock(T0)))
    client.create(JOB)
    assert client.get("j").job.input == {"password": "sesame"}
    assert "sesame" in RUN.model_dump_json()
    dumped: dict[str, Any] = JOB.model_dump()
    assert dumped["input"] == {"password": "sesame"}
