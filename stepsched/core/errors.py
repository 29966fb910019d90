"""Every error that stepsched raises.

```
StepschedError
├─ InvalidScheduleError (ValueError)    expression, field, reason
├─ RenderError (ValueError)             job, reason
├─ DefinitionError (ValueError)         diagnostics, reason
├─ UnsupportedError                     job, backend, reason, alternatives
├─ JobNotFoundError (LookupError)       name
├─ JobExistsError                       name
├─ RunNotFoundError (LookupError)       job, run
├─ WaitTimeoutError (TimeoutError)      job, run, status, timeout
├─ InvalidTransitionError               name, status, action
├─ ConflictError                        name, expected_version
├─ JobFileError (ValueError)            source, reason
├─ BulkError                            failures, done
├─ HandlerError                         job, scheduled_for
└─ BackendError                         service, operation, code, request_id, retryable
   ├─ AccessDeniedError
   ├─ ThrottledError                    retry_after
   └─ BackendUnavailableError
```

An error's arguments are data and its class writes the sentence, so every error pickles to itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from stepsched.core.enums import StrEnum

__all__ = [
    "AccessDeniedError",
    "BackendError",
    "BackendUnavailableError",
    "BulkError",
    "ConflictError",
    "DefinitionError",
    "ErrorCode",
    "HandlerError",
    "InvalidScheduleError",
    "InvalidTransitionError",
    "JobExistsError",
    "JobFileError",
    "JobNotFoundError",
    "RenderError",
    "RunNotFoundError",
    "ScheduleWarning",
    "StepschedError",
    "ThrottledError",
    "UnsupportedError",
    "WaitTimeoutError",
]


class StepschedError(Exception):
    """The root: catch it to catch everything that stepsched raises on purpose."""


class ScheduleWarning(UserWarning):
    """A schedule that is valid and yet may not do what its author expects."""


class InvalidScheduleError(StepschedError, ValueError):
    """A schedule that cannot be meant.

    Attributes:
        expression: What was given, unchanged.
        field: The part at fault, such as ``"hours"``, ``"timezone"`` or ``"expression"``.
        reason: What is wrong with it, the value quoted, and how to mend it.
    """

    def __init__(self, expression: str, field: str, reason: str) -> None:
        super().__init__(expression, field, reason)
        self.expression = expression
        self.field = field
        self.reason = reason

    def __str__(self) -> str:
        return f"invalid schedule {_short(self.expression)}: {self.field}: {self.reason}"


def _short(text: str) -> str:
    """The text quoted, its middle left out where it is long."""
    return repr(text) if len(text) <= 300 else repr(f"{text[:200]} … {text[-50:]}")


class RenderError(StepschedError, ValueError):
    """A job that cannot be written as Amazon States Language."""

    def __init__(self, job: str, reason: str) -> None:
        super().__init__(job, reason)
        self.job = job
        self.reason = reason

    def __str__(self) -> str:
        return f"cannot render job {self.job!r}: {self.reason}"


class DefinitionError(StepschedError, ValueError):
    """A definition that cannot be read as Amazon States Language.

    Attributes:
        diagnostics: What :func:`stepsched.asl.check` says of it.
        reason: What could not be read.
    """

    def __init__(self, diagnostics: Sequence[Any], reason: str) -> None:
        diagnostics = tuple(diagnostics)
        super().__init__(diagnostics, reason)
        self.diagnostics = diagnostics
        self.reason = reason

    def __str__(self) -> str:
        found = "".join(f"\n  {each}" for each in self.diagnostics[:5])
        more = f"\n  and {len(self.diagnostics) - 5} more" if len(self.diagnostics) > 5 else ""
        return f"this is no definition of a state machine: {self.reason}{found}{more}"


class UnsupportedError(StepschedError):
    """A backend cannot do exactly what the job asks. Nothing has been created.

    Attributes:
        job: The job's name.
        backend: The backend that refuses.
        reason: What it cannot do.
        alternatives: What would work instead: changes to the job, and the class names of other backends.
    """

    def __init__(self, job: str, backend: str, reason: str, alternatives: tuple[str, ...] = ()) -> None:
        super().__init__(job, backend, reason, alternatives)
        self.job = job
        self.backend = backend
        self.reason = reason
        self.alternatives = alternatives

    def __str__(self) -> str:
        instead = f" (instead: {'; '.join(self.alternatives)})" if self.alternatives else ""
        return f"the {self.backend} backend refuses job {self.job!r}: {self.reason}{instead}"


class JobNotFoundError(StepschedError, LookupError):
    """No job of that name is stored."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return f"no job is named {self.name!r}; client.list() shows those that exist"


class JobExistsError(StepschedError):
    """A different job of that name is stored already."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return (
            f"a different job is named {self.name!r} already; "
            "use client.update(job) to change it or choose another name"
        )


class RunNotFoundError(StepschedError, LookupError):
    """The backend knows no such run.

    Attributes:
        job: The job's name.
        run: The run's id.
    """

    def __init__(self, job: str, run: int) -> None:
        super().__init__(job, run)
        self.job = job
        self.run = run

    def __str__(self) -> str:
        return (
            f"run {self.run} of job {self.job!r} is not known: its retention is over, or it is another "
            f"backend's; client.runs({self.job!r}) shows those that are known"
        )


class WaitTimeoutError(StepschedError, TimeoutError):
    """A run has not ended in the time for which it was waited. It goes on.

    Attributes:
        job: The job's name.
        run: The run's id.
        status: The status of the run when the time was over, such as ``"running"``.
        timeout: How long it was waited for, in seconds.
    """

    def __init__(self, job: str, run: int, status: str, timeout: float) -> None:
        super().__init__()
        self.args = (job, run, status, timeout)  # TimeoutError would take them for an error number and a file
        self.job = job
        self.run = run
        self.status = status
        self.timeout = timeout

    def __str__(self) -> str:
        return (
            f"run {self.run} of job {self.job!r} is still {self.status} after {self.timeout:g} s; "
            "it goes on, and can be waited for again"
        )


class InvalidTransitionError(StepschedError):
    """The verb does not apply to a job in this status."""

    def __init__(self, name: str, status: str, action: str) -> None:
        super().__init__(name, status, action)
        self.name = name
        self.status = status
        self.action = action

    def __str__(self) -> str:
        return f"cannot {self.action} job {self.name!r}: it is {self.status}"


class ConflictError(StepschedError):
    """Somebody else wrote first. Read again, then decide whether to try again."""

    def __init__(self, name: str, expected_version: int) -> None:
        super().__init__(name, expected_version)
        self.name = name
        self.expected_version = expected_version

    def __str__(self) -> str:
        return (
            f"job {self.name!r} is no longer at version {self.expected_version}: somebody wrote "
            "first; read it again with client.get() and repeat the change"
        )


class JobFileError(StepschedError, ValueError):
    """A file of jobs that cannot be read as one."""

    def __init__(self, source: str, reason: str) -> None:
        super().__init__(source, reason)
        self.source = source
        self.reason = reason

    def __str__(self) -> str:
        return f"cannot load jobs from {self.source}: {self.reason}"


class BulkError(StepschedError):
    """Some of many jobs failed; the others are done. To repeat the call takes up what is missing.

    Attributes:
        failures: What failed, by the job's name.
        done: How many are done.
    """

    def __init__(self, failures: Mapping[str, StepschedError], done: int) -> None:
        super().__init__(failures, done)
        self.failures = dict(failures)
        self.done = done

    def __str__(self) -> str:
        lines = [f"  {name}: {error}" for name, error in list(self.failures.items())[:10]]
        if len(self.failures) > 10:
            lines.append(f"  and {len(self.failures) - 10} more, in .failures")
        head = f"{len(self.failures)} of {len(self.failures) + self.done} failed:"
        return "\n".join([head, *lines])


class HandlerError(StepschedError):
    """A run's own code failed. ``__cause__`` is the handler's exception where there is one."""

    def __init__(self, job: str, scheduled_for: datetime) -> None:
        super().__init__(job, scheduled_for)
        self.job = job
        self.scheduled_for = scheduled_for

    def __str__(self) -> str:
        return f"the run of job {self.job!r} for {self.scheduled_for.isoformat()} failed"


class ErrorCode(StrEnum):
    """The values of :attr:`BackendError.code` that stepsched itself gives.

    Any other value is the code of an AWS service as it came, such as ``"ValidationException"``, or the name
    of an exception class of the AWS SDK or of ``sqlite3``. A member equals its word: ``error.code ==
    "BUSY"``.
    """

    AMBIGUOUS = "AMBIGUOUS"
    """Jobs of this name are stored in several groups; name the group."""
    AUTH = "AUTH"
    """SQLite is not authorised to open the file."""
    BUSY = "BUSY"
    """Another process holds the SQLite file for longer than is reasonable to wait; try again."""
    CANTOPEN = "CANTOPEN"
    """The SQLite file cannot be opened; its folder may be missing."""
    CLOSED = "CLOSED"
    """The backend has been closed; make another one."""
    CORRUPT = "CORRUPT"
    """The SQLite file is damaged; restore a copy."""
    FOREIGN = "FOREIGN"
    """The SQLite file belongs to another program; choose another file."""
    FORKED = "FORKED"
    """The backend keeps its jobs in memory, or was in use, and belongs to the parent of this process."""
    FULL = "FULL"
    """The disk is full; what is recorded stays."""
    IOERR = "IOERR"
    """The disk refuses to read or write; what is recorded stays."""
    LOCKED = "LOCKED"
    """Another connection holds a table of the SQLite file; try again."""
    NOTADB = "NOTADB"
    """The file is not an SQLite database; choose another file."""
    NO_OUTPUT = "NO_OUTPUT"
    """The CloudFormation stack lacks an output that names the table or the state machine."""
    NO_RUNNER = "NO_RUNNER"
    """The state machine is not the runner of ``stepsched.deploy.template``."""
    NO_STACK = "NO_STACK"
    """There is no CloudFormation stack of this name in the Region."""
    OTHER_TABLE = "OTHER_TABLE"
    """The state machine runs the jobs of another table than the backend was given."""
    PERM = "PERM"
    """The operating system denies access to the SQLite file."""
    READONLY = "READONLY"
    """The SQLite file cannot be written."""
    REPLACED = "REPLACED"
    """The SQLite file was deleted or replaced while it was open."""
    UNKNOWN = "UNKNOWN"
    """An AWS service answered with an error and gave no code."""
    UNREADABLE = "UNREADABLE"
    """The stored job cannot be read: a later version or another program has written it."""
    UNREADABLE_ANSWER = "UNREADABLE_ANSWER"
    """The answer of the service cannot be read, as where a proxy has sent it; try again."""
    VERSION = "VERSION"
    """A later version of stepsched made the SQLite file; install a newer one."""
    WRONG_SHAPE = "WRONG_SHAPE"
    """The keys of the DynamoDB table are not those of a table of jobs."""


class BackendError(StepschedError):
    """The place where jobs live answered with an error.

    Attributes:
        service: Who answered, such as ``"sqlite"`` or ``"scheduler"``.
        operation: What was asked of it.
        code: Its error code: a member of :class:`ErrorCode`, or the code of the service as it came.
        request_id: Its identifier of the request, or None.
        retryable: Whether the same call may succeed later.
        detail: Its own words.
    """

    def __init__(
        self,
        service: str,
        operation: str,
        code: str,
        request_id: str | None = None,
        retryable: bool = False,  # noqa: FBT001, FBT002 -- exception arguments are positional to pickle
        detail: str = "",
    ) -> None:
        super().__init__(service, operation, code, request_id, retryable, detail)
        self.service = service
        self.operation = operation
        self.code = code
        self.request_id = request_id
        self.retryable = retryable
        self.detail = detail

    def __str__(self) -> str:
        words = f": {self.detail}" if self.detail else ""
        request = f" (request {self.request_id})" if self.request_id else ""
        again = "; trying again may help" if self.retryable else ""
        return f"{self.service} {self.operation} failed with {self.code}{words}{request}{again}"


class AccessDeniedError(BackendError):
    """The caller may not do this."""


class ThrottledError(BackendError):
    """Too many requests. ``retry_after`` is how long to wait, or None where nobody said."""

    def __init__(
        self,
        service: str,
        operation: str,
        code: str,
        request_id: str | None = None,
        retryable: bool = True,  # noqa: FBT001, FBT002 -- as above
        detail: str = "",
        retry_after: timedelta | None = None,
    ) -> None:
        super().__init__(service, operation, code, request_id, retryable, detail)
        self.args = (*self.args, retry_after)
        self.retry_after = retry_after


class BackendUnavailableError(BackendError):
    """The backend cannot be reached, or is busy for longer than is reasonable to wait."""


def __dir__() -> list[str]:
    return __all__
