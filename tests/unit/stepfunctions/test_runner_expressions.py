"""Tests every expression of the runner with the reference engine."""

from __future__ import annotations

import json
import re
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
URL = ss.HttpTarget(
    "https://example.com/hook",
    headers={"x-kind": "tick"},
    connection_arn="arn:aws:events:eu-west-1:123456789012:connection/hooks/0b64b4c9-7f0c-4ad6-8c0e-7e2f7a4f0c11",
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
        "unsent": [0, 1],
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
    (JOB.replace(target=URL, retry=ss.Retry.webhook()), False, "failed"),
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


def _said(engine: JsonataEngine, given: dict[str, Any], state: str, *path: str) -> Any:
    """The value of an expression of the runner."""
    found: Any = runner("jobs").to_dict()["States"][state]
    for name in path:
        found = found[int(name)] if name.isdigit() else found[name]
    return engine.evaluate(found[2:-2], given, now=NOW)


def test_the_receiver_of_a_url_is_told_of_the_run_and_its_attempt(jsonata_engine: JsonataEngine) -> None:
    job = JOB.replace(name="näh t/1", target=URL, input={"n": 1, "attempt": ss.context.ATTEMPT_NUMBER})
    found = []
    for key, attempt in ((KEY, 0), (KEY, 1), (f"{KEY}#{'b' * 12}", 0)):
        given = variables(job, manual=False, outcome="") | {"key": key, "attempt": attempt}
        arguments = _said(jsonata_engine, given, "http:invoke", "Arguments")
        assert arguments["RequestBody"] == {"n": 1, "attempt": str(attempt + 1)}
        assert arguments["ApiEndpoint"] == "https://example.com/hook"
        assert (
            arguments["Headers"].items()
            >= {
                "x-kind": "tick",
                "stepsched-job": "n%C3%A4h%20t%2F1",
                "stepsched-scheduled-for": DUE,
                "stepsched-attempt": str(attempt + 1),
            }.items()
        )
        found.append(arguments["Headers"]["webhook-id"])
    assert re.fullmatch(rf"[0-9a-f]{{32}}/{DUE}", found[0])
    assert found[0] == found[1]  # an attempt is of the same run, and another run of the instant is not
    assert found[2] != found[0]


@pytest.mark.parametrize(
    ("error", "attempt", "again"),
    [
        ("States.Http.StatusCode.500", 1, True),
        ("States.Http.StatusCode.500", 9, True),
        ("States.Http.StatusCode.500", 10, False),
        ("States.Http.StatusCode.410", 1, False),
    ],
)
def test_a_receiver_that_is_gone_is_not_called_again(
    jsonata_engine: JsonataEngine, error: str, attempt: int, again: bool
) -> None:
    job = JOB.replace(target=URL, retry=ss.Retry.webhook())
    given = variables(job, manual=False, outcome="") | {
        "attempt": attempt,
        "aging": int(NOW.timestamp() * 1000),
        "failure": {"error": error, "cause": "", "attempts": attempt},
    }
    assert _said(jsonata_engine, given, "Try again?", "Choices", "0", "Condition") is again


@pytest.mark.parametrize(
    ("error", "outcome", "stops", "paused"),
    [
        ("States.Http.StatusCode.410", "failed", False, True),
        ("States.Http.StatusCode.500", "failed", False, False),
        ("States.Http.StatusCode.500", "failed", True, True),
        ("", "succeeded", True, False),
    ],
)
def test_a_receiver_that_is_gone_pauses_the_job(
    jsonata_engine: JsonataEngine, error: str, outcome: str, stops: bool, paused: bool
) -> None:
    job = JOB.replace(target=URL, on_failure=ss.OnFailure.STOP if stops else ss.OnFailure.CONTINUE)
    given = variables(job, manual=False, outcome=outcome) | {
        "failure": {"error": error, "cause": "", "attempts": 1}
    }
    rules = runner("jobs").to_dict()["States"]["More?"]["Choices"]
    (place,) = [str(number) for number, rule in enumerate(rules) if rule["Next"] == "Paused"]
    assert _said(jsonata_engine, given, "More?", "Choices", place, "Condition") is paused


def test_pauses_one_by_one_are_waited_in_turn(jsonata_engine: JsonataEngine) -> None:
    job = JOB.replace(retry=ss.Retry.webhook())
    pauses = [
        _said(
            jsonata_engine,
            variables(job, manual=False, outcome="") | {"attempt": attempt},
            "Pause",
            "Seconds",
        )
        for attempt in range(1, 10)
    ]
    assert pauses == [job.retry.delay(attempt).total_seconds() for attempt in range(1, 10)]
