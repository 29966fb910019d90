"""Threads that do not start."""

from __future__ import annotations

import gc
import threading

import pytest

from stepsched.backends.local.pool import Pool
from stepsched.core.loops import Loops


def test_that_no_thread_starts_while_the_interpreter_ends_is_not_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def start(_: threading.Thread) -> None:
        raise RuntimeError(reasons.pop())

    reasons = ["can't start new thread", "can't create new thread at interpreter shutdown"]
    pool = Pool[int](1, lambda _: None, "test")
    monkeypatch.setattr(threading.Thread, "start", start)
    assert pool.places() == 0
    assert caplog.text == ""
    assert pool.places() == 0
    assert "can't start new thread" in caplog.text


def test_a_coroutine_for_which_no_thread_starts_fails_without_a_further_warning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def handler() -> None:
        raise AssertionError("it was begun")

    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    with pytest.raises(RuntimeError, match="can't start new thread"):
        Loops().run(handler(), None, patient=True)
    gc.collect()  # a coroutine that nobody awaits would warn, which fails here
