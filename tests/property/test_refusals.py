"""A refusal names exactly the backends that accept the same job, over a random walk through the jobs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from random import Random
from typing import Any, get_args

import pytest

import stepsched as ss
from stepsched.backends.capabilities import BUILT_IN
from stepsched.backends.eventbridge.checks import check_job
from stepsched.backends.eventbridge.documents import Settings
from stepsched.backends.local.invoke import Invoker
from stepsched.backends.stepfunctions.instructions import instructions_of
from stepsched.core.errors import RenderError
from stepsched.machines.calls import all_calls
from stepsched.schedules import AnySchedule
from stepsched.targets import (
    ApiTarget,
    AwsTarget,
    BatchTarget,
    CodeBuildTarget,
    CodePipelineTarget,
    EcsTaskTarget,
    KinesisTarget,
    SageMakerPipelineTarget,
    TemplateTarget,
)

JOBS = 400
PLACE = "eu-west-1:123456789012"
TASK = EcsTaskTarget(
    f"arn:aws:ecs:{PLACE}:cluster/main", task_definition_arn=f"arn:aws:ecs:{PLACE}:task-definition/report:3"
)
LAMBDA = ss.LambdaTarget(f"arn:aws:lambda:{PLACE}:function:f")
TOPIC = ss.TopicTarget(f"arn:aws:sns:{PLACE}:alarms")
QUEUE = ss.QueueTarget(f"arn:aws:sqs:{PLACE}:work")
TARGETS: list[ss.Target] = [
    LAMBDA,
    QUEUE,
    TOPIC,
    ss.StateMachineTarget(f"arn:aws:states:{PLACE}:stateMachine:report"),
    ss.EventBusTarget(f"arn:aws:events:{PLACE}:event-bus/default", detail_type="due", source="shop"),
    KinesisTarget(f"arn:aws:kinesis:{PLACE}:stream/clicks", partition_key="a"),
    TASK,
    TASK.replace(task_count=2),
    TASK.replace(tags={"team": "a"}),
    BatchTarget("report", job_queue="nightly"),
    CodeBuildTarget(f"arn:aws:codebuild:{PLACE}:project/site"),
    CodePipelineTarget(f"arn:aws:codepipeline:{PLACE}:release"),
    SageMakerPipelineTarget(f"arn:aws:sagemaker:{PLACE}:pipeline/train"),
    ApiTarget("rds", "stopDBInstance", {"DbInstanceIdentifier": "test"}),
    TemplateTarget(f"arn:aws:inspector:{PLACE}:target/0-a/template/0-b"),
    ss.HandlerTarget("builtins:print"),
    ss.CommandTarget(["true"]),
    ss.ParallelTarget([LAMBDA, QUEUE]),
    ss.ParallelTarget([LAMBDA, ss.CommandTarget(["true"])]),
    ss.ParallelTarget([TASK, CodePipelineTarget(f"arn:aws:codepipeline:{PLACE}:release")]),
]
START = datetime(2031, 1, 31, 9, tzinfo=timezone.utc)
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
SCHEDULES: list[AnySchedule] = [
    ss.Cron("0 9 * * ? *", timezone="Europe/Paris"),
    ss.Cron("0 9 * * ? *", start=START + SECOND / 4),
    ss.Cron.from_crontab("0 9 1 * MON"),
    ss.Cron.from_crontab("0 9 * * MON"),
    ss.Rate(5 * MINUTE),
    ss.Rate(5 * MINUTE, start=START + SECOND / 4),
    ss.Rate(5 * MINUTE, end=START + SECOND / 4),
    ss.OneTime(START),
    ss.OneTime("2031-10-26T02:30", timezone="Europe/Paris"),
    *(
        ss.Windowed(start, every=every, timezone=zone)
        for start in ("2031-01-31T09:00", "2031-01-01T09:00:00.5")
        for zone in ("UTC", "Europe/Paris")
        for every in (
            ss.Frequency(hours=2),
            ss.Frequency(months=1),
            ss.Frequency(months=5),
            ss.Frequency(days=2),
            ss.Frequency(seconds=10),
        )
    ),
]
LENGTHS = [None, MINUTE, 90 * SECOND, 10.5 * SECOND, timedelta(hours=1)]
POLICIES: dict[str, list[Any]] = {
    "overlap": list(ss.Overlap),
    "catch_up": list(ss.CatchUp),
    "catch_up_within": LENGTHS,
    "max_run_time": LENGTHS,
    "jitter": [length or timedelta(0) for length in LENGTHS],
    "notify": [None, TOPIC],
    "dead_letter": [None, QUEUE],
    "on_failure": list(ss.OnFailure),
    "retry": [
        ss.Retry(max_attempts=3),
        ss.Retry(max_age=90.5 * SECOND),
        ss.Retry(interval=20.5 * SECOND),
        ss.Retry(max_delay=timedelta(hours=1)),
    ],
}


INPUTS: list[Any] = [
    *(
        "text",
        "",
        [1],
        5,
        {"a": 1},
        {"containerOverrides": []},
        {"at": ss.context.SCHEDULED_TIME},
        {"n": 2**60},
    ),
]


def jobs(*, inputs: list[Any]) -> list[ss.Job]:
    """Jobs with any target, any schedule, up to three policies and any of these inputs. Fields that make no
    job are left out."""
    random, found = Random("refusals"), list[ss.Job]()
    while len(found) < JOBS:
        names = random.sample(sorted(POLICIES), random.randint(0, 3))
        policies = {name: random.choice(POLICIES[name]) for name in names}
        try:
            job = ss.Job(
                name="job",
                schedule=random.choice(SCHEDULES),
                target=random.choice(TARGETS),
                input=random.choice(inputs),
                **policies,
            )
        except ValueError:
            continue
        found.append(job)
    return found


CALLS = [*all_calls(), "aws-sdk:rds:stopDBInstance", "aws-sdk:rds:stopDbInstance"]
CHECKS: dict[str, Callable[[ss.Job], object]] = {
    "EventBridgeBackend": lambda job: check_job(
        job,
        Settings("arn:aws:iam::123456789012:role/runner", group=None),
        region="eu-west-1",
        partition="aws",
    ),
    "StepFunctionsBackend": lambda job: instructions_of(
        job, anchor=START, version=1, retention=timedelta(days=30), calls=CALLS
    ),
    "LocalBackend": lambda job: Invoker(dict.fromkeys(get_args(AwsTarget), print)).check(job, shared=True),
    "LocalBackend without handlers": lambda job: Invoker({}).check(job, shared=True),
}


def refusal(check: Callable[[ss.Job], object], job: ss.Job) -> ss.UnsupportedError | None:
    try:
        check(job)
    except ss.UnsupportedError as error:
        return error
    return None


def is_rendered(job: ss.Job) -> bool:
    try:
        ss.render_asl(job)
    except RenderError:
        return False
    return True


@pytest.mark.filterwarnings("ignore::stepsched.ScheduleWarning")
def test_a_refusal_names_exactly_what_accepts_the_same_job() -> None:
    refused = 0
    for job in jobs(inputs=[{}]):
        answers = {name: refusal(check, job) for name, check in CHECKS.items()}
        able = [name for name in BUILT_IN if answers[name] is None]
        for name, error in answers.items():
            if error is None:
                continue
            refused += 1
            named = [each for each in error.alternatives if each in BUILT_IN]
            wanted = [each for each in able if not name.startswith(each)]
            assert named == wanted, (name, str(error), job)
            if "render_asl" in str(error):
                assert is_rendered(job), (name, str(error), job)
            elif not name.startswith("LocalBackend"):
                assert not is_rendered(job), (name, str(error), job)
    assert refused > JOBS / 2


@pytest.mark.filterwarnings("ignore::stepsched.ScheduleWarning")
def test_a_refusal_names_step_functions_only_where_it_passes_the_data() -> None:
    refused = 0
    for job in jobs(inputs=INPUTS):
        answers = {name: refusal(check, job) for name, check in CHECKS.items()}
        wrong = answers["StepFunctionsBackend"]
        if wrong is None:
            continue
        refused += 1
        for name, error in answers.items():
            named = () if error is None else error.alternatives
            assert "StepFunctionsBackend" not in named, (name, str(error), str(wrong), job)
    assert refused > JOBS / 3
