"""The versions of Python that the package runs on, and what is tested on them."""

from __future__ import annotations

import re

from tests import gate
from tests.parts import pythons


def test_the_versions_are_those_that_the_package_names() -> None:
    named = re.findall(
        r'"Programming Language :: Python :: (3\.\d+)"', (gate.ROOT / "pyproject.toml").read_text()
    )
    assert tuple(named) == pythons.VERSIONS


def test_the_others_are_found_in_order_and_run() -> None:
    found = pythons.others()
    assert pythons.OWN not in found
    assert found == [version for version in pythons.VERSIONS if version in found]
    assert all(pythons.interpreter(version) for version in found)
    assert pythons.another() == (found[-1] if found else None)


def test_what_is_left_out_on_other_pythons_exists() -> None:
    assert [path for path in pythons.SAME_EVERYWHERE if not (gate.ROOT / path).exists()] == []
