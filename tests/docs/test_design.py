"""The module table of the design page is that of the package."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TABLE = re.findall(r"^\| (`[^|]*`) \|", (ROOT / "docs/design.md").read_text("utf-8"), re.MULTILINE)
NAMED = {name.rstrip("/") for cell in TABLE for name in re.findall(r"`([\w/]+)`", cell)}


def test_the_table_of_the_design_names_what_is_there() -> None:
    package = ROOT / "stepsched"
    missing = {
        name for name in NAMED if not (package / name).is_dir() and not (package / f"{name}.py").is_file()
    }
    assert "backends/local" in NAMED
    assert missing == set()


def test_every_room_of_the_package_stands_in_the_table_of_the_design() -> None:
    package = ROOT / "stepsched"
    rooms = {path.name for path in package.iterdir() if path.is_dir() and (path / "__init__.py").exists()}
    files = {path.stem for path in package.glob("*.py")} - {"__init__"}
    backends = {f"backends/{path.name}" for path in (package / "backends").iterdir() if path.is_dir()}
    wanted = rooms - {"backends"} | files | {each for each in backends if "__pycache__" not in each}
    assert wanted <= NAMED
