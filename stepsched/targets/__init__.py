"""*What* a job invokes. Pure values: nothing here calls anything.

Limits of the parameters: the EventBridge Scheduler API (2021-06-30).

The modules of this package do not postpone their annotations: pydantic would evaluate each of them when it
loads.
"""

from collections.abc import Iterable, Mapping
from typing import Annotated, Literal, TypeAlias, get_args

from pydantic import Field

from stepsched.core.values import PositionalValue
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
from stepsched.targets.base import ServiceTarget
from stepsched.targets.containers import BatchTarget, CapacityProvider, EcsTaskTarget, Placement
from stepsched.targets.local import CommandTarget, HandlerTarget
from stepsched.targets.universal import ApiTarget, TemplateTarget

_AwsPart: TypeAlias = (
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
)
SERVICE_TARGETS: tuple[type[ServiceTarget], ...] = tuple(
    kind for kind in get_args(_AwsPart) if issubclass(kind, ServiceTarget)
)
"""The classes of targets that tell the call by themselves."""
_LocalTarget: TypeAlias = HandlerTarget | CommandTarget
AwsTarget: TypeAlias = _AwsPart | TemplateTarget
"""The targets that AWS invokes; the embedded backend needs a registered handler for them."""
SingleTarget: TypeAlias = AwsTarget | _LocalTarget
"""Any target that is one call."""


class ParallelTarget(PositionalValue, frozen=True):
    """Invokes several targets side by side, each with the job's input.

    The run has ended when all of them have. Each is tried again on its own, by the job's ``retry``; the
    run has failed when one of them failed for good.
    """

    kind: Literal["parallel"] = "parallel"
    targets: tuple[Annotated[_AwsPart | _LocalTarget, Field(discriminator="kind")], ...] = Field(
        min_length=2, max_length=40
    )
    """Two or more, in any mixture."""

    def __init__(self, targets: Iterable[object], *, kind: Literal["parallel"] = "parallel") -> None:
        if isinstance(targets, (str, Mapping)) or not isinstance(targets, Iterable):
            raise ValueError(f"{targets!r:.60} is no list; give the targets in a list")  # noqa: TRY004 -- pydantic collects ValueError
        self._assign(targets=tuple(targets), kind=kind)


Target: TypeAlias = SingleTarget | ParallelTarget
"""Any target; told apart by ``kind``."""
AnyTarget = Annotated[Target, Field(discriminator="kind")]
"""The same as a field of a model."""


def parts_of(target: Target) -> tuple[SingleTarget, ...]:
    """What a target invokes: the parts of a :class:`ParallelTarget` in their order, else itself."""
    return target.targets if isinstance(target, ParallelTarget) else (target,)


def takes_input(target: SingleTarget) -> bool:
    """Whether a target is given the job's input; if not, its own fields say what it is given."""
    return target.takes_input if isinstance(target, ServiceTarget) else not isinstance(target, ApiTarget)


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
    "takes_input",
]


def __dir__() -> list[str]:
    return __all__
