"""Each target as the call that AWS documents for it."""

from __future__ import annotations

import json
from typing import Any

import pytest

import stepsched as ss
from stepsched.machines.single import render_asl
from stepsched.targets.messages import queue_url
from tests.unit.asl.render import jobs
from tests.unit.asl.render.jobs import (
    BUS,
    CLUSTER,
    CONNECTION,
    LAMBDA,
    MACHINE,
    NEW_YEAR,
    OVERRIDES,
    QUEUE,
    STARTED,
    TARGETS,
    TASK,
    TOPIC,
    TRAINING,
    job,
    states_of,
)

CALLS = "arn:aws:states:::"
URL = "https://sqs.eu-west-1.amazonaws.com/123456789012/orders"


def call(target: Any, given: Any, **fields: Any) -> tuple[str, Any]:
    state = render_asl(job(target, input=given, **fields)).to_dict()["States"]["Run"]
    assert state["Resource"].startswith(CALLS)
    return state["Resource"].removeprefix(CALLS), state["Arguments"]


RUN_HEADERS = {
    "stepsched-job": "nightly",
    "webhook-id": "{% 'cb0d8dccd7d54e06acc04eeb74bef3b7/' & $due %}",
    "stepsched-scheduled-for": "{% $due %}",
    "stepsched-attempt": "{% $string($attempt + 1) %}",
}
STARTS: dict[str, tuple[str, dict[str, Any]]] = {
    "URL": (
        "http:invoke",
        {
            "ApiEndpoint": "https://example.com/a%20b",
            "Method": "POST",
            "Authentication": {"ConnectionArn": CONNECTION},
            "Headers": {"x-text": r"{% '\u007b% text %\u007d' %}", **RUN_HEADERS},
            "QueryParameters": {"q": r"{% '\u007b% 1' %}", "r": ""},
            "RequestBody": {"a": r"{% '\u007b% text %\u007d' %}"},
        },
    ),
    "URL without body": (
        "http:invoke",
        {
            "ApiEndpoint": "https://example.com",
            "Method": "GET",
            "Authentication": {"ConnectionArn": CONNECTION},
            "Headers": RUN_HEADERS,
        },
    ),
    "lambda": (
        "lambda:invoke",
        {"FunctionName": LAMBDA, "Payload": {"a": [1, None]}, "InvocationType": "Event"},
    ),
    "lambda of a version": (
        "lambda:invoke",
        {"FunctionName": f"{LAMBDA}:prod", "Payload": "text", "InvocationType": "Event"},
    ),
    "machine": ("states:startExecution", {"StateMachineArn": MACHINE, "Input": {"a": 1}}),
    "machine, alias": ("states:startExecution", {"StateMachineArn": f"{MACHINE}:prod", "Input": '"text"'}),
    "queue": ("sqs:sendMessage", {"QueueUrl": URL, "MessageBody": '{"a":1}'}),
    "queue, text": (
        "sqs:sendMessage",
        {"QueueUrl": URL, "MessageBody": r"{% 'plain \u007b% text %\u007d' %}"},
    ),
    "topic": ("sns:publish", {"TopicArn": TOPIC, "Message": '{"a":1}'}),
    "bus": (
        "events:putEvents",
        {
            "Entries": [
                {"EventBusName": BUS, "DetailType": "Scheduled Job", "Source": "stepsched", "Detail": {}}
            ]
        },
    ),
    "bus with words": (
        "events:putEvents",
        {
            "Entries": [
                {
                    "EventBusName": BUS,
                    "DetailType": r"{% 'It\u0027s \u007b% due %\u007d' %}",
                    "Source": "my.app",
                    "Detail": {"a": 1},
                }
            ]
        },
    ),
    "stream": (
        "aws-sdk:kinesis:putRecord",
        {"StreamName": "clicks", "PartitionKey": r"{% '\u007b% k %\u007d' %}", "Data": {"a": 1}},
    ),
    "delivery stream": (
        "aws-sdk:firehose:putRecord",
        {"DeliveryStreamName": "clicks", "Record": {"Data": [1]}},
    ),
    "task": ("ecs:runTask", {"Cluster": CLUSTER, "TaskDefinition": TASK}),
    "task on fargate": (
        "ecs:runTask",
        {
            "Cluster": CLUSTER,
            "TaskDefinition": TASK,
            "LaunchType": "FARGATE",
            "NetworkConfiguration": {
                "AwsvpcConfiguration": {
                    "Subnets": ["subnet-1"],
                    "SecurityGroups": ["sg-1"],
                    "AssignPublicIp": "ENABLED",
                }
            },
            "PlatformVersion": "LATEST",
            "Group": "g",
            "PropagateTags": "TASK_DEFINITION",
            "EnableExecuteCommand": True,
            "Overrides": {
                "ContainerOverrides": [{"Name": "main", "Environment": [{"Name": "A", "Value": "1"}]}]
            },
        },
    ),
    "task that is placed": (
        "ecs:runTask",
        {
            "Cluster": CLUSTER,
            "TaskDefinition": TASK,
            "LaunchType": "EC2",
            "PlacementConstraints": [{"Type": "distinctInstance"}],
            "PlacementStrategy": [{"Type": "spread", "Field": "host"}],
        },
    ),
    "tasks with everything": (
        "aws-sdk:ecs:runTask",
        {
            "Cluster": CLUSTER,
            "TaskDefinition": TASK,
            "Count": 3,
            "ReferenceId": "r",
            "NetworkConfiguration": {
                "AwsvpcConfiguration": {"Subnets": ["subnet-1"], "AssignPublicIp": "DISABLED"}
            },
            "CapacityProviderStrategy": [{"CapacityProvider": "FARGATE_SPOT", "Base": 1, "Weight": 2}],
            "Tags": [{"Key": "team", "Value": "a"}],
            "Overrides": {
                "ContainerOverrides": [{"Name": "main", "Environment": [{"Name": "A", "Value": "1"}]}]
            },
        },
    ),
    "build": ("codebuild:startBuild", {"ProjectName": "site"}),
    "build with overrides": (
        "codebuild:startBuild",
        {"ProjectName": "site", "EnvironmentVariablesOverride": [{"Name": "A", "Value": "1"}]},
    ),
    "batch": ("batch:submitJob", {"JobName": "nightly", "JobQueue": "nightly", "JobDefinition": "report"}),
    "batch with everything": (
        "batch:submitJob",
        {
            "JobName": "report",
            "JobQueue": "nightly",
            "JobDefinition": "report:3",
            "Parameters": {"format": r"{% '\u007b% pdf %\u007d' %}"},
            "ContainerOverrides": {"Environment": [{"Name": "A", "Value": "1"}], "Command": ["a"]},
        },
    ),
    "any call": ("aws-sdk:sqs:purgeQueue", {"QueueUrl": "https://sqs"}),
    "pipeline": ("aws-sdk:codepipeline:startPipelineExecution", {"Name": "release"}),
    "pipeline with variables": (
        "aws-sdk:codepipeline:startPipelineExecution",
        {"Name": "release", "Variables": [{"Name": "a", "Value": "b"}]},
    ),
    "training": ("aws-sdk:sagemaker:startPipelineExecution", {"PipelineName": TRAINING}),
    "training with parameters": (
        "aws-sdk:sagemaker:startPipelineExecution",
        {
            "PipelineName": TRAINING,
            "PipelineParameters": [{"Name": "a", "Value": r"{% '\u007b% b %\u007d' %}"}],
        },
    ),
}
WAITS: dict[str, str] = {
    "lambda": "lambda:invoke",
    "machine": "states:startExecution.sync:2",
    "task": "ecs:runTask.sync",
    "build": "codebuild:startBuild.sync",
    "batch": "batch:submitJob.sync",
    "queue": "sqs:sendMessage",
    "any call": "aws-sdk:sqs:purgeQueue",
}


def test_every_target_is_looked_at() -> None:
    several = {"fifo queue", "fifo topic", "parallel"}  # tests of their own look at these
    several |= {"several messages", "several fifo messages", "parallel with messages"}
    assert STARTS.keys() | several == TARGETS.keys() | STARTED.keys()


@pytest.mark.parametrize("name", STARTS)
def test_a_target_is_started(name: str) -> None:
    assert call(*(TARGETS | STARTED)[name]) == STARTS[name]


@pytest.mark.parametrize("name", WAITS)
def test_a_target_is_waited_for(name: str) -> None:
    expected = {key: value for key, value in STARTS[name][1].items() if key != "InvocationType"}
    for fields in (
        {"overlap": ss.Overlap.QUEUE},
        {"overlap": ss.Overlap.SKIP},
        {"schedule": ss.OneTime(NEW_YEAR)},
    ):
        assert call(*TARGETS[name], **fields) == (WAITS[name], expected)


@pytest.mark.parametrize("given", [None, True, 5, 1.5, [], {}, "x", [{"a": "b"}]])
def test_any_json_is_handed_over(given: Any) -> None:
    assert call(TARGETS["lambda"][0], given)[1]["Payload"] == given
    body = call(TARGETS["queue"][0], given)[1]["MessageBody"]
    assert body == (given if isinstance(given, str) else json.dumps(given, separators=(",", ":")))
    started = call(TARGETS["machine"][0], given)[1]["Input"]
    assert started == (json.dumps(given) if isinstance(given, str) else given)


# -- only once ------------------------------------------------------------------------------------------


def _once(target: Any, **fields: Any) -> list[str]:
    states = states_of(render_asl(job(target, **fields)).to_dict())
    return [
        state["Arguments"]["MessageDeduplicationId"]
        for _, state in states
        if "MessageDed" in str(state.get("Arguments"))
    ]


def test_each_run_is_another_message_and_each_attempt_the_same() -> None:
    """The text hangs on the due time, and on nothing that an attempt or an execution changes."""
    for name in ("fifo queue", "fifo topic"):
        (expression,) = _once(TARGETS[name][0])
        assert expression.endswith("' & $due %}")
        assert "$attempt" not in expression
        assert "context" not in expression
        assert len(expression) < 128


def test_each_job_and_each_part_is_another_message() -> None:
    fifo = TARGETS["fifo queue"][0]
    texts = [
        *_once(fifo),
        *_once(fifo, name="hourly"),
        *_once(fifo, group="other"),
        *_once(ss.ParallelTarget([fifo, fifo, TARGETS["fifo topic"][0]])),
    ]
    assert len(texts) == len(set(texts)) == 6


def test_groups_of_messages() -> None:
    assert call(*TARGETS["fifo queue"])[1]["MessageGroupId"] == "g"
    assert call(*TARGETS["fifo topic"])[1]["MessageGroupId"] == "nightly"
    hostile = ss.QueueTarget(f"{QUEUE}.fifo", message_group_id="{%$due%}")
    assert call(hostile, {})[1]["MessageGroupId"] == r"{% '\u007b%$due%\u007d' %}"


# -- parallel -------------------------------------------------------------------------------------------


def test_parts_of_a_parallel_stand_side_by_side() -> None:
    states = render_asl(job(*_given("parallel"))).to_dict()["States"]
    branches = states["Run"]["Branches"]
    assert [branch["StartAt"] for branch in branches] == ["Start 1", "Start 2", "Start 3"]
    resources = [branch["States"][f"Run {number}"]["Resource"] for number, branch in enumerate(branches, 1)]
    assert resources == [f"{CALLS}lambda:invoke", f"{CALLS}sqs:sendMessage", f"{CALLS}states:startExecution"]
    assert states["Run"]["Next"] == "All done?"
    assert "Retry" not in states["Run"]
    for number, branch in enumerate(branches, 1):
        assert branch["States"][f"Run {number}"]["Catch"][0]["Next"] == f"Try again {number}?"
        assert branch["States"][f"Given up {number}"]["Output"]["part"] == number


def _given(name: str) -> tuple[Any]:
    return (TARGETS[name][0],)


# -- names ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arn", "url"),
    [
        (QUEUE, URL),
        ("arn:aws-cn:sqs:cn-north-1:1:q", "https://sqs.cn-north-1.amazonaws.com.cn/1/q"),
        ("arn:aws-us-gov:sqs:us-gov-west-1:1:q.fifo", "https://sqs.us-gov-west-1.amazonaws.com/1/q.fifo"),
    ],
)
def test_the_url_of_a_queue(arn: str, url: str) -> None:
    assert queue_url(arn) == url


# -- context attributes ---------------------------------------------------------------------------------


def test_attributes_become_expressions() -> None:
    payload = call(TARGETS["lambda"][0], jobs.DUE)[1]["Payload"]
    assert payload["due"] == "{% $due %}"
    assert payload["n"] == ["{% $string($attempt + 1) %}"]
    assert payload["key"] == (
        "{% 'runs/' & $substring($hash($states.context.Execution.Name & '/' & $due & '/' & "
        "$string($attempt + 1), 'SHA-256'), 0, 20) %}"
    )
    body = call(TARGETS["queue"][0], jobs.DUE)[1]["MessageBody"]
    assert body.startswith(r"""{% '\u007b\"due\":\"' & $due & '\",\"key\":\"runs/' & """)


def test_attributes_of_a_part_are_its_own() -> None:
    parallel = ss.ParallelTarget([ss.LambdaTarget(LAMBDA), ss.LambdaTarget(LAMBDA)])
    branches = render_asl(job(parallel, input=jobs.DUE)).to_dict()["States"]["Run"]["Branches"]
    for number, branch in enumerate(branches, 1):
        payload = branch["States"][f"Run {number}"]["Arguments"]["Payload"]
        assert payload["n"] == [f"{{% $string($tries_{number} + 1) %}}"]
        assert f"& $due & '/{number}' & '/' & $string($tries_{number} + 1), 'SHA-256')" in payload["key"]


def test_overrides_are_written_with_capitals() -> None:
    arguments = call(TARGETS["task"][0], OVERRIDES)[1]
    assert arguments["Overrides"]["ContainerOverrides"][0]["Environment"] == [{"Name": "A", "Value": "1"}]
