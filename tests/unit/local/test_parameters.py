"""Which parameter is given the run, by its annotation or by its name."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps
from typing import Annotated, Any, Optional, Union

import pytest

import stepsched as ss
from stepsched.backends.local.parameters import call_of


class Run:
    """Another one, of which nobody here knows."""


def annotated(annotation: object, parameter: str) -> Callable[..., object]:
    """A function of one optional parameter, called ``run`` or ``it``, with that annotation."""
    function: Callable[..., object] = (lambda run=None: run) if parameter == "run" else (lambda it=None: it)
    function.__annotations__ = {parameter: annotation}
    return function


def is_given_the_run(function: Callable[..., object]) -> bool:
    call = call_of(function, 2)
    assert call is not None
    positional, keywords = call.arguments(["the input", "the run"])
    return "the run" in (*positional, *keywords.values())


ASKS = [
    ss.Run,
    Optional[ss.Run],  # noqa: UP045 -- as written before Python 3.10
    Union[ss.Run, dict[str, int]],  # noqa: UP007 -- as above
    ss.Run | None,
    Annotated[ss.Run, "of this job"],
    "ss.Run",
    "ss.Run | None",
    "None | ss.Run",
    "'ss.Run'",
    "Optional[ss.Run]",
    "typing.Optional['ss.Run']",
    "unknown.Run",
    "unknown.Run | None",
    Optional["unknown.Run"],  # noqa: F821 -- imported for type checkers alone
]
SAYS_NOTHING = [Any, object, None, "Any", "typing.Any", "object", "None", "Unknown", "unknown.Order"]
ANOTHER = [
    bool,
    "bool",
    dict[str, ss.Run],
    "dict[str, ss.Run]",
    "list[int | ss.Run]",
    "str | None",
    Run,
    "Run",
]


@pytest.mark.parametrize("annotation", ASKS, ids=str)
def test_a_parameter_that_is_annotated_as_the_run_gets_it(annotation: object) -> None:
    assert is_given_the_run(annotated(annotation, "it"))
    assert is_given_the_run(annotated(annotation, "run"))


@pytest.mark.parametrize("annotation", SAYS_NOTHING, ids=str)
def test_where_the_annotation_says_nothing_the_name_counts(annotation: object) -> None:
    assert is_given_the_run(annotated(annotation, "run"))
    assert not is_given_the_run(annotated(annotation, "it"))


@pytest.mark.parametrize("annotation", ANOTHER, ids=str)
def test_a_parameter_that_is_annotated_otherwise_does_not_get_it_whatever_its_name(
    annotation: object,
) -> None:
    assert not is_given_the_run(annotated(annotation, "run"))
    assert not is_given_the_run(annotated(annotation, "it"))


class Started:
    def __init__(self, *, it: ss.Run | None = None, other: Run | None = None) -> None: ...


class Kept:
    def method(self, *, it: ss.Run | None = None, other: Run | None = None) -> None: ...

    def __call__(self, *, it: ss.Run | None = None, other: Run | None = None) -> None: ...


@wraps(Kept().method)
def wrapper(*arguments: Any, **keywords: Any) -> None: ...


@pytest.mark.parametrize(
    "function",
    [
        pytest.param(Started, id="class"),
        pytest.param(Kept(), id="callable object"),
        pytest.param(Kept().method, id="method"),
        pytest.param(partial(Kept()), id="partial of an object"),
        pytest.param(partial(Kept.method, Kept()), id="partial of a method"),
        pytest.param(wrapper, id="wrapper"),
    ],
)
def test_annotations_are_read_where_they_were_written(function: Callable[..., object]) -> None:
    """In this module the word ``Run`` means another class."""
    call = call_of(function, 2)
    assert call is not None
    assert call.given.keywords == (("it", 1),)
