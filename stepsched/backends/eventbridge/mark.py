"""The metadata suffix that stepsched appends to a schedule's description.

A schedule has no tags and no other field for metadata, so its description ends in, for example::

    Nightly report [stepsched 3 9f2c1a7e {"tags":{"team":"data"}}]

The suffix holds the version, a digest of the job as it was written, and the data for which the service has no
field. It shows that stepsched owns the schedule; the digest shows whether the schedule was changed by other
means.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, NamedTuple

from stepsched.jobs import Job

LIMIT = 512
"""The maximum number of characters of a description."""
REASON = "paused"
"""The name of the reason of a pause in the metadata."""
_MARK = re.compile(r"(?:^|(?<=[^ ]) )\[stepsched (\d{1,15}) ([0-9a-f]{8})(?: (\{.*\}))?\]$", re.DOTALL)


class Mark(NamedTuple):
    """The metadata in a description."""

    version: int
    digest: str
    kept: Mapping[str, Any]
    """The data for which the service has no field, by name."""

    def __str__(self) -> str:
        kept = " " + json.dumps(self.kept, separators=(",", ":"), ensure_ascii=False) if self.kept else ""
        return f"[stepsched {self.version} {self.digest}{kept}]"


def digest(job: Job) -> str:
    """Returns a digest of the job. Defaults are left out, so that fields of later versions do not change it;
    so is the group, which cannot change and depends on the backend that reads it."""
    return sha256(job.model_dump_json(exclude_defaults=True, exclude={"group"}).encode()).hexdigest()[:8]


def write_description(text: str, mark: Mark) -> str:
    """Returns the description with the metadata suffix."""
    return f"{text} {mark}" if text else str(mark)


def read_description(description: str) -> tuple[str, Mark | None]:
    """Returns the text and the metadata; None if there is no readable suffix."""
    match = _MARK.search(description)
    if match is None:
        return description, None
    try:
        kept = json.loads(match[3]) if match[3] else {}
    except (ValueError, RecursionError):
        return description, None
    return description[: match.start()], Mark(version=int(match[1]), digest=match[2], kept=kept)


class NoRoomError(ValueError):
    """The description has no room for the reason of a pause. The text says why."""


def with_reason(text: str, mark: Mark, reason: str) -> Mark:
    """Returns the metadata with the reason of a pause.

    Args:
        text: The description to which it is appended.
        mark: The metadata without a reason.
        reason: The reason.

    Raises:
        NoRoomError: Text and metadata would be too long, or could not be separated again.
    """
    held = mark._replace(kept={**mark.kept, REASON: reason})
    whole = write_description(text, held)
    if len(whole) > LIMIT:
        room = max(0, LIMIT - len(whole) + len(reason))
        raise NoRoomError(
            f"the reason of the pause has {len(reason)} characters, and the schedule's description has room "
            f"for {room} beside the job's own description and tags"
        )
    if read_description(whole) != (text, held):
        raise NoRoomError(f"description {text!r} cannot be separated from the reason of the pause")
    return held


def without_reason(description: str) -> str:
    """Returns a description without the reason of a pause in its metadata, otherwise unchanged."""
    text, mark = read_description(description)
    if mark is None or REASON not in mark.kept:
        return description
    kept = {key: value for key, value in mark.kept.items() if key != REASON}
    return write_description(text, mark._replace(kept=kept))
