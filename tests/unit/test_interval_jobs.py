"""The document of an interval job, and what its calculator answers.

The documents in ``tests/data/interval_job`` are examples of such a system (``CurtisHughes/sls-step-function-
scheduler``, MIT). The expected values are what it answers, except where it loses the grid or the month's end.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

import stepsched as ss
from stepsched.jobs import next_interval_run

DATA = Path(__file__).parents[1] / "data/interval_job"
TARGET = ss.LambdaTarget("arn:aws:lambda:eu-west-1:123456789012:function:task")
UTC = timezone.utc


def sample(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((DATA / f"{name}.json").read_text())
    return document


JOB = sample("job")


def made(**changes: Any) -> ss.Job:
    return ss.Job.from_document({**JOB, **changes}, target=TARGET)


# -- the document --------------------------------------------------------------------------------------


def test_a_document_is_a_job_and_the_job_is_the_document() -> None:
    job = ss.Job.from_document(JOB, target=TARGET)
    assert job == ss.Job(
        name="task",
        schedule=ss.Windowed("2021-02-22T03:05", every=ss.Frequency(minutes=5), end="2030-01-01T00:00"),
        target=TARGET,
        input={"context": {"name": "Curtis"}},
    )
    assert job.input == sample("task_input")
    assert job.to_document() == JOB
    assert list(job.to_document()) == list(JOB)


def test_its_runs_are_the_grid_from_its_start_to_its_end() -> None:
    before = datetime(2021, 2, 22, 3, 4, tzinfo=UTC)
    assert [f"{run:%H:%M}" for run in made().schedule.upcoming(3, after=before)] == [
        "03:05",
        "03:10",
        "03:15",
    ]
    hourly = made(
        startDateTime="2021-01-01T01:00Z", endDateTime="2021-01-02T01:00Z", frequency={"hours": 1}
    ).schedule
    runs = list(hourly.runs(after=datetime(2020, 1, 1, tzinfo=UTC)))
    assert (len(runs), runs[-1]) == (25, datetime(2021, 1, 2, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        pytest.param({"frequency": {"minute": 5}}, {}, id="singular"),
        pytest.param({"frequency": {"MINUTES": "5"}}, {}, id="capitals and text"),
        pytest.param({"startDateTime": "2021-02-21T21:05:00.000-06:00"}, {}, id="offset"),
        pytest.param({"startDateTime": "2021-02-22T03:05"}, {}, id="without offset"),
        pytest.param(
            {"startDateTime": "2021-02-22T03:05:13.250Z"},
            {"startDateTime": "2021-02-22T03:05:13.250Z"},
            id="milliseconds",
        ),
        pytest.param(
            {"startDateTime": "2021-02-22T03:05:13.000001Z"},
            {"startDateTime": "2021-02-22T03:05:13.000001Z"},
            id="microseconds",
        ),
        pytest.param(
            {"frequency": {"month": 1, "hours": 1.5}},
            {"frequency": {"months": 1, "minutes": 90}},
            id="fraction",
        ),
        pytest.param({"context": None}, {"context": None}, id="null as context"),
        pytest.param(
            {"context": {"id": ss.context.EXECUTION_ID}},
            {"context": {"id": {"$context": "<aws.scheduler.execution-id>"}}},
            id="a context attribute",
        ),
    ],
)
def test_what_is_written_otherwise_comes_back_in_the_plural_and_in_utc(
    changes: dict[str, Any], same: dict[str, Any]
) -> None:
    assert made(**changes).to_document() == {**JOB, **same}


def test_a_document_without_context_has_no_input() -> None:
    bare = {key: value for key, value in JOB.items() if key != "context"}
    job = ss.Job.from_document(bare, target=TARGET)
    assert (job.input, job.to_document()) == ({}, bare)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        pytest.param(
            {"endDateTime": None}, "endDateTime: expected an end, got null: the system", id="no end"
        ),
        pytest.param({"endDateTime": "never"}, "expected a date and a time", id="end is a word"),
        pytest.param({"endDateTime": "2020-01-01T00:00Z"}, "expected end at or after start", id="end before"),
        pytest.param({"startDateTime": None}, "expected a datetime", id="no start"),
        pytest.param({"frequency": {}}, "expected a step, got 0", id="no step"),
        pytest.param({"frequency": {"minutes": 0}}, "expected a step, got 0", id="zero"),
        pytest.param({"frequency": {"minutes": -5}}, "is not a positive number", id="negative"),
        pytest.param({"frequency": {"minutes": "abc"}}, "is not a positive number", id="word"),
        pytest.param({"frequency": {"fortnights": 1}}, "unknown unit 'fortnights'", id="unit"),
        pytest.param({"frequency": None}, "expected a mapping", id="null as frequency"),
        pytest.param({"id": None}, "id: expected a text, got None", id="null as id"),
        pytest.param({"id": ""}, "name", id="id that is no name"),
        pytest.param(
            {"colour": "red"}, "unknown keys: colour; the document of an interval job has id", id="key"
        ),
    ],
)
def test_a_document_that_would_not_run_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        made(**changes)


@pytest.mark.parametrize("key", ["id", "startDateTime", "endDateTime", "frequency"])
def test_a_document_that_lacks_a_key_is_refused(key: str) -> None:
    with pytest.raises(ss.InvalidScheduleError, match=key):
        ss.Job.from_document({name: value for name, value in JOB.items() if name != key}, target=TARGET)


@pytest.mark.parametrize("document", [None, 5, "job", [JOB]], ids=str)
def test_what_is_no_document_is_refused(document: Any) -> None:
    with pytest.raises(ss.InvalidScheduleError, match="expected the document of an interval job, a mapping"):
        ss.Job.from_document(document, target=TARGET)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        pytest.param({"schedule": ss.Rate(timedelta(minutes=5))}, "holds a calendar step in UTC", id="rate"),
        pytest.param(
            {"schedule": ss.Windowed("2030-01-01T00:00", every=ss.Frequency(days=1))},
            "with an end",
            id="no end",
        ),
        pytest.param(
            {
                "schedule": ss.Windowed(
                    "2030-01-01T00:00",
                    every=ss.Frequency(days=1),
                    end="2031-01-01T00:00",
                    timezone="Europe/Paris",
                )
            },
            "in UTC",
            id="zone",
        ),
        pytest.param({"input": {"other": 1}}, "holds an input of the form", id="other input"),
        pytest.param({"input": [1]}, "holds an input of the form", id="list as input"),
    ],
)
def test_a_job_that_no_document_holds_is_not_written(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        made().replace(**changes).to_document()


# -- the calculator ------------------------------------------------------------------------------------

NOW = "2024-05-01T10:00:00.000Z"


def event(job: dict[str, Any], task: str, execution: str | None = None) -> dict[str, Any]:
    return {
        "job": {"id": "job", "endDateTime": "9999-01-01T00:00Z", **job},
        "execution": {"name": "job_1", "taskStartDateTime": task, "executionStartDateTime": execution},
    }


FIVE = {"frequency": {"minutes": 5}}
MONTHLY = {"frequency": {"months": 1}, "startDateTime": "2021-01-31T10:00Z"}


def test_the_calculator_answers_the_sample() -> None:
    assert next_interval_run(sample("calculator_input")) == {
        "name": "job_1_20210218T001500",
        "taskStartDateTime": "2021-02-18T00:15:00.000+00:00",
        "continue": True,
    }


@pytest.mark.parametrize(
    ("given", "name", "at", "goes_on"),
    [
        pytest.param(
            event({**FIVE, "endDateTime": "2024-05-01T11:00Z"}, NOW, NOW),
            "job_20240501T100500",
            "2024-05-01T10:05:00.000+00:00",
            True,
            id="both starts now, an hour left",
        ),
        pytest.param(
            event({**FIVE, "endDateTime": "2024-05-01T10:04Z"}, NOW, NOW),
            "job_20240501T100500",
            "2024-05-01T10:05:00.000+00:00",
            False,
            id="both starts now, four minutes left",
        ),
        pytest.param(
            event({**FIVE, "endDateTime": "2024-05-01T10:05Z"}, NOW, NOW),
            "job_20240501T100500",
            "2024-05-01T10:05:00.000+00:00",
            True,
            id="the end is inclusive",
        ),
        pytest.param(
            event({**FIVE, "endDateTime": None}, NOW),
            "job_20240501T100500",
            "2024-05-01T10:05:00.000+00:00",
            False,
            id="no end",
        ),
        pytest.param(
            event(FIVE, "2018-01-01T00:00-06:00", "2019-01-01T00:00-06:00"),
            "job_20190101T060500",
            "2019-01-01T06:05:00.000+00:00",
            True,
            id="an execution a year late",
        ),
        pytest.param(
            event(
                {**FIVE, "startDateTime": "2021-02-22T03:05Z"},
                "2021-02-22T03:05Z",
                "2021-02-22T04:07:13.250Z",
            ),
            "job_20210222T041000",
            "2021-02-22T04:10:00.000+00:00",
            True,
            id="a late execution keeps the grid",
        ),
        pytest.param(
            event(MONTHLY, "2021-02-28T10:00Z"),
            "job_20210331T100000",
            "2021-03-31T10:00:00.000+00:00",
            True,
            id="the last day of the month stays",
        ),
        pytest.param(
            event({"frequency": {"hour": 1}, "endDateTime": "2021-01-01T00:59:59.999Z"}, "2021-01-01T00:00Z"),
            "job_20210101T010000",
            "2021-01-01T01:00:00.000+00:00",
            False,
            id="just past the end",
        ),
        pytest.param(
            event({"frequency": {"months": 1, "days": 1, "hours": 2}}, "2021-01-31T23:00Z"),
            "job_20210302T010000",
            "2021-03-02T01:00:00.000+00:00",
            True,
            id="large units first",
        ),
    ],
)
def test_the_calculator_answers_as_documented(
    given: dict[str, Any],
    name: str,
    at: str,
    goes_on: bool,
) -> None:
    assert next_interval_run(given) == {"name": name, "taskStartDateTime": at, "continue": goes_on}


def test_the_calculator_and_the_job_agree() -> None:
    run, expected = JOB["startDateTime"], made().schedule.upcoming(50, after=datetime(2021, 1, 1, tzinfo=UTC))
    found = [datetime.fromisoformat(run.replace("Z", "+00:00"))]
    for _ in range(49):
        run = next_interval_run({"job": JOB, "execution": {"taskStartDateTime": run}})["taskStartDateTime"]
        found.append(datetime.fromisoformat(run))
    assert found == expected


@pytest.mark.parametrize(
    ("given", "words"),
    [
        pytest.param({}, "expected a mapping with the mappings execution and job", id="empty"),
        pytest.param(5, "expected a mapping with the mappings execution and job", id="number"),
        pytest.param({"job": JOB}, "got None for execution", id="no execution"),
        pytest.param({"job": JOB, "execution": {}}, "taskStartDateTime", id="no start"),
        pytest.param(event(FIVE, "soon"), "taskStartDateTime: expected a date and a time", id="a word"),
        pytest.param(event({}, NOW), "the job lacks frequency", id="no frequency"),
        pytest.param(event({"frequency": {}}, NOW), "expected a step, got 0", id="no step"),
        pytest.param(event({**FIVE, "id": 1}, NOW), "id: expected a text, got 1", id="number as id"),
        pytest.param(event({**FIVE, "id": None}, NOW), "id: expected a text, got None", id="null as id"),
        pytest.param(
            event({**FIVE, "endDateTime": "never"}, NOW), "endDateTime: expected a date", id="bad end"
        ),
        pytest.param(event(FIVE, "9999-12-31T23:59Z"), "no run before the year 10000", id="the last year"),
    ],
)
def test_the_calculator_refuses_what_it_cannot_compute(given: Any, words: str) -> None:
    with pytest.raises(ss.InvalidScheduleError, match=words):
        next_interval_run(given)
