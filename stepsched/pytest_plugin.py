"""The pytest plugin, loaded by its entry point. It imports little until its fixture is used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from stepsched.testing import TimeTravel

pytest.register_assert_rewrite("stepsched.testing.contract")
_MARKER = "time_travel(start=..., recorder=..., strict=...): the arguments of the fixture time_travel"


def pytest_configure(config: pytest.Config) -> None:
    """Registers the marker of the fixture."""
    config.addinivalue_line("markers", _MARKER)


@pytest.fixture
def time_travel(request: pytest.FixtureRequest) -> Iterator[TimeTravel]:
    """Provides a :class:`stepsched.testing.TimeTravel`, closed at the end of the test.

    Its clock shows 1 January 2030 first. ``@pytest.mark.time_travel(start=..., recorder=..., strict=...)``
    gives it other arguments, and so does an indirect parameter: a start, or a mapping of arguments. With
    ``strict=True`` the test fails if a run has failed for good.
    """
    from stepsched.testing import TimeTravel

    with TimeTravel(**_arguments(request)) as travel:
        yield travel


def _arguments(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The arguments of the nearest marker of each name, and of the parameter, which counts most."""
    given: dict[str, Any] = {}
    for marker in reversed(list(request.node.iter_markers("time_travel"))):
        if len(marker.args) > 1:
            raise TypeError(f"expected at most a start in the marker time_travel, got {marker.args}")
        given |= dict(zip(("start",), marker.args, strict=False)) | marker.kwargs
    parameter = getattr(request, "param", {})
    return given | (dict(parameter) if isinstance(parameter, Mapping) else {"start": parameter})
