"""An input that becomes the request of an API call is held against the model of the API on every backend.

The models are those of botocore: TaskOverride of Amazon ECS (RunTask), PutEventsRequestEntry of EventBridge
("Detail: a valid JSON object"), StartBuild, StartPipelineExecution, SubmitJob, SendMessage.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta, timezone
from typing import Any, get_args

import pytest

import stepsched as ss
from stepsched import targets
from stepsched.backends.eventbridge.checks import check_job
from stepsched.backends.eventbridge.documents import Settings
from stepsched.backends.stepfunctions.instructions import instructions_of
from stepsched.machines.calls import all_calls
from stepsched.targets import AwsTarget

PLACE = "eu-west-1:123456789012"
START = datetime(2030, 1, 1, tzinfo=timezone.utc)
CLUSTER = f"arn:aws:ecs:{PLACE}:cluster/main"
TASK = targets.EcsTaskTarget(CLUSTER, task_definition_arn=f"arn:aws:ecs:{PLACE}:task-definition/report")
BUS = ss.EventBusTarget(f"arn:aws:events:{PLACE}:event-bus/orders")
BUILD = targets.CodeBuildTarget(f"arn:aws:codebuild:{PLACE}:project/site")
PIPELINE = targets.CodePipelineTarget(f"arn:aws:codepipeline:{PLACE}:site")
QUEUE = ss.QueueTarget(f"arn:aws:sqs:{PLACE}:orders")
CALLS = [*all_calls(), "aws-sdk:dynamodb:putItem", "aws-sdk:rds:stopDBInstance", "aws-sdk:ecs:updateService"]
CALLS += ["aws-sdk:sqs:sendMessage", "aws-sdk:sns:publish"]
CALLS += ["aws-sdk:sqs:sendMessageBatch", "aws-sdk:sns:publishBatch"]

Check = Callable[[ss.Job], object]


def locally(job: ss.Job) -> None:
    with closing(ss.LocalBackend(handlers=dict.fromkeys(get_args(AwsTarget), print))) as backend:
        backend.check(job)


CHECKS: dict[str, Check] = {
    "local": locally,
    "eventbridge": lambda job: check_job(
        job, Settings("arn:aws:iam::123456789012:role/r"), region="eu-west-1", partition="aws"
    ),
    "stepfunctions": lambda job: instructions_of(
        job, anchor=START, version=1, retention=timedelta(days=1), calls=CALLS
    ),
    "render_asl": ss.render_asl,
}


@pytest.fixture(params=CHECKS)
def check(request: pytest.FixtureRequest) -> Check:
    return CHECKS[request.param]


def job(target: ss.Target, given: Any) -> ss.Job:
    return ss.Job(name="job", schedule=ss.Rate(timedelta(hours=1), start=START), target=target, input=given)


def batch(overrides: dict[str, Any]) -> ss.Target:
    return ss.BatchTarget("report", job_queue="nightly", container_overrides=overrides)


WRONG: list[Any] = [
    pytest.param(BUS, "hello", "object", id="detail is text"),
    pytest.param(BUS, [1], "object", id="detail is a list"),
    pytest.param(BUS, None, "object", id="detail is null"),
    pytest.param(BUS, 5, "object", id="detail is a number"),
    pytest.param(BUS, True, "object", id="detail is true"),
    pytest.param(TASK, "x", "object", id="overrides are text"),
    pytest.param(TASK, ["x"], "object", id="overrides are a list"),
    pytest.param(TASK, {"environment": []}, "nvironment'", id="no override"),
    pytest.param(TASK, {"cpu": 256}, "must be a string, not 256", id="number for text"),
    pytest.param(TASK, {"containerOverrides": {}}, "must be a list, not {}", id="object for a list"),
    pytest.param(
        TASK,
        {"containerOverrides": [{"name": "x", "environment": {"a": "b"}}]},
        "must be a list, not {",
        id="environment as an object",
    ),
    pytest.param(
        TASK, {"containerOverrides": [{"name": "x", "command": "ls"}]}, "must be a list", id="command as text"
    ),
    pytest.param(TASK, {"containerOverrides": [{"nam": "x"}]}, "takes no '", id="misspelt"),
    pytest.param(
        TASK,
        {"containerOverrides": [{"name": "x", "command": ["y" * 8_192]}]},
        "at most 8,192 characters",
        id="too long",
    ),
    pytest.param(BUILD, "x", "object", id="build with text"),
    pytest.param(BUILD, {"nope": 1}, "takes no '", id="build with another parameter"),
    pytest.param(
        BUILD,
        {"environmentVariablesOverride": {"a": "b"}},
        "must be a list",
        id="variables of a build as an object",
    ),
    pytest.param(PIPELINE, [1], "object", id="pipeline with a list"),
    pytest.param(PIPELINE, {"parameters": {}}, "takes no '", id="pipeline with another parameter"),
    pytest.param(QUEUE, "a\x00b", r"does not allow the character '\x00'", id="character in a queue"),
    pytest.param(batch({"Command": "ls"}), {}, "must be a list, not 'ls'", id="batch command as text"),
    pytest.param(batch({"Nope": 1}), {}, "takes no '", id="batch override that there is not"),
]


@pytest.mark.parametrize(("target", "given", "words"), WRONG)
def test_what_the_service_would_refuse_is_refused_before(
    check: Check, target: ss.Target, given: Any, words: str
) -> None:
    with pytest.raises((ss.UnsupportedError, ss.RenderError)) as caught:
        check(job(target, given))
    assert words in str(caught.value)


FIFO_URL = "https://sqs.eu-west-1.amazonaws.com/123456789012/orders.fifo"
API: list[Any] = [
    pytest.param(
        ss.ApiTarget(
            "sqs",
            "sendMessageBatch",
            {
                "QueueUrl": FIFO_URL,
                "Entries": [
                    {"Id": "1", "MessageBody": "x", "MessageGroupId": "g"},
                    {"Id": "2", "MessageBody": "x"},
                ],
            },
        ),
        {},
        "expected a MessageGroupId",
        id="batch to a FIFO queue without a group",
    ),
    pytest.param(
        ss.ApiTarget(
            "sns",
            "publishBatch",
            {
                "TopicArn": f"arn:aws:sns:{PLACE}:news.fifo",
                "PublishBatchRequestEntries": [{"Id": "1", "Message": "x"}],
            },
        ),
        {},
        "expected a MessageGroupId",
        id="batch to a FIFO topic without a group",
    ),
    pytest.param(
        ss.ApiTarget("sqs", "sendMessage", {"QueueUrl": FIFO_URL, "MessageBody": "x"}),
        {},
        "expected a MessageGroupId",
        id="FIFO queue without a group",
    ),
    pytest.param(
        ss.ApiTarget("sns", "publish", {"TopicArn": f"arn:aws:sns:{PLACE}:news.fifo", "Message": "x"}),
        {},
        "expected a MessageGroupId",
        id="FIFO topic without a group",
    ),
    pytest.param(
        ss.ApiTarget("dynamodb", "putItem", {"TableName": "t"}), {}, "'Item' is missing", id="call lacks"
    ),
    pytest.param(
        ss.ApiTarget("ecs", "updateService", {"Service": "s", "DesiredCount": "two"}),
        {},
        "must be a",
        id="call with a word for a number",
    ),
    pytest.param(
        ss.ApiTarget("dynamodb", "putItem", {"TableName": "t", "Item": {"k": {"BOOL": True}}}),
        {},
        "expects 'Bool', not 'BOOL'",
        id="names of boto3",
    ),
    pytest.param(
        ss.ApiTarget("rds", "stopDBInstance", {"DBInstanceIdentifier": "d"}),
        {},
        "expects 'DbInstanceIdentifier', not 'DBInstanceIdentifier'",
        id="names of boto3 with an acronym",
    ),
]


@pytest.mark.parametrize(("target", "given", "words"), API)
@pytest.mark.parametrize("name", [name for name in CHECKS if name != "local"])
def test_the_request_of_a_call_is_compared_where_it_is_made(
    name: str, target: ss.Target, given: Any, words: str
) -> None:
    """On the embedded backend a function of the user stands for the call."""
    with pytest.raises((ss.UnsupportedError, ss.RenderError)) as caught:
        CHECKS[name](job(target, given))
    assert words in str(caught.value)
    CHECKS["local"](job(target, given))


RIGHT: list[Any] = [
    pytest.param(BUS, {"a": [1]}, id="detail"),
    pytest.param(TASK, {}, id="no overrides"),
    pytest.param(
        TASK,
        {
            "containerOverrides": [
                {
                    "name": "main",
                    "command": ["report"],
                    "environment": [{"name": "DUE", "value": ss.context.SCHEDULED_TIME}],
                    "memory": 512,
                }
            ],
            "cpu": "256",
            "ephemeralStorage": {"sizeInGiB": 30},
        },
        id="overrides",
    ),
    pytest.param(
        BUILD,
        {
            "sourceVersion": "v1",
            "environmentVariablesOverride": [{"name": "A", "value": "1", "type": "PLAINTEXT"}],
        },
        id="build",
    ),
    pytest.param(PIPELINE, {"variables": [{"name": "A", "value": "1"}]}, id="pipeline"),
    pytest.param(batch({"Command": ["ls"], "Environment": [{"Name": "A", "Value": "1"}]}), {}, id="batch"),
    pytest.param(
        ss.BatchTarget("report", job_queue="q", parameters={"due": ss.context.SCHEDULED_TIME}),
        {},
        id="batch parameters",
    ),
    pytest.param(
        ss.ApiTarget("dynamodb", "putItem", {"TableName": "t", "Item": {"k": {"Bool": True}}}), {}, id="call"
    ),
    pytest.param(QUEUE, "line\none\ttwo 🎉", id="text"),
    pytest.param(
        ss.ApiTarget("sqs", "sendMessage", {"QueueUrl": FIFO_URL, "MessageBody": "x", "MessageGroupId": "g"}),
        {},
        id="FIFO queue with a group",
    ),
]


@pytest.mark.parametrize(("target", "given"), RIGHT)
def test_what_the_service_accepts_is_accepted(check: Check, target: ss.Target, given: Any) -> None:
    check(job(target, given))


@pytest.mark.parametrize(
    "given",
    [
        pytest.param({"containerOverrides": [{"Name": "x"}]}, id="within"),
        pytest.param({"ContainerOverrides": [{"Name": "x"}]}, id="throughout"),
        pytest.param({"containerOverrides": [{"name": "x", "memory": "512"}]}, id="text for a number"),
    ],
)
def test_pascal_case_and_text_for_numbers_are_for_machines_only(given: Any) -> None:
    """EventBridge passes overrides on to the API as they are."""
    for name in ("local", "stepfunctions", "render_asl"):
        CHECKS[name](job(TASK, given))
    with pytest.raises(ss.UnsupportedError, match=r"Name|ContainerOverrides|must be a whole number"):
        CHECKS["eventbridge"](job(TASK, given))


def test_the_resource_of_a_call_is_given_by_the_target() -> None:
    with pytest.raises(ss.UnsupportedError, match="input has 'projectName', which the target gives"):
        CHECKS["eventbridge"](job(BUILD, {"projectName": "other"}))


class TestFargate:
    """The model of EventBridge Scheduler allows a public address only "when LaunchType is set to FARGATE"."""

    @pytest.mark.parametrize("launch_type", ["EC2", "EXTERNAL"])
    @pytest.mark.parametrize("more", [{"assign_public_ip": True}, {"platform_version": "1.4.0"}])
    def test_what_only_fargate_has_is_refused_for_others(
        self, launch_type: Any, more: dict[str, Any]
    ) -> None:
        with pytest.raises(ValueError, match=f"expected launch_type FARGATE for .*, got {launch_type}"):
            TASK.replace(launch_type=launch_type, subnets=("subnet-1",), **more)

    def test_a_public_address_needs_the_launch_type_on_eventbridge(self) -> None:
        target = TASK.replace(subnets=("subnet-1",), assign_public_ip=True)
        for name in ("local", "stepfunctions", "render_asl"):
            CHECKS[name](job(target, {}))
        with pytest.raises(ss.UnsupportedError, match="requires launch_type FARGATE for it, got None"):
            CHECKS["eventbridge"](job(target, {}))
        CHECKS["eventbridge"](job(target.replace(launch_type="FARGATE"), {}))
