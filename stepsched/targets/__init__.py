"""Targets: pure values that define what a job invokes. Nothing in this package makes a call.

The limits of the parameters are those of the EventBridge Scheduler API (2021-06-30).
"""

# The modules of this package do not postpone the evaluation of annotations: pydantic would evaluate each of
# them at import.

from collections.abc import Iterable, Mapping
from typing import Annotated, Literal, TypeAlias, get_args

from pydantic import Field

from stepsched.core.quoting import quoted
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
from stepsched.targets.base import ServiceTarget, TargetValue
from stepsched.targets.containers import BatchTarget, CapacityProvider, EcsTaskTarget, Placement
from stepsched.targets.fan_out import FanOutTarget
from stepsched.targets.http import HttpTarget
from stepsched.targets.local import CommandTarget, HandlerTarget
from stepsched.targets.universal import ApiTarget, TemplateTarget
from stepsched.targets.workflow import WorkflowTarget

_AwsPart: TypeAlias = (
    LambdaTarget
    | StateMachineTarget
    | QueueTarget
    | FanOutTarget
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
)
SERVICE_TARGETS: tuple[type[ServiceTarget], ...] = tuple(
    kind for kind in get_args(_AwsPart) if issubclass(kind, ServiceTarget)
)
"""The target classes that determine the API call by themselves."""
_LocalTarget: TypeAlias = HandlerTarget | CommandTarget
AwsTarget: TypeAlias = _AwsPart | TemplateTarget
"""Any target in AWS. The embedded backend needs a registered handler for it."""
SingleTarget: TypeAlias = AwsTarget | _LocalTarget | HttpTarget | WorkflowTarget
"""Any target that makes a single call."""


class ParallelTarget(TargetValue, frozen=True):
    """Invokes several targets in parallel, each with the job's input.

    The run ends when all of them have ended. Each target is retried separately, by the job's ``retry``. The
    run has failed if one of them has failed for good.
    """

    kind: Literal["parallel"] = "parallel"
    targets: tuple[Annotated[_AwsPart | _LocalTarget | HttpTarget, Field(discriminator="kind")], ...] = Field(
        min_length=2, max_length=40
    )
    """Two or more targets of any kinds."""

    def __init__(self, targets: Iterable[object], *, kind: Literal["parallel"] = "parallel") -> None:
        if isinstance(targets, (str, Mapping)) or not isinstance(targets, Iterable):
            raise ValueError(f"expected a list of targets, got {quoted(targets)}")  # noqa: TRY004 -- pydantic collects ValueError
        self._assign(targets=tuple(targets), kind=kind)


Target: TypeAlias = SingleTarget | ParallelTarget
"""Any target; the field ``kind`` distinguishes them."""
AnyTarget = Annotated[Target, Field(discriminator="kind")]
"""Any target, as the type of a model's field."""


def parts_of(target: Target) -> tuple[SingleTarget, ...]:
    """Returns the parts of a :class:`ParallelTarget` in order; for any other target the target itself."""
    return target.targets if isinstance(target, ParallelTarget) else (target,)


def takes_input(target: SingleTarget) -> bool:
    """Returns whether the target receives the job's input. If not, it receives values of its own fields."""
    if isinstance(target, (ServiceTarget, HttpTarget)):
        return target.takes_input
    return not isinstance(target, ApiTarget)


__all__ = [
    "SERVICE_TARGETS",
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
    "FanOutTarget",
    "FirehoseTarget",
    "HandlerTarget",
    "HttpTarget",
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
    "WorkflowTarget",
]


def __dir__() -> list[str]:
    return __all__
