"""The resources of Tasks: the names of calls in Step Functions.

https://docs.aws.amazon.com/step-functions/latest/dg/integrate-services.html
"""

from __future__ import annotations

import re

from stepsched.core.enums import StrEnum
from stepsched.core.quoting import quoted


class Pattern(StrEnum):
    """What a Task waits for."""

    REQUEST = "request"
    """The Task waits for the response of the call."""
    RUN_JOB = "sync"
    """The Task waits for the end of the started job."""
    RUN_JOB_JSON = "sync:2"
    """The Task waits for the end of the execution that ``states:startExecution`` started; its output is JSON
    and not text."""
    CALLBACK = "waitForTaskToken"
    """The Task waits until its task token is sent back."""


def integration(
    service: str, action: str, pattern: Pattern = Pattern.REQUEST, *, partition: str = "aws"
) -> str:
    """Returns the resource of an optimised integration.

    Args:
        service: The service, such as ``lambda`` or ``sqs``.
        action: The action in lower camel case, such as ``sendMessage``.
        pattern: What the Task waits for.
        partition: The partition: ``aws``, ``aws-cn`` and so on.

    Example:
        >>> integration("batch", "submitJob", Pattern.RUN_JOB)
        'arn:aws:states:::batch:submitJob.sync'
    """
    pattern = Pattern(pattern)
    if not _is_like(r"[a-z0-9:-]+", service) or not _is_like(r"[a-z][A-Za-z0-9]*", action):
        raise ValueError(
            f"expected names such as 'sqs' and 'sendMessage', got {quoted(service)} and {quoted(action)}"
        )
    if not _is_like(r"aws[a-z-]*", partition):
        raise ValueError(f"expected a partition such as 'aws' or 'aws-cn', got {quoted(partition)}")
    ending = "" if pattern is Pattern.REQUEST else f".{pattern.value}"
    return f"arn:{partition}:states:::{service}:{action}{ending}"


def sdk_integration(
    service: str, action: str, pattern: Pattern = Pattern.REQUEST, *, partition: str = "aws"
) -> str:
    """Returns the resource of an API call of the AWS SDK.

    Args:
        service: The SDK's identifier of the service, such as ``sqs`` or ``cognitoidentityprovider``.
        action: The action in lower camel case.
        pattern: ``REQUEST`` or ``CALLBACK``; these calls do not support ``RUN_JOB``.
        partition: As for :func:`integration`.

    Example:
        >>> sdk_integration("s3", "putObject")
        'arn:aws:states:::aws-sdk:s3:putObject'
    """
    if Pattern(pattern) in (Pattern.RUN_JOB, Pattern.RUN_JOB_JSON):
        raise ValueError(f"aws-sdk:{service}:{action} cannot wait for a job; only optimised integrations can")
    return integration(f"aws-sdk:{service}", action, pattern, partition=partition)


def _is_like(pattern: str, text: object) -> bool:
    return isinstance(text, str) and re.fullmatch(pattern, text) is not None
