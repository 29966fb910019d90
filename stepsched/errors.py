"""Every error that stepsched raises, and the codes of ``BackendError``."""

from typing import TYPE_CHECKING

from stepsched.core.errors import (
    AccessDeniedError,
    BackendError,
    BackendUnavailableError,
    BulkError,
    ConflictError,
    DefinitionError,
    ErrorCode,
    HandlerError,
    InvalidScheduleError,
    InvalidTransitionError,
    JobExistsError,
    JobFileError,
    JobNotFoundError,
    RenderError,
    RunNotFoundError,
    ScheduleWarning,
    StepschedError,
    ThrottledError,
    UnsupportedError,
    WaitTimeoutError,
    WebhookError,
    WorkflowNotFoundError,
)
from stepsched.core.lazy import loader

if TYPE_CHECKING:
    from stepsched.aio import CallCancelledError

__all__ = [
    "AccessDeniedError",
    "BackendError",
    "BackendUnavailableError",
    "BulkError",
    "CallCancelledError",
    "ConflictError",
    "DefinitionError",
    "ErrorCode",
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
    "WebhookError",
    "WorkflowNotFoundError",
]

if not TYPE_CHECKING:  # most programs have no event loop
    __getattr__ = loader(__name__, {"stepsched.aio": ("CallCancelledError",)})


def __dir__() -> list[str]:
    return __all__
