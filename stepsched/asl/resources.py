"""What a Task may call, by the name that Step Functions has for it.

https://docs.aws.amazon.com/step-functions/latest/dg/integrate-services.html
"""

from __future__ import annotations

import re

from stepsched.core.enums import StrEnum


class Pattern(StrEnum):
    """How long a Task waits for what it calls."""

    REQUEST = "request"
    """For the answer of the call."""
    RUN_JOB = "sync"
    """For the end of what the call started."""
    RUN_JOB_JSON = "sync:2"
    """The same, for ``states:startExecution``, whose output then is JSON and not text."""
    CALLBACK = "waitForTaskToken"
    """Until someone sends the task's token back."""


def integration(
    service: str, action: str, pattern: Pattern = Pattern.REQUEST, *, partition: str = "aws"
) -> str:
    """The resource of an optimised integration.

    Args:
        service: Such as ``lambda`` or ``sqs``.
        action: In lower camel case, such as ``sendMessage``.
        pattern: How long the Task waits.
        partition: ``aws``, or that of another part of AWS, such as ``aws-cn``.

    Example:
        >>> integration("batch", "submitJob", Pattern.RUN_JOB)
        'arn:aws:states:::batch:submitJob.sync'
    """
    pattern = Pattern(pattern)
    if not re.fullmatch(r"[a-z0-9:-]+", service) or not re.fullmatch(r"[a-z][A-Za-z0-9]*", action):
        raise ValueError(f"{service!r}, {action!r}: write them such as 'sqs', 'sendMessage'")
    ending = "" if pattern is Pattern.REQUEST else f".{pattern.value}"
    return f"arn:{partition}:states:::{service}:{action}{ending}"


def sdk_integration(
    service: str, action: str, pattern: Pattern = Pattern.REQUEST, *, partition: str = "aws"
) -> str:
    """The resource of any call of any AWS API.

    Args:
        service: The SDK's identifier, such as ``sqs`` or ``cognitoidentityprovider``.
        action: In lower camel case.
        pattern: The answer or a callback; these calls have no ``RUN_JOB``.
        partition: As for :func:`integration`.

    Example:
        >>> sdk_integration("s3", "putObject")
        'arn:aws:states:::aws-sdk:s3:putObject'
    """
    if Pattern(pattern) in (Pattern.RUN_JOB, Pattern.RUN_JOB_JSON):
        raise ValueError(f"aws-sdk:{service}:{action} cannot wait for a job; only optimised integrations can")
    return integration(f"aws-sdk:{service}", action, pattern, partition=partition)
