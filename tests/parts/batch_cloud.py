"""The emulator ministack with AWS Batch that runs processes, as one part for tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import pytest

from tests.parts.batch import Batch
from tests.parts.environments import PartMissingError
from tests.parts.ministack import Ministack, clients, delete_schedules


class BatchCloud(NamedTuple):
    """Two servers with the same accounts: clients of ``ministack``, and machines in it, call ``batch``."""

    ministack: Ministack
    batch: Batch

    @contextmanager
    def account(self) -> Iterator[str]:
        """The number of an empty account; afterwards its schedules are gone and the clock is right again."""
        number = self.ministack.new_account()
        yield number
        with clients(self.ministack, number) as client:
            delete_schedules(client("scheduler"))
        self.ministack.reset_time()


@contextmanager
def running() -> Iterator[BatchCloud]:
    """Both servers for a fixture: skips the tests if an environment is missing, and says how to make it."""
    try:
        batch = Batch()
        ministack = Ministack(batch)
    except PartMissingError as missing:
        pytest.skip(str(missing))
    with batch, ministack:
        yield BatchCloud(ministack, batch)
