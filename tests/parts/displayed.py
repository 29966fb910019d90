"""A sample of each class that shows itself, with texts that try to be markup."""

from __future__ import annotations

import pkgutil
import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from functools import cache
from importlib import import_module
from typing import Any

import boto3

import stepsched as ss
from stepsched.display.results import Displayed, DisplayedFields, Results
from stepsched.schedules.base import BoundedSchedule, ScheduleBase
from stepsched.targets.base import ServiceTarget, TargetValue
from stepsched.testing import FakeClock
from stepsched.workers.messages import _WorkerValue
from tests.parts.displayed_others import other_samples

T0 = datetime(2030, 1, 7, tzinfo=timezone.utc)
EVIL = (
    "<script src='//e.example'>alert(1)</script> | *a* _b_ `c` [d](e) $f$ ~g~ \\ &amp; \"q\" 日本 😀 e\u0301"
)
"""Markup of every kind, wide characters, and one that combines; each may stand in a name."""
HOSTILE = f"# {EVIL}\n\x1b[31m\u202eabc\u2066\u200f\x00\ttab\r\n\n- item\ud800" + "long " * 2_000
"""Control characters, marks of direction, and 10,000 characters."""
LAMBDA = "arn:aws:lambda:eu-west-1:123456789012:function:f"
QUEUE = "arn:aws:sqs:eu-west-1:123456789012:q"
BASES = {
    Displayed,
    Results,
    TargetValue,
    ServiceTarget,
    ScheduleBase,
    BoundedSchedule,
    ss.backends.Backend,
    DisplayedFields,
    _WorkerValue,
}
"""Classes of which there are only subclasses."""
_NOT_INSTALLED = ("stepsched.cdk", "stepsched.__main__")


def displayed_classes() -> list[type[Displayed]]:
    """Every class of the package that shows itself."""
    for module in pkgutil.walk_packages(ss.__path__, "stepsched."):
        if not module.name.startswith(_NOT_INSTALLED):
            import_module(module.name)
    return sorted(_below(Displayed), key=lambda kind: (kind.__module__, kind.__name__))


def _below(kind: type[Any]) -> set[type[Any]]:
    # A class with slots replaces another one of its name, which is not the one that is used.
    is_ours = kind.__module__.startswith("stepsched.")
    is_used = is_ours and getattr(sys.modules[kind.__module__], kind.__name__, None) is kind
    found = {kind} if is_used and kind not in BASES else set[type[Any]]()
    return found.union(*map(_below, kind.__subclasses__()))


def sample_of(kind: type[Any]) -> Any:
    """The sample of a class."""
    found = samples().get(kind)
    assert found is not None, f"add a sample of {kind.__name__} to {__name__}"
    return found()


@cache
def samples() -> dict[type[Any], Callable[[], Any]]:
    """The samples by their classes."""
    client = _client()
    job = client.get(EVIL).job
    made: list[Callable[[], Any]] = [
        *(lambda value=value: value for value in [*_schedules(), *_targets(), *_of_jobs(client, job)]),
        lambda: client,
        lambda: client.backend,
        lambda: ss.AsyncSchedulerClient(client.backend),
        lambda: client.list(),
        lambda: client.runs(),
        lambda: client.versions(EVIL),
        lambda: ss.jobs.Repairs([_repair()]),
        lambda: client.upcoming(limit=3),
        lambda: job.schedule.upcoming(3, after=T0),
        lambda: ss.timeline([job.schedule], after=T0),
        lambda: ss.EventBridgeBackend("arn:aws:iam::123456789012:role/r", session=_session()),
        _stepfunctions,
        *other_samples(EVIL, HOSTILE),
    ]
    return {type(make()): make for make in made}


def _client() -> ss.SchedulerClient:
    backend = ss.LocalBackend(clock=FakeClock(T0))
    client = ss.SchedulerClient(backend)

    def fail() -> None:
        raise ValueError(HOSTILE)

    morning = ss.Cron("0 9 * * ? 2030-2199", timezone="Europe/Paris")
    target = ss.HandlerTarget(fail)
    job = ss.Job(
        name=EVIL,
        schedule=morning,
        target=target,
        input={EVIL: EVIL, "password": "sesame"},
        description=EVIL,
        tags={EVIL: EVIL},
        retry=ss.Retry(max_attempts=0),
    )
    client.create(job)
    client.update(job.replace(description=f"new {EVIL}"))
    client.create(job.replace(name="in another group", group="other"))
    backend.run_until(T0 + timedelta(days=2))
    client.pause("in another group", reason=EVIL)
    return client


def _of_jobs(client: ss.SchedulerClient, job: ss.Job) -> Iterator[Any]:
    run = client.runs(EVIL)[-1]
    plan = client.plan([job.replace(input=EVIL), job.replace(name="new")], prune=True)
    yield from (job, job.retry, run, client.get(EVIL), client.versions(EVIL)[0], plan, plan.update[0])
    yield _repair()
    yield ss.eventbridge.DeadLetter(
        **{name: getattr(run, name) for name in type(run).model_fields},
        schedule_arn="arn:aws:scheduler:eu-west-1:123456789012:schedule/default/s",
        group="default",
        target_arn="arn:aws:scheduler:::aws-sdk:sqs:sendMessage",
        error_code="Gone",
        error_message=HOSTILE,
        execution_id="e",
        exhausted=None,
        payload=HOSTILE,
        truncated=False,
        queue_arn=QUEUE,
        message_id="m",
        receipt_handle="r",
    )
    yield ss.jobs.Event(ss.jobs.EventKind.FAILED, T0, EVIL, run)
    yield next(iter(client.upcoming(limit=1)))


def _repair() -> ss.jobs.Repair:
    return ss.jobs.Repair(
        job=EVIL, problem=ss.jobs.Problem.DEAD, detail=HOSTILE[:500], remedy="started again"
    )


def _schedules() -> Iterator[Any]:
    yield ss.Cron("0 9 * * ? 2030-2199", timezone="Europe/Paris")
    yield ss.Rate(timedelta(hours=1), start=datetime(2100, 1, 1, tzinfo=timezone.utc))
    yield ss.OneTime("2100-01-01T09:00", timezone="Asia/Tokyo")
    yield ss.Windowed("2100-01-31T09:00", every=ss.Frequency(months=1), timezone="America/New_York")
    yield ss.Frequency(months=1, days=2)


def _targets() -> Iterator[Any]:
    batch, machine = "arn:aws:batch:eu-west-1:123456789012", "arn:aws:states:eu-west-1:123456789012"
    ecs, account = "arn:aws:ecs:eu-west-1:123456789012", "eu-west-1:123456789012"
    command = ss.CommandTarget(["echo", EVIL, "--password", "sesame"])
    yield command
    yield ss.HandlerTarget("a.b:c")
    yield ss.HttpTarget("https://e.example/?token=sesame", headers={"X-Api-Key": "sesame", "X": "y"})
    yield ss.ParallelTarget([ss.LambdaTarget(LAMBDA), command])
    yield ss.WorkflowTarget("nightly")
    yield ss.ApiTarget("sqs", "sendMessage", {"QueueUrl": EVIL, "MessageBody": EVIL})
    yield ss.LambdaTarget(LAMBDA)
    yield ss.StateMachineTarget(f"{machine}:stateMachine:m")
    yield ss.QueueTarget(QUEUE)
    yield ss.TopicTarget(f"arn:aws:sns:{account}:t")
    yield ss.EventBusTarget(f"arn:aws:events:{account}:event-bus/b", detail_type="d", source="s")
    yield ss.BatchTarget(f"{batch}:job-definition/d:1", job_queue=f"{batch}:job-queue/q", job_name="n")
    yield ss.FanOutTarget(QUEUE, messages=[EVIL, "b"])
    yield ss.targets.TemplateTarget(LAMBDA)
    yield ss.targets.KinesisTarget(f"arn:aws:kinesis:{account}:stream/s", partition_key=EVIL)
    yield ss.targets.FirehoseTarget(f"arn:aws:firehose:{account}:deliverystream/s")
    yield ss.targets.CodeBuildTarget(f"arn:aws:codebuild:{account}:project/project")
    yield ss.targets.CodePipelineTarget(f"arn:aws:codepipeline:{account}:pipeline")
    yield ss.targets.SageMakerPipelineTarget(f"arn:aws:sagemaker:{account}:pipeline/pipeline")
    yield ss.targets.EcsTaskTarget(f"{ecs}:cluster/c", task_definition_arn=f"{ecs}:task-definition/t:1")


def _session() -> Any:
    return boto3.Session("AKIDEXAMPLE", "secret", region_name="eu-west-1")


def _stepfunctions() -> ss.StepFunctionsBackend:
    arn = "arn:aws:states:eu-west-1:123456789012:stateMachine:jobs"
    return ss.StepFunctionsBackend(state_machine_arn=arn, table_name="jobs", session=_session())
