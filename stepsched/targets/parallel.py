"""Several targets that one run invokes side by side."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Literal

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
from stepsched.targets.containers import BatchTarget, EcsTaskTarget
from stepsched.targets.local import CommandTarget, HandlerTarget
from stepsched.targets.universal import ApiTarget

_Part = Annotated[
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
    | HandlerTarget
    | CommandTarget,
    Field(discriminator="kind"),
]


class ParallelTarget(PositionalValue, frozen=True):
    """Invokes several targets side by side, each with the job's input.

    The run has ended when all of them have. Each is tried again on its own, by the job's ``retry``; the
    run has failed when one of them failed for good.
    """

    kind: Literal["parallel"] = "parallel"
    targets: tuple[_Part, ...] = Field(min_length=2, max_length=40)
    """Two or more, in any mixture."""

    def __init__(self, targets: Iterable[object], *, kind: Literal["parallel"] = "parallel") -> None:
        if isinstance(targets, (str, Mapping)) or not isinstance(targets, Iterable):
            raise ValueError(f"{targets!r:.60} is no list; give the targets in a list")  # noqa: TRY004 -- pydantic collects ValueError
        self._assign(targets=tuple(targets), kind=kind)
