"""No public constructor or question answers garbage with an exception that is not ours.

Some thousands of calls run each time; ``pytest -m proof tests/property/test_garbage.py -s`` makes 100,000.
Allowed are our own errors and ``ValueError``, and a ``TypeError`` that says what was expected: one that a
line of ours raises, or Python's own about the arguments of a call.
"""

from __future__ import annotations

import linecache
import re
import warnings
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from functools import partial
from itertools import islice
from pathlib import Path
from random import Random
from time import monotonic
from typing import Any

import boto3
import pytest

import stepsched as ss
from stepsched.core.durations import seconds_of
from stepsched.core.values import Value
from stepsched.estimates import Prices, Quotas
from stepsched.testing import FakeClock, Recorder, TimeTravel

from .garbage import garbage

ROOT = Path(ss.__file__).parent
LONGEST = 8_000
"""The maximum length of a message, whatever was given."""
CALL = re.compile(
    r"unexpected keyword argument|missing \d+ required|takes \d+ positional|takes from \d+|"
    r"got multiple values|takes keyword arguments only|has no field|are not supported by"
)
PLACE = "eu-west-1:123456789012"
NOON = datetime(2030, 1, 1, 12, tzinfo=timezone.utc)
HOUR = timedelta(hours=1)
RATE, CRON = ss.Rate(HOUR), ss.Cron("30 2 * * ? *", timezone="Europe/Paris")
LAMBDA = ss.LambdaTarget(f"arn:aws:lambda:{PLACE}:function:f")
QUEUE = ss.QueueTarget(f"arn:aws:sqs:{PLACE}:work")
TOPIC = ss.TopicTarget(f"arn:aws:sns:{PLACE}:alarms")
JOB = ss.Job(name="a", schedule=CRON, target=LAMBDA)
MACHINE = ss.render_asl(JOB)
RUN = ss.Run(id=1, job="a", scheduled_for=NOON, status=ss.RunStatus.SUCCEEDED)
DOCUMENT = {
    "startDateTime": "2030-01-01T09:00",
    "endDateTime": "2031-01-01T09:00",
    "frequency": {"months": 1},
}
ZONE = "Europe/Paris"
WINDOW = {"timezone": ZONE, "start": "2030-01-01T00:00Z", "end": NOON + 900 * HOUR}
SPAN = {"start": "2030-01-01T00:00Z", "end": NOON + 900 * HOUR}
Ask = tuple[Callable[..., Any], list[Any], dict[str, Any]]

SCHEDULES: dict[str, Ask] = {
    "Cron": (ss.Cron, ["0 9 ? * MON-FRI *"], WINDOW),
    "Cron.crontab": (ss.Cron, [], {"crontab": "*/5 9-17 * * 1-5", **WINDOW}),
    "Cron.from_crontab": (ss.Cron.from_crontab, ["0 9 13 * 5"], WINDOW),
    "OneTime": (ss.OneTime, ["2030-01-01T09:00:00.5+01:00[Europe/Paris]"], {"timezone": ZONE}),
    "OneTime.from_expression": (ss.OneTime.from_expression, ["at(2030-01-01T09:00:30)"], {"timezone": ZONE}),
    "Rate": (ss.Rate, ["PT5M"], SPAN),
    "Rate.from_expression": (ss.Rate.from_expression, ["rate(5 minutes)"], SPAN),
    "Windowed": (
        ss.Windowed,
        ["2030-01-31T09:00"],
        {"every": ss.Frequency(months=1), "end": "2031-01-01T00:00", "timezone": ZONE},
    ),
    "Windowed.from_document": (ss.Windowed.from_document, [DOCUMENT], {}),
    "Frequency": (ss.Frequency, [], {"years": 1, "quarters": 1, "weeks": 2, "hours": 3, "seconds": 9}),
    "Frequency.from_document": (ss.Frequency.from_document, [{"minutes": 5}], {}),
    "parse_schedule": (ss.parse_schedule, ["cron(0 9 ? * MON-FRI *)"], WINDOW),
    "parse_schedule.at": (ss.parse_schedule, ["at(2030-01-01T09:00:30)"], WINDOW),
    "model_validate": (ss.Cron.model_validate, [{"expression": "0 9 * * ? *", "timezone": ZONE}], {}),
    "model_validate_json": (
        ss.Windowed.model_validate_json,
        ['{"start": "2030-01-01T09:00", "every": {}}'],
        {},
    ),
    "replace": (CRON.replace, [], WINDOW),
}


def ask_all(schedule: ss.Schedule, moment: Any, count: Any) -> list[Any]:
    asks: list[Callable[[], Any]] = [
        lambda: schedule.next_run(moment),
        lambda: schedule.previous_run(moment),
        lambda: next(schedule.runs(moment, moment), None),
        lambda: schedule.upcoming(count if not isinstance(count, int) else min(count, 3), moment),
        lambda: moment in schedule,
        lambda: schedule.localise(moment),
        lambda: next(ss.timeline([schedule], after=moment, until=moment), None),
        lambda: next(CRON.skipped(moment, moment), None),
    ]
    found = []
    for ask in asks:
        try:
            found.append(ask())
        except (ValueError, TypeError) as error:  # noqa: PERF203 -- each may be refused
            check_error(error)
    return found


QUESTIONS: dict[str, Ask] = {
    "questions of a cron": (partial(ask_all, CRON), [NOON, 2], {}),
    "questions of a rate": (partial(ask_all, RATE.replace(start=NOON)), [NOON, 2], {}),
    "questions of a one-time schedule": (partial(ask_all, ss.OneTime(NOON)), [NOON, 2], {}),
    "questions of a window": (
        partial(ask_all, ss.Windowed("2030-01-31T09:00", every=ss.Frequency(months=1), timezone=ZONE)),
        [NOON, 2],
        {},
    ),
    "timeline": (lambda *args, **options: list(islice(ss.timeline(*args, **options), 3)), [[CRON]], SPAN),
    "estimate": (
        ss.estimate,
        [[JOB], NOON, NOON + HOUR],
        {"prices": Prices(), "quotas": Quotas(), "busiest": 3, "names": 3},
    ),
    "seconds_of": (partial(seconds_of, argument="timeout"), [5], {}),
    "render_asl": (ss.render_asl, [JOB], {}),
    "load_jobs": (ss.load_jobs, ["jobs.json"], {}),
}
POLICIES: dict[str, Any] = {
    "input": {"a": 1},
    "description": "text",
    "group": "default",
    "tags": {"team": "a"},
    "retry": ss.Retry(),
    "dead_letter": QUEUE,
    "notify": TOPIC,
    "on_failure": "stop",
    "overlap": "skip",
    "catch_up": "one",
    "catch_up_within": HOUR,
    "jitter": HOUR,
    "max_run_time": HOUR,
    "completion": "keep",
}
VALUES: dict[str, Ask] = {
    "Retry": (
        ss.Retry,
        [],
        {"max_attempts": 3, "max_age": HOUR, "interval": "PT1S", "backoff_rate": 2.0, "max_delay": HOUR},
    ),
    "Job": (ss.Job, [], {"name": "a", "schedule": RATE, "target": LAMBDA, **POLICIES}),
    "Job.replace": (JOB.replace, [], {"name": "a", **POLICIES}),
    "Job.model_validate": (ss.Job.model_validate, [JOB.model_dump(mode="json")], {}),
    "job": (
        lambda *args, **options: ss.job(*args, **options)(print),
        ["rate(5 minutes)"],
        {"name": "a", **POLICIES},
    ),
    "LambdaTarget": (ss.LambdaTarget, [LAMBDA.function_arn], {}),
    "StateMachineTarget": (ss.StateMachineTarget, [f"arn:aws:states:{PLACE}:stateMachine:report"], {}),
    "QueueTarget": (ss.QueueTarget, [f"{QUEUE.queue_arn}.fifo"], {"message_group_id": "a"}),
    "TopicTarget": (ss.TopicTarget, [TOPIC.topic_arn], {}),
    "EventBusTarget": (
        ss.EventBusTarget,
        [f"arn:aws:events:{PLACE}:event-bus/default"],
        {"detail_type": "due", "source": "shop"},
    ),
    "BatchTarget": (
        ss.BatchTarget,
        ["report"],
        {"job_queue": "nightly", "job_name": "a", "parameters": {"a": "b"}, "container_overrides": {}},
    ),
    "ApiTarget": (ss.ApiTarget, ["rds", "stopDBInstance", {"DbInstanceIdentifier": "test"}], {}),
    "HandlerTarget": (ss.HandlerTarget, ["builtins:print"], {}),
    "CommandTarget": (ss.CommandTarget, [["true"]], {}),
    "ParallelTarget": (ss.ParallelTarget, [[LAMBDA, QUEUE]], {}),
    "EcsTaskTarget": (
        ss.targets.EcsTaskTarget,
        [f"arn:aws:ecs:{PLACE}:cluster/main"],
        {
            "task_definition_arn": f"arn:aws:ecs:{PLACE}:task-definition/report:3",
            "task_count": 1,
            "launch_type": "FARGATE",
            "subnets": ("subnet-12345678",),
            "security_groups": (),
            "tags": {"team": "a"},
        },
    ),
    "CapacityProvider": (ss.targets.CapacityProvider, [], {"name": "a", "base": 0, "weight": 1}),
    "Placement": (ss.targets.Placement, [], {"type": "spread", "value": "a"}),
    "KinesisTarget": (
        ss.targets.KinesisTarget,
        [f"arn:aws:kinesis:{PLACE}:stream/clicks"],
        {"partition_key": "a"},
    ),
    "FirehoseTarget": (ss.targets.FirehoseTarget, [f"arn:aws:firehose:{PLACE}:deliverystream/clicks"], {}),
    "CodeBuildTarget": (ss.targets.CodeBuildTarget, [f"arn:aws:codebuild:{PLACE}:project/site"], {}),
    "CodePipelineTarget": (ss.targets.CodePipelineTarget, [f"arn:aws:codepipeline:{PLACE}:release"], {}),
    "SageMakerPipelineTarget": (
        ss.targets.SageMakerPipelineTarget,
        [f"arn:aws:sagemaker:{PLACE}:pipeline/train"],
        {"parameters": {"a": "b"}},
    ),
    "TemplateTarget": (
        ss.targets.TemplateTarget,
        [f"arn:aws:inspector:{PLACE}:target/0-a/template/0-b"],
        {"parameters": {}},
    ),
    "Run": (ss.Run, [], {"id": 1, "job": "a", "scheduled_for": NOON, "status": "succeeded", "attempt": 1}),
    "Prices": (Prices, [], {"per_million": 1, "currency": "USD", "source": "a"}),
    "Quotas": (Quotas, [], {"schedules": 5, "groups": 1, "source": "a"}),
    "FakeClock": (FakeClock, [NOON], {}),
    "FakeClock.advance": (lambda step: FakeClock(NOON).advance(step), [HOUR], {}),
    "FakeClock.move_to": (lambda moment: FakeClock(NOON).move_to(moment), [NOON], {}),
    "Recorder": (Recorder, [], {"answer": 5}),
    "SchedulerClient": (ss.SchedulerClient, [], {"backend": None}),
    "trust_policy": (
        ss.iam.trust_policy,
        [],
        {"account": "123456789012", "region": "eu-west-1", "group": "a"},
    ),
    "machine_trust_policy": (
        ss.iam.machine_trust_policy,
        [],
        {"account": "123456789012", "machine_arn": None},
    ),
    "policy_for": (ss.iam.policy_for, [[JOB]], {"dead_letter_arn": QUEUE.queue_arn, "task_roles": ()}),
    "client_policy": (
        ss.iam.client_policy,
        [],
        {"account": "123456789012", "region": "eu-west-1", "role_arns": ["arn:aws:iam::123456789012:role/r"]},
    ),
    "machine_policy": (
        ss.iam.machine_policy,
        [MACHINE.to_dict()],
        {"machine_arn": f"arn:aws:states:{PLACE}:stateMachine:report", "task_roles": ()},
    ),
    "template": (
        ss.deploy.template,
        [[LAMBDA]],
        {"task_roles": (), "dead_letters": [QUEUE], "topics": [TOPIC]},
    ),
    "asl.check": (ss.asl.check, [MACHINE.to_dict()], {}),
    "asl.parse": (ss.asl.parse, [MACHINE.to_json()], {}),
    "asl.integration": (ss.asl.integration, ["lambda", "invoke"], {"partition": "aws"}),
    "asl.sdk_integration": (ss.asl.sdk_integration, ["sqs", "sendMessage"], {"partition": "aws"}),
    "asl.chain": (ss.asl.chain, [{"A": ss.asl.Pass(), "B": ss.asl.Wait(seconds=5)}], {}),
    "asl.condition": (ss.asl.condition, ["{% $a = 1 %}"], {}),
    "asl.variable": (ss.asl.variable, ["$.a"], {"type": "string"}),
    "asl.Wait": (ss.asl.Wait, [], {"seconds": 5, "comment": "a"}),
    "asl.Task": (ss.asl.Task, [], {"resource": "arn:aws:states:::sqs:sendMessage", "next": "A"}),
    "asl.Fail": (ss.asl.Fail, [], {"error": "a", "cause": "b"}),
}


def public_values() -> dict[str, Ask]:
    """All public classes of values, each with the defaults of its fields, and None for the others."""
    spaces = [ss, *(getattr(ss, name) for name in ss._NAMESPACES)]
    found = {name: getattr(space, name) for space in spaces for name in space.__all__}
    return {
        f"{name}, field by field": (
            value,
            [],
            {
                field: None if info.is_required() else info.get_default(call_default_factory=True)
                for field, info in value.model_fields.items()
            },
        )
        for name, value in found.items()
        if isinstance(value, type) and issubclass(value, Value)
    }


FILTERS = {"status": "active", "name_prefix": "a", "group": "default", "tags": {"team": "a"}}


def client() -> ss.SchedulerClient:
    found = ss.SchedulerClient(ss.LocalBackend(clock=FakeClock(NOON)))
    found.create(ss.Job(name="a", schedule=RATE, target=ss.HandlerTarget("builtins:print")))
    return found


def verbs(found: ss.SchedulerClient) -> dict[str, Ask]:
    """The verbs of a client, and what a backend in memory takes."""
    backend = found.backend
    assert isinstance(backend, ss.LocalBackend)
    return {
        "list": (found.list, [], FILTERS),
        "client.upcoming": (
            lambda **options: [*islice(found.upcoming(**options), 3)],
            [],
            {"until": NOON + HOUR, "limit": 2, "name_prefix": "a", "group": "default"},
        ),
        "runs": (found.runs, ["a"], {"status": "failed", "since": NOON, "until": NOON + HOUR, "limit": 3}),
        "backfill": (found.backfill, ["a"], {"since": NOON - HOUR, "until": NOON, "group": "default"}),
        "get": (found.get, ["a"], {"group": "default"}),
        "pause": (found.pause, ["a"], {"group": "default", "stop_run": False}),
        "versions": (found.versions, ["a"], {"group": "default"}),
        "wait": (found.wait, [RUN], {"timeout": 0}),
        "redrive": (found.redrive, [RUN], {}),
        "create": (found.create, [JOB], {}),
        "create_many": (found.create_many, [[JOB]], {}),
        "plan": (found.plan, [[JOB]], {"prune": False}),
        "apply": (found.apply, [[JOB]], {}),
        "update": (found.update, [JOB], {"expected_version": 1}),
        "dead_letters": (found.dead_letters, ["a"], {}),
        "run_until": (lambda until: backend.run_until(min_of(until)), [NOON + HOUR], {}),
        "LocalBackend": (
            lambda **options: ss.LocalBackend(**options).close(),
            [],
            {
                "clock": None,
                "workers": 2,
                "handlers": {},
                "handlers_from": ["a"],
                "max_restarts": 1,
                "retention": HOUR,
                "retention_limit": 5,
            },
        ),
        "TimeTravel": (
            lambda *args, **options: TimeTravel(*args, **options).close(),
            ["2030-01-01T00:00Z"],
            {"recorder": None, "strict": True},
        ),
    }


def made_backends() -> dict[str, Ask]:
    """The constructors of backends in AWS, which make no call."""
    session = boto3.Session(region_name="eu-west-1", aws_access_key_id="a", aws_secret_access_key="b")
    place = {"session": session, "endpoint_url": "http://localhost:1", "clock": FakeClock(NOON), "workers": 2}
    return {
        "EventBridgeBackend": (
            ss.EventBridgeBackend,
            ["arn:aws:iam::123456789012:role/r"],
            {
                "group": "a",
                "dead_letter_arn": QUEUE.queue_arn,
                "kms_key_arn": f"arn:aws:kms:{PLACE}:key/1",
                "rates": {"CreateSchedule": 5.0},
                "role_wait": HOUR,
                **place,
            },
        ),
        "StepFunctionsBackend": (
            ss.StepFunctionsBackend,
            [],
            {
                "state_machine_arn": f"arn:aws:states:{PLACE}:stateMachine:jobs",
                "table_name": "jobs",
                "retention": 30 * 24 * HOUR,
                **place,
            },
        ),
    }


def min_of(until: Any) -> Any:
    """The instant, unless it is so late that playing up to it would take years of rates."""
    return NOON + HOUR if isinstance(until, datetime) and until.year > 2030 else until


def check_error(error: BaseException) -> None:
    """Fails unless the error is one that a caller may get."""
    text = str(error)
    assert len(text) <= LONGEST, f"{len(text)} characters: {text[:300]}"
    if isinstance(error, (ss.StepschedError, ValueError)):
        assert not isinstance(error, UnicodeError), repr(error)
        return
    assert isinstance(error, TypeError), repr(error)
    assert CALL.search(text) or is_raised_by_us(error), repr(error)


def is_raised_by_us(error: BaseException) -> bool:
    """Whether the line that raised it is a ``raise`` of the package."""
    trace = error.__traceback__
    assert trace is not None
    while trace.tb_next is not None:
        trace = trace.tb_next
    path = trace.tb_frame.f_code.co_filename
    return Path(path).is_relative_to(ROOT) and "raise " in linecache.getline(path, trace.tb_lineno)


def call(random: Random, ask: Ask) -> str:
    """Calls with garbage for some of the arguments, at times with one too many or too few."""
    function, given, options = ask
    args, named = list(given), dict(options)
    places: list[Any] = [*range(len(args)), *named]
    for place in random.sample(places, min(len(places), random.choice([1, 1, 1, 2, 3]))):
        if isinstance(place, int):
            args[place] = garbage(random, args[place])
        else:
            named[place] = garbage(random, named[place])
    draw = random.random()
    if draw < 0.02:
        named["surplus"] = garbage(random)
    elif draw < 0.04 and named:
        del named[random.choice(sorted(named))]
    elif draw < 0.06:
        args.append(garbage(random))
    try:
        function(*args, **named)
    except Exception as error:  # noqa: BLE001 -- any may come
        try:
            check_error(error)
        except AssertionError as wrong:
            raise AssertionError(f"{wrong} from {function} of {shown(args)} {shown(named)}") from error
        return type(error).__name__
    return "accepted"


def shown(value: object) -> str:
    try:
        return str(value)[:300]
    except ValueError:  # a number of thousands of digits
        return "..."


def play(asks: Mapping[str, Ask], seed: str, count: int) -> Counter[str]:
    random, outcomes, names = Random(seed), Counter[str](), sorted(asks)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for number in range(count):
            outcomes[call(random, asks[names[number % len(names)]])] += 1
    return outcomes


GROUPS: dict[str, Mapping[str, Ask]] = {
    "schedules": SCHEDULES,
    "questions": QUESTIONS,
    "values": VALUES,
    "fields": public_values(),
}


@pytest.mark.parametrize("group", GROUPS)
def test_garbage_is_refused_in_our_words(group: str) -> None:
    outcomes = play(GROUPS[group], group, 2_000)
    assert outcomes["accepted"] > 20, "garbage that is always refused tests the first check only"
    assert outcomes.total() - outcomes["accepted"] > 400


def test_garbage_for_a_client_is_refused_in_our_words() -> None:
    outcomes = play(verbs(client()), "verbs", 1_000)
    assert outcomes.total() - outcomes["accepted"] > 200


def test_garbage_for_a_backend_in_aws_is_refused_in_our_words() -> None:
    outcomes = play(made_backends(), "backends", 200)
    assert outcomes.total() - outcomes["accepted"] > 100


@pytest.mark.proof
@pytest.mark.timeout(3_600)
def test_a_hundred_thousand_inputs_are_refused_in_our_words() -> None:
    began, total = monotonic(), Counter[str]()
    for group, asks in GROUPS.items():
        total += play(asks, f"{group}, long", 22_500)
    total += play(verbs(client()), "verbs, long", 9_000)
    total += play(made_backends(), "backends, long", 1_000)
    print(f"{total.total():,} inputs in {monotonic() - began:.0f} s: {dict(total)}")
    assert total.total() == 100_000
