"""Container targets: Amazon ECS tasks and AWS Batch jobs."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import Field, JsonValue, field_validator, model_validator
from typing_extensions import Self

from stepsched.aws.arns import Arn
from stepsched.core.payloads import JsonObject
from stepsched.core.quoting import quoted
from stepsched.core.values import ShortKeys, Value
from stepsched.targets.base import ApiCall, ServiceTarget

CLUSTER = Arn("ecs", "cluster/", r"[\w-]{1,255}")
TASK_DEFINITION = Arn("ecs", "task-definition/", r"[\w-]{1,255}(:\d+)?", "<family>")
_Id = Annotated[str, Field(min_length=1, max_length=1000)]


class CapacityProvider(Value, frozen=True):
    """The part of the tasks that runs on a capacity provider."""

    name: str = Field(min_length=1, max_length=255)
    """The name of the capacity provider."""
    base: int = Field(default=0, ge=0, le=100_000, strict=True)
    """The minimum number of tasks on this provider."""
    weight: int = Field(default=0, ge=0, le=1_000, strict=True)
    """The relative share of the remaining tasks."""


class Placement(Value, frozen=True):
    """The placement of tasks on EC2 instances: a placement constraint or strategy of Amazon ECS."""

    type: Literal["distinctInstance", "memberOf", "random", "spread", "binpack"]
    """The type: ``distinctInstance`` and ``memberOf`` are constraints, the others are strategies."""
    value: str = Field(default="", max_length=2_000)
    """The expression of a constraint, in the cluster query language, or the field of a strategy."""

    @property
    def is_constraint(self) -> bool:
        """Whether this is a constraint; otherwise it is a strategy."""
        return self.type in ("distinctInstance", "memberOf")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if not self.is_constraint and len(self.value) > 255:
            raise ValueError(f"expected at most 255 characters in a strategy's field, got {len(self.value)}")
        return self


class EcsTaskTarget(ServiceTarget, frozen=True):
    """Runs tasks on an ECS cluster. The job's input holds overrides of the task definition, in the form of
    ``RunTask``: ``{"containerOverrides": [...]}``."""

    api_call: ClassVar = ApiCall("ecs", "runTask")
    kind: Literal["ecs_task"] = "ecs_task"
    cluster_arn: Annotated[str, CLUSTER]
    """The cluster: ``arn:aws:ecs:<region>:<account>:cluster/<name>``."""
    task_definition_arn: Annotated[str, TASK_DEFINITION]
    """The task definition: ``arn:aws:ecs:<region>:<account>:task-definition/<family>``, with an optional
    ``:<revision>``. Without a revision the latest one is used."""
    task_count: int = Field(default=1, ge=1, le=10, strict=True)
    """The number of tasks that each run starts: 1 to 10."""
    launch_type: Literal["EC2", "FARGATE", "EXTERNAL"] | None = None
    """The launch type. None: the default of the cluster, or ``capacity_providers``."""
    subnets: tuple[Annotated[str, Field(min_length=1, max_length=1000)], ...] = Field(
        default=(), max_length=16
    )
    """The subnets of the tasks' network interfaces. Fargate needs at least one."""
    security_groups: tuple[_Id, ...] = Field(default=(), max_length=5)
    """The security groups of the tasks' network interfaces, at most 5. Empty: the default of the VPC."""
    assign_public_ip: bool = Field(default=False, strict=True)
    """Whether the tasks' network interfaces get public IP addresses, which only Fargate supports. EventBridge
    Scheduler requires ``launch_type="FARGATE"`` for it."""
    platform_version: str | None = Field(default=None, min_length=1, max_length=64)
    """The platform version of Fargate. None: the latest."""
    capacity_providers: tuple[CapacityProvider, ...] = Field(default=(), max_length=6)
    """The capacity providers of the tasks, at most 6, instead of a ``launch_type``."""
    placement: tuple[Placement, ...] = Field(default=(), max_length=15)
    """The placement constraints, at most 10, followed by the strategies, at most 5."""
    group: str | None = Field(default=None, min_length=1, max_length=255)
    """The task group. None: the group of the task definition's family."""
    reference_id: str | None = Field(default=None, max_length=1024)
    """The reference ID of the tasks. None: they have none."""
    propagate_tags: bool = Field(default=False, strict=True)
    """Whether the tags of the task definition are applied to the tasks."""
    tags: Annotated[
        dict[
            Annotated[str, Field(min_length=1, max_length=128)],
            Annotated[str, Field(min_length=1, max_length=256)],
        ],
        ShortKeys,
    ] = Field(default_factory=dict, max_length=50)
    """Tags applied to the started tasks."""
    ecs_managed_tags: bool = Field(default=False, strict=True)
    """Whether Amazon ECS tags the tasks with their cluster and service."""
    execute_command: bool = Field(default=False, strict=True)
    """Whether ECS Exec can run commands in the containers of the tasks."""

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
        if isinstance(placement, (str, Mapping)) or not isinstance(placement, Iterable):
            raise ValueError(f"expected a list of placement rules, got {quoted(placement)}")  # noqa: TRY004 -- pydantic collects ValueError
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
            raise ValueError("expected subnets for launch_type FARGATE, got none")
        if self.launch_type is not None and self.capacity_providers:
            raise ValueError("expected launch_type or capacity_providers, got both")
        if self.launch_type in ("EC2", "EXTERNAL"):
            for name in ("assign_public_ip", "platform_version"):
                if getattr(self, name):
                    raise ValueError(f"expected launch_type FARGATE for {name}, got {self.launch_type}")
        if not self.subnets and (self.security_groups or self.assign_public_ip):
            raise ValueError("expected subnets for security_groups and assign_public_ip, got none")
        constraints = sum(rule.is_constraint for rule in self.placement)
        if constraints > 10 or len(self.placement) - constraints > 5:
            raise ValueError("expected at most 10 constraints and 5 strategies in placement")
        return self


class BatchTarget(ServiceTarget, frozen=True):
    """Submits an AWS Batch job with ``parameters``. The job's input is not used."""

    api_call: ClassVar = ApiCall("batch", "submitJob")
    follows_from_arn: ClassVar = False  # it is named by two ARNs
    takes_input: ClassVar = False
    kind: Literal["batch"] = "batch"
    job_definition: str = Field(min_length=1, max_length=1600)
    """The job definition: its name, ``name:revision`` or ARN."""
    job_queue: str = Field(min_length=1, max_length=1600)
    """The job queue: its name or ARN."""
    job_name: str | None = Field(default=None, pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$")
    """The name of the Batch job. None: the name of the stepsched job."""
    parameters: JsonObject = Field(default_factory=dict)
    """The values of the job definition's placeholders: strings by name."""
    container_overrides: JsonObject = Field(default_factory=dict)
    """The overrides of the container in ``SubmitJob``, with the names of the SDK: ``{"Command": [...]}``.
    State machines accept those of the API too, ``{"command": [...]}``."""

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
                raise ValueError(f"expected a string for parameter {quoted(key)}, got {quoted(value)}")  # noqa: TRY004 -- pydantic collects ValueError
        return parameters
