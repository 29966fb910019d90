"""One typed job, exact on every clock.

Say *when* and *what* once; stepsched says when it will run, and creates, lists, pauses, resumes and
cancels it: embedded in this process, on EventBridge Scheduler, or on Step Functions.

Names load on first use, so that ``import stepsched`` stays cheap and never loads boto3.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stepsched import asl as asl
    from stepsched import deploy as deploy
    from stepsched import iam as iam
    from stepsched import testing as testing
    from stepsched.aio import AsyncSchedulerClient as AsyncSchedulerClient
    from stepsched.aio import CallCancelledError as CallCancelledError
    from stepsched.backends.base import Backend as Backend
    from stepsched.backends.eventbridge import DeadLetter as DeadLetter
    from stepsched.backends.eventbridge import EventBridgeBackend as EventBridgeBackend
    from stepsched.backends.eventbridge import Metric as Metric
    from stepsched.backends.local import LocalBackend as LocalBackend
    from stepsched.backends.stepfunctions import StepFunctionsBackend as StepFunctionsBackend
    from stepsched.client import SchedulerClient as SchedulerClient
    from stepsched.core import context as context
    from stepsched.core.errors import AccessDeniedError as AccessDeniedError
    from stepsched.core.errors import BackendError as BackendError
    from stepsched.core.errors import BackendUnavailableError as BackendUnavailableError
    from stepsched.core.errors import BulkError as BulkError
    from stepsched.core.errors import ConflictError as ConflictError
    from stepsched.core.errors import DefinitionError as DefinitionError
    from stepsched.core.errors import HandlerError as HandlerError
    from stepsched.core.errors import InvalidScheduleError as InvalidScheduleError
    from stepsched.core.errors import InvalidTransitionError as InvalidTransitionError
    from stepsched.core.errors import JobExistsError as JobExistsError
    from stepsched.core.errors import JobFileError as JobFileError
    from stepsched.core.errors import JobNotFoundError as JobNotFoundError
    from stepsched.core.errors import RenderError as RenderError
    from stepsched.core.errors import RunNotFoundError as RunNotFoundError
    from stepsched.core.errors import ScheduleWarning as ScheduleWarning
    from stepsched.core.errors import StepschedError as StepschedError
    from stepsched.core.errors import ThrottledError as ThrottledError
    from stepsched.core.errors import UnsupportedError as UnsupportedError
    from stepsched.core.errors import WaitTimeoutError as WaitTimeoutError
    from stepsched.estimates import Estimate as Estimate
    from stepsched.estimates import Prices as Prices
    from stepsched.estimates import Quotas as Quotas
    from stepsched.estimates import estimate as estimate
    from stepsched.jobs import CatchUp as CatchUp
    from stepsched.jobs import Completion as Completion
    from stepsched.jobs import Job as Job
    from stepsched.jobs import JobRecord as JobRecord
    from stepsched.jobs import JobStatus as JobStatus
    from stepsched.jobs import JobVersion as JobVersion
    from stepsched.jobs import OnFailure as OnFailure
    from stepsched.jobs import Overlap as Overlap
    from stepsched.jobs import Problem as Problem
    from stepsched.jobs import Repair as Repair
    from stepsched.jobs import Retry as Retry
    from stepsched.jobs import Run as Run
    from stepsched.jobs import RunStatus as RunStatus
    from stepsched.jobs import Trigger as Trigger
    from stepsched.jobs.decorator import job as job
    from stepsched.jobs.events import Event as Event
    from stepsched.jobs.events import EventKind as EventKind
    from stepsched.jobs.files import load_jobs as load_jobs
    from stepsched.jobs.plans import Plan as Plan
    from stepsched.jobs.upcoming import Upcoming as Upcoming
    from stepsched.jobs.upcoming import UpcomingRun as UpcomingRun
    from stepsched.machines.single import render_asl as render_asl
    from stepsched.schedules import Schedule as Schedule
    from stepsched.schedules.cron import Cron as Cron
    from stepsched.schedules.expressions import parse_schedule as parse_schedule
    from stepsched.schedules.frequency import Frequency as Frequency
    from stepsched.schedules.onetime import OneTime as OneTime
    from stepsched.schedules.rate import Rate as Rate
    from stepsched.schedules.timeline import Occurrence as Occurrence
    from stepsched.schedules.timeline import timeline as timeline
    from stepsched.schedules.windowed import Windowed as Windowed
    from stepsched.targets import ApiTarget as ApiTarget
    from stepsched.targets import BatchTarget as BatchTarget
    from stepsched.targets import CodeBuildTarget as CodeBuildTarget
    from stepsched.targets import CodePipelineTarget as CodePipelineTarget
    from stepsched.targets import CommandTarget as CommandTarget
    from stepsched.targets import EcsTaskTarget as EcsTaskTarget
    from stepsched.targets import EventBusTarget as EventBusTarget
    from stepsched.targets import FirehoseTarget as FirehoseTarget
    from stepsched.targets import HandlerTarget as HandlerTarget
    from stepsched.targets import KinesisTarget as KinesisTarget
    from stepsched.targets import LambdaTarget as LambdaTarget
    from stepsched.targets import ParallelTarget as ParallelTarget
    from stepsched.targets import QueueTarget as QueueTarget
    from stepsched.targets import SageMakerPipelineTarget as SageMakerPipelineTarget
    from stepsched.targets import StateMachineTarget as StateMachineTarget
    from stepsched.targets import Target as Target
    from stepsched.targets import TemplateTarget as TemplateTarget
    from stepsched.targets import TopicTarget as TopicTarget
    from stepsched.targets.containers import CapacityProvider as CapacityProvider
    from stepsched.targets.containers import Placement as Placement

__version__ = "0.1.0"

_HOMES = {
    "stepsched.aio": ("AsyncSchedulerClient", "CallCancelledError"),
    "stepsched.machines.single": ("render_asl",),
    "stepsched.backends.base": ("Backend",),
    "stepsched.backends.local": ("LocalBackend",),
    "stepsched.backends.stepfunctions": ("StepFunctionsBackend",),
    "stepsched.backends.eventbridge": ("DeadLetter", "EventBridgeBackend", "Metric"),
    "stepsched.client": ("SchedulerClient",),
    "stepsched.jobs.decorator": ("job",),
    "stepsched.core.errors": (
        "AccessDeniedError",
        "BackendError",
        "BackendUnavailableError",
        "BulkError",
        "ConflictError",
        "DefinitionError",
        "HandlerError",
        "InvalidScheduleError",
        "InvalidTransitionError",
        "JobExistsError",
        "JobFileError",
        "JobNotFoundError",
        "RenderError",
        "RunNotFoundError",
        "ScheduleWarning",
        "StepschedError",
        "ThrottledError",
        "UnsupportedError",
        "WaitTimeoutError",
    ),
    "stepsched.estimates": ("Estimate", "Prices", "Quotas", "estimate"),
    "stepsched.jobs.events": ("Event", "EventKind"),
    "stepsched.jobs.files": ("load_jobs",),
    "stepsched.jobs": (
        "CatchUp",
        "Completion",
        "Job",
        "JobRecord",
        "JobStatus",
        "JobVersion",
        "OnFailure",
        "Overlap",
        "Problem",
        "Repair",
        "Retry",
        "Run",
        "RunStatus",
        "Trigger",
    ),
    "stepsched.jobs.plans": ("Plan",),
    "stepsched.schedules": ("Cron", "Frequency", "OneTime", "Rate", "Schedule", "Windowed"),
    "stepsched.schedules.expressions": ("parse_schedule",),
    "stepsched.schedules.timeline": ("Occurrence", "timeline"),
    "stepsched.targets": (
        "ApiTarget",
        "BatchTarget",
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
        "QueueTarget",
        "SageMakerPipelineTarget",
        "StateMachineTarget",
        "Target",
        "TemplateTarget",
        "TopicTarget",
    ),
    "stepsched.targets.containers": ("CapacityProvider", "Placement"),
    "stepsched.jobs.upcoming": ("Upcoming", "UpcomingRun"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}
_MODULES = {
    "asl": "stepsched.asl",
    "context": "stepsched.core.context",
    "deploy": "stepsched.deploy",
    "iam": "stepsched.iam",
    "testing": "stepsched.testing",
}
__all__ = sorted([*_HOME_OF, *_MODULES, "__version__"])  # noqa: PLE0605 -- the map is the list


if not TYPE_CHECKING:  # type checkers see the imports above, and so a wrong name

    def __getattr__(name: str) -> object:
        if name in _MODULES:
            return import_module(_MODULES[name])
        if name not in _HOME_OF:
            raise AttributeError(f"module 'stepsched' has no attribute {name!r}")
        value = getattr(import_module(_HOME_OF[name]), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return __all__
