"""Tests the instructions of jobs for the runner, and the jobs that it cannot run."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

import stepsched as ss
from stepsched.asl.budget import MAX_EVENTS
from stepsched.backends.stepfunctions.instructions import (
    MAX_INSTRUCTIONS_BYTES,
    MAX_ROW_BYTES,
    instructions_of,
    instructions_text,
    with_new_zone,
    with_retention_of,
)
from stepsched.core.payloads import to_json
from stepsched.machines.shared.runner import CALLS, event_limit, runner
from stepsched.schedules.zone_databases import timezone_database

NOON = datetime(2030, 1, 1, 12, tzinfo=timezone.utc)
HOUR = timedelta(hours=1)
ACCOUNT = "eu-west-1:123456789012"
FUNCTION = ss.LambdaTarget(f"arn:aws:lambda:{ACCOUNT}:function:f")
QUEUE = ss.QueueTarget(f"arn:aws:sqs:{ACCOUNT}:q")
MACHINE = ss.StateMachineTarget(f"arn:aws:states:{ACCOUNT}:stateMachine:m")
PIPELINE = ss.targets.CodePipelineTarget(f"arn:aws:codepipeline:{ACCOUNT}:p")
BUCKET = ss.ApiTarget("s3", "putObject", {"Bucket": "b", "Key": "k"})


def job(**changes: Any) -> ss.Job:
    return ss.Job(name="job", schedule=ss.Cron("0 6 * * ? *"), target=FUNCTION).replace(**changes)


def instructions(a_job: ss.Job, **changes: Any) -> dict[str, Any]:
    known: dict[str, Any] = {
        "anchor": NOON,
        "version": 1,
        "retention": timedelta(days=30),
        "calls": CALLS,
    } | changes
    return instructions_of(a_job, **known)


REFUSALS = [
    ({"target": ss.HandlerTarget("a:b")}, "AWS cannot invoke a Python function of this process"),
    ({"target": ss.CommandTarget(["true"])}, "AWS cannot invoke a command of this process"),
    (
        {"target": ss.ParallelTarget([FUNCTION, QUEUE])},
        "does not support a ParallelTarget .instead: render_asl",
    ),
    (
        {"target": BUCKET},
        r"cannot call aws-sdk:s3:putObject; update the stack with .* deploy.template\(...\)",
    ),
    (
        {"target": PIPELINE, "overlap": ss.Overlap.SKIP},
        "overlap: Step Functions cannot wait for what aws-sdk:codepipeline:startPipelineExecution starts",
    ),
    ({"target": PIPELINE, "overlap": ss.Overlap.QUEUE}, "use Overlap.ALLOW"),
    ({"catch_up_within": timedelta(minutes=5)}, "catch_up_within 0:05:00: the machine cannot skip runs"),
    ({"max_run_time": timedelta(minutes=5)}, "max_run_time: .* what lambda:invoke starts; use Overlap.SKIP"),
    (
        {"input": {"due": ss.context.SCHEDULED_TIME, "mine": "<aws.scheduler.execution-id>"}},
        "mine looks like",
    ),
    ({"input": {"<aws.scheduler.execution-id>": 1}}, "contains a context attribute; only values are filled"),
    ({"target": BUCKET, "input": {"a": 1}}, "a ApiTarget takes no input of the job"),
    ({"target": QUEUE, "input": ""}, "expected a message that is not empty"),
    ({"target": QUEUE, "input": "a\x00"}, r"Amazon SQS does not allow the character '\\x00' in a message"),
    ({"dead_letter": QUEUE, "input": "\uffff"}, "Amazon SQS does not allow the character"),
    ({"retry": ss.Retry(max_age=timedelta(seconds=90.5))}, "retry.max_age 0:01:30.500000 has a fraction"),
    ({"jitter": timedelta(seconds=0.5)}, "jitter 0:00:00.500000 has a fraction of a second"),
    (
        {"max_run_time": timedelta(seconds=1.5), "overlap": ss.Overlap.QUEUE},
        "max_run_time 0:00:01.500000 has a fraction of a second",
    ),
    ({"schedule": ss.Rate("PT1M", start="2030-01-01T00:00:00.5Z")}, "has a fraction of a second"),
]


@pytest.mark.parametrize(("changes", "words"), REFUSALS)
def test_what_the_machine_cannot_do_is_refused_by_name(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ss.UnsupportedError, match=words) as caught:
        instructions(job(**changes))
    assert caught.value.job == "job"
    assert "LocalBackend" in str(caught.value)


def test_a_call_that_the_machine_was_made_with_is_taken() -> None:
    assert (
        instructions(job(target=BUCKET), calls=[*CALLS, "aws-sdk:s3:putObject"])["call"]
        == "aws-sdk:s3:putObject"
    )


def test_each_call_has_a_state() -> None:
    states = runner("jobs", calls=[*CALLS, "aws-sdk:s3:putObject"]).to_dict()["States"]
    for call in (*CALLS, "aws-sdk:s3:putObject"):
        made = {"Send messages": "aws-sdk:sqs:sendMessageBatch"}.get(call, call)
        assert states[call]["Resource"] == f"arn:aws:states:::{made}"


@pytest.mark.parametrize(
    ("changes", "call"),
    [
        ({}, "lambda:invoke"),
        ({"target": MACHINE}, "states:startExecution"),
        ({"target": MACHINE, "overlap": ss.Overlap.SKIP}, "states:startExecution.sync:2"),
        ({"target": MACHINE, "overlap": ss.Overlap.QUEUE}, "states:startExecution.sync:2"),
        ({"target": MACHINE, "schedule": ss.OneTime("2031-01-01T00:00")}, "states:startExecution.sync:2"),
        ({"target": QUEUE}, "sqs:sendMessage"),
        ({"target": ss.FanOutTarget(QUEUE.queue_arn, ["a", "b"])}, "Send messages"),
        ({"target": PIPELINE}, "aws-sdk:codepipeline:startPipelineExecution"),
    ],
)
def test_a_call_waits_where_its_end_matters(changes: dict[str, Any], call: str) -> None:
    assert instructions(job(**changes))["call"] == call


def test_a_step_of_seconds_is_a_grid_of_seconds() -> None:
    often = ss.Windowed("2030-01-01T13:00", every=ss.Frequency(seconds=10), timezone="Europe/Paris")
    found = instructions(job(schedule=often))
    assert (found["kind"], found["plan"]["origin"], found["plan"]["every"]) == (
        "grid",
        int(NOON.timestamp()),
        10,
    )


def test_the_instructions_hold_the_policy() -> None:
    found = instructions(
        job(
            retry=ss.Retry(
                max_attempts=2, interval=timedelta(seconds=0.5), backoff_rate=3, max_age=timedelta(minutes=5)
            ),
            jitter=timedelta(minutes=2),
            max_run_time=timedelta(minutes=1),
            overlap=ss.Overlap.QUEUE,
            on_failure=ss.OnFailure.STOP,
        ),
        version=7,
    )
    assert found["retry"] == {"attempts": 2, "age": 300, "first": 0.5, "rate": 3.0, "bound": 300.0}
    assert (found["timeout"], found["jitter"], found["overlap"], found["stops"]) == (60, 120, "queue", True)
    assert (found["version"], found["keep"], found["gone"]) == (7, 30 * 86_400, False)
    assert found["limit"] == event_limit(2)
    assert json.loads(to_json(found)) == found
    bounded = job(retry=ss.Retry(max_delay=timedelta(seconds=9)))
    assert instructions(bounded)["retry"]["bound"] == 9


def test_the_instructions_hold_pauses_one_by_one_in_whole_seconds() -> None:
    found = instructions(job(retry=ss.Retry(pauses=[timedelta(seconds=1.5), timedelta(days=1)])))
    assert found["retry"] == {"attempts": 2, "age": 3600, "pauses": [2, 86_400]}


def test_a_one_time_job_goes_or_stays_and_never_stops() -> None:
    single = job(schedule=ss.OneTime("2031-01-01T00:00"), on_failure=ss.OnFailure.STOP)
    assert (instructions(single)["gone"], instructions(single)["stops"]) == (True, False)
    assert not instructions(single.replace(completion=ss.Completion.KEEP))["gone"]


def test_a_rate_without_start_begins_at_its_anchor() -> None:
    rate = job(schedule=ss.Rate("PT1M"))
    assert instructions(rate)["plan"]["origin"] == int(NOON.timestamp())
    assert (
        instructions(rate, anchor=NOON + timedelta(seconds=1))["plan"]["origin"] == int(NOON.timestamp()) + 1
    )


def test_queue_and_topic_are_only_in_the_instructions() -> None:
    notified = job(
        dead_letter=QUEUE,
        notify=ss.TopicTarget(f"arn:aws:sns:{ACCOUNT}:t.fifo"),
        input={"a": "b"},
        target=FUNCTION,
    )
    found = instructions(notified)
    url = "https://sqs.eu-west-1.amazonaws.com/123456789012/q"
    assert found["letter"] == {"QueueUrl": url, "MessageBody": '{"a":"b"}'}
    assert found["notice"].keys() == {"TopicArn", "Subject", "MessageGroupId", "MessageDeduplicationId"}
    assert found["notice"]["Subject"] == "Job job failed"
    assert instructions(job()).keys().isdisjoint({"letter", "notice"})


@pytest.mark.parametrize("name", ["n" * 256, "a b", "{% $x %}", "<aws.scheduler.scheduled-time>", "é"])
def test_a_name_of_any_kind_is_made_one_for_a_topic(name: str) -> None:
    """The machine fills in context attributes of the whole notice."""
    found = instructions(job(name=name, notify=ss.TopicTarget(f"arn:aws:sns:{ACCOUNT}:t.fifo")))["notice"]
    assert re.fullmatch(r"[0-9A-Za-z_.-]{1,128}", found["MessageGroupId"])
    assert re.fullmatch(r"[ -;=?-~]{1,99}", found["Subject"])


def test_text_that_looks_like_an_attribute_stays_text() -> None:
    payload = {"mine": "<aws.scheduler.execution-id>"}
    plain = instructions(job(input=payload))
    assert (plain["fills"], plain["arguments"]["Payload"]) == (False, payload)
    assert instructions(job(input={"due": ss.context.SCHEDULED_TIME}))["fills"]


# -- Sizes ----------------------------------------------------------------------------------------------


def sized(length: int, letter: str = "x") -> ss.Job:
    return job(input=letter * length)


def largest(letter: str) -> int:
    """The length of the longest input that is accepted."""
    low, high = 0, 262_142
    while low < high:
        middle = (low + high + 1) // 2
        try:
            instructions(sized(middle, letter))
        except (ss.UnsupportedError, ValueError):
            high = middle - 1
        else:
            low = middle
    return low


def test_the_largest_job_is_taken_and_a_larger_one_refused() -> None:
    length = largest("x")
    plan = to_json(instructions(sized(length)))
    row = len(plan.encode()) + len(sized(length).model_dump_json().encode())
    passed = len(to_json(plan).encode())
    assert passed == MAX_INSTRUCTIONS_BYTES or row in (MAX_ROW_BYTES - 1, MAX_ROW_BYTES)
    with pytest.raises(ss.UnsupportedError, match=r"at most 400,000 bytes.* keep large data elsewhere"):
        instructions(sized(length + 1))


def test_instructions_too_large_for_the_machine_are_refused_too() -> None:
    """A quote is one character of the input, two of the instructions, and four in a JSON string of them."""
    length = largest('"')
    with pytest.raises(ss.UnsupportedError, match="expected instructions of at most 255,000 bytes"):
        instructions(sized(length + 1, '"'))
    plan = to_json(instructions(sized(length, '"')))
    assert MAX_INSTRUCTIONS_BYTES - 4 < len(to_json(plan).encode()) <= MAX_INSTRUCTIONS_BYTES


def test_what_is_too_large_for_its_row_says_so() -> None:
    with pytest.raises(ss.UnsupportedError, match=r"a row of at most 400,000 bytes, got 4\d\d,\d{3}"):
        instructions(sized(210_000))


def test_a_run_leaves_room_for_the_worst() -> None:
    assert event_limit(0) > event_limit(1) > event_limit(185) > 0
    assert event_limit(185) < MAX_EVENTS
    with pytest.raises(ValueError, match="a run with 5000 retries may write more events than an execution"):
        event_limit(5000)


# -- zone rules ----------------------------------------------------------------------------------------

PARIS = ss.Cron("0 9 * * ? *", timezone="Europe/Paris")
ONCE = ss.OneTime("2031-01-01T09:00", timezone="Europe/Paris")
PRESENT = timezone_database().version


def stored(schedule: ss.Schedule, **changes: Any) -> tuple[str, ss.Job]:
    """The text of the stored instructions, some of them changed, and the job."""
    a_job = job(schedule=schedule)
    text = instructions_text(instructions(a_job), a_job, anchor=NOON, version=1)
    return to_json({**json.loads(text), **changes}), a_job


@pytest.mark.parametrize(
    ("zones", "is_renewed"),
    [
        pytest.param("2001a", True, id="of an older database"),
        pytest.param(None, True, id="of an unknown one"),
        pytest.param(PRESENT, True, id="of the same version with other rules"),
        pytest.param("2999a", False, id="of a newer one, which this machine does not have"),
    ],
)
def test_older_zone_rules_of_a_stored_job_are_replaced(zones: str | None, is_renewed: bool) -> None:
    text, a_job = stored(PARIS)
    plan = {**json.loads(text)["plan"], "zone": {"offset": 0}}
    old, _ = stored(PARIS, plan=plan, zones=zones)
    renewed = with_new_zone(old, a_job, anchor=NOON, cursor=NOON)
    assert (renewed is not None) is is_renewed
    if renewed is not None:
        assert json.loads(renewed) == json.loads(text)


@pytest.mark.parametrize(
    "schedule",
    [
        pytest.param(PARIS, id="cron"),
        pytest.param(
            ss.Windowed("2030-01-31T09:00", every=ss.Frequency(months=1), timezone="Asia/Tokyo"),
            id="windowed",
        ),
        pytest.param(ss.Rate(timedelta(hours=1)), id="a rate has no zone"),
        pytest.param(ONCE, id="one time"),
        pytest.param(ss.OneTime("2031-01-01T09:00Z"), id="an instant"),
    ],
)
def test_current_zone_rules_are_kept(schedule: ss.Schedule) -> None:
    text, a_job = stored(schedule)
    assert with_new_zone(text, a_job, anchor=NOON, cursor=NOON) is None


@pytest.mark.parametrize(
    ("hours", "cursor", "is_renewed"),
    [
        pytest.param(1, NOON, True, id="later by the older rules"),
        pytest.param(-1, NOON, True, id="earlier by the older rules"),
        pytest.param(-1, ONCE.instant - HOUR, False, id="claimed by the older rules"),
        pytest.param(1, ONCE.instant - HOUR, True, id="shortly before"),
        pytest.param(1, ONCE.instant, False, id="passed by the new rules"),
        pytest.param(0, NOON, False, id="the same by both"),
    ],
)
@pytest.mark.parametrize("zones", ["2001a", None])
def test_a_one_time_job_that_has_not_been_claimed_gets_the_instant_of_its_wall_time_anew(
    hours: int, cursor: datetime, zones: str | None, *, is_renewed: bool
) -> None:
    text, a_job = stored(ONCE)
    assert json.loads(text)["zones"] == PRESENT
    at = json.loads(text)["plan"]["origin"] + 3600 * hours
    old, _ = stored(ONCE, plan={**json.loads(text)["plan"], "origin": at, "end": at}, zones=zones)
    renewed = with_new_zone(old, a_job, anchor=NOON, cursor=cursor)
    assert renewed is None or json.loads(renewed) == json.loads(text)
    assert (renewed is not None) is is_renewed
    newer = to_json({**json.loads(old), "zones": "2999a"})
    assert with_new_zone(newer, a_job, anchor=NOON, cursor=cursor) is None


@pytest.mark.parametrize("schedule", [ss.OneTime("2031-01-01T09:00Z"), ss.OneTime("2031-01-01T09:00+01:00")])
def test_an_instant_has_no_zone_rules(schedule: ss.OneTime) -> None:
    text, a_job = stored(schedule)
    assert "zones" not in json.loads(text)
    moved, _ = stored(schedule, plan={**json.loads(text)["plan"], "origin": 0, "end": 0})
    assert with_new_zone(moved, a_job, anchor=NOON, cursor=NOON - HOUR) is None


@pytest.mark.parametrize("text", ["", "{", "5", "[]", "{}", '{"plan": 5}'])
def test_damaged_instructions_do_not_stop_a_repair(text: str) -> None:
    _, a_job = stored(PARIS)
    assert with_new_zone(text, a_job, anchor=NOON, cursor=NOON) is None


@pytest.mark.parametrize("text", ["", "{", "5", "[]", "{}", '{"keep": "a day"}', '{"keep": true}'])
def test_instructions_without_a_retention_change_none(text: str) -> None:
    assert with_retention_of(text, {"keep": 5}) == {"keep": 5}
    assert with_retention_of('{"keep": 7}', {"keep": 5, "version": 1}) == {"keep": 7, "version": 1}
