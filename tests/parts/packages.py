"""Zip files of functions with the packages that they need, from the environment of the tests."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement

PACKAGE = Path(__file__).resolve().parents[2] / "stepsched"


def zipped(files: Mapping[str, str], requirements: Iterable[str], *, without: Iterable[str]) -> bytes:
    """The zip of a function: its own files, the package under test, and packages with what they require.

    Args:
        files: The text of each file of its own.
        requirements: The packages, as for pip.
        without: The packages that the place where the function runs has.
    """
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
        for path in PACKAGE.rglob("*"):
            if path.is_file() and path.suffix != ".pyc":
                archive.write(path, Path(PACKAGE.name) / path.relative_to(PACKAGE))
        for each in _closure(requirements, set(without)):
            for file in each.files or ():
                if file.suffix != ".pyc" and ".." not in file.parts:
                    archive.write(str(file.locate()), str(file))
    return packed.getvalue()


def _closure(
    requirements: Iterable[str], seen: set[str], extras: Iterable[str] = ("",)
) -> Iterator[Distribution]:
    for text in requirements:
        requirement = Requirement(text)
        name = requirement.name.lower().replace("_", "-")
        marker = requirement.marker
        if name in seen or not any(marker is None or marker.evaluate({"extra": extra}) for extra in extras):
            continue
        found = distribution(name)
        if name != PACKAGE.name:
            seen.add(name)
            yield found
        yield from _closure(found.requires or (), seen, ("", *requirement.extras))
