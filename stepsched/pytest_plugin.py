"""The pytest plugin, loaded by its entry point. It imports little until its fixture is used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from stepsched.testing import TimeTravel

pytest.register_assert_rewrite("stepsched.testing.contract")
_MARKER = (
    "time_travel(start=..., recorder=..., record=..., strict=...): the arguments of the fixture time_travel"
)
_ARGUMENTS = ("start", "recorder", "record", "strict")
_STRICT = "time_travel_strict"
_travel = pytest.StashKey["TimeTravel"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declares the option of the configuration file."""
    words = "a test with the fixture time_travel fails if a run has failed, unless it says strict=False"
    parser.addini(_STRICT, words, type="bool", default=False)


def pytest_configure(config: pytest.Config) -> None:
    """Registers the marker of the fixture."""
    config.addinivalue_line("markers", _MARKER)


@pytest.hookimpl(trylast=True)
def pytest_runtest_call(item: pytest.Item) -> None:
    """Fails a test whose travel finds faults at the end. It comes after the test, if that has passed."""
    travel = item.stash.get(_travel, None)
    if travel is None:
        return
    try:
        travel.check()
    except AssertionError as failed:
        reason = str(failed)
    else:
        return
    pytest.fail(reason, pytrace=False)  # the lines of this plugin would tell nothing


@pytest.fixture
def time_travel(request: pytest.FixtureRequest) -> Iterator[TimeTravel]:
    """Provides a :class:`stepsched.testing.TimeTravel`, closed at the end of the test.

    Its clock shows 1 January 2030 first. ``@pytest.mark.time_travel(start=..., recorder=..., record=...,
    strict=...)`` gives it other arguments, and so does an indirect parameter: a start, or a mapping of
    arguments. With ``strict=True`` the test fails if at its end a run has failed for good, or waits for a
    retry; ``time_travel_strict = true`` in the configuration of pytest says so for all tests. A name to
    record that no job and no step ever had fails the test too.
    """
    from stepsched.testing import TimeTravel

    travel = TimeTravel(**({"strict": request.config.getini(_STRICT)} | _arguments(request)))
    request.node.stash[_travel] = travel
    yield travel
    travel.close()


def _arguments(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The arguments of the nearest marker of each name, and of the parameter, which counts most."""
    given: dict[str, Any] = {}
    for marker in reversed(list(request.node.iter_markers("time_travel"))):
        if len(marker.args) > 1:
            raise TypeError(f"expected at most a start in the marker time_travel, got {marker.args}")
        given |= dict(zip(("start",), marker.args, strict=False)) | marker.kwargs
    parameter = getattr(request, "param", {})
    given |= dict(parameter) if isinstance(parameter, Mapping) else {"start": parameter}
    unknown = [name for name in given if name not in _ARGUMENTS]
    if unknown:
        pytest.fail(f"expected {', '.join(_ARGUMENTS)} for time_travel, got {unknown[0]!r}", pytrace=False)
    return given
