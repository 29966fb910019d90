"""Errors of the command line: one line each, and one exit code a kind.

| code | meaning |
|---|---|
| 0 | done |
| 1 | failed |
| 2 | wrong use, or a value that is refused |
| 3 | there is no such job, workflow, run or stack |
| 4 | it exists already, was changed meanwhile, or has another status |
| 5 | the backend cannot do this |
| 6 | no access |
| 7 | a part of many failed; the rest is done |
| 8 | the awaited run failed |
| 124 | the awaited run has not ended in time |
| 130 | Ctrl-C |
| 141 | the reader of the output has gone |
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import click

import stepsched as ss
from stepsched.cli import stdio
from stepsched.cli.wording import on_a_command_line
from stepsched.core.masking import text_without_secrets
from stepsched.display.table import visible

FAILED, USAGE, NOT_FOUND, CONFLICT, UNSUPPORTED, NO_ACCESS, PARTLY, RUN_FAILED = range(1, 9)
TIMED_OUT, INTERRUPTED, READER_GONE = 124, 130, 141

_LONGEST = 2_000
"""The number of characters of an error that are printed: values that people mistype may be long."""
_MOST_LINES = 100
"""The number of mistakes of a file that are printed."""
_EXTRA = ("rich", "yaml", "tomli")
"""The modules of the extra that are loaded where they are used."""
_OF_STACKS = (
    ss.errors.ErrorCode.FOREIGN_STACK,
    ss.errors.ErrorCode.JOBS_WAITING,
    ss.errors.ErrorCode.STACK_BUSY,
    ss.errors.ErrorCode.STACK_PROTECTED,
    ss.errors.ErrorCode.STALE_PLAN,
)
"""The codes of errors of stacks that are in another state than a command needs."""
_SAYS_ALL = (
    *("NoRegionError", "InvalidRegionError", "NoCredentialsError", "ProfileNotFound"),
    *(ss.errors.ErrorCode.NO_STACK, ss.errors.ErrorCode.AMBIGUOUS),
    *_OF_STACKS,
    ss.errors.ErrorCode.STACK_FAILED,
)
"""The codes of errors of which the service and the operation say nothing to a person."""


class End:
    """How a process of the command line ends."""

    code = 0


class Failure(Exception):  # noqa: N818 -- it is the end of a command, not an error of its code
    """Ends a command with an exit code.

    Attributes:
        message: What is printed, mostly one line. Empty: nothing, for everything has been said.
        code: The exit code.
    """

    def __init__(self, message: str, code: int = FAILED) -> None:
        super().__init__(message, code)
        self.message = message
        self.code = code


@contextmanager
def ending(cleanup: ExitStack) -> Iterator[End]:
    """Turns what ends its block into the exit code, and prints errors and warnings as one line each.

    Args:
        cleanup: What is closed at the end of the block, before errors are printed.
    """
    end = End()
    with warnings.catch_warnings():
        warnings.simplefilter("always", ss.ScheduleWarning)
        warnings.showwarning = _show_warning
        try:
            with cleanup:
                yield end
        except SystemExit as error:  # click ends so, too, when the reader of its help has gone
            end.code = error.code if isinstance(error.code, int) else FAILED
            if "PacifyFlush" in type(sys.stdout).__name__:
                end.code = READER_GONE
                stdio.abandon("stdout")
        except (KeyboardInterrupt, click.Abort):
            end.code = INTERRUPTED
        except click.ClickException as error:
            end.code = error.exit_code
            _say(_one_line(_usage_text(error)))
        except Failure as failure:
            end.code = failure.code
            for line in failure.message.splitlines():
                _say(_one_line(line))
        except (ss.StepschedError, ValueError, TypeError) as error:
            end.code = code_of(error)
            for line in lines_of(error):
                _say(line)
        except OverflowError:  # what is computed from an instant at an end of the calendar
            end.code = USAGE
            _say("a time lies outside the years 1 to 9999; use other instants or lengths")
        except OSError as error:
            end.code = give_up(error)
        except (MemoryError, RecursionError) as error:
            end.code = FAILED
            _say("there is not enough memory" if isinstance(error, MemoryError) else "it nests too deeply")
        except ModuleNotFoundError as error:
            if error.name not in _EXTRA:
                raise
            end.code = FAILED
            _say(f"{error.name} is not installed; use: pip install 'stepsched[cli]'")


def code_of(error: Exception) -> int:
    """Returns the exit code of an error."""
    errors = ss.errors
    match error:
        case errors.JobNotFoundError() | errors.RunNotFoundError() | errors.WorkflowNotFoundError():
            return NOT_FOUND
        case errors.BackendError(code=errors.ErrorCode.NO_STACK):
            return NOT_FOUND
        case errors.BackendError(code="NoRegionError" | "InvalidRegionError" | "ProfileNotFound"):
            return USAGE
        case errors.BackendError(code=errors.ErrorCode.AMBIGUOUS):
            return USAGE
        case errors.BackendError(code=code) if code in _OF_STACKS:
            return CONFLICT
        case errors.JobExistsError() | errors.ConflictError() | errors.InvalidTransitionError():
            return CONFLICT
        case errors.UnsupportedError():
            return UNSUPPORTED
        case errors.AccessDeniedError():
            return NO_ACCESS
        case errors.BulkError():
            return PARTLY
        case errors.WaitTimeoutError():
            return TIMED_OUT
        case ValueError() | TypeError():
            return USAGE
        case _:
            return FAILED


def lines_of(error: Exception) -> list[str]:
    """Returns the lines that are printed for an error: one, or one for each job of a bulk call and for each
    mistake of a file."""
    if isinstance(error, ss.errors.BulkError):
        head = f"{len(error.failures)} of {len(error.failures) + error.done} failed; the others are done"
        return [head, *(f"{name}: {sentence_of(each)}" for name, each in error.failures.items())]
    if isinstance(error, ss.errors.JobFileError) and len(error.problems) > 1:
        lines = [_one_line(located(error.source, line, text)) for line, text in error.problems]
        more = len(lines) - _MOST_LINES
        return (
            [*lines[:_MOST_LINES], f"and {more:,} more; `stepsched check` shows all"] if more > 0 else lines
        )
    return [sentence_of(error)]


def mistake_of(error: ValueError) -> str:
    """Returns what is wrong with a value; of a model, its first mistake, without the value, which may be
    secret."""
    if not type(error).__module__.startswith("pydantic"):
        return str(error)
    first: dict[str, Any] = error.errors(include_url=False, include_input=False)[0]  # type: ignore[attr-defined]
    place = ".".join(map(str, first["loc"]))
    return ": ".join(filter(None, (place, first["msg"].removeprefix("Value error, "))))


def located(source: str, line: int | None, text: str) -> str:
    """Returns a mistake of a file as compilers write it: ``jobs.yaml:3: text``, without secrets."""
    text = text_without_secrets(text)
    return f"{source}: {text}" if line is None else f"{source}:{line}: {text}"


def sentence_of(error: Exception) -> str:
    """Returns an error as one line, in the words of the command line."""
    errors = ss.errors
    match error:
        case errors.JobNotFoundError(name=name):
            return f"no job is named {name!r}; `stepsched list` shows the jobs"
        case errors.JobExistsError(name=name):
            return (
                f"a different job is already named {name!r}; "
                "use `stepsched update` to change it, or another name"
            )
        case errors.WorkflowNotFoundError(version=None, near=()):
            return f"{error}; `stepsched workflow list` shows the workflows"
        case errors.RunNotFoundError(run=str(), near=near) if near:
            return str(error)
        case errors.RunNotFoundError(job=job, run=str(run)):
            return f"there is no run {run!r} of workflow {job!r}; `stepsched workflow runs` shows the runs"
        case errors.RunNotFoundError(job=job, run=run):
            return f"there is no run {run} of job {job!r}; `stepsched runs` shows the runs"
        case errors.WaitTimeoutError(job=job, run=run, status=status, timeout=timeout):
            key = f"run {job}/{run}" if isinstance(run, str) else f"run {run} of job {job!r}"
            return f"{key} is still {status} after {timeout:g} s; it goes on"
        case errors.ConflictError(what="workflow run", name=name):
            return (
                f"run {name!r} was changed in the meantime; look at it with `stepsched workflow status`, and "
                "repeat the command"
            )
        case errors.ConflictError(name=name):
            return (
                f"job {name!r} was changed in the meantime; "
                "look at it with `stepsched get`, and repeat the command"
            )
        case errors.BackendError(code=code, detail=detail) if code in _SAYS_ALL and detail:
            return on_a_command_line(_one_line(detail))
        case ValueError():
            return _one_line(on_a_command_line(mistake_of(error)) or type(error).__name__)
        case _:
            return _one_line(on_a_command_line(str(error)) or type(error).__name__)


def give_up(error: OSError) -> int:
    """Says in a line what could not be read or written, and returns the exit code. Of a reader that has gone
    nothing is said."""
    stdio.abandon("stdout")
    if isinstance(error, BrokenPipeError):
        return READER_GONE
    place = f": {error.filename}" if error.filename else ""
    _say(_one_line(f"{error.strerror or error}{place}"))
    return FAILED


def _usage_text(error: click.ClickException) -> str:
    """Returns what is wrong with the use of a command, and where its help is, if the text has no hint."""
    text = error.format_message()
    is_of_click = isinstance(error, click.NoSuchOption | click.MissingParameter)
    is_unhinted = is_of_click or text.startswith(("No such command", "Got unexpected extra"))
    ctx = getattr(error, "ctx", None)
    if ctx is None or not is_unhinted or text.endswith(("?", "?)")) or "(Possible" in text:
        return text
    return f"{text.removesuffix('.')}; see `{ctx.command_path} --help`"


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _say(line: str) -> None:
    text = visible(text_without_secrets(line))
    stdio.tell(f"error: {text if len(text) <= _LONGEST else f'{text[:_LONGEST]}...'}")


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    """Prints a warning as one line, in place of ``warnings.showwarning``."""
    stdio.tell(f"warning: {visible(text_without_secrets(_one_line(on_a_command_line(str(message)))))}")


def show_log_records(cleanup: ExitStack) -> None:
    """Prints what the library logs, from warnings on, as one line each.

    Args:
        cleanup: What is closed at the end of the command; then the library logs as before.
    """
    import logging

    class Lines(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            _show_warning(record.getMessage())

    log, lines = logging.getLogger("stepsched"), Lines(logging.WARNING)
    log.addHandler(lines)
    cleanup.callback(log.removeHandler, lines)
