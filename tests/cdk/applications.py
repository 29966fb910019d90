"""The app of the tests that deploy: machines in both query languages that schedule another one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as sfn

import stepsched as ss
from stepsched.cdk import JobSchedule, Scheduler, SchedulerFragment, target_of

STACK = "PersonalizeStack"
INPUT = {"static_input": "value", "nothing": None, "derived_input.$": "$.field_in_state_input"}
SCHEDULE_PATH = "$.path.to.cron"


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
    tasks = sfn.Chain.start(
        scheduler.create_scheduled_task.state(
            stack,
            "Create",
            payload={"name": "by-task", "schedule.$": "$.schedule"},
            job=ss.Job(name="sample", schedule=cron, target=target_of(target)),
            result_path="$.created",
        )
    ).next(
        scheduler.read_scheduled_task.state(stack, "Read", payload={"name": "by-task"}, result_path="$.read")
    )
    tasks = tasks.next(
        scheduler.delete_scheduled_task.state(
            stack, "Delete", payload={"name": "by-task"}, result_path="$.deleted"
        )
    )
    machine = sfn.StateMachine(stack, "Tasks", definition_body=sfn.DefinitionBody.from_chainable(tasks))
    cdk.CfnOutput(stack, "TasksArn", value=machine.state_machine_arn)
    return app
