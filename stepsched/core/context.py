"""Context attributes: placeholders for a job's input that are replaced at every attempt.

    job.replace(input={"due": ss.context.SCHEDULED_TIME, "key": "runs/" + ss.context.EXECUTION_ID})

EventBridge Scheduler replaces them, and the other backends do the same. Other text never becomes an
attribute: text that only looks like one is refused (P-23), since the service has no way to escape it.

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
"""A pattern of text that the service might read as an attribute."""
JSON_KEY = "$context"
"""The only key of the object that represents such text in JSON: ``{"$context": "<aws...>"}``."""


class ContextText(str):
    """Text that contains context attributes. ``+`` concatenates it with plain text."""

    __slots__ = ()

    def __add__(self, other: str) -> ContextText:
        return _joined(self, other) if isinstance(other, str) else NotImplemented

    def __radd__(self, other: str) -> ContextText:
        return _joined(other, self) if isinstance(other, str) else NotImplemented

    def filled(self, values: Mapping[ContextText, str]) -> str:
        """Returns the text with the attributes replaced by their values.

        Args:
            values: The values by attribute. An attribute without a value is kept.
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
"""The ID of the attempt, such as ``d32c5kddcf5bb8c3``: short, of letters, digits and ``-``, so that it can
be part of the name of something that the run creates."""
ATTEMPT_NUMBER = ContextText("<aws.scheduler.attempt-number>")
"""The number of the attempt; the first is 1."""

ATTRIBUTES = (SCHEDULE_ARN, SCHEDULED_TIME, EXECUTION_ID, ATTEMPT_NUMBER)
"""All context attributes."""


def revive(value: Any, depth: int = 0) -> Any:
    """Returns a copy of a JSON document in which ``{"$context": text}`` is replaced by a
    :class:`ContextText`.

    Raises:
        ValueError: The text contains no attribute, or something that only looks like one.
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
    """Returns the JSON form of a value, which distinguishes attributes from plain text: the inverse of
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
    """Returns a copy of a JSON value in which all text that contains attributes becomes a
    :class:`ContextText`, for values that the service stores."""
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
        raise ValueError(f"expected a text with one of the context attributes {names}, got {text!r}")
    rest = ContextText(text).filled(dict.fromkeys(ATTRIBUTES, ""))
    if re.search(LOOK_ALIKE, rest):
        raise ValueError(f"{text!r} contains something that only looks like a context attribute")
    return ContextText(text)


def fill(value: Any, values: Mapping[ContextText, str]) -> Any:
    """Returns a copy of a JSON value with the attributes replaced by their values; plain text is kept."""
    match value:
        case ContextText():
            return value.filled(values)
        case list():
            return [fill(item, values) for item in value]
        case dict():
            return {key: fill(item, values) for key, item in value.items()}
    return value


def find_look_alike(value: Any, place: str = "input") -> str | None:
    """Returns the place of plain text that the service would read as an attribute; None if there is none."""
    match value:
        case ContextText():
            return None
        case str():
            return place if re.search(LOOK_ALIKE, value) else None
        case list() | tuple():
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
    """Concatenates two texts. No plain part may look like an attribute, also not across the joint."""
    text = str(left) + str(right)
    wanted = sum(len(re.findall(LOOK_ALIKE, part)) for part in (left, right) if isinstance(part, ContextText))
    if len(re.findall(LOOK_ALIKE, text)) != wanted:
        plain = right if isinstance(left, ContextText) else left
        raise ValueError(f"{plain!r} looks like a context attribute; use the constants of ss.context")
    return ContextText(text)


def __dir__() -> list[str]:
    return __all__
