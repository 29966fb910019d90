"""An account for what calls AWS: a server of its own, which holds what the pages take as given."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.docs.account import account
from tests.parts.ministack import running


@pytest.fixture
def on_aws() -> Iterator[dict[str, str]]:
    """The environment of a process that finds a fresh account, as :func:`tests.docs.account.account`."""
    with running() as server, account(server) as environment:
        yield environment
