"""A scheduler as a construct: a table of jobs, the machine that runs them, and the register."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import aws_cdk as cdk
import jsii
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct, IValidation

from stepsched.backends.stepfunctions.stacks import CONSTRUCT_OUTPUT, METRICS_OUTPUT, WORKFLOWS_OUTPUT
from stepsched.cdk.arns import arn_of, executions_of, place_of, placed, target_of
from stepsched.cdk.outputs import add_outputs
from stepsched.cdk.roles import invoking_role
from stepsched.cdk.stack_parts import StackParts
from stepsched.cdk.tasks import RegisterCalls, ScheduledTask
from stepsched.core.errors import UnsupportedError
from stepsched.core.quoting import quoted
from stepsched.deploy import HttpPart, Part, registration, template
from stepsched.deploy.exports.properties import refuse_references
from stepsched.deploy.parts.names import REGISTER, WORKFLOWS, max_stack_name
from stepsched.deploy.parts.part import is_observed
from stepsched.jobs import Job, Overlap
from stepsched.machines.shared.metrics import (
    DIMENSION,
    JOBS_CREATED,
    JOBS_DELETED,
    JOBS_LATE,
    NAMESPACE,
    RUNS_FAILED,
)
from stepsched.machines.shared.table_schema import INDEX
from stepsched.schedules import Cron, OneTime, Rate, Windowed
from stepsched.schedules.zones import UTC
from stepsched.targets import QueueTarget, StateMachineTarget, Target, TopicTarget

_TABLE = "stepsched-cdk-table"
"""The text that stands for the name of a table that is known at deployment only."""


class BaseScheduler(Construct):
    """What a scheduler of the app and one of another stack have in common."""

    _sync: bool
    _express: bool
    _machine_arn: str
    _register_arn: str
    _table: dynamodb.ITable
    _starter: iam.Role | None = None

    def _complete(
        self, machine_arn: str, register_arn: str, table: dynamodb.ITable, *, sync: bool, express: bool
    ) -> None:
        self._sync, self._express = sync, express
        self._machine_arn, self._register_arn, self._table = machine_arn, register_arn, table
        self._machine_name = cdk.Fn.select(6, cdk.Fn.split(":", machine_arn))
        self._machine = sfn.StateMachine.from_state_machine_arn(self, "RunnerMachine", machine_arn)
        self._register = sfn.StateMachine.from_state_machine_arn(self, "RegisterMachine", register_arn)

    @property
    def sync(self) -> bool:
        """Whether a run waits for the end of its target, so that runs of a job do not overlap."""
        return self._sync

    @property
    def express(self) -> bool:
        """Whether the register is an Express workflow."""
        return self._express

    @property
    def state_machine(self) -> sfn.IStateMachine:
        """The state machine that runs the jobs."""
        return self._machine

    @property
    def state_machine_arn(self) -> str:
        """The ARN of this state machine."""
        return self._machine_arn

    @property
    def state_machine_name(self) -> str:
        """The name of this state machine."""
        return self._machine_name

    @property
    def state_machine_executions_arn(self) -> str:
        """The ARN of all executions of this state machine, for policies."""
        return f"{executions_of(self._machine_arn)}:*"

    @property
    def scheduler_table(self) -> dynamodb.ITable:
        """The table of the jobs."""
        return self._table

    @property
    def register(self) -> sfn.IStateMachine:
        """The state machine that creates, changes, reads and cancels jobs; see docs/register.md."""
        return self._register

    @property
    def register_calls(self) -> RegisterCalls:
        """How state machines of the app call the register."""
        return RegisterCalls(self._register, self._express)

    # -- tasks of the machines of the app --------------------------------------------------------------

    @property
    def create_scheduled_task(self) -> ScheduledTask:
        """Makes states that create a job, or change the one of that name."""
        return ScheduledTask(self.register_calls, None, self.registration_of)

    @property
    def update_scheduled_task(self) -> ScheduledTask:
        """The same as :attr:`create_scheduled_task`: the register does what is necessary."""
        return self.create_scheduled_task

    @property
    def read_scheduled_task(self) -> ScheduledTask:
        """Makes states that read a job. The answer for a job that does not exist is null."""
        return ScheduledTask(self.register_calls, "read", self.registration_of)

    @property
    def delete_scheduled_task(self) -> ScheduledTask:
        """Makes states that cancel a job. It succeeds also if there is none."""
        return ScheduledTask(self.register_calls, "delete", self.registration_of)

    # -- jobs of the app -------------------------------------------------------------------------------

    def ensuring(self, job: Job, period: cdk.Duration) -> dict[str, Any]:
        """The request of a schedule that starts the register with a job again and again; see
        :class:`JobSchedule`.

        Raises:
            UnsupportedError: The register cannot read the schedule of the job, or the scheduler cannot run
                the job.
            ValueError: ``period`` is not of whole minutes.
        """
        minutes = period.to_minutes(integral=True)
        given = {"name": job.name, **_schedule_for_register(job), "registration": self.registration_of(job)}
        request = {
            "Description": f"Ensures that the scheduler {self.node.path} has a job",
            "ScheduleExpression": f"rate({minutes} minute{'s' if minutes > 1 else ''})",
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "Target": {"Arn": self._register_arn, "Input": json.dumps(given, separators=(",", ":"))},
        }
        last = _last_run(job)
        return request if last is None else {**request, "EndDate": last}

    @property
    def starter(self) -> iam.Role:
        """The role with which such schedules start the register."""
        if self._starter is None:
            statement = {"Effect": "Allow", "Action": "states:StartExecution", "Resource": self._register_arn}
            policy = {"Version": "2012-10-17", "Statement": [statement]}
            self._starter = invoking_role(self, "StarterRole", group="default", policy=policy)
        return self._starter

    # -- metrics -----------------------------------------------------------------------------------------

    def metric(self, name: str, **options: Any) -> cloudwatch.Metric:
        """A metric of the jobs.

        Args:
            name: The name of the metric.
            options: Options of ``cloudwatch.Metric``, such as ``period``.
        """
        given = {"statistic": "Sum", "period": cdk.Duration.minutes(5), **options}
        dimensions = {DIMENSION: self.state_machine_name}
        return cloudwatch.Metric(namespace=NAMESPACE, metric_name=name, dimensions_map=dimensions, **given)

    def metric_jobs_created(self, **options: Any) -> cloudwatch.Metric:
        """The number of created jobs; see :meth:`metric`. As all metrics, it is written only by a scheduler
        with ``alarms`` or ``dashboard``."""
        return self.metric(JOBS_CREATED, **options)

    def metric_jobs_deleted(self, **options: Any) -> cloudwatch.Metric:
        """The number of cancelled jobs; see :meth:`metric`."""
        return self.metric(JOBS_DELETED, **options)

    def metric_runs_failed(self, **options: Any) -> cloudwatch.Metric:
        """The number of runs that failed for good; see :meth:`metric`."""
        return self.metric(RUNS_FAILED, **options)

    def metric_jobs_late(self, **options: Any) -> cloudwatch.Metric:
        """The number of jobs whose run is overdue; see :meth:`metric`."""
        return self.metric(JOBS_LATE, **{"statistic": "Maximum", **options})

    # -- jobs ---------------------------------------------------------------------------------------------

    def registration_of(self, job: Job) -> dict[str, Any]:
        """The member ``registration`` for the input of the register, with ARNs that stand for resources.

        The scheduler is allowed to invoke what the job names.

        Raises:
            UnsupportedError: The scheduler cannot run the job.
            RenderError: CloudFormation would change a text of the job.
        """
        refuse_references(job, job.model_dump_json())
        self._allow(job)
        place = place_of(cdk.Stack.of(self), job)
        return registration(placed(job, place))

    @property
    def default_overlap(self) -> Overlap:
        """The overlap policy of jobs that do not name one: by ``sync``."""
        return Overlap.SKIP if self._sync else Overlap.ALLOW

    def _allow(self, job: Job) -> None:
        """Allows what a job names. What is not part of the app has its own permissions."""


@jsii.implements(iam.IGrantable)
class Scheduler(BaseScheduler):
    """A table of jobs, the state machine that runs them, and the register, without a Lambda function.

    The resources are those of :func:`stepsched.deploy.template`, and the roles allow the targets that
    :meth:`grant_invoke` names, and no others. A client reads the stack by
    ``ss.SchedulerClient.from_stack(name, table_output="SchedulerTableName",
    state_machine_output="SchedulerStepFunctionArn")``.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,  # noqa: A002 -- the name that every construct gives it
        *,
        sync: bool = True,
        express: bool = False,
        name: str | None = None,
        table: Any = None,
        removal_policy: cdk.RemovalPolicy = cdk.RemovalPolicy.RETAIN,
        alarms: bool = False,
        alarm_topic: sns.ITopic | None = None,
        dashboard: bool = False,
        workflows: bool = False,
        http: HttpPart | bool = False,
        task_roles: Sequence[str] = (),
        resources: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        """Adds the scheduler to the stack.

        Args:
            scope: The construct that contains this one.
            id: The identifier, unique in the scope.
            sync: Whether a run waits for the end of its target, so that a run that comes due meanwhile is
                skipped. Jobs that name an overlap policy are not affected.
            express: Whether the register is an Express workflow, which costs less and answers faster. API
                Gateway can call only such a one.
            name: The name of the state machine that runs the jobs; the others append to it. None: the name of
                the stack and the path of the construct.
            table: An existing table of jobs: an ``ITable``, or its name. None: the construct creates one.
            removal_policy: What happens to the table when it is removed from the app.
            alarms: Whether there are alarms on failed runs, late jobs and failed executions.
            alarm_topic: The topic that the alarms notify. None: nobody is notified.
            dashboard: Whether there is a dashboard.
            workflows: Whether there is a state machine that runs workflows; see :attr:`workflows`.
            http: How the API of one-shot tasks is made; True: as ``HttpPart()``. The register is then an
                Express workflow.
            task_roles: The roles of ECS task definitions; see :func:`stepsched.deploy.template`.
            resources: The resources of :class:`ApiTarget` calls; see :func:`stepsched.deploy.template`.

        Raises:
            ValueError: The name is too long or malformed, or ``alarm_topic`` is given without ``alarms``.
        """
        super().__init__(scope, id)
        if alarm_topic is not None and not alarms:
            raise ValueError("expected alarms=True with alarm_topic, got False; use alarms=True")
        self._http, express = http, express or http is not False
        self._parts = [Part.EXPRESS_REGISTER if express else Part.REGISTER]
        self._parts += [Part.ALARMS] * alarms + [Part.DASHBOARD] * dashboard
        self._parts += [Part.WORKFLOWS] * workflows
        self._given: dict[str, Any] = {"task_roles": task_roles, "resources": resources}
        self._targets: list[Target] = []
        self._letters: list[QueueTarget] = []
        self._topics: list[TopicTarget] = []
        self._made: tuple[int, Mapping[str, Any]] = (-1, {})
        self._name = self._named(name)
        table_name = table if isinstance(table, str) or table is None else str(table.table_name)
        self._existing = table_name
        texts = {}
        if table_name is not None and cdk.Token.is_unresolved(table_name):
            self._existing, texts = _TABLE, {_TABLE: table_name}
        self.node.add_validation(_HasTargets(self))
        made = StackParts(self, self._resources, name=self._name, texts=texts)
        self._role = iam.Role.from_role_arn(
            self, "RunnerGrants", made.resources["RunnerRole"].get_att("Arn").to_string()
        )
        if "Table" in made.resources:
            made.resources["Table"].apply_removal_policy(removal_policy)
            table_name = made.resources["Table"].ref
        if alarm_topic is not None:
            for resource in made.resources.values():
                if resource.cfn_resource_type == "AWS::CloudWatch::Alarm":
                    resource.add_property_override("AlarmActions", [alarm_topic.topic_arn])
        self._complete(
            made.resources["Runner"].ref,
            self._machine_arn_of(f"{self._name}-{REGISTER}"),
            _table_of(self, table, str(table_name)),
            sync=sync,
            express=express,
        )
        self._workflows: sfn.IStateMachine | None = None
        if workflows:
            arn = self._machine_arn_of(f"{self._name}-{WORKFLOWS}")
            self._workflows = sfn.StateMachine.from_state_machine_arn(self, "WorkflowsMachine", arn)
        add_outputs(
            self,
            {
                "SchedulerTableName": (str(table_name), "The table of the jobs"),
                f"Scheduler{CONSTRUCT_OUTPUT}": (self._machine_arn, "The state machine that runs the jobs"),
                "SchedulerRegisterArn": (self._register_arn, "The state machine that creates jobs"),
                **(
                    {f"Scheduler{METRICS_OUTPUT}": (NAMESPACE, "The namespace of the metrics of the jobs")}
                    if is_observed(self._parts)
                    else {}
                ),
                **self._http_outputs(made.resources),
                **(
                    {}
                    if self._workflows is None
                    else {
                        f"Scheduler{WORKFLOWS_OUTPUT}": (
                            self._workflows.state_machine_arn,
                            "The state machine that runs workflows",
                        )
                    }
                ),
            },
        )

    @classmethod
    def from_scheduler_attributes(
        cls,
        scope: Construct,
        id: str,  # noqa: A002 -- the name that every construct gives it
        *,
        table_name: str,
        state_machine_arn: str,
        register_arn: str,
        sync: bool = True,
        express: bool = False,
    ) -> BaseScheduler:
        """A scheduler of another stack, by its outputs. Its own stack allows it to invoke targets.

        Args:
            scope: The construct that contains it.
            id: The identifier, unique in the scope.
            table_name: The output ``SchedulerTableName``.
            state_machine_arn: The output ``SchedulerStepFunctionArn``.
            register_arn: The output ``SchedulerRegisterArn``.
            sync: As for :class:`Scheduler`.
            express: As for :class:`Scheduler`.
        """
        return _Imported(
            scope,
            id,
            table_name=table_name,
            arns=(state_machine_arn, register_arn),
            sync=sync,
            express=express,
        )

    @property
    def workflows(self) -> sfn.IStateMachine:
        """The state machine that runs workflows, for grants such as ``grant_start_execution``.
        :meth:`grant_invoke` allows the targets of steps.

        Raises:
            ValueError: The scheduler was made without ``workflows=True``.
        """
        if self._workflows is None:
            raise ValueError("this scheduler has no machine that runs workflows; use workflows=True")
        return self._workflows

    @property
    def grant_principal(self) -> iam.IPrincipal:
        """The role with which jobs are run, for grants of what :meth:`grant_invoke` does not allow, such as
        ``key.grant_decrypt(scheduler)`` for an encrypted queue."""
        return self._role.grant_principal

    def grant_invoke(self, target: Any) -> None:
        """Allows jobs, and steps of workflows, to invoke a target.

        Args:
            target: A state machine, function, queue, topic or event bus of ``aws_cdk``, or any target of
                stepsched.

        Raises:
            TypeError: It is none of these.
            ValueError: The state machine cannot invoke the target.
        """
        found = target_of(target)
        if found not in self._targets:
            template([found], **self._given, parts=[Part.WORKFLOWS] * (self._workflows is not None))
            self._targets.append(found)

    def grant_dead_letters(self, queue: Any) -> None:
        """Allows jobs to name a queue as ``dead_letter``."""
        found = queue if isinstance(queue, QueueTarget) else QueueTarget(arn_of(queue))
        if found not in self._letters:
            self._letters.append(found)

    def grant_notify(self, topic: Any) -> None:
        """Allows jobs to name a topic as ``notify``."""
        found = topic if isinstance(topic, TopicTarget) else TopicTarget(arn_of(topic))
        if found not in self._topics:
            self._topics.append(found)

    @property
    def has_targets(self) -> bool:
        """Whether jobs may invoke anything."""
        return bool(self._targets) or self._workflows is not None or self._http is not False

    def _allow(self, job: Job) -> None:
        self.grant_invoke(job.target)
        if job.dead_letter is not None:
            self.grant_dead_letters(job.dead_letter)
        if job.notify is not None:
            self.grant_notify(job.notify)

    def _http_outputs(self, resources: Mapping[str, cdk.CfnResource]) -> dict[str, tuple[str, str]]:
        if self._http is False:
            return {}
        stack = cdk.Stack.of(self)
        host = f"{resources['HttpApi'].ref}.execute-api.{stack.region}.{stack.url_suffix}"
        url = f"https://{host}/{resources['HttpStage'].ref}"
        return {
            "SchedulerHttpUrl": (url, "The URL of one-shot tasks"),
            "SchedulerHttpTopicArn": (resources["HttpTopic"].ref, "The topic of one-shot tasks"),
        }

    def _resources(self) -> Mapping[str, Any]:
        """The resources of the template for the targets so far."""
        stack = cdk.Stack.of(self)
        listed = [*self._targets, *self._letters, *self._topics]
        if len(listed) == self._made[0]:
            return self._made[1]
        place = place_of(stack, *listed)
        # A runner without a call would be no state machine: it can start itself, as it does anyway.
        own = StateMachineTarget(
            f"arn:{place.partition}:states:{place.region}:{place.account}:stateMachine:x"
        )
        made = template(
            [placed(each, place) for each in self._targets] or [own],
            dead_letters=[placed(each, place) for each in self._letters],
            topics=[placed(each, place) for each in self._topics],
            parts=self._parts,
            http=self._http,
            table_name=self._existing,
            **self._given,
        )
        self._made = len(listed), made["Resources"]
        return self._made[1]

    def _named(self, name: str | None) -> str:
        longest = max_stack_name(self._parts)
        if name is not None:
            if not isinstance(name, str) or not 1 <= len(name) <= longest:
                raise ValueError(f"expected a name of 1 to {longest} characters, got {quoted(name)}")
            return name
        stack = cdk.Stack.of(self)
        path = [each.node.id for each in self.node.scopes if each.node.path.startswith(f"{stack.node.path}/")]
        made = "-".join([stack.stack_name, *path]).lower()
        if cdk.Token.is_unresolved(made) or len(made) > longest:
            return cdk.Names.unique_resource_name(self, max_length=longest, separator="-").lower()
        return made

    def _machine_arn_of(self, name: str) -> str:
        """The ARN by the name, and not by a reference, so that a target may use the register."""
        return cdk.Stack.of(self).format_arn(
            service="states",
            resource="stateMachine",
            resource_name=name,
            arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
        )


@jsii.implements(IValidation)
class _HasTargets:
    """Refuses to write the template of a scheduler that may invoke nothing."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    def validate(self) -> list[str]:
        """The errors."""
        if self._scheduler.has_targets:
            return []
        return ["expected a target that jobs may invoke, got none; use scheduler.grant_invoke(target)"]


class _Imported(BaseScheduler):
    """A scheduler of another stack."""

    def __init__(
        self,
        scope: Construct,
        id: str,  # noqa: A002 -- the name that every construct gives it
        *,
        table_name: str,
        arns: tuple[str, str],
        sync: bool,
        express: bool,
    ) -> None:
        super().__init__(scope, id)
        self._complete(*arns, _table_of(self, None, table_name), sync=sync, express=express)


def _table_of(scope: Construct, table: Any, name: str) -> dynamodb.ITable:
    if table is not None and not isinstance(table, str):
        found: dynamodb.ITable = table
        return found
    return dynamodb.Table.from_table_attributes(scope, "JobsTable", table_name=name, global_indexes=[INDEX])


def _schedule_for_register(job: Job) -> dict[str, Any]:
    """The schedule of a job as the register reads it.

    Raises:
        UnsupportedError: It cannot read it.
    """
    schedule = job.schedule
    match schedule:
        case Windowed():
            return {"schedule": json.loads(schedule.model_dump_json())}
        case OneTime(expression=str() as text):
            return {"schedule": text, "timezone": schedule.timezone}
        case Cron(expression=str() as text, start=None, end=None):
            return {"schedule": text, "timezone": schedule.timezone}
        case Rate(expression=str() as text, start=None, end=None):
            return {"schedule": text}
    reason = f"the register of a stack cannot read the schedule {schedule}"
    raise UnsupportedError(job.name, "stepfunctions", reason, ("client.create", "a Windowed schedule"))


def _last_run(job: Job) -> datetime | None:
    match job.schedule:
        case OneTime() as once:
            return once.instant
        case Windowed(end=end) as windowed if end is not None:
            return windowed.previous_run(before=datetime.max.replace(tzinfo=UTC))
    return None
