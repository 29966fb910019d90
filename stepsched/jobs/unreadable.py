"""Why a stored definition cannot be read, and what to do about it."""

from __future__ import annotations

from typing import NamedTuple

from pydantic import ValidationError

from stepsched.core.errors import InvalidScheduleError

NEWER = "a later version of stepsched has probably written it; upgrade stepsched"
OTHER = "another version of stepsched has probably written it; use that version"
ZONE = "use a newer time zone database, such as that of pip install -U tzdata"
_UNKNOWN = ("extra_forbidden", "union_tag_invalid", "enum", "literal_error")
"""The kinds of errors of fields and values that this version does not know."""
_NO_JOB = ("json_invalid", "json_type", "model_type", "model_attributes_type")
_MAX_REASONS = 3


class Unreadable(NamedTuple):
    """Why a stored definition cannot be read."""

    reason: str
    """What is wrong with it."""
    remedy: str | None
    """What makes it readable. None: it is damaged, and no version can read it."""


def why_unreadable(error: ValidationError) -> Unreadable:
    """Decides why a definition cannot be read. Only a text that is not a job at all counts as damaged, since
    a definition that another version has written is a good one."""
    found = error.errors(include_url=False, include_input=False)
    kinds = {each["type"] for each in found}
    places = [(".".join(str(part) for part in each["loc"]), each["msg"]) for each in found[:_MAX_REASONS]]
    reason = "; ".join(f"{place}: {words}" if place else words for place, words in places)
    if not kinds.isdisjoint(_UNKNOWN):
        return Unreadable(reason, NEWER)
    if not kinds.isdisjoint(_NO_JOB) or {"name", "schedule"} <= {
        place for place, words in places if words == "Field required"
    }:
        return Unreadable(reason, None)
    causes = [each.get("ctx", {}).get("error") for each in found]
    if any(isinstance(cause, InvalidScheduleError) and cause.field == "timezone" for cause in causes):
        return Unreadable(reason, ZONE)
    return Unreadable(reason, OTHER)
