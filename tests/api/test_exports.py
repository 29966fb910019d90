"""What ``import stepsched`` offers."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import TypeGuard, get_origin

import pytest

import stepsched as ss


def is_class(value: object) -> TypeGuard[type]:
    """Whether it is a class. Python 3.10 says so of an alias such as ``Callable[[int], int]`` too."""
    return inspect.isclass(value) and get_origin(value) is None


NAMES = list(ss.__all__)
SPACES = list(ss._NAMESPACES)
INSIDE = [(space, name) for space in SPACES for name in getattr(ss, space).__all__]


def public_objects() -> Iterator[tuple[str, object]]:
    """Every public class and function, and every public member that a class of ours gives it."""
    exported = [(name, getattr(ss, name)) for name in NAMES]
    inside = [(f"{space}.{name}", getattr(getattr(ss, space), name)) for space, name in INSIDE]
    for name, value in exported + inside:
        if not (is_class(value) or inspect.isfunction(value)):
            continue
        yield name, value
        if is_class(value):
            for owner in value.__mro__:
                if not owner.__module__.startswith("stepsched"):
                    continue
                for member, raw in vars(owner).items():
                    if not member.startswith("_") and is_callable_or_property(raw):
                        yield f"{name}.{member}", getattr(value, member)


def is_callable_or_property(raw: object) -> bool:
    return isinstance(raw, property | classmethod | staticmethod) or inspect.isfunction(raw)


OBJECTS = dict(public_objects())


def test_every_exported_name_loads_and_is_the_same_ever_after() -> None:
    assert [name for name in NAMES if getattr(ss, name) is not getattr(ss, name)] == []


def test_the_names_are_sorted_and_each_stands_once() -> None:
    assert sorted(set(NAMES)) == NAMES


def test_dir_shows_the_exported_names() -> None:
    assert dir(ss) == sorted(NAMES)


def test_a_star_import_gives_every_name() -> None:
    namespace: dict[str, object] = {}
    exec("from stepsched import *", namespace)
    assert set(NAMES) <= set(namespace)


def test_about_sixty_names_stand_at_the_top() -> None:
    """The rest has its place in a namespace: see the docstring of the package. The design names two more for
    calls of URLs, ``HttpTarget`` and ``verify_webhook``."""
    assert len(set(NAMES) - set(SPACES)) <= 62


@pytest.mark.parametrize("space", SPACES)
def test_a_namespace_shows_its_names_and_nothing_else(space: str) -> None:
    namespace = getattr(ss, space)
    assert isinstance(namespace, ModuleType)
    assert dir(namespace) == sorted(namespace.__all__)
    assert len(set(namespace.__all__)) == len(namespace.__all__)
    assert f"``{space}``" in str(ss.__doc__)


@pytest.mark.parametrize("space", SPACES)
def test_every_name_of_a_namespace_loads_and_is_the_same_ever_after(space: str) -> None:
    namespace = getattr(ss, space)
    for name in namespace.__all__:
        value = getattr(namespace, name)
        assert getattr(namespace, name) is value
        if name in NAMES:
            assert getattr(ss, name) is value


# Each of these has words of its own; nobody looks for them at the top.
OWN = {"asl", "context", "deploy", "iam", "testing"}


@pytest.mark.parametrize(
    ("space", "name"), [(space, name) for space, name in INSIDE if space not in OWN and name not in NAMES]
)
def test_a_name_that_stands_only_in_a_namespace_is_told_there(space: str, name: str) -> None:
    with pytest.raises(AttributeError, match=f"no attribute '{name}': it is stepsched.{space}.{name}$"):
        getattr(ss, name)


def test_the_namespace_of_errors_holds_every_error_and_loads_no_event_loop() -> None:
    assert ss.errors.CallCancelledError is ss.CallCancelledError
    assert "CallCancelledError" in dir(ss.errors)
    code = "import stepsched.errors, sys; sys.exit('asyncio' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_namespace_of_targets_holds_no_functions_of_the_package() -> None:
    assert [name for name in dir(ss.targets) if name[0].islower()] == []


def test_nothing_is_told_of_a_name_that_is_not_there() -> None:
    assert {(space, name) for space, names in ss._ELSEWHERE.items() for name in names} <= set(INSIDE)


@pytest.mark.parametrize("space", SPACES)
def test_an_unknown_name_of_a_namespace_is_answered_as_by_every_module(space: str) -> None:
    name = "Corn"
    with pytest.raises(AttributeError, match=r"^module 'stepsched[a-z.]*' has no attribute 'Corn'$"):
        getattr(getattr(ss, space), name)


@pytest.mark.parametrize("name", ["Corn", "jobs_", "__wrapped__", "cron", ""])
def test_an_unknown_name_is_answered_as_by_every_module(name: str) -> None:
    with pytest.raises(AttributeError, match=f"^module 'stepsched' has no attribute '{name}'$"):
        getattr(ss, name)
    assert not hasattr(ss, name)


def test_importing_an_unknown_name_is_an_import_error() -> None:
    with pytest.raises(ImportError, match="cannot import name 'Corn' from 'stepsched'"):
        exec("from stepsched import Corn")


def test_the_version_is_the_installed_one() -> None:
    assert ss.__version__ == version("stepsched")
    assert re.fullmatch(r"\d+\.\d+\.\d+", ss.__version__)


def test_testing_is_a_module_with_a_clock() -> None:
    assert isinstance(ss.testing, ModuleType)
    assert is_class(ss.testing.FakeClock)
    assert vars(ss)["__getattr__"]("testing") is ss.testing


def test_every_public_class_function_and_method_has_a_docstring() -> None:
    assert [name for name, value in OBJECTS.items() if not inspect.getdoc(value)] == []
    classes = {name: value for name, value in OBJECTS.items() if is_class(value)}
    assert [name for name, value in classes.items() if "__doc__" not in vars(value)] == []


def test_every_public_class_says_that_it_is_ours() -> None:
    """So that a traceback, a pickle and a sphinx link lead to a module that exists."""
    homes = {name: value.__module__ for name, value in OBJECTS.items() if is_class(value)}
    assert [name for name, home in homes.items() if home.split(".")[0] != "stepsched"] == []


@pytest.mark.parametrize(
    ("door", "home"),
    [("errors", "core.errors"), ("context", "core.context"), ("eventbridge", "backends.eventbridge")],
)
def test_a_namespace_can_be_imported_from_and_holds_what_its_home_defines(door: str, home: str) -> None:
    namespace, defined = (import_module(f"stepsched.{name}") for name in (door, home))
    assert getattr(ss, door) is namespace
    assert set(namespace.__all__) - set(defined.__all__) == (
        {"CallCancelledError"} if door == "errors" else set()
    )
    assert all(getattr(namespace, name) is getattr(defined, name) for name in defined.__all__)


BENCHMARKS = sorted(Path(__file__).resolve().parents[2].joinpath("benchmarks").glob("*.py"))


def test_there_are_benchmarks() -> None:
    assert BENCHMARKS


@pytest.mark.parametrize("path", BENCHMARKS, ids=lambda path: path.stem)
def test_what_a_benchmark_imports_is_there(path: Path) -> None:
    """Benchmarks run outside the gate, so a name that has moved would be missed only by whoever measures."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "stepsched":
            exec(ast.unparse(node), {})
