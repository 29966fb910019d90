"""What an import costs: nothing that the program has not asked for."""

from __future__ import annotations

import subprocess
import sys

import pytest

import stepsched as ss

HEAVY = ("boto3", "botocore", "croniter", "dateutil", "yaml", "sqlite3")
AWS = ("boto3", "botocore")
# The backends on AWS may load boto3; every other name must not.
CORE = [name for name in ss.__all__ if not name.endswith("Backend") or name == "LocalBackend"]
INSIDE = [
    f"{space}.{name}"
    for space in ss._NAMESPACES
    for name in getattr(ss, space).__all__
    if name != "EventBridgeBackend"
]


def loaded(program: str) -> set[str]:
    """The top modules that a fresh process has loaded at the end of a program."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", f"{program}\nimport sys\nprint(*sys.modules)"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return {name.partition(".")[0] for name in done.stdout.splitlines()[-1].split()}


def test_the_probe_sees_what_is_loaded() -> None:
    assert {"json", "sqlite3"} <= loaded("import json, sqlite3")


def test_importing_the_package_loads_nothing_heavy() -> None:
    names = loaded("import stepsched")
    assert "stepsched" in names
    assert names.isdisjoint((*HEAVY, "pydantic", "asyncio"))


def test_touching_every_name_of_the_core_loads_no_boto3() -> None:
    touch = "\n".join(f"stepsched.{name}" for name in [*CORE, *INSIDE])
    names = loaded(f"import stepsched\n{touch}")
    assert "pydantic" in names
    assert names.isdisjoint(AWS)


def test_the_errors_load_without_the_rest() -> None:
    names = loaded("import stepsched\nstepsched.JobNotFoundError\nstepsched.StepschedError")
    assert names.isdisjoint((*HEAVY, "pydantic"))


@pytest.mark.parametrize(
    ("program", "unwanted"),
    [
        pytest.param(
            "ss.Cron('0 9 ? * MON-FRI *', timezone='Europe/Paris').describe()",
            ("croniter", "yaml", "sqlite3"),
            id="cron",
        ),
        pytest.param(
            "ss.parse_schedule('rate(5 minutes)')", ("croniter", "yaml", "sqlite3"), id="expression"
        ),
        pytest.param(
            "ss.Job(name='j', schedule=ss.Cron('0 9 * * ? *'), target=ss.CommandTarget(['true']))",
            ("croniter", "yaml", "sqlite3"),
            id="job",
        ),
        pytest.param("ss.SchedulerClient()", ("croniter", "yaml"), id="client"),
    ],
)
def test_using_the_core_loads_no_boto3_and_only_what_it_needs(
    program: str, unwanted: tuple[str, ...]
) -> None:
    assert loaded(f"import stepsched as ss\n{program}").isdisjoint((*AWS, *unwanted))


def test_the_pytest_plugin_costs_other_peoples_tests_nothing() -> None:
    program = "import sys, stepsched.pytest_plugin; print({'pydantic', 'sqlite3'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout == "set()\n"
