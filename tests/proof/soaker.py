"""A program that fires 100 jobs a second and tells how it fares: ``soaker.py FILE SECONDS HISTORY``.

A job recurs every minute, so 6,000 of them, ten milliseconds apart, make an even stream. Each report is a
line of JSON: the lateness of every run since the last one, in microseconds, and the process's memory.
"""

from __future__ import annotations

import json
import resource
import sys
import threading
from datetime import timedelta
from pathlib import Path

import stepsched as ss
from stepsched.core.clock import utc_now

EVERY = timedelta(minutes=1)
APART = timedelta(milliseconds=10)
LEAD = timedelta(seconds=2)
REPORT = 10.0
"""Seconds from one report to the next."""
_LATE = list[int]()


def note(_: object, run: ss.Run) -> None:
    """The handler of all jobs: how long after its instant did it start?"""
    _LATE.append((utc_now() - run.scheduled_for) // timedelta(microseconds=1))


def main() -> None:
    path, seconds, history = sys.argv[1], float(sys.argv[2]), int(sys.argv[3])
    # A short history, so that the file too can be seen to stop growing.
    backend = ss.LocalBackend(path, retention_limit=history)
    client = ss.SchedulerClient(backend)
    count = EVERY // APART
    start = utc_now() + LEAD + timedelta(seconds=count / 1_000)
    end = start + timedelta(seconds=seconds) - APART
    jobs = []
    for number in range(count):
        first = start + number * APART
        if first <= end:
            schedule = ss.Rate(EVERY, start=first, end=end)
            target = ss.HandlerTarget("tests.proof.soaker:note")
            jobs.append(ss.Job(name=f"job-{number}", schedule=schedule, target=target))
    client.create_many(jobs)
    with client:
        while utc_now() < end + LEAD:
            threading.Event().wait(REPORT)
            taken = _LATE[:]
            del _LATE[: len(taken)]
            used = resource.getrusage(resource.RUSAGE_SELF)
            report = {
                "late": taken,
                "resident": resident(),
                "file": Path(path).stat().st_size,
                "cpu": used.ru_utime + used.ru_stime,
            }
            print(json.dumps(report), flush=True)
    print(json.dumps({"late": _LATE, "resident": resident(), "file": 0, "cpu": 0.0}), flush=True)
    backend.close()


def resident() -> int:
    """This process's memory, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith("VmRSS:"))
    return int(line.split()[1]) * 1_024


if __name__ == "__main__":
    main()
