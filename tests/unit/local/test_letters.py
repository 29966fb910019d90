"""Letters that several threads take at once."""

from __future__ import annotations

from collections import deque

from stepsched.backends.local.attempts import Letter
from stepsched.backends.local.backend import LocalBackend


class Vanishing(deque[Letter]):
    """Says that a letter waits which another thread takes in the next moment."""

    def __bool__(self) -> bool:
        return True


def test_a_letter_that_a_thread_takes_in_the_same_moment_is_not_missed() -> None:
    backend = LocalBackend()
    letters = backend._engine._letters
    letters._waiting = Vanishing()
    letters.send()
    assert letters.pool.busy == 0
    letters.pool.close()
    backend.close()
