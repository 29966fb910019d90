"""What the AWS Solutions scheduler does, from its library to its constructs; a test for each of its features.

Its constructs for the CDK: tests/cdk/test_known_scheduler_constructs.py.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

import stepsched as ss
from stepsched.backends.stepfunctions.table import Table
from stepsched.cli.solutions.app import run
from stepsched.cli.solutions.personalize.configuration import scheduled
from stepsched.testing import FakeClock
from stepsched.testing.contract.fixtures import MONDAY
from tests.contract.register_stack import RefusedError, RegisterStack
from tests.contract.stepfunctions import Stack
from tests.contract.test_stepfunctions_solutions import INPUT, ended, put_theirs
from tests.parts.ministack import Ministack
from tests.parts.state_machines import ROLE
from tests.unit.cli.solutions_fakes import FakeStack

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
QUARTERS = "cron(*/15 * * * ? *)"
DAILY = "cron(0 9 * * ? *)"
TRAIN = ss.StateMachineTarget("arn:aws:states:eu-west-1:123456789012:stateMachine:train")


@pytest.fixture
def stack(ministack: Ministack, account: str, aws: Callable[[str], Any]) -> Stack:
    return Stack(ministack, account, aws, FakeClock(MONDAY))


@pytest.fixture
def registering(ministack: Ministack, account: str, aws: Callable[[str], Any]) -> RegisterStack:
    return RegisterStack(ministack, account, aws, FakeClock(MONDAY))


@pytest.fixture
def client(stack: Stack) -> Iterator[ss.SchedulerClient]:
    with stack.backend() as backend:
        yield ss.SchedulerClient(backend)


@pytest.fixture
def memory() -> Iterator[ss.SchedulerClient]:
    """The library alone."""
    with ss.LocalBackend(clock=FakeClock(MONDAY)) as backend:
        backend.register(ss.StateMachineTarget, lambda _: None)
        yield ss.SchedulerClient(backend)


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Runs the command line on a stack of the original that has one task, or on a given one."""
    original = FakeStack()
    original.put("a")

    def call(*arguments: str, stack: FakeStack = original) -> tuple[int, str, str]:
        capsys.readouterr()
        code = run(["-s", "S", "-r", "eu-west-1", *arguments], session=stack)
        return (code, *capsys.readouterr())

    return call


def task(target: ss.StateMachineTarget = TRAIN, schedule: str = DAILY, **more: Any) -> ss.Job:
    return ss.Job(name="a", schedule=ss.parse_schedule(schedule), target=target, input={"job": "a"}, **more)


def times(client: ss.SchedulerClient, status: ss.RunStatus = ss.RunStatus.SUCCEEDED) -> list[timedelta]:
    """When runs that ended so were due, from the beginning."""
    return sorted(run.scheduled_for - MONDAY for run in client.runs("a") if run.status is status)


# -- the library ----------------------------------------------------------------------------------------


def test_create_read_update_delete_list_activate_deactivate_and_is_enabled(
    memory: ss.SchedulerClient,
) -> None:
    memory.create(task())
    assert memory.get("a").status is ss.JobStatus.ACTIVE
    memory.update(task(schedule=QUARTERS))
    assert [each.name for each in memory.list()] == ["a"]
    assert memory.pause("a").status is ss.JobStatus.PAUSED
    assert memory.resume("a").status is ss.JobStatus.ACTIVE
    memory.cancel("a")
    assert memory.list() == []


def test_an_earlier_version_can_be_read(stack: Stack, client: ss.SchedulerClient) -> None:
    client.create(task())
    client.update(task(schedule=QUARTERS))
    (earlier,) = client.versions("a")
    assert (earlier.version, str(earlier.job.schedule)) == (1, DAILY)
    assert [stack.item("a", version) is not None for version in ("v0", "v1", "v2")] == [True] * 3


def test_of_two_writers_one_is_told(client: ss.SchedulerClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """The optimistic lock: no version is lost."""
    client.create(task())
    change, rivals = Table.change, iter([task(schedule=QUARTERS)])

    def late(table: Any, *given: Any, **more: Any) -> Any:
        for rival in rivals:
            client.update(rival)
        return change(table, *given, **more)

    monkeypatch.setattr(Table, "change", late)
    with pytest.raises(ss.ConflictError):
        client.update(task(schedule="cron(0 10 * * ? *)"))
    record = client.get("a")
    assert (record.version, str(record.job.schedule)) == (2, QUARTERS)


def test_stop_codes_301_and_410(stack: Stack, client: ss.SchedulerClient) -> None:
    client.create(task())
    stack.server.settled(stack.account)
    (one,) = stack.executions()
    client.update(task(schedule=QUARTERS))
    stack.server.settled(stack.account)
    (two,) = stack.executions()
    client.pause("a")
    assert ended(stack, one) == ("ABORTED", "301", f"execution superseded by {two}")
    assert ended(stack, two) == ("ABORTED", "410", "execution disabled for a")


def test_an_execution_is_named_by_67_characters_and_12_digits(
    stack: Stack, client: ss.SchedulerClient
) -> None:
    client.create(task().replace(name="n" * 80))
    (name,) = stack.executions()
    assert re.fullmatch("n{67}-[0-9a-f]{12}", name)


def test_an_equal_create_or_update_writes_nothing(memory: ss.SchedulerClient) -> None:
    for verb in (memory.create, memory.create, memory.update):
        assert verb(task()).version == 1


def test_a_task_that_is_created_again_after_deactivate_stays_paused(memory: ss.SchedulerClient) -> None:
    """The original activates it."""
    memory.create(task())
    memory.pause("a")
    assert memory.create(task()).status is ss.JobStatus.PAUSED


def test_the_schedule_delete_removes_the_task_without_a_state_machine(registering: RegisterStack) -> None:
    machine = {"arn": TRAIN.state_machine_arn, "input": {}}
    registering.call(name="a", schedule=DAILY, state_machine=machine)
    for _ in range(2):
        assert registering.call(name="a", schedule="delete")["status"] == "cancelled"
        assert registering.item("a") is None


def test_one_validator_for_task_and_schedule() -> None:
    with pytest.raises(ValueError, match="day-of-week"):
        task(schedule="cron(0 0 * * * *)")
    with pytest.raises(ValueError, match="stateMachine"):
        ss.StateMachineTarget("train")
    with pytest.raises(ValueError, match="name"):
        task().replace(name="")


@pytest.mark.parametrize("schedule", ["rate(1 hour)", "at(2030-01-01T00:00:00)", "cron(0 12 * * ?)"])
def test_rate_at_and_five_fields_are_refused_in_that_dialect(
    command: Callable[..., tuple[int, str, str]], schedule: str
) -> None:
    code, _, said = command("import-dataset-group", "-d", "d", "-p", "train/d.json", "-i", schedule)
    assert code == 2
    assert schedule in said


def test_the_text_of_a_schedule_is_printed_as_it_was_written(
    command: Callable[..., tuple[int, str, str]], memory: ss.SchedulerClient
) -> None:
    """On a stack of the original. The library writes its own form of it."""
    stack, text = FakeStack(), "cron(0 0 ? * sun *)"
    stack.put("b", schedule={"S": text})
    assert json.loads(command("describe", "-t", "b", stack=stack)[1])["task"]["schedule"] == text
    memory.create(task(schedule=text))
    assert str(memory.get("a").job.schedule) == "cron(0 0 ? * SUN *)"


def test_the_next_time_is_strictly_after(memory: ss.SchedulerClient) -> None:
    assert memory.create(task(schedule=QUARTERS)).next_run == MONDAY + 15 * MINUTE


def test_jitter_of_up_to_59_seconds(stack: Stack, client: ss.SchedulerClient) -> None:
    client.create(task(stack.slow(MINUTE), "cron(* * * * ? *)", jitter=timedelta(seconds=59)))
    woken = list[datetime]()
    stack.play(MONDAY + 2 * MINUTE, woken.append)
    assert timedelta(0) <= woken[1] - MONDAY - MINUTE <= timedelta(seconds=59)


def test_a_failed_run_does_not_stop_the_schedule(stack: Stack, client: ss.SchedulerClient) -> None:
    failing = json.dumps({"StartAt": "Fail", "States": {"Fail": {"Type": "Fail"}}})
    made = stack.states.create_state_machine(name="failing", definition=failing, roleArn=ROLE)
    target = ss.StateMachineTarget(made["stateMachineArn"])
    client.create(task(target, QUARTERS, overlap=ss.Overlap.SKIP, retry=ss.Retry(max_attempts=0)))
    stack.play(MONDAY + 30 * MINUTE)
    assert times(client, ss.RunStatus.FAILED) == [15 * MINUTE, 30 * MINUTE]
    assert client.get("a").status is ss.JobStatus.ACTIVE


@pytest.mark.parametrize(
    ("overlap", "ran"),
    [
        pytest.param(ss.Overlap.SKIP, [15, 45], id="sync"),
        pytest.param(ss.Overlap.ALLOW, [15, 30, 45, 60], id="not sync"),
    ],
)
def test_sync_skips_a_quarter_while_a_target_of_25_minutes_runs(
    stack: Stack, client: ss.SchedulerClient, overlap: ss.Overlap, ran: list[int]
) -> None:
    client.create(task(stack.slow(25 * MINUTE), QUARTERS, overlap=overlap))
    stack.play(MONDAY + 70 * MINUTE)
    assert times(client) == [minutes * MINUTE for minutes in ran]
    skipped = [30, 60] if overlap is ss.Overlap.SKIP else []
    assert times(client, ss.RunStatus.SKIPPED) == [minutes * MINUTE for minutes in skipped]


def test_a_schedule_in_any_zone(memory: ss.SchedulerClient) -> None:
    """The original knows UTC only."""
    job = task().replace(schedule=ss.Cron("0 9 * * ? *", timezone="Asia/Kathmandu"))
    assert memory.create(job).next_run == MONDAY + timedelta(hours=3, minutes=15)


@pytest.mark.parametrize(
    ("expression", "after", "expected"),
    [
        ("0/10 * ? * MON-FRI *", "2021-01-01T00:00", "2021-01-01T00:10"),
        ("0 18 ? * MON-FRI *", "2021-01-01T18:00", "2021-01-04T18:00"),
        ("0 8 1 * ? *", "2021-01-01T08:00", "2021-02-01T08:00"),
        ("0 0 ? * 6#5 *", "2021-01-01T00:00", "2021-01-29T00:00"),
        ("0 0 L * ? *", "2024-02-01T00:00", "2024-02-29T00:00"),
        ("0 9 ? * 2#1 *", "2021-01-04T09:00", "2021-02-01T09:00"),
        ("15 10 ? * 6L 2019-2022", "2021-01-29T10:15", "2021-02-26T10:15"),
        ("0 0 31W * ? *", "2021-01-29T00:00", "2021-03-31T00:00"),
    ],
)
def test_the_next_time_of_every_form_of_cron(expression: str, after: str, expected: str) -> None:
    """A choice; all forms: tests/unit/schedules/test_cron.py."""
    at, wanted = (datetime.fromisoformat(text).replace(tzinfo=timezone.utc) for text in (after, expected))
    assert ss.Cron(expression).next_run(after=at) == wanted


def test_a_wait_beyond_a_year_and_a_schedule_that_is_exhausted(
    stack: Stack, client: ss.SchedulerClient
) -> None:
    """An execution of AWS lasts a year at most."""
    client.create(task(stack.slow(MINUTE), "cron(0 0 1 3 ? 2031)", completion=ss.Completion.KEEP))
    stack.play(datetime(2031, 3, 1, 1, tzinfo=timezone.utc))
    assert [name for name, _ in stack.calls()] == ["a"]
    assert client.get("a").next_run is None
    assert stack.executions() == []


def test_a_chain_that_died_is_found_and_repaired(stack: Stack, client: ss.SchedulerClient) -> None:
    client.create(task())
    (name,) = stack.executions()
    arn = f"{stack.machine_arn.replace(':stateMachine:', ':execution:')}:{name}"
    stack.states.stop_execution(executionArn=arn)
    assert len(client.repair()) == 1
    assert len(stack.executions()) == 1
    assert client.repair() == []


def test_the_events_and_answers_of_the_functions_create_read_update_and_delete(
    registering: RegisterStack,
) -> None:
    """The register takes the event of the original."""
    machine = {"arn": registering.slow(MINUTE).state_machine_arn, "input": {"job": "a"}}
    created = registering.call(name="a", schedule=DAILY, state_machine=machine)
    assert (created["name"], created["status"], created["version"]) == ("a", "active", 1)
    assert registering.call(name="a", action="read") == created
    assert registering.call(name="a", schedule=QUARTERS, state_machine=machine)["version"] == 2
    with registering.backend() as backend:
        assert ss.SchedulerClient(backend).get("a").job.input == {"job": "a"}
    assert registering.call(name="a", action="delete")["status"] == "cancelled"
    assert registering.call(name="a", action="read") is None
    with pytest.raises(RefusedError, match=r"Stepsched\.InvalidSchedule"):
        registering.call(name="a", schedule="daily", state_machine=machine)


def test_their_rows_are_read_and_taken_over(stack: Stack, client: ss.SchedulerClient) -> None:
    name = "solution-maintenance-full-" + "n" * 63
    put_theirs(stack.dynamodb, "jobs", TRAIN, name)
    record = client.get(name)
    assert (record.owned, record.version, record.job.input) == (False, 2, INPUT)
    assert client.resume(name).next_run == MONDAY + 9 * HOUR
    assert client.get(name).owned


# -- stacks ---------------------------------------------------------------------------------------------


def test_the_outputs_of_a_stack_have_other_names() -> None:
    """Both are read: ``SchedulerClient.from_stack(table_output=..., state_machine_output=...)``."""
    assert {"TableName", "StateMachineArn"} <= ss.deploy.template([TRAIN])["Outputs"].keys()


def test_a_dashboard_with_the_metrics_jobs_created_and_jobs_deleted() -> None:
    board = ss.deploy.template([TRAIN], parts=["register", "dashboard"])["Resources"]["Dashboard"]
    for metric in ("JobsCreated", "JobsDeleted"):
        assert metric in json.dumps(board)


def test_the_machine_may_stop_and_delete_only_what_is_its_own() -> None:
    made = ss.deploy.template([TRAIN])["Resources"]["RunnerRole"]["Properties"]["Policies"]
    statements = [each for policy in made for each in policy["PolicyDocument"]["Statement"]]
    allowed = {
        action: json.dumps(each["Resource"])
        for each in statements
        for action in ([each["Action"]] if isinstance(each["Action"], str) else each["Action"])
    }
    assert ":execution:train:*" in allowed["states:StopExecution"]
    assert not any(action in allowed for action in ("*", "states:*", "dynamodb:*"))
    assert '"*"' not in allowed["dynamodb:DeleteItem"]


# -- the command line -----------------------------------------------------------------------------------


def test_the_options_of_the_program_and_their_environment(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SCHEDULER_STACK", "S")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    stack = FakeStack()
    stack.outputs = {"Table": "tasks", "Machine": stack.outputs["SchedulerStepFunctionArn"]}
    options = ("--scheduler-table-name-output", "Table", "--scheduler-stepfunction-arn-output", "Machine")
    assert run([*options, "list"], session=stack) == 0
    assert json.loads(capsys.readouterr().out) == {"tasks": []}


def test_list_describe_activate_and_deactivate_print_json(
    command: Callable[..., tuple[int, str, str]],
) -> None:
    assert json.loads(command("list")[1]) == {"tasks": ["a"]}
    for verb, is_active in (
        ("describe", False),
        ("activate", True),
        ("describe", True),
        ("deactivate", False),
    ):
        told = json.loads(command(verb, "-t", "a")[1])["task"]
        assert (told["name"], told["active"], told["version"]) == ("a", is_active, "v1")


@pytest.mark.parametrize("verb", ["describe", "activate", "deactivate"])
def test_an_unknown_task_is_exit_code_1_and_wrong_use_2(
    command: Callable[..., tuple[int, str, str]], verb: str
) -> None:
    assert command(verb, "-t", "X") == (1, "", "Error: task X does not exist\n")
    assert command(verb)[0] == 2


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("-p", "config.json"), "must start with 'train/"),
        (("-p", "train/config.yaml"), "must end with a suffix of .json"),
        (("-p", "train/d.json", "-f", "no-schedule"), "format must be solution_name@schedule_expression"),
        (("-p", "train/d.json", "-u", "s@cron(0 25 * * ? *)"), "invalid schedule"),
    ],
)
def test_import_dataset_group_checks_its_options(
    command: Callable[..., tuple[int, str, str]], given: tuple[str, ...], said: str
) -> None:
    """What it uploads: tests/unit/cli/test_solutions_imports.py."""
    code, _, told = command("import-dataset-group", "-d", "d", *given)
    assert code == 2
    assert said in told


def test_a_configuration_is_read_at_all_four_places_and_batch_segments() -> None:
    data = Path(__file__).parents[1] / "data" / "solutions" / "dataset_group_config.json"
    found = scheduled(json.loads(data.read_text("utf-8")))
    assert len(found) == 8
    beginnings = {re.split(r"[-_](?=unit|affinity|new)", each.task)[0] for each in found}
    assert len(beginnings) >= 3


def test_the_metadata_of_a_template_name_the_solution(command: Callable[..., tuple[int, str, str]]) -> None:
    stack = FakeStack()
    stack.metadata = {"aws:solutions:solution_id": "SO0170"}
    code, out, said = command("list", stack=stack)
    assert (code, out) == (1, "")
    assert "aws:solutions:solution_version" in said


# -- its own tests --------------------------------------------------------------------------------------


def test_conformance_two_tasks_are_listed_and_a_second_delete_finds_none(memory: ss.SchedulerClient) -> None:
    for name in ("one", "two"):
        memory.create(task().replace(name=name))
    assert memory.update(task(schedule=QUARTERS).replace(name="two")).version == 2
    assert [each.name for each in memory.list()] == ["one", "two"]
    memory.cancel("one")
    with pytest.raises(ss.JobNotFoundError):
        memory.cancel("one")
