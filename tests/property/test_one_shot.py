"""The machine of one-shot tasks reads timestamps as Python does, in expressions that AWS can evaluate."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import quote_plus

from hypothesis import given, settings
from hypothesis import strategies as st

from stepsched.http.one_shot import texts
from stepsched.machines.shared import one_shot_words as words
from stepsched.machines.shared.one_shot import one_shot
from stepsched.schedules.moments import read_instant
from tests.parts.jsonata_engine import JsonataEngine

DEEPEST = 60
"""Levels of evaluation that an expression may take: AWS gives up near 100."""
NOW = datetime(2030, 1, 7, tzinfo=timezone.utc)
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
PLACE = "eu-west-1:123456789012"
MACHINE = one_shot(
    "jobs",
    f"arn:aws:states:{PLACE}:stateMachine:register",
    f"arn:aws:sns:{PLACE}:tasks",
    horizon=timedelta(days=36_525),
).to_dict()


def bindings(body: Any, path: str = "/schedule", key: str = "") -> dict[str, Any]:
    return {"path": path, "key": key, "states": {"input": [body]}}


def check(engine: JsonataEngine, *bodies: Any, **more: str) -> list[dict[str, Any]]:
    """What the machine makes of bodies."""
    code = MACHINE["States"]["Check"]["Assign"]["request"][2:-2]
    found: list[dict[str, Any]] = engine.evaluate_many(
        [(code, bindings(body, **more)) for body in bodies], now=NOW
    )
    return found


def seconds(timestamps: list[str], engine: JsonataEngine) -> list[int | None]:
    found = check(engine, *({"timestamp": each, "message": 1} for each in timestamps))
    assert all(bool(each["errors"]) != ("second" in each) for each in found)
    return [each.get("second") for each in found]


def expected(timestamp: str) -> int | None:
    """The whole second that is not before the instant. None: it is not one."""
    instant = read_instant(timestamp)
    return None if instant is None else -((EPOCH - instant) // timedelta(seconds=1))


VALID = [
    "2030-01-01T09:00:00Z",
    "2030-01-01T09:00Z",
    "2030-01-01 09:00:00+01:00",
    "2030-01-01t09:00:00.000z",
    "2030-01-01T09:00:00.001Z",
    "2030-01-01T09:00:00.9999999Z",
    "2030-01-01T09:00:00,5+00:00",
    "2030-01-01T09:00:00-0330",
    "2030-01-01T09:00:00+05",
    "2028-02-29T23:59:59.5-12:00",
    "2020-08-21T04:29:00.951Z",
    "1969-12-31T23:59:59.5Z",
    "0001-01-01T00:00:00Z",
]
INVALID = [
    *("", "tomorrow", "2030-01-01", "2030-01-01T09:00:00", "2030-02-30T09:00:00Z", "2030-13-01T00:00:00Z"),
    *("2030-01-01T24:00:00Z", "2030-01-01T09:60:00Z", "2030-01-01T09:00:60Z", "2029-02-29T00:00:00Z"),
    *(
        "2030-01-01T09:00:00+25:00",
        "2030-01-01T09:00:00+01:60",
        "2030-01-01T09:00:00 Z",
        "x2030-01-01T09:00Z",
    ),
    *("2030-01-01T09:00:00Z\n", "２030-01-01T09:00:00Z", "2030-01-01T09:00:00.Z", "2030-1-1T9:00:00Z"),
]


def test_timestamps_are_read_as_python_reads_them(jsonata_engine: JsonataEngine) -> None:
    found = dict(zip(VALID, seconds(VALID, jsonata_engine), strict=True))
    assert found == {each: expected(each.replace(",", ".").upper()) for each in VALID}
    assert seconds(INVALID, jsonata_engine) == [None] * len(INVALID)


@settings(max_examples=20)
@given(
    st.lists(
        st.tuples(
            st.datetimes(datetime(1900, 1, 1), datetime(2129, 1, 1)),
            st.integers(-23 * 60 - 59, 23 * 60 + 59),
            st.sampled_from(["seconds", "milliseconds", "microseconds"]),
        ),
        min_size=40,
        max_size=40,
    )
)
def test_every_instant_is_read_and_rounded_up(
    jsonata_engine: JsonataEngine, drawn: list[tuple[datetime, int, str]]
) -> None:
    texts = [
        moment.replace(tzinfo=timezone(timedelta(minutes=offset))).isoformat(timespec=precision)
        for moment, offset, precision in drawn
    ]
    assert seconds(texts, jsonata_engine) == [expected(each) for each in texts]


@given(st.text(max_size=300), st.text(max_size=300))
def test_what_was_sent_arrives(jsonata_engine: JsonataEngine, text: str, key: str) -> None:
    """As the mapping template encodes it."""
    body = json.dumps({"message": text}, ensure_ascii=False)
    states = MACHINE["States"]
    parse = states["Read body"]["Branches"][0]["States"]["Parse"]["Output"][2:-2]
    found = jsonata_engine.evaluate(parse, {"encoded": quote_plus(body)})
    assert found == {"message": text}
    code = states["Read request"]["Assign"]["key"][2:-2]
    assert jsonata_engine.evaluate(code, {"states": {"input": {"key": quote_plus(key)}}}) == key


def test_refusals_are_in_the_words_of_the_application(jsonata_engine: JsonataEngine) -> None:
    bodies: tuple[dict[str, Any], ...] = (
        {},
        {"timestamp": "9999-01-01T00:00Z", "message": 1},
        {"timestamp": "soon", "message": 1},
    )
    absent, far, wrong = (each["errors"] for each in check(jsonata_engine, *bodies))
    assert absent == [words.NO_TIMESTAMP, words.NO_MESSAGE]
    horizon = timedelta(days=36_525)
    assert far == [texts.too_far(NOW + horizon, horizon, "9999-01-01T00:00Z")]
    assert wrong[0].startswith(texts.bad_timestamp("expected "))
    assert wrong[0].endswith("'2030-01-01T09:00:00Z', got 'soon'")
    none, number = (
        each["errors"] for each in check(jsonata_engine, {}, {"executionArn": 1}, path=words.CANCEL)
    )
    assert (none, number) == ([words.NO_ARN], [texts.bad_arn(1)])
    arn, choices = f"{words.ARN}x", MACHINE["States"]["Is it there?"]["Choices"]
    found = [
        json.loads(
            jsonata_engine.evaluate(
                each["Assign"]["answer"]["body"][2:-2], {"request": {"arn": arn}, "key": "k"}
            )
        )["errors"]
        for each in choices[2:]
    ]
    assert found == [
        [texts.key_reused("k")],
        [texts.unknown_task(arn)],
        [words.ENDED_TASK.format(arn=f"'{arn}'", end=words.DELIVERED)],
        [texts.running_task(arn)],
        [texts.ended_task(arn, "", None)],
    ]


def test_no_expression_is_too_deep(jsonata_engine: JsonataEngine) -> None:
    states = MACHINE["States"]
    code = states["Check"]["Assign"]["request"][2:-2]
    message: Any = "x"
    for _ in range(20):
        message = {"a": [message, "b"]}
    arn = f"{words.ARN}task-{'0' * 32}"
    for given_bindings in (
        bindings({"timestamp": "2030-08-21T04:29:00.951+05:30", "message": message}, key="k"),
        bindings({"executionArn": arn}, path="/cancel"),
        bindings({}),
    ):
        assert jsonata_engine.measure(code, given_bindings, now=NOW).depth < DEEPEST
    (found,) = check(jsonata_engine, {"executionArn": arn}, path="/cancel")
    assert found["errors"] == []
    assert found["name"] == "task-" + 32 * "0"
