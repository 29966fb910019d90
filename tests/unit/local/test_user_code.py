"""User code cannot harm the engine: whatever it raises and however long it takes."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone

import pytest

import stepsched as ss
from stepsched.core.clock import SystemClock
from stepsched.testing import FakeClock
from tests.unit.local.test_engine import NEVER, PATIENCE, Firing, job

QUEUE = ss.QueueTarget("arn:aws:sqs:eu-west-1:123456789012:dead")
TOPIC = ss.TopicTarget("arn:aws:sns:eu-west-1:123456789012:alarms")


class WildError(BaseException):
    """Not even an Exception."""


class MuteError(Exception):
    """Its text cannot be had, and asking for it would end the thread."""

    def __str__(self) -> str:
        raise SystemExit("no text")


def nameless() -> BaseException:
    """An error whose class has no name that can be read; at module level, tools that inspect would fail."""

    class LyingType(type):
        @property
        def __name__(cls) -> str:  # type: ignore[override]
            raise SystemExit("no name")

    class NamelessError(Exception, metaclass=LyingType):
        pass

    return NamelessError()


class TracelessError(Exception):
    """Where it was raised cannot be had."""

    @property
    def __traceback__(self) -> None:  # type: ignore[override]
        raise SystemExit("no traceback")


class ClasslessError(Exception):
    """Of which class it is cannot be had by asking."""

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        raise SystemExit("no class")


class Text(str):
    __slots__ = ()

    def __format__(self, _: str) -> str:
        raise SystemExit("no format")

    def __str__(self) -> str:
        raise SystemExit("no text")

    def __getitem__(self, _: object) -> str:
        raise SystemExit("no letters")


class WeirdTextError(Exception):
    """Its text is a text only by name."""

    def __str__(self) -> str:
        return Text("weird")


RAISED = [
    pytest.param(lambda: SystemExit(1), id="SystemExit"),
    pytest.param(KeyboardInterrupt, id="KeyboardInterrupt"),
    pytest.param(WildError, id="BaseException"),
    pytest.param(MuteError, id="an error whose text raises"),
    pytest.param(lambda: GeneratorExit(), id="GeneratorExit"),
    pytest.param(nameless, id="an error whose class has no name"),
    pytest.param(TracelessError, id="an error whose traceback raises"),
    pytest.param(ClasslessError, id="an error whose class raises"),
    pytest.param(WeirdTextError, id="an error whose text raises when it is used"),
]


@pytest.fixture
def firing() -> Iterator[Firing]:
    firing = Firing(SystemClock(), workers=2)
    yield firing
    firing.backend.close(timeout=0)


def raising(make: Callable[[], BaseException]) -> Callable[[], None]:
    def function() -> None:
        raise make()

    return function


@pytest.mark.parametrize("make", RAISED)
def test_a_handler_that_raises_anything_has_failed_and_the_threads_go_on(
    firing: Firing, make: Callable[[], BaseException]
) -> None:
    for number in range(4):  # more than there are threads
        firing.client.create(job(raising(make), f"job-{number}", schedule=NEVER))
        firing.client.run_now(f"job-{number}")
    for number in range(4):
        (run,) = firing.wait_for_ended(1, f"job-{number}")
        assert run.status is ss.RunStatus.FAILED
    firing.let_turns_pass()


@pytest.mark.parametrize("make", RAISED)
def test_a_part_that_raises_anything_has_failed(firing: Firing, make: Callable[[], BaseException]) -> None:
    parts = ss.ParallelTarget([ss.HandlerTarget(raising(make)), ss.HandlerTarget(lambda: 1)])
    firing.client.create(job(print, schedule=NEVER).replace(target=parts))
    firing.client.run_now("job")
    (run,) = firing.wait_for_ended(1)
    assert (run.status, run.error is None) == (ss.RunStatus.FAILED, False)
    assert run.error is not None
    assert run.error.startswith("PartsFailedError: 1 of 2 parts failed: part 1 (HandlerTarget ")


@pytest.mark.parametrize(
    ("make", "says"),
    [
        pytest.param(nameless, "NamelessError: ", id="NamelessError"),
        pytest.param(TracelessError, "TracelessError: ", id="TracelessError"),
        pytest.param(ClasslessError, "ClasslessError: ", id="ClasslessError"),
        pytest.param(MuteError, "MuteError: (its text cannot be read)", id="MuteError"),
        pytest.param(WeirdTextError, "WeirdTextError: weird", id="WeirdTextError"),
    ],
)
def test_of_an_error_that_lies_is_said_what_can_be_said(
    firing: Firing, make: Callable[[], BaseException], says: str
) -> None:
    firing.client.create(job(raising(make), schedule=NEVER))
    firing.client.run_now("job")
    (run,) = firing.wait_for_ended(1)
    assert run.error == says
    assert run.traceback is not None
    assert "in function" in run.traceback


@pytest.mark.parametrize("make", RAISED)
@pytest.mark.parametrize("letter", ["dead_letter", "notify"])
def test_a_letter_that_raises_anything_ends_no_thread(
    firing: Firing, make: Callable[[], BaseException], letter: str, caplog: pytest.LogCaptureFixture
) -> None:
    firing.backend.register(ss.QueueTarget, lambda *_: raising(make)())
    firing.backend.register(ss.TopicTarget, lambda *_: raising(make)())
    to = {"dead_letter": QUEUE, "notify": TOPIC}[letter]
    for number in range(6):  # more than there are threads for letters
        firing.client.create(job(lambda: 1 / 0, f"job-{number}", schedule=NEVER).replace(**{letter: to}))
        firing.client.run_now(f"job-{number}")
    for number in range(6):
        firing.wait_for_ended(1, f"job-{number}")
    firing.wait_for(lambda: caplog.text.count("could not be delivered") == 6)
    firing.let_turns_pass()


@pytest.mark.parametrize("make", RAISED)
def test_a_listener_that_raises_anything_stops_nothing(
    firing: Firing, make: Callable[[], BaseException]
) -> None:
    told = list[str]()
    firing.backend.listen(lambda _event: raising(make)())
    firing.backend.listen(lambda event: told.append(event.kind.value), ["succeeded"])
    firing.client.create(job(lambda: None, schedule=NEVER))
    for count in (1, 2):
        firing.client.run_now("job")
        firing.wait_for_ended(count)
        firing.wait_for(lambda count=count: len(told) == count)  # type: ignore[misc]


def test_a_listener_that_hangs_holds_up_neither_runs_nor_verbs_nor_the_end(firing: Firing) -> None:
    entered, release = threading.Event(), threading.Event()

    def listener(_event: ss.jobs.Event) -> None:
        entered.set()
        release.wait(PATIENCE)

    firing.backend.listen(listener)
    firing.client.create(job(lambda: "done", schedule=NEVER))
    assert entered.wait(PATIENCE)
    firing.client.run_now("job")
    assert firing.wait_for_ended(1)[0].output == '"done"'
    firing.backend.stop(timeout=0)
    assert not release.is_set()
    release.set()


def test_letters_that_hang_hold_up_no_run(firing: Firing) -> None:
    release = threading.Event()
    firing.backend.register(ss.QueueTarget, lambda: release.wait(PATIENCE))
    for number in range(5):
        firing.client.create(job(lambda: 1 / 0, f"bad-{number}", schedule=NEVER, dead_letter=QUEUE))
        firing.client.run_now(f"bad-{number}")
        firing.wait_for_ended(1, f"bad-{number}")
    firing.let_turns_pass()
    assert not release.is_set()
    release.set()


def test_a_handler_of_the_log_that_raises_ends_no_thread(firing: Firing) -> None:
    class Wild(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise SystemExit("no disk")

    wild, log = Wild(), logging.getLogger("stepsched.local")
    log.addHandler(wild)
    try:
        firing.client.create(job(lambda: 1 / 0, schedule=NEVER))
        firing.client.run_now("job")
        firing.wait_for_ended(1)
        firing.let_turns_pass()
    finally:
        log.removeHandler(wild)


class TestWhatWentWrong:
    def failed(self, function: Callable[[], object], **changes: object) -> ss.Run:
        with ss.testing.TimeTravel() as travel:
            travel.client.create(job(function, schedule=NEVER).replace(**changes))
            travel.client.run_now("job")
            travel.advance(timedelta(0))
            (run,) = travel.client.runs("job")
        return run

    def test_the_traceback_begins_with_the_users_own_line(self) -> None:
        def inner() -> None:
            raise KeyError("missing")

        def outer() -> None:
            inner()

        trace = self.failed(outer).traceback
        assert trace is not None
        lines = trace.splitlines()
        assert lines[0] == "Traceback (most recent call last):"
        assert lines[1].endswith("in outer")
        assert lines[-1] == "KeyError: 'missing'"
        assert "stepsched/backends" not in trace

    def test_it_is_bounded_and_keeps_both_ends(self) -> None:
        def handler() -> None:
            raise ValueError("x" * 1_000_000 + "the end")

        trace = self.failed(handler).traceback
        assert trace is not None
        assert len(trace) <= 16_384
        assert trace.startswith("Traceback")
        assert trace.endswith("the end\n")

    def test_a_run_that_succeeded_in_the_end_has_none(self) -> None:
        def handler(run: ss.Run) -> None:
            if run.attempt == 1:
                raise RuntimeError

        with ss.testing.TimeTravel() as travel:
            travel.client.create(job(handler, schedule=NEVER, retry=ss.Retry()))
            travel.client.run_now("job")
            travel.advance(timedelta(0))
            assert travel.client.runs("job")[0].traceback is not None
            travel.advance(timedelta(minutes=1))
            (run,) = travel.client.runs("job")
        assert (run.status, run.traceback) == (ss.RunStatus.SUCCEEDED, None)

    @pytest.mark.parametrize(
        ("retry", "level"), [(ss.Retry(max_attempts=0), "ERROR"), (ss.Retry(max_attempts=1), "WARNING")]
    )
    def test_it_stands_in_the_log_at_the_level_of_the_failure(
        self, retry: ss.Retry, level: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        def handler() -> None:
            raise LookupError("here")

        self.failed(handler, retry=retry)
        (record,) = [each for each in caplog.records if "LookupError" in each.getMessage()]
        assert record.levelname == level
        assert "\n  | Traceback (most recent call last):" in record.getMessage()
        assert "in handler" in record.getMessage()

    def test_foreign_text_cannot_pass_for_lines_of_the_log(self, caplog: pytest.LogCaptureFixture) -> None:
        forged = "a\n2030-01-01 CRITICAL forged\r\x1b[31mred\u2028next\u202e"

        def handler() -> None:
            raise ValueError(forged)

        self.failed(handler)
        text = caplog.text
        assert "forged" in text
        for line in text.splitlines():
            assert not line.startswith("2030-01-01")
        for control in ("\r", "\x1b", "\u2028", "\u202e"):
            assert control not in text

    @pytest.mark.parametrize("played", [True, False], ids=["played", "background"])
    def test_the_traceback_of_the_first_failed_part_that_has_one_is_kept(self, played: bool) -> None:
        def wrong() -> None:
            raise KeyError("missing")

        parts = [ss.HandlerTarget(len), ss.HandlerTarget(lambda: 1), ss.HandlerTarget(wrong)]
        several = job(print, schedule=NEVER).replace(target=ss.ParallelTarget(parts))
        if played:
            run = self.failed(print, target=several.target)
        else:
            firing = Firing(SystemClock())
            firing.client.create(several)
            firing.client.run_now("job")
            (run,) = firing.wait_for_ended(1)
            firing.backend.close()
        assert run.traceback is not None
        assert run.traceback.startswith("Traceback (most recent call last):")
        assert "in wrong\n" in run.traceback
        assert run.traceback.endswith("KeyError: 'missing'\n")

    def test_the_result_is_the_answer_itself(self) -> None:
        with ss.testing.TimeTravel() as travel:
            travel.client.create(job(lambda: {"a": [1, None]}, schedule=NEVER))
            travel.client.run_now("job")
            travel.advance(timedelta(0))
            assert travel.client.runs("job")[0].result == {"a": [1, None]}


FORGED = "a\n2030-01-01 CRITICAL forged\r\x1b[31mred\u2028next\u202e"


def forging(*_: object) -> None:
    raise ValueError(FORGED)


@pytest.mark.parametrize("played", [True, False], ids=["played", "background"])
@pytest.mark.parametrize("by", ["listener", "dead letter", "notification"])
def test_the_log_says_where_a_listener_or_letter_failed_in_lines_that_cannot_be_forged(
    by: str, played: bool, caplog: pytest.LogCaptureFixture
) -> None:
    clock = FakeClock(datetime(2030, 1, 7, tzinfo=timezone.utc)) if played else SystemClock()
    firing = Firing(clock)
    letters: dict[str, object] = {}
    match by:
        case "listener":
            firing.backend.listen(forging, ["failed"])
        case "dead letter":
            firing.backend.register(ss.QueueTarget, forging)
            letters = {"dead_letter": QUEUE}
        case _:
            firing.backend.register(ss.TopicTarget, forging)
            letters = {"notify": TOPIC}
    firing.client.create(job(lambda: 1 / 0, schedule=NEVER).replace(**letters))
    firing.client.run_now("job")
    if played:
        firing.backend.advance(timedelta(0))
    firing.wait_for(lambda: "forged" in caplog.text)
    firing.backend.close()
    (record,) = [each for each in caplog.records if "forged" in each.getMessage()]
    assert record.levelname == "ERROR"
    assert record.exc_info is None, "the traceback of the logging module is not escaped"
    first, *lines = record.getMessage().split("\n")
    assert "ValueError: a\\n2030-01-01 CRITICAL forged" in first
    assert lines[0] == "  | Traceback (most recent call last):"
    assert any("in forging" in line for line in lines)
    assert all(line.startswith("  | ") for line in lines)
    for control in ("\r", "\x1b", "\u2028", "\u202e"):
        assert control not in caplog.text
