"""Modules whose names are imported on first use."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module


def loader(
    module: str, homes: Mapping[str, Iterable[str]], *, extra: str | None = None
) -> Callable[[str], object]:
    """Returns a ``__getattr__`` for a module that imports each name from its defining module (PEP 562).

    Args:
        module: The ``__name__`` of the module.
        homes: The names by the module that defines them.
        extra: The extra without which these modules cannot be imported, which the error then names.
    """
    home_of = {name: home for home, names in homes.items() for name in names}

    def load(name: str) -> object:
        if name not in home_of:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        try:
            value = getattr(import_module(home_of[name]), name)
        except ModuleNotFoundError as error:
            package = str(error.name).partition(".")[0]
            if extra is None or package == "stepsched":
                raise
            reason = f"{package} is not installed; use: pip install 'stepsched[{extra}]'"
            raise ModuleNotFoundError(reason, name=error.name, path=error.path) from error
        setattr(sys.modules[module], name, value)
        return value

    return load
