"""The other Pythons of this machine, and environments for them with what the package needs at run time.

As a program it runs unit tests on the oldest and the newest of them: ``python -m tests.parts.pythons``.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path

from tests import gate

VERSIONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
"""What the package runs on."""
OWN = f"{sys.version_info.major}.{sys.version_info.minor}"
"""The version that runs the tests."""
FOLDERS = ("tests/unit", "tests/api")
SAME_EVERYWHERE = (
    "tests/api/test_async_client.py",
    "tests/api/test_typing.py",
    "tests/unit/asl",
    "tests/unit/aws",
    *(
        f"tests/unit/cli/test_{name}.py"
        for name in (
            *("completion", "costs", "definitions", "examples", "explain", "logs", "plan_and_apply", "play"),
            *("personalize_configuration", "personalize_jobs", "solutions", "solutions_imports"),
            *("runs", "serving", "stored_jobs", "verbs", "workflows"),
            *("hostile_lines", "import_cost", "processes", "secrets", "serve", "serve_http"),
        )
    ),
    "tests/unit/eventbridge",
    "tests/unit/exports",
    *(f"tests/unit/http/jobs/test_{name}.py" for name in ("every_backend", "guards", "jobs", "openapi")),
    *(f"tests/unit/http/jobs/test_{name}.py" for name in ("problems", "runs")),
    *(
        f"tests/unit/http/one_shot/test_{name}.py"
        for name in ("cancel", "fuzz", "openapi", "schedule", "sns")
    ),
    "tests/unit/http/page",
    "tests/unit/http/test_access.py",
    "tests/unit/http/test_bodies.py",
    "tests/unit/http/test_site.py",
    *(
        f"tests/unit/schedules/test_{name}.py"
        for name in ("cron_fields", "cron_runs", "crontab", "expressions", "hints", "words")
    ),
    "tests/unit/stepfunctions",
    "tests/unit/test_capabilities.py",
    "tests/unit/test_deploy.py",
    "tests/unit/test_deploy_parts.py",
    "tests/unit/test_deploy_workflows.py",
    "tests/unit/test_deployers.py",
    "tests/unit/test_estimates.py",
    "tests/unit/test_every_backend.py",
    "tests/unit/test_gate.py",
    "tests/unit/test_http_mapping.py",
    "tests/unit/test_iam.py",
    "tests/unit/test_iam_machines.py",
    "tests/unit/test_job_documents.py",
    "tests/unit/test_jobfiles.py",
    "tests/unit/test_target_inputs.py",
    "tests/unit/test_target_kinds.py",
    "tests/unit/test_targets.py",
    "tests/unit/watching/test_services.py",
    "tests/unit/workers/test_records.py",
    "tests/unit/workflows/test_pictures.py",
)
"""Left out on other Pythons: the type checker, the gate, what needs a package of the gate, what computes
documents and requests for AWS from values, or values from lines of text, and commands that call what is
tested without them. What remains meets the interpreter itself: zones, pydantic, SQLite, threads, event
loops, streams, processes."""


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


def others() -> list[str]:
    """The versions of this machine besides the one that runs the tests, oldest first."""
    return [version for version in VERSIONS if version != OWN and interpreter(version)]


def another() -> str | None:
    """The newest version besides the one that runs the tests; None where there is none."""
    return next(reversed(others()), None)


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


def main() -> int:
    """Runs the unit tests on the oldest and the newest other version, at the same time, since many of them
    wait; 0 where there is no other."""
    found = others()
    print(f"== besides {OWN}: {', '.join(found) or 'no other Python found, so nothing to run'}", flush=True)
    asked = list(dict.fromkeys([*found[:1], *found[-1:]]))
    pythons = [
        gate.environment(f"test{version}", ["-e", f"{gate.ROOT}[http,test]"], of=interpreter(version))
        for version in asked
    ]
    code = 0
    with ThreadPoolExecutor() as pool:
        for version, (failed, output) in zip(asked, pool.map(_run_unit_tests, pythons), strict=True):
            print(f"== unit tests on {version}\n{output}", flush=True)
            code = code or failed
    return code


def _run_unit_tests(python: Path) -> tuple[int, str]:
    """The exit code, and what was printed."""
    chosen = ("-n", "2", "-m", "not proof and not part and not hypothesis", "-p", "no:cacheprovider")
    left_out = [f"--ignore={path}" for path in SAME_EVERYWHERE]
    with tempfile.TemporaryFile("w+") as output:
        code = gate.run(python, "-m", "pytest", *chosen, *FOLDERS, *left_out, output=output)
        output.seek(0)
        return code, output.read()


if __name__ == "__main__":
    gate.end_with(main)
