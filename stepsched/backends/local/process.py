"""Who holds a run: a name for this process that others can find dead.

On Linux a worker's name tells the boot and the process namespace, the process number and its start
time, so that a neighbour sees at once that the process has ended, and never takes a later process of
the same number for it. Elsewhere, and across machines, only the lease tells.
"""

from __future__ import annotations

import os
from pathlib import Path
from uuid import uuid4


def worker_name() -> str:
    """A name for a worker of this process; another one at every call."""
    home = _home()
    start = _start(os.getpid()) if home else None
    return f"{home or '-'}/{os.getpid()}/{start or '-'}/{uuid4().hex[:12]}"


def is_alive(worker: str) -> bool | None:
    """Whether the worker's process still runs; None where nobody here can tell."""
    home, pid, start, _ = worker.split("/")
    if home == "-" or start == "-" or home != _home():
        return None
    return _start(int(pid)) == start


def _home() -> str | None:
    """This boot of this machine and the process namespace in it; None where there is no such thing."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}.{Path('/proc/self/ns/pid').readlink().name.strip('pid:[]')}"
    except OSError:
        return None


def _start(pid: int) -> str | None:
    """When the process started, in ticks since the boot; None when there is none, or it is a zombie."""
    try:
        # The command's name stands in parentheses and may hold anything.
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]
