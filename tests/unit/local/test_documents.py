"""Jobs as documents: the quick way to read them gives the very job, or the very error."""

from __future__ import annotations

import json
from datetime import datetime

import pytest
from pydantic import ValidationError

import stepsched as ss
from stepsched.backends.local import documents
from stepsched.backends.local.documents import decode, encode, read
from tests.unit.schedules.foreign import Frozen
from tests.unit.test_jobs import FULL

with pytest.warns(ss.ScheduleWarning):
    ONCE = ss.OneTime("2030-03-31T02:30", timezone="Europe/Paris")  # skipped by the clocks
PLAIN = ss.Job(name="plain", schedule=ss.OneTime("2030-01-01T09:00"), target=ss.HandlerTarget("m:f"))


@pytest.mark.parametrize(
    "job",
    [
        pytest.param(PLAIN, id="nothing but a target"),
        pytest.param(PLAIN.replace(input=None), id="no input"),
        pytest.param(PLAIN.replace(input={}), id="an empty input"),
        pytest.param(
            PLAIN.replace(input={"at": "x" + ss.context.SCHEDULED_TIME, "n": [1, None]}), id="context"
        ),
        pytest.param(PLAIN.replace(schedule=ONCE), id="a moment that is skipped"),
        pytest.param(
            PLAIN.replace(schedule=ss.OneTime("2030-10-27T02:30:00+01:00", timezone="Europe/Paris")),
            id="fold",
        ),
        pytest.param(FULL, id="everything, recurring"),
        pytest.param(FULL.replace(schedule=ONCE), id="everything, once"),
        pytest.param(PLAIN.replace(target=ss.CommandTarget(["true"]), tags={"a": "b"}), id="command"),
    ],
)
def test_both_ways_give_one_job(job: ss.Job) -> None:
    document = encode(job)
    for _ in range(2):  # what they have in common is known the second time
        quick, whole = decode(document), read(document)
        assert quick == whole == job
        assert quick.model_fields_set == whole.model_fields_set
        assert encode(quick) == document
        assert type(quick.schedule) is type(whole.schedule)


@pytest.mark.parametrize(
    "changes",
    [
        {"name": 5},
        {"later": 1},
        {"schedule": {"kind": "one_time", "at": "2030-02-30T00:00:00"}},
        {"schedule": {"kind": "one_time", "at": "2030-01-01T00:00:00", "later": 1}},
        {"schedule": {"kind": "one_time"}},
        {"schedule": None},
        {"target": {"kind": "nothing"}},
        {"input": {"$context": "<aws.scheduler.nothing>"}},
    ],
    ids=str,
)
def test_both_ways_refuse_alike(changes: dict[str, object]) -> None:
    document = json.dumps({**json.loads(encode(PLAIN)), **changes})
    errors = list[str]()
    for way in (decode, read):
        with pytest.raises(ValidationError) as caught:
            way(document)
        errors.append(str(caught.value))
    assert errors[0] == errors[1]


@pytest.mark.parametrize("document", ["", "[]", "5", "{}", "null", '{"name": "x"}', "{"])
def test_what_is_no_document_is_refused(document: str) -> None:
    with pytest.raises(ValidationError):
        decode(document)


def test_two_jobs_of_one_pattern_share_no_input() -> None:
    one, two = (decode(encode(PLAIN.replace(name=name, input={"n": [name]}))) for name in ("a", "b"))
    assert (one.input, two.input) == ({"n": ["a"]}, {"n": ["b"]})


def test_a_stopped_clock_of_a_test_leaves_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    """freezegun puts its own class in the place of each module's datetime."""
    monkeypatch.setattr(documents, "datetime", Frozen)
    schedule = decode(encode(PLAIN.replace(name="frozen"))).schedule
    assert isinstance(schedule, ss.OneTime)
    assert type(schedule.at) is datetime
