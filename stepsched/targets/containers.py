"""Containers: tasks of Amazon ECS and jobs of AWS Batch."""

from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import Field, JsonValue, field_validator, model_validator
from typing_extensions import Self

from stepsched.aws.arns import Arn
from stepsched.core.payloads import JsonObject
from stepsched.core.values import Value
from stepsched.targets.base import ApiCall, ServiceTarget

CLUSTER = Arn("ecs", "cluster/", r"[\w-]{1,255}")
TASK_DEFINITION = Arn("ecs", "task-definition/", r"[\w-]{1,255}(:\d+)?", "<family>")
_Id = Annotated[str, Field(min_length=1, max_length=1000)]


class CapacityProvider(Value, frozen=True):
    """How much of a task set goes to a capacity provider."""

    name: str = Field(min_length=1, max_length=255)
    base: int = Field(default=0, ge=0, le=100_000, strict=True)
    """So many tasks at least."""
    weight: int = Field(default=0, ge=0, le=1_000, strict=True)
    """Its share of the others."""


class Placement(Value, frozen=True):
    """Where EC2 puts tasks: a constraint or a strategy of Amazon ECS, in its own words."""

    type: Literal["distinctInstance", "memberOf", "random", "spread", "binpack"]
    """``distinctInstance`` and ``memberOf`` are constraints, the others strategies."""
    value: str = Field(default="", max_length=2_000)
    """A constraint's expression in the cluster query language, or a strategy's field."""

    @property
    def is_constraint(self) -> bool:
        """Whether it forbids, rather than prefers."""
        return self.type in ("distinctInstance", "memberOf")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if not self.is_constraint and len(self.value) > 255:
            raise ValueError(f"the field of a strategy has at most 255 characters, not {len(self.value)}")
        return self


class EcsTaskTarget(ServiceTarget, frozen=True):
    """Runs tasks on an ECS cluster; the job's input holds what it overrides of the task definition, in
    the words of ``RunTask``: ``{"containerOverrides": [...]}``."""

    api_call: ClassVar = ApiCall("ecs", "runTask")
    kind: Literal["ecs_task"] = "ecs_task"
    cluster_arn: Annotated[str, CLUSTER]
    """``arn:aws:ecs:<region>:<account>:cluster/<name>``."""
    task_definition_arn: Annotated[str, TASK_DEFINITION]
    """``arn:aws:ecs:<region>:<account>:task-definition/<family>``; without revision, the latest one."""
    task_count: int = Field(default=1, ge=1, le=10, strict=True)
    launch_type: Literal["EC2", "FARGATE", "EXTERNAL"] | None = None
    """None: the cluster's default, or the capacity providers."""
    subnets: tuple[Annotated[str, Field(min_length=1, max_length=1000)], ...] = Field(
        default=(), max_length=16
    )
    """Of the tasks' network interfaces; Fargate needs at least one."""
    security_groups: tuple[_Id, ...] = Field(default=(), max_length=5)
    assign_public_ip: bool = Field(default=False, strict=True)
    platform_version: str | None = Field(default=None, min_length=1, max_length=64)
    """Of Fargate. None: the latest."""
    capacity_providers: tuple[CapacityProvider, ...] = Field(default=(), max_length=6)
    placement: tuple[Placement, ...] = Field(default=(), max_length=15)
    """At most 10 constraints and 5 strategies; the constraints stand first."""
    group: str | None = Field(default=None, min_length=1, max_length=255)
    """The tasks' group. None: the family's."""
    reference_id: str | None = Field(default=None, max_length=1024)
    propagate_tags: bool = Field(default=False, strict=True)
    """Whether tasks take over the task definition's tags."""
    tags: dict[
        Annotated[str, Field(min_length=1, max_length=128)],
        Annotated[str, Field(min_length=1, max_length=256)],
    ] = Field(default_factory=dict, max_length=50)
    """Of the tasks."""
    ecs_managed_tags: bool = Field(default=False, strict=True)
    execute_command: bool = Field(default=False, strict=True)

    def __init__(
        self,
        cluster_arn: str,
        *,
        task_definition_arn: str,
        task_count: int = 1,
        launch_type: Literal["EC2", "FARGATE", "EXTERNAL"] | None = None,
        subnets: Sequence[str] = (),
        security_groups: Sequence[str] = (),
        assign_public_ip: bool = False,
        platform_version: str | None = None,
        capacity_providers: Sequence[CapacityProvider] = (),
        placement: Sequence[Placement] = (),
        group: str | None = None,
        reference_id: str | None = None,
        propagate_tags: bool = False,
        tags: Mapping[str, str] | None = None,
        ecs_managed_tags: bool = False,
        execute_command: bool = False,
        kind: Literal["ecs_task"] = "ecs_task",
    ) -> None:
        self._assign(
            cluster_arn=cluster_arn,
            task_definition_arn=task_definition_arn,
            task_count=task_count,
            launch_type=launch_type,
            subnets=subnets,
            security_groups=security_groups,
            assign_public_ip=assign_public_ip,
            platform_version=platform_version,
            capacity_providers=capacity_providers,
            placement=sorted(placement, key=lambda rule: not getattr(rule, "is_constraint", True)),
            group=group,
            reference_id=reference_id,
            propagate_tags=propagate_tags,
            tags={} if tags is None else tags,
            ecs_managed_tags=ecs_managed_tags,
            execute_command=execute_command,
            kind=kind,
        )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.launch_type == "FARGATE" and not self.subnets:
            raise ValueError("launch_type FARGATE needs subnets")
        if self.launch_type is not None and self.capacity_providers:
            raise ValueError("give launch_type or capacity_providers, not both")
        if not self.subnets and (self.security_groups or self.assign_public_ip):
            raise ValueError("security_groups and assign_public_ip need subnets")
        constraints = sum(rule.is_constraint for rule in self.placement)
        if constraints > 10 or len(self.placement) - constraints > 5:
            raise ValueError("placement holds at most 10 constraints and 5 strategies")
        return self


class BatchTarget(ServiceTarget, frozen=True):
    """Submits an AWS Batch job; the job's input is not used, ``parameters`` are."""

    api_call: ClassVar = ApiCall("batch", "submitJob")
    takes_input: ClassVar = False
    kind: Literal["batch"] = "batch"
    job_definition: str = Field(min_length=1, max_length=1600)
    """A name, ``name:revision`` or ARN."""
    job_queue: str = Field(min_length=1, max_length=1600)
    """A name or ARN."""
    job_name: str | None = Field(default=None, pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$")
    """None: the name of the stepsched job."""
    parameters: JsonObject = Field(default_factory=dict)
    """Text by name, for the placeholders of the job definition."""
    container_overrides: JsonObject = Field(default_factory=dict)

    def __init__(
        self,
        job_definition: str,
        *,
        job_queue: str,
        job_name: str | None = None,
        parameters: Mapping[str, str] | None = None,
        container_overrides: Mapping[str, JsonValue] | None = None,
        kind: Literal["batch"] = "batch",
    ) -> None:
        self._assign(
            job_definition=job_definition,
            job_queue=job_queue,
            job_name=job_name,
            parameters={} if parameters is None else parameters,
            container_overrides={} if container_overrides is None else container_overrides,
            kind=kind,
        )

    @field_validator("parameters")
    @classmethod
    def _is_text(cls, parameters: dict[str, JsonValue]) -> dict[str, JsonValue]:
        for key, value in parameters.items():
            if not isinstance(value, str):
                raise ValueError(f"parameter {key!r} is {value!r}, no valid string; Batch takes text")  # noqa: TRY004 -- pydantic collects ValueError
        return parameters
