"""FanOut: the queue lab's resources, without the function that sends."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import assertions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_

import stepsched as ss
from stepsched.cdk import FanOut, Scheduler

TASKS = ["Hello from Lambda #1!", "Hello from Lambda #2!", "Hello from Lambda #2!"]
ONCE = ss.OneTime("2037-12-31T23:59:59", timezone="Asia/Taipei")


def made(stack: cdk.Stack, kind: str) -> Mapping[str, Mapping[str, Any]]:
    return assertions.Template.from_stack(stack).find_resources(kind)


def test_the_job_sends_one_message_for_each_text_in_order(stack: cdk.Stack) -> None:
    FanOut(stack, "Tasks", schedule=ONCE, messages=TASKS, message_group_id="1337")
    (schedule,) = (each["Properties"] for each in made(stack, "AWS::Scheduler::Schedule").values())
    assert schedule["ScheduleExpression"] == "at(2037-12-31T23:59:59)"
    assert schedule["ScheduleExpressionTimezone"] == "Asia/Taipei"
    assert schedule["FlexibleTimeWindow"] == {"Mode": "OFF"}
    assert schedule["Target"]["Arn"] == "arn:aws:scheduler:::aws-sdk:sqs:sendMessageBatch"
    separator, parts = schedule["Target"]["Input"]["Fn::Join"]
    request = json.loads(separator.join(part if isinstance(part, str) else "url" for part in parts))
    entries = request["Entries"]
    assert [each["MessageBody"] for each in entries] == TASKS
    assert {each["MessageGroupId"] for each in entries} == {"1337"}
    assert len({each["MessageDeduplicationId"] for each in entries}) == 3


def test_no_function_is_made(stack: cdk.Stack) -> None:
    FanOut(stack, "Tasks", schedule=ONCE, messages=TASKS)
    assert made(stack, "AWS::Lambda::Function") == {}
    (role,) = made(stack, "AWS::IAM::Role").values()
    (policy,) = role["Properties"]["Policies"]
    assert [each["Action"] for each in policy["PolicyDocument"]["Statement"]] == ["sqs:SendMessage"]


def test_a_poison_message_is_set_aside(stack: cdk.Stack) -> None:
    FanOut(
        stack,
        "Tasks",
        schedule=ONCE,
        messages=TASKS,
        worker_timeout=cdk.Duration.minutes(2),
        max_receive_count=3,
    )
    queues = {name: each["Properties"] for name, each in made(stack, "AWS::SQS::Queue").items()}
    ((letters, dead),) = ((name, each) for name, each in queues.items() if "DeadLetters" in name)
    ((_, queue),) = ((name, each) for name, each in queues.items() if "DeadLetters" not in name)
    assert queue["RedrivePolicy"] == {
        "deadLetterTargetArn": {"Fn::GetAtt": [letters, "Arn"]},
        "maxReceiveCount": 3,
    }
    assert queue["VisibilityTimeout"] == 720
    assert queue["MessageRetentionPeriod"] == 345_600
    assert queue["ReceiveMessageWaitTimeSeconds"] == 20
    assert dead["MessageRetentionPeriod"] == 1_209_600
    assert queue["FifoQueue"] is dead["FifoQueue"] is True


def test_prefix_and_outputs(stack: cdk.Stack) -> None:
    FanOut(stack, "Tasks", schedule=ONCE, messages=TASKS, prefix="cdklab")
    names = {each["Properties"]["QueueName"] for each in made(stack, "AWS::SQS::Queue").values()}
    assert names == {"cdklab-tasks.fifo", "cdklab-dead-letters.fifo"}
    (schedule,) = made(stack, "AWS::Scheduler::Schedule").values()
    assert schedule["Properties"]["Name"] == "cdklab-send"
    outputs = assertions.Template.from_stack(stack).to_json()["Outputs"]
    assert {
        "SchedulerRoleName",
        "SchedulerRoleARN",
        "SchedulerARN",
        "QueueName",
        "QueueArn",
    } <= outputs.keys()


def test_without_group_the_queue_is_a_standard_one(stack: cdk.Stack) -> None:
    FanOut(stack, "Tasks", schedule=ONCE, messages=TASKS, message_group_id=None, prefix="lab")
    queues = [each["Properties"] for each in made(stack, "AWS::SQS::Queue").values()]
    assert {each["QueueName"] for each in queues} == {"lab-tasks", "lab-dead-letters"}
    assert not any("FifoQueue" in each for each in queues)


def test_a_worker_reports_the_messages_that_failed(stack: cdk.Stack) -> None:
    fan_out = FanOut(stack, "Tasks", schedule=ONCE, messages=TASKS)
    code = lambda_.Code.from_inline("def handler(event, context): ...")

    def function(name: str, seconds: int) -> lambda_.Function:
        return lambda_.Function(
            stack,
            name,
            runtime=lambda_.Runtime.PYTHON_3_13,
            handler="index.handler",
            code=code,
            timeout=cdk.Duration.seconds(seconds),
        )

    fan_out.add_worker(function("Worker", 60), max_concurrency=2)
    (source,) = (each["Properties"] for each in made(stack, "AWS::Lambda::EventSourceMapping").values())
    assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert source["BatchSize"] == 1
    with pytest.raises(ValueError, match="at most 60 s, got 61 s"):
        fan_out.add_worker(function("Slow", 61))


def test_a_consumer_may_receive_and_delete(stack: cdk.Stack) -> None:
    fan_out = FanOut(stack, "Tasks", schedule=ONCE, messages=TASKS)
    role = iam.Role(stack, "Worker", assumed_by=iam.ServicePrincipal("ecs-tasks.amazonaws.com"))
    fan_out.grant_consume(role)
    (policy,) = made(stack, "AWS::IAM::Policy").values()
    text = json.dumps(policy)
    for action in ("ReceiveMessage", "DeleteMessage", "ChangeMessageVisibility"):
        assert f"sqs:{action}" in text
    assert fan_out.metric_dead_letters().metric_name == "ApproximateNumberOfMessagesVisible"
    assert fan_out.metric_waiting_messages().metric_name == "ApproximateNumberOfMessagesVisible"
    assert fan_out.queue.fifo
    assert fan_out.dead_letter_queue.fifo
    assert fan_out.job_schedule.schedule_name


def test_more_messages_than_one_call_sends_need_a_scheduler(stack: cdk.Stack) -> None:
    many = [str(number) for number in range(11)]
    with pytest.raises(ss.UnsupportedError, match="10"):
        FanOut(stack, "Tasks", schedule=ONCE, messages=many)
    FanOut(stack, "More", schedule=ONCE, messages=many, scheduler=Scheduler(stack, "Scheduler"))
    (schedule,) = made(stack, "AWS::Scheduler::Schedule").values()
    assert all(text in json.dumps(schedule["Properties"]["Target"]["Input"]) for text in ("0", "10"))
