"""The identifiers of resources, which follow from the names of jobs and groups alone.

A name such as ``nightly-report`` gives ``NightlyReportSchedule`` and ``nightly_report``. Any other name, and
a job outside the group ``default``, gets a digest as well, so that different jobs have different
identifiers, whichever other jobs there are. Pure.
"""

from __future__ import annotations

import re
from hashlib import sha256

_PLAIN = re.compile(r"[a-z][a-z0-9]*(-[a-z][a-z0-9]*)*")
"""The names that can be read back from their identifiers."""
_DIGEST = 8


def logical_id(name: str, kind: str, *, group: str = "default") -> str:
    """Returns the identifier of a resource in a CloudFormation template.

    Args:
        name: The name of a job or group.
        kind: What the resource is: ``Schedule`` or ``Group``.
        group: The group of a job.

    >>> logical_id("nightly-report", "Schedule"), logical_id("nightly_report", "Schedule")
    ('NightlyReportSchedule', 'NightlyReportScheduleb563ed0d')
    """
    words = "".join(word[:1].upper() + word[1:] for word in _words(name))
    return f"{words}{kind}{_told_apart(name, group)}"


def label(name: str, *, group: str = "default") -> str:
    """Returns the name of a resource in a configuration of Terraform.

    Args:
        name: The name of a job or group.
        group: The group of a job.

    >>> label("nightly-report"), label("nightly_report")
    ('nightly_report', 'nightly_report__b563ed0d')
    """
    words, digest = "_".join(_words(name)).lower(), _told_apart(name, group)
    made = f"{words}__{digest}" if digest else words  # two underscores, which no other label has
    return f"_{made}" if made[0].isdigit() else made


def _words(name: str) -> list[str]:
    return re.findall("[0-9A-Za-z]+", name)


def _told_apart(name: str, group: str) -> str:
    """Returns the digest; empty if the name itself is distinct."""
    if group == "default" and _PLAIN.fullmatch(name):
        return ""
    return sha256(f"{group}/{name}".encode()).hexdigest()[:_DIGEST]
