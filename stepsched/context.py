"""Context attributes: placeholders in a job's input that are filled in for each run."""

from stepsched.core.context import (
    ATTEMPT_NUMBER,
    ATTRIBUTES,
    EXECUTION_ID,
    SCHEDULE_ARN,
    SCHEDULED_TIME,
    ContextText,
)

__all__ = [
    "ATTEMPT_NUMBER",
    "ATTRIBUTES",
    "EXECUTION_ID",
    "SCHEDULED_TIME",
    "SCHEDULE_ARN",
    "ContextText",
]


def __dir__() -> list[str]:
    return __all__
