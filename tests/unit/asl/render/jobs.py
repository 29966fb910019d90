"""Jobs of every kind: every target with nothing and with all of its options, every schedule, every policy."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import stepsched as ss
from stepsched.core import context

CONNECTION = "arn:aws:events:eu-west-1:123456789012:connection/hooks/0b64b4c9-7f0c-4ad6-8c0e-7e2f7a4f0c11"
LAMBDA = "arn:aws:lambda:eu-west-1:123456789012:function:report"
MACHINE = "arn:aws:states:eu-west-1:123456789012:stateMachine:close"
QUEUE = "arn:aws:sqs:eu-west-1:123456789012:orders"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:news"
BUS = "arn:aws:events:eu-west-1:123456789012:event-bus/default"
STREAM = "arn:aws:kinesis:eu-west-1:123456789012:stream/clicks"
FIREHOSE = "arn:aws:firehose:eu-west-1:123456789012:deliverystream/clicks"
CLUSTER = "arn:aws:ecs:eu-west-1:123456789012:cluster/main"
TASK = "arn:aws:ecs:eu-west-1:123456789012:task-definition/report:3"
BUILD = "arn:aws:codebuild:eu-west-1:123456789012:project/site"
PIPELINE = "arn:aws:codepipeline:eu-west-1:123456789012:release"
TRAINING = "arn:aws:sagemaker:eu-west-1:123456789012:pipeline/train"

NEW_YEAR = datetime(2030, 1, 1, tzinfo=timezone.utc)
HOUR = timedelta(hours=1)
CHINA = ("arn:aws:", "arn:aws-cn:"), ("eu-west-1", "cn-north-1")
GOV = ("arn:aws:", "arn:aws-us-gov:"), ("eu-west-1", "us-gov-west-1")

OVERRIDES = {"containerOverrides": [{"name": "main", "environment": [{"name": "A", "value": "1"}]}]}
VARIABLES = {"variables": [{"name": "a", "value": "b"}]}
ENVIRONMENT = {"environmentVariablesOverride": [{"name": "A", "value": "1"}]}

# Target and input; the second is what the target takes at most.
TARGETS: dict[str, tuple[Any, Any]] = {
    "lambda": (ss.LambdaTarget(LAMBDA), {"a": [1, None]}),
    "lambda of a version": (ss.LambdaTarget(f"{LAMBDA}:prod"), "text"),
    "machine": (ss.StateMachineTarget(MACHINE), {"a": 1}),
    "machine, alias": (ss.StateMachineTarget(f"{MACHINE}:prod"), "text"),
    "queue": (ss.QueueTarget(QUEUE), {"a": 1}),
    "queue, text": (ss.QueueTarget(QUEUE), "plain {% text %}"),
    "fifo queue": (ss.QueueTarget(f"{QUEUE}.fifo", message_group_id="g"), {}),
    "several messages": (ss.FanOutTarget(QUEUE, ["plain {% text %}"]), {}),
    "several fifo messages": (ss.FanOutTarget(f"{QUEUE}.fifo", ["a"] * 25, message_group_id="{%g%}"), {}),
    "topic": (ss.TopicTarget(TOPIC), {"a": 1}),
    "fifo topic": (ss.TopicTarget(f"{TOPIC}.fifo"), "text"),
    "bus": (ss.EventBusTarget(BUS), {}),
    "URL": (
        ss.HttpTarget(
            "https://example.com/a%20b?q=%7B%25%201&r=",
            headers={"x-text": "{% text %}"},
            connection_arn=CONNECTION,
        ),
        {"a": "{% text %}"},
    ),
    "URL without body": (
        ss.HttpTarget("https://example.com", method="GET", connection_arn=CONNECTION),
        {},
    ),
    "bus with words": (ss.EventBusTarget(BUS, detail_type="It's {% due %}", source="my.app"), {"a": 1}),
    "stream": (ss.targets.KinesisTarget(STREAM, partition_key="{% k %}"), {"a": 1}),
    "delivery stream": (ss.targets.FirehoseTarget(FIREHOSE), [1]),
    "task": (ss.targets.EcsTaskTarget(CLUSTER, task_definition_arn=TASK), {}),
    "task on fargate": (
        ss.targets.EcsTaskTarget(
            CLUSTER,
            task_definition_arn=TASK,
            launch_type="FARGATE",
            subnets=["subnet-1"],
            security_groups=["sg-1"],
            assign_public_ip=True,
            platform_version="LATEST",
            group="g",
            propagate_tags=True,
            execute_command=True,
        ),
        OVERRIDES,
    ),
    "task that is placed": (
        ss.targets.EcsTaskTarget(
            CLUSTER,
            task_definition_arn=TASK,
            launch_type="EC2",
            placement=[
                ss.targets.Placement(type="spread", value="host"),
                ss.targets.Placement(type="distinctInstance"),
            ],
        ),
        {},
    ),
    "build": (ss.targets.CodeBuildTarget(BUILD), {}),
    "build with overrides": (ss.targets.CodeBuildTarget(BUILD), ENVIRONMENT),
    "batch": (ss.BatchTarget("report", job_queue="nightly"), {}),
    "batch with everything": (
        ss.BatchTarget(
            "report:3",
            job_queue="nightly",
            job_name="report",
            parameters={"format": "{% pdf %}"},
            container_overrides={"environment": [{"name": "A", "value": "1"}], "command": ["a"]},
        ),
        {},
    ),
    "any call": (ss.ApiTarget("sqs", "purgeQueue", {"QueueUrl": "https://sqs"}), {}),
    "parallel": (
        ss.ParallelTarget([ss.LambdaTarget(LAMBDA), ss.QueueTarget(QUEUE), ss.StateMachineTarget(MACHINE)]),
        {"a": 1},
    ),
    "parallel with messages": (
        ss.ParallelTarget(
            [ss.LambdaTarget(LAMBDA), ss.FanOutTarget(QUEUE, ["a"] * 11), ss.FanOutTarget(QUEUE, ["b"])]
        ),
        {},
    ),
}
"""Those that any policy allows."""

STARTED: dict[str, tuple[Any, Any]] = {
    "tasks with everything": (
        ss.targets.EcsTaskTarget(
            CLUSTER,
            task_definition_arn=TASK,
            task_count=3,
            subnets=["subnet-1"],
            capacity_providers=[ss.targets.CapacityProvider(name="FARGATE_SPOT", base=1, weight=2)],
            reference_id="r",
            tags={"team": "a"},
        ),
        OVERRIDES,
    ),
    "pipeline": (ss.targets.CodePipelineTarget(PIPELINE), {}),
    "pipeline with variables": (ss.targets.CodePipelineTarget(PIPELINE), VARIABLES),
    "training": (ss.targets.SageMakerPipelineTarget(TRAINING), {}),
    "training with parameters": (
        ss.targets.SageMakerPipelineTarget(TRAINING, parameters={"a": "{% b %}"}),
        {},
    ),
}
"""Those that Step Functions can only start."""

SCHEDULES: dict[str, ss.Schedule] = {
    "rate": ss.Rate(HOUR),
    "bounded rate": ss.Rate(HOUR, start=NEW_YEAR, end=NEW_YEAR + timedelta(days=1)),
    "one time": ss.OneTime("2030-01-01T09:00", timezone="Europe/Paris"),
    "cron": ss.Cron("0 9 * * ? *"),
    "weekdays in Paris": ss.Cron("0 9 ? * MON-FRI *", timezone="Europe/Paris", start=NEW_YEAR),
    "last of the month": ss.Cron("30 2 L * ? 2030-2040", timezone="America/New_York"),
    "unix": ss.Cron.from_crontab("0 9 13 * 5", timezone="Africa/Casablanca"),
    "months": ss.Windowed("2030-01-31T02:30", every=ss.Frequency(months=1), timezone="Europe/Paris"),
    "days and hours": ss.Windowed(
        "2030-01-31T02:30", end="2031-01-31T00:00", every=ss.Frequency(days=1, hours=2)
    ),
    "quarters of an hour": ss.Windowed("2030-01-01T00:00", every=ss.Frequency(minutes=15)),
}

POLICIES: dict[str, dict[str, Any]] = {
    "nothing": {},
    "skip": {"overlap": ss.Overlap.SKIP, "max_run_time": HOUR, "catch_up": ss.CatchUp.ONE},
    "queue": {"overlap": ss.Overlap.QUEUE, "catch_up": ss.CatchUp.SKIP, "on_failure": ss.OnFailure.STOP},
    "everything told": {
        "dead_letter": ss.QueueTarget(f"{QUEUE}-dead"),
        "notify": ss.TopicTarget(TOPIC),
        "description": "{% d %} ü\n",
        "jitter": timedelta(minutes=5),
        "completion": ss.Completion.KEEP,
        "group": "reports",
        "tags": {"a": "b"},
    },
    "no retry": {"retry": ss.Retry(max_attempts=0), "dead_letter": ss.QueueTarget(f"{QUEUE}-dead")},
    "many retries": {
        "retry": ss.Retry(
            max_attempts=185,
            max_age=timedelta(hours=24),
            interval=timedelta(seconds=1.5),
            backoff_rate=1.7,
            max_delay=timedelta(minutes=10),
        ),
        "on_failure": ss.OnFailure.STOP,
        "notify": ss.TopicTarget(TOPIC),
    },
}

DUE = {"due": context.SCHEDULED_TIME, "key": "runs/" + context.EXECUTION_ID, "n": [context.ATTEMPT_NUMBER]}


def job(target: Any = None, **fields: Any) -> ss.Job:
    """A job that is sound but for what a test says."""
    target = ss.LambdaTarget(LAMBDA) if target is None else target
    return ss.Job(**{"name": "nightly", "schedule": ss.Rate(HOUR), "target": target, **fields})


def moved(target: Any, replaced: tuple[tuple[str, str], ...]) -> Any:
    """The same target in another part of AWS."""
    text = target.model_dump_json()
    for old, new in replaced:
        text = text.replace(old, new)
    return type(target).model_validate_json(text)


def matrix() -> Iterator[tuple[str, ss.Job]]:
    """Every target with every schedule and with every policy, and every schedule with every policy."""
    for name, (target, given) in TARGETS.items():
        for when, schedule in SCHEDULES.items():
            yield f"{name} / {when}", job(target, input=given, schedule=schedule)
        for how, policy in POLICIES.items():
            yield f"{name} / {how}", job(target, input=given, **policy)
    for name, (target, given) in STARTED.items():
        yield name, job(target, input=given, **POLICIES["everything told"])
    for when, schedule in SCHEDULES.items():
        for how, policy in POLICIES.items():
            yield f"{when} / {how}", job(schedule=schedule, input=DUE, **policy)


def states_of(flow: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """All states of a definition, those of branches too."""
    for name, state in flow["States"].items():
        yield name, state
        for branch in state.get("Branches", ()):
            yield from states_of(branch)
