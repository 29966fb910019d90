"""What each backend can do is declared once."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest

import stepsched as ss
from stepsched.backends.base import Backend
from stepsched.backends.capabilities import BUILT_IN, Capabilities, backends_with
from stepsched.testing.contract.refusals import NEEDS
from tests.unit.test_every_backend import VERBS

NAMES = [field.name for field in fields(Capabilities)]


def test_each_backend_of_the_package_has_what_is_declared_for_its_class() -> None:
    assert [name for name in ss.__all__ if name.endswith("Backend")] == sorted(BUILT_IN)
    for name, declared in BUILT_IN.items():
        assert getattr(ss, name).capabilities is declared


def test_a_backend_that_declares_nothing_can_do_everything() -> None:
    assert Backend.capabilities == Capabilities()
    assert Capabilities().missing == ()
    assert Capabilities(overlap=False, notify=False).missing == ("overlap", "notify")


@pytest.mark.parametrize("value", ["no", "", 0, 1, None])
def test_a_capability_is_declared_by_true_or_false(value: Any) -> None:
    with pytest.raises(TypeError, match=f"^expected True or False for functions, got {value!r}$"):
        Capabilities(functions=value)


def test_each_capability_is_asked_of_every_backend() -> None:
    """One that is added needs a job or a verb by which the contract suite proves it."""
    asked = {each.values[0] for each in NEEDS} | VERBS.keys() | {"unique_names"}
    assert asked == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_each_capability_is_present_in_one_backend_and_missing_in_another(name: str) -> None:
    assert 0 < len(backends_with(name)) < len(BUILT_IN)


def test_the_backends_that_have_all_of_several_capabilities_are_named_in_one_order() -> None:
    assert backends_with() == ("EventBridgeBackend", "StepFunctionsBackend", "LocalBackend")
    assert backends_with("overlap") == ("StepFunctionsBackend", "LocalBackend")
    assert backends_with("overlap", "fractions") == ("LocalBackend",)
    assert backends_with("functions", "aws_targets") == ()


def test_a_capability_is_not_misspelt_or_changed() -> None:
    with pytest.raises(AttributeError, match="overlaps"):
        backends_with("overlaps")
    given: Any = Capabilities()
    with pytest.raises(AttributeError):
        given.overlap = False
