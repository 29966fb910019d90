"""Tests every expression of the runner with the reference engine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

import stepsched as ss
from stepsched.backends.stepfunctions.instructions import instructions_of
from stepsched.core.payloads import to_json
from stepsched.machines.shared.runner import CALLS, runner
from tests.parts.jsonata_engine import UNDEFINED, JsonataEngine, JsonataError

NOW = datetime(2030, 1, 31, 18, tzinfo=timezone.utc)
DEEPEST = 60
"""The maximum number of evaluation levels of an expression. AWS allows about 100. Whether it counts parallel
levels is not documented, so they are counted here."""
DUE = "2030-01-31T17:00:00Z"
KEY = f"run#{DUE}"
REFUSED = {"claimed": {"S": KEY}, "claimed_by": {"S": "another"}}
CONTEXT: dict[str, Any] = {
    "Execution": {"Id": "arn:of:me", "Name": "job-aaaaaaaaaaaa", "StartTime": "2030-01-01T00:00:00.000Z"},
    "State": {"RetryCount": 2},
    "StateMachine": {"Id": "arn:of:the:machine"},
}
FUNCTION = ss.LambdaTarget("arn:aws:lambda:eu-west-1:123456789012:function:f")
JOB = ss.Job(
    name="job",
    schedule=ss.Windowed("2029-12-31T18:00", every=ss.Frequency(months=1), timezone="Europe/Paris"),
    target=FUNCTION,
    input={"due": ss.context.SCHEDULED_TIME, "id": ss.context.EXECUTION_ID, "deep": [{"a": [1, 2.5]}]},
    overlap=ss.Overlap.SKIP,
    retry=ss.Retry(max_attempts=3),
    dead_letter=ss.QueueTarget("arn:aws:sqs:eu-west-1:123456789012:dead"),
    notify=ss.TopicTarget("arn:aws:sns:eu-west-1:123456789012:alarms"),
)
FIFO = ss.FanOutTarget(
    "arn:aws:sqs:eu-west-1:123456789012:tasks.fifo", ["a", "b", "b"], message_group_id="1337"
)
SCHEDULES: list[ss.Schedule] = [
    ss.OneTime("2030-03-01T09:00", timezone="America/New_York"),
    ss.Rate(timedelta(minutes=5)),
    ss.Cron("15 10 ? * 6L *", timezone="America/New_York"),
    JOB.schedule,
]


def expressions(value: Any, place: str = "") -> Iterator[tuple[str, str]]:
    """The expressions in a state, with their paths."""
    match value:
        case dict():
            for name, item in value.items():
                yield from expressions(item, f"{place}/{name}")
        case list():
            for number, item in enumerate(value):
                yield from expressions(item, f"{place}/{number}")
        case str() if value.startswith("{%"):
            yield place, value[2:-2]


def variables(job: ss.Job, *, manual: bool, outcome: str) -> dict[str, Any]:
    instructions = instructions_of(job, anchor=NOW, version=3, retention=timedelta(days=30), calls=CALLS)
    plan = instructions["plan"]
    row = {
        "token": {"S": "a" * 12},
        "cursor": {"S": DUE},
        "plan": {"S": to_json(instructions)},
        "latest": {"N": "3"},
    }
    return {
        "name": "job",
        "token": "a" * 12,
        "job": instructions,
        "plan": plan,
        "there": True,
        "mine": True,
        "wanted": True,
        "busy": True,
        "taken": False,
        "recorded": False,
        "claimed": KEY,
        "left": [KEY, f"{KEY}#{'b' * 12}"],
        "manual": manual,
        "after": DUE,
        "due": DUE,
        "key": KEY,
        "begun": CONTEXT["Execution"]["StartTime"],
        "since": 1_893_456_000,
        "generation": 2,
        "series": "job-aaaaaaaaaaaa",
        "runs": 3,
        "spent": 100,
        "attempt": 1,
        "rest": [0, 1],
        "aging": 1_896_130_800_000,
        "ended": 1_896_134_400_000,
        "started_at": "2030-01-31T17:00:00.000Z",
        "outcome": outcome,
        "output": "{}",
        "failure": {"error": "Unlucky", "cause": "no luck", "attempts": 2},
        "states": {
            "input": {"name": "job", "token": "a" * 12, "left": [KEY], "after": DUE},
            "context": CONTEXT,
            "result": {"Item": {**row, **REFUSED}, "Payload": {"a": 1}, "Output": {"a": 1}},
            "errorOutput": {"Error": "Unlucky", "Cause": "no luck"},
        },
    }


CASES = [
    *((JOB.replace(schedule=schedule), False, "succeeded") for schedule in SCHEDULES),
    (JOB, False, "failed"),
    (JOB, True, "succeeded"),
    (JOB.replace(target=FIFO, input={}), False, "succeeded"),
]


@pytest.mark.parametrize(
    ("job", "manual", "outcome"), CASES, ids=lambda each: str(getattr(each, "schedule", each))
)
def test_every_expression_has_a_value_and_stays_far_below_what_aws_allows(
    jsonata_engine: JsonataEngine, job: ss.Job, manual: bool, outcome: str
) -> None:
    given = variables(job, manual=manual, outcome=outcome)
    places = {text: place for place, text in expressions(runner("jobs").to_dict()["States"])}
    for text, place in places.items():
        try:
            measured = jsonata_engine.measure(text, given, now=NOW)
        except JsonataError as error:
            raise AssertionError((place, str(error))) from error
        assert measured.result is not UNDEFINED, (place, text)
        assert measured.at_once <= DEEPEST, (place, measured)
    assert len(places) > 60


def test_what_stands_in_variables_holds_the_plan_once(jsonata_engine: JsonataEngine) -> None:
    """The variables that a state assigns are limited to 256 KiB."""
    given = variables(JOB, manual=False, outcome="")
    load = runner("jobs").to_dict()["States"]["Load"]["Assign"]
    job, plan = (jsonata_engine.evaluate(load[name][2:-2], given) for name in ("job", "plan"))
    assert json.loads(given["states"]["result"]["Item"]["plan"]["S"]) == {**job, "plan": plan}
    assert "plan" not in job
    absent = given | {"states": given["states"] | {"result": {}}}
    assert jsonata_engine.evaluate(load["job"][2:-2], absent) == {}
