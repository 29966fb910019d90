"""Targets of the embedded backend: functions and commands."""

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from importlib.util import find_spec
from os import PathLike, fspath
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, PrivateAttr, field_validator
from typing_extensions import Self

from stepsched.core.payloads import Text
from stepsched.core.quoting import quoted
from stepsched.core.values import ShortKeys
from stepsched.targets.base import TargetValue

_PATH = r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*"


class HandlerTarget(TargetValue, frozen=True):
    """Calls a Python function in the process that runs the embedded backend.

    The arguments follow from the function's signature: ``f()``, ``f(input)``, or ``f(input, run)`` with the
    :class:`Run`. Only required parameters count, so ``greet(name, greeting="hi")`` gets only the input. A
    parameter that is called ``run`` or annotated ``ss.Run`` gets the run at any position, even if it is
    optional or keyword-only; a parameter ``run`` with another annotation is an ordinary one. If no parameter
    is required, the first optional one gets the input, unless the job has no input (``{}``). ``*args`` gets
    the input. A coroutine function is awaited.
    """

    kind: Literal["handler"] = "handler"
    handler: str
    """The name of the function, ``package.module:function``. For a function that cannot be imported by name
    (a lambda, or one defined inside another) it shows where the function was defined; such a target exists
    only in this process."""
    _function: Callable[..., object] | None = PrivateAttr(None)

    def __init__(self, handler: str | Callable[..., object], *, kind: Literal["handler"] = "handler") -> None:
        """Creates a target from a function or its name.

        Args:
            handler: The name ``"package.module:function"``, or a callable. A callable that can be imported is
                stored by its name, so that another process can call it too.

        Raises:
            ValueError: ``handler`` is neither a name of that form nor a callable.
        """
        if isinstance(handler, str):
            if not re.fullmatch(_PATH, handler):
                raise ValueError(f"expected the form 'package.module:function', got {quoted(handler)}")
            self._assign(handler=handler, kind=kind)
            return
        if not callable(handler):
            raise ValueError(f"expected 'package.module:function' or a callable, got {quoted(handler)}")  # noqa: TRY004 -- pydantic collects ValueError
        module = _module_name(handler)
        name = getattr(handler, "__qualname__", None) or f"{type(handler).__qualname__}()"
        self._assign(handler=f"{module}:{name}", kind=kind)
        if not re.fullmatch(_PATH, self.handler) or _find(handler, name) != handler:
            self._function = handler

    @classmethod
    def of_definition(cls, function: Callable[..., object]) -> Self:
        """Creates the target of a function that is just being defined.

        The function is stored by its name, although its module does not contain it yet: the object that the
        module finally has under this name is called. A function without such a name is stored itself.

        Raises:
            ValueError: ``function`` is not callable.
        """
        module, name = (getattr(function, each, None) for each in ("__module__", "__qualname__"))
        if module not in sys.modules or not re.fullmatch(_PATH, f"{module}:{name or '<none>'}"):
            return cls(function)  # such as <locals>, <lambda>
        return cls(f"{_module_name(function)}:{name}")

    @property
    def function(self) -> Callable[..., object] | None:
        """The callable itself, if it cannot be imported by name; None if ``handler`` can be imported."""
        return self._function


class CommandTarget(TargetValue, frozen=True):
    """Runs a program without a shell. The program reads the job's input as JSON from its standard input, or
    the text ``stdin``."""

    kind: Literal["command"] = "command"
    command: tuple[Annotated[str, Field(min_length=1)], ...] = Field(min_length=1)
    """The program and its arguments."""
    cwd: Text | None = None
    """The working directory. A ``~`` at its beginning is the home directory of the user that runs the
    program. None: the working directory of the process."""
    env: Annotated[dict[Text, Text], ShortKeys] = Field(default_factory=dict)
    """Environment variables by name, added to those of the process. ``PATH`` also applies to the search for
    the program. A value is text, in which nothing is replaced."""
    stdin: Text | None = None
    """The text of the standard input, instead of the job's input. None: the job's input as JSON."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        cwd: str | PathLike[str] | None = None,
        env: Mapping[str, str] | None = None,
        stdin: str | None = None,
        kind: Literal["command"] = "command",
    ) -> None:
        if not isinstance(command, (list, tuple)):
            raise ValueError(  # noqa: TRY004 -- pydantic collects ValueError
                f"expected a list, got {quoted(command)}; use the program and its arguments, such as "
                "['python', 'report.py'] (there is no shell)"
            )
        given = {
            "cwd": fspath(cwd) if isinstance(cwd, PathLike) else cwd,
            "env": dict(env) if isinstance(env, Mapping) else env,
            "stdin": stdin,
        }
        present = {name: value for name, value in given.items() if value is not None}
        self._assign(command=command, kind=kind, **present)

    @field_validator("command")
    @classmethod
    def _has_no_nul(cls, command: tuple[str, ...]) -> tuple[str, ...]:
        if any("\0" in part for part in command):
            raise ValueError("expected arguments without NUL characters, got one with a NUL character")
        return command

    @field_validator("cwd")
    @classmethod
    def _is_path(cls, cwd: str | None) -> str | None:
        if cwd is not None and (not cwd or "\0" in cwd):
            raise ValueError(f"expected the path of a folder, without NUL characters, got {quoted(cwd)}")
        return cwd

    @field_validator("env")
    @classmethod
    def _are_variables(cls, env: dict[str, str]) -> dict[str, str]:
        for name, value in env.items():
            if not name or "=" in name or "\0" in name:
                raise ValueError(
                    f"expected names of variables without '=' and NUL characters, got {quoted(name)}"
                )
            if "\0" in value:
                raise ValueError(f"expected values without NUL characters, got one in {quoted(name)}")
        return env


def _module_name(handler: object) -> str:
    """Returns the name by which another process can import the handler's module, if there is one."""
    module = getattr(handler, "__module__", None) or type(handler).__module__
    return main_module_name() or module if module == "__main__" else module


def main_module_name() -> str | None:
    """Returns the name by which the main program can be imported; None in a notebook or a shell."""
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
