"""``aws-solutions-scheduler`` on a stack of that system: what is said, what is asked, and what others do
meanwhile."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError, NoCredentialsError, ProfileNotFound

from stepsched.cli.solutions.app import app, run
from tests.unit.cli.conftest import Done
from tests.unit.cli.solutions_fakes import FakeStack, refused

ROOT = Path(__file__).parents[3]
COMMANDS = ("describe", "activate", "deactivate")
Call = Callable[..., Done]


@pytest.fixture
def stack() -> FakeStack:
    return FakeStack()


@pytest.fixture
def call(stack: FakeStack, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Call:
    """Runs a command line on the stack."""
    for name in ("SCHEDULER_STACK", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)

    def called(*arguments: str, where: tuple[str, ...] = ("-s", "S", "-r", "eu-west-1")) -> Done:
        capsys.readouterr()
        code = run([*where, *arguments], session=stack)
        return Done(code, *capsys.readouterr())

    return called


def token(number: int) -> str:
    return f"{number:012x}"


class TestUsage:
    @pytest.mark.parametrize(
        ("where", "arguments", "said"),
        [
            pytest.param((), ["list"], "Missing option '-s' / '--stack'", id="no stack"),
            pytest.param(("-s", "S"), ["list"], "Missing option '-r' / '--region'", id="no region"),
            *(
                pytest.param(
                    ("-s", "S", "-r", "R"), [each], "Missing option '-t' / '--task'", id=f"{each} what"
                )
                for each in COMMANDS
            ),
            pytest.param(("-s", "", "-r", "R"), ["list"], "expected a name, got ''", id="empty stack"),
            pytest.param(("-s", "S", "-r", " "), ["list"], "expected a name, got ' '", id="empty region"),
            pytest.param(
                ("-s", "S", "-r", "R"), ["create"], "No such command 'create'", id="no such command"
            ),
            pytest.param(("-s", "S", "-r", "R"), ["list", "-t", "a"], "No such option", id="no such option"),
            pytest.param(("-s", "S", "-r", "R"), ["describe", "a"], "Missing option", id="an argument"),
        ],
    )
    def test_wrong_use_is_refused_before_a_call_is_made(
        self, call: Call, stack: FakeStack, where: tuple[str, ...], arguments: list[str], said: str
    ) -> None:
        done = call(*arguments, where=where)
        assert (done.code, done.out) == (2, "")
        assert said in done.err
        assert done.err.startswith("Usage: aws-solutions-scheduler")
        assert stack.calls == []

    def test_the_environment_names_the_stack_and_the_region(
        self, call: Call, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SCHEDULER_STACK", "S")
        monkeypatch.setenv("AWS_REGION", "eu-west-1")
        assert call("list", where=()).document == {"tasks": []}

    def test_the_commands_have_the_names_of_the_other_system(self) -> None:
        assert list(app.commands) == [
            *("list", "describe", "activate", "deactivate"),
            "import-dataset-group",
        ]
        assert app.name == "aws-solutions-scheduler"
        assert {name for option in app.params for name in option.opts} == {
            *("-s", "--stack", "-r", "--region"),
            *("--scheduler-table-name-output", "--scheduler-stepfunction-arn-output"),
        }

    def test_the_program_is_installed_under_its_name(self) -> None:
        assert 'aws-solutions-scheduler = "stepsched.cli.solutions:main"' in (
            ROOT / "pyproject.toml"
        ).read_text("utf-8")


class TestProcess:
    """The program in a process of its own."""

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *command],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            env={"PYTHONPATH": str(ROOT), "HOME": "/nowhere", "AWS_EC2_METADATA_DISABLED": "true"},
        )

    def test_help_loads_nothing_that_it_does_not_need(self) -> None:
        program = (
            "import sys; from stepsched.cli.solutions.app import run; run(['--help']); "
            "print({'pydantic', 'boto3', 'botocore', 'rich'} & sys.modules.keys())"
        )
        done = self.run("-c", program)
        assert done.stdout.startswith("Usage: aws-solutions-scheduler")
        assert done.stdout.endswith("set()\n")

    def test_without_the_extra_it_says_how_to_install_it(self) -> None:
        program = "import sys; sys.modules['click'] = None; from stepsched.cli.solutions import main; main()"
        done = self.run("-c", program)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == "error: the command line needs the extra: pip install 'stepsched[cli]'\n"

    def test_without_credentials_it_says_so_in_one_line(self) -> None:
        done = self.run("-m", "stepsched.cli.solutions", "-s", "S", "-r", "eu-west-1", "list")
        assert (done.returncode, done.stdout) == (1, "")
        assert re.fullmatch(r"Error: .*Unable to locate credentials.*\n", done.stderr)


class TestFailures:
    @pytest.mark.parametrize(
        ("failure", "said"),
        [
            pytest.param(NoCredentialsError(), "Unable to locate credentials", id="no credentials"),
            pytest.param(ProfileNotFound(profile="p"), "profile (p) could not be found", id="no profile"),
            pytest.param(
                EndpointConnectionError(endpoint_url="https://x"), "Could not connect", id="no network"
            ),
            pytest.param(
                refused("AccessDenied", "DescribeStacks", "you\nmay not", 403), "you may not", id="no access"
            ),
            pytest.param(
                refused("ValidationError", "DescribeStacks", "Stack with id S does not exist"),
                "there is no stack 'S' in eu-west-1",
                id="no such stack",
            ),
        ],
    )
    def test_an_error_of_the_sdk_is_one_line(
        self, call: Call, stack: FakeStack, failure: Exception, said: str
    ) -> None:
        stack.failures["describe_stacks"] = failure
        for arguments in (["list"], ["describe", "-t", "a"]):
            done = call(*arguments)
            assert (done.code, done.out, done.err.count("\n")) == (1, "", 1)
            assert done.err.startswith("Error: ")
            assert said in done.err

    @pytest.mark.parametrize(
        ("operation", "arguments"),
        [
            ("get_template_summary", ["list"]),
            ("scan", ["list"]),
            ("get_item", ["describe", "-t", "a"]),
            ("list_executions", ["describe", "-t", "a"]),
            ("describe_execution", ["describe", "-t", "a"]),
            ("stop_execution", ["deactivate", "-t", "a"]),
            ("start_execution", ["activate", "-t", "a"]),
        ],
        ids=lambda each: each if isinstance(each, str) else "",
    )
    def test_a_call_that_is_denied_is_one_line(
        self, call: Call, stack: FakeStack, operation: str, arguments: list[str]
    ) -> None:
        stack.put("a")
        stack.run(f"a-{token(1)}", {"name": "a"})
        stack.failures[operation] = refused("AccessDeniedException", "X", f"not {operation}", 400)
        done = call(*arguments)
        assert (done.code, done.out, done.err.count("\n")) == (1, "", 1)
        assert f"not {operation}" in done.err

    @pytest.mark.parametrize("name", ["X", "", " ", "n" * 3_000, "\udcff", "a/b"])
    @pytest.mark.parametrize("command", COMMANDS)
    def test_an_unknown_task(self, call: Call, stack: FakeStack, command: str, name: str) -> None:
        done = call(command, "-t", name)
        assert (done.code, done.out) == (1, "")
        assert re.fullmatch(r"Error: task .* does not exist\n", done.err)
        assert "list_executions" not in stack.calls

    def test_ctrl_c_is_quiet(self, call: Call, stack: FakeStack) -> None:
        stack.failures["scan"] = KeyboardInterrupt()
        done = call("list")
        assert (done.code, done.out, done.err.strip()) == (130, "", "")

    @pytest.mark.parametrize("attribute", ["latest", "schedule", "state_machine_arn"])
    def test_a_row_that_cannot_be_read(self, call: Call, stack: FakeStack, attribute: str) -> None:
        stack.put("a")
        del stack.rows[0][attribute]
        for command in COMMANDS:
            assert call(command, "-t", "a") == Done(
                1, "", f"Error: task a cannot be read: attribute '{attribute}' is missing\n"
            )
        assert stack.executions == {}

    def test_what_others_have_stored_does_not_steer_the_terminal(self, call: Call, stack: FakeStack) -> None:
        stack.put("a\x1b[2J\u202e\x9b é")
        done = call("list")
        assert json.loads(done.out) == {"tasks": ["a\x1b[2J\u202e\x9b é"]}
        assert "\\u001b[2J\\u202e\\u009b é" in done.out
        assert "\x1b" not in call("describe", "-t", "b\x1b[2J").err

    def test_what_the_encoding_of_the_output_lacks_is_escaped(
        self, stack: FakeStack, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        stack.put("é€")
        narrow = TextIOWrapper(BytesIO(), encoding="latin-1")
        monkeypatch.setattr(sys, "stdout", narrow)
        assert run(["-s", "S", "-r", "eu-west-1", "list"], session=stack) == 0
        narrow.seek(0)
        assert narrow.read() == '{\n  "tasks": [\n    "é\\u20ac"\n  ]\n}\n'

    @pytest.mark.parametrize(
        ("outputs", "missing"),
        [
            pytest.param({}, "SchedulerTableName", id="none"),
            pytest.param({"SchedulerTableName": "t"}, "SchedulerStepFunctionArn", id="no machine"),
            pytest.param({"TableName": "t"}, "SchedulerStepFunctionArn", id="no machine of ours"),
            pytest.param({"StateMachineArn": "m"}, "SchedulerTableName", id="no table of ours"),
        ],
    )
    def test_a_missing_output(
        self, call: Call, stack: FakeStack, outputs: dict[str, str], missing: str
    ) -> None:
        stack.outputs = outputs
        assert call("list") == Done(1, "", f"Error: could not find output with key {missing} in stack\n")

    def test_missing_metadata(self, call: Call, stack: FakeStack) -> None:
        stack.metadata = {"aws:solutions:solution_id": "SO0170"}
        missing = "aws:solutions:solution_version"
        assert call("list") == Done(1, "", f"Error: could not find metadata with key {missing} in stack\n")


class TestCalls:
    """A command makes the calls that it needs, and reads all pages."""

    def test_list_reads_all_pages(self, call: Call, stack: FakeStack) -> None:
        for name in ("c", "a", "b"):
            stack.put(name, latest=3)
        assert call("list").document == {"tasks": ["a", "b", "c"]}

    def test_a_task_on_a_later_page_is_active(self, call: Call, stack: FakeStack) -> None:
        stack.put("a")
        stack.run(f"a-{token(1)}", {"name": "a"})
        for number in range(5):
            stack.run(f"b{number}-{token(number)}", {"name": f"b{number}"})
        assert call("describe", "-t", "a").document["task"]["active"] is True

    def test_executions_of_other_tasks_are_not_described(self, call: Call, stack: FakeStack) -> None:
        stack.put("a")
        for number in range(5):
            stack.run(f"a{number}-{token(number)}", {"name": f"a{number}"})
        assert call("describe", "-t", "a").document["task"]["active"] is False
        assert stack.calls.count("describe_execution") == 0

    def test_an_execution_that_has_ended_is_not_running_though_a_list_still_says_so(
        self, call: Call, stack: FakeStack
    ) -> None:
        stack.put("a")
        stack.run(f"a-{token(1)}", {"name": "a"})
        stack.executions[f"a-{token(1)}"]["status"] = "SUCCEEDED"
        stack.lists_ended = True
        assert call("describe", "-t", "a").document["task"]["active"] is False
        assert call("deactivate", "-t", "a").code == 0
        assert "stop_execution" not in stack.calls

    def test_an_execution_that_somebody_has_started_by_hand_belongs_to_its_task(
        self, call: Call, stack: FakeStack
    ) -> None:
        stack.put("a")
        stack.run("a-by-hand", {"name": "a"})
        assert call("describe", "-t", "a").document["task"]["active"] is True
        assert call("deactivate", "-t", "a").document["task"]["active"] is False
        assert stack.running == []

    @pytest.mark.parametrize("given", ["", "no JSON", "[]", '"a"', '{"name": 1}', '{"name": "b"}'])
    def test_an_execution_without_the_name_in_its_input_is_left_alone(
        self, call: Call, stack: FakeStack, given: str
    ) -> None:
        stack.put("a")
        stack.run(f"a-{token(1)}", given)
        assert call("describe", "-t", "a").document["task"]["active"] is False
        assert call("deactivate", "-t", "a").code == 0
        assert stack.running == [f"a-{token(1)}"]


class TestRaces:
    """What others do between two calls of a command."""

    def ended(self, stack: FakeStack, name: str) -> tuple[Any, ...]:
        return tuple(stack.executions[name][key] for key in ("status", "error", "cause"))

    def test_a_successor_that_starts_while_its_task_is_deactivated_is_stopped_too(
        self, call: Call, stack: FakeStack
    ) -> None:
        stack.put("a")
        stack.run(f"a-{token(1)}", {"name": "a"})
        stack.happens["stop_execution"] = lambda _: stack.run(f"a-{token(2)}", {"name": "a"})
        assert call("deactivate", "-t", "a").document["task"]["active"] is False
        assert stack.running == []
        assert self.ended(stack, f"a-{token(2)}") == ("ABORTED", "410", "execution disabled for a")

    def test_one_execution_is_left_when_two_activate_a_task_at_once(
        self, call: Call, stack: FakeStack
    ) -> None:
        """The other one starts its execution just after this one, and has not looked yet."""
        stack.put("a")
        stack.happens["start_execution"] = lambda _: stack.run(f"a-{token(2)}", {"name": "a"})
        assert call("activate", "-t", "a").document["task"]["active"] is True
        (own,) = stack.executions.keys() - {f"a-{token(2)}"}
        assert stack.running == [f"a-{token(2)}"], "the latest"
        assert self.ended(stack, own) == ("ABORTED", "301", f"execution superseded by a-{token(2)}")

    def test_an_execution_that_the_first_look_misses_gives_way(self, call: Call, stack: FakeStack) -> None:
        """Lists of executions may lag behind."""
        stack.put("a")
        stack.run(f"a-{token(1)}", {"name": "a"})
        stack.late_lists = 1
        assert call("activate", "-t", "a").document["task"]["active"] is True
        (own,) = stack.executions.keys() - {f"a-{token(1)}"}
        assert stack.running == [own]
        assert self.ended(stack, f"a-{token(1)}") == ("ABORTED", "301", f"execution superseded by {own}")

    def test_a_start_that_fails_is_an_error_that_says_what_to_do(self, call: Call, stack: FakeStack) -> None:
        stack.put("a")
        stack.run(f"a-{token(1)}", {"name": "a"})
        stack.failures["start_execution"] = refused("ThrottlingException", "StartExecution", "slow down")
        done = call("activate", "-t", "a")
        assert (done.code, done.out, done.err.count("\n")) == (1, "", 1)
        assert re.search(r"task a is not active: .*slow down.*; repeat the command", done.err)
        del stack.failures["start_execution"]
        assert call("activate", "-t", "a").code == 0
        assert len(stack.running) == 1

    def test_a_name_that_no_execution_can_have(self, call: Call, stack: FakeStack) -> None:
        stack.put("my task")
        stack.failures["start_execution"] = refused("InvalidName", "StartExecution", "Invalid Name")
        done = call("activate", "-t", "my task")
        assert (done.code, done.out) == (1, "")
        assert done.err.startswith("Error: task my task is not active: an execution cannot have this name")

    def test_a_task_that_never_comes_to_rest_is_an_error(self, call: Call, stack: FakeStack) -> None:
        stack.put("a")
        numbers = iter(range(1_000))

        def again(_: str) -> None:
            stack.run(f"a-{token(next(numbers))}", {"name": "a"})
            stack.happens["stop_execution"] = again

        again("")
        done = call("deactivate", "-t", "a")
        assert (done.code, done.out) == (1, "")
        assert "as fast as they are stopped; repeat the command" in done.err
