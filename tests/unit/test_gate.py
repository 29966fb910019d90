"""The gate as a program: what it says of itself, and how it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests import gate


def ask(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, gate.__file__, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_help_names_every_stage_and_makes_nothing() -> None:
    told = ask("--help")
    assert (told.returncode, told.stderr) == (0, "")
    assert told.stdout.startswith("usage: python3 tests/gate.py")
    for name in (*gate.SECONDS, "quick"):
        assert name in told.stdout


def test_an_unknown_stage_is_refused_with_those_that_exist() -> None:
    told = ask("lint", "tpyes")
    assert told.returncode == 2
    assert f"expected {', '.join(gate.SECONDS)}, all, quick, got tpyes" in told.stderr


def test_every_stage_is_a_function_with_a_figure() -> None:
    assert {*gate.ALL, *gate.QUICK, *gate.ASKED_FOR} == gate.SECONDS.keys()
    assert all(callable(getattr(gate, name)) for name in gate.SECONDS)


def test_the_quick_stages_take_less_than_three_minutes() -> None:
    assert sum(gate.SECONDS[name] for name in gate.QUICK) < 180


def test_groups_stand_for_their_stages_and_none_runs_twice() -> None:
    assert gate.wanted([]) == list(gate.ALL)
    assert gate.wanted(["wheel", "quick", "lint"]) == ["wheel", *gate.QUICK]


def collected(chosen: str, *names: str) -> list[str]:
    """The tests of files that a choice of marks leaves."""
    files = [str(Path(gate.__file__).parent / name) for name in names]
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-m", chosen, *files]
    told = subprocess.run(command, cwd=gate.ROOT, capture_output=True, text=True, check=False, timeout=100)
    return [line for line in told.stdout.splitlines() if "::" in line]


def test_the_quick_ones_need_no_part() -> None:
    """Each file that imports a part is marked as one."""
    names = ("unit/test_jobs.py", "unit/asl/test_validators.py", "unit/eventbridge/test_faults.py")
    assert {each.partition("::")[0] for each in collected("not part", *names)} == {"tests/unit/test_jobs.py"}


def test_what_the_quick_ones_leave_out_is_there() -> None:
    assert len(set(gate.LONG)) == len(gate.LONG)
    assert all((gate.ROOT / path).is_file() for path in gate.LONG)


def test_what_the_gate_leaves_out_of_many_alike_is_the_rest() -> None:
    chosen, rest = (collected(marks, "property/test_drawings.py") for marks in ("not proof", "rest"))
    alike = "test_a_picture_is_well_formed_and_texts_stay_inside["
    assert [sum(alike in each for each in tests) for tests in (chosen, rest)] == [20, 40]
    assert not set(chosen) & set(rest)


SKIPPED = """
import pytest

@pytest.mark.skipif(True, reason="no such system")
def test_marked(): ...

def test_called():
    pytest.skip("no such part")

@pytest.mark.xfail(reason="known")
def test_known():
    assert False

def test_runs(): ...
"""


def test_what_is_skipped_has_failed_in_the_gate(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(SKIPPED)
    pytester.runpytest_inprocess().assert_outcomes(passed=1, skipped=2, xfailed=1)
    told = pytester.runpytest_inprocess("-p", "tests.no_skips")
    told.assert_outcomes(passed=1, failed=1, errors=1, xfailed=1)
    told.stdout.fnmatch_lines_random(["*is skipped*no such system*", "*is skipped*no such part*"])


def test_a_file_that_is_skipped_has_failed_in_the_gate(pytester: pytest.Pytester) -> None:
    pytester.makepyfile('import pytest\npytest.importorskip("no_such_package")')
    told = pytester.runpytest_inprocess("-p", "tests.no_skips")
    told.assert_outcomes(errors=1)
    told.stdout.fnmatch_lines(["*is skipped*no_such_package*"])


STAGE = """
import time
try:
    print("runs", flush=True)
    time.sleep(60)
except KeyboardInterrupt:
    print("cleared up")
"""
STARTER = """
import sys
from tests import gate

gate.end_with(lambda: gate.run(sys.executable, "-c", sys.argv[1]))
"""


@pytest.mark.skipif(os.name != "posix", reason="Ctrl-C reaches a group of processes")
def test_ctrl_c_ends_a_stage_and_the_gate_without_a_traceback() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", STARTER, STAGE],
        cwd=gate.ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "runs\n"
        os.killpg(running.pid, signal.SIGINT)
        output, errors = running.communicate(timeout=60)
    assert (output, errors, running.returncode) == ("cleared up\n", "== interrupted\n", 130)


ASIDE = """
import sys
from pathlib import Path
from tests import gate

def stage(name, code):
    def run(python):
        print(f"{name} prints")
        gate.run(sys.executable, "-c", f"print('{name} runs')")
        return code
    return run

names = sys.argv[1].split(",")
for name in names:
    setattr(gate, name.rstrip("!"), stage(name, int(name.endswith("!"))))
for name, code, _ in gate.two_at_a_time([name.rstrip("!") for name in names], Path(sys.executable)):
    print(name, code)
"""


def test_stages_beside_each_other_show_what_they_print_when_they_end() -> None:
    command = [sys.executable, "-c", ASIDE, "first,second!,third"]
    told = subprocess.run(command, cwd=gate.ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert (told.returncode, told.stderr) == (0, "")
    shown = "".join(line for line in told.stdout.splitlines(keepends=True) if not line.endswith("begins\n"))
    for name, code in (("first", 0), ("second", 1), ("third", 0)):
        mark = "!" if code else ""
        assert f"== {name}\n{name}{mark} prints\n{name}{mark} runs\n{name} {code}\n" in shown
