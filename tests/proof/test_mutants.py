"""Small changes of the modules that decide: the unit tests see every one that changes what is decided.

mutmut changes an operator, a constant or an argument at a time, and runs the tests that come through the
changed function. What no test sees must stand below, with the reason why it makes no difference.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from tests import gate

pytestmark = [
    pytest.mark.proof,
    pytest.mark.timeout(3_600),
    pytest.mark.skipif(os.name != "posix", reason="mutmut forks"),
]
MUTMUT = "mutmut==3.8.1"
MODULES = (
    "stepsched/backends/eventbridge/timing.py",
    "stepsched/backends/local/leases.py",
    "stepsched/backends/local/policy.py",
    "stepsched/backends/stepfunctions/decisions.py",
    "stepsched/backends/stepfunctions/histories.py",
    "stepsched/jobs/job.py",
    "stepsched/jobs/plans.py",
    "stepsched/jobs/policies.py",
    "stepsched/jobs/records.py",
    "stepsched/schedules/day_rules.py",
    "stepsched/schedules/frequency.py",
    "stepsched/schedules/timeline.py",
)
TESTS = (
    "tests/unit/eventbridge/test_checks.py",
    "tests/unit/eventbridge/test_documents.py",
    "tests/unit/eventbridge/test_timing.py",
    "tests/unit/local/test_policy.py",
    "tests/unit/local/test_recovery.py",
    "tests/unit/schedules/test_base.py",
    "tests/unit/schedules/test_cron_runs.py",
    "tests/unit/schedules/test_day_rules.py",
    "tests/unit/schedules/test_frequency.py",
    "tests/unit/schedules/test_timeline.py",
    "tests/unit/schedules/test_windowed.py",
    "tests/unit/stepfunctions/test_decisions.py",
    "tests/unit/stepfunctions/test_histories.py",
    "tests/unit/test_client.py",
    "tests/unit/test_jobs.py",
    "tests/unit/test_notebook.py",
    "tests/unit/test_plans.py",
)
EQUAL = (
    (r"zip\(\w+, \w+, (strict=(None|False))?\)", "both are as long, whoever calls"),
    (
        r"timeline\._merge: heap(\.append|replace)\(.*astimezone\(None\)",
        "instants stand in one order in every zone",
    ),
    (r"Frequency\.__str__: .*if len\(parts\) > 2 else parts", "two parts are joined alike"),
    (r"Retry\.delay: .*min\(attempt - 1, 185\)", "there is no attempt after the 186th"),
    (r"Retry\.delay: .*factor >= bound / self\.interval", "the product is the bound itself"),
    (r"Retry\.delay: .*\(self\.interval\) or True", "any multiple of no pause is none"),
    (r"continuation_of: .*> 3 \* MAX_MISSED", "no more than the latest are kept in the end"),
    (r"why_stop: .*generation_of\(execution\.arn\) >=", "one token and one generation are one execution"),
    (r"timing\._says_the_same: return True$", "what is read of a document of AWS is never a window"),
)
"""Functions and lines, as they become, that change nothing, and why."""
MARKUP = "._repr_html_"
"""Functions that make tables for notebooks, and decide nothing."""


class Mutant(NamedTuple):
    """A changed function."""

    name: str
    status: str

    @property
    def function(self) -> str:
        """Such as ``stepsched.jobs.policies.Retry.delay``."""
        module, _, changed = self.name.rpartition(".")
        return f"{module}.{re.sub(r'^x_?|__mutmut_[0-9]+$', '', changed).strip('ǁ').replace('ǁ', '.')}"


class Mutation:
    """The changes, made and tried in a folder of their own.

    Args:
        folder: Empty.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._python = gate.environment("mutants", ["-e", f"{gate.ROOT}[test]", MUTMUT])
        for name in ("stepsched", "tests"):
            shutil.copytree(gate.ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(gate.ROOT / "pyproject.toml", folder)
        listed = {
            "source_paths": ("stepsched",),
            "only_mutate": MODULES,
            "pytest_add_cli_args_test_selection": TESTS,
            "pytest_add_cli_args": ("-p", "no:cacheprovider"),
        }
        lines = [f"{option} =\n" + "".join(f"    {value}\n" for value in listed[option]) for option in listed]
        (folder / "setup.cfg").write_text("[mutmut]\n" + "".join(lines), "utf-8")

    def run(self) -> list[Mutant]:
        """Tries all of them."""
        self._mutmut("run", "--max-children", str(os.cpu_count() or 2))
        listed = re.findall(r"^ +(\S+): (.+)$", self._mutmut("results", "--all", "true"), re.MULTILINE)
        return [Mutant(name, status) for name, status in listed]

    def line(self, mutant: Mutant) -> str:
        """The line that was changed, as it has become; empty where it is gone."""
        shown = self._mutmut("show", mutant.name).splitlines()
        return " ".join(line[1:].strip() for line in shown if re.match(r"\+(?!\+\+)", line))

    def _mutmut(self, *arguments: str) -> str:
        environment = {**os.environ, "PYTHONUTF8": "1", "COLUMNS": "200"}
        command = [str(self._python), "-m", "mutmut", *arguments]
        done = subprocess.run(
            command,
            cwd=self._folder,
            env=environment,
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
        )
        assert done.returncode == 0, done.stdout[-4_000:] + done.stderr[-4_000:]
        return done.stdout


def is_equal(line: str) -> bool:
    return any(re.search(pattern, line) for pattern, _ in EQUAL)


def test_no_change_of_a_decision_goes_unseen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mutation = Mutation(tmp_path)
    mutants = [each for each in mutation.run() if not each.function.endswith(MARKUP)]
    survivors = [each for each in mutants if each.status not in ("killed", "timeout")]
    lines = {each: f"{each.function}: {mutation.line(each)}" for each in survivors}
    unseen = {each: line for each, line in lines.items() if not is_equal(line)}
    with capsys.disabled():
        seen, equal = len(mutants) - len(survivors), len(survivors) - len(unseen)
        print(f"\n{seen} of {len(mutants)} changes are seen, {equal} of the others make no difference")
        for each, line in unseen.items():
            print(f"{each.status}: {line}")
    assert len(mutants) > 1_000
    assert unseen == {}
    stale = [
        reason for pattern, reason in EQUAL if not any(re.search(pattern, line) for line in lines.values())
    ]
    assert stale == [], "they are seen now, or are no changes any more"
