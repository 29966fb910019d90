"""A text that is shown again whenever it changes: in place on a terminal and in a notebook."""

from __future__ import annotations

import io
import sys
from contextlib import redirect_stderr
from types import ModuleType
from typing import Any

import pytest

from stepsched.display.live import Notebook, Picture, Terminal, screen


class Stream(io.StringIO):
    """A stream in memory that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def picture(text: str) -> Picture:
    return Picture(lambda _rows, _columns: text)


def shown(*texts: str) -> str:
    """What is written for texts that are shown one after the other."""
    stream = Stream()
    with redirect_stderr(stream):
        terminal = Terminal(patience=0)
        for text in texts:
            terminal.show(picture(text))
        terminal.close()
    return stream.getvalue()


def test_each_text_stands_in_place_of_the_one_before() -> None:
    assert shown("a\nb", "c") == "a\nb\n\x1b[2A\r\x1b[2Kc\n\x1b[J"


def test_a_line_is_cut_at_the_width_so_that_it_stays_one() -> None:
    assert shown("x" * 500) == "x" * 98 + "…\n"


def test_the_text_is_told_how_many_lines_and_columns_fit() -> None:
    heard: list[tuple[int, int]] = []
    with redirect_stderr(Stream()):
        Terminal(patience=0).show(Picture(lambda rows, columns: heard.append((rows, columns)) or ""))  # type: ignore[func-returns-value]
    assert heard == [(28, 99)]


def test_a_short_wait_shows_nothing() -> None:
    stream = Stream()
    with redirect_stderr(stream):
        terminal = Terminal(patience=3_600)
        terminal.show(picture("a"))
        terminal.clear()
    assert stream.getvalue() == ""


def test_what_is_shown_can_be_removed() -> None:
    stream = Stream()
    with redirect_stderr(stream):
        terminal = Terminal(patience=0)
        terminal.show(picture("a\nb\nc"))
        terminal.clear()
        terminal.clear()
    assert stream.getvalue().endswith("\x1b[3A\r\x1b[J")


def test_after_the_end_nothing_above_is_overwritten() -> None:
    stream = Stream()
    with redirect_stderr(stream):
        terminal = Terminal(patience=0)
        terminal.show(picture("a"))
        terminal.close()
        terminal.show(picture("b"))
    assert "\x1b[1A" not in stream.getvalue()


def test_a_full_screen_is_opened_drawn_from_its_corner_and_leaves_the_last_picture() -> None:
    stream = Stream()
    with redirect_stderr(stream):
        terminal = Terminal(patience=0, is_full=True)
        terminal.show(picture("a"))
        terminal.show(picture("b"))
        terminal.close()
        terminal.close()
    opened, closed = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"
    a, b = ("\r\x1b[2Ka\n\x1b[J", "\r\x1b[2Kb\n\x1b[J")
    assert stream.getvalue() == f"{opened}\x1b[H{a}\x1b[H{b}{closed}b\n"


def test_a_terminal_is_found() -> None:
    with redirect_stderr(Stream()):
        assert isinstance(screen(), Terminal)
    with redirect_stderr(io.StringIO()):
        assert screen() is None


def test_a_process_without_an_error_stream_has_no_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    assert screen() is None


def test_a_closed_error_stream_is_no_screen() -> None:
    stream = Stream()
    stream.close()
    with redirect_stderr(stream):
        assert screen() is None


def test_a_terminal_whose_cursor_cannot_be_moved_is_no_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    with redirect_stderr(Stream()):
        assert screen() is None


class Handle:
    """What a notebook gives for an output that can be replaced."""

    def __init__(self) -> None:
        self.updates: list[Any] = []

    def update(self, shown: Any) -> None:
        self.updates.append(shown)


def test_a_notebook_replaces_one_output_and_escapes_its_text(monkeypatch: pytest.MonkeyPatch) -> None:
    handle, first = Handle(), list[Any]()

    def display(value: Any, *, display_id: bool) -> Handle:
        assert display_id
        first.append(value)
        return handle

    notebook, shows = ModuleType("IPython"), ModuleType("IPython.display")
    vars(notebook)["get_ipython"] = type("ZMQInteractiveShell", (), {})
    vars(shows).update(HTML=lambda text: text, display=display)
    monkeypatch.setitem(sys.modules, "IPython", notebook)
    monkeypatch.setitem(sys.modules, "IPython.display", shows)
    assert isinstance(screen(), Notebook)
    found = screen(patience=0)
    assert isinstance(found, Notebook)
    found.show(picture("<b>one"))
    found.show(picture("two"))
    found.show(Picture(lambda _rows, _columns: "", lambda: "<b>three</b>"))
    found.close()
    assert first == ['<pre style="line-height:1.3">&lt;b&gt;one</pre>']
    assert handle.updates == ['<pre style="line-height:1.3">two</pre>', "<b>three</b>"]
