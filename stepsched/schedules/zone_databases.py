"""Chooses between the two IANA time zone databases of a machine: the system's and that of ``tzdata``.

Python itself asks the system's database first, however old it is. Here the newer one answers (P-42).
"""

from __future__ import annotations

import re
import zoneinfo
from functools import cache
from importlib import import_module, resources
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from importlib.abc import Traversable

_VERSION = re.compile(r"[0-9]{4}[a-z]+")
_LINE = 100
"""The number of characters that are read of a file with a version."""


class TimezoneDatabase(NamedTuple):
    """The time zone database that answers, and what was found beside it."""

    version: str | None
    """The IANA version of the database that answers, such as ``2025b``. None: unknown."""
    source: Literal["system", "tzdata"]
    """Which database answers: the system's, or that of the Python package ``tzdata``."""
    system_version: str | None
    """The version of the system's database. None: there is none, or it does not tell its version."""
    system_path: str | None
    """The folder of the system's database, the first of ``zoneinfo.TZPATH`` that holds zones. None: there is
    none."""
    package_version: str | None
    """The version of the database in the package ``tzdata``. None: the package is not installed."""

    def __str__(self) -> str:
        """Returns a sentence that names both databases."""
        system = f"the system's database in {self.system_path}" if self.system_path else "no system database"
        package = "the package tzdata" if self.package_version else "no package tzdata"
        answers, other = (system, package) if self.source == "system" else (package, system)
        versions = (self.system_version, self.package_version)
        first, second = versions if self.source == "system" else versions[::-1]
        beside = f"{other} ({second or 'version unknown'})" if other[:2] != "no" else other
        return f"{answers} ({first or 'version unknown'}) answers; beside it {beside}"


@cache
def timezone_database() -> TimezoneDatabase:
    """Returns which time zone database answers in this process, and its version (P-42).

    Of the system's database and that of the package ``tzdata`` the newer one answers, in schedules and in
    rendered state machines. One that does not tell its version counts as the older one; of two equal versions
    the system's answers. Both are looked for once, when the first zone is used: an update takes effect in a
    new process.

    Example:
        >>> timezone_database().version >= "2025b"
        True
    """
    path = _system_path()
    system = None if path is None else _system_version(path)
    package = _package_version()
    is_system = path is not None and (package is None or (system is not None and system >= package))
    return TimezoneDatabase(
        version=system if is_system else package,
        source="system" if is_system else "tzdata",
        system_version=system,
        system_path=None if path is None else str(path),
        package_version=package,
    )


def read_zone(key: str) -> ZoneInfo:
    """Reads a zone from the database that answers, or from the other one if only that has it.

    Raises:
        LookupError: No database has a zone of that name.
        ValueError: The name is not one of a zone, such as a path that leaves the folder, or the file of that
            name holds no zone.
        OSError: The name is that of a folder, or the file cannot be read.
    """
    if _is_of_package(key):
        with _in_package(key).open("rb") as file:
            return ZoneInfo.from_file(file, key=key)
    return ZoneInfo(key)  # the system's database first, then the package


def zone_file(key: str) -> bytes:
    """Reads the file (TZif, RFC 9636) of which :func:`read_zone` makes a zone. It is equal for all its names.

    Args:
        key: The name of a zone that exists.
    """
    folders = () if _is_of_package(key) else zoneinfo.TZPATH
    found = next((path for each in folders if (path := Path(each, key)).is_file()), None)
    return (found or _in_package(key)).read_bytes()


def _is_of_package(key: str) -> bool:
    return timezone_database().source == "tzdata" and key in _package_zones()


def _in_package(key: str) -> Traversable:
    return resources.files("tzdata").joinpath("zoneinfo", *key.split("/"))


def _system_path() -> Path | None:
    folders = (Path(each) for each in zoneinfo.TZPATH)
    return next((each for each in folders if (each / "UTC").is_file() or (each / "Etc/UTC").is_file()), None)


def _system_version(path: Path) -> str | None:
    """Returns the version that the folder tells: ``tzdata.zi`` begins with it, and so does ``+VERSION`` of
    macOS and BSD.

    https://data.iana.org/time-zones/theory.html#stability
    """
    for name in ("tzdata.zi", "+VERSION"):
        try:
            with (path / name).open(encoding="utf-8", errors="replace") as file:
                found = _VERSION.search(file.readline(_LINE))
        except OSError:
            continue
        if found is not None:
            return found[0]
    return None


def _package_version() -> str | None:
    try:
        return str(import_module("tzdata").IANA_VERSION)
    except ImportError:
        return None


@cache
def _package_zones() -> frozenset[str]:
    """Returns the names of all zones in the package, so that no other name is taken for a file of it."""
    return frozenset(resources.files("tzdata").joinpath("zones").read_text(encoding="utf-8").split())
