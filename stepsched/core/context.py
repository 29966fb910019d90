"""What EventBridge Scheduler knows of an invocation, to be put into a job's input.

    job.replace(input={"due": ss.context.SCHEDULED_TIME, "key": "runs/" + ss.context.EXECUTION_ID})

The service replaces these at every attempt, and so does the embedded backend. Text of your own never
becomes one: what only looks like an attribute is refused (P-23), for the service has no way to escape it.

https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

__all__ = [
    "ATTEMPT_NUMBER",
    "ATTRIBUTES",
    "EXECUTION_ID",
    "SCHEDULED_TIME",
    "SCHEDULE_ARN",
    "ContextText",
]
LOOK_ALIKE = r"(?i)<aws\.scheduler\."
"""What the service might take for an attribute."""
JSON_KEY = "$context"
"""The one key of the object that stands for such a text in JSON: ``{"$context": "<aws...>"}``."""


class ContextText(str):
    """Text that holds context attributes. ``+`` joins it with plain text; nothing else makes one."""

    __slots__ = ()

    def __add__(self, other: str) -> ContextText:
        return _joined(self, other) if isinstance(other, str) else NotImplemented

    def __radd__(self, other: str) -> ContextText:
        return _joined(other, self) if isinstance(other, str) else NotImplemented

    def filled(self, values: Mapping[ContextText, str]) -> str:
        """The text with the attributes' values in their places.

        Args:
            values: By attribute; one that is left out stays as it is.
        """
        text = str(self)
        for attribute, value in values.items():
            text = text.replace(attribute, value)
        return text


SCHEDULE_ARN = ContextText("<aws.scheduler.schedule-arn>")
"""The ARN of the schedule."""
SCHEDULED_TIME = ContextText("<aws.scheduler.scheduled-time>")
"""The scheduled instant, such as ``2022-03-22T18:59:43Z``."""
EXECUTION_ID = ContextText("<aws.scheduler.execution-id>")
"""The identifier of the attempt, such as ``d32c5kddcf5bb8c3``."""
ATTEMPT_NUMBER = ContextText("<aws.scheduler.attempt-number>")
"""The number of the attempt, from 1."""

ATTRIBUTES = (SCHEDULE_ARN, SCHEDULED_TIME, EXECUTION_ID, ATTEMPT_NUMBER)
"""All there are."""


def revive(value: Any, depth: int = 0) -> Any:
    """A copy of a JSON document in which ``{"$context": text}`` has become that text.

    Raises:
        ValueError: The text holds no attribute, or something that only looks like one.
    """
    if depth > 100:  # no payload is so deep
        return value
    match value:
        case {"$context": text} if len(value) == 1:
            return _read(text)
        case list():
            return [revive(item, depth + 1) for item in value]
        case dict():
            return {key: revive(item, depth + 1) for key, item in value.items()}
    return value


def write(value: Any) -> Any:
    """The JSON form of a value, in which an attribute can be told from plain text: the mirror of
    :func:`revive`."""
    match value:
        case ContextText():
            return {JSON_KEY: str(value)}
        case list():
            return [write(item) for item in value]
        case dict():
            return {key: write(item) for key, item in value.items()}
    return value


def recognise(value: Any) -> Any:
    """A copy of a JSON value in which all text that holds attributes is taken for them: for what the
    service itself keeps."""
    match value:
        case str() if any(attribute in value for attribute in ATTRIBUTES):
            return ContextText(value)
        case list():
            return [recognise(item) for item in value]
        case dict():
            return {key: recognise(item) for key, item in value.items()}
    return value


def _read(text: object) -> ContextText:
    if not isinstance(text, str) or not any(attribute in text for attribute in ATTRIBUTES):
        names = ", ".join(str(attribute) for attribute in ATTRIBUTES)
        raise ValueError(f"{text!r} holds no context attribute; they are {names}")
    rest = ContextText(text).filled(dict.fromkeys(ATTRIBUTES, ""))
    if re.search(LOOK_ALIKE, rest):
        raise ValueError(f"{text!r} holds something that only looks like a context attribute")
    return ContextText(text)


def fill(value: Any, values: Mapping[ContextText, str]) -> Any:
    """A copy of a JSON value with the attributes' values in their places; plain text stays as it is."""
    match value:
        case ContextText():
            return value.filled(values)
        case list():
            return [fill(item, values) for item in value]
        case dict():
            return {key: fill(item, values) for key, item in value.items()}
    return value


def find_look_alike(value: Any, place: str = "input") -> str | None:
    """Where plain text stands that the service would take for an attribute; None: nowhere."""
    match value:
        case ContextText():
            return None
        case str():
            return place if re.search(LOOK_ALIKE, value) else None
        case list():
            found = (find_look_alike(item, f"{place}[{number}]") for number, item in enumerate(value))
            return next(filter(None, found), None)
        case dict():
            for key, item in value.items():
                if re.search(LOOK_ALIKE, key):
                    return f"a key of {place}"
                inner = find_look_alike(item, f"{place}.{key}")
                if inner is not None:
                    return inner
    return None


def _joined(left: str, right: str) -> ContextText:
    """Both texts, of which no plain part may look like an attribute, nor grow into one where they meet."""
    text = str(left) + str(right)
    wanted = sum(len(re.findall(LOOK_ALIKE, part)) for part in (left, right) if isinstance(part, ContextText))
    if len(re.findall(LOOK_ALIKE, text)) != wanted:
        plain = right if isinstance(left, ContextText) else left
        raise ValueError(f"{plain!r} makes what looks like a context attribute; join the constants")
    return ContextText(text)


def __dir__() -> list[str]:
    return __all__
