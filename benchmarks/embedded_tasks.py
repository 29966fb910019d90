"""What the jobs of all contenders do, and what their programs share."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import NamedTuple

DONE: list[float] = []
"""Seconds between the instant for which a job was meant and its start, for each that has run."""
HANGING: list[int] = []
HOUR = 3_600.0
THREADS = 8
LIMIT = 15.0
"""Seconds after which a contender is cut off; what it did until then counts."""


def now() -> float:
    """Seconds since 1970."""
    return time.time_ns() / 1e9


def pause(seconds: float) -> None:
    threading.Event().wait(seconds)


def note(due: float) -> None:
    """Notes how late it is."""
    DONE.append(now() - due)


def hang(number: int) -> None:
    """Tells that it has begun, and does not end before it is killed, unless it is told not to hang."""
    HANGING.append(number)
    if os.environ.get("HANG"):
        print(f"hanging {len(HANGING)}", flush=True)
        threading.Event().wait()


def instant(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, timezone.utc)


def resident() -> int:
    """This process's memory, in bytes."""
    text = Path("/proc/self/status").read_text()
    return int(text.split("VmRSS:")[1].split()[0]) * 1_024


def size(path: Path) -> int:
    """The bytes of a database and of what lies beside it."""
    return sum(file.stat().st_size for file in path.parent.glob(f"{path.name}*"))


class Burst(NamedTuple):
    """How many due jobs ran, in what time."""

    ran: int
    wall: float
    cpu: float


def await_count(count: int, ended: Callable[[], int], start: Callable[[], object]) -> Burst:
    """Starts, and waits until so many have ended or nobody waits any longer."""
    wall, cpu = time.perf_counter(), time.process_time()
    start()
    while (ran := ended()) < count and time.perf_counter() - wall < LIMIT:
        pause(0.02)
    return Burst(ran, time.perf_counter() - wall, time.process_time() - cpu)


def timed(act: Callable[[], object]) -> float:
    """Seconds."""
    begun = time.perf_counter()
    act()
    return time.perf_counter() - begun


def add_all(add: Callable[[int], object], count: int) -> tuple[int, float]:
    """Adds one after another: how many in what time."""
    begun = time.perf_counter()
    for number in range(count):
        add(number)
        if time.perf_counter() - begun > LIMIT:
            return number + 1, time.perf_counter() - begun
    return count, time.perf_counter() - begun


def stream(count: int) -> list[float]:
    """Instants a hundredth of a second apart, the first one soon."""
    first = round(now() + 3 + count / 1_000)
    return [first + number / 100 for number in range(count)]


def lateness(instants: Sequence[float]) -> list[float]:
    """Waits for the last of them; how late each was."""
    while now() < instants[-1] + 3:
        pause(0.1)
    return DONE


def best(ask: Callable[[], object], seconds: float = 0.5) -> float:
    """Seconds of the quickest answer."""
    taken, begun = [timed(ask)], time.perf_counter()
    while time.perf_counter() - begun < seconds:
        taken.append(timed(ask))
    return min(taken)


def idle(seconds: float) -> float:
    """CPU time of this process while nothing is due."""
    pause(1)
    begun = time.process_time()
    pause(seconds)
    return time.process_time() - begun


def answer(measures: Mapping[str, Callable[..., object]]) -> None:
    """Answers the question on the command line: a measure, a file, and numbers."""
    name, path, *numbers = sys.argv[1:]
    print(json.dumps(measures[name](Path(path), *map(int, numbers))), flush=True)
    os._exit(0)  # some contenders await threads that never end
