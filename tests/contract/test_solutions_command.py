"""The commands of the AWS Solutions scheduler, against a stack of its shape and against one of ours."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import stepsched as ss
from stepsched.cli.solutions.app import run
from stepsched.cli.solutions.original import OriginalTasks
from stepsched.core.clock import utc_now
from tests.contract import solutions_stack
from tests.parts.ministack import REGION, Ministack
from tests.sessions import new_session
from tests.unit.cli.conftest import Done

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests/data/solutions"
IMPORT = "personalize-dataset-import-item-recommender"
FULL = "solution-maintenance-full-item-recommender-user-personalization"
CRON = "cron(*/15 * * * ? *)"
ORIGINAL, OURS = "PersonalizeStack", "jobs"


class Account:
    """An account with a stack of each system."""

    def __init__(self, server: Ministack, number: str, aws: Callable[[str], Any], capsys: Any) -> None:
        self.server, self.number, self.capsys = server, number, capsys
        self.cloudformation, self.dynamodb, self.states = map(
            aws, ("cloudformation", "dynamodb", "stepfunctions")
        )
        self.session = new_session(aws_access_key_id=number, aws_secret_access_key="test", region_name=REGION)
        server.hold_waits(utc_now())

    @property
    def environment(self) -> dict[str, str]:
        """What a process has to be told so that it finds this account."""
        return {
            "PYTHONPATH": str(ROOT),
            "AWS_ENDPOINT_URL": self.server.endpoint_url,
            "AWS_ACCESS_KEY_ID": self.number,
            "AWS_SECRET_ACCESS_KEY": "test",
        }

    @property
    def target(self) -> str:
        return f"arn:aws:states:{REGION}:{self.number}:stateMachine:{solutions_stack.TARGET}"

    def make(self, name: str, template: dict[str, Any]) -> dict[str, str]:
        """Makes a stack and returns its outputs."""
        self.cloudformation.create_stack(
            StackName=name, TemplateBody=json.dumps(template), Capabilities=["CAPABILITY_IAM"]
        )
        (found,) = self.cloudformation.describe_stacks(StackName=name)["Stacks"]
        assert found["StackStatus"] == "CREATE_COMPLETE"
        return {each["OutputKey"]: each["OutputValue"] for each in found["Outputs"]}

    def make_original(self, name: str = ORIGINAL) -> dict[str, str]:
        return self.make(name, solutions_stack.template(solution_id="SO0170", solution_version="v1.4.5"))

    def make_ours(self, **options: Any) -> dict[str, str]:
        return self.make(OURS, ss.deploy.template([ss.StateMachineTarget(self.target)], **options))

    def put(self, table: str, name: str, schedule: str = CRON, latest: int = 1, **fields: Any) -> None:
        """Writes a task as the AWS Solutions scheduler does."""
        item = {
            "name": {"S": name},
            "schedule": {"S": schedule},
            "state_machine_arn": {"S": self.target},
            "state_machine_input": {"M": {}},
        }
        current = {"version": {"S": "v0"}, "latest": {"N": str(latest)}, **fields}
        self.dynamodb.put_item(TableName=table, Item=item | current)
        for number in range(1, latest + 1):
            self.dynamodb.put_item(TableName=table, Item=item | {"version": {"S": f"v{number}"}})

    def call(self, *arguments: str, stack: str = ORIGINAL) -> Done:
        self.capsys.readouterr()
        code = run(["-s", stack, "-r", REGION, *arguments], session=self.session)
        self.server.settled(self.number)
        out, err = self.capsys.readouterr()
        return Done(code, out, err)

    def task(self, *arguments: str, stack: str = ORIGINAL) -> dict[str, Any]:
        """The task that a command prints."""
        done = self.call(*arguments, stack=stack)
        assert (done.code, done.err) == (0, "")
        assert done.out == json.dumps(done.document, indent=2) + "\n"
        task: dict[str, Any] = done.document["task"]
        assert list(task) == ["active", "name", "schedule", "step_function", "version"]
        return task

    def executions(self, machine: str, status: str = "RUNNING") -> list[dict[str, Any]]:
        found = self.states.list_executions(stateMachineArn=machine, statusFilter=status)["executions"]
        return [self.states.describe_execution(executionArn=each["executionArn"]) for each in found]

    def start(self, machine: str, name: str, execution: str) -> str:
        """Starts an execution of a task as the AWS Solutions scheduler does."""
        made = self.states.start_execution(
            stateMachineArn=machine, name=execution, input=json.dumps({"name": name})
        )
        self.server.settled(self.number)
        return str(made["executionArn"])


@pytest.fixture
def stacks(
    ministack: Ministack,
    account: str,
    aws: Callable[[str], Any],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Account:
    monkeypatch.setenv("AWS_ENDPOINT_URL", ministack.endpoint_url)
    return Account(ministack, account, aws, capsys)


class TestOriginal:
    """A stack of the AWS Solutions scheduler."""

    @pytest.fixture
    def outputs(self, stacks: Account) -> dict[str, str]:
        return stacks.make_original()

    @pytest.fixture
    def table(self, outputs: dict[str, str]) -> str:
        return outputs["SchedulerTableName"]

    @pytest.fixture
    def machine(self, outputs: dict[str, str]) -> str:
        return outputs["SchedulerStepFunctionArn"]

    def test_list_prints_the_sample(self, stacks: Account, table: str) -> None:
        for name in (FULL, IMPORT):
            stacks.put(table, name, latest=3)
        left = {"name": {"S": "deleted, but for a version"}, "version": {"S": "v1"}}
        stacks.dynamodb.put_item(TableName=table, Item=left)
        assert stacks.call("list").out == (DATA / "list.json").read_text("utf-8")

    def test_a_stack_without_tasks_lists_none(self, stacks: Account, table: str) -> None:
        assert stacks.call("list") == Done(0, '{\n  "tasks": []\n}\n', "")

    def test_describe_prints_the_sample(self, stacks: Account, table: str, machine: str) -> None:
        sample = (DATA / "describe.json").read_text("utf-8")
        stacks.put(table, IMPORT)
        stacks.start(machine, IMPORT, f"{IMPORT}-0123456789ab")
        shown = re.sub(r"arn:aws:states:[^\"]*", stacks.target, sample)
        assert stacks.call("describe", "-t", IMPORT) == Done(0, shown, "")

    def test_the_life_of_a_task(self, stacks: Account, table: str, machine: str) -> None:
        stacks.put(table, IMPORT, latest=2)
        assert stacks.task("describe", "--task", IMPORT)["active"] is False
        activated = stacks.task("activate", "-t", IMPORT)
        assert activated == {
            "active": True,
            "name": IMPORT,
            "schedule": CRON,
            "step_function": stacks.target,
            "version": "v2",
        }
        (first,) = stacks.executions(machine)
        assert re.fullmatch(rf"{IMPORT}-[0-9a-f]{{12}}", first["name"])
        assert first["input"] == json.dumps({"name": IMPORT})
        assert stacks.task("describe", "-t", IMPORT) == activated

        assert stacks.task("activate", "-t", IMPORT) == activated, "twice is no error"
        (second,) = stacks.executions(machine)
        (stopped,) = stacks.executions(machine, "ABORTED")
        assert stopped["executionArn"] == first["executionArn"]
        assert (stopped["error"], stopped["cause"]) == ("301", f"execution superseded by {second['name']}")

        assert stacks.task("deactivate", "-t", IMPORT) == activated | {"active": False}
        assert stacks.executions(machine) == []
        ended = stacks.states.describe_execution(executionArn=second["executionArn"])
        assert (ended["error"], ended["cause"]) == ("410", f"execution disabled for {IMPORT}")
        assert stacks.task("deactivate", "-t", IMPORT)["active"] is False, "twice is no error"
        assert stacks.task("describe", "-t", IMPORT)["active"] is False

    def test_a_task_runs_at_its_times_until_it_is_deactivated(
        self, stacks: Account, table: str, machine: str
    ) -> None:
        stacks.put(table, IMPORT)
        stacks.call("activate", "-t", IMPORT)
        for runs in (1, 2):
            wake = stacks.server.next_wake(stacks.number)
            assert wake is not None
            stacks.server.move_time(wake)
            stacks.server.settled(stacks.number)
            assert len(stacks.executions(stacks.target, "SUCCEEDED")) == runs
            assert len(stacks.executions(machine)) == 1, "the successor"
            assert stacks.task("describe", "-t", IMPORT)["active"] is True
        stacks.call("deactivate", "-t", IMPORT)
        assert stacks.server.next_wake(stacks.number) is None

    def test_a_task_whose_execution_died_is_activated_again(
        self, stacks: Account, table: str, machine: str
    ) -> None:
        stacks.put(table, IMPORT)
        stacks.call("activate", "-t", IMPORT)
        (execution,) = stacks.executions(machine)
        stacks.states.stop_execution(executionArn=execution["executionArn"])
        assert stacks.task("describe", "-t", IMPORT)["active"] is False
        assert stacks.task("activate", "-t", IMPORT)["active"] is True
        assert len(stacks.executions(machine)) == 1

    def test_many_that_activate_a_task_at_once_leave_one_execution(
        self, stacks: Account, table: str, machine: str
    ) -> None:
        stacks.put(table, IMPORT)
        tasks = OriginalTasks(stacks.dynamodb, stacks.states, table, machine)
        for _ in range(2):
            with ThreadPoolExecutor(4) as pool:
                made = list(pool.map(tasks.activate, [IMPORT] * 4))
            assert all(task is not None and task.is_active for task in made)
            stacks.server.settled(stacks.number)
            assert len(stacks.executions(machine)) == 1
        assert stacks.task("deactivate", "-t", IMPORT)["active"] is False
        assert stacks.executions(machine) == []

    def test_tasks_whose_names_begin_alike_are_told_apart(
        self, stacks: Account, table: str, machine: str
    ) -> None:
        stem = "n" * 67
        names = ["n", "nn", f"{stem}-one", f"{stem}-two", f"{stem}"]
        for name in names:
            stacks.put(table, name)
        stacks.call("activate", "-t", f"{stem}-one")
        stacks.call("activate", "-t", "nn")
        active = [name for name in names if stacks.task("describe", "-t", name)["active"]]
        assert active == ["nn", f"{stem}-one"]
        stacks.call("deactivate", "-t", f"{stem}-two")
        stacks.call("deactivate", "-t", "n")
        assert len(stacks.executions(machine)) == 2

    @pytest.mark.parametrize("command", ["describe", "activate", "deactivate"])
    def test_an_unknown_task_is_an_error(self, stacks: Account, table: str, command: str) -> None:
        assert stacks.call(command, "-t", "X") == Done(1, "", "Error: task X does not exist\n")

    def test_the_schedule_is_printed_as_it_was_written(self, stacks: Account, table: str) -> None:
        stacks.put(table, "odd", schedule="cron(00 0  ? * sun *)")
        assert stacks.task("describe", "-t", "odd")["schedule"] == "cron(00 0  ? * sun *)"

    def test_a_missing_output_is_an_error(self, stacks: Account, table: str) -> None:
        for option in ("--scheduler-table-name-output", "--scheduler-stepfunction-arn-output"):
            done = stacks.call(option, "Other", "list")
            assert done == Done(1, "", "Error: could not find output with key Other in stack\n")

    def test_other_outputs_may_be_named(self, stacks: Account, table: str) -> None:
        made = solutions_stack.template(solution_id="SO0170", solution_version="v1")
        made["Outputs"] = {
            "T": made["Outputs"]["SchedulerTableName"],
            "M": made["Outputs"]["SchedulerStepFunctionArn"],
        }
        for each, name in (("Scheduler", "s-2"), ("Target", "t-2")):
            made["Resources"][each]["Properties"]["StateMachineName"] = name
        stacks.make("other", made)
        names = ["--scheduler-table-name-output", "T", "--scheduler-stepfunction-arn-output", "M"]
        assert stacks.call(*names, "list", stack="other").document == {"tasks": []}
        done = stacks.call("list", stack="other")
        assert done == Done(1, "", "Error: could not find output with key SchedulerTableName in stack\n")

    @pytest.mark.parametrize(
        ("metadata", "missing"),
        [({}, "solution_id"), ({"solution_id": "SO0170"}, "solution_version")],
        ids=["none", "no version"],
    )
    def test_missing_metadata_is_an_error(
        self, stacks: Account, metadata: dict[str, str], missing: str
    ) -> None:
        stacks.make(ORIGINAL, solutions_stack.template(**metadata))
        for arguments in (["list"], ["describe", "-t", IMPORT]):
            assert stacks.call(*arguments) == Done(
                1, "", f"Error: could not find metadata with key aws:solutions:{missing} in stack\n"
            )


class TestOurs:
    """A stack of ``stepsched.deploy.template``."""

    @pytest.fixture
    def outputs(self, stacks: Account) -> dict[str, str]:
        return stacks.make_ours()

    @pytest.fixture
    def client(self, stacks: Account, outputs: dict[str, str]) -> ss.SchedulerClient:
        return ss.SchedulerClient.from_stack(OURS, session=stacks.session)

    def create(self, client: ss.SchedulerClient, stacks: Account, name: str = IMPORT) -> None:
        target = ss.StateMachineTarget(stacks.target)
        client.create(ss.Job(name=name, schedule=ss.Cron("0/15 * * * ? *"), target=target))

    def test_the_commands_print_the_samples(self, stacks: Account, client: ss.SchedulerClient) -> None:
        target = ss.StateMachineTarget(stacks.target)
        for name in (FULL, IMPORT):
            client.create(ss.Job(name=name, schedule=ss.Cron("*/15 * * * ? *"), target=target))
        assert stacks.call("list", stack=OURS).out == (DATA / "list.json").read_text("utf-8")
        sample = (DATA / "describe.json").read_text("utf-8")
        shown = re.sub(r"arn:aws:states:[^\"]*", stacks.target, sample)
        assert stacks.call("describe", "-t", IMPORT, stack=OURS) == Done(0, shown, "")

    def test_deactivate_and_activate(self, stacks: Account, client: ss.SchedulerClient) -> None:
        self.create(client, stacks)
        for _ in range(2):
            assert stacks.task("deactivate", "-t", IMPORT, stack=OURS)["active"] is False
            assert client.get(IMPORT).status is ss.JobStatus.PAUSED
        for _ in range(2):
            assert stacks.task("activate", "-t", IMPORT, stack=OURS)["active"] is True
            assert client.get(IMPORT).status is ss.JobStatus.ACTIVE
        assert client.repair() == []

    def test_activate_starts_the_execution_of_an_active_job_that_died(
        self, stacks: Account, client: ss.SchedulerClient, outputs: dict[str, str]
    ) -> None:
        self.create(client, stacks)
        stacks.server.settled(stacks.number)
        machine = outputs["StateMachineArn"]
        (execution,) = stacks.executions(machine)
        stacks.states.stop_execution(executionArn=execution["executionArn"])
        stacks.server.move_time(stacks.server.now())
        assert stacks.task("activate", "-t", IMPORT, stack=OURS)["active"] is True
        assert len(stacks.executions(machine)) == 1

    @pytest.mark.parametrize("command", ["describe", "activate", "deactivate"])
    @pytest.mark.parametrize("name", ["X", "", " ", "n" * 300, "\udcff"])
    def test_an_unknown_task_is_an_error(
        self, stacks: Account, outputs: dict[str, str], command: str, name: str
    ) -> None:
        done = stacks.call(command, "-t", name, stack=OURS)
        assert (done.code, done.out) == (1, "")
        assert done.err.endswith("does not exist\n")

    def test_a_task_of_the_other_system_becomes_a_job(
        self, stacks: Account, client: ss.SchedulerClient, outputs: dict[str, str]
    ) -> None:
        stacks.put(outputs["TableName"], IMPORT, schedule="cron(0 0 ? * sun *)", latest=4)
        before = stacks.task("describe", "-t", IMPORT, stack=OURS)
        assert before == {
            "active": False,
            "name": IMPORT,
            "schedule": "cron(0 0 ? * sun *)",
            "step_function": stacks.target,
            "version": "v4",
        }
        assert stacks.task("deactivate", "-t", IMPORT, stack=OURS) == before
        assert stacks.task("activate", "-t", IMPORT, stack=OURS) == before | {"active": True}
        assert client.get(IMPORT).owned
        client.update(client.get(IMPORT).job.replace(schedule=ss.Cron("5 * * * ? *")))
        assert stacks.task("describe", "-t", IMPORT, stack=OURS)["schedule"] == "cron(5 * * * ? *)"

    def test_a_job_of_another_kind_is_described_too(
        self, stacks: Account, client: ss.SchedulerClient
    ) -> None:
        target = ss.StateMachineTarget(stacks.target)
        monthly = ss.Windowed("2026-01-31T18:00", every=ss.Frequency(months=1), timezone="Europe/Paris")
        client.create(ss.Job(name="monthly", schedule=monthly, target=target))
        client.create(
            ss.Job(name="paris", schedule=ss.Cron("0 9 * * ? *", timezone="Europe/Paris"), target=target)
        )
        assert stacks.task("describe", "-t", "monthly", stack=OURS)["schedule"] == monthly.describe()
        shown = stacks.task("describe", "-t", "paris", stack=OURS)["schedule"]
        assert shown == "cron(0 9 * * ? *) Europe/Paris"

    def test_a_row_that_cannot_be_read_is_left_out_with_a_warning(
        self, stacks: Account, client: ss.SchedulerClient, outputs: dict[str, str]
    ) -> None:
        self.create(client, stacks)
        damaged = {key: {"S": "damaged"} for key in ("name", "job")} | {
            "version": {"S": "v0"},
            "latest": {"N": "1"},
            "status": {"S": "active"},
            "due": {"S": "2030"},
        }
        stacks.dynamodb.put_item(TableName=outputs["TableName"], Item=damaged)
        done = stacks.call("list", stack=OURS)
        assert (done.code, done.document) == (0, {"tasks": [IMPORT]})
        assert re.fullmatch(r"Warning: .*row 'damaged' of the table cannot be read.*\n", done.err)
        for command in ("describe", "activate", "deactivate"):
            done = stacks.call(command, "-t", "damaged", stack=OURS)
            assert (done.code, done.out, done.err.count("\n")) == (1, "", 1)

    def test_a_machine_that_a_stack_names_as_the_other_system_does_is_recognised(
        self, stacks: Account
    ) -> None:
        made = ss.deploy.template([ss.StateMachineTarget(stacks.target)])
        made["Outputs"] = {
            "SchedulerTableName": made["Outputs"]["TableName"],
            "SchedulerStepFunctionArn": made["Outputs"]["StateMachineArn"],
        }
        stacks.make(OURS, made)
        assert stacks.call("list", stack=OURS) == Done(0, '{\n  "tasks": []\n}\n', "")


def test_the_table_of_the_other_system_with_a_machine_of_ours(stacks: Account) -> None:
    """Both stacks have one table; a task that one of them runs is not started by the other."""
    outputs = stacks.make_original()
    table, machine = outputs["SchedulerTableName"], outputs["SchedulerStepFunctionArn"]
    stacks.make_ours(table_name=table)
    for name in (IMPORT, FULL):
        stacks.put(table, name)
        stacks.call("activate", "-t", name)
    stacks.call("deactivate", "-t", IMPORT)
    assert stacks.call("list", stack=OURS).document == {"tasks": [IMPORT, FULL]}
    assert stacks.task("activate", "-t", IMPORT, stack=OURS)["active"] is True
    refused = Done(
        1, "", f"Error: task {IMPORT} was taken over by stepsched; activate it with the stack of its job\n"
    )
    assert stacks.call("activate", "-t", IMPORT) == refused
    assert len(stacks.executions(machine)) == 1, "that of the other task"
    assert stacks.call("list").document == {"tasks": [IMPORT, FULL]}
    assert stacks.task("describe", "-t", IMPORT)["active"] is True
    assert stacks.task("deactivate", "-t", IMPORT)["active"] is True, "it is still a job"
    stacks.call("deactivate", "-t", IMPORT, stack=OURS)
    assert stacks.task("describe", "-t", IMPORT)["active"] is False
    assert stacks.call("activate", "-t", IMPORT) == refused, "its machine cannot read the row"


def test_no_such_stack(stacks: Account) -> None:
    assert stacks.call("list", stack="nowhere") == Done(
        1, "", f"Error: there is no stack 'nowhere' in {REGION}; correct -s/--stack or -r/--region\n"
    )


def test_the_environment_names_stack_and_region(stacks: Account) -> None:
    """The program itself, in a process of its own."""
    outputs = stacks.make_original()
    stacks.put(outputs["SchedulerTableName"], IMPORT)
    done = subprocess.run(
        [sys.executable, "-m", "stepsched.cli.solutions", "activate", "-t", IMPORT],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=stacks.environment | {"SCHEDULER_STACK": ORIGINAL, "AWS_REGION": REGION},
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["task"]["active"] is True


def test_the_steps_of_the_page_switch_a_task(stacks: Account, tmp_path: Path) -> None:
    """All that the page has a shell do, from the installed program on, in one shell."""
    outputs = stacks.make_original()
    stacks.put(outputs["SchedulerTableName"], IMPORT)
    new = stacks.make_ours()
    page = (ROOT / "docs/solutions-scheduler.md").read_text("utf-8")
    install, *steps = re.findall(r"^```sh\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    assert install.startswith("pip install")
    programs = {"python": "", "aws-solutions-scheduler": "-m stepsched.cli.solutions"}
    for program, arguments in programs.items():
        path = tmp_path / program
        path.write_text(f'#!/bin/sh\nexec {sys.executable} {arguments} "$@"\n')
        path.chmod(0o755)
    environment = stacks.environment | {"PATH": f"{tmp_path}:/usr/bin:/bin", "AWS_DEFAULT_REGION": REGION}
    script = "\n".join(["set -e", *steps])
    done = subprocess.run(
        ["sh", "-c", script], capture_output=True, text=True, check=False, timeout=100, env=environment
    )
    assert (done.returncode, done.stderr) == (0, "")
    stacks.server.settled(stacks.number)
    assert stacks.executions(outputs["SchedulerStepFunctionArn"]) == []
    assert len(stacks.executions(new["StateMachineArn"])) == 1
    printed = re.findall(r'"active": (\w+)', done.stdout)
    assert printed == ["false", "false", "true", "false", "true", "true"]
    assert done.stdout.endswith(stacks.call("describe", "-t", IMPORT, stack=OURS).out)

    assert stacks.task("deactivate", "-t", IMPORT, stack=OURS)["active"] is False
    assert stacks.task("activate", "-t", IMPORT)["active"] is True, "the step back"


def test_the_page_shows_what_describe_prints(stacks: Account) -> None:
    page = (ROOT / "docs/solutions-scheduler.md").read_text("utf-8")
    (shown,) = re.findall(r"^```json\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    stacks.put(stacks.make_original()["SchedulerTableName"], IMPORT)
    assert shown.replace("123456789012", stacks.number) == stacks.call("activate", "-t", IMPORT).out
