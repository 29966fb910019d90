"""Every error that stepsched raises, and the codes of ``BackendError``."""

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
)

__all__ = [
    "AccessDeniedError",
    "BackendError",
    "BackendUnavailableError",
    "BulkError",
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
]


def __dir__() -> list[str]:
    return __all__
