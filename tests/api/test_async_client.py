"""Each asynchronous client has every verb of the other one, at run time and for type checkers."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import stepsched as ss
from tests.api.stub import CLASSES, PACKAGE, STREAMS, STUB, normal, streamed_doc, written

CLIENTS: list[tuple[type[Any], type[Any]]] = [
    (ss.SchedulerClient, ss.AsyncSchedulerClient),
    (ss.WorkflowClient, ss.AsyncWorkflowClient),
]
"""The clients, each with the asynchronous one."""
OWN_WORDS = {"watch": ss.AsyncSchedulerClient.watch}
"""The verbs that say themselves what they do, since it is not the same: a task ends in another way."""


def verbs_of(client: type[Any]) -> list[str]:
    return [name for name, value in vars(client).items() if callable(value) and name[0] != "_"]


PUBLIC = [
    pytest.param(one, other, name, id=f"{one.__name__}.{name}")
    for one, other in CLIENTS
    for name in (*verbs_of(one), "from_stack")
]


def doc_of(verb: Any) -> str:
    """The docstring that the asynchronous form of a verb has."""
    text = inspect.getdoc(OWN_WORDS.get(verb.__name__, verb)) or ""
    return streamed_doc(text) if verb.__name__ in STREAMS else text


def test_a_stream_is_read_with_async_for() -> None:
    client: Any = ss.AsyncSchedulerClient
    text = inspect.getdoc(client.upcoming) or ""
    assert "Returns:\n    An asynchronous iterator: read it with ``async for``.\n\nRaises:" in text
    assert "print()" not in text
    assert "Raises:" in (inspect.getdoc(client.iterate) or "")


def test_a_property_of_the_stub_is_not_awaited() -> None:
    backends = [
        each
        for name in ("AsyncSchedulerClient", "AsyncWorkflowClient")
        for each in stub_class(name).body
        if getattr(each, "name", None) == "backend"
    ]
    assert [type(each) for each in backends] == [ast.FunctionDef] * 2


def stub_class(name: str) -> ast.ClassDef:
    module = ast.parse(STUB.read_text(encoding="utf-8"))
    return next(each for each in module.body if isinstance(each, ast.ClassDef) and each.name == name)


def test_there_are_verbs_to_compare() -> None:
    wanted = {"create", "get", "list", "iterate", "wait", "upcoming", "close", "runs"}
    assert wanted <= set(verbs_of(ss.SchedulerClient))
    assert {"put", "start", "wait", "restart", "close"} <= set(verbs_of(ss.WorkflowClient))


@pytest.mark.parametrize(("one", "other", "name"), PUBLIC)
def test_every_verb_takes_the_same_arguments(one: Any, other: Any, name: str) -> None:
    client = other.__name__
    one, other = getattr(one, name), getattr(other, name)
    assert list(inspect.signature(other).parameters.values()) == list(
        inspect.signature(one).parameters.values()
    )
    assert inspect.getdoc(other) == doc_of(one)
    if name in STREAMS:
        assert inspect.isasyncgenfunction(other)
        assert inspect.signature(other).return_annotation == f"AsyncIterator[{STREAMS[name]}]"
    else:
        assert inspect.iscoroutinefunction(other)
        assert inspect.signature(other).return_annotation == inspect.signature(one).return_annotation
    assert other.__qualname__ == f"{client}.{name}"
    assert other.__module__ == "stepsched.aio"


@pytest.mark.parametrize(("one", "other", "name"), PUBLIC)
def test_what_is_not_a_stream_gives_no_iterator(one: Any, other: Any, name: str) -> None:
    """An iterator that is awaited would be read by the loop, and block it."""
    assert hasattr(other, name)
    returns = str(inspect.signature(getattr(one, name)).return_annotation)
    assert (name in STREAMS) is (returns == "Upcoming" or returns.startswith("Iterator["))


FORMS = {"to_html", "to_markdown", "to_text"}
"""What a client shows of itself: no calls, and awaited in neither class."""


@pytest.mark.parametrize(("one", "other"), CLIENTS)
def test_it_has_nothing_else_in_public(one: Any, other: Any) -> None:
    public = {name for name in dir(other) if name[0] != "_"}
    assert public - FORMS == {*verbs_of(one), "from_stack", "backend"} - FORMS


def test_the_stub_is_as_it_would_be_written_now() -> None:
    assert normal(STUB.read_text(encoding="utf-8")) == normal(written()), "run python -m tests.api.stub"


@pytest.mark.parametrize(("one", "other", "name"), PUBLIC)
def test_the_stub_has_every_verb_with_its_docstring(one: Any, other: Any, name: str) -> None:
    (verb,) = [
        each
        for each in stub_class(other.__name__).body
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef) and each.name == name
    ]
    assert isinstance(verb, ast.AsyncFunctionDef) is (name not in STREAMS)
    assert ast.get_docstring(verb) == doc_of(getattr(one, name))


def test_the_stub_shows_the_public_names_and_no_other() -> None:
    module = ast.parse(STUB.read_text(encoding="utf-8"))
    assert tuple(each.name for each in module.body if isinstance(each, ast.ClassDef)) == CLASSES
    assert {
        name for name in ss.__all__ if getattr(getattr(ss, name), "__module__", "") == "stepsched.aio"
    } == set(CLASSES)


def test_the_code_behind_the_stub_is_checked_too() -> None:
    """With a stub beside it, mypy reads a module only where it is named."""
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", str(PACKAGE / "aio.py")],
        cwd=Path(PACKAGE).parent,
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )
    assert done.returncode == 0, done.stdout + done.stderr
