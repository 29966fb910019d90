"""Typed job scheduling for Python on AWS.

Define *when* and *what* once. stepsched computes the next runs, and creates, lists, pauses, resumes and
cancels the job: embedded in this process, on EventBridge Scheduler, or on Step Functions.

The names that most programs need are in this module. The others are in namespaces:

- ``schedules``, ``targets``, ``jobs``: all schedules, targets and policies, and what backends return
- ``errors``: every error, and the codes of ``BackendError``
- ``context``: placeholders in a job's input that are filled in for each run
- ``backends``: the port, for authors of backends; ``eventbridge``: names that only that backend uses
- ``iam``, ``deploy``, ``estimates``: permissions, stacks and costs in AWS
- ``asl``: Amazon States Language
- ``testing``: a fake clock for tests, and the contract suite for backends
- ``workers``: what workers of queues hand to handlers and listeners
- ``workflows``: job graphs: conditions, references, records of runs

Names are imported on first use, so that ``import stepsched`` stays cheap and never imports boto3.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from stepsched.core.lazy import loader

if TYPE_CHECKING:
    from stepsched import asl as asl
    from stepsched import backends as backends
    from stepsched import context as context
    from stepsched import deploy as deploy
    from stepsched import errors as errors
    from stepsched import estimates as estimates
    from stepsched import eventbridge as eventbridge
    from stepsched import iam as iam
    from stepsched import jobs as jobs
    from stepsched import schedules as schedules
    from stepsched import targets as targets
    from stepsched import testing as testing
    from stepsched import workers as workers
    from stepsched import workflows as workflows
    from stepsched.aio import AsyncSchedulerClient as AsyncSchedulerClient
    from stepsched.aio import AsyncWorkflowClient as AsyncWorkflowClient
    from stepsched.aio import CallCancelledError as CallCancelledError
    from stepsched.backends.eventbridge import EventBridgeBackend as EventBridgeBackend
    from stepsched.backends.local import LocalBackend as LocalBackend
    from stepsched.backends.stepfunctions import StepFunctionsBackend as StepFunctionsBackend
    from stepsched.client import SchedulerClient as SchedulerClient
    from stepsched.core.errors import BackendError as BackendError
    from stepsched.core.errors import ConflictError as ConflictError
    from stepsched.core.errors import InvalidScheduleError as InvalidScheduleError
    from stepsched.core.errors import InvalidTransitionError as InvalidTransitionError
    from stepsched.core.errors import JobExistsError as JobExistsError
    from stepsched.core.errors import JobNotFoundError as JobNotFoundError
    from stepsched.core.errors import RenderError as RenderError
    from stepsched.core.errors import ScheduleWarning as ScheduleWarning
    from stepsched.core.errors import StepschedError as StepschedError
    from stepsched.core.errors import UnsupportedError as UnsupportedError
    from stepsched.estimates import estimate as estimate
    from stepsched.jobs import CatchUp as CatchUp
    from stepsched.jobs import Completion as Completion
    from stepsched.jobs import Job as Job
    from stepsched.jobs import JobRecord as JobRecord
    from stepsched.jobs import JobStatus as JobStatus
    from stepsched.jobs import OnFailure as OnFailure
    from stepsched.jobs import Overlap as Overlap
    from stepsched.jobs import Retry as Retry
    from stepsched.jobs import Run as Run
    from stepsched.jobs import RunStatus as RunStatus
    from stepsched.jobs.crontab_files import load_crontab as load_crontab
    from stepsched.jobs.decorator import job as job
    from stepsched.jobs.files import dump_jobs as dump_jobs
    from stepsched.jobs.files import load_jobs as load_jobs
    from stepsched.schedules import Cron as Cron
    from stepsched.schedules import Frequency as Frequency
    from stepsched.schedules import OneTime as OneTime
    from stepsched.schedules import Rate as Rate
    from stepsched.schedules import Schedule as Schedule
    from stepsched.schedules import Windowed as Windowed
    from stepsched.schedules.expressions import parse_schedule as parse_schedule
    from stepsched.schedules.timeline import timeline as timeline
    from stepsched.schedules.zone_databases import timezone_database as timezone_database
    from stepsched.targets import ApiTarget as ApiTarget
    from stepsched.targets import BatchTarget as BatchTarget
    from stepsched.targets import CommandTarget as CommandTarget
    from stepsched.targets import EventBusTarget as EventBusTarget
    from stepsched.targets import FanOutTarget as FanOutTarget
    from stepsched.targets import HandlerTarget as HandlerTarget
    from stepsched.targets import HttpTarget as HttpTarget
    from stepsched.targets import LambdaTarget as LambdaTarget
    from stepsched.targets import ParallelTarget as ParallelTarget
    from stepsched.targets import QueueTarget as QueueTarget
    from stepsched.targets import StateMachineTarget as StateMachineTarget
    from stepsched.targets import Target as Target
    from stepsched.targets import TopicTarget as TopicTarget
    from stepsched.targets import WorkflowTarget as WorkflowTarget
    from stepsched.webhooks.signing import verify_webhook as verify_webhook
    from stepsched.workers import QueueWorker as QueueWorker
    from stepsched.workflow_client import WorkflowClient as WorkflowClient
    from stepsched.workflows import Step as Step
    from stepsched.workflows import Workflow as Workflow
    from stepsched.workflows.rendering import render_asl as render_asl

__version__ = "0.1.0"

_HOMES = {
    "stepsched.aio": ("AsyncSchedulerClient", "AsyncWorkflowClient", "CallCancelledError"),
    "stepsched.backends.eventbridge": ("EventBridgeBackend",),
    "stepsched.backends.local": ("LocalBackend",),
    "stepsched.backends.stepfunctions": ("StepFunctionsBackend",),
    "stepsched.client": ("SchedulerClient",),
    "stepsched.core.errors": (
        "BackendError",
        "ConflictError",
        "InvalidScheduleError",
        "InvalidTransitionError",
        "JobExistsError",
        "JobNotFoundError",
        "RenderError",
        "ScheduleWarning",
        "StepschedError",
        "UnsupportedError",
    ),
    "stepsched.estimates": ("estimate",),
    "stepsched.jobs": (
        "CatchUp",
        "Completion",
        "Job",
        "JobRecord",
        "JobStatus",
        "OnFailure",
        "Overlap",
        "Retry",
        "Run",
        "RunStatus",
    ),
    "stepsched.jobs.crontab_files": ("load_crontab",),
    "stepsched.jobs.decorator": ("job",),
    "stepsched.jobs.files": ("dump_jobs", "load_jobs"),
    "stepsched.schedules": (
        "Cron",
        "Frequency",
        "OneTime",
        "Rate",
        "Schedule",
        "Windowed",
    ),
    "stepsched.schedules.expressions": ("parse_schedule",),
    "stepsched.schedules.timeline": ("timeline",),
    "stepsched.schedules.zone_databases": ("timezone_database",),
    "stepsched.targets": (
        "ApiTarget",
        "BatchTarget",
        "CommandTarget",
        "EventBusTarget",
        "FanOutTarget",
        "HandlerTarget",
        "HttpTarget",
        "LambdaTarget",
        "ParallelTarget",
        "QueueTarget",
        "StateMachineTarget",
        "Target",
        "TopicTarget",
        "WorkflowTarget",
    ),
    "stepsched.webhooks.signing": ("verify_webhook",),
    "stepsched.workers": ("QueueWorker",),
    "stepsched.workflow_client": ("WorkflowClient",),
    "stepsched.workflows": ("Step", "Workflow"),
    "stepsched.workflows.rendering": ("render_asl",),
}
_NAMESPACES = (
    "asl",
    "backends",
    "context",
    "deploy",
    "errors",
    "estimates",
    "eventbridge",
    "iam",
    "jobs",
    "schedules",
    "targets",
    "testing",
    "workers",
    "workflows",
)
_ELSEWHERE = {
    "backends": (
        "Backend",
        "Capabilities",
        "Clock",
        "JobQuery",
        "Listener",
        "Prepared",
        "RunQuery",
        "Survey",
    ),
    "errors": (
        "AccessDeniedError",
        "BackendUnavailableError",
        "BulkError",
        "DefinitionError",
        "ErrorCode",
        "HandlerError",
        "JobFileError",
        "RunNotFoundError",
        "ThrottledError",
        "WaitTimeoutError",
        "WebhookError",
        "WorkflowNotFoundError",
    ),
    "estimates": (
        "PRICES",
        "QUOTAS",
        "BusyMinute",
        "Charge",
        "Estimate",
        "MinuteLoad",
        "MonthEstimate",
        "Prices",
        "Quotas",
        "ServiceEstimate",
        "TablePrices",
    ),
    "eventbridge": ("DeadLetter", "Metric"),
    "jobs": (
        "Change",
        "Event",
        "EventKind",
        "JobRecords",
        "JobVersion",
        "JobVersions",
        "Plan",
        "Problem",
        "Repair",
        "Repairs",
        "Runs",
        "Trigger",
        "Upcoming",
        "UpcomingRun",
        "next_interval_run",
        "read_crontab",
        "read_jobs",
        "write_jobs",
    ),
    "schedules": ("AnySchedule", "Instants", "Occurrence", "Timeline", "TimezoneDatabase"),
    "targets": (
        "AnyTarget",
        "AwsTarget",
        "CapacityProvider",
        "CodeBuildTarget",
        "CodePipelineTarget",
        "EcsTaskTarget",
        "FirehoseTarget",
        "KinesisTarget",
        "Placement",
        "SERVICE_TARGETS",
        "SageMakerPipelineTarget",
        "SingleTarget",
        "TemplateTarget",
    ),
    "workers": ("QueueMessage", "WorkSummary", "WorkerEvent", "WorkerEventKind"),
    "workflows": (
        "Condition",
        "FailureKind",
        "RestartAction",
        "RestartPlan",
        "StepPlan",
        "StepRun",
        "StepStatus",
        "When",
        "WorkflowRun",
        "WorkflowRunStatus",
        "WorkflowRuns",
        "WorkflowVersion",
        "WorkflowVersions",
        "input_of",
        "load_workflows",
        "output_of",
    ),
}
"""The namespaces of names that are not in this module, for the error of a failed lookup."""
__all__ = sorted([*(name for names in _HOMES.values() for name in names), *_NAMESPACES, "__version__"])  # noqa: PLE0605 -- the map is the list
_load = loader(__name__, _HOMES)


if not TYPE_CHECKING:  # type checkers see the imports above, and so a wrong name

    def __getattr__(name: str) -> object:
        if name in _NAMESPACES:
            return import_module(f"stepsched.{name}")
        for namespace, names in _ELSEWHERE.items():
            if name in names:
                raise AttributeError(
                    f"module 'stepsched' has no attribute {name!r}: it is stepsched.{namespace}.{name}"
                )
        return _load(name)


def __dir__() -> list[str]:
    return __all__
