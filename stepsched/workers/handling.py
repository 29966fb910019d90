"""Calls the handler of a worker."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from pkgutil import resolve_name
from typing import Any

from stepsched.core.forks import only_here
from stepsched.core.loops import Loops
from stepsched.core.quoting import quoted
from stepsched.workers.messages import QueueMessage

Handler = Callable[[str], object] | Callable[[QueueMessage], object] | Callable[[], object] | str
"""A function, a coroutine function, or the name of one: ``"package.module:function"``."""
_NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


class Handling:
    """A handler, and how it is called. A named one is imported on first use."""

    def __init__(self, handler: Handler) -> None:
        """Takes a handler.

        Raises:
            TypeError: ``handler`` is neither callable nor a text.
            ValueError: ``handler`` is malformed, requires other arguments, or is a generator function.
        """
        self.loops = Loops()
        self._handler = handler
        self._call: Callable[[QueueMessage], object] | None = None
        if isinstance(handler, str):
            if not _NAME.fullmatch(handler):
                raise ValueError(
                    f"expected handler in the form 'package.module:function', got {quoted(handler)}"
                )
        elif callable(handler):
            self._call = _caller(handler)
        else:
            raise TypeError(
                f"expected handler to be a function or 'package.module:function', got {quoted(handler)}"
            )

    def prepare(self) -> Callable[[QueueMessage], object]:
        """Imports the handler.

        Raises:
            ValueError: It cannot be imported, or requires other arguments.
        """
        if self._call is None:
            assert isinstance(self._handler, str)
            try:
                function = resolve_name(self._handler)
            except (Exception, SystemExit) as error:
                raise ValueError(
                    f"handler {self._handler!r} cannot be imported: {type(error).__name__}: {error}; "
                    "put its module on the import path"
                ) from error
            if not callable(function):
                raise ValueError(
                    f"expected handler {self._handler!r} to be a function, got {quoted(function)}"
                )
            self._call = _caller(function)
        return self._call

    def call(self, message: QueueMessage) -> None:
        """Calls the handler and waits for its end. Its exception is raised."""
        call = self.prepare()
        only_here(lambda: self._finish(call(message)))

    def _finish(self, result: object) -> None:
        if inspect.isawaitable(result):
            self.loops.run(result, None, patient=True)


def _caller(function: Callable[..., Any]) -> Callable[[QueueMessage], object]:
    """Returns how a function is called with a message, by its signature."""
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise ValueError(f"handler {quoted(function)} is a generator function: calling it runs nothing")
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # a builtin without a signature
        return lambda message: function(message.body)
    required = [each for each in parameters if each.default is each.empty and each.kind in _POSITIONAL]
    keywords = [each for each in parameters if each.default is each.empty and each.kind is each.KEYWORD_ONLY]
    if len(required) > 1 or keywords:
        raise ValueError(
            f"expected a handler of one argument, the text or the QueueMessage, got {quoted(function)}"
        )
    first = next((each for each in parameters if each.kind in (*_POSITIONAL, each.VAR_POSITIONAL)), None)
    if first is None:
        return lambda _message: function()
    if _is_message(first.annotation):
        return function
    return lambda message: function(message.body)


def _is_message(annotation: object) -> bool:
    if isinstance(annotation, str):  # such as "ss.workers.QueueMessage"
        return annotation.strip("'\" ").rpartition(".")[2] == QueueMessage.__name__
    return annotation is QueueMessage
