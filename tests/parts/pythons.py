"""The other Pythons of this machine, and environments for them with what the package needs at run time."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

from tests import gate

VERSIONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
"""What the package runs on."""
OWN = f"{sys.version_info.major}.{sys.version_info.minor}"
"""The version that runs the tests."""


@lru_cache
def interpreter(version: str) -> Path | None:
    """An interpreter of that version which really runs; None where there is none."""
    if version == OWN:
        return Path(sys.executable)
    on_path = shutil.which(f"python{version}")
    found = [] if on_path is None else [Path(on_path)]
    found += sorted(Path("~/.pyenv/versions").expanduser().glob(f"{version}.*/bin/python{version}"))
    return next((path for path in found if _runs(path, version)), None)


def _runs(path: Path, version: str) -> bool:
    told = "import sys, venv, sqlite3; print('%d.%d' % sys.version_info[:2])"
    done = subprocess.run([path, "-c", told], capture_output=True, text=True, check=False, timeout=60)
    return done.returncode == 0 and done.stdout.strip() == version


@lru_cache
def starts_threads_at_its_end(version: str) -> bool:
    """Whether a thread may start another one once the main thread has ended. 3.12.0 and 3.12.1 refuse
    (https://github.com/python/cpython/issues/113964)."""
    told = "import sys; print(sys.version_info[:3] not in ((3, 12, 0), (3, 12, 1)))"
    done = subprocess.run([str(interpreter(version)), "-c", told], capture_output=True, text=True, check=True)
    return done.stdout.strip() == "True"


def another() -> str | None:
    """The newest version besides the one that runs the tests; None where there is none."""
    return next((version for version in reversed(VERSIONS) if version != OWN and interpreter(version)), None)


def environment(version: str) -> Path:
    """The Python of an environment of that version, made now unless it is there.

    Raises:
        subprocess.CalledProcessError: It cannot be made, for instance without a network.
    """
    found = interpreter(version)
    assert found is not None, f"no Python {version} on this machine"
    if version == OWN:
        return found
    name = f"python{version}"
    done = gate.VENVS / name / "made"
    if done.exists():
        return done.with_name("Scripts" if os.name == "nt" else "bin") / "python"
    gate.VENVS.mkdir(exist_ok=True)
    with _alone(gate.VENVS / f"{name}.lock"):
        if done.exists():
            return environment(version)
        python = gate.environment(name, ["-e", str(gate.ROOT)], of=found)
        done.touch()
    return python


class _alone:  # noqa: N801 -- reads as a word
    """Of several processes only one is inside."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        self._file = self._path.open("w")
        if sys.platform != "win32":
            import fcntl

            fcntl.flock(self._file, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        self._file.close()
