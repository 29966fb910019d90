"""The mark that stepsched leaves at the end of a schedule's description.

A schedule has no tags and no room for anything else of ours, so its description ends in, for example::

    Nightly report [stepsched 3 9f2c1a7e {"tags":{"team":"data"}}]

These are the version, a digest of the job as it was written, and what the service has no field for. The mark
says that the schedule is stepsched's own; the digest tells whether somebody else has changed it since.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, NamedTuple

from stepsched.jobs import Job

LIMIT = 512
"""Characters of a description."""
_MARK = re.compile(r"(?:^|(?<=[^ ]) )\[stepsched (\d{1,15}) ([0-9a-f]{8})(?: (\{.*\}))?\]$", re.DOTALL)


class Mark(NamedTuple):
    """What a description says beside its text."""

    version: int
    digest: str
    kept: Mapping[str, Any]
    """What the service has no field for, by name."""

    def __str__(self) -> str:
        kept = " " + json.dumps(self.kept, separators=(",", ":"), ensure_ascii=False) if self.kept else ""
        return f"[stepsched {self.version} {self.digest}{kept}]"


def digest(job: Job) -> str:
    """Changes with the job. Defaults are left out, so that fields which come later do not change it; so is
    the group, which cannot change and whose name depends on the backend that reads."""
    return sha256(job.model_dump_json(exclude_defaults=True, exclude={"group"}).encode()).hexdigest()[:8]


def write_description(text: str, mark: Mark) -> str:
    """The whole description."""
    return f"{text} {mark}" if text else str(mark)


def read_description(description: str) -> tuple[str, Mark | None]:
    """The text and the mark; None where there is none that can be read."""
    match = _MARK.search(description)
    if match is None:
        return description, None
    try:
        kept = json.loads(match[3]) if match[3] else {}
    except (ValueError, RecursionError):
        return description, None
    return description[: match.start()], Mark(version=int(match[1]), digest=match[2], kept=kept)
