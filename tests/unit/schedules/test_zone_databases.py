"""Tests which of two time zone databases answers, in processes of their own: the choice is made once."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from importlib import import_module, resources
from pathlib import Path
from typing import Any

import pytest

PACKAGE: str = import_module("tzdata").IANA_VERSION
OLDER, NEWER = "2001a", "2999z"

# What a program sees that uses Europe/Paris, whose rules in the system's database are those of Tokyo.
PROGRAM = """
import json, sys, warnings
warnings.simplefilter("ignore")
from datetime import datetime, timezone
import stepsched as ss
from stepsched.machines.zones import zone_table
with warnings.catch_warnings(record=True) as seen:
    warnings.simplefilter("always")
    answers = [
        str(ss.Cron("0 9 * * ? *", timezone=zone).next_run(datetime(2030, 1, 1, tzinfo=timezone.utc)))
        for zone in sys.argv[1:]
    ]
table = zone_table("Europe/Paris", 2020)
warned = [str(each.message) for each in seen if "is out of date" not in str(each.message)]
found = ss.timezone_database()
print(json.dumps({"database": found._asdict(), "text": str(found), "answers": answers,
                  "warned": warned, "rendered": table.get("offset")}))
"""
PARIS, TOKYO = "2030-01-01 09:00:00+01:00", "2030-01-02 09:00:00+09:00"


def system_database(folder: Path, version_file: str | None, line: str = "") -> Path:
    """A folder of zones in which Paris has the rules of Tokyo, and one zone that no other database has."""
    package = Path(str(resources.files("tzdata"))) / "zoneinfo"
    for name, source in {"UTC": "UTC", "Europe/Paris": "Asia/Tokyo", "Own/Zone": "Asia/Tokyo"}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(package / source, folder / name)
    if version_file is not None:
        (folder / version_file).write_text(line, encoding="utf-8")
    return folder


def run(folder: Path | str, *zones: str) -> dict[str, Any]:
    environment = {**os.environ, "PYTHONTZPATH": str(folder)}
    command = [sys.executable, "-c", PROGRAM, *(zones or ("Europe/Paris",))]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.mark.parametrize(
    ("version_file", "line", "version", "source"),
    [
        pytest.param("tzdata.zi", f"# version {OLDER}\n", OLDER, "tzdata", id="older: the package"),
        pytest.param("tzdata.zi", f"# version {NEWER}\n", NEWER, "system", id="newer: the system"),
        pytest.param("tzdata.zi", f"# version {PACKAGE}\n", PACKAGE, "system", id="equal: the system"),
        pytest.param(
            "tzdata.zi", f"# version {NEWER}-dirty\n", NEWER, "system", id="a version with a suffix"
        ),
        pytest.param("+VERSION", f"{NEWER}\n", NEWER, "system", id="the file of macOS"),
        pytest.param("tzdata.zi", "no version\n", None, "tzdata", id="no version in the file: the package"),
        pytest.param(None, "", None, "tzdata", id="no file with a version: the package"),
    ],
)
def test_the_newer_of_two_databases_answers_in_python_and_in_machines(
    tmp_path: Path, version_file: str | None, line: str, version: str | None, source: str
) -> None:
    """P-42."""
    found = run(system_database(tmp_path, version_file, line))
    is_system = source == "system"
    assert found["database"] == {
        "version": version if is_system else PACKAGE,
        "source": source,
        "system_version": version,
        "system_path": str(tmp_path),
        "package_version": PACKAGE,
    }
    assert found["answers"] == [TOKYO if is_system else PARIS]
    assert found["rendered"] == (9 * 3600 if is_system else None)  # Tokyo has one offset, Paris a table


def test_without_a_system_database_the_package_answers() -> None:
    found = run("")
    assert found["answers"] == [PARIS]
    assert found["text"] == f"the package tzdata ({PACKAGE}) answers; beside it no system database"
    assert found["warned"] == []


def test_a_zone_that_only_the_older_database_has_is_still_known(tmp_path: Path) -> None:
    folder = system_database(tmp_path, "tzdata.zi", f"# version {OLDER}\n")
    assert run(folder, "Own/Zone")["answers"] == [TOKYO]


def test_an_older_system_database_with_other_rules_is_warned_of_once(tmp_path: Path) -> None:
    """Python's own ``ZoneInfo`` follows it, so the program's datetimes do not fit the schedule's."""
    folder = system_database(tmp_path, "tzdata.zi", f"# version {OLDER}\n")
    (warning,) = run(folder, "Asia/Tokyo", "Europe/Paris", "America/New_York", "Europe/Paris")["warned"]
    assert warning.startswith(
        "Europe/Paris has other rules in the two time zone databases: the package tzdata"
    )
    assert "PYTHONTZPATH" in warning
    assert run(folder, "Asia/Tokyo", "UTC")["warned"] == []  # the rules of these zones are the same


def test_a_newer_system_database_is_not_warned_of(tmp_path: Path) -> None:
    assert run(system_database(tmp_path, "tzdata.zi", f"# version {NEWER}\n"))["warned"] == []


def test_a_name_never_reads_a_file_outside_the_databases(tmp_path: Path) -> None:
    folder = system_database(tmp_path, "tzdata.zi", f"# version {OLDER}\n")
    for name in ("../zones", "../zoneinfo/Europe/Paris", "Europe/../Europe/Paris", "zones"):
        with pytest.raises(AssertionError, match="is not an IANA time zone"):
            run(folder, name)


OWN_DATETIMES = """
import warnings
from datetime import datetime
from zoneinfo import ZoneInfo
import stepsched as ss
warnings.simplefilter("ignore")
nine = datetime(2030, 1, 1, 9, tzinfo=ZoneInfo("Europe/Paris"))
monthly = ss.Windowed(nine, every=ss.Frequency(months=1))
print(nine.utcoffset(), ss.OneTime(nine).instant, monthly.start, monthly.timezone, sep="|")
print(ss.Cron("0 9 * * ? *", timezone="Europe/Paris").next_run(nine), end="")
"""


def test_a_datetime_with_the_older_rules_means_its_wall_time(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "PYTHONTZPATH": str(system_database(tmp_path, "tzdata.zi", f"# version {OLDER}\n")),
    }
    seen = subprocess.check_output([sys.executable, "-c", OWN_DATETIMES], env=environment, text=True)
    assert seen.splitlines() == [
        f"9:00:00|{PARIS}|2030-01-01 09:00:00|Europe/Paris",  # Python's own rules say UTC+9
        "2030-01-02 09:00:00+01:00",
    ]


OUT_OF_DATE = """
import sys, warnings
from datetime import datetime, timezone
import stepsched as ss
from stepsched.schedules import zones
zones.utc_now = lambda: datetime(int(sys.argv[1]), 1, 1, tzinfo=timezone.utc)
with warnings.catch_warnings(record=True) as seen:
    warnings.simplefilter("always")
    for zone in ("UTC", "Europe/Paris", "Asia/Tokyo"):
        ss.Cron("0 9 * * ? *", timezone=zone)
print(*(each.message for each in seen), sep="\\n", end="")
"""


@pytest.mark.parametrize(("years", "count"), [(0, 0), (1, 0), (2, 1), (9, 1)])
def test_a_database_of_the_year_before_last_is_warned_of_once(years: int, count: int) -> None:
    year = str(int(PACKAGE[:4]) + years)
    environment = {**os.environ, "PYTHONTZPATH": ""}
    seen = subprocess.check_output(
        [sys.executable, "-c", OUT_OF_DATE, year], env=environment, text=True
    ).splitlines()
    assert len(seen) == count
    assert all(each.startswith("the time zone database in use is out of date") for each in seen)
