"""The life cycle of jobs on Step Functions: deploy, create, run, inspect, repair, remove.

It makes a stack and a queue in the account and Region that boto3 finds, costs less than a cent, takes two or
three minutes, and removes what it has made.
"""

from __future__ import annotations

import json
import time
from datetime import datetime, timedelta, timezone
from typing import Any
from uuid import uuid4

import boto3

import stepsched as ss


def main() -> None:
    name = f"stepsched-example-{uuid4().hex[:8]}"
    sqs = boto3.client("sqs")
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    try:
        answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        queue = ss.QueueTarget(answer["Attributes"]["QueueArn"])
        outputs = deploy(name, [queue])
        client = ss.SchedulerClient.from_stack(name)
        wake_up(client, queue)
        (message,) = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=10)["Messages"]
        print(f"message:   {message['Body']}")
        repair(client, queue, outputs["StateMachineArn"])
        for record in client.list():
            client.cancel(record.name)
        remove(name, outputs["TableName"])
    finally:
        sqs.delete_queue(QueueUrl=url)
    print(f"removed:   {name}")


def deploy(name: str, targets: list[ss.Target]) -> dict[str, str]:
    """Creates the stack, and returns its outputs."""
    cloudformation: Any = boto3.client("cloudformation")
    template = json.dumps(ss.deploy.template(targets), separators=(",", ":"))
    cloudformation.create_stack(StackName=name, TemplateBody=template, Capabilities=["CAPABILITY_IAM"])
    cloudformation.get_waiter("stack_create_complete").wait(StackName=name)
    (stack,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
    return {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]}


def wake_up(client: ss.SchedulerClient, queue: ss.QueueTarget) -> None:
    """Creates a job that is due in a moment, at an exact second."""
    soon = datetime.now(timezone.utc).replace(microsecond=0) + timedelta(seconds=5)  # noqa: TID251 -- an application's clock
    record = client.create(
        ss.Job(name="wake-up", schedule=ss.OneTime(soon), target=queue, input={"text": "good morning"})
    )
    print(f"created:   {record.name}, next {record.next_run:%H:%M:%S}")
    while not (found := client.runs("wake-up")) or found[0].ended_at is None:
        time.sleep(1)  # noqa: TID251 -- nothing runs here: it looks at what has happened there
    run = found[0]
    print(
        f"run:       {run.status.value}, scheduled for {run.scheduled_for:%H:%M:%S}, "
        f"started at {run.started_at:%H:%M:%S}"
    )


def repair(client: ss.SchedulerClient, queue: ss.QueueTarget, machine_arn: str) -> None:
    """Repairs a job whose execution was stopped by hand."""
    client.create(
        ss.Job(name="nightly", schedule=ss.Cron("0 2 * * ? *", timezone="Europe/Paris"), target=queue)
    )
    states: Any = boto3.client("stepfunctions")
    running = states.list_executions(stateMachineArn=machine_arn, statusFilter="RUNNING")["executions"]
    for execution in running:
        states.stop_execution(executionArn=execution["executionArn"])
    for each in client.repair():
        print(f"repaired:  {each.job} was {each.problem.value}; {each.remedy}")


def remove(name: str, table_name: str) -> None:
    """Deletes the stack, and the table, which is retained otherwise."""
    cloudformation: Any = boto3.client("cloudformation")
    cloudformation.delete_stack(StackName=name)
    cloudformation.get_waiter("stack_delete_complete").wait(StackName=name)
    boto3.client("dynamodb").delete_table(TableName=table_name)


if __name__ == "__main__":
    main()
