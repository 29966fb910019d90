"""The identity of a worker: a name for this process by which others can find out that it has ended.

On Linux the name holds the boot and the process namespace, the process number and its start time, so that a
neighbour sees at once that the process has ended, and never takes a later process of the same number for
it. Where that cannot be seen (another machine or namespace, a hidden ``/proc``, another system) nothing is
concluded, and the lease decides.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn, TypeVar
from uuid import uuid4

Answer = TypeVar("Answer")
_NAMES = set[str]()
"""Those that this program has given."""

MARKER = "STEPSCHED_WORKER"
"""The environment variable by which the commands of a worker, and all that they start, are known: the name
of the worker, ``#``, run and attempt."""


def worker_name() -> str:
    """A name for a worker of this process; another one at every call."""
    home = _home()
    start = _start(os.getpid()) if home else None
    name = f"{home or '-'}/{os.getpid()}/{start or '-'}/{uuid4().hex[:12]}"
    _NAMES.add(name)
    return name


def is_alive(worker: str) -> bool | None:
    """Whether the worker's process still runs; None where that cannot be seen from here.

    Only evidence counts: no process of that number, or one that was started at another time.
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
        return None  # of the program that this one has replaced by an exec, most likely
    if seen is not None:
        return seen == start
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # it is another user's, or no number of a process
        return None
    return False if _is_zombie(pid) else None


def only_here(call: Callable[[], Answer]) -> Answer:
    """Calls user code, and ends the child of a fork that it has made and that comes back from it: in there
    nothing of the caller is of use, and it must not go on as a second one.

    The child ends as a program does: code 0 when the call returns, that of :class:`SystemExit`, or 1 with the
    traceback in its standard error. In the process that has called, nothing differs.
    """
    pid = os.getpid()
    try:
        answer = call()
    except BaseException as error:
        if os.getpid() != pid:
            end_child(error)
        raise
    if os.getpid() != pid:
        end_child(None)
    return answer


def end_child(error: BaseException | None) -> NoReturn:
    """Ends this process, the child of a fork in the middle of a call: see :func:`only_here`."""
    code = 0 if error is None else 1
    try:
        if isinstance(error, SystemExit):
            if isinstance(error.code, int) or error.code is None:
                code = error.code or 0
            else:
                sys.stderr.write(f"{error.code}\n")
        elif error is not None:
            traceback.print_exception(error)
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code & 0xFF)


def end_commands(is_wanted: Callable[[str], bool]) -> list[int]:
    """Kills the processes whose environment bears a wanted :data:`MARKER`, wherever they have moved to.

    Linux only; elsewhere nothing is found.

    Returns:
        The numbers of the processes that were killed.
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
        except (OSError, UnicodeDecodeError):  # it has ended, or is another user's
            continue
    return ended


def _home() -> str | None:
    """This boot of this machine and the process namespace in it; None where there is no such thing."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}.{Path('/proc/self/ns/pid').readlink().name.strip('pid:[]')}"
    except OSError:
        return None


def _start(pid: int) -> str | None:
    """When the process started, in ticks since the boot; None where that cannot be read, or it is a
    zombie."""
    fields = _stat(pid)
    return None if fields is None or fields[0] in "ZX" else fields[19]


def _is_zombie(pid: int) -> bool:
    fields = _stat(pid)
    return fields is not None and fields[0] in "ZX"


def _stat(pid: int) -> list[str] | None:
    try:
        # The command's name stands in parentheses and may hold anything.
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
