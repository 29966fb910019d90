"""Functions that the jobs of the suite call by name."""

from __future__ import annotations

from datetime import datetime

import stepsched as ss
from stepsched.targets import CodePipelineTarget, TemplateTarget

CALLS: list[tuple[str, datetime]] = []
TOPIC = ss.TopicTarget("arn:aws:sns:eu-west-1:123456789012:alarms")
TEMPLATE = TemplateTarget("arn:aws:inspector:eu-west-1:123456789012:target/0-nvgVhaxX/template/0-7sbz2Kz0")
PIPELINE = CodePipelineTarget("arn:aws:codepipeline:eu-west-1:123456789012:release")
MACHINE = ss.StateMachineTarget("arn:aws:states:eu-west-1:123456789012:stateMachine:report")
MESSAGES = ss.FanOutTarget("arn:aws:sqs:eu-west-1:123456789012:tasks", ["task"] * 11)
URL = ss.HttpTarget(
    "https://example.com/hook",
    connection_arn="arn:aws:events:eu-west-1:123456789012:connection/hooks/0b64b4c9-7f0c-4ad6-8c0e-7e2f7a4f0c11",
)
PARALLEL = ss.ParallelTarget([TOPIC, ss.TopicTarget("arn:aws:sns:eu-west-1:123456789012:news")])


def note(_input: object, run: ss.Run) -> None:
    CALLS.append((run.job, run.scheduled_for))


def fail(_input: object, run: ss.Run) -> None:
    CALLS.append((run.job, run.scheduled_for))
    raise RuntimeError("no luck")


def fail_twice(_input: object, run: ss.Run) -> str:
    CALLS.append((run.job, run.scheduled_for))
    if run.attempt < 3:
        raise RuntimeError(f"attempt {run.attempt}")
    return "third time lucky"
