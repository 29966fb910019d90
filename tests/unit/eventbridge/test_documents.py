"""A job becomes a request that the service takes, and the stored document becomes the same job again.

What the service takes is read from its published model, by a validator of these tests' own.
"""

from __future__ import annotations

import copy
import json
import re
import warnings
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any, get_args

import pytest
from botocore.validate import ParamValidator

import stepsched as ss
from stepsched.backends.eventbridge import documents
from stepsched.backends.eventbridge.checks import check_job
from stepsched.backends.eventbridge.documents import (
    ORIGIN,
    Settings,
    Stored,
    read_document,
    record_of,
    resend,
    switch,
    translation_of,
    write_job,
)
from stepsched.backends.eventbridge.mark import (
    Mark,
    NoRoomError,
    digest,
    read_description,
    with_reason,
    write_description,
)
from stepsched.backends.eventbridge.single_runs import is_run_of, read_run_name, run_name, write_run
from stepsched.core.context import ATTEMPT_NUMBER, EXECUTION_ID, SCHEDULE_ARN, SCHEDULED_TIME
from stepsched.targets import AwsTarget
from tests.sessions import service_model

UTC = timezone.utc
NOW = datetime(2030, 1, 7, 12, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
TICK = timedelta(microseconds=1)
ROLE = "arn:aws:iam::123456789012:role/scheduler"
OTHER_ROLE = "arn:aws:iam::123456789012:role/other"
KEY = "arn:aws:kms:eu-west-1:123456789012:key/abc"
SETTINGS = Settings(role_arn=ROLE)
LAMBDA = "arn:aws:lambda:eu-west-1:123456789012:function:report"
QUEUE = "arn:aws:sqs:eu-west-1:123456789012:orders"
DEAD = "arn:aws:sqs:eu-west-1:123456789012:dead"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:news"
STREAM = "arn:aws:kinesis:eu-west-1:123456789012:stream/clicks"
FIREHOSE = "arn:aws:firehose:eu-west-1:123456789012:deliverystream/clicks"
CLUSTER = "arn:aws:ecs:eu-west-1:123456789012:cluster/main"
TASK = "arn:aws:ecs:eu-west-1:123456789012:task-definition/report:3"
INSPECTOR = "arn:aws:inspector:eu-west-1:123456789012:target/0-a/template/0-b"
DAILY = ss.Cron("0 9 * * ? *", timezone="Europe/Paris")


def merge(found: Stored, it: ss.Job, settings: Settings, *, now: datetime) -> dict[str, Any]:
    return documents.merge(found, translation_of(it), settings, now=now)


def job(**changes: Any) -> ss.Job:
    given: dict[str, Any] = {"name": "job", "schedule": DAILY, "target": ss.LambdaTarget(LAMBDA)}
    return ss.Job(**given | changes)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def quietly(make: Callable[[], ss.OneTime]) -> ss.OneTime:
    """A one-time schedule in a gap, without the warning that its author gets."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ss.ScheduleWarning)
        return make()


# -- the service's model -----------------------------------------------------------------------------


def input_of(operation: str) -> Any:
    return service_model("scheduler").operation_model(operation).input_shape


def faults(shape: Any, value: Any, place: str = "request") -> list[str]:
    """Where a value breaks the minima, maxima, patterns, enums and members of the model."""
    bounds = shape.metadata
    size = value if shape.type_name in ("integer", "long") else None
    size = len(value) if isinstance(value, (str, list, dict)) else size
    found = []
    if size is not None and not bounds.get("min", size) <= size <= bounds.get("max", size):
        found.append(f"{place}: {size} is not in {bounds}")
    if shape.type_name == "string":
        if "pattern" in bounds and not re.fullmatch(bounds["pattern"], value, re.ASCII):
            found.append(f"{place}: {value!r} is not of {bounds['pattern']}")
        if bounds.get("enum") and value not in bounds["enum"]:
            found.append(f"{place}: {value!r} is none of {bounds['enum']}")
    elif shape.type_name == "structure":
        found += [f"{place}: {key} is no member" for key in value.keys() - shape.members.keys()]
        found += [f"{place}: {key} is missing" for key in set(shape.required_members) - value.keys()]
        for key in value.keys() & shape.members.keys():
            found += faults(shape.members[key], value[key], f"{place}.{key}")
    elif shape.type_name == "list":
        for number, item in enumerate(value):
            found += faults(shape.member, item, f"{place}[{number}]")
    elif shape.type_name == "map":
        for key, item in value.items():
            found += faults(shape.key, key, f"{place}: key") + faults(shape.value, item, f"{place}.{key}")
    elif shape.type_name == "timestamp":
        found += [f"{place}: {value} is naive or fractional"] if not value.tzinfo or value.microsecond else []
    return found


def assert_is_taken(request: dict[str, Any], now: datetime, operation: str = "CreateSchedule") -> None:
    """Whether the service would take the request, as far as its model and its words tell."""
    shape = input_of(operation)
    assert ParamValidator().validate(request, shape).generate_report() == ""
    assert faults(shape, request) == []
    assert len(request["Target"].get("Input", "{}").encode()) <= 256 * 1024
    start, end = request.get("StartDate"), request.get("EndDate")
    assert start is None or start >= now
    assert start is None or end is None or start < end


def answer(request: dict[str, Any], changed: datetime = NOW) -> dict[str, Any]:
    """What GetSchedule answers for a request: a deep copy, with what the service adds."""
    assert_is_taken(request, min(changed, request.get("StartDate", changed)))
    group = request["GroupName"]
    return copy.deepcopy(request) | {
        "Arn": f"arn:aws:scheduler:eu-west-1:123456789012:schedule/{group}/{request['Name']}",
        "CreationDate": NOW,
        "LastModificationDate": changed,
        "ResponseMetadata": {"HTTPStatusCode": 200},
    }


def written(
    it: ss.Job, settings: Settings = SETTINGS, *, now: datetime = NOW, anchor: datetime | None = NOW
) -> dict[str, Any]:
    """The request of a job that the backend lets through."""
    check_job(it, settings, region="eu-west-1", partition="aws")
    request = write_job(translation_of(it), settings, version=1, now=now, anchor=anchor)
    assert_is_taken(request, now)
    return request


def stored(it: ss.Job, settings: Settings = SETTINGS, *, now: datetime = NOW) -> Stored:
    return read_document(answer(written(it, settings, now=now), now), settings)


def test_the_validator_of_these_tests_finds_what_the_model_forbids() -> None:
    request = written(job(target=ss.targets.SageMakerPipelineTarget(TRAINING, parameters={"Epochs": "3"})))
    shape = input_of("CreateSchedule")
    broken = copy.deepcopy(request)
    broken["Name"] = "a b"
    broken["State"] = "ON"
    broken["Description"] = "d" * 513
    broken["Extra"] = 1
    broken["StartDate"] = NOW + TICK
    broken["Target"]["RetryPolicy"]["MaximumRetryAttempts"] = 186
    broken["Target"]["SageMakerPipelineParameters"]["PipelineParameterList"][0]["Name"] = ""
    del broken["ScheduleExpression"]
    assert len(faults(shape, broken)) == 8
    assert faults(shape, request) == []


# -- targets -----------------------------------------------------------------------------------------

MACHINE = "arn:aws:states:eu-west-1:123456789012:stateMachine:close"
BUS = "arn:aws:events:eu-west-1:123456789012:event-bus/default"
BUILD = "arn:aws:codebuild:eu-west-1:123456789012:project/site"
PIPELINE = "arn:aws:codepipeline:eu-west-1:123456789012:release"
TRAINING = "arn:aws:sagemaker:eu-west-1:123456789012:pipeline/train"
ECS = ss.targets.EcsTaskTarget(CLUSTER, task_definition_arn=TASK)
FULL_ECS = ss.targets.EcsTaskTarget(
    CLUSTER,
    task_definition_arn=TASK,
    task_count=10,
    launch_type="FARGATE",
    subnets=[f"subnet-{n}" for n in range(16)],
    security_groups=[f"sg-{n}" for n in range(5)],
    assign_public_ip=True,
    platform_version="1.4.0",
    placement=[
        ss.targets.Placement(type="memberOf", value="attribute:zone == a"),
        ss.targets.Placement(type="distinctInstance"),
        ss.targets.Placement(type="spread", value="host"),
        ss.targets.Placement(type="random"),
    ],
    group="family:report",
    reference_id="ref",
    propagate_tags=True,
    tags={"team": "data", "stage": "prod"},
    ecs_managed_tags=True,
    execute_command=True,
)
MIXED_ECS = ECS.replace(
    placement=[
        ss.targets.Placement(type="spread", value="host"),
        ss.targets.Placement(type="distinctInstance"),
    ]
)
PAYLOAD: dict[str, Any] = {"a": [1, 2.5, None, True, "é \N{GRINNING FACE}"], "": {}}

TARGETS = [
    pytest.param(ss.LambdaTarget(f"{LAMBDA}:live"), PAYLOAD, id="lambda"),
    pytest.param(ss.StateMachineTarget(MACHINE), PAYLOAD, id="state machine"),
    pytest.param(ss.QueueTarget(QUEUE), PAYLOAD, id="queue"),
    pytest.param(ss.QueueTarget(f"{QUEUE}.fifo", message_group_id="g" * 128), PAYLOAD, id="fifo queue"),
    pytest.param(ss.FanOutTarget(QUEUE, ["a", "5", "a"]), {}, id="several messages"),
    pytest.param(
        ss.FanOutTarget(f"{QUEUE}.fifo", ["a"] * 10, message_group_id="g" * 128),
        {},
        id="several fifo messages",
    ),
    pytest.param(ss.TopicTarget(TOPIC), PAYLOAD, id="topic"),
    pytest.param(ss.EventBusTarget(BUS), PAYLOAD, id="bus"),
    pytest.param(ss.EventBusTarget(BUS, detail_type="d" * 128, source="s" * 256), PAYLOAD, id="bus, named"),
    pytest.param(ss.targets.KinesisTarget(STREAM, partition_key="k" * 256), PAYLOAD, id="kinesis"),
    pytest.param(ss.targets.FirehoseTarget(FIREHOSE), PAYLOAD, id="firehose"),
    pytest.param(ECS, {}, id="ecs"),
    pytest.param(FULL_ECS, {"containerOverrides": [{"name": "a", "command": ["b"]}]}, id="ecs, all of it"),
    pytest.param(
        ECS.replace(
            capacity_providers=[
                ss.targets.CapacityProvider(name="spot", base=100_000, weight=1_000),
                ss.targets.CapacityProvider(name="plain"),
            ]
        ),
        {},
        id="ecs, capacity providers",
    ),
    pytest.param(MIXED_ECS, {}, id="ecs, placement in any order"),
    pytest.param(ss.targets.CodeBuildTarget(BUILD), {"sourceVersion": "main"}, id="code build"),
    pytest.param(ss.targets.CodePipelineTarget(PIPELINE), {}, id="code pipeline"),
    pytest.param(ss.targets.SageMakerPipelineTarget(TRAINING), {}, id="sagemaker, plain"),
    pytest.param(
        ss.targets.SageMakerPipelineTarget(TRAINING, parameters={f"p{n}": "v" * 1024 for n in range(200)}),
        {},
        id="sagemaker",
    ),
    pytest.param(ss.BatchTarget("report:3", job_queue="nightly"), {}, id="batch"),
    pytest.param(ss.BatchTarget("report", job_queue="q", job_name="job"), {}, id="batch named as the job"),
    pytest.param(
        ss.BatchTarget(
            "report",
            job_queue="q",
            job_name="other",
            parameters={"format": "pdf"},
            container_overrides={"Environment": [{"Name": "AT", "Value": SCHEDULED_TIME}]},
        ),
        {},
        id="batch, all of it",
    ),
    pytest.param(
        ss.ApiTarget("sqs", "sendMessage", {"QueueUrl": "u", "MessageBody": "at " + SCHEDULED_TIME}),
        {},
        id="api",
    ),
    pytest.param(
        ss.ApiTarget("batch", "submitJob", {"JobName": "a", "JobQueue": "q", "JobDefinition": "d"}),
        {},
        id="api of batch",
    ),
    pytest.param(ss.targets.TemplateTarget(INSPECTOR), {}, id="template"),
]


@pytest.mark.parametrize(("target", "payload"), TARGETS)
def test_a_job_for_every_target_reads_back_as_itself_from_a_request_that_the_service_takes(
    target: AwsTarget, payload: Any
) -> None:
    it = job(target=target, input=payload)
    found = stored(it)
    assert found.job == it
    assert type(found.job.target) is type(target)
    assert (found.version, found.owned, found.enabled) == (1, True, True)


def test_every_target_that_aws_invokes_stands_in_the_table() -> None:
    assert {type(row.values[0]) for row in TARGETS} == set(get_args(AwsTarget))


def test_a_target_of_a_class_of_its_own_does_not_come_back_as_another() -> None:
    for arn in (LAMBDA, QUEUE, TOPIC):
        it = job(target=ss.targets.TemplateTarget(arn))
        with pytest.raises(ss.UnsupportedError):
            written(it)


def test_no_input_is_sent_as_an_empty_object() -> None:
    for target in (ss.LambdaTarget(LAMBDA), ss.QueueTarget(QUEUE), ss.targets.CodePipelineTarget(PIPELINE)):
        assert written(job(target=target))["Target"]["Input"] == "{}"


def test_a_request_says_everything_so_that_no_default_of_the_service_speaks() -> None:
    request = written(job(retry=ss.Retry(max_attempts=0, max_age=DAY), jitter=DAY), SETTINGS)
    assert request.keys() == {
        *("Name", "GroupName", "Description", "ScheduleExpression", "ScheduleExpressionTimezone"),
        *("FlexibleTimeWindow", "State", "ActionAfterCompletion", "Target"),
    }
    assert request["Target"] == {
        "Arn": LAMBDA,
        "RoleArn": ROLE,
        "Input": "{}",
        "RetryPolicy": {"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 86_400},
    }
    assert request["FlexibleTimeWindow"] == {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 1440}


# -- inputs ------------------------------------------------------------------------------------------

TEXT_TARGETS = [
    pytest.param(ss.QueueTarget(QUEUE), id="queue"),
    pytest.param(ss.TopicTarget(TOPIC), id="topic"),
    pytest.param(ss.targets.KinesisTarget(STREAM, partition_key="k"), id="kinesis"),
    pytest.param(ss.targets.FirehoseTarget(FIREHOSE), id="firehose"),
]
TEXTS = ["hello", "5", "null", "true", '{"a":1}', "[1]", '"x"', " ", "{oops", "at " + SCHEDULED_TIME, "é\n"]
VALUES = [5, 2.5, None, True, [], ["x"], {"a": "5"}, {"at": SCHEDULED_TIME}, [EXECUTION_ID + "!"]]


@pytest.mark.parametrize("target", TEXT_TARGETS)
@pytest.mark.parametrize("text", TEXTS, ids=repr)
def test_text_goes_to_a_queue_topic_or_stream_as_it_stands(target: AwsTarget, text: str) -> None:
    it = job(target=target, input=text)
    assert written(it)["Target"]["Input"] == text
    assert stored(it).job == it


@pytest.mark.parametrize("target", TEXT_TARGETS)
@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_other_values_go_to_a_queue_as_json(target: AwsTarget, value: Any) -> None:
    it = job(target=target, input=value)
    assert json.loads(written(it)["Target"]["Input"]) == value
    assert stored(it).job == it


@pytest.mark.parametrize("value", [*TEXTS, *VALUES, ""], ids=repr)
def test_a_function_gets_json_whatever_the_input(value: Any) -> None:
    it = job(input=value)
    assert json.loads(written(it)["Target"]["Input"]) == value
    assert stored(it).job == it


@pytest.mark.parametrize(
    ("arn", "text", "value"),
    [
        pytest.param(LAMBDA, '"x"', "x", id="function, text"),
        pytest.param(LAMBDA, "{oops", "{oops", id="function, no JSON"),
        pytest.param(QUEUE, '"x"', '"x"', id="queue, quoted text stays quoted"),
        pytest.param(QUEUE, "5", 5, id="queue, number"),
        pytest.param(QUEUE, "hello", "hello", id="queue, text"),
        pytest.param(TOPIC, '{"a": 1}', {"a": 1}, id="topic, object"),
        pytest.param(TOPIC, f'{{"a": "{SCHEDULED_TIME}"}}', {"a": SCHEDULED_TIME}, id="topic, attribute"),
        pytest.param(LAMBDA, None, {}, id="none"),
    ],
)
def test_the_input_of_a_schedule_without_mark_is_read_for_what_it_means(
    arn: str, text: str | None, value: Any
) -> None:
    found = read_document(foreign(target={"Arn": arn, "Input": text}), SETTINGS)
    assert found.job.input == value
    assert (
        found.job.model_dump(mode="json")["input"]
        == ss.Job(name="job", schedule=DAILY, target=ss.LambdaTarget(LAMBDA), input=value).model_dump(
            mode="json"
        )["input"]
    )


# -- schedules ---------------------------------------------------------------------------------------

PARIS = "Europe/Paris"
GAP = quietly(lambda: ss.OneTime("2030-03-31T02:30", timezone=PARIS))
SCHEDULES = [
    pytest.param(
        ss.OneTime("2030-02-01T09:00:30", timezone=PARIS),
        ("at(2030-02-01T09:00:30)", PARIS, None, None),
        id="one time",
    ),
    pytest.param(GAP, ("at(2030-03-31T01:30:00)", "UTC", None, None), id="P-03, one time in a gap"),
    pytest.param(
        ss.OneTime("2030-10-27T02:30", timezone=PARIS),
        ("at(2030-10-27T00:30:00)", "UTC", None, None),
        id="P-04, one time in an overlap",
    ),
    pytest.param(
        ss.OneTime("2030-10-27T02:30+01:00", timezone=PARIS),
        ("at(2030-10-27T01:30:00)", "UTC", None, None),
        id="second pass of an overlap",
    ),
    pytest.param(
        ss.Rate(7 * HOUR, start=utc("2030-01-01")),
        ("rate(7 hours)", "UTC", utc("2030-01-07T17:00"), None),
        id="P-13, rate with an old start",
    ),
    pytest.param(
        ss.Rate(HOUR, start=NOW), ("rate(1 hour)", "UTC", NOW, None), id="rate that starts this moment"
    ),
    pytest.param(
        ss.Rate(HOUR, start=NOW + 90 * DAY),
        ("rate(1 hour)", "UTC", NOW + 90 * DAY, None),
        id="rate that starts later",
    ),
    pytest.param(ss.Rate(5 * DAY), ("rate(5 days)", "UTC", NOW, None), id="rate without start"),
    pytest.param(
        ss.Rate(HOUR, end=NOW + DAY), ("rate(1 hour)", "UTC", NOW, NOW + DAY), id="rate with an end"
    ),
    pytest.param(
        ss.Rate(HOUR, start=NOW - DAY, end=NOW + DAY),
        ("rate(1 hour)", "UTC", NOW + HOUR, NOW + DAY),
        id="rate in a window",
    ),
    pytest.param(
        ss.Rate(DAY, start=NOW - DAY + HOUR, end=NOW + HOUR),
        ("rate(1 day)", "UTC", NOW + HOUR, NOW + HOUR + timedelta(seconds=1)),
        id="rate whose last run is its end",
    ),
    pytest.param(DAILY, ("cron(0 9 * * ? *)", PARIS, None, None), id="cron"),
    pytest.param(
        ss.Cron("0 9 ? * MON-FRI *", start=NOW - DAY, end=NOW + 9 * DAY),
        ("cron(0 9 ? * MON-FRI *)", "UTC", None, NOW + 9 * DAY),
        id="cron with an old start",
    ),
    pytest.param(
        ss.Cron("0 9 * * ? *", start=NOW), ("cron(0 9 * * ? *)", "UTC", None, None), id="cron from now"
    ),
    pytest.param(
        ss.Cron("0 9 * * ? *", start=NOW + DAY + TICK, end=NOW + 9 * DAY + TICK),
        ("cron(0 9 * * ? *)", "UTC", NOW + DAY + timedelta(seconds=1), NOW + 9 * DAY),
        id="fractions are drawn in",
    ),
    pytest.param(
        ss.Cron("0 12 * * ? *", start=NOW + DAY - TICK, end=NOW + DAY + TICK),
        ("cron(0 12 * * ? *)", "UTC", NOW + DAY, NOW + DAY + timedelta(seconds=1)),
        id="start and end in one second",
    ),
    pytest.param(
        ss.Cron.from_crontab("*/5 9-17 * * 1-5"),
        ("cron(*/5 9-17 ? * MON-FRI *)", "UTC", None, None),
        id="unix",
    ),
    pytest.param(
        ss.Windowed("2030-01-31T09:00", every=ss.Frequency(months=1)),
        ("cron(0 9 L * ? *)", "UTC", utc("2030-01-31T09:00"), None),
        id="windowed months",
    ),
    pytest.param(
        ss.Windowed("2030-01-04T09:00", end="2031-01-01T00:00", every=ss.Frequency(weeks=1), timezone=PARIS),
        ("cron(0 9 ? * FRI *)", PARIS, None, utc("2030-12-31T23:00")),
        id="windowed weeks",
    ),
    pytest.param(
        ss.Windowed("2030-01-08T00:00:30", every=ss.Frequency(hours=36), timezone=PARIS),
        ("rate(36 hours)", "UTC", utc("2030-01-07T23:00:30"), None),
        id="windowed hours",
    ),
    pytest.param(
        ss.Windowed("2030-01-06T00:00", end="2030-06-01T00:00", every=ss.Frequency(days=3)),
        ("rate(3 days)", "UTC", utc("2030-01-09"), utc("2030-06-01")),
        id="windowed days",
    ),
    pytest.param(
        ss.Windowed("2028-02-29T09:00", every=ss.Frequency(years=2)),
        ("cron(0 9 L FEB ? 2028/2)", "UTC", None, None),
        id="windowed years",
    ),
]


@pytest.mark.parametrize(("schedule", "wire"), SCHEDULES)
def test_every_schedule_travels_exactly_and_reads_back_as_itself(
    schedule: ss.Schedule, wire: tuple[str, str, datetime | None, datetime | None]
) -> None:
    it = job(schedule=schedule)
    request = written(it)
    parts = ("ScheduleExpression", "ScheduleExpressionTimezone", "StartDate", "EndDate")
    assert tuple(request.get(part) for part in parts) == wire
    found = stored(it)
    assert found.job == it
    assert (found.version, found.owned) == (1, True)


@pytest.mark.parametrize(("schedule", "wire"), SCHEDULES)
def test_what_is_sent_runs_at_the_jobs_own_instants(schedule: ss.Schedule, wire: Any) -> None:
    expression, zone, start, end = wire
    sent = ss.parse_schedule(expression, timezone=zone, start=start, end=end)
    own = job(schedule=schedule).anchored(NOW)
    assert sent.upcoming(60, after=NOW) == own.upcoming(60, after=NOW)


def test_a_rate_without_start_keeps_to_its_anchor() -> None:
    it = job(schedule=ss.Rate(7 * HOUR))
    request = write_job(translation_of(it), SETTINGS, version=1, now=NOW, anchor=NOW - 30 * HOUR)
    assert request["StartDate"] == NOW + 5 * HOUR
    assert read_document(answer(request), SETTINGS).job == it


def test_a_rate_of_unknown_anchor_is_sent_without_start() -> None:
    it = job(schedule=ss.Rate(7 * HOUR))
    request = write_job(translation_of(it), SETTINGS, version=1, now=NOW, anchor=None)
    assert "StartDate" not in request
    found = read_document(answer(request), SETTINGS)
    assert (found.job, found.anchor) == (it, None)


def test_a_start_that_an_old_cron_had_is_kept_in_the_mark() -> None:
    it = job(schedule=ss.Cron("0 9 * * ? *", start=NOW - 900 * DAY))
    _, mark = read_description(written(it)["Description"])
    assert mark is not None
    assert mark.kept["schedule"] == {
        "kind": "cron",
        "expression": "cron(0 9 * * ? *)",
        "start": (NOW - 900 * DAY).isoformat().replace("+00:00", "Z"),
    }


def test_reading_a_run_in_a_gap_warns_nobody_again() -> None:
    assert stored(job(schedule=GAP)).job.schedule == GAP
    document = foreign(ScheduleExpression="at(2030-03-31T02:30:00)", ScheduleExpressionTimezone=PARIS)
    assert read_document(document, SETTINGS).job.schedule == GAP


@pytest.mark.parametrize(
    ("schedule", "edit"),
    [
        pytest.param(GAP, {"ScheduleExpression": "at(2030-03-31T01:31:00)"}, id="one time, expression"),
        pytest.param(ss.Rate(HOUR), {"ScheduleExpression": "rate(2 hours)"}, id="rate, expression"),
        pytest.param(ss.Rate(HOUR), {"EndDate": NOW + 9 * DAY}, id="rate, end"),
        pytest.param(
            ss.Rate(7 * HOUR, start=NOW - DAY),
            {"StartDate": NOW + timedelta(minutes=1)},
            id="rate, off its grid",
        ),
        pytest.param(
            ss.Cron("0 9 * * ? *", start=NOW - DAY), {"ScheduleExpression": "cron(1 9 * * ? *)"}, id="cron"
        ),
        pytest.param(
            ss.Cron("0 9 * * ? *", start=NOW - DAY), {"ScheduleExpressionTimezone": PARIS}, id="cron, zone"
        ),
        pytest.param(ss.Cron("0 9 * * ? *", start=NOW - DAY), {"StartDate": NOW + 9 * DAY}, id="cron, start"),
        pytest.param(
            ss.Cron("0 9 * * ? *", start=NOW - DAY, end=NOW + 9 * DAY),
            {"EndDate": NOW + 8 * DAY},
            id="cron, end",
        ),
        pytest.param(
            ss.Cron("0 9 * * ? *", start=NOW - DAY), {"ScheduleExpression": "rate(1 day)"}, id="another kind"
        ),
    ],
)
def test_a_schedule_that_was_edited_in_the_console_counts_as_edited(
    schedule: ss.Schedule, edit: dict[str, Any]
) -> None:
    document = answer(written(job(schedule=schedule))) | edit
    found = read_document(document, SETTINGS)
    assert found.job.schedule == ss.parse_schedule(
        document["ScheduleExpression"],
        timezone=document["ScheduleExpressionTimezone"],
        start=document.get("StartDate"),
        end=document.get("EndDate"),
    )
    assert found.version == 2


# -- the rest of a job -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "settings"),
    [
        pytest.param({"tags": {"team": "data", "é": "[x] {}"}}, SETTINGS, id="tags"),
        pytest.param({"description": "Nightly report"}, SETTINGS, id="description"),
        pytest.param({"description": "a", "tags": {"a": "b"}}, SETTINGS, id="description and tags"),
        pytest.param({"description": "see [stepsched 3 9f2c1a7e] above"}, SETTINGS, id="words like a mark"),
        pytest.param({"description": "two\nlines\n"}, SETTINGS, id="lines"),
        pytest.param({"description": "d" * 440}, SETTINGS, id="long description"),
        pytest.param({"completion": ss.Completion.KEEP}, SETTINGS, id="recurring, kept"),
        pytest.param({"schedule": ss.OneTime("2030-02-01T09:00")}, SETTINGS, id="one time, deleted"),
        pytest.param(
            {"schedule": ss.OneTime("2030-02-01T09:00"), "completion": ss.Completion.KEEP},
            SETTINGS,
            id="one time, kept",
        ),
        pytest.param({"jitter": timedelta(minutes=1)}, SETTINGS, id="jitter"),
        pytest.param({"retry": ss.Retry(max_attempts=185, max_age=DAY)}, SETTINGS, id="longest retry"),
        pytest.param(
            {"retry": ss.Retry(max_attempts=0, max_age=timedelta(minutes=1))}, SETTINGS, id="shortest retry"
        ),
        pytest.param({"dead_letter": ss.QueueTarget(DEAD)}, SETTINGS, id="dead letters"),
        pytest.param({}, SETTINGS._replace(dead_letter_arn=DEAD), id="dead letters of the backend"),
        pytest.param(
            {"dead_letter": ss.QueueTarget(QUEUE)},
            SETTINGS._replace(dead_letter_arn=DEAD),
            id="others instead",
        ),
        pytest.param({"group": "reports"}, SETTINGS, id="group"),
        pytest.param({}, SETTINGS._replace(group="mine"), id="group of the backend"),
        pytest.param({}, SETTINGS._replace(kms_key_arn=KEY), id="key"),
        pytest.param({"name": "n" * 64}, SETTINGS, id="longest name"),
    ],
)
def test_every_part_of_a_job_comes_back(changes: dict[str, Any], settings: Settings) -> None:
    it = job(**changes)
    found = stored(it, settings)
    assert found.job == it
    assert (found.version, found.owned) == (1, True)


def test_dead_letters_that_the_backend_would_add_anyway_come_back() -> None:
    it = job(dead_letter=ss.QueueTarget(DEAD))
    found = stored(it, SETTINGS._replace(dead_letter_arn=DEAD))
    assert found.version == 1


@pytest.mark.parametrize(
    "description",
    [
        pytest.param("ends in a blank ", id="blank at the end"),
        pytest.param(" ", id="a blank alone"),
        pytest.param('a [stepsched 1 00000000 {"a":1}] b', id="what looks like a mark in the middle"),
    ],
)
def test_no_description_hides_the_mark(description: str) -> None:
    it = job(description=description, tags={"team": "data"})
    try:
        check_job(it, SETTINGS, region="eu-west-1", partition="aws")
    except ss.UnsupportedError:
        return
    found = stored(it)
    assert found.owned
    assert found.job == it


@pytest.mark.parametrize(
    ("schedule", "tags"),
    [
        pytest.param(DAILY, {}, id="cron"),
        pytest.param(DAILY, {"team": "data"}, id="tags"),
        pytest.param(ss.Cron("0 9 * * ? *", start=NOW - DAY), {}, id="cron with an old start"),
        pytest.param(ss.Rate(HOUR), {}, id="rate without start"),
        pytest.param(ss.Rate(HOUR, start=NOW - DAY), {}, id="rate with an old start"),
        pytest.param(ss.Rate(HOUR, end=NOW + DAY), {}, id="rate with an end"),
        pytest.param(ss.OneTime("2030-02-01T09:00"), {}, id="one time"),
        pytest.param(GAP, {}, id="gap"),
        pytest.param(ss.Windowed("2030-01-31T09:00", every=ss.Frequency(months=1)), {}, id="windowed"),
    ],
)
def test_the_longest_description_that_is_let_through_fits_at_any_time(
    schedule: ss.Schedule, tags: dict[str, str]
) -> None:
    def is_taken(length: int) -> bool:
        try:
            it = job(schedule=schedule, tags=tags, description="d" * length)
            check_job(it, SETTINGS, region="eu-west-1", partition="aws")
        except ss.UnsupportedError:
            return False
        return True

    longest = max(length for length in range(513) if is_taken(length))
    assert longest > 250
    it = job(schedule=schedule, tags=tags, description="d" * longest)
    for now in (NOW, NOW + DAY):
        assert (
            len(write_job(translation_of(it), SETTINGS, version=999_999, now=now, anchor=NOW)["Description"])
            <= 512
        )


def test_a_backend_of_one_group_puts_all_its_jobs_there() -> None:
    settings = SETTINGS._replace(group="mine")
    assert written(job(), settings)["GroupName"] == "mine"
    assert stored(job(), settings).job.group == "default"
    elsewhere = read_document(answer(written(job(group="reports"))), settings)
    assert elsewhere.job.group == "reports"


def test_the_key_and_the_dead_letters_of_the_backend_go_with_every_job() -> None:
    request = written(job(), SETTINGS._replace(kms_key_arn=KEY, dead_letter_arn=DEAD))
    assert request["KmsKeyArn"] == KEY
    assert request["Target"]["DeadLetterConfig"] == {"Arn": DEAD}


# -- the mark ----------------------------------------------------------------------------------------


def test_the_mark_is_read_as_it_was_written() -> None:
    mark = Mark(version=7, digest="0123abcd", kept={"tags": {"a": "]"}})
    assert read_description(write_description("Some words", mark)) == ("Some words", mark)
    assert read_description(write_description("", mark)) == ("", mark)


@pytest.mark.parametrize(
    "description",
    [
        pytest.param("", id="empty"),
        pytest.param("words", id="words"),
        pytest.param("words [stepsched 1 0123abcd] more", id="not at the end"),
        pytest.param("words[stepsched 1 0123abcd]", id="no blank before it"),
        pytest.param("words [stepsched 1 0123abc]", id="digest too short"),
        pytest.param("words [stepsched x 0123abcd]", id="no version"),
        pytest.param("words [stepsched 1 0123abcd {oops}]", id="no JSON"),
        pytest.param("words [stepsched 1 0123abcd []]", id="no object"),
    ],
)
def test_a_description_without_a_whole_mark_is_somebody_elses(description: str) -> None:
    assert read_description(description) == (description, None)
    found = read_document(answer(written(job())) | {"Description": description}, SETTINGS)
    assert (found.owned, found.version, found.job.description) == (False, 1, description)


def test_a_change_that_somebody_else_made_counts_as_a_version_more() -> None:
    document = answer(written(job()))
    document["Target"]["RetryPolicy"]["MaximumRetryAttempts"] = 9
    found = read_document(document, SETTINGS)
    assert (found.version, found.owned, found.job.retry.max_attempts) == (2, True, 9)


@pytest.mark.parametrize(
    ("edit", "problem"),
    [
        pytest.param(lambda text: text.replace("stepsched 1 ", "stepsched 41 "), (41, True), id="version"),
        pytest.param(lambda text: re.sub("1 [0-9a-f]{8}", "1 00000000", text), (2, True), id="digest"),
        pytest.param(lambda text: text.replace("data", "web"), (2, True), id="a tag"),
        pytest.param(lambda text: "New words " + text, (2, True), id="words before it"),
        pytest.param(lambda text: text + " New words", (1, False), id="words after it"),
        pytest.param(lambda text: text[:-1], (1, False), id="its end"),
    ],
)
def test_a_mark_edited_by_hand_is_a_change_or_no_mark(
    edit: Callable[[str], str], problem: tuple[int, bool]
) -> None:
    document = answer(written(job(tags={"team": "data"})))
    found = read_document(document | {"Description": edit(document["Description"])}, SETTINGS)
    assert (found.version, found.owned) == problem


@pytest.mark.parametrize(
    "kept",
    [
        pytest.param({"tags": "x"}, id="tags, no object"),
        pytest.param({"tags": {"a": 1}}, id="tags, a number"),
        pytest.param({"completion": "never"}, id="completion"),
        pytest.param({"schedule": {"kind": "cron", "expression": "oops"}}, id="schedule"),
        pytest.param({"schedule": "oops"}, id="schedule, no object"),
        pytest.param({"target": "batch"}, id="target"),
        pytest.param({"text": "yes"}, id="text"),
    ],
)
def test_a_mark_that_keeps_nonsense_gives_a_whole_job_all_the_same(kept: dict[str, Any]) -> None:
    mark = Mark(version=1, digest="00000000", kept=kept)
    found = read_document(answer(written(job())) | {"Description": f"words {mark}"}, SETTINGS)
    assert ss.Job.model_validate(found.job.model_dump()) == found.job
    assert found.job.schedule == DAILY


def test_the_digest_changes_with_every_part_of_a_job() -> None:
    changes: list[dict[str, Any]] = [
        {},
        {"name": "other"},
        {"schedule": DAILY.replace(timezone="UTC")},
        {"target": ss.LambdaTarget(f"{LAMBDA}:live")},
        {"input": {"a": 1}},
        {"input": {"a": True}},
        {"input": SCHEDULED_TIME},
        {"description": "d"},
        {"tags": {"a": "b"}},
        {"retry": ss.Retry(max_attempts=4)},
        {"dead_letter": ss.QueueTarget(DEAD)},
        {"jitter": HOUR},
        {"completion": ss.Completion.KEEP},
    ]
    assert len({digest(job(**change)) for change in changes}) == len(changes)


def test_a_part_that_is_at_its_default_leaves_the_digest_alone() -> None:
    assert digest(job(retry=ss.Retry(), tags={}, description="")) == digest(job())


# -- updates -----------------------------------------------------------------------------------------


def foreign(*, target: dict[str, Any] | None = None, **parts: Any) -> dict[str, Any]:
    """A schedule that somebody else has made, as GetSchedule answers it."""
    what: dict[str, Any] = {
        "Arn": LAMBDA,
        "RoleArn": OTHER_ROLE,
        "Input": '{ "a" : 1 }',
        "RetryPolicy": {"MaximumRetryAttempts": 185, "MaximumEventAgeInSeconds": 86_400},
    } | (target or {})
    return {
        "Name": "job",
        "GroupName": "default",
        "ScheduleExpression": "cron(0 9 * * ? *)",
        "ScheduleExpressionTimezone": "UTC",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "State": "ENABLED",
        "ActionAfterCompletion": "NONE",
        "Target": {key: value for key, value in what.items() if value is not None},
        "Arn": "arn:aws:scheduler:eu-west-1:123456789012:schedule/default/job",
        "CreationDate": NOW - 90 * DAY,
        "LastModificationDate": NOW - 9 * DAY,
        "ResponseMetadata": {"HTTPStatusCode": 200},
    } | parts


def request_of(document: dict[str, Any]) -> dict[str, Any]:
    answers = ("Arn", "CreationDate", "LastModificationDate", "ResponseMetadata")
    return {key: value for key, value in document.items() if key not in answers}


FOREIGN = [
    pytest.param({"KmsKeyArn": KEY}, {}, id="key"),
    pytest.param({"State": "DISABLED"}, {}, id="paused"),
    pytest.param({"ActionAfterCompletion": "DELETE", "EndDate": NOW + 90 * DAY}, {}, id="deletes itself"),
    pytest.param({"Future": {"Unknown": [1]}}, {}, id="unknown member"),
    pytest.param({"ScheduleExpression": "CRON(00 09 ? * 2-6 *)"}, {}, id="expression as it was typed"),
    pytest.param({"ScheduleExpression": "rate(1 hours)", "StartDate": NOW + DAY}, {}, id="rate"),
    pytest.param({"StartDate": NOW + DAY, "EndDate": NOW + 90 * DAY}, {}, id="window"),
    pytest.param({"FlexibleTimeWindow": {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 7}}, {}, id="jitter"),
    pytest.param({"GroupName": "theirs"}, {}, id="group"),
    pytest.param({}, {"Input": None}, id="no input"),
    pytest.param({}, {"Arn": QUEUE, "Input": "no JSON"}, id="text"),
    pytest.param({}, {"Arn": TOPIC, "Input": '"x"'}, id="quoted text"),
    pytest.param({}, {"Input": "{oops"}, id="broken JSON"),
    pytest.param({}, {"Input": '{"a": "<aws.scheduler.attempt-number>"}'}, id="attribute"),
    pytest.param({}, {"DeadLetterConfig": {"Arn": DEAD}}, id="dead letters"),
    pytest.param({}, {"RetryPolicy": None}, id="no retry policy"),
    pytest.param({}, {"FutureParameters": {"A": 1}}, id="unknown block"),
    pytest.param({}, {"Arn": CLUSTER, "EcsParameters": {"TaskDefinitionArn": TASK, "Future": 1}}, id="ecs"),
    pytest.param(
        {}, {"Arn": "arn:aws:scheduler:::aws-sdk:sqs:sendMessage", "Input": '{ "QueueUrl" : "u" }'}, id="api"
    ),
    pytest.param({}, {"Arn": "arn:aws:scheduler:::aws-sdk:sqs:SendMessage", "Input": "{}"}, id="api, odd"),
]


@pytest.mark.parametrize(("parts", "target"), FOREIGN)
def test_an_update_of_a_schedule_of_others_changes_only_what_it_speaks_of(
    parts: dict[str, Any], target: dict[str, Any]
) -> None:
    document = foreign(target=target, **parts)
    found = read_document(document, SETTINGS)
    after = merge(found, found.job.model_copy(update={"description": "new"}), SETTINGS, now=NOW)
    description = after.pop("Description")
    assert after == request_of(document)
    text, mark = read_description(description)
    assert text == "new"
    assert mark is not None
    assert mark.version == 2
    again = read_document(document | {"Description": description}, SETTINGS)
    assert again.version == 2
    assert again.job == found.job.model_copy(update={"description": "new"})


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({"input": {"a": 2}}, {"Input": '{"a":2}'}, id="input"),
        pytest.param(
            {"retry": ss.Retry(max_attempts=1)},
            {"RetryPolicy": {"MaximumRetryAttempts": 1, "MaximumEventAgeInSeconds": 3600}},
            id="retry",
        ),
        pytest.param(
            {"dead_letter": ss.QueueTarget(QUEUE)}, {"DeadLetterConfig": {"Arn": QUEUE}}, id="dead letters"
        ),
        pytest.param({"dead_letter": None}, {"DeadLetterConfig": None}, id="no dead letters"),
    ],
)
def test_an_update_of_a_part_of_the_target_leaves_the_other_parts(
    changes: dict[str, Any], expected: dict[str, Any]
) -> None:
    document = foreign(
        target={"DeadLetterConfig": {"Arn": DEAD}, "FutureParameters": {"A": 1}}, KmsKeyArn=KEY
    )
    found = read_document(document, SETTINGS)
    after = merge(found, found.job.model_copy(update=changes), SETTINGS, now=NOW)
    target = {key: value for key, value in (document["Target"] | expected).items() if value is not None}
    assert after["Target"] == target
    assert after["KmsKeyArn"] == KEY


def test_an_update_of_the_target_keeps_retries_and_dead_letters() -> None:
    document = foreign(target={"DeadLetterConfig": {"Arn": DEAD}, "FutureParameters": {"A": 1}})
    found = read_document(document, SETTINGS)
    after = merge(found, found.job.replace(target=ss.QueueTarget(QUEUE)), SETTINGS, now=NOW)
    assert after["Target"] == {
        "Arn": QUEUE,
        "RoleArn": ROLE,
        "Input": '{"a":1}',
        "RetryPolicy": document["Target"]["RetryPolicy"],
        "DeadLetterConfig": {"Arn": DEAD},
    }


def test_an_update_of_the_schedule_replaces_all_that_says_when() -> None:
    document = foreign(StartDate=NOW + DAY, EndDate=NOW + 9 * DAY, ScheduleExpressionTimezone=PARIS)
    found = read_document(document, SETTINGS)
    after = merge(found, found.job.replace(schedule=ss.OneTime("2030-02-01T09:00")), SETTINGS, now=NOW)
    changed = {
        "ScheduleExpression": "at(2030-02-01T09:00:00)",
        "ScheduleExpressionTimezone": "UTC",
        "ActionAfterCompletion": "DELETE",
        "Description": after["Description"],
    }
    rest = {key: value for key, value in request_of(document).items() if key not in ("StartDate", "EndDate")}
    assert after == rest | changed


def test_an_update_of_the_jitter_or_completion_changes_that_alone() -> None:
    document = foreign(ScheduleExpression="at(2030-02-01T09:00:00)")
    found = read_document(document, SETTINGS)
    change = {"jitter": HOUR, "completion": ss.Completion.DELETE}
    after = merge(found, found.job.replace(**change), SETTINGS, now=NOW)
    window = {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 60}
    assert after == request_of(document) | {
        "FlexibleTimeWindow": window,
        "ActionAfterCompletion": "DELETE",
        "Description": after["Description"],
    }


def test_an_update_of_a_job_of_our_own_brings_the_backends_settings() -> None:
    before = stored(job(dead_letter=ss.QueueTarget(DEAD)), SETTINGS._replace(kms_key_arn=KEY))
    settings = Settings(role_arn=OTHER_ROLE)
    request = merge(before, job(description="new"), settings, now=NOW)
    assert_is_taken(request, NOW, "UpdateSchedule")
    assert "KmsKeyArn" not in request
    assert "DeadLetterConfig" not in request["Target"]
    assert request["Target"]["RoleArn"] == OTHER_ROLE
    after = read_document(answer(request), settings)
    assert (after.version, after.job) == (2, job(description="new"))


def test_an_update_leaves_a_paused_job_paused_and_keeps_unknown_members() -> None:
    document = answer(written(job())) | {"State": "DISABLED", "Future": [1]}
    request = merge(read_document(document, SETTINGS), job(description="new"), SETTINGS, now=NOW)
    assert (request["State"], request["Future"]) == ("DISABLED", [1])


def test_an_update_forgets_a_window_that_the_new_schedule_has_not() -> None:
    before = stored(job(schedule=ss.Cron("0 9 * * ? *", start=NOW + DAY, end=NOW + 9 * DAY)))
    assert {"StartDate", "EndDate"}.isdisjoint(merge(before, job(), SETTINGS, now=NOW))


def test_nothing_that_is_read_is_changed_by_a_merge() -> None:
    document = foreign(target={"DeadLetterConfig": {"Arn": DEAD}}, StartDate=NOW - DAY)
    before = copy.deepcopy(document)
    found = read_document(document, SETTINGS)
    merge(found, found.job.replace(dead_letter=None, input=1), SETTINGS, now=NOW)
    switch(found, SETTINGS, now=NOW, enabled=False)
    write_run(found, "key", scheduled_for=NOW, now=NOW)
    assert document == before


# -- grids and starts --------------------------------------------------------------------------------


@pytest.mark.parametrize("every", [HOUR, 7 * HOUR, 3 * DAY], ids=str)
@pytest.mark.parametrize("later", [timedelta(0), HOUR, 26 * HOUR, 400 * DAY + timedelta(minutes=7)], ids=str)
@pytest.mark.parametrize("verb", ["switch", "merge"])
def test_a_rate_without_start_keeps_its_grid_over_every_change(
    every: timedelta, later: timedelta, verb: str
) -> None:
    before = stored(job(schedule=ss.Rate(every)))
    assert before.anchor == NOW
    now = NOW + later
    if verb == "switch":
        request = switch(before, SETTINGS, now=now, enabled=False)
    else:
        request = merge(before, job(schedule=ss.Rate(every), description="new"), SETTINGS, now=now)
    assert now <= request["StartDate"] <= now + every
    assert not (request["StartDate"] - NOW) % every
    assert_is_taken(request, now, "UpdateSchedule")
    after = read_document(answer(request, now), SETTINGS)
    assert after.job.schedule == ss.Rate(every)
    assert after.version == before.version + (verb == "merge")


def test_a_rate_that_gets_another_step_keeps_its_phase() -> None:
    before = stored(job(schedule=ss.Rate(HOUR)))
    request = merge(before, job(schedule=ss.Rate(7 * HOUR)), SETTINGS, now=NOW + 10 * HOUR)
    assert request["StartDate"] == NOW + 14 * HOUR


def test_a_cron_that_becomes_a_rate_starts_at_the_change_in_a_whole_second() -> None:
    now = NOW + DAY + TICK
    request = merge(stored(job()), job(schedule=ss.Rate(HOUR)), SETTINGS, now=now)
    assert request["StartDate"] == NOW + DAY + timedelta(seconds=1)


@pytest.mark.parametrize("owned", [True, False], ids=["ours", "others'"])
@pytest.mark.parametrize(
    ("schedule", "now", "sent"),
    [
        pytest.param(ss.Cron("0 9 * * ? *", start=NOW + DAY), NOW, NOW + DAY, id="cron, to come"),
        pytest.param(ss.Cron("0 9 * * ? *", start=NOW + DAY), NOW + DAY, None, id="cron, this moment"),
        pytest.param(ss.Cron("0 9 * * ? *", start=NOW + DAY), NOW + 9 * DAY, None, id="cron, passed"),
        pytest.param(ss.Rate(DAY, start=NOW + DAY), NOW, NOW + DAY, id="rate, to come"),
        pytest.param(ss.Rate(DAY, start=NOW + DAY), NOW + 9 * DAY + HOUR, NOW + 10 * DAY, id="rate, passed"),
        pytest.param(
            ss.Rate(DAY, start=NOW + DAY, end=NOW + 10 * DAY),
            NOW + 9 * DAY + HOUR,
            NOW + 10 * DAY,
            id="rate, its last run",
        ),
    ],
)
def test_a_start_that_has_passed_is_never_sent_again(
    schedule: ss.Rate | ss.Cron, now: datetime, sent: datetime | None, owned: bool
) -> None:
    plain: dict[str, Any] = {"StartDate": schedule.start, "EndDate": schedule.end}
    document = foreign(
        ScheduleExpression=schedule.expression,
        **{key: value for key, value in plain.items() if value is not None},
    )
    before = read_document(document, SETTINGS)
    if owned:
        mark = Mark(version=1, digest=digest(before.job), kept={})
        before = read_document(document | {"Description": str(mark)}, SETTINGS)
    request = resend(before, now=now)
    assert request.get("StartDate") == sent
    assert_is_taken(request, now, "UpdateSchedule")
    assert ("EndDate" in request) == (schedule.end is not None)


def test_a_rate_that_has_no_run_left_on_its_grid_gets_none_from_a_change() -> None:
    document = foreign(
        ScheduleExpression="rate(1 day)", StartDate=NOW, EndDate=NOW + DAY + HOUR, State="DISABLED"
    )
    now = NOW + DAY + HOUR / 2
    request = switch(read_document(document, SETTINGS), SETTINGS, now=now, enabled=True)
    assert "StartDate" in request or request["State"] == "DISABLED"


@pytest.mark.parametrize(
    "schedule",
    [
        pytest.param(ss.Cron("0 9 * * ? *", start=NOW + DAY), id="cron"),
        pytest.param(ss.Rate(HOUR, start=NOW + DAY), id="rate"),
        pytest.param(ss.Cron("0 9 * * ? *", start=NOW - DAY), id="cron, old"),
        pytest.param(ss.Rate(HOUR, start=NOW - DAY), id="rate, old"),
        pytest.param(ss.Rate(HOUR), id="rate without start"),
        pytest.param(ss.Windowed("2030-01-31T09:00", every=ss.Frequency(months=1)), id="windowed"),
    ],
)
@pytest.mark.parametrize("enabled", [True, False])
def test_pausing_and_resuming_after_the_start_leaves_the_job_and_its_version(
    schedule: ss.Schedule, enabled: bool
) -> None:
    before = stored(job(schedule=schedule))
    now = NOW + 90 * DAY
    request = switch(before, SETTINGS, now=now, enabled=enabled)
    assert_is_taken(request, now, "UpdateSchedule")
    after = read_document(answer(request, now), SETTINGS)
    assert (after.job, after.version) == (before.job, before.version)
    assert after.enabled is enabled


# -- the reason of a pause -----------------------------------------------------------------------------


def paused(before: Stored, reason: str | None = "closing", *, now: datetime = NOW) -> Stored:
    request = switch(before, SETTINGS, now=now, enabled=False, reason=reason)
    assert_is_taken(request, now, "UpdateSchedule")
    return read_document(answer(request, now), SETTINGS)


def test_a_reason_stands_behind_the_description_of_the_job() -> None:
    after = paused(stored(job(description="Closes the books.", tags={"team": "a"})))
    assert after.document["Description"] == (
        f'Closes the books. [stepsched 1 {digest(after.job)} {{"tags":{{"team":"a"}},"paused":"closing"}}]'
    )
    assert record_of(after, SETTINGS, NOW).pause_reason == "closing"


def test_a_reason_is_none_of_a_schedule_that_was_enabled_by_other_means() -> None:
    document = paused(stored(job())).document
    enabled = read_document(document | {"State": "ENABLED"}, SETTINGS)
    assert (enabled.pause_reason, record_of(enabled, SETTINGS, NOW).pause_reason) == (None, None)
    assert paused(enabled, None).pause_reason is None


def test_a_reason_that_is_no_text_is_none() -> None:
    document = answer(written(job())) | {"State": "DISABLED"}
    mark = Mark(version=1, digest=digest(job()), kept={"paused": ["a"]})
    found = read_document(document | {"Description": write_description("", mark)}, SETTINGS)
    assert (found.pause_reason, found.job) == (None, job())


def test_a_job_that_has_ended_has_no_reason() -> None:
    after = paused(stored(job(schedule=ss.OneTime("2030-01-08T09:00"))))
    assert record_of(after, SETTINGS, NOW + 9 * DAY).pause_reason is None


@pytest.mark.parametrize("room", [-30, 0, 1, 4])
@pytest.mark.parametrize("length", [1, 4, 5])
def test_a_reason_that_fits_is_kept_and_a_longer_one_is_refused_with_the_room(room: int, length: int) -> None:
    mark = Mark(12, "0" * 8, {"tags": {"a": "b"}})
    taken = len(write_description("d", mark._replace(kept={**mark.kept, "paused": ""}))) - 1
    text, reason = "d" * (512 - taken - room), "x" * length
    if length <= room:
        assert with_reason(text, mark, reason).kept == {"tags": {"a": "b"}, "paused": reason}
        return
    words = f"reason of the pause has {length} characters, .* has room for {max(room, 0)} beside"
    with pytest.raises(NoRoomError, match=words):
        with_reason(text, mark, reason)


def test_an_update_or_move_refuses_a_description_that_leaves_no_room_for_the_reason() -> None:
    before, wanted = paused(stored(job()), "x" * 200), job(description="d" * 400)
    with pytest.raises(NoRoomError, match=r"has 200 characters, .* has room for 75 beside"):
        merge(before, wanted, SETTINGS, now=NOW)
    after = read_document(answer(merge(paused(before, "y"), wanted, SETTINGS, now=NOW)), SETTINGS)
    assert (after.pause_reason, after.job) == ("y", wanted)


def test_a_reason_is_removed_from_the_description_with_the_pause() -> None:
    after = paused(stored(job(enabled=False)))
    for request in (
        merge(after, job(), SETTINGS, now=NOW),
        switch(after, SETTINGS, now=NOW, enabled=True),
    ):
        assert request["State"] == "ENABLED"
        assert "closing" not in request["Description"]


def test_a_reason_goes_before_the_origin_of_a_move_where_room_is_short() -> None:
    wanted = translation_of(job(description="d" * 440))
    given: dict[str, Any] = {"version": 1, "now": NOW, "anchor": NOW, "notes": {ORIGIN: "old" * 10}}
    kept = []
    for reason in (None, "x" * 20):
        request = write_job(wanted, SETTINGS, status=ss.JobStatus.PAUSED, reason=reason, **given)
        _, mark = read_description(request["Description"])
        assert mark is not None
        kept.append([*mark.kept])
    assert kept == [["moved_from"], ["paused"]]


def test_a_foreign_schedule_has_a_suffix_only_for_a_reason() -> None:
    found = read_document(foreign(), SETTINGS)
    assert switch(found, SETTINGS, now=NOW, enabled=False)["Description"] == found.job.description
    after = paused(found)
    assert (after.pause_reason, after.job, after.version, after.owned) == ("closing", found.job, 1, False)
    back = switch(after, SETTINGS, now=NOW, enabled=True)
    assert back == request_of(foreign()) | {"Description": found.job.description}


def test_a_foreign_schedule_that_was_changed_keeps_its_suffix_and_version() -> None:
    found = read_document(foreign(), SETTINGS)
    changed = found.job.replace(description="new")
    after = read_document(answer(merge(found, changed, SETTINGS, now=NOW)), SETTINGS)
    for request in (
        switch(after, SETTINGS, now=NOW, enabled=False),
        switch(paused(after), SETTINGS, now=NOW, enabled=True),
    ):
        again = read_document(answer(request), SETTINGS)
        assert (again.version, again.job, again.owned) == (2, after.job, False)


def test_a_foreign_description_that_hides_the_reason_is_refused() -> None:
    found = read_document(foreign(Description="theirs "), SETTINGS)  # a blank at its end
    with pytest.raises(NoRoomError, match="'theirs ' cannot be separated"):
        switch(found, SETTINGS, now=NOW, enabled=False, reason="closing")


def test_a_description_that_was_filled_by_other_means_loses_only_the_reason() -> None:
    after = paused(stored(job(schedule=ss.Cron("0 9 * * ? *", start=NOW + DAY))), "x")
    text, mark = read_description(after.document["Description"])
    assert mark is not None
    full = "d" * (512 - len(after.document["Description"]) - 1)
    filled = read_document(after.document | {"Description": write_description(full, mark)}, SETTINGS)
    later = NOW + 9 * DAY  # the start has passed, and would have to be kept
    request = switch(filled, SETTINGS, now=later, enabled=True)
    assert (text, len(request["Description"]) <= 512) == ("", True)
    assert request["Description"] == write_description(full, mark._replace(kept={}))


# -- records -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parts", "status", "next_run"),
    [
        pytest.param({}, ss.JobStatus.ACTIVE, "2030-01-08T09:00", id="active"),
        pytest.param({"State": "DISABLED"}, ss.JobStatus.PAUSED, None, id="paused"),
        pytest.param({"EndDate": NOW - DAY}, ss.JobStatus.ENDED, None, id="window over, though ENABLED"),
        pytest.param({"EndDate": NOW + HOUR}, ss.JobStatus.ENDED, None, id="no run before the end"),
        pytest.param(
            {"EndDate": NOW - DAY, "State": "DISABLED"}, ss.JobStatus.ENDED, None, id="over, DISABLED"
        ),
        pytest.param({"StartDate": NOW + 9 * DAY}, ss.JobStatus.ACTIVE, "2030-01-17T09:00", id="to come"),
        pytest.param(
            {"ScheduleExpression": "at(2030-01-07T11:59:00)"}, ss.JobStatus.ENDED, None, id="one time, done"
        ),
        pytest.param(
            {"ScheduleExpression": "at(2030-01-07T12:00:00)"}, ss.JobStatus.ENDED, None, id="one time, now"
        ),
        pytest.param(
            {"ScheduleExpression": "at(2030-01-07T12:01:00)"},
            ss.JobStatus.ACTIVE,
            "2030-01-07T12:01",
            id="one time",
        ),
        pytest.param(
            {"ScheduleExpression": "cron(0 9 ? * MON-FRI 2029)"}, ss.JobStatus.ENDED, None, id="years over"
        ),
        pytest.param(
            {"ScheduleExpression": "rate(7 hours)", "StartDate": NOW - DAY},
            ss.JobStatus.ACTIVE,
            "2030-01-07T16:00",
            id="rate",
        ),
        pytest.param(
            {"ScheduleExpression": "rate(7 hours)", "LastModificationDate": NOW - DAY},
            ss.JobStatus.ACTIVE,
            "2030-01-07T16:00",
            id="rate without start hangs on the last change",
        ),
        pytest.param(
            {"ScheduleExpression": "rate(7 hours)", "StartDate": NOW - DAY, "EndDate": NOW + HOUR},
            ss.JobStatus.ENDED,
            None,
            id="rate, over",
        ),
    ],
)
def test_the_status_tells_the_truth(
    parts: dict[str, Any], status: ss.JobStatus, next_run: str | None
) -> None:
    record = record_of(read_document(foreign(**parts), SETTINGS), SETTINGS, NOW)
    assert (record.status, record.next_run) == (status, utc(next_run) if next_run else None)
    assert (record.created_at, record.version, record.owned) == (NOW - 90 * DAY, 1, False)
    assert record.updated_at == parts.get("LastModificationDate", NOW - 9 * DAY)


@pytest.mark.parametrize(
    ("written_by", "read_by", "current"),
    [
        pytest.param(SETTINGS, SETTINGS, True, id="same"),
        pytest.param(SETTINGS, SETTINGS._replace(role_arn=None), True, id="a reader without role"),
        pytest.param(SETTINGS, SETTINGS._replace(role_arn=OTHER_ROLE), False, id="other role"),
        pytest.param(SETTINGS, SETTINGS._replace(kms_key_arn=KEY), False, id="a key since"),
        pytest.param(SETTINGS._replace(kms_key_arn=KEY), SETTINGS, False, id="no key any more"),
        pytest.param(
            SETTINGS._replace(dead_letter_arn=DEAD),
            SETTINGS._replace(dead_letter_arn=DEAD),
            True,
            id="dead letters",
        ),
        pytest.param(
            SETTINGS,
            SETTINGS._replace(dead_letter_arn=DEAD),
            False,
            id="dead letters since",
        ),
    ],
)
def test_a_job_that_is_stored_with_other_settings_is_not_current(
    written_by: Settings, read_by: Settings, current: bool
) -> None:
    found = read_document(answer(written(job(), written_by)), read_by)
    assert record_of(found, read_by, NOW).current is current


def test_what_others_have_made_is_always_current() -> None:
    settings = SETTINGS._replace(kms_key_arn=KEY)
    assert record_of(read_document(foreign(), settings), settings, NOW).current


# -- single runs -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "at"),
    [
        pytest.param("2030-01-07T12:00:00", "at(2030-01-07T12:01:00)", id="full minute"),
        pytest.param("2030-01-07T12:00:54.999999", "at(2030-01-07T12:01:00)", id="late in the minute"),
        pytest.param("2030-01-07T12:00:55", "at(2030-01-07T12:02:00)", id="too late for the next one"),
        pytest.param("2029-12-31T23:59:30", "at(2030-01-01T00:00:00)", id="new year"),
    ],
)
def test_a_single_run_comes_a_little_later_with_the_jobs_own_target(now: str, at: str) -> None:
    it = job(
        target=ss.QueueTarget(QUEUE),
        input=f"{{}} {SCHEDULE_ARN} ".replace(SCHEDULE_ARN, "")
        + SCHEDULE_ARN
        + " "
        + SCHEDULED_TIME
        + ATTEMPT_NUMBER,
        group="reports",
        jitter=HOUR,
        dead_letter=ss.QueueTarget(DEAD),
    )
    before = stored(it, SETTINGS._replace(kms_key_arn=KEY))
    request = write_run(before, "key", scheduled_for=utc("2030-01-07T11:00"), now=utc(now))
    assert_is_taken(request, utc(now))
    filled = "arn:aws:scheduler:eu-west-1:123456789012:schedule/reports/job 2030-01-07T11:00:00Z"
    assert request == {
        "Name": run_name("job", "key"),
        "GroupName": "reports",
        "Description": request["Description"],
        "ScheduleExpression": at,
        "ScheduleExpressionTimezone": "UTC",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "State": "ENABLED",
        "ActionAfterCompletion": "DELETE",
        "KmsKeyArn": KEY,
        "Target": before.document["Target"] | {"Input": f"{{}}  {filled}{ATTEMPT_NUMBER}"},
    }
    assert read_description(request["Description"])[1] is None


def test_a_single_run_is_told_its_instant_in_utc_whatever_the_zone_it_came_in() -> None:
    before = stored(job(input={"at": SCHEDULED_TIME}))
    tokyo = utc("2030-01-07T17:00").astimezone(timezone(timedelta(hours=9)))
    request = write_run(before, "key", scheduled_for=tokyo, now=tokyo)
    assert request["Target"]["Input"] == '{"at":"2030-01-07T17:00:00Z"}'
    assert request["ScheduleExpression"] == "at(2030-01-07T17:01:00)"


def test_the_name_of_a_single_run_tells_its_job() -> None:
    assert read_run_name(run_name("job", "key")) == "job"
    assert run_name("job", "key") != run_name("job", "other")
    assert read_run_name("job") is None
    assert read_run_name(run_name("n" * 33, "key")) == "n" * 33


def test_a_single_run_of_a_job_with_a_long_name_is_of_no_other_job() -> None:
    long = "n" * 41 + "-prod"
    run = run_name(long, "key")
    assert len(run) <= 64
    told = read_run_name(run)
    assert told == run  # the name itself is not in it
    assert is_run_of(told, long)
    assert not is_run_of(told, "n" * 41)
    assert not is_run_of(told, "n" * 41 + "-test")
    assert is_run_of("job", "job")
    assert not is_run_of("job", "other")
