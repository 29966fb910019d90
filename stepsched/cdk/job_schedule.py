"""A job as a resource of a CDK stack."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from constructs import Construct

from stepsched.backends.eventbridge.checks import check_job
from stepsched.backends.eventbridge.documents import Settings, write_job
from stepsched.cdk.arns import (
    Place,
    arn_of,
    place_of,
    placed,
    placed_arn,
    resolved_in,
)
from stepsched.cdk.roles import invoking_role
from stepsched.cdk.scheduler import BaseScheduler
from stepsched.core.clock import utc_now
from stepsched.core.quoting import quoted
from stepsched.deploy.exports.properties import properties_of
from stepsched.deploy.exports.schedules import refuse_passed_start
from stepsched.iam import policy_for
from stepsched.jobs import Job
from stepsched.jobs.job import no_job
from stepsched.jobs.records import first_status
from stepsched.schedules.zones import UTC

_BEFORE = datetime.min.replace(tzinfo=UTC)
"""An instant before every start, so that a template depends on no clock."""


class JobSchedule(Construct):
    """A job that is part of a stack.

    Without ``scheduler`` it is one schedule of EventBridge Scheduler, the same that ``EventBridgeBackend``
    creates for the job, so that its client lists, pauses and redrives it. The stack owns it: a deployment
    undoes other changes of the job. With ``scheduler`` it is a job of that construct's table, which a
    schedule hands to its register; see the parameter.

    Everything that AWS would refuse, and a start in the past, is refused when the app is synthesized.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,  # noqa: A002 -- the name that every construct gives it
        *,
        job: Job,
        scheduler: BaseScheduler | None = None,
        ensure_every: cdk.Duration | None = None,
        schedule_group: Any = None,
        role: iam.IRole | None = None,
        dead_letter_queue: Any = None,
        key: Any = None,
        task_roles: Sequence[str] = (),
        resources: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        """Adds the job to the stack.

        Args:
            scope: The construct that contains this one.
            id: The identifier, unique in the scope.
            job: The job. Its targets and queues name resources of the app by :func:`arn_of` and
                :func:`target_of`.
            scheduler: The scheduler that runs the job. CloudFormation has no resource for a row of a table,
                so a schedule starts the register with the job, every ``ensure_every``; the first time may be
                as late as that after the deployment. The register writes the job only if it is new or has
                changed, so a job that was cancelled by hand comes back; one that was paused stays paused. A
                job is not cancelled when it is removed from the app: use ``client.cancel``. None: EventBridge
                Scheduler runs the job.
            ensure_every: With ``scheduler``, the time between two starts of the register: at least 1 minute.
                None: 15 minutes.
            schedule_group: The schedule group: an ``IScheduleGroup``, or the name of one. None: the group of
                the job.
            role: The role with which EventBridge Scheduler invokes the target. The construct adds no
                permission to it. None: a role for this job with the minimal permissions.
            dead_letter_queue: The queue for a job without ``dead_letter``. None: there is none.
            key: The KMS key that encrypts the job's input. None: a key of AWS.
            task_roles: The roles of an ECS task definition; see :func:`stepsched.iam.policy_for`.
            resources: The resources of an :class:`ApiTarget` call; see :func:`stepsched.iam.policy_for`.

        Raises:
            TypeError: ``job`` is not a Job, or an argument has another type.
            InvalidScheduleError: The job would never run, or its start is in the past.
            UnsupportedError: The service cannot run the job exactly as defined.
            RenderError: CloudFormation cannot create the schedule, such as one that deletes itself.
            ValueError: Permissions do not follow from the target, or arguments do not fit one another.
        """
        super().__init__(scope, id)
        if not isinstance(job, Job):
            raise no_job(job)
        now = utc_now()
        job.refuse_if_over(now)
        if scheduler is not None:
            given = (schedule_group, role, dead_letter_queue, key)
            if any(each is not None for each in given) or task_roles or resources:
                raise ValueError(
                    "expected none of schedule_group, role, dead_letter_queue, key, task_roles and resources "
                    "for a job of a scheduler; use the policies of the job and those of the Scheduler"
                )
            period = cdk.Duration.minutes(15) if ensure_every is None else ensure_every
            self._role: iam.IRole = scheduler.starter
            self._schedule = _schedule(self, job, scheduler.ensuring(job, period), self._role)
            return
        if ensure_every is not None:
            raise ValueError("expected ensure_every only for a job of a scheduler; use scheduler=...")
        place = place_of(cdk.Stack.of(self), job)
        job = placed(job, place)
        settings = Settings(
            role_arn=f"arn:{place.partition}:iam::{place.account}:role/stepsched",
            group=schedule_group if isinstance(schedule_group, str) else None,
            dead_letter_arn=_arn(dead_letter_queue, place),
            kms_key_arn=None
            if key is None
            else _arn(arn_of(key.key_arn, service="kms", name="key/*"), place),
        )
        translation = check_job(job, settings, region=place.region, partition=place.partition)
        following = job.schedule.next_run(after=now)
        refuse_passed_start(job, now, f"leave it out, or use the next run, {following}")
        request = write_job(
            translation, settings, version=1, now=_BEFORE, anchor=None, status=first_status(job)
        )
        if schedule_group is not None:
            request["GroupName"] = _group_name(schedule_group)
        if role is None:
            policy = policy_for(
                [job],
                dead_letter_arn=settings.dead_letter_arn,
                kms_key_arn=settings.kms_key_arn,
                task_roles=task_roles,
                resources=resources,
                **place._asdict(),
            )
            role = invoking_role(self, "Role", group=request["GroupName"], policy=policy)
        self._role = role
        self._schedule = _schedule(self, job, request, role)

    @property
    def schedule_name(self) -> str:
        """The name of the schedule, which is that of the job on EventBridge Scheduler."""
        return self._schedule.ref

    @property
    def schedule_arn(self) -> str:
        """The ARN of the schedule."""
        return str(self._schedule.get_att("Arn").to_string())

    @property
    def role(self) -> iam.IRole:
        """The role with which EventBridge Scheduler invokes the target, or starts the register."""
        return self._role


def _schedule(scope: Construct, job: Job, request: Mapping[str, Any], role: iam.IRole) -> cdk.CfnResource:
    """The resource of a request to EventBridge Scheduler."""
    properties = properties_of(job, request)
    properties["Target"]["RoleArn"] = role.role_arn
    return cdk.CfnResource(
        scope, "Schedule", type="AWS::Scheduler::Schedule", properties=resolved_in(properties)
    )


def _arn(resource: Any, place: Place) -> str | None:
    return None if resource is None else placed_arn(arn_of(resource), place)


def _group_name(group: Any) -> str:
    """The name of a group: a text, an ``IScheduleGroup`` or a ``CfnScheduleGroup``."""
    for attribute in ("schedule_group_name", "ref"):
        if hasattr(group, attribute):
            return str(getattr(group, attribute))
    if isinstance(group, str):
        return group
    raise TypeError(f"expected schedule_group to be an IScheduleGroup or a name, got {quoted(group)}")
