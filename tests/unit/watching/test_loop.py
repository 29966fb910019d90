"""A watch shows again and again, and ends when it is told to."""

from __future__ import annotations

import asyncio
import builtins
import gc
import io
import logging
import os
import signal
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, redirect_stderr
from datetime import timedelta
from typing import Any

import pytest

import stepsched as ss
from stepsched.backends.base import Backend
from stepsched.core.clock import SystemClock
from stepsched.core.errors import BackendError
from stepsched.display.live import Picture
from stepsched.watching import loop
from stepsched.watching.interrupts import StopButton, put_aside_by_ctrl_z
from stepsched.watching.loop import Watch, checked_interval
from stepsched.watching.reading import Reader, Seen
from tests.unit.watching.conftest import NOW, job

PATIENCE = 20.0


class Screen:
    """Keeps what is shown."""

    def __init__(self) -> None:
        self.texts = list[str]()
        self.closed = threading.Event()

    def show(self, picture: Picture) -> None:
        assert not self.is_closed
        assert picture.html is None or "<table>" in picture.html()
        self.texts.append(picture.text(40, 100))

    def close(self) -> None:
        self.closed.set()

    @property
    def is_closed(self) -> bool:
        return self.closed.is_set()


class Told(Reader):
    """A reader that returns, or raises, what it is told to."""

    def __init__(self, *answers: Seen | Exception | Callable[[], object]) -> None:
        self.answers = iter(answers)

    def read(self) -> Seen:
        answer = next(self.answers, Seen(NOW))
        if isinstance(answer, Exception):
            raise answer
        if callable(answer):
            answer()
            return Seen(NOW)
        return answer


@pytest.fixture
def store() -> Iterator[ss.LocalBackend]:
    with closing(ss.LocalBackend()) as backend:
        yield backend


def outage(*, retryable: bool) -> BackendError:
    return BackendError("dynamodb", "Query", "Busy", "slow down", retryable=retryable)


def test_each_step_shows_a_picture_and_tells_how_long_to_pause(store: Backend) -> None:
    screen = Screen()
    steps = Watch(Told(), store, interval=2, place=screen).steps()
    assert [next(steps) for _ in range(3)] == [2, 2, 2]
    assert len(screen.texts) == 3
    assert screen.texts[0].startswith("06:00:00 UTC no jobs")


def test_a_timeout_of_zero_shows_one_picture(store: Backend) -> None:
    screen = Screen()
    Watch(Told(), store, timeout=0, place=screen).run()
    assert (len(screen.texts), screen.is_closed) == (1, True)


def test_no_pause_is_longer_than_what_is_left(store: Backend) -> None:
    steps = Watch(Told(), store, interval=60, timeout=timedelta(seconds=20), place=Screen()).steps()
    assert 0 < next(steps) <= 20


def test_an_outage_keeps_what_was_seen_and_another_error_ends_it(store: Backend) -> None:
    screen = Screen()
    seen = Seen(NOW, counts={"active": 7})
    reader = Told(seen, outage(retryable=True), seen, outage(retryable=False))
    steps = Watch(reader, store, place=screen).steps()
    for _ in range(3):
        next(steps)
    with pytest.raises(BackendError):
        next(steps)
    assert ["trying again" in text for text in screen.texts] == [False, True, False]
    assert all("7 active" in text for text in screen.texts)


def test_an_outage_at_the_beginning_is_shown_too(store: Backend) -> None:
    screen = Screen()
    next(Watch(Told(outage(retryable=True)), store, place=screen).steps())
    assert "trying again" in screen.texts[0]
    assert "no job" not in screen.texts[0]  # nobody knows yet


def test_in_an_outage_the_picture_becomes_older(store: Backend) -> None:
    screen = Screen()
    now = SystemClock().now()
    seen = Seen(now - timedelta(hours=2), age=timedelta(minutes=30))
    steps = Watch(Told(seen, outage(retryable=True)), store, place=screen).steps()
    next(steps)
    next(steps)
    assert "read 30 min ago" in screen.texts[0]
    assert "read 2 h 30 min ago" in screen.texts[1]


def test_without_a_screen_changes_are_lines(store: Backend) -> None:
    lines = list[str]()
    steps = Watch(Told(), store, write=lines.append).steps()
    next(steps)
    next(steps)
    assert lines == ["06:00:00 UTC no jobs"]


def test_ctrl_c_while_it_reads_ends_it_and_nothing_is_shown_any_more(store: Backend) -> None:
    screen, goes_on = Screen(), threading.Event()

    def interrupt() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        assert goes_on.wait(PATIENCE)

    watch = Watch(Told(Seen(NOW), interrupt), store, interval=0.1, place=screen)
    watch.run()
    goes_on.set()
    assert (len(screen.texts), screen.is_closed) == (1, True)


class Interrupting(Screen):
    """A screen that takes some time to be closed, and during which signals arrive."""

    def __init__(self, *numbers: signal.Signals) -> None:
        super().__init__()
        self.numbers = numbers

    def close(self) -> None:
        for number in self.numbers:
            os.kill(os.getpid(), number)
            threading.Event().wait(0.05)
        super().close()


@pytest.mark.parametrize("times", [1, 3])
def test_ctrl_c_again_is_raised_when_the_screen_is_closed(times: int, store: Backend) -> None:
    screen = Interrupting(*[signal.SIGINT] * times)
    watch = Watch(Told(lambda: os.kill(os.getpid(), signal.SIGINT)), store, place=screen)
    with pytest.raises(KeyboardInterrupt):
        watch.run()
    assert screen.is_closed


def test_a_first_ctrl_c_just_when_the_time_is_over_changes_nothing(store: Backend) -> None:
    screen = Interrupting(signal.SIGINT)
    Watch(Told(), store, timeout=0, place=screen).run()
    assert screen.is_closed


def test_an_error_is_raised_although_ctrl_c_follows_it(store: Backend) -> None:
    screen = Interrupting(signal.SIGINT)
    with pytest.raises(BackendError):
        Watch(Told(outage(retryable=False)), store, place=screen).run()
    assert screen.is_closed


def test_ctrl_c_again_does_not_keep_a_screen_of_a_coroutine_open(monkeypatch: pytest.MonkeyPatch) -> None:
    is_cancelled_first = sys.version_info >= (3, 11)  # instead of raised at once
    screen = Interrupting(*[signal.SIGINT] * (2 if is_cancelled_first else 1))
    monkeypatch.setattr(loop, "screen", lambda **_: screen)

    async def main() -> None:
        async with ss.AsyncSchedulerClient() as client:
            await client.watch(timeout=0)

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(main())
    assert screen.closed.wait(PATIENCE)


def test_handlers_of_others_are_called_when_the_screen_is_closed(store: Backend) -> None:
    screen, told = Interrupting(signal.SIGTERM, signal.SIGINT), list[tuple[int, bool]]()

    def tell(number: int, _frame: object) -> None:
        told.append((number, screen.is_closed))
        if number == signal.SIGTERM:
            raise SystemExit(3)

    with handled(signal.SIGTERM, tell), handled(signal.SIGINT, tell):
        with pytest.raises(SystemExit):
            Watch(Told(lambda: os.kill(os.getpid(), signal.SIGINT)), store, place=screen).run()
        assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == [tell, tell]
    assert sorted(told) == [(signal.SIGINT, True), (signal.SIGINT, True), (signal.SIGTERM, True)]


def test_no_handler_is_cut_off_by_a_signal_that_comes_while_it_is_called(store: Backend) -> None:
    told = list[str]()

    def tell(_number: int, _frame: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        told.append("all")

    with handled(signal.SIGTERM, tell), pytest.raises(KeyboardInterrupt):
        Watch(Told(lambda: os.kill(os.getpid(), signal.SIGTERM)), store, place=Screen()).run()
    assert told == ["all"]


def test_the_stop_button_is_asked_before_the_screen_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    screen, asked = Screen(), list[bool]()

    def was_pressed(_: StopButton) -> bool:
        asked.append(screen.is_closed)
        return True

    monkeypatch.setattr(loop, "screen", lambda **_: screen)
    monkeypatch.setattr(StopButton, "was_pressed", was_pressed)

    async def main() -> None:
        async with ss.AsyncSchedulerClient() as client:
            watching = asyncio.create_task(client.watch(interval=0.1))
            while not screen.texts:
                await asyncio.sleep(0.01)
            watching.cancel()
            await watching

    asyncio.run(main())
    assert (asked, screen.is_closed) == ([False], True)


def test_a_ctrl_c_that_is_ignored_ends_nothing(store: Backend) -> None:
    screen, goes_on = Screen(), threading.Event()

    def stop() -> None:
        watch.stop()
        goes_on.set()

    with handled(signal.SIGINT, signal.SIG_IGN):
        seen = Told(lambda: os.kill(os.getpid(), signal.SIGINT), stop)
        watch = Watch(seen, store, interval=0.1, place=screen)
        watch.run()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    assert goes_on.is_set()


def test_whatever_else_ends_the_call_closes_the_screen(store: Backend) -> None:
    def late(_number: int, _frame: object) -> None:
        raise TimeoutError

    screen = Screen()
    watch = Watch(Told(lambda: os.kill(os.getpid(), signal.SIGALRM)), store, place=screen)
    with handled(signal.SIGALRM, late), pytest.raises(TimeoutError):
        watch.run()
    assert screen.is_closed


def test_a_loop_is_told_once_of_a_signal(store: Backend) -> None:
    told = list[int]()

    async def main() -> None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.append, 1)
        Watch(Told(lambda: os.kill(os.getpid(), signal.SIGTERM)), store, place=Screen()).run()
        while not told:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.01)

    asyncio.run(main())
    assert told == [1]


class Gone(Screen):
    """A terminal that has gone."""

    def close(self) -> None:
        super().close()
        raise OSError(5, "Input/output error")


def test_a_terminal_that_has_gone_keeps_no_signal_from_its_handler(store: Backend) -> None:
    def end(_number: int, _frame: object) -> None:
        raise SystemExit(3)

    screen = Gone()
    with handled(signal.SIGTERM, end), pytest.raises(SystemExit):
        Watch(Told(lambda: os.kill(os.getpid(), signal.SIGTERM)), store, place=screen).run()
    assert screen.is_closed


class Stuck(Screen):
    """A terminal that takes no text once SIGTERM has come."""

    def __init__(self, verb: str) -> None:
        super().__init__()
        self.verb = verb
        self.stuck, self.goes_on = threading.Event(), threading.Event()
        self.has_waited_for_nothing = False

    def show(self, picture: Picture) -> None:
        super().show(picture)
        os.kill(os.getpid(), signal.SIGTERM)
        self.take("show")

    def close(self) -> None:
        self.take("close")
        super().close()

    def take(self, verb: str) -> None:
        if verb == self.verb:
            self.stuck.set()
            self.has_waited_for_nothing = not self.goes_on.wait(PATIENCE)


@pytest.mark.parametrize("verb", ["show", "close"])
def test_a_terminal_that_takes_no_text_keeps_no_signal_from_its_handler(
    verb: str, store: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    def end(_number: int, _frame: object) -> None:
        raise SystemExit(3)

    monkeypatch.setattr(loop, "_PATIENCE", 0.1)
    screen = Stuck(verb)
    with handled(signal.SIGTERM, end), pytest.raises(SystemExit):
        Watch(Told(), store, place=screen).run()
    assert not screen.has_waited_for_nothing
    screen.goes_on.set()
    assert screen.closed.wait(PATIENCE)  # late, but it is


def test_a_terminal_that_takes_no_text_can_be_put_aside(
    store: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "_PATIENCE", 0.1)
    screen, done = Stuck("show"), list[bool]()
    watch = Watch(Told(), store, place=screen)
    with handled(signal.SIGTERM, signal.SIG_IGN):
        thread = threading.Thread(target=next, args=(watch.steps(),))
        thread.start()
        assert screen.stuck.wait(PATIENCE)
        watch.aside(lambda: done.append(screen.has_waited_for_nothing))
        screen.goes_on.set()
        thread.join(PATIENCE)
    assert (done, screen.is_closed) == ([False], False)


def test_nothing_keeps_a_watch_that_is_over(store: Backend) -> None:
    watch = Watch(Told(), store, timeout=0, place=Screen())
    watch.run()
    kept = weakref.ref(watch)
    del watch
    until = SystemClock().monotonic() + PATIENCE
    while kept() is not None and SystemClock().monotonic() < until:
        gc.collect()
        threading.Event().wait(0.01)
    assert kept() is None


def test_without_a_thread_that_closes_it_no_screen_is_opened(
    store: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    screen, handler = Screen(), signal.getsignal(signal.SIGINT)
    with pytest.raises(RuntimeError, match="can't start new thread"):
        Watch(Told(), store, place=screen).run()
    assert screen.texts == []
    assert signal.getsignal(signal.SIGINT) is handler


def test_ctrl_z_again_does_not_wait_for_the_first() -> None:
    asked = list[int]()

    def aside(_stop: object) -> None:
        asked.append(1)
        if len(asked) == 1:
            os.kill(os.getpid(), signal.SIGTSTP)

    with handled(signal.SIGTSTP, signal.SIG_DFL), put_aside_by_ctrl_z(aside):
        os.kill(os.getpid(), signal.SIGTSTP)
        threading.Event().wait(0.1)
    assert asked == [1]


def test_a_watch_in_another_thread_ends_when_its_time_is_over(store: Backend) -> None:
    screen = Screen()
    thread = threading.Thread(target=Watch(Told(), store, timeout=0.2, interval=0.1, place=screen).run)
    thread.start()
    thread.join(PATIENCE)
    assert (screen.is_closed, thread.is_alive()) == (True, False)


@contextmanager
def handled(number: signal.Signals, handler: Any) -> Iterator[None]:
    before = signal.signal(number, handler)
    try:
        yield
    finally:
        signal.signal(number, before)


def test_ctrl_c_before_the_first_look_at_a_service_shows_nothing_and_leaves_no_log_handler(
    store: Backend,
) -> None:
    store.capabilities = ss.backends.Capabilities(keeps_events=False)
    handlers = list(logging.getLogger("stepsched").handlers)
    screen = Screen()
    watch = Watch(Told(), store, place=screen)
    watch.stop()
    assert list(watch.steps()) == []
    assert (screen.texts, screen.is_closed) == ([], True)
    assert logging.getLogger("stepsched").handlers == handlers


def test_while_a_picture_is_shown_failures_are_not_printed_beside_it(store: Backend) -> None:
    logger = logging.getLogger("stepsched")
    before = list(logger.handlers)
    watch = Watch(Told(), store, place=Screen())
    steps = watch.steps()
    next(steps)
    (added,) = (each for each in logger.handlers if each not in before)
    assert isinstance(added, logging.NullHandler)  # which keeps Python from its last resort
    watch.stop()
    assert logger.handlers == before


def test_what_fails_after_the_end_is_nobodys_trouble(store: Backend) -> None:
    watch = Watch(Told(lambda: watch.stop(), outage(retryable=False)), store, place=Screen())
    assert list(watch.steps()) == [1.0]


def test_the_first_look_at_a_service_is_announced(store: Backend) -> None:
    screen = Screen()
    store.capabilities = ss.backends.Capabilities(keeps_events=False)
    next(Watch(Told(), store, place=screen).steps())
    assert screen.texts[0] == "reading the jobs ..."


def test_services_are_asked_less_often_than_files() -> None:
    backend = ss.LocalBackend()
    assert checked_interval(None, backend) == 1.0
    backend.first_pause = ss.EventBridgeBackend.first_pause
    assert checked_interval(None, backend) == 5.0
    assert checked_interval(timedelta(seconds=2), backend) == 2.0
    backend.close()


@pytest.mark.parametrize("interval", [0, 0.09, timedelta(0), -1])
def test_an_interval_that_is_too_short_is_refused(store: Backend, interval: timedelta | float) -> None:
    with pytest.raises(ValueError, match="expected interval of at least 0"):
        ss.SchedulerClient(store).watch(interval=interval)


def test_on_a_fake_clock_it_says_at_once_that_nothing_would_happen(client: ss.SchedulerClient) -> None:
    client.create(job("a"))
    with pytest.raises(ss.UnsupportedError, match=r"use run_until\(\.\.\.\)"):
        client.watch()
    stream = io.StringIO()
    with redirect_stderr(stream):
        client.watch(timeout=0)  # a picture needs no clock
    first, *_, last = stream.getvalue().splitlines()
    assert (first, last) == ("06:00:00 UTC 1 job: 1 active", "failed, skipped or missed: none")


def test_conditions_are_those_of_list(client: ss.SchedulerClient) -> None:
    client.create_many([job("a1"), job("a2", tags={"team": "x"}), job("b", group="other")])
    for conditions, number in (
        ({}, 3),
        ({"name_prefix": "a"}, 2),
        ({"group": "other"}, 1),
        ({"tags": {"team": "x"}}, 1),
        ({"name_prefix": "no such name!"}, 0),
    ):
        lines = list[str]()
        client._watch(None, 0, write=lines.append, **conditions).run()
        assert lines[0].startswith(f"06:00:00 UTC {number or 'no'} job")
    with pytest.raises(TypeError, match="expected a mapping"):
        client.watch(tags="team", timeout=0)  # type: ignore[arg-type]


def test_a_process_without_an_error_stream_watches_in_silence(
    client: ss.SchedulerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr", None)
    client.watch(timeout=0)


# -- in an event loop ----------------------------------------------------------------------------------


class TerminalInMemory(io.StringIO):
    def isatty(self) -> bool:
        return True


async def begin(client: ss.AsyncSchedulerClient, stream: io.StringIO) -> asyncio.Task[None]:
    """Returns a watch that has shown its first picture."""
    watching = asyncio.create_task(client.watch(interval=0.1))
    while "no jobs" not in stream.getvalue():
        await asyncio.sleep(0.01)
    return watching


def test_a_cancelled_watch_closes_the_screen_and_is_cancelled(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> str:
        stream = TerminalInMemory()
        with redirect_stderr(stream):
            async with ss.AsyncSchedulerClient() as client:
                watching = await begin(client, stream)
                watching.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await watching
                assert watching.cancelled()
                return stream.getvalue()

    with caplog.at_level(logging.WARNING, "stepsched"):
        written = asyncio.run(main())
    assert caplog.messages == []
    assert written.count("\x1b[?1049h") == written.count("\x1b[?1049l") == 1


def test_a_limit_of_the_event_loop_ends_a_watch_with_its_own_error() -> None:
    async def main() -> None:
        async with ss.AsyncSchedulerClient() as client:
            with redirect_stderr(io.StringIO()), pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(client.watch(interval=0.1), 0.3)

    asyncio.run(main())


@pytest.mark.skipif(sys.version_info < (3, 11), reason="asyncio.TaskGroup and timeout are of Python 3.11")
def test_a_group_of_tasks_ends_with_a_watch_in_it() -> None:
    async def fail(client: ss.AsyncSchedulerClient, stream: io.StringIO) -> None:
        await begin(client, stream)
        raise ValueError("the disk is full")

    async def main() -> None:
        stream = io.StringIO()
        async with ss.AsyncSchedulerClient() as client:
            with redirect_stderr(stream):
                with pytest.raises(TimeoutError):
                    async with vars(asyncio)["timeout"](0.3):
                        await client.watch(interval=0.1)
                with pytest.raises(vars(builtins)["ExceptionGroup"]) as caught:  # noqa: PT012 -- the group
                    async with vars(asyncio)["TaskGroup"]() as group:
                        group.create_task(client.watch(interval=0.1))
                        group.create_task(fail(client, stream))
        assert [str(each) for each in caught.value.exceptions] == ["the disk is full"]

    asyncio.run(main())


def test_an_awaited_watch_ends_by_itself_when_its_time_is_over() -> None:
    async def main() -> None:
        async with ss.AsyncSchedulerClient() as client:
            with redirect_stderr(io.StringIO()):
                await client.watch(timeout=0)

    asyncio.run(main())


def test_an_interval_of_years_waits_until_it_is_stopped(store: Backend) -> None:
    told, written = Told(Seen(NOW)), threading.Event()
    watch = Watch(told, store, interval=timedelta.max, write=lambda _: written.set())

    def stop() -> None:
        written.wait(PATIENCE)
        watch.stop()

    stopper = threading.Thread(target=stop)
    stopper.start()
    watch.run()
    stopper.join(PATIENCE)
    assert written.is_set()
