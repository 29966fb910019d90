"""A bar is for somebody who watches, and waits."""

from __future__ import annotations

import io
import sys
import time
from contextlib import redirect_stderr, suppress
from datetime import datetime, timedelta, timezone
from types import ModuleType

import pytest

import stepsched as ss
from stepsched.display.progress import Bar, reported, reporting
from stepsched.testing import FakeClock


class Terminal(io.StringIO):
    """A stream that somebody watches."""

    def isatty(self) -> bool:
        return True


class Seconds:
    """The machine's monotonic clock, played."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def seconds(monkeypatch: pytest.MonkeyPatch) -> Seconds:
    played = Seconds()
    monkeypatch.setattr(time, "monotonic", played)
    return played


def test_a_bar_is_drawn_over_one_line_once_it_takes_longer_than_a_moment(seconds: Seconds) -> None:
    terminal = Terminal()
    with redirect_stderr(terminal), reporting(None, 2_000) as show:
        show(1)
        seconds.now += 0.4
        show(2)
        assert terminal.getvalue() == ""
        seconds.now += 0.1
        show(1_000)
        show(2_000)
    half = "#" * 15 + "." * 15
    assert terminal.getvalue() == f"\r[{half}] 1,000 of 2,000\r[{'#' * 30}] 2,000 of 2,000\n"


def test_what_is_done_in_a_moment_leaves_no_trace(seconds: Seconds) -> None:
    terminal = Terminal()
    with redirect_stderr(terminal), reporting(None, 3) as show:
        show(3)
    assert terminal.getvalue() == ""


def test_the_line_ends_also_where_the_work_fails(seconds: Seconds) -> None:
    terminal = Terminal()
    with suppress(RuntimeError), redirect_stderr(terminal), reporting(None, 3) as show:
        seconds.now += 9
        show(1)
        raise RuntimeError
    assert terminal.getvalue().endswith("] 1 of 3\n")


def test_nothing_to_do_divides_by_nothing(seconds: Seconds) -> None:
    terminal = Terminal()
    with redirect_stderr(terminal):
        bar = Bar(0)
        seconds.now += 9
        bar.show(0)
        bar.close()
    assert terminal.getvalue() == f"\r[{'.' * 30}] 0 of 0\n"


def test_a_stream_that_nobody_watches_stays_clean(
    capsys: pytest.CaptureFixture[str], seconds: Seconds
) -> None:
    with reporting(None, 3) as show:
        seconds.now += 9
        show(1)
    assert capsys.readouterr() == ("", "")


def test_a_process_without_an_error_stream_goes_on(monkeypatch: pytest.MonkeyPatch, seconds: Seconds) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    with reporting(None, 3) as show:
        seconds.now += 9
        show(1)


class Shown:
    """The outputs of a notebook."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, shell: str = "ZMQInteractiveShell") -> None:
        self.first, self.updates = list[str](), list[str]()
        notebook, display = ModuleType("IPython"), ModuleType("IPython.display")
        vars(notebook)["get_ipython"] = type(shell, (), {})
        vars(display).update(HTML=lambda text: text, display=self.display)
        monkeypatch.setitem(sys.modules, "IPython", notebook)
        monkeypatch.setitem(sys.modules, "IPython.display", display)

    def display(self, value: str, *, display_id: bool) -> Shown:
        assert display_id
        self.first.append(value)
        return self

    def update(self, value: str) -> None:
        self.updates.append(value)


def test_in_a_notebook_the_bar_is_one_output(monkeypatch: pytest.MonkeyPatch, seconds: Seconds) -> None:
    shown, stream = Shown(monkeypatch), io.StringIO()
    with redirect_stderr(stream), reporting(None, 3_000) as show:
        seconds.now += 9
        show(1)
        seconds.now += 1
        show(3_000)
    assert shown.first == ['<div><progress value="1" max="3000"></progress> 1 of 3,000</div>']
    assert shown.updates == ['<div><progress value="3000" max="3000"></progress> 3,000 of 3,000</div>']
    assert stream.getvalue() == ""


def test_a_shell_whose_stream_leads_elsewhere_is_not_watched(
    monkeypatch: pytest.MonkeyPatch, seconds: Seconds
) -> None:
    shown, stream = Shown(monkeypatch, "TerminalInteractiveShell"), io.StringIO()
    with redirect_stderr(stream), reporting(None, 3) as show:
        seconds.now += 9
        show(1)
    assert (stream.getvalue(), shown.first) == ("", [])


def test_where_the_total_is_not_known_a_count_is_shown(
    monkeypatch: pytest.MonkeyPatch, seconds: Seconds
) -> None:
    terminal = Terminal()
    with redirect_stderr(terminal), reporting(None, None) as show:
        seconds.now += 9
        show(1_200)
    assert terminal.getvalue() == "\r1,200 so far\n"
    shown = Shown(monkeypatch)
    with redirect_stderr(io.StringIO()), reporting(None, None) as show:
        seconds.now += 9
        show(7)
    assert shown.first == ["<div>7 so far</div>"]


def test_it_is_not_drawn_more_often_than_a_person_sees(seconds: Seconds) -> None:
    terminal = Terminal()
    with redirect_stderr(terminal), reporting(None, 1_000) as show:
        seconds.now += 9
        for done in range(1_001):
            show(done)
            seconds.now += 0.001
    assert terminal.getvalue().count("\r") < 15
    assert terminal.getvalue().endswith("] 1,000 of 1,000\n")


@pytest.mark.parametrize("columns", [5, 20, 40, 80])
def test_the_bar_fits_the_terminal(columns: int) -> None:
    assert len(Bar(20_000)._text(10_000, columns)) <= columns


def test_items_are_counted_now_and_then_and_at_the_end() -> None:
    heard = list[int]()
    assert list(reported(range(25), heard.append)) == list(range(25))
    assert list(reported(range(10), heard.append)) == list(range(10))
    assert list(reported([], heard.append)) == []
    assert heard == [10, 20, 25, 10]


def test_long_calls_tell_how_far_they_are() -> None:
    start, heard = datetime(2030, 1, 1, tzinfo=timezone.utc), list[tuple[int, int | None]]()

    def hear(done: int, total: int | None) -> None:
        heard.append((done, total))

    day = timedelta(days=1)
    backend = ss.LocalBackend(clock=FakeClock(start))
    client = ss.SchedulerClient(backend)
    daily = ss.Job(name="job", schedule=ss.Rate(day), target=ss.HandlerTarget(lambda: None))
    jobs = [daily.replace(name=f"job-{number}") for number in range(3)]
    client.plan(jobs, progress=hear)
    client.apply(jobs[:1], progress=hear)
    client.list(progress=hear)
    ss.estimate(jobs, start, start + day, progress=hear)
    assert heard == [(3, 3), (1, 1), (1, None), (3, 3)]
    heard.clear()
    client.pause_many(progress=hear)
    client.resume_many(progress=hear)
    assert heard == [(1, 1), (1, 1)]
    heard.clear()
    backend.advance(2.5 * day, progress=hear)
    assert (heard[0], heard[-1]) == ((1, 3), (3, 3))
    backend.close()


def test_somebody_who_asks_is_told_every_step_and_no_bar_is_drawn(seconds: Seconds) -> None:
    heard: list[tuple[int, int]] = []
    terminal = Terminal()
    with redirect_stderr(terminal), reporting(lambda done, total: heard.append((done, total)), 3) as show:
        seconds.now += 9
        show(1)
        show(3)
    assert heard == [(1, 3), (3, 3)]
    assert terminal.getvalue() == ""
