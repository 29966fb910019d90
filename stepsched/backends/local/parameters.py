"""Determines the arguments of a handler from its signature."""

from __future__ import annotations

import builtins
import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache, partial
from types import UnionType
from typing import Annotated, Any, ForwardRef, NamedTuple, Union, get_args, get_origin

from stepsched.jobs import Run

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_SAY_NOTHING = (inspect.Parameter.empty, Any, object, None, type(None))
_OPTIONAL = re.compile(r"^(?:[A-Za-z_]+\.)?Optional\[(.*)\]$")
_UNKNOWN_RUN = "Run"
"""The last part of an annotation that names the class of runs but cannot be resolved."""
_MISSING: Any = object()


class Given(NamedTuple):
    """The arguments of a function: indexes of the values, positional and by keyword."""

    positional: tuple[int, ...]
    keywords: tuple[tuple[str, int], ...] = ()


class Call(NamedTuple):
    """How a function is called."""

    given: Given
    without_input: Given
    """The arguments if the first value is the empty input: an optional parameter keeps its default."""

    def arguments(self, values: Sequence[object]) -> tuple[list[object], dict[str, object]]:
        """Returns the arguments of one call, positional and by keyword."""
        given = self.without_input if values[0] == {} else self.given
        return [values[index] for index in given.positional], {
            name: values[index] for name, index in given.keywords
        }


def call_of(function: Callable[..., object], values: int) -> Call | None:
    """Determines how a function is called with the values that it accepts.

    Its required positional parameters get the values in order. A parameter that is called ``run`` or
    annotated :class:`Run` gets the run, at any position and even if it is optional; ``*args`` gets all other
    values. If no other parameter is required, the first optional parameter gets the first value.

    Args:
        function: Any callable.
        values: The number of values, at least two; the last one is the run.

    Returns:
        The call, or None if the function cannot be called with them.
    """
    try:
        return _cached(function, values)
    except TypeError:  # a callable that is not hashable
        return _call_of(function, values)


def _call_of(function: Callable[..., object], values: int) -> Call | None:
    parameters = _parameters_of(function)
    if parameters is None:  # a builtin without a signature
        return Call(Given((0,)), Given((0,)))
    namespace = _namespace_of(function)
    runs = {each.name for each in parameters if _is_run(each, namespace)}
    required = [each for each in parameters if each.name not in runs and _is_required(each)]
    others = values - bool(runs)
    if len(required) > others or any(each.kind is each.KEYWORD_ONLY for each in required):
        return None
    wanted = dict.fromkeys(runs, values - 1) | {each.name: at for at, each in enumerate(required)}
    given = _given(parameters, wanted, values - 1)
    optional = [each for each in parameters if each.kind in _POSITIONAL and each.name not in wanted]
    if required or not optional:
        return Call(given, given)
    return Call(_given(parameters, {**wanted, optional[0].name: 0}, values - 1), given)


_cached = lru_cache(maxsize=1024)(_call_of)


def _given(parameters: Sequence[inspect.Parameter], wanted: Mapping[str, int], run: int) -> Given:
    positional: list[int] = []
    keywords: list[tuple[str, int]] = []
    passed_over = False  # from then on the parameters before are not all given
    for each in parameters:
        if each.kind is each.VAR_POSITIONAL and not passed_over:
            positional += [index for index in range(run) if index not in positional]
        elif each.kind not in _POSITIONAL or (passed_over and each.kind is not each.POSITIONAL_ONLY):
            keywords += [(each.name, wanted[each.name])] if each.name in wanted else []
        elif each.name in wanted and not passed_over:
            positional.append(wanted[each.name])
        else:
            passed_over = True
    return Given(tuple(positional), tuple(keywords))


def _parameters_of(function: Callable[..., object]) -> list[inspect.Parameter] | None:
    """Returns the parameters of a function. For a wrapper with ``*args, **kwargs`` they are those of the
    wrapped function."""
    try:
        found = list(inspect.signature(function, follow_wrapped=False).parameters.values())
        if any(each.kind is each.VAR_POSITIONAL for each in found):
            found = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return None
    return found


def _is_required(parameter: inspect.Parameter) -> bool:
    is_named = parameter.kind in (*_POSITIONAL, parameter.KEYWORD_ONLY)
    return is_named and parameter.default is parameter.empty


def _is_run(parameter: inspect.Parameter, namespace: Mapping[str, object]) -> bool:
    """Returns whether a parameter gets the run: by its annotation, or by its name if the annotation allows
    it."""
    if parameter.kind not in (*_POSITIONAL, parameter.KEYWORD_ONLY):
        return False
    types = [_meaning(each, namespace) for each in _alternatives(parameter.annotation)]
    if any(each is Run or each == _UNKNOWN_RUN for each in types):
        return True
    return parameter.name == "run" and not any(map(_says_something, types))


def _alternatives(annotation: object) -> Iterator[object]:
    """Yields the alternatives of a union annotation; strings are not resolved."""
    if isinstance(annotation, ForwardRef):
        annotation = annotation.__forward_arg__
    origin = get_origin(annotation)
    if isinstance(annotation, str):
        text = _OPTIONAL.sub(r"\1", annotation)
        yield from (part.strip("\"' ") for part in ([text] if "[" in text else text.split("|")))
    elif origin is Union or origin is UnionType:
        yield from (each for part in get_args(annotation) for each in _alternatives(part))
    elif origin is Annotated:
        yield from _alternatives(get_args(annotation)[0])
    else:
        yield annotation


def _meaning(annotation: object, namespace: Mapping[str, object]) -> object:
    """Resolves a string annotation; returns its last part if it cannot be resolved, as with imports for type
    checkers only."""
    if not isinstance(annotation, str) or not annotation.replace(".", "").isidentifier():
        return annotation
    first, *rest = annotation.split(".")
    found = namespace.get(first, getattr(builtins, first, _MISSING))
    for part in rest:
        found = getattr(found, part, _MISSING)
    return annotation.rpartition(".")[2] if found is _MISSING else found


def _says_something(meaning: object) -> bool:
    """Returns whether a type excludes a run: it is neither any object nor a name that cannot be resolved."""
    if isinstance(meaning, str):
        return "[" in meaning
    return not any(meaning is each for each in _SAY_NOTHING)


def _namespace_of(function: Any) -> Mapping[str, object]:
    """Returns the namespace of a function's annotations."""
    while True:
        if isinstance(function, partial):
            function = function.func
        elif hasattr(function, "__wrapped__"):
            function = function.__wrapped__
        elif inspect.ismethod(function):
            function = function.__func__
        else:
            break
    if inspect.isclass(function):
        function = function.__init__
    elif not hasattr(function, "__globals__"):
        function = type(function).__call__
    found: Mapping[str, object] = getattr(function, "__globals__", {})
    return found
