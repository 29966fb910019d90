"""The app of the tests that deploy: machines in both query languages that schedule another one."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as sfn

import stepsched as ss
from stepsched.cdk import FanOut, JobSchedule, Scheduler, SchedulerFragment, target_of

STACK = "PersonalizeStack"
INPUT = {"static_input": "value", "nothing": None, "derived_input.$": "$.field_in_state_input"}
SCHEDULE_PATH = "$.path.to.cron"
MESSAGES = ["one", "same", "same"]


def user(
    stack: cdk.Stack, name: str, language: sfn.QueryLanguage, scheduler: Any, target: Any, **more: Any
) -> sfn.StateMachine:
    """A machine of the user that schedules the target, and tells its input afterwards."""
    fragment = SchedulerFragment(
        stack,
        f"{name} Schedule",
        schedule_for=f"my {name} schedule",
        schedule_for_suffix="$.group",
        scheduler=scheduler,
        target=target,
        schedule_path=SCHEDULE_PATH,
        schedule_input=INPUT,
        query_language=language,
        **more,
    )
    body = sfn.DefinitionBody.from_chainable(fragment.next(sfn.Pass(stack, f"{name} Done")))
    machine = sfn.StateMachine(stack, name, definition_body=body, query_language=language)
    cdk.CfnOutput(stack, f"{name}Arn", value=machine.state_machine_arn)
    return machine


def application(folder: Path, account: str, region: str) -> cdk.App:
    """The app of a stack with two schedulers, one of them with an Express register."""
    app = cdk.App(outdir=str(folder), analytics_reporting=False)
    stack = cdk.Stack(app, STACK, env=cdk.Environment(account=account, region=region))
    work = sfn.DefinitionBody.from_chainable(sfn.Pass(stack, "Work"))
    target = sfn.StateMachine(stack, "Target", definition_body=work)
    cdk.CfnOutput(stack, "TargetArn", value=target.state_machine_arn)
    scheduler = Scheduler(stack, "Scheduler", alarms=True, dashboard=True)
    scheduler.grant_invoke(target)
    user(stack, "JsonPath", sfn.QueryLanguage.JSON_PATH, scheduler, target, timezone="Europe/Paris")
    user(stack, "Jsonata", sfn.QueryLanguage.JSONATA, scheduler, target)
    inbox = sqs.Queue(stack, "Inbox")
    cdk.CfnOutput(stack, "InboxUrl", value=inbox.queue_url)
    cron = ss.Cron("0 9 * * ? *", timezone="Europe/Paris")
    known = ss.Job(name="known", schedule=cron, target=target_of(inbox), input={"n": None})
    JobSchedule(stack, "Known", job=known, scheduler=scheduler)
    JobSchedule(stack, "Nightly", job=known.replace(name="nightly"))
    FanOut(stack, "FanOut", schedule=ss.Rate(timedelta(minutes=10)), messages=MESSAGES, prefix="lab")
    blue = Scheduler(stack, "Blue", sync=False, express=True)
    user(stack, "ExpressJsonPath", sfn.QueryLanguage.JSON_PATH, blue, target)
    user(stack, "ExpressJsonata", sfn.QueryLanguage.JSONATA, blue, target)
    task_machine(stack, "Tasks", scheduler, target)
    task_machine(stack, "ExpressTasks", blue, target)
    return app


def task_machine(stack: cdk.Stack, name: str, scheduler: Scheduler, target: Any) -> None:
    """A machine that creates, reads and deletes a job, and deletes one with a name that is refused."""
    cron = ss.Cron("0 9 * * ? *", timezone="Europe/Paris")
    given, prefix = {"name": "by-task"}, f"{name} "
    create = scheduler.create_scheduled_task.state(
        stack,
        f"{prefix}Create",
        payload={**given, "schedule.$": "$.schedule"},
        job=ss.Job(name="sample", schedule=cron, target=target_of(target)),
        result_path="$.created",
    )
    read = scheduler.read_scheduled_task.state(
        stack,
        f"{prefix}Read",
        payload=given,
        result_selector={"state": "read", "answer.$": "$.Output", "status.$": "$.Status"},
        result_path="$.read",
    )
    delete = scheduler.delete_scheduled_task.state(
        stack, f"{prefix}Delete", payload=given, result_path="$.deleted"
    )
    again = scheduler.read_scheduled_task.state(stack, f"{prefix}Again", payload=given, result_path="$.again")
    caught = scheduler.delete_scheduled_task.state(
        stack,
        f"{prefix}Refused",
        payload={"name": " "},
        failure_state=sfn.Pass(stack, f"{prefix}Caught"),
    )
    chain = sfn.Chain.start(create).next(read).next(delete).next(again).next(caught)
    machine = sfn.StateMachine(stack, name, definition_body=sfn.DefinitionBody.from_chainable(chain))
    cdk.CfnOutput(stack, f"{name}Arn", value=machine.state_machine_arn)
