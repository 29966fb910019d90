"""What a type checker says of a user's program."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest

import stepsched as ss

RIGHT = """
from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

import stepsched as ss
from stepsched import Job, SchedulerClient
from stepsched.testing import FakeClock

NOW = datetime(2030, 1, 1, tzinfo=timezone.utc)


def report(order: dict[str, str], run: ss.Run) -> str:
    return f"{order['format']} {run.scheduled_for:%d %b}"


def schedules() -> list[ss.Schedule]:
    return [
        ss.OneTime("2030-01-01T09:00", timezone="Europe/Paris"),
        ss.OneTime(at=NOW),
        ss.Rate(timedelta(minutes=5), start=NOW, end="2031-01-01T00:00Z"),
        ss.Rate(every=timedelta(minutes=5)),
        ss.Cron("0 9 ? * MON-FRI *", timezone="Europe/Paris"),
        ss.Cron.from_crontab("*/5 9-17 * * 1-5", timezone="UTC"),
        ss.Windowed(start="2030-01-31T09:00", end=NOW, every=ss.Frequency(months=1), timezone="UTC"),
        ss.parse_schedule("rate(5 minutes)"),
    ]


def ask(schedule: ss.Schedule) -> list[datetime]:
    run: datetime | None = schedule.next_run(after=NOW)
    before: datetime | None = schedule.previous_run(before=NOW)
    runs: Iterator[datetime] = schedule.runs(after=NOW, until=NOW + timedelta(days=1))
    text: str | None = schedule.expression
    words: str = schedule.describe() + str(schedule)
    print(run, before, text, words)
    for occurrence in ss.timeline(schedules(), after=NOW):
        when: datetime = occurrence.scheduled_for
        print(when, occurrence.schedule.kind, occurrence.position + 1)
        break
    return [*schedule.upcoming(5, after=NOW), *runs]


def targets() -> list[ss.Target]:
    return [
        ss.LambdaTarget("arn:aws:lambda:eu-west-1:123456789012:function:f"),
        ss.StateMachineTarget("arn:aws:states:eu-west-1:123456789012:stateMachine:m"),
        ss.QueueTarget("arn:aws:sqs:eu-west-1:123456789012:q.fifo", message_group_id="g"),
        ss.FanOutTarget("arn:aws:sqs:eu-west-1:123456789012:q", (text for text in ("a", "b"))),
        ss.TopicTarget("arn:aws:sns:eu-west-1:123456789012:t"),
        ss.EventBusTarget("arn:aws:events:eu-west-1:123456789012:event-bus/default", source="my.app"),
        ss.BatchTarget("report:3", job_queue="nightly", parameters={"format": "pdf"}),
        ss.ApiTarget("ecs", "runTask", {"cluster": "c", "count": 1, "overrides": {"a": [1, None]}}),
        ss.HandlerTarget(report),
        ss.HandlerTarget("package.module:function"),
        ss.HandlerTarget(lambda: "hi"),
        ss.CommandTarget(["python", "report.py"]),
        ss.CommandTarget(["python"], cwd="/srv", env={"LEVEL": "debug"}, stdin="print(1)"),
        ss.ParallelTarget([ss.HandlerTarget(report), ss.CommandTarget(["true"])]),
    ]


def jobs() -> Iterator[Job]:
    yield Job(name="plain", schedule=ss.Cron("0 9 * * ? *"), target=ss.HandlerTarget(report))
    full = ss.Job(
        name="nightly-report",
        schedule=ss.Cron("0 9 ? * MON-FRI *"),
        target=targets()[0],
        input={"format": "pdf", "pages": [1, 2]},
        description="what it does",
        group="reports",
        tags={"team": "finance"},
        retry=ss.Retry(max_attempts=3, max_age=timedelta(hours=2)),
        dead_letter=ss.QueueTarget("arn:aws:sqs:eu-west-1:123456789012:failed"),
        notify=ss.TopicTarget("arn:aws:sns:eu-west-1:123456789012:alarms"),
        on_failure=ss.OnFailure.STOP,
        overlap=ss.Overlap.SKIP,
        catch_up=ss.CatchUp.ONE,
        jitter=timedelta(seconds=30),
        completion=ss.Completion.KEEP,
    )
    changed: Job = full.replace(name="other")
    yield changed
    yield Job.model_validate_json(full.model_dump_json())
    yield from ss.load_jobs("jobs.json")
    yield from ss.load_crontab("crontab", timezone="Europe/Paris")


@ss.job("cron(0 9 ? * MON-FRI *)", timezone="Europe/Paris", retry=ss.Retry(max_attempts=3))
def decorated(order: dict[str, str], *, copies: int = 1) -> str:
    return order["format"] * copies


@ss.job(ss.Rate(timedelta(hours=1)), name="hourly", input={"n": 1}, tags={"team": "finance"})
async def awaited(order: dict[str, int]) -> int:
    return order["n"]


async def use_decorated() -> list[ss.Job]:
    text: str = decorated({"format": "pdf"}, copies=2)
    number: int = await awaited({"n": 1})
    print(text, number, decorated.__name__, ss.HandlerTarget(decorated))
    return [decorated.job, awaited.job]


def invoke(target: ss.LambdaTarget, event: object, run: ss.Run) -> None:
    print(target.function_arn, event, run.id)


def play() -> None:
    backend = ss.LocalBackend("jobs.db", clock=FakeClock(NOW), workers=2, handlers={ss.LambdaTarget: invoke})
    backend.register(ss.QueueTarget, print)
    attempts: int = backend.run_until(NOW + timedelta(days=7))
    print(attempts)
    backend.close()


def use(backend: ss.backends.Backend | None) -> ss.JobRecord | None:
    with SchedulerClient(backend) as client:
        try:
            for job in jobs():
                record: ss.JobRecord = client.create(job)
                next_run: datetime | None = record.next_run
                print(record.name, record.version, next_run)
            client.update(record.job.replace(group="g"), expected_version=record.version)
            found: list[ss.JobRecord] = client.list(
                status="active", name_prefix="n", group="reports", tags={"team": "finance"}
            )
            for verb in (client.get, client.pause, client.resume, client.cancel):
                status: ss.JobStatus = verb("plain").status
                print(status.value, len(found))
            run: ss.Run = client.run_now("plain")
            ended: ss.Run = client.wait(run, timeout=timedelta(minutes=1))
            print(ended.status, client.wait(run, timeout=2.5), client.wait(run))
            for upcoming in client.upcoming(until=NOW, limit=5, group="reports"):
                instant: datetime = upcoming.at
                print(instant, upcoming.job.name)
            client.close(timeout=10)
            history: list[ss.Run] = client.runs("plain", status=ss.RunStatus.FAILED, since=NOW, limit=5)
            history += client.backfill("plain", since=NOW - timedelta(days=1), until=NOW)
            records: list[ss.JobRecord] = client.create_many(jobs())
            plan: ss.jobs.Plan = client.plan((each.job for each in records), prune=True)
            print(client.apply(plan).is_empty, client.apply(jobs()))
            print(run.trigger is ss.jobs.Trigger.MANUAL, [each.error for each in history])
        except ss.InvalidScheduleError as error:
            print(error.expression, error.field, error.reason.upper())
        except ss.UnsupportedError as error:
            print(error.job, error.backend, [each.upper() for each in error.alternatives])
        except ss.errors.ThrottledError as error:
            print(error.retry_after, error.retryable)
        except ss.StepschedError as error:
            print(error)
        else:
            return record
    return None


async def use_in_a_loop(backend: ss.backends.Backend) -> list[ss.JobRecord]:
    async with ss.AsyncSchedulerClient(backend) as client:
        record: ss.JobRecord = await client.create(next(jobs()))
        run: ss.Run = await client.wait(await client.run_now("plain"), timeout=timedelta(minutes=1))
        async for each in client.iterate(group="reports"):
            print(each.name, record.version, run.status)
        async for upcoming in client.upcoming(limit=5):
            instant: datetime = upcoming.at
            print(instant, upcoming.job.name)
        try:
            plan: ss.jobs.Plan = await client.apply(jobs())
            print(plan.is_empty, client.backend.name)
        except ss.CallCancelledError as error:
            print(error.call.upper(), error.may_have_happened is True)
        history: list[ss.Run] = await client.runs("plain", status=ss.RunStatus.FAILED)
        print(history)
        return await client.list(tags={"team": "finance"})


async def of_a_stack() -> None:
    client: ss.AsyncSchedulerClient = await ss.AsyncSchedulerClient.from_stack("jobs")
    await client.close(timeout=5)


def name_of(schedule: ss.Schedule) -> str:
    if schedule.kind == "rate":
        return str(schedule.every.total_seconds())
    if isinstance(schedule, ss.Windowed):
        return str(schedule.every)
    return schedule.timezone
"""

WRONG = """
import stepsched as ss

ss.Corn("0 9 * * ? *")  # attr-defined, operator
ss.CapacityProvider  # attr-defined
ss.targets.Corn  # attr-defined
ss.Cron("0 9 * * ? *", "UTC")  # misc, call-arg
ss.Cron("0 9 * * ? *", tz="UTC")  # call-arg
ss.Cron("0 9 * * ? *").next_run("2030-01-01")  # arg-type
for run in ss.Cron("0 9 * * ? *"): print(run)  # misc
list(ss.Cron("0 9 * * ? *"))  # call-overload
ss.Rate(5)  # arg-type
ss.Frequency(fortnights=1)  # call-arg
ss.Windowed("2030-01-01T00:00")  # call-arg
ss.parse_schedule(None)  # arg-type
ss.LambdaTarget(42)  # arg-type
ss.QueueTarget("q", "group")  # misc, call-arg
ss.FanOutTarget("q")  # call-arg
ss.BatchTarget("report")  # call-arg
ss.CommandTarget(5)  # arg-type
ss.HandlerTarget(5)  # arg-type
ss.Job(name="j", schedule="rate(5 minutes)", target=ss.CommandTarget(["true"]))  # arg-type
ss.Job(name="j", schedule=ss.Cron("0 9 * * ? *"))  # call-arg
ss.Cron("0 9 * * ? *").timezone = "UTC"  # misc
ss.Overlap.NEVER  # attr-defined
ss.load_jobs(5)  # arg-type
ss.LocalBackend(workers="8")  # arg-type
ss.SchedulerClient("jobs.db")  # arg-type
ss.job(5)  # arg-type
ss.job("rate(1 hour)", retries=3)  # call-arg
ss.job("rate(1 hour)", retry=3)  # arg-type
@ss.job  # arg-type
def bare() -> None: ...
@ss.job("rate(1 hour)")
def decorated(order: str) -> int: return len(order)
decorated(5)  # arg-type
decorated("a", "b")  # call-arg
decorated("a").upper()  # attr-defined
decorated.job.colour  # attr-defined
decorated.jobs  # attr-defined
client = ss.SchedulerClient()
client.create("job")  # arg-type
client.get(5)  # arg-type
client.list(states="active")  # call-arg
client.runs("j", limit="5")  # arg-type
client.get("j").next_run.isoformat()  # union-attr
client.get("j").job.colour  # attr-defined
client.delete("j")  # attr-defined
client.wait(5)  # arg-type
client.wait(client.run_now("j"), 5)  # misc, call-arg
client.upcoming(5)  # misc, call-arg
ss.AsyncSchedulerClient("jobs.db")  # arg-type
ss.AsyncSchedulerClient().get("j").name  # attr-defined
ss.AsyncSchedulerClient().delete("j")  # attr-defined
"""

SETTINGS = """
[mypy]
plugins = pydantic.mypy
[pydantic-mypy]
init_typed = True
"""


@pytest.fixture(scope="module")
def answer(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[int, set[str]]]:
    """What mypy --strict finds in both programs: the codes of the errors, by file and line."""
    folder = tmp_path_factory.mktemp("typing")
    (folder / "right.py").write_text(RIGHT)
    (folder / "wrong.py").write_text(WRONG)
    (folder / "mypy.ini").write_text(SETTINGS)
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "right.py", "wrong.py"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    found: dict[str, dict[int, set[str]]] = {"right.py": {}, "wrong.py": {}}
    for line in done.stdout.splitlines():
        match = re.fullmatch(r"(.+?):(\d+): (error|note): (.*?)(?:  \[([\w-]+)\])?", line)
        assert match is not None, line
        if match[3] == "error":
            found[match[1]].setdefault(int(match[2]), set()).add(match[5])
    return found


def test_the_package_says_that_it_is_typed() -> None:
    assert (files("stepsched") / "py.typed").is_file()


def test_typical_programs_pass_strict_checks(answer: dict[str, dict[int, set[str]]]) -> None:
    assert answer["right.py"] == {}


@pytest.mark.parametrize(
    ("number", "line"),
    [
        pytest.param(number, line, id=line.partition("  #")[0])
        for number, line in enumerate(WRONG.splitlines(), 1)
        if "  # " in line
    ],
)
def test_a_mistake_is_found_before_the_program_runs(
    answer: dict[str, dict[int, set[str]]], number: int, line: str
) -> None:
    expected = set(line.partition("  # ")[2].split(", "))
    assert answer["wrong.py"].get(number, set()) & expected


def test_nothing_else_is_found(answer: dict[str, dict[int, set[str]]]) -> None:
    marked = {number for number, line in enumerate(WRONG.splitlines(), 1) if "  # " in line}
    assert set(answer["wrong.py"]) == marked


def test_the_package_s_stub_free_names_are_in_the_checked_tree() -> None:
    """``TYPE_CHECKING`` imports and the map of lazy names are the same list."""
    source = Path(str(files("stepsched") / "__init__.py")).read_text(encoding="utf-8")
    static = set(re.findall(r"^    from [\w.]+ import \w+ as (\w+)$", source, re.MULTILINE))
    assert static | {"__version__"} == set(ss.__all__)


LAZY = ["backends", "errors", "jobs", "schedules"]
"""The namespaces that load some of their names on first use."""


def imports(block: list[ast.stmt]) -> set[tuple[str, str]]:
    """The names that a block imports, each with its module."""
    return {
        (str(node.module), each.name)
        for node in block
        if isinstance(node, ast.ImportFrom)
        for each in node.names
    }


@pytest.mark.parametrize("space", LAZY)
def test_a_namespace_shows_type_checkers_the_names_that_it_loads_on_first_use(space: str) -> None:
    source = inspect.getsource(getattr(ss, space))
    tree = ast.parse(source)
    (static,) = (
        imports(node.body)
        for node in tree.body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    )
    (homes,) = (
        ast.literal_eval(node.args[1])
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "loader"
    )
    assert {(home, name) for home, names in homes.items() for name in names} == static


def test_no_other_namespace_is_lazy() -> None:
    """So that none is forgotten above."""
    assert [space for space in ss._NAMESPACES if hasattr(getattr(ss, space), "loader")] == LAZY
