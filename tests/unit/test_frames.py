"""The columns of data frames, without pandas. What frames are made of them: tests/notebooks."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import datetime, timedelta, timezone

import pytest

import stepsched as ss
from stepsched.display.frames import Column
from stepsched.jobs.frames import repair_columns, run_columns, version_columns
from stepsched.jobs.records import JobVersion, Problem, Repair, Run, RunStatus
from stepsched.jobs.results import JobRecords, Runs

START = datetime(2030, 1, 7, 8, tzinfo=timezone.utc)
NINE = ss.Cron("0 9 * * ? *", timezone="Europe/Paris")
JOB = ss.Job(name="report", schedule=NINE, target=ss.CommandTarget(["true"]))
RUN = Run(
    id=1,
    job="report",
    scheduled_for=START,
    status=RunStatus.FAILED,
    started_at=START + timedelta(seconds=2),
    ended_at=START + timedelta(seconds=5),
)
MAKERS: dict[str, tuple[object, Callable[..., list[Column]]]] = {
    "run": (RUN, lambda items: run_columns(items, None)),
    "version": (
        JobVersion(version=1, job=JOB, replaced_at=START),
        lambda items: version_columns(items, None),
    ),
    "repair": (
        Repair(job="report", problem=Problem.DEAD, detail="it ended", remedy="started again"),
        lambda items: repair_columns(items, None),
    ),
}


@pytest.mark.parametrize("name", MAKERS)
def test_every_field_is_a_column(name: str) -> None:
    item, make = MAKERS[name]
    columns = {column.name: column for column in make([item, item])}
    assert {len(column.values) for column in columns.values()} == {2}
    fields = type(item).model_fields.keys() - {"job"}  # type: ignore[attr-defined]
    assert columns.keys() >= fields
    assert [column._replace(values=[]) for column in make([])] == [
        column._replace(values=[], zone=column.zone and timezone.utc) for column in columns.values()
    ]


def test_a_run_has_its_delay_and_its_duration() -> None:
    waiting = RUN.replace(started_at=None, ended_at=None, status=RunStatus.PENDING)
    columns = {column.name: list(column.values) for column in run_columns([RUN, waiting], None)}
    assert columns["delay"] == [timedelta(seconds=2), None]
    assert columns["duration"] == [timedelta(seconds=3), None]
    assert columns["status"] == ["failed", "pending"]


@pytest.mark.parametrize("module", ["pandas", "pyarrow"])
def test_what_is_not_installed_is_named_with_the_cure(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = JobRecords()
    monkeypatch.setitem(sys.modules, module, None)
    package = "'stepsched[pandas]'" if module == "pandas" else module
    with pytest.raises(ModuleNotFoundError) as refused:
        jobs.to_pandas() if module == "pandas" else jobs.__arrow_c_stream__()
    assert str(refused.value) == f"{module} is not installed; use: pip install {package}"


def test_an_index_needs_pandas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ModuleNotFoundError, match="stepsched\\[pandas\\]"):
        NINE.to_index(after=START, until=START + timedelta(days=1))


def test_the_other_results_have_columns_too() -> None:
    flow = ss.Workflow("nightly", steps=[ss.Step("ftp", target=ss.CommandTarget(["true"]))])
    flows = ss.WorkflowClient(ss.LocalBackend())
    flows.start(flow)
    problems = ss.asl.check({"StartAt": "A", "States": {}})
    estimate = ss.estimate([JOB], START, START + timedelta(days=7))
    for results, name, value in (
        (flows.runs("nightly"), "workflow", "nightly"),
        (flows.list(), "name", "nightly"),
        (problems, "severity", "ERROR"),
        (estimate, "invocations", 8),
    ):
        columns = {column.name: column for column in results._columns(None)}
        assert len({len(column.values) for column in columns.values()}) == 1
        assert columns[name].values[0] == value


@pytest.mark.parametrize("offset", [timezone(timedelta(hours=1)), timezone(-timedelta(hours=5))])
def test_a_fixed_offset_is_refused_with_what_to_use(offset: timezone) -> None:
    runs = Runs([RUN])
    with pytest.raises(ValueError, match="'Europe/Paris', or a ZoneInfo, got"):
        runs._columns(offset)
    with pytest.raises(ValueError, match="'Europe/Paris', or a ZoneInfo, got"):
        runs.to_svg(timezone=offset)


def test_a_zone_is_checked_where_a_frame_has_no_instants_too() -> None:
    daily = ss.Job(name="job", schedule=NINE, target=ss.CommandTarget(["true"]))
    estimate = ss.estimate([daily], since=START, until=START + timedelta(days=1))
    with pytest.raises(ValueError, match="Nowhere"):
        repair_columns([], "Nowhere")
    with pytest.raises(ValueError, match="Nowhere"):
        ss.asl.check({"StartAt": "A", "States": {}})._columns("Nowhere")
    with pytest.raises(ValueError, match="Nowhere"):
        estimate._columns("Nowhere")
