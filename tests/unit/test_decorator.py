"""``@ss.job``: a function that says when it runs."""

from __future__ import annotations

import asyncio
import inspect
import json
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from functools import lru_cache, partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pydantic import ValidationError

import stepsched as ss
from stepsched.jobs.decorator import job_of

T0 = datetime(2030, 1, 7, tzinfo=timezone.utc)
HERE = __name__


@ss.job("cron(0 9 ? * MON-FRI *)", timezone="Europe/Paris", retry=ss.Retry(max_attempts=3))
def report(order: object, run: ss.Run) -> str:
    """Writes the report."""
    return f"{order} at {run.scheduled_for.astimezone(timezone.utc):%H:%M}"


@ss.job("rate(1 hour)", input=[1, 2])
async def total(numbers: list[int]) -> int:
    return sum(numbers)


class Books:
    @staticmethod
    @ss.job("rate(1 hour)", name="close-books")
    def close() -> str:
        return "closed"

    @classmethod
    @ss.job("rate(1 hour)", name="open-books")
    def reopen(cls) -> str:
        return f"{cls.__name__} opened"

    def audit(self) -> None: ...


def test_the_function_stays_the_same_function_and_carries_its_job() -> None:
    def plain() -> str:
        """Says hi."""
        return "hi"

    decorated = ss.job("rate(5 minutes)")(plain)
    assert decorated is plain
    assert (decorated(), decorated.__doc__, decorated.__name__) == ("hi", "Says hi.", "plain")
    assert report.job == ss.Job(
        name="report",
        schedule=ss.Cron("0 9 ? * MON-FRI *", timezone="Europe/Paris"),
        target=ss.HandlerTarget(f"{HERE}:report"),
        retry=ss.Retry(max_attempts=3),
    )
    assert inspect.iscoroutinefunction(total)
    assert asyncio.run(total([1, 2, 3])) == 6


def test_the_function_pickles_and_its_job_goes_through_json() -> None:
    assert pickle.loads(pickle.dumps(report)) is report
    assert ss.Job.model_validate_json(report.job.model_dump_json()) == report.job
    assert ss.Job.model_validate(report.job.model_dump()) == report.job


@pytest.mark.parametrize("path", [":memory:", "jobs.db"])
def test_the_jobs_run(tmp_path: Path, path: str) -> None:
    file = None if path == ":memory:" else str(tmp_path / path)
    backend = ss.LocalBackend(file, clock=ss.testing.FakeClock(T0))
    client = ss.SchedulerClient(backend)
    jobs = [report.job, total.job, Books.close.job, Books.reopen.job]
    client.apply(jobs)
    backend.run_until(T0 + timedelta(hours=9))
    assert {name: client.get(name).last_run.output for name in map(_name, jobs)} == {  # type: ignore[union-attr]
        "report": '"{} at 08:00"',
        "total": "3",
        "close-books": '"closed"',
        "open-books": '"Books opened"',
    }
    backend.close()


def _name(job: ss.Job) -> str:
    return job.name


# -- what is kept of the function --------------------------------------------------------------------


def test_the_target_is_the_name_although_the_module_is_still_being_imported() -> None:
    assert report.job.target == ss.HandlerTarget(f"{HERE}:report")
    assert isinstance(report.job.target, ss.HandlerTarget)
    assert report.job.target.function is None
    assert Books.close.job.target == ss.HandlerTarget(f"{HERE}:Books.close")


def test_what_no_name_leads_to_is_its_own_target() -> None:
    @ss.job("rate(1 hour)")
    def inner() -> str:
        return "inside"

    nameless = ss.job("rate(1 hour)", name="nameless")(lambda: "lambda")
    counting = ss.job("rate(1 hour)", name="counting")(partial(sum, [1, 2]))
    for function in (inner, nameless, counting):
        assert isinstance(function.job.target, ss.HandlerTarget)
        assert function.job.target.function is function
    backend = ss.LocalBackend(clock=ss.testing.FakeClock(T0))
    ss.SchedulerClient(backend).create_many([inner.job, nameless.job])
    assert backend.run_until(T0) == 2


def test_a_file_refuses_what_no_name_leads_to(tmp_path: Path) -> None:
    nameless = ss.job("rate(1 hour)", name="nameless")(lambda: None)
    with ss.LocalBackend(tmp_path / "jobs.db") as backend:
        with pytest.raises(ss.UnsupportedError, match="has no importable name"):
            ss.SchedulerClient(backend).create(nameless.job)
        backend.stop()
    backend.close()


def test_a_function_of_a_module_that_was_never_registered_is_its_own_target() -> None:
    module = ModuleType("never_registered")
    exec("import stepsched as ss\n@ss.job('rate(1 hour)')\ndef f(): ...\n", vars(module))
    assert vars(module)["f"].job.target.function is vars(module)["f"]


def test_the_functions_of_a_program_are_known_by_the_name_that_others_import(tmp_path: Path) -> None:
    program = tmp_path / "program_of_jobs.py"
    program.write_text(
        "import stepsched as ss\n"
        "@ss.job('rate(1 hour)')\n"
        "def work(): ...\n"
        "print(work.job.target.handler, work.job.target.function)\n"
    )
    for command, handler in [
        ([str(program)], "program_of_jobs:work"),
        (["-m", "program_of_jobs"], "program_of_jobs:work"),
        (["-c", program.read_text()], "__main__:work"),
    ]:
        done = subprocess.run(
            [sys.executable, *command], capture_output=True, text=True, check=True, cwd=tmp_path
        )
        assert done.stdout == f"{handler} None\n"


# -- when --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "schedule"),
    [
        pytest.param(("cron(0 9 * * ? *)", None), ss.Cron("0 9 * * ? *"), id="text in UTC"),
        pytest.param(
            ("cron(0 9 * * ? *)", "Asia/Tokyo"), ss.Cron("0 9 * * ? *", timezone="Asia/Tokyo"), id="zone"
        ),
        pytest.param(
            ("at(2031-01-01T09:00:00)", "Asia/Tokyo"),
            ss.OneTime("2031-01-01T09:00", timezone="Asia/Tokyo"),
            id="at",
        ),
        pytest.param(("rate(1 day)", None), ss.Rate(timedelta(days=1)), id="rate"),
        pytest.param(("rate(1 day)", "Asia/Tokyo"), ss.Rate(timedelta(days=1)), id="rate in a zone"),
        pytest.param((ss.Rate(timedelta(days=1)), None), ss.Rate(timedelta(days=1)), id="schedule"),
        pytest.param(
            (ss.Windowed("2030-01-31T09:00", every=ss.Frequency(months=1)), None),
            ss.Windowed("2030-01-31T09:00", every=ss.Frequency(months=1)),
            id="windowed",
        ),
    ],
)
def test_the_schedule_is_text_or_a_schedule(
    given: tuple[str | ss.Schedule, str | None], schedule: ss.Schedule
) -> None:
    @ss.job(given[0], timezone=given[1])
    def work() -> None: ...

    assert work.job.schedule == schedule


@pytest.mark.parametrize(
    ("schedule", "words"),
    [
        pytest.param(
            ss.Cron("0 9 * * ? *"),
            r"expected timezone only with a schedule as text, got timezone='Asia/Tokyo' and a Cron; "
            r"write Cron\(..., timezone='Asia/Tokyo'\)",
            id="cron",
        ),
        pytest.param(
            ss.Rate(timedelta(days=1)),
            "only with a schedule as text, got timezone='Asia/Tokyo' and a Rate; leave it out",
            id="rate",
        ),
    ],
)
def test_a_zone_beside_a_schedule_is_refused(schedule: ss.Schedule, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        ss.job(schedule, timezone="Asia/Tokyo")


def test_a_text_that_is_no_schedule_is_refused_before_there_is_a_function() -> None:
    with pytest.raises(ss.InvalidScheduleError, match="lacks its wrapper"):
        ss.job("0 9 * * ? *")
    with pytest.raises(ss.InvalidScheduleError, match="did you mean 'Asia/Tokyo'"):
        ss.job("rate(1 day)", timezone="Asia/Tokio")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        pytest.param(_name, "expected a schedule, got the function _name; write @job\\('cron", id="function"),
        pytest.param(None, "expected a schedule or its text, got None; write @job\\('cron", id="none"),
        pytest.param(timedelta(hours=1), "got datetime.timedelta\\(seconds=3600\\)", id="timedelta"),
    ],
)
def test_what_is_no_schedule_is_refused_with_the_cure(given: Any, words: str) -> None:
    with pytest.raises(TypeError, match=words):
        ss.job(given)


# -- what --------------------------------------------------------------------------------------------


def test_every_field_of_a_job_but_its_target_can_be_given() -> None:
    taken = set(inspect.signature(ss.job).parameters) - {"timezone"}
    assert taken == set(ss.Job.model_fields) - {"target"}


def test_its_signature_says_where_the_defaults_come_from() -> None:
    parameters = inspect.signature(ss.job).parameters
    assert str(parameters["retry"]).endswith("= <as in Job>")
    assert str(parameters["timezone"]).endswith("= None")


def test_every_field_arrives_and_what_is_left_out_is_as_in_job() -> None:
    fields: dict[str, Any] = {
        "input": None,
        "description": "what it does",
        "group": "g",
        "tags": {"team": "finance"},
        "enabled": False,
        "retry": ss.Retry(max_attempts=0),
        "dead_letter": ss.QueueTarget("arn:aws:sqs:eu-west-1:123456789012:failed"),
        "notify": ss.TopicTarget("arn:aws:sns:eu-west-1:123456789012:alarms"),
        "on_failure": ss.OnFailure.STOP,
        "overlap": ss.Overlap.SKIP,
        "catch_up": ss.CatchUp.ONE,
        "catch_up_within": timedelta(minutes=10),
        "jitter": timedelta(seconds=30),
        "max_run_time": timedelta(hours=1),
        "completion": ss.Completion.KEEP,
    }
    assert set(fields) == set(ss.Job.model_fields) - {"name", "schedule", "target"}
    schedule, target = ss.Rate(timedelta(hours=1)), ss.HandlerTarget(_name)

    whole = ss.job(schedule, name="mine", **fields)(lambda: None)
    assert whole.job == ss.Job(name="mine", schedule=schedule, target=whole.job.target, **fields)
    bare = ss.job(schedule, name="mine")(lambda: None)
    assert bare.job.replace(target=target) == ss.Job(name="mine", schedule=schedule, target=target)
    assert bare.job.model_fields_set == {"name", "schedule", "target"}


def test_a_field_that_is_unknown_or_refused_is_refused_as_by_job() -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'retries'"):
        ss.job("rate(1 hour)", retries=3)  # type: ignore[call-arg]
    with pytest.raises(ValidationError, match="jitter"):
        ss.job("rate(1 hour)", jitter=timedelta(days=-1))(_fresh())
    for name in ("", "a\nb"):
        with pytest.raises(ValidationError, match="is not a name"):
            ss.job("rate(1 hour)", name=name)(_fresh())


def _fresh() -> Callable[[], None]:
    def work() -> None: ...

    return work


@pytest.mark.parametrize("name", ["a" * 257, "<lambda>"])
def test_a_function_whose_name_a_job_cannot_have_is_refused_with_the_cure(name: str) -> None:
    function = _fresh()
    function.__name__ = name
    with pytest.raises(
        ValueError,
        match=r"expected a function whose name can be that of a job, got .*; use @job\(..., name='report'\)",
    ):
        ss.job("rate(1 hour)")(function)
    assert ss.job("rate(1 hour)", name="fine")(function).job.name == "fine"


@pytest.mark.parametrize("name", ["größe", "a" * 65])
def test_the_name_of_any_other_function_is_that_of_its_job(name: str) -> None:
    function = _fresh()
    function.__name__ = name
    assert ss.job("rate(1 hour)")(function).job.name == name


@pytest.mark.parametrize(
    ("given", "words"),
    [
        pytest.param(staticmethod(_name), "put @job below @staticmethod, next to the function", id="static"),
        pytest.param(classmethod(print), "put @job below @classmethod, next to the function", id="class"),
        pytest.param(Books, "expected a function below @job, got <class", id="a class"),
        pytest.param(Books().audit, "expected a function below @job, got <bound method", id="bound method"),
        pytest.param(len, "expected a function below @job, got <built-in function len>", id="builtin"),
        pytest.param("report", "expected a function below @job, got 'report'", id="text"),
    ],
)
def test_what_is_no_function_is_refused(given: Any, words: str) -> None:
    with pytest.raises(TypeError, match=words):
        ss.job("rate(1 hour)")(given)


def test_a_second_job_of_one_function_is_refused_and_the_first_stays() -> None:
    function = ss.job("rate(1 hour)")(_fresh())
    with pytest.raises(ValueError, match=r"already has a job, 'work'; for another one use Job\(name="):
        ss.job("rate(2 hours)", name="second")(function)
    assert function.job.schedule == ss.Rate(timedelta(hours=1))


def test_an_object_that_is_called_can_carry_a_job_too() -> None:
    cached = ss.job("rate(1 hour)")(lru_cache(_fresh()))
    assert (cached.job.name, job_of(cached)) == ("work", cached.job)


# -- in files ----------------------------------------------------------------------------------------

FILE = """
import stepsched as ss

@ss.job("rate(1 hour)")
def second(): ...

first = ss.Job(name="first", schedule=ss.Rate("PT1H"), target=ss.CommandTarget(["true"]))

@ss.job("rate(1 hour)", name="third")
async def last(): ...

def plain(): ...
number, kind = 5, ss.Job
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on the import path, whose modules are forgotten at the end."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def names(source: str | Path) -> list[str]:
    return [job.name for job in ss.load_jobs(source)]


def test_load_jobs_finds_the_functions_of_a_file_in_its_order(folder: Path) -> None:
    path = folder / "jobs_decorated.py"
    path.write_text(FILE)
    assert names(path) == ["second", "first", "third"]
    assert ss.load_jobs(path)[2].target == ss.HandlerTarget("jobs_decorated:last")


def test_load_jobs_finds_the_functions_of_a_module_by_its_dotted_name(folder: Path) -> None:
    (folder / "app_of_jobs").mkdir()
    (folder / "app_of_jobs" / "jobs.py").write_text(FILE)
    assert names("app_of_jobs.jobs") == ["second", "first", "third"]
    (job, *_) = ss.load_jobs("app_of_jobs.jobs")
    assert json.loads(job.model_dump_json())["target"]["handler"] == "app_of_jobs.jobs:second"


def test_a_job_counts_once_however_often_it_stands_in_the_module(folder: Path) -> None:
    path = folder / "jobs_repeated.py"
    path.write_text(FILE + "nightly = second.job\nagain = second\nall_of_them = [last, first, second.job]\n")
    assert names(path) == ["second", "first", "third"]


def test_functions_in_lists_and_imported_ones_count_as_jobs_do(folder: Path) -> None:
    (folder / "jobs_elsewhere.py").write_text(FILE)
    path = folder / "jobs_gathered.py"
    path.write_text(
        "import jobs_elsewhere\nfrom jobs_elsewhere import last\njobs = (jobs_elsewhere.second,)\n"
    )
    assert names(path) == ["third", "second"]


def test_a_decorator_above_or_below_it_runs_too(folder: Path) -> None:
    path = folder / "jobs_wrapped.py"
    path.write_text(
        "from functools import wraps\n"
        "import stepsched as ss\n"
        "def loud(function):\n"
        "    @wraps(function)\n"
        "    def wrapper(*args): return function(*args).upper()\n"
        "    return wrapper\n"
        "@loud\n@ss.job('rate(1 hour)')\ndef outer(): return 'hi'\n"
        "@ss.job('rate(1 hour)')\n@loud\ndef inner(): return 'hi'\n"
    )
    backend = ss.LocalBackend(clock=ss.testing.FakeClock(T0))
    client = ss.SchedulerClient(backend)
    client.apply(ss.load_jobs(path))
    backend.run_until(T0)
    assert [(run.job, run.output) for run in client.runs()] == [("outer", '"HI"'), ("inner", '"HI"')]


def test_what_merely_has_something_called_job_does_not_count(folder: Path) -> None:
    path = folder / "jobs_alike.py"
    path.write_text(
        FILE + "from types import SimpleNamespace\n"
        "class Record: job = first.replace(name='of-a-class')\n"
        "record = SimpleNamespace(job=first.replace(name='of-a-record'))\n"
        "def text(): ...\n"
        "text.job = 'nightly'\n"
    )
    assert names(path) == ["second", "first", "third"]
