"""What a one-shot task over HTTP costs, beside the bare framework that does one insert, in one run.

    pip install '.[bench,http]' && python benchmarks/http_tasks.py

Tasks are posted over connections that stay open, by a few threads of this process; one listener notes when
their events come. Every answer is given by a server in a process of its own, on a new SQLite file. Prints
Markdown to the standard output and its progress to the standard error. ``--quick`` takes fewer tasks, to see
that everything works.
"""

from __future__ import annotations

import argparse
import http.client
import json
import platform
import statistics
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

from http_servers import Served, served
from measuring import duration, progress, table, times

from stepsched.core.clock import utc_now

THREADS = 4
PATIENCE = 60.0
AHEAD = 8.0
"""The time in seconds in which all tasks are posted before the first is due."""
CONTENDERS = ("bare", "stepsched")


class Measured(NamedTuple):
    """What one server did."""

    accepted: float
    """Tasks in a second."""
    late: list[float]
    """The seconds from the instants of the tasks until their events came."""


class Listener:
    """Notes how late events come."""

    def __init__(self, served: Served) -> None:
        self.late = list[float]()
        self._connection = http.client.HTTPConnection(*served.address, timeout=PATIENCE)
        self._connection.request("GET", "/events")
        self._answer = self._connection.getresponse()
        self._answer.readline()  # it is listened to
        self._thread = threading.Thread(target=self._run, daemon=True)

    def await_all(self, count: int) -> list[float]:
        """Waits for the events of so many tasks."""
        self._count = count
        self._thread.start()
        self._thread.join(PATIENCE)
        if len(self.late) < count:
            raise TimeoutError(f"{len(self.late)} of {count} events came")
        return self.late

    def _run(self) -> None:
        while len(self.late) < self._count:
            line = self._answer.readline()
            if line.startswith(b"data: {"):
                self.late.append(utc_now().timestamp() - json.loads(line[6:])["message"]["due"])


def post(served: Served, count: int, ahead: float, spread: float) -> None:
    """Posts tasks that come due so many seconds later, evenly spread over some seconds."""
    connection = http.client.HTTPConnection(*served.address, timeout=PATIENCE)
    begin = utc_now() + timedelta(seconds=ahead)
    for number in range(count):
        due = begin + timedelta(seconds=spread * number / count)
        task = {"timestamp": due.isoformat(), "message": {"due": due.timestamp()}}
        connection.request("POST", "/schedule", json.dumps(task), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        if answer.status != 200:
            raise RuntimeError(answer.read())
        answer.read()
    connection.close()


def measure(kind: str, tasks: int, few: int) -> Measured:
    """Posts as many tasks as possible, far ahead; then a few that come due one after another."""
    with tempfile.TemporaryDirectory() as folder, served(kind, Path(folder) / "tasks.db") as server:
        with ThreadPoolExecutor(THREADS) as pool:
            begun = time.perf_counter()
            for done in [
                pool.submit(post, server, tasks // THREADS, 3_600.0, 3_600.0) for _ in range(THREADS)
            ]:
                done.result()
            accepted = tasks / (time.perf_counter() - begun)
        listener = Listener(server)
        post(server, few, AHEAD, 3.0)
        return Measured(accepted, listener.await_all(few))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    tasks, few, rounds = (200, 50, 1) if given.quick else (4_000, 500, given.rounds)
    found: dict[str, list[Measured]] = {kind: [] for kind in CONTENDERS}
    for number in range(rounds):
        for kind in CONTENDERS:
            found[kind].append(measure(kind, tasks, few))
            progress(f"round {number + 1} of {kind}: {found[kind][-1].accepted:.0f} tasks a second")
    rows = []
    for kind in CONTENDERS:
        accepted = statistics.median(each.accepted for each in found[kind])
        late = sorted(seconds for each in found[kind] for seconds in each.late)
        median, most = late[len(late) // 2], late[len(late) * 99 // 100]
        rows.append((kind, accepted, median, most))
    _, first, *lateness = rows[0]
    print(
        f"Python {platform.python_version()}, {THREADS} connections, {tasks:,} tasks, median of {rounds} "
        f"rounds; lateness of {few * rounds:,} tasks at the listener\n"
    )
    head = ["server", "tasks a second", "of bare", "late, median", "of bare", "late, 99 %", "of bare"]
    print(
        table(
            head,
            (
                [
                    *(kind, f"{accepted:,.0f}", times(accepted / first)),
                    *(duration(median), times(median / lateness[0])),
                    *(duration(most), times(most / lateness[1])),
                ]
                for kind, accepted, median, most in rows
            ),
        )
    )


if __name__ == "__main__":
    main()
