"""A hundred jobs a second for a long time: memory stays flat, nothing drifts, nothing is early or lost.

    STEPSCHED_SOAK_SECONDS=180 pytest tests/proof/test_soak.py -m proof

takes three minutes instead of ten.
"""

from __future__ import annotations

import json
import os
import sqlite3
import statistics
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
SECONDS = int(os.environ.get("STEPSCHED_SOAK_SECONDS", "600"))
RATE = 100
WARM_UP = 0.5
"""The share of the time after which memory is taken as settled: every job has run."""
GROWTH = 4 * 2**20
"""Bytes that memory may grow by after that: what allocators and SQLite's cache breathe."""
DRIFT = 0.005
"""Seconds by which the median lateness of the last quarter may exceed that of the first."""
MEDIAN, TAIL = 0.005, 0.100
"""Seconds of lateness: a few times what an idle machine needs. The benchmark holds the real targets."""


class Report(NamedTuple):
    """What the program said every few seconds."""

    late: list[int]
    resident: int
    file: int
    cpu: float


@pytest.mark.proof
@pytest.mark.timeout(SECONDS + 120)
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_a_long_stream_of_jobs_is_on_time_and_leaves_no_trace_in_memory(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, expected = tmp_path / "jobs.db", SECONDS * RATE
    limit = expected // 4  # old history is forgotten all the while
    command = [sys.executable, "-m", "tests.proof.soaker", str(path), str(SECONDS), str(limit)]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    assert done.stderr == ""
    reports = [Report(**json.loads(line)) for line in done.stdout.splitlines()]
    late = [micros / 1e6 for report in reports for micros in report.late]
    quarter = len(late) // 4
    first, last = statistics.median(late[:quarter]), statistics.median(late[-quarter:])
    settled = [report.resident for report in reports[int(len(reports) * WARM_UP) : -1]]
    with capsys.disabled():
        tail = statistics.quantiles(late, n=100, method="inclusive")[-1]
        print(
            f"\n{len(late)} runs in {SECONDS} s; late by {statistics.median(late) * 1e3:.2f} ms (median), "
            f"{tail * 1e3:.2f} ms (p99), {min(late) * 1e3:.2f} to {max(late) * 1e3:.1f} ms; "
            f"first quarter {first * 1e3:.2f} ms, last {last * 1e3:.2f} ms\n"
            f"memory {reports[0].resident / 2**20:.1f} MB after {len(reports[0].late)} runs, "
            f"{settled[0] / 2**20:.1f} MB when settled, {settled[-1] / 2**20:.1f} MB at the end; "
            f"file {reports[-2].file / 2**20:.1f} MB; CPU {reports[-2].cpu / SECONDS:.0%} of one core"
        )
    assert len(late) == expected
    assert min(late) >= 0, "a run came before its instant"
    assert statistics.median(late) < MEDIAN
    assert tail < TAIL
    assert last - first < DRIFT
    assert settled[-1] - settled[0] < GROWTH
    assert count(path, "SELECT count(*) FROM runs WHERE status <> 'succeeded'") == 0
    assert limit <= count(path, "SELECT count(*) FROM runs") <= expected
    assert count(path, "SELECT seq FROM sqlite_sequence WHERE name = 'runs'") == expected


def count(path: Path, statement: str) -> int:
    db = sqlite3.connect(path)
    try:
        ((number,),) = db.execute(statement).fetchall()
        return int(number)
    finally:
        db.close()
