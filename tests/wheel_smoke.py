"""Run by the gate against the installed wheel, far from the checkout: first without extras, then, with the
argument ``cli``, with that extra."""

import subprocess
import sys
import sysconfig
from datetime import datetime, timedelta, timezone
from importlib.metadata import distribution, requires, version
from importlib.resources import files
from pathlib import Path

import stepsched as ss


def check_the_package() -> None:
    """Reads what the distribution says of itself, and runs a job."""
    assert version("stepsched") == ss.__version__
    assert (files("stepsched") / "py.typed").is_file()
    about = distribution("stepsched")
    assert about.metadata["License-Expression"] == "Apache-2.0"
    assert "Copyright 2026 The stepsched authors" in (about.read_text("licenses/LICENSE") or "")
    for name in ss.__all__:
        getattr(ss, name)

    start = datetime(2030, 1, 1, tzinfo=timezone.utc)
    backend = ss.LocalBackend(clock=ss.testing.FakeClock(start))
    client = ss.SchedulerClient(backend)
    client.create(ss.Job(name="j", schedule=ss.Cron("0 9 * * ? *"), target=ss.HandlerTarget(lambda: "ran")))
    assert backend.run_until(start + timedelta(days=3)) == 3
    assert [run.output for run in client.runs("j")] == ['"ran"'] * 3
    backend.close()


def check_the_programs(*, has_extra: bool) -> None:
    """Runs both programs: with the extra they work, and without it they say how to install it."""
    scripts = [
        Path(sysconfig.get_path("scripts")) / name for name in ("stepsched", "aws-solutions-scheduler")
    ]
    for program in (
        [sys.executable, "-I", "-W", "error", "-m", "stepsched"],
        *([str(each)] for each in scripts),
    ):
        done = subprocess.run([*program, "--help"], capture_output=True, text=True, check=False, timeout=60)
        if has_extra:
            assert (done.returncode, done.stderr) == (0, ""), done
            assert done.stdout.startswith("Usage: ")
        else:
            told = "error: the command line needs the extra: pip install 'stepsched[cli]'\n"
            assert (done.returncode, done.stdout, done.stderr) == (1, "", told), done
    if has_extra:
        line = [str(scripts[0]), "next", "cron(0 9 * * ? *)", "-n", "1", "-o", "table"]
        done = subprocess.run(line, capture_output=True, text=True, check=True, timeout=60)
        assert done.stdout.startswith("RUN ")


if __name__ == "__main__":
    check_the_package()
    check_the_programs(has_extra=sys.argv[1:] == ["cli"])
    print(f"stepsched {ss.__version__} works from its wheel; it requires {requires('stepsched')}")
