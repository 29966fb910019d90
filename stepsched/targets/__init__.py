"""*What* a job invokes. Pure values: nothing here calls anything.

Limits of the parameters: the EventBridge Scheduler API (2021-06-30).
"""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import Field

from stepsched.targets.aws import (
    CodeBuildTarget,
    CodePipelineTarget,
    EventBusTarget,
    FirehoseTarget,
    KinesisTarget,
    LambdaTarget,
    QueueTarget,
    SageMakerPipelineTarget,
    StateMachineTarget,
    TopicTarget,
)
from stepsched.targets.containers import BatchTarget, CapacityProvider, EcsTaskTarget, Placement
from stepsched.targets.local import CommandTarget, HandlerTarget
from stepsched.targets.parallel import ParallelTarget
from stepsched.targets.universal import ApiTarget, TemplateTarget

AwsTarget: TypeAlias = (
    LambdaTarget
    | StateMachineTarget
    | QueueTarget
    | TopicTarget
    | EventBusTarget
    | KinesisTarget
    | FirehoseTarget
    | EcsTaskTarget
    | CodeBuildTarget
    | CodePipelineTarget
    | SageMakerPipelineTarget
    | BatchTarget
    | ApiTarget
    | TemplateTarget
)
"""The targets that AWS invokes; the embedded backend needs a registered handler for them."""
SingleTarget: TypeAlias = AwsTarget | HandlerTarget | CommandTarget
"""Any target that is one call."""
Target: TypeAlias = SingleTarget | ParallelTarget
"""Any target; told apart by ``kind``."""
AnyTarget = Annotated[Target, Field(discriminator="kind")]
"""The same as a field of a model."""


def parts_of(target: Target) -> tuple[SingleTarget, ...]:
    """What a target invokes: the parts of a :class:`ParallelTarget` in their order, else itself."""
    return target.targets if isinstance(target, ParallelTarget) else (target,)


__all__ = [
    "AnyTarget",
    "ApiTarget",
    "AwsTarget",
    "BatchTarget",
    "CapacityProvider",
    "CodeBuildTarget",
    "CodePipelineTarget",
    "CommandTarget",
    "EcsTaskTarget",
    "EventBusTarget",
    "FirehoseTarget",
    "HandlerTarget",
    "KinesisTarget",
    "LambdaTarget",
    "ParallelTarget",
    "Placement",
    "QueueTarget",
    "SageMakerPipelineTarget",
    "SingleTarget",
    "StateMachineTarget",
    "Target",
    "TemplateTarget",
    "TopicTarget",
    "parts_of",
]


def __dir__() -> list[str]:
    return __all__
