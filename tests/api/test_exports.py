"""What ``import stepsched`` offers."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from importlib.metadata import version
from types import ModuleType

import pytest

import stepsched as ss

NAMES = list(ss.__all__)


def public_objects() -> Iterator[tuple[str, object]]:
    """Every public class and function, and every public member that a class of ours gives it."""
    exported = [(name, getattr(ss, name)) for name in NAMES]
    testing = [
        (f"testing.{name}", value)
        for name, value in vars(ss.testing).items()
        if not name.startswith("_") and getattr(value, "__module__", "") == "stepsched.testing"
    ]
    for name, value in exported + testing:
        if not (inspect.isclass(value) or inspect.isfunction(value)):
            continue
        yield name, value
        if inspect.isclass(value):
            for owner in value.__mro__:
                if not owner.__module__.startswith("stepsched"):
                    continue
                for member, raw in vars(owner).items():
                    if not member.startswith("_") and is_callable_or_property(raw):
                        yield f"{name}.{member}", getattr(value, member)


def is_callable_or_property(raw: object) -> bool:
    return isinstance(raw, property | classmethod | staticmethod) or inspect.isfunction(raw)


OBJECTS = dict(public_objects())


@pytest.mark.parametrize("name", NAMES)
def test_every_exported_name_loads_and_is_the_same_ever_after(name: str) -> None:
    assert getattr(ss, name) is getattr(ss, name)


def test_the_names_are_sorted_and_each_stands_once() -> None:
    assert sorted(set(NAMES)) == NAMES


def test_dir_shows_the_exported_names() -> None:
    assert dir(ss) == sorted(NAMES)


def test_a_star_import_gives_every_name() -> None:
    namespace: dict[str, object] = {}
    exec("from stepsched import *", namespace)
    assert set(NAMES) <= set(namespace)


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
    assert inspect.isclass(ss.testing.FakeClock)
    assert vars(ss)["__getattr__"]("testing") is ss.testing


@pytest.mark.parametrize("name", sorted(OBJECTS))
def test_every_public_class_function_and_method_has_a_docstring(name: str) -> None:
    text = inspect.getdoc(OBJECTS[name])
    assert text, f"{name} has no docstring"
    if "." not in name and inspect.isclass(OBJECTS[name]):
        assert "__doc__" in vars(OBJECTS[name]), f"{name} has only the docstring of its parent"


@pytest.mark.parametrize("name", sorted(name for name in OBJECTS if inspect.isclass(OBJECTS[name])))
def test_every_public_class_says_that_it_is_ours(name: str) -> None:
    """So that a traceback, a pickle and a sphinx link lead to a module that exists."""
    value = OBJECTS[name]
    assert inspect.isclass(value)
    assert value.__module__.split(".")[0] == "stepsched"
