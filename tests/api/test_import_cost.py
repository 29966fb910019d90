"""What an import costs: nothing that the program has not asked for."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator

import pytest
from pydantic.fields import FieldInfo

import stepsched as ss
from stepsched.core.values import Value

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


FREEZE = """
import datetime
class Any(type):
    def __instancecheck__(cls, value): return isinstance(value, cls.__base__)
class Frozen(datetime.datetime, metaclass=Any): pass
class FrozenDay(datetime.date, metaclass=Any): pass
datetime.datetime, datetime.date = Frozen, FrozenDay
"""


@pytest.mark.parametrize("first", ["", "stepsched.Rate", "stepsched.Job", "stepsched.JobRecord"])
def test_every_name_can_be_imported_while_another_class_is_in_the_place_of_datetime(first: str) -> None:
    """freezegun asks every module for each of its names, and so imports them."""
    touch = "\n".join(f"stepsched.{name}" for name in [*ss.__all__, *INSIDE])
    names = loaded(f"import stepsched\n{first}\n{FREEZE}\n{touch}\nstepsched.eventbridge.EventBridgeBackend")
    assert "pydantic" in names


def fields_of(model: type[Value]) -> Iterator[tuple[str, FieldInfo]]:
    for each in model.__subclasses__():
        if each.__module__.startswith("stepsched."):
            yield from ((f"{each.__name__}.{name}", field) for name, field in each.model_fields.items())
        yield from fields_of(each)


def test_no_field_of_a_model_is_of_the_class_that_freezegun_replaces() -> None:
    """Its schema may be built later, while the time is stopped."""
    for name in ("jobs", "estimates", "asl", "testing", "backends"):
        assert [getattr(getattr(ss, name), each) for each in getattr(ss, name).__all__]
    fields = dict(fields_of(Value))
    assert {"Run.started_at", "Estimate.since", "OneTime.at"} <= fields.keys()
    bare = [
        name
        for name, field in fields.items()
        if re.search(r"datetime\.date(time)?\b", repr(field.annotation))
        and "_Field" not in repr((field.annotation, field.metadata))
    ]
    assert bare == []
