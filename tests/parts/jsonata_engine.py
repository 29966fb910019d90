"""The reference engine of JSONata, in the version that AWS names, as a part for tests."""

from __future__ import annotations

import json
import subprocess
import tempfile
import threading
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from enum import Enum
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NamedTuple, final

from tests.parts.environments import PartFailedError
from tests.parts.nodejs import node_command, node_environment

PATIENCE = 60
"""Seconds that one call may take before it is a failure: an expression can run for ever."""

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MILLISECOND = timedelta(milliseconds=1)


class Undefined(Enum):
    """The result of an expression that yields nothing, which is not ``null``."""

    UNDEFINED = "undefined"


UNDEFINED: Final = Undefined.UNDEFINED


class JsonataError(Exception):
    """An expression does not parse, or failed. ``code`` is the engine's, or empty where it has none."""

    def __init__(self, code: str, message: str, position: int | None = None) -> None:
        super().__init__(f"{code}: {message}" if code else message)
        self.code, self.message, self.position = code, message, position


class Measured(NamedTuple):
    result: Any
    depth: int
    """The deepest nesting of evaluations, which AWS bounds near 100."""
    at_once: int
    """The most evaluations that are begun and not ended: the nesting as a plain counter sees it, to which the
    members of an object and of an array add, for they are evaluated side by side."""
    milliseconds: float
    """Of one evaluation, without the parsing of an expression that was seen before."""


@final
class JsonataEngine:
    """JSONata 2.0.6 with the six functions that AWS adds, and without ``$eval``, as on AWS.

    Entering starts the process, leaving ends it; when idle it also ends with the process that started it. A
    call that takes longer than `PATIENCE` is ended with `PartFailedError`; the next finds a new process.

    Bindings are named without their ``$``. ``now`` fixes what ``$now()`` and ``$millis()`` give. What AWS
    refuses at creation is not refused here: a bare name is undefined, and ``$`` an empty object.

    Raises `PartMissingError` if its environment is missing.

    >>> with JsonataEngine() as engine:
    ...     engine.evaluate("$states.input.count + 1", {"states": {"input": {"count": 1}}})
    2
    """

    def __init__(self) -> None:
        self._command = node_command("jsonata_engine.js")
        self._process: subprocess.Popen[bytes] | None = None
        self._files: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> JsonataEngine:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Starts a process that knows no expression yet."""
        self._files = tempfile.TemporaryDirectory(prefix="jsonata-")
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                self._command,
                cwd=self._files.name,
                env=node_environment(Path(self._files.name)),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
            )

    def stop(self) -> None:
        """Ends the process and removes its files; again, it does nothing."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None
        if self._files is not None:
            self._files.cleanup()
            self._files = None

    def evaluate(
        self, expression: str, bindings: Mapping[str, Any] | None = None, *, now: datetime | None = None
    ) -> Any:
        """The result as a JSON value, or `UNDEFINED`. Raises `JsonataError`."""
        (outcome,) = self._ask([(expression, bindings)], now=now, measure=False)
        return _result(outcome)

    def evaluate_many(
        self, cases: Iterable[tuple[str, Mapping[str, Any] | None]], *, now: datetime | None = None
    ) -> list[Any]:
        """The results in order; where a case failed, its `JsonataError`, which is not raised."""
        outcomes = self._ask(list(cases), now=now, measure=False)
        return [_error(outcome) or _result(outcome) for outcome in outcomes]

    def measure(
        self, expression: str, bindings: Mapping[str, Any] | None = None, *, now: datetime | None = None
    ) -> Measured:
        """The result with what it took. It is evaluated twice, as looking at the depth takes time itself."""
        (outcome,) = self._ask([(expression, bindings)], now=now, measure=True)
        return Measured(_result(outcome), outcome["depth"], outcome["at_once"], outcome["milliseconds"])

    def _ask(
        self,
        cases: Sequence[tuple[str, Mapping[str, Any] | None]],
        *,
        now: datetime | None,
        measure: bool,
    ) -> list[dict[str, Any]]:
        assert self._process is not None, "the engine is not started"
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        request = {
            "cases": [(text, bindings or {}) for text, bindings in cases],
            "now": None if now is None else (now - _EPOCH) // _MILLISECOND,
            "measure": measure,
        }
        end = threading.Timer(PATIENCE, self._process.kill)
        end.start()
        try:
            self._process.stdin.write(json.dumps(request, allow_nan=False).encode() + b"\n")
            self._process.stdin.flush()
            reply = self._process.stdout.readline()
        except BrokenPipeError:
            reply = b""
        finally:
            end.cancel()
        if not reply:
            self._process.wait()
            log = self._log.read_text(errors="replace")
            self.stop()
            self.start()  # others may be using it
            raise PartFailedError(f"the engine has ended, or was ended after {PATIENCE} s\n{log}")
        outcomes: list[dict[str, Any]] = json.loads(reply)
        return outcomes

    @property
    def _log(self) -> Path:
        assert self._files is not None, "the engine is not started"
        return Path(self._files.name) / "log"


def _error(outcome: Mapping[str, Any]) -> JsonataError | None:
    return JsonataError(**outcome["error"]) if "error" in outcome else None


def _result(outcome: Mapping[str, Any]) -> Any:
    error = _error(outcome)
    if error is not None:
        raise error
    return outcome.get("value", UNDEFINED)
