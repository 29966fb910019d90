"""Whether a stored schedule is being read: what was decided when it was written is not decided again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_STORED: ContextVar[bool] = ContextVar("stored", default=False)


@contextmanager
def reading_stored() -> Iterator[None]:
    """Suppresses warnings of schedules, and refusals of ambiguous crontab lines (P-38), while stored jobs are
    read: they were issued when the job was written."""
    token = _STORED.set(True)
    try:
        yield
    finally:
        _STORED.reset(token)


def is_reading_stored() -> bool:
    """Returns whether the calling code runs inside :func:`reading_stored`."""
    return _STORED.get()
