"""The differences between two definitions of a job, in words for people."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import timedelta
from enum import Enum
from os.path import commonprefix
from typing import Any

from pydantic import BaseModel

from stepsched.core.amounts import length_text
from stepsched.core.masking import MASK, suggests_secret, without_secrets
from stepsched.jobs.job import Job
from stepsched.schedules.base import ScheduleBase

_MAX_TEXT = 60
"""The maximum number of characters of a value."""
_CONTEXT = 15
"""The number of characters that are shown before the first difference of two long values."""
_MAX_DIFFERENCES = 8
"""The maximum number of differences that are listed for one job."""
_ABSENT: Any = object()


def describe_differences(before: Job, after: Job) -> str:
    """Returns the differences, such as ``schedule: At 00:00, UTC -> At 05:00, UTC; input.format: "pdf" ->
    "csv"``; empty if there is none.

    Long values are shortened to 60 characters, of more than 8 differences the others are counted, and values
    whose name suggests a secret, such as ``password`` or ``api_key``, are shown as ``***``.
    """
    found = [f"{path}: {values}" for path, values in _differences("", _fields(before), _fields(after))]
    if len(found) > _MAX_DIFFERENCES:
        found[_MAX_DIFFERENCES:] = [f"{len(found) - _MAX_DIFFERENCES} more"]
    return "; ".join(found)


def _differences(path: str, before: Any, after: Any) -> Iterator[tuple[str, str]]:
    old, new = _parts(before), _parts(after)
    if old is None or new is None or type(before) is not type(after):
        yield path, _pair(path, before, after)
        return
    for key in [*old, *(key for key in new if key not in old)]:
        one, other = old.get(key, _ABSENT), new.get(key, _ABSENT)
        if _canonical(one) != _canonical(other):
            yield from _differences(f"{path}.{_word(key)}" if path else _word(key), one, other)


def _parts(value: Any) -> Mapping[str, Any] | None:
    """Returns the parts of a value that are compared one by one; None if the value is shown as a whole."""
    if isinstance(value, ScheduleBase):
        return None
    if isinstance(value, BaseModel):
        return _fields(value)
    return value if isinstance(value, dict) else None


def _fields(value: BaseModel) -> dict[str, Any]:
    return {name: getattr(value, name) for name in type(value).model_fields}


def _canonical(value: Any) -> Any:
    """Returns a form in which ``1`` and ``true`` differ."""
    if isinstance(value, BaseModel):
        return type(value), value.model_dump_json()
    return repr(value) if value is _ABSENT else json.dumps(value, sort_keys=True, default=repr)


def _pair(path: str, before: Any, after: Any) -> str:
    old, new = (before, after) if path == "group" else (_text(before), _text(after))
    if isinstance(before, ScheduleBase) and isinstance(after, ScheduleBase) and old == new:
        old, new = repr(before), repr(after)
    if suggests_secret(path):
        old, new = _masked(before, old), _masked(after, new)
    if old == new:
        return f"{_cut(old)} (the difference is not shown)"
    common = len(commonprefix([old, new])) - _CONTEXT  # noqa: RUF071 -- of characters
    if common > 0 and max(len(old), len(new)) > _MAX_TEXT:
        old, new = f"…{old[common:]}", f"…{new[common:]}"
    return f"{_cut(old)} -> {_cut(new)}"


def _masked(value: Any, text: str) -> str:
    return text if value is _ABSENT or value is None else json.dumps(MASK)


def _text(value: Any) -> str:
    match value:
        case _ if value is _ABSENT:
            return "absent"
        case None:
            return "none"
        case ScheduleBase():
            return value.describe()
        case BaseModel():
            return _text_of_model(value)
        case Enum():
            return str(value.value)
        case timedelta():
            return length_text(value) or str(value)
        case _:
            return _json(without_secrets(value))


def _text_of_model(value: BaseModel) -> str:
    fields = value.model_dump(mode="json", exclude_defaults=True)
    shown = without_secrets(fields)
    return _one_line(repr(value) if shown == fields else f"{type(value).__name__}({_json(shown)})")


def _json(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=repr)
    return text if text.isprintable() else json.dumps(value, default=repr)


def _word(key: str) -> str:
    return _cut(_one_line(key))


def _one_line(text: str) -> str:
    return text if text.isprintable() else json.dumps(text)[1:-1]


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_TEXT else f"{text[: _MAX_TEXT - 1]}…"
