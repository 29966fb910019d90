"""The names of jobs that a shell completes: from the place where jobs are stored, and from files. It reads
only, says nothing, and ends soon."""

from __future__ import annotations

import logging
import threading
import warnings
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from stepsched.cli import places

if TYPE_CHECKING:
    from stepsched.cli.session import Session

_PATIENCE = 3.0
"""The longest time in seconds that a person waits for names."""
_MOST = 1_000
"""The maximum number of names that a shell is given."""
_DATABASE = b"SQLite format 3\0"
"""The first bytes of a file of stored jobs."""


def names_of_jobs(session: Session, prefix: str, *, group: str | None = None) -> list[str]:
    """Returns the sorted names of stored jobs that begin with a text.

    Args:
        session: What the command line was told so far.
        prefix: The text.
        group: The group of the jobs. None: all groups.

    Returns:
        The names; none if the place cannot be read, or does not answer in time.
    """
    return _soon(lambda: _read(session, prefix, group))


def names_in_file(file: str, prefix: str) -> list[str]:
    """Returns the names of the jobs in a JSON or YAML file that begin with a text, in order; none if the file
    is another one."""
    from stepsched.cli.input.job_files import is_document, jobs_in

    if file == "-" or not is_document(file):
        return []
    return _soon(lambda: [job.name for job in jobs_in(file) if job.name.startswith(prefix)])


def _soon(read: Callable[[], list[str]]) -> list[str]:
    """Returns what a function returns; nothing if it fails, or takes too long."""
    found = list[str]()

    def try_to_read() -> None:
        with suppress(BaseException):  # a shell has no place for an error
            found.extend(read())

    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            reader = threading.Thread(target=try_to_read, name="stepsched-complete", daemon=True)
            reader.start()
            reader.join(_PATIENCE)
    finally:
        logging.disable(logging.NOTSET)
    return [name for name in found if "\n" not in name][:_MOST]


def _read(session: Session, prefix: str, group: str | None) -> list[str]:
    place = places.find_place(session.backend)
    if place.kind == "local" and not _is_database(Path(place.name)):
        return []
    client = places.open_client(
        session.backend,
        region=session.region,
        profile=session.profile,
        endpoint_url=session.endpoint_url,
        creates=False,
        clock=session.clock,
    )
    with closing(client.backend):
        records = client.list(name_prefix=prefix or None, group=group, progress=lambda _done, _total: None)
    return sorted(record.name for record in records)


def _is_database(path: Path) -> bool:
    """Returns whether a file is one of stored jobs, so that opening it makes none."""
    with path.open("rb") as file:
        return file.read(len(_DATABASE)) == _DATABASE
