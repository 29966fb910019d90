"""The commands of workflows: stored, started, awaited, restarted, skipped, cancelled and drawn."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import stepsched as ss
from stepsched.core.clock import SystemClock
from stepsched.testing import FakeClock
from tests.unit.cli.conftest import NOW, CommandLine

FLOWS: list[dict[str, Any]] = [
    {
        "name": "nightly",
        "steps": [
            {"name": "a", "target": {"kind": "command", "command": ["python", "-c", "print(1)"]}},
            {
                "name": "b",
                "needs": ["a"],
                "target": {"kind": "command", "command": ["python", "-c", "exit('no space')"]},
            },
            {
                "name": "c",
                "needs": ["b"],
                "target": {"kind": "command", "command": ["python", "-c", "pass"]},
            },
        ],
    },
    {
        "name": "weekly",
        "steps": [{"name": "only", "target": {"kind": "command", "command": ["python", "-c", "pass"]}}],
    },
]
PROGRAM = """
import stepsched as ss

def work():
    return 1

one = ss.Workflow("one", steps=[ss.Step("a", target=ss.HandlerTarget(work))])
two = ss.Workflow("two", steps=[ss.Step("b", target=ss.HandlerTarget(work))])
both = [one, two]
"""


@pytest.fixture
def flows(stepsched: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    """A command line in a folder with ``flows.json`` and ``jobs.db``, in which these workflows are stored."""
    (tmp_path / "flows.json").write_text(json.dumps(FLOWS), encoding="utf-8")
    monkeypatch.setenv("STEPSCHED_BACKEND", "local:jobs.db")
    assert stepsched("workflow", "put", "flows.json").code == 0
    return stepsched


def play(path: Path, minutes: int = 5) -> None:
    """Runs what is due in the file."""
    backend = ss.LocalBackend(path / "jobs.db", clock=FakeClock(NOW))
    backend.run_until(NOW + timedelta(minutes=minutes))
    backend.close()


@pytest.fixture
def failed(flows: CommandLine, tmp_path: Path) -> CommandLine:
    """The command line after a run ``r1`` whose step ``b`` failed."""
    assert flows("workflow", "start", "nightly", "--run-id", "r1").code == 0
    play(tmp_path)
    return flows


def states(document: Any) -> dict[str, str]:
    return {step["name"]: step["status"] for step in document["steps"]}


class TestPut:
    def test_a_file_holds_several(self, flows: CommandLine) -> None:
        done = flows("workflow", "put", "flows.json")
        assert [(each["name"], each["version"]) for each in done.document] == [("nightly", 1), ("weekly", 1)]

    def test_what_list_prints_can_be_put_again(self, flows: CommandLine, tmp_path: Path) -> None:
        stored = [each["definition"] for each in flows("workflow", "list").document]
        done = flows("workflow", "put", "-", stdin=json.dumps(stored))
        assert {each["version"] for each in done.document} == {1}

    @pytest.mark.parametrize(
        ("file", "names"),
        [
            ("program.py", ["one", "two"]),
            ("program.py:two", ["two"]),
            ("program:both", ["one", "two"]),
            ("program", ["one", "two"]),
        ],
    )
    def test_a_python_file_or_module(
        self, flows: CommandLine, tmp_path: Path, file: str, names: list[str]
    ) -> None:
        name = f"program_{abs(hash((file, str(tmp_path))))}"  # a module is imported once in a process
        (tmp_path / f"{name}.py").write_text(PROGRAM, encoding="utf-8")
        done = flows("workflow", "put", file.replace("program", name), "-o", "name")
        assert (done.code, done.out.split()) == (0, names), done.err

    def test_a_schedule_document_of_an_aws_batch_scheduler_is_read(
        self, stepsched: CommandLine, tmp_path: Path
    ) -> None:
        document = {
            "scheduleId": "etl",
            "scheduleName": "ETL",
            "category": " ",
            "scheduleSnsTopic": " ",
            "jobList": [
                {"jobName": "a", "jobDefinition": "etl:1", "jobQueue": "low", "jobDependencies": []},
                {
                    "jobName": "b",
                    "jobDefinition": "etl:1",
                    "jobQueue": "low",
                    "jobDependencies": ["a"],
                },
            ],
        }
        (tmp_path / "schedule.json").write_text(json.dumps(document), encoding="utf-8")
        done = stepsched("workflow", "draw", "--file", "schedule.json", "--document")
        assert done.code == 0, done.err
        assert done.out.startswith("flowchart")

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("[]", "expected at least one workflow"),
            ('[{"name": "x"}]', "workflow 1 ('x'): missing steps"),
            ("[1]", "expected a mapping with name and steps, got 1"),
            (json.dumps([FLOWS[1], FLOWS[1]]), "'weekly' twice"),
            ("[", "flows2.json"),
        ],
    )
    def test_a_mistake_is_named(self, stepsched: CommandLine, tmp_path: Path, text: str, words: str) -> None:
        (tmp_path / "flows2.json").write_text(text, encoding="utf-8")
        done = stepsched("workflow", "put", "flows2.json", "--backend", "local:new.db")
        assert (done.code, done.out) == (2, "")
        assert words in done.err
        assert "load workflows from" in done.err
        assert not (tmp_path / "new.db").exists()

    def test_a_value_that_is_not_there_is_named(self, flows: CommandLine, tmp_path: Path) -> None:
        (tmp_path / "lonely_flows.py").write_text("x = 1\n", encoding="utf-8")
        done = flows("workflow", "put", "lonely_flows.py:nightly")
        assert (done.code, done.err) == (
            2,
            "error: cannot load workflows from lonely_flows.py:nightly: the module has no value 'nightly'\n",
        )

    def test_a_backend_that_runs_no_workflows_refuses(self, flows: CommandLine) -> None:
        role = "eventbridge:arn:aws:iam::123456789012:role/r"
        done = flows("workflow", "list", "--backend", role, "--region", "eu-west-1")
        assert done.code == 5
        assert "does not run workflows" in done.err


class TestStart:
    def test_a_run_id_makes_it_repeatable(self, flows: CommandLine) -> None:
        first = flows("workflow", "start", "weekly", "--run-id", "r1").document
        again = flows("workflow", "start", "weekly", "--run-id", "r1").document
        assert first["id"] == again["id"] == "r1"
        assert first["started_at"] == again["started_at"]

    @pytest.mark.parametrize("given", ['{"day": "monday"}', "@input.json"])
    def test_the_input_is_json_or_a_file(self, flows: CommandLine, tmp_path: Path, given: str) -> None:
        (tmp_path / "input.json").write_text('{"day": "monday"}', encoding="utf-8")
        assert flows("workflow", "start", "weekly", "--input", given).document["input"] == {"day": "monday"}

    def test_an_input_that_is_not_json_is_refused(self, flows: CommandLine) -> None:
        done = flows("workflow", "start", "weekly", "--input", "{day}")
        assert done.code == 2
        assert "--input: expected JSON, got '{day}'" in done.err

    def test_a_file_is_stored_and_started(self, stepsched: CommandLine, tmp_path: Path) -> None:
        (tmp_path / "flow.json").write_text(json.dumps(FLOWS[1]), encoding="utf-8")
        done = stepsched(
            "workflow", "start", "--file", "flow.json", "--backend", "local:new.db", "-o", "name"
        )
        assert re.fullmatch(r"weekly/20300107T060000Z-[0-9a-z]{4}\n", done.out), done
        assert "no process runs the jobs" in done.err

    def test_of_several_in_a_file_one_is_named(self, flows: CommandLine) -> None:
        done = flows("workflow", "start", "--file", "flows.json")
        assert done.code == 2
        assert "one of the workflows in flows.json: nightly, weekly" in done.err
        assert flows("workflow", "start", "weekly", "--file", "flows.json").code == 0
        assert flows("workflow", "start", "daily", "--file", "flows.json").code == 2

    def test_something_must_be_named(self, flows: CommandLine) -> None:
        assert "expected the name of a workflow, or --file FILE" in flows("workflow", "start").err

    def test_a_timeout_needs_a_wait(self, flows: CommandLine) -> None:
        done = flows("workflow", "start", "weekly", "--timeout", "1s")
        assert (done.code, flows("workflow", "runs").document) == (2, [])


class TestWait:
    @pytest.fixture
    def served(self, flows: CommandLine, tmp_path: Path) -> Iterator[CommandLine]:
        """The command line while a process runs the jobs, with the real clock."""
        with ss.LocalBackend(tmp_path / "jobs.db"):

            def call(*arguments: str, **options: Any) -> Any:
                return flows(*arguments, clock=SystemClock(), **options)

            yield call

    def test_a_success_is_code_0(self, served: CommandLine) -> None:
        done = served("workflow", "start", "weekly", "--wait")
        assert (done.code, done.document["status"]) == (0, "succeeded")
        assert f"{done.document['workflow']}/{done.document['id']}: step only: succeeded" in done.err

    def test_a_failure_is_code_8_and_says_which_step(self, served: CommandLine) -> None:
        done = served("workflow", "start", "nightly", "--wait", "--timeout", "30s")
        assert done.code == 8
        assert states(done.document) == {"a": "succeeded", "b": "failed", "c": "upstream_failed"}
        assert re.search(r"error: run nightly/\S+ failed: step 'b': .*no space", done.err)

    def test_quiet_says_only_errors(self, served: CommandLine) -> None:
        done = served("workflow", "start", "weekly", "--wait", "-q")
        assert (done.code, done.err) == (0, "")

    def test_a_terminal_shows_the_run_and_its_steps(self, served: CommandLine) -> None:
        done = served("workflow", "start", "weekly", "--wait", terminal=True)
        assert done.code == 0
        assert re.match(r"weekly/\S+ +succeeded, 1 succeeded", done.out)
        assert re.search(r"^only  \x1b\[32msucceeded", done.out, re.MULTILINE)
        # What was shown meanwhile is gone; a run may end before anything is shown.
        assert not done.err or done.err.endswith(("\x1b[J", " goes on; waiting for its end\n"))

    def test_a_wait_that_is_too_short_is_code_124(self, flows: CommandLine) -> None:
        flows("workflow", "start", "weekly", "--run-id", "r1")  # nobody runs it
        done = flows("workflow", "wait", "weekly", "--timeout", "0s", clock=SystemClock())
        assert done.code == 124
        assert "run weekly/r1 is still running after 0 s; it goes on" in done.err

    def test_an_ended_run_is_not_awaited(self, failed: CommandLine) -> None:
        done = failed("workflow", "wait", "nightly/r1")
        assert (done.code, done.document["status"]) == (8, "failed")

    def test_a_restart_can_be_awaited(self, served: CommandLine) -> None:
        served("workflow", "start", "nightly", "--run-id", "r1", "--wait")
        done = served("workflow", "restart", "nightly", "--skip", "b", "--wait")
        assert (done.code, states(done.document)["c"]) == (0, "succeeded")


class TestRestart:
    def test_it_runs_what_failed(self, failed: CommandLine) -> None:
        done = failed("workflow", "restart", "nightly/r1")
        assert done.code == 0
        assert done.document["restarts"] == 1
        assert states(done.document)["a"] == "succeeded"

    def test_a_dry_run_shows_every_step_and_changes_nothing(self, failed: CommandLine) -> None:
        done = failed("workflow", "restart", "nightly", "--from", "a", "--dry-run", terminal=True)
        assert done.code == 0
        assert re.search(r"^a +run +named by --from", done.out, re.MULTILINE)
        plan = failed("workflow", "restart", "nightly", "--dry-run").document
        assert [(each["name"], each["action"]) for each in plan["steps"]] == [
            ("a", "reuse"),
            ("b", "run"),
            ("c", "run"),
        ]
        assert failed("workflow", "restart", "nightly", "--dry-run", "-o", "name").out == "b\nc\n"
        assert failed("workflow", "status", "nightly").document["status"] == "failed"

    def test_steps_are_skipped_and_marked_with_outputs(self, failed: CommandLine) -> None:
        done = failed("workflow", "restart", "nightly", "--mark-succeeded", 'b={"n": 1}', "--skip", "c")
        assert states(done.document) == {"a": "succeeded", "b": "succeeded", "c": "skipped"}
        assert json.loads(done.document["steps"][1]["output"]) == {"n": 1}
        shown = failed("workflow", "status", "nightly", terminal=True).out
        assert "skipped by --skip" in shown
        assert "marked as succeeded by --mark-succeeded" in shown

    def test_an_output_that_is_not_json_is_refused(self, failed: CommandLine) -> None:
        done = failed("workflow", "restart", "nightly", "--mark-succeeded", "b={n}")
        assert done.code == 2
        assert "--mark-succeeded: expected JSON after =" in done.err

    def test_a_changed_file_is_followed(self, failed: CommandLine, tmp_path: Path) -> None:
        changed = {**FLOWS[0], "steps": [FLOWS[0]["steps"][0], {**FLOWS[0]["steps"][2], "needs": ["a"]}]}
        (tmp_path / "changed.json").write_text(json.dumps(changed), encoding="utf-8")
        done = failed("workflow", "restart", "nightly", "--file", "changed.json")
        assert [step["name"] for step in done.document["steps"]] == ["a", "c"]
        assert done.document["version"] == 2

    def test_an_unknown_step_is_code_2_with_those_that_are_alike(self, failed: CommandLine) -> None:
        done = failed("workflow", "restart", "nightly", "--from", "bb")
        assert done.code == 2
        assert "for --from, got 'bb'" in done.err

    def test_a_run_that_has_succeeded_is_code_4(self, flows: CommandLine, tmp_path: Path) -> None:
        flows("workflow", "start", "weekly")
        play(tmp_path)
        done = flows("workflow", "restart", "weekly")
        assert done.code == 4
        assert "use --from or --only" in done.err


class TestSkipAndCancel:
    def test_a_step_is_skipped(self, failed: CommandLine) -> None:
        done = failed("workflow", "skip", "nightly", "b", "--reason", "by hand")
        assert (done.code, done.document["steps"][1]["reason"]) == (0, "by hand")
        assert states(done.document)["b"] == "skipped"
        assert done.document["status"] == "failed"

    def test_a_run_is_cancelled_if_that_is_confirmed(self, flows: CommandLine) -> None:
        flows("workflow", "start", "nightly", "--run-id", "r1")
        asked = flows("workflow", "cancel", "nightly")
        assert asked.code == 2
        assert "Cancel run nightly/r1? Nobody can be asked here; use --yes" in asked.err
        refused = flows("workflow", "cancel", "nightly", terminal=True, stdin="n\n")
        assert refused.code == 130
        done = flows("workflow", "cancel", "nightly", "-y")
        assert (done.code, done.document["status"]) == (0, "cancelled")
        assert flows("workflow", "cancel", "nightly").code == 0  # it has ended: nothing is asked


class TestShow:
    def test_runs_are_chosen(self, failed: CommandLine) -> None:
        failed("workflow", "start", "nightly", "--run-id", "r2")
        assert failed("workflow", "runs", "nightly", "-o", "name").out == "nightly/r1\nnightly/r2\n"
        assert failed("workflow", "runs", "--status", "failed", "-o", "name").out == "nightly/r1\n"
        assert failed("workflow", "runs", "--since", "now+1h").document == []
        assert failed("workflow", "runs", "weekly", terminal=True).out == "no run is recorded that matches\n"
        assert failed("workflow", "runs", "--status", "over").code == 2

    def test_the_record_is_that_of_the_library(self, failed: CommandLine) -> None:
        done = failed("workflow", "status", "nightly/@latest")
        run = ss.workflows.WorkflowRun.model_validate(done.document)
        assert (run.key, run.by_name["c"].caused_by) == ("nightly/r1", "b")

    @pytest.mark.parametrize(
        ("run", "words"),
        [
            ("nightli", "there is no workflow 'nightli'; did you mean 'nightly'?"),
            ("zzzzz", "there is no workflow 'zzzzz'; `stepsched workflow list` shows the workflows"),
            ("nightly/r12", "there is no run 'r12' of workflow 'nightly'; did you mean 'r1'?"),
            ("nightly/zzz", "no run 'zzz' of workflow 'nightly'; `stepsched workflow runs` shows the runs"),
        ],
    )
    def test_what_is_not_there_is_code_3(self, failed: CommandLine, run: str, words: str) -> None:
        done = failed("workflow", "status", run)
        assert (done.code, done.out) == (3, "")
        assert words in done.err

    @pytest.mark.parametrize(("suffix", "begin"), [("svg", "<svg"), ("mmd", "flowchart"), ("dot", "digraph")])
    def test_a_picture_is_written(self, failed: CommandLine, tmp_path: Path, suffix: str, begin: str) -> None:
        done = failed("workflow", "draw", "nightly", "-o", f"picture.{suffix}")
        assert (done.code, done.out) == (0, "")
        assert (tmp_path / f"picture.{suffix}").read_text("utf-8").startswith(begin)

    def test_a_workflow_without_a_run_is_drawn(self, flows: CommandLine) -> None:
        assert flows("workflow", "draw", "weekly").out.startswith("flowchart")
        assert flows("workflow", "draw", "weekly", "--gantt").code == 3
        assert flows("workflow", "draw").code == 2
        assert flows("workflow", "draw", "weekly", "-o", "x.png").code == 2

    def test_the_times_of_a_run_are_drawn(self, failed: CommandLine) -> None:
        assert re.search(r"^b +.*failed", failed("workflow", "draw", "nightly", "--gantt").out, re.MULTILINE)
        assert failed("workflow", "draw", "nightly", "--gantt", "-o", "x.svg").code == 0
        assert failed("workflow", "draw", "nightly", "--gantt", "-o", "x.dot").code == 2
        assert failed("workflow", "draw", "--file", "flows.json", "--gantt").code == 2

    def test_repair_looks_at_workflows_too(self, failed: CommandLine) -> None:
        assert failed("repair").document == []
