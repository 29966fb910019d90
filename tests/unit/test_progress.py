"""A bar is for somebody who watches, and waits."""

from __future__ import annotations

import io
import sys
import time
from contextlib import redirect_stderr, suppress
from types import ModuleType

import pytest

from stepsched.display.progress import Bar, reporting


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


@pytest.mark.parametrize(
    ("shell", "is_drawn"),
    [
        pytest.param("ZMQInteractiveShell", True, id="notebook"),
        pytest.param("TerminalInteractiveShell", False, id="shell whose stream leads elsewhere"),
    ],
)
def test_a_notebook_is_watched(
    shell: str, is_drawn: bool, monkeypatch: pytest.MonkeyPatch, seconds: Seconds
) -> None:
    notebook = ModuleType("IPython")
    vars(notebook)["get_ipython"] = type(shell, (), {})
    monkeypatch.setitem(sys.modules, "IPython", notebook)
    stream = io.StringIO()
    with redirect_stderr(stream), reporting(None, 3) as show:
        seconds.now += 9
        show(1)
    assert bool(stream.getvalue()) is is_drawn


def test_somebody_who_asks_is_told_every_step_and_no_bar_is_drawn(seconds: Seconds) -> None:
    heard: list[tuple[int, int]] = []
    terminal = Terminal()
    with redirect_stderr(terminal), reporting(lambda done, total: heard.append((done, total)), 3) as show:
        seconds.now += 9
        show(1)
        show(3)
    assert heard == [(1, 3), (3, 3)]
    assert terminal.getvalue() == ""
