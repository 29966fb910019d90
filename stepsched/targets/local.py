"""What the embedded backend invokes in this process."""

import re
import sys
from collections.abc import Callable, Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, PrivateAttr, field_validator
from typing_extensions import Self

from stepsched.core.values import PositionalValue

_PATH = r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*"


class HandlerTarget(PositionalValue, frozen=True):
    """Calls a Python function in the process that runs the embedded backend.

    The function is called with what it asks for: ``f()``, ``f(input)``, or ``f(input, run)`` with the
    :class:`Run`. Only required parameters count, so that ``greet(name, greeting="hi")`` gets the input
    alone. A parameter that is called ``run`` or annotated ``ss.Run`` gets the run wherever it stands,
    optional or by keyword too; annotated as something else, it is like any other. Where no parameter is
    required, the first optional one gets the input; it keeps its default where the job has none (``{}``).
    ``*args`` gets the input. A coroutine function is run to its end.
    """

    kind: Literal["handler"] = "handler"
    handler: str
    """``package.module:function``. A function that cannot be imported by name (a lambda, or one
    defined inside another) shows where it was defined, and lives as long as this process."""
    _function: Callable[..., object] | None = PrivateAttr(None)

    def __init__(self, handler: str | Callable[..., object], *, kind: Literal["handler"] = "handler") -> None:
        """A function by name, or itself.

        Args:
            handler: ``"package.module:function"``, or a callable. What can be imported is kept by
                its name, so that another process can run it too.

        Raises:
            ValueError: Neither a path of that form nor a callable.
        """
        if isinstance(handler, str):
            if not re.fullmatch(_PATH, handler):
                raise ValueError(f"{handler!r} is not of the form 'package.module:function'")
            self._assign(handler=handler, kind=kind)
            return
        if not callable(handler):
            raise ValueError(f"{handler!r} is neither 'package.module:function' nor callable")  # noqa: TRY004 -- pydantic collects ValueError
        module = _module_name(handler)
        name = getattr(handler, "__qualname__", None) or f"{type(handler).__qualname__}()"
        self._assign(handler=f"{module}:{name}", kind=kind)
        if not re.fullmatch(_PATH, self.handler) or _find(handler, name) != handler:
            self._function = handler

    @classmethod
    def of_definition(cls, function: Callable[..., object]) -> Self:
        """The target of a function that is being defined.

        It is known by its name already, although its module does not hold it yet: what the module has under
        that name in the end is called. A function that no name will lead to is its own target.

        Raises:
            ValueError: It is not callable.
        """
        module, name = (getattr(function, each, None) for each in ("__module__", "__qualname__"))
        if module not in sys.modules or not re.fullmatch(_PATH, f"{module}:{name or '<none>'}"):
            return cls(function)  # such as <locals>, <lambda>
        return cls(f"{_module_name(function)}:{name}")

    @property
    def function(self) -> Callable[..., object] | None:
        """The callable that no name leads to; None where ``handler`` can be imported."""
        return self._function


class CommandTarget(PositionalValue, frozen=True):
    """Runs a program, without a shell; the job's input is its standard input, as JSON."""

    kind: Literal["command"] = "command"
    command: tuple[Annotated[str, Field(min_length=1)], ...] = Field(min_length=1)
    """The program and its arguments."""

    def __init__(self, command: Sequence[str], *, kind: Literal["command"] = "command") -> None:
        if not isinstance(command, (list, tuple)):
            raise ValueError(  # noqa: TRY004 -- pydantic collects ValueError
                f"{command!r} is no list; give the program and its arguments in order, such as "
                "['python', 'report.py'] (no shell reads it)"
            )
        self._assign(command=command, kind=kind)

    @field_validator("command")
    @classmethod
    def _has_no_nul(cls, command: tuple[str, ...]) -> tuple[str, ...]:
        if any("\0" in part for part in command):
            raise ValueError("an argument holds a NUL character, which no program can be given")
        return command


def _module_name(handler: object) -> str:
    """The name by which another process finds the handler's module, where there is one."""
    module = getattr(handler, "__module__", None) or type(handler).__module__
    return main_module_name() or module if module == "__main__" else module


def main_module_name() -> str | None:
    """The name by which the program that runs can be imported; None in a notebook or a shell."""
    main = sys.modules.get("__main__")
    spec = getattr(main, "__spec__", None)
    if spec is not None and spec.name:  # python -m package.module
        return str(spec.name)
    file = getattr(main, "__file__", None)
    return _script_name(file) if file else None


@lru_cache(maxsize=8)
def _script_name(file: str) -> str | None:
    name = Path(file).stem
    try:
        found = find_spec(name) if name.isidentifier() else None
    except (ImportError, ValueError):
        return None
    origin = found.origin if found is not None else None
    return name if origin is not None and Path(origin).resolve() == Path(file).resolve() else None


def _find(handler: object, name: str) -> object:
    module = getattr(handler, "__module__", None) or type(handler).__module__
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return found
