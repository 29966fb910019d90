"""The identity of a worker: a name by which other processes can detect whether its process still runs.

On Linux the name contains the boot ID, the process namespace, the process ID and its start time, so that
another process detects its end at once, and never confuses it with a later process of the same ID. If the
process cannot be observed (another machine or namespace, a hidden ``/proc``, another system), the lease
decides.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

from stepsched.jobs import Run

_NAMES = set[str]()
"""The names that this program has created."""

MARKER = "STEPSCHED_WORKER"
"""The environment variable that identifies the commands of a worker and their child processes: the name of
the worker, ``#``, run and attempt."""


def worker_name() -> str:
    """Returns a new name for a worker of this process; every call returns another one."""
    home = _home()
    start = _start(os.getpid()) if home else None
    name = f"{home or '-'}/{os.getpid()}/{start or '-'}/{uuid4().hex[:12]}"
    _NAMES.add(name)
    return name


def marker_of(worker: str, run: Run) -> str:
    """Returns the :data:`MARKER` of the commands of an attempt."""
    return f"{worker}#{run.id}.{run.attempt}"


def is_alive(worker: str) -> bool | None:
    """Returns whether the worker's process still runs; None if that cannot be observed.

    False requires evidence: there is no process with that ID, or it was started at another time.
    """
    try:
        home, number, start, _ = worker.split("/")
        pid = int(number)
    except ValueError:
        return None
    if home == "-" or start == "-" or home != _home():
        return None
    seen = _start(pid)
    if seen is not None and seen == start and pid == os.getpid() and worker not in _NAMES:
        return None  # most likely of the program that this one has replaced by an exec
    if seen is not None:
        return seen == start
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # it belongs to another user, or it is not a process ID
        return None
    return False if _is_zombie(pid) else None


def end_commands(is_wanted: Callable[[str], bool]) -> list[int]:
    """Kills the processes whose environment has a matching :data:`MARKER`, in any process group.

    It works on Linux only; on other systems it finds no process.

    Returns:
        The IDs of the killed processes.
    """
    beginning = f"{MARKER}=".encode()
    ended = list[int]()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            environment = (entry / "environ").read_bytes().split(b"\0")
            marks = [text[len(beginning) :].decode() for text in environment if text.startswith(beginning)]
            if any(map(is_wanted, marks)) and int(entry.name) != os.getpid():
                os.kill(int(entry.name), signal.SIGKILL)
                ended.append(int(entry.name))
        except (OSError, UnicodeDecodeError):  # it has ended, or belongs to another user
            continue
    return ended


def _home() -> str | None:
    """Returns the boot ID and the process namespace; None if the system does not provide them."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}.{Path('/proc/self/ns/pid').readlink().name.strip('pid:[]')}"
    except OSError:
        return None


def _start(pid: int) -> str | None:
    """Returns the start time of the process in ticks since the boot; None if it cannot be read or the process
    is a zombie."""
    fields = _stat(pid)
    return None if fields is None or fields[0] in "ZX" else fields[19]


def _is_zombie(pid: int) -> bool:
    fields = _stat(pid)
    return fields is not None and fields[0] in "ZX"


def _stat(pid: int) -> list[str] | None:
    try:
        # The name of the command is in parentheses and may contain any character.
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
