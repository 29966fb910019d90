"""Any jobs that are written to a file are read back equal, and any garbage in a file is refused in words of a
file."""

from __future__ import annotations

import json
import re
import warnings
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import assume, given, reject, settings
from hypothesis import strategies as st

import stepsched as ss
from stepsched.targets import EcsTaskTarget, KinesisTarget, SageMakerPipelineTarget
from tests.property.strategies import CRONS, CRONTABS, ZONES, places, steps

ARN = "arn:aws:{}:eu-west-1:123456789012:{}"
SECRETS = re.compile(
    r"timedelta|parse_schedule|tzinfo|Input should|instance of|discriminator|[A-Z][a-z]+[A-Z]\w*\(|\bNone\b"
    r"|model_|pydantic|validat"
)
"""Words of Python that no error of a file may have. The garbage below holds none of them."""


# -- jobs ----------------------------------------------------------------------------------------------

TEXTS = st.text(
    st.characters(exclude_categories=["Cs"])
    | st.sampled_from("\n\t'\"#:-*&!%@`{}[],?|>\x85\u2028\ufeff\x07"),
    max_size=20,
) | st.sampled_from(["no", "on", "Yes", "null", "~", "1", "1.5", "2030-01-01", "9:30", "true", "=", "<<", ""])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=10,
)
LENGTHS = st.integers(1, 86_400).map(lambda seconds: timedelta(seconds=seconds)) | st.integers(
    1_000_001, 60_000_000
).map(lambda length: timedelta(microseconds=length))
ONE_ARN = st.sampled_from(
    [
        ss.LambdaTarget(ARN.format("lambda", "function:f:live")),
        ss.StateMachineTarget(ARN.format("states", "stateMachine:m")),
        ss.QueueTarget(ARN.format("sqs", "q")),
        ss.QueueTarget(ARN.format("sqs", "q.fifo"), message_group_id="no"),
        ss.TopicTarget(ARN.format("sns", "t")),
        ss.EventBusTarget(ARN.format("events", "event-bus/b")),
        ss.EventBusTarget(ARN.format("events", "event-bus/b"), detail_type="Other", source="mine"),
        KinesisTarget(ARN.format("kinesis", "stream/s"), partition_key="on"),
        SageMakerPipelineTarget(ARN.format("sagemaker", "pipeline/p"), parameters={"n": "1"}),
        EcsTaskTarget(
            ARN.format("ecs", "cluster/c"),
            task_definition_arn=ARN.format("ecs", "task-definition/t"),
            launch_type="FARGATE",
            subnets=["s"],
            assign_public_ip=True,
        ),
        ss.BatchTarget("report", job_queue="nightly", parameters={"a": "no"}),
        ss.ApiTarget("sqs", "sendMessage", {"MessageBody": "on", "When": ss.context.SCHEDULED_TIME}),
        ss.HandlerTarget("shop.books:Ledger.close"),
    ]
)
COMMANDS = st.lists(TEXTS.filter(lambda text: text and "\0" not in text), min_size=1, max_size=4).map(
    ss.CommandTarget
)
TARGETS = (
    ONE_ARN
    | COMMANDS
    | st.lists(ONE_ARN | COMMANDS, min_size=2, max_size=4).map(ss.ParallelTarget)
    | st.dictionaries(st.sampled_from(["SqsParameters", "EcsParameters"]), JSON, max_size=2).map(
        lambda blocks: ss.targets.TemplateTarget(ARN.format("sqs", "q"), parameters=blocks)
    )
)


@st.composite
def schedules(draw: st.DrawFn) -> ss.Schedule:
    zone, place = draw(st.sampled_from(ZONES)), draw(places())
    wall = place.moment.astimezone(place.zone).replace(tzinfo=None)
    end = draw(st.none() | st.just(place.moment + timedelta(days=3_000)))
    match draw(st.sampled_from(["cron", "crontab", "rate", "one time", "windowed"])):
        case "cron":
            start = draw(st.sampled_from([None, place.moment]))
            return ss.Cron(draw(CRONS), timezone=zone, start=start, end=end)
        case "crontab":
            try:
                return ss.Cron.from_crontab(draw(CRONTABS), timezone=zone, end=end)
            except ss.InvalidScheduleError:  # the lines include some that are refused
                reject()
        case "rate":
            start = draw(st.sampled_from([None, place.moment]))
            return ss.Rate(timedelta(minutes=draw(st.integers(1, 100_000))), start=start, end=end)
        case "one time":
            return ss.OneTime(draw(st.sampled_from([wall, place.moment])), timezone=place.key)
        case _:
            every = ss.Frequency(**draw(steps()))
            start = draw(st.sampled_from([wall, place.moment]))
            return ss.Windowed(start, every=every, end=end, timezone=place.key)


@st.composite
def jobs(draw: st.DrawFn, number: int) -> ss.Job:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ss.ScheduleWarning)
        schedule = draw(schedules())
    others: dict[str, st.SearchStrategy[Any]] = {
        "input": JSON | st.just({"id": [ss.context.EXECUTION_ID, "n " + ss.context.ATTEMPT_NUMBER]}),
        "description": TEXTS,
        "group": st.sampled_from(["default", "no", "1.5", "a-b"]),
        "tags": st.dictionaries(TEXTS.filter(bool), TEXTS.filter(bool), max_size=3),
        "enabled": st.booleans(),
        "retry": st.builds(
            ss.Retry,
            max_attempts=st.integers(0, 185),
            max_age=LENGTHS.filter(lambda length: length >= timedelta(minutes=1)),
            interval=LENGTHS,
            backoff_rate=st.floats(1, 10),
        )
        | st.builds(ss.Retry, pauses=st.lists(LENGTHS, min_size=1, max_size=3)),
        "dead_letter": st.just(ss.QueueTarget(ARN.format("sqs", "dead"))),
        "notify": st.just(ss.TopicTarget(ARN.format("sns", "alarms"))),
        "on_failure": st.sampled_from(ss.OnFailure),
        "overlap": st.sampled_from(ss.Overlap),
        "catch_up": st.sampled_from(ss.CatchUp),
        "catch_up_within": LENGTHS,
        "jitter": LENGTHS,
        "max_run_time": LENGTHS,
        "completion": st.sampled_from(ss.Completion),
    }
    assert {"name", "schedule", "target", *others} == set(ss.Job.model_fields)
    chosen = draw(st.lists(st.sampled_from(sorted(others)), unique=True))
    fields = {name: draw(others[name]) for name in chosen}
    name = draw(st.sampled_from(["on", "1", "1.5", "null", "job"]))
    return ss.Job(name=f"{name}-{number}", schedule=schedule, target=draw(TARGETS), **fields)


@pytest.mark.parametrize("suffix", ["json", "yaml"])
@given(data=st.data())
@settings(max_examples=100)
def test_jobs_that_are_written_are_read_back_equal(suffix: str, data: st.DataObject) -> None:
    wanted = [data.draw(jobs(number)) for number in range(data.draw(st.integers(1, 3)))]
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", ss.ScheduleWarning)
        path = Path(folder, f"jobs.{suffix}")
        ss.dump_jobs(wanted, path)
        assert ss.load_jobs(path) == wanted
        first = path.read_bytes()
        ss.dump_jobs(ss.load_jobs(path), path)
        assert path.read_bytes() == first


@given(data=st.data(), option=st.sampled_from(["exclude_defaults", "exclude_unset", "exclude_none", ""]))
@settings(max_examples=100)
def test_what_a_model_dumps_is_read_back_equal(data: st.DataObject, option: str) -> None:
    wanted = data.draw(jobs(1))
    assume(option != "exclude_none" or wanted.input is not None)  # which leaves it out
    options: dict[str, Any] = {option: True} if option else {}
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", ss.ScheduleWarning)
        path = Path(folder, "jobs.json")
        path.write_text(f"[{wanted.model_dump_json(**options)}]", encoding="utf-8")
        assert ss.load_jobs(path) == [wanted]


# -- garbage -------------------------------------------------------------------------------------------

WORDS = st.sampled_from(
    """a||cron(0 9 * * ? *)|cron(99 9 * * ? *)|rate(5 minutes)|rate(30 seconds)|rate(1 month)|rate(0 days)
    rate(1.5 minutes)|at(2030-01-01T09:00:00)|at(2030-01-01T09:00:00Z)|at(x)|at()|0 9 * * 1-5
    0 9 ? * MON-FRI *
    0 0 9 ? * MON-FRI|@daily|H * * * *|5 minutes|1 month|30 seconds|5m|PT5M|PT30S|P1M
    2030-01-01|no|skip
    2030-01-01T09:00|2030-01-01T09:00:00+02:00|9999-12-31T23:59|0001-01-01T00:00Z|UTC|Europe/Paris|Mars
    rate|cron|windowed|one_time|lambda|queue|api|handler|command|parallel|template|books:close|arn:aws:sqs
    arn:aws:lambda:eu-west-1:1:function:f|arn:aws:sqs:eu-west-1:1:q.fifo|arn:aws:ec2:eu-west-1:1:instance/i
    """.replace("\n    ", "|").split("|")
)
KEYS = st.sampled_from(
    [
        *("kind", "every", "at", "expression", "crontab", "timezone", "start", "end", "targets", "months"),
        *("function_arn", "queue_arn", "pipeline_arn", "handler", "command", "service", "action", "request"),
        *("minutes", "minute", "max_attempts", "max_age", "attempts", "colour", "$context", "1"),
        *("message_group_id", *ss.Job.model_fields),
    ]
)
GARBAGE = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 10**20) | st.floats(width=16) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=12,
)
NEARLY = st.fixed_dictionaries(
    {"name": WORDS, "schedule": GARBAGE, "target": GARBAGE},
    optional={"every": GARBAGE, "start": WORDS, "end": WORDS},
) | st.dictionaries(KEYS, GARBAGE, max_size=8)


@given(st.lists(NEARLY | GARBAGE, min_size=1, max_size=3))
def test_garbage_is_refused_in_words_of_a_file(documents: list[Any]) -> None:
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", ss.ScheduleWarning)
        path = Path(folder, "jobs.json")
        path.write_text(json.dumps(documents), encoding="utf-8")
        reason = ""
        try:
            ss.load_jobs(path)
        except ss.errors.JobFileError as error:
            reason = error.reason
        assert SECRETS.search(reason) is None, reason
