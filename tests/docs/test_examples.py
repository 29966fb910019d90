"""Every example that is a program runs to its end and says what it should."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import stepsched as ss

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
PROGRAMS = sorted(
    path.name
    for path in EXAMPLES.glob("*.py")
    if '__name__ == "__main__"' in path.read_text(encoding="utf-8")
)
LINES: dict[str, list[str]] = {
    "quickstart.py": [
        r"    Cron      At 09:00, Monday to Friday, Europe/Paris",
        r"    Cron      cron\(0 9 \? \* MON-FRI \*\) +Fri 25 Jan 09:00 \+0100 .*",
        r"    Windowed  -  .*Thu 31 Jan 18:00.*",
        r"    remind-me: the kettle boils .*",
        r"    paused:    paused",
        r"    resumed:   active",
        r"    cancelled: cancelled",
        r"    runs in the week: .*morning-report 5.*tidy-up \d+",
    ],
}
"""Lines that must stand in a program's output, in this order; regular expressions."""


def run(path: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Runs a program from another folder, with every warning an error."""
    return subprocess.run(
        [sys.executable, "-W", "error", str(path)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_there_is_a_quickstart() -> None:
    assert "quickstart.py" in PROGRAMS
    assert set(LINES) <= set(PROGRAMS)


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_program_runs_from_anywhere_and_leaves_nothing_behind(name: str, tmp_path: Path) -> None:
    done = run(EXAMPLES / name, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    assert "Traceback" not in done.stderr
    lines = iter(done.stdout.splitlines())
    for wanted in LINES.get(name, []):
        assert any(re.fullmatch(wanted, line) for line in lines), f"{wanted!r} is missing in {done.stdout}"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.json")), ids=lambda path: str(path.name))
def test_a_file_of_jobs_loads(path: Path) -> None:
    jobs = ss.load_jobs(path)
    assert len(jobs) == len(json.loads(path.read_text(encoding="utf-8")))


def test_a_program_that_fails_is_seen_to_fail(tmp_path: Path) -> None:
    broken = tmp_path / "broken.py"
    broken.write_text("import warnings\nwarnings.warn('beware', stacklevel=1)\n")
    assert run(broken, tmp_path).returncode == 1
