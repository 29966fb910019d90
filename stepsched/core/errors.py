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
├─ WaitTimeoutError (TimeoutError)      job, run, status, timeout, reason
├─ WorkflowNotFoundError (LookupError)  name, version, near
├─ InvalidTransitionError               name, status, action
├─ ConflictError                        name, expected_version
├─ JobFileError (ValueError)            source, reason, action, problems
├─ BulkError                            failures, done, records
├─ HandlerError                         job, scheduled_for
├─ WebhookError (ValueError)            reason
└─ BackendError                         service, operation, code, request_id, retryable
   ├─ AccessDeniedError
   ├─ ThrottledError                    retry_after
   └─ BackendUnavailableError
```

The arguments of an error are data, and its class formats the message, so every error can be pickled.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from stepsched.core.enums import StrEnum
from stepsched.core.quoting import quoted, shortened

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
    "WebhookError",
    "WorkflowNotFoundError",
]


class StepschedError(Exception):
    """The base class of all errors that stepsched raises on purpose."""


class ScheduleWarning(UserWarning):
    """A schedule is valid, but may not do what its author expects."""


class InvalidScheduleError(StepschedError, ValueError):
    """A schedule is not valid.

    Attributes:
        expression: The given expression, unchanged.
        field: The invalid part, such as ``"hours"``, ``"timezone"`` or ``"expression"``.
        reason: The reason, with the value quoted and the correction.
    """

    def __init__(self, expression: str, field: str, reason: str) -> None:
        super().__init__(expression, field, reason)
        self.expression = expression
        self.field = field
        self.reason = reason

    def __str__(self) -> str:
        return f"invalid schedule {quoted(self.expression)}: {self.field}: {self.reason}"


class RenderError(StepschedError, ValueError):
    """A job or a workflow cannot be rendered: as Amazon States Language, or in a template of CloudFormation
    or Terraform.

    Attributes:
        job: The name of the job, or of the workflow.
        reason: The reason.
        kind: ``job`` or ``workflow``.
    """

    def __init__(self, job: str, reason: str, kind: str = "job") -> None:
        super().__init__(job, reason, kind)
        self.job = job
        self.reason = reason
        self.kind = kind

    def __str__(self) -> str:
        return f"cannot render {self.kind} {self.job!r}: {self.reason}"


class DefinitionError(StepschedError, ValueError):
    """A definition cannot be read as Amazon States Language.

    Attributes:
        diagnostics: The diagnostics of :func:`stepsched.asl.check`.
        reason: The reason.
    """

    def __init__(self, diagnostics: Sequence[Any], reason: str) -> None:
        diagnostics = tuple(diagnostics)
        super().__init__(diagnostics, reason)
        self.diagnostics = diagnostics
        self.reason = reason

    def __str__(self) -> str:
        found = "".join(f"\n  {shortened(str(each), 400)}" for each in self.diagnostics[:5])
        more = f"\n  and {len(self.diagnostics) - 5} more" if len(self.diagnostics) > 5 else ""
        return f"expected the definition of a state machine: {self.reason}{found}{more}"


class UnsupportedError(StepschedError):
    """The backend cannot run the job exactly as defined. Nothing has been created.

    Attributes:
        job: The name of the job or workflow.
        backend: The name of the backend: ``"local"``, ``"eventbridge"`` or ``"stepfunctions"``.
        reason: What the backend cannot do.
        alternatives: What to use instead: changes of the job, and the class names of other backends.
        what: What has the name: ``"job"``, ``"workflow"`` or ``"workflow run"``.
    """

    def __init__(
        self,
        job: str,
        backend: str,
        reason: str,
        alternatives: tuple[str, ...] = (),
        what: str = "job",
    ) -> None:
        super().__init__(job, backend, reason, alternatives, what)
        self.job = job
        self.backend = backend
        self.reason = reason
        self.alternatives = alternatives
        self.what = what

    def __str__(self) -> str:
        instead = f" (instead: {'; '.join(self.alternatives)})" if self.alternatives else ""
        return f"the {self.backend} backend refuses {self.what} {self.job!r}: {self.reason}{instead}"


class JobNotFoundError(StepschedError, LookupError):
    """No job of this name is stored.

    Attributes:
        name: The name.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return f"no job is named {quoted(self.name)}; client.list() returns the existing jobs"


class JobExistsError(StepschedError):
    """A different job of this name is already stored.

    Attributes:
        name: The name.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return (
            f"a different job is already named {self.name!r}; "
            "use client.update(job) to change it, or choose another name"
        )


class RunNotFoundError(StepschedError, LookupError):
    """The backend has no such run.

    Attributes:
        job: The name of the job or workflow.
        run: The ID of the run: a number for a job, a text for a workflow.
        near: IDs of runs of the workflow that are spelled alike.
    """

    def __init__(self, job: str, run: int | str, near: tuple[str, ...] = ()) -> None:
        super().__init__(job, run, near)
        self.job = job
        self.run = run
        self.near = near

    def __str__(self) -> str:
        if isinstance(self.run, str):
            meant = _meant(self.near) or f"runs({self.job!r}) of the client returns the existing runs"
            return f"there is no run {quoted(self.run)} of workflow {self.job!r}; {meant}"
        return (
            f"there is no run {self.run} of job {self.job!r}: its retention is over, or it belongs to "
            f"another backend; client.runs({self.job!r}) returns the existing runs"
        )


class WaitTimeoutError(StepschedError, TimeoutError):
    """A run has not ended within the timeout of ``wait``. The run goes on.

    Attributes:
        job: The name of the job or workflow.
        run: The ID of the run: a number for a job, a text for a workflow.
        status: The status of the run at the timeout, such as ``"running"``.
        timeout: The timeout in seconds.
        reason: Why nothing runs at present, and what to do. None: no reason is known.
    """

    def __init__(
        self, job: str, run: int | str, status: str, timeout: float, reason: str | None = None
    ) -> None:
        super().__init__()
        # TimeoutError would read them as an error number and a file
        self.args = (job, run, status, timeout, reason)
        self.job = job
        self.run = run
        self.status = status
        self.timeout = timeout
        self.reason = reason

    def __str__(self) -> str:
        kind = "workflow" if isinstance(self.run, str) else "job"
        state = f"run {self.run} of {kind} {self.job!r} is still {self.status} after {self.timeout:g} s"
        if self.reason is not None:
            return f"{state}: {self.reason}"
        return f"{state}; the run goes on, and client.wait(run) can be called again"


_RUN_ID = re.compile(r"\d{8}T\d{6}Z-.+")
"""The IDs that runs of workflows have if none is given."""


class WorkflowNotFoundError(StepschedError, LookupError):
    """There is no workflow of that name, or no such version of it.

    Attributes:
        name: The name of the workflow.
        version: The number of the version. None: any.
        near: Names of stored workflows that are spelled alike.
    """

    def __init__(self, name: str, version: int | None = None, near: tuple[str, ...] = ()) -> None:
        super().__init__(name, version, near)
        self.name = name
        self.version = version
        self.near = near

    def __str__(self) -> str:
        if self.version is not None:
            return f"there is no version {self.version} of workflow {quoted(self.name)}"
        meant = _meant(self.near)
        if not meant and _RUN_ID.fullmatch(self.name):
            meant = "the key of a run is '<workflow>/<run>'"
        return f"there is no workflow {quoted(self.name)}{f'; {meant}' if meant else ''}"


def _meant(near: tuple[str, ...]) -> str:
    return f"did you mean {' or '.join(map(repr, near))}?" if near else ""


class InvalidTransitionError(StepschedError):
    """The verb does not apply to a job, or a run of a workflow, in this status.

    Attributes:
        name: The name of the job, or the key of the run.
        status: The status of the job or run.
        action: The verb.
        what: What has the name: ``"job"`` or ``"workflow run"``.
        cure: What to do instead. Empty: the status says it.
    """

    def __init__(self, name: str, status: str, action: str, what: str = "job", cure: str = "") -> None:
        super().__init__(name, status, action, what, cure)
        self.name = name
        self.status = status
        self.action = action
        self.what = what
        self.cure = cure

    def __str__(self) -> str:
        cure = f"; {self.cure}" if self.cure else ""
        return f"cannot {self.action} {self.what} {self.name!r}: it is {self.status}{cure}"


class ConflictError(StepschedError):
    """The job, or the run of a workflow, was changed in the meantime. Read it again, then decide whether to
    repeat the change.

    Attributes:
        name: The name of the job, or the key of the run.
        expected_version: The version of the job, or the revision of the run, on which the change was based.
        what: What has the name: ``"job"`` or ``"workflow run"``.
    """

    def __init__(self, name: str, expected_version: int, what: str = "job") -> None:
        super().__init__(name, expected_version, what)
        self.name = name
        self.expected_version = expected_version
        self.what = what

    def __str__(self) -> str:
        if self.what != "job":
            return (
                f"{self.what} {self.name!r} was changed in the meantime, after revision "
                f"{self.expected_version}; read it again, and repeat the change"
            )
        return (
            f"job {self.name!r} is no longer at version {self.expected_version}: it was changed in the "
            "meantime; read it again with client.get() and repeat the change"
        )


class JobFileError(StepschedError, ValueError):
    """A job file cannot be read or written.

    Attributes:
        source: The path or module name.
        reason: The reason.
        action: What cannot be done with it: ``"load jobs from"``, ``"write jobs to"`` or
            ``"read messages from"``.
        problems: All mistakes, in the order of the file: each a pair of the number of its line, or None, and
            a text without that line. At least one; ``reason`` has the same, up to 100.
    """

    def __init__(
        self,
        source: str,
        reason: str,
        action: str = "load jobs from",
        problems: Iterable[tuple[int | None, str]] = (),
    ) -> None:
        problems = tuple(problems) or ((None, reason),)
        super().__init__(source, reason, action, problems)
        self.source = source
        self.reason = reason
        self.action = action
        self.problems = problems

    def __str__(self) -> str:
        return f"cannot {self.action} {shortened(self.source)}: {self.reason}"


class BulkError(StepschedError):
    """Some jobs of a bulk call failed; the others are done. Repeating the call continues with the failed
    ones.

    Attributes:
        failures: The errors by job name.
        done: The number of jobs that are done.
        records: The :class:`JobRecord` of each of these jobs, after ``pause_many``, ``resume_many`` and
            ``cancel_many``.
    """

    def __init__(
        self, failures: Mapping[str, StepschedError], done: int, records: Sequence[Any] = ()
    ) -> None:
        super().__init__(failures, done, tuple(records))
        self.failures = dict(failures)
        self.done = done
        self.records = tuple(records)

    def __str__(self) -> str:
        lines = [f"  {name}: {error}" for name, error in list(self.failures.items())[:10]]
        if len(self.failures) > 10:
            lines.append(f"  and {len(self.failures) - 10} more, in .failures")
        head = f"{len(self.failures)} of {len(self.failures) + self.done} failed:"
        return "\n".join([head, *lines])


class HandlerError(StepschedError):
    """A handler failed. ``__cause__`` is its exception, if there is one.

    Attributes:
        job: The name of the job.
        scheduled_for: The scheduled instant of the run.
    """

    def __init__(self, job: str, scheduled_for: datetime) -> None:
        super().__init__(job, scheduled_for)
        self.job = job
        self.scheduled_for = scheduled_for

    def __str__(self) -> str:
        return f"the run of job {self.job!r} for {self.scheduled_for.isoformat()} failed"


class WebhookError(StepschedError, ValueError):
    """A received webhook is not one of its sender, or it is too old: do not process it.

    Attributes:
        reason: The reason.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"the webhook cannot be verified: {self.reason}"


class ErrorCode(StrEnum):
    """The values of :attr:`BackendError.code` that stepsched defines.

    Any other value is the unchanged code of an AWS service, such as ``"ValidationException"``, or the name
    of an exception class of the AWS SDK or of ``sqlite3``. A member equals its string: ``error.code ==
    "BUSY"``.
    """

    AMBIGUOUS = "AMBIGUOUS"
    """Jobs of this name are stored in several groups; pass ``group``."""
    AUTH = "AUTH"
    """SQLite is not authorised to open the file."""
    BUSY = "BUSY"
    """Another process locked the SQLite file for too long; try again."""
    CANTOPEN = "CANTOPEN"
    """The SQLite file cannot be opened; its folder may be missing."""
    CLOSED = "CLOSED"
    """The backend has been closed; create another one."""
    CORRUPT = "CORRUPT"
    """The SQLite file is damaged; restore it from a copy."""
    FOREIGN = "FOREIGN"
    """The SQLite file belongs to another program; choose another file."""
    FOREIGN_STACK = "FOREIGN_STACK"
    """The CloudFormation stack of this name is not that of a scheduler of stepsched; use another name."""
    FORKED = "FORKED"
    """The backend belongs to the parent of this forked process; create another one in the child."""
    FULL = "FULL"
    """The disk is full; recorded data is not lost."""
    IOERR = "IOERR"
    """The disk failed to read or write; recorded data is not lost."""
    JOBS_WAITING = "JOBS_WAITING"
    """The stack has jobs that would run again, or holds something else that would be lost; use ``force``."""
    LOCKED = "LOCKED"
    """Another connection locked a table of the SQLite file; try again."""
    NOTADB = "NOTADB"
    """The file is not an SQLite database; choose another file."""
    NO_BUCKET = "NO_BUCKET"
    """There is no S3 bucket of this name; create it, or leave ``bucket`` out."""
    NO_OUTPUT = "NO_OUTPUT"
    """The CloudFormation stack lacks an output that names the table or the state machine."""
    NO_RUNNER = "NO_RUNNER"
    """The state machine is not the runner of ``stepsched.deploy.template``."""
    NO_STACK = "NO_STACK"
    """There is no CloudFormation stack of this name in the Region."""
    OTHER_TABLE = "OTHER_TABLE"
    """The state machine runs the jobs of a table other than the backend's."""
    PERM = "PERM"
    """The operating system denies access to the SQLite file."""
    READONLY = "READONLY"
    """The SQLite file cannot be written."""
    REPLACED = "REPLACED"
    """The SQLite file was deleted or replaced while it was open."""
    STACK_BUSY = "STACK_BUSY"
    """CloudFormation is changing the stack; wait until that has ended."""
    STACK_FAILED = "STACK_FAILED"
    """A stack could not be created, changed or deleted. The message names the resource, and what to do."""
    STACK_PROTECTED = "STACK_PROTECTED"
    """The stack or its table is protected against deletion; remove the protection."""
    STALE_PLAN = "STALE_PLAN"
    """The stack has been changed or deleted since the plan was made; plan again."""
    UNKNOWN = "UNKNOWN"
    """An AWS service returned an error without a code."""
    UNREADABLE = "UNREADABLE"
    """The stored job cannot be read: another version or program has written it, its time zone is not
    installed, or it is damaged. The message says which, and what to do."""
    UNREADABLE_ANSWER = "UNREADABLE_ANSWER"
    """The response of the service cannot be read, for example because a proxy sent it; try again."""
    VERSION = "VERSION"
    """A later version of stepsched created the SQLite file; install that version."""
    WRONG_SHAPE = "WRONG_SHAPE"
    """The DynamoDB table does not have the keys of a table of ``stepsched.deploy.template``."""


class BackendError(StepschedError):
    """The file or service where jobs are stored returned an error.

    Attributes:
        service: The service, such as ``"sqlite"`` or ``"scheduler"``.
        operation: The operation that failed.
        code: The error code: a member of :class:`ErrorCode`, or the unchanged code of the service.
        request_id: The service's ID of the request, or None.
        retryable: Whether the same call may succeed later.
        detail: The message of the service.
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
        again = "; the same call may succeed later" if self.retryable else ""
        return f"{self.service} {self.operation} failed with {self.code}{words}{request}{again}"


class AccessDeniedError(BackendError):
    """The caller lacks the permission."""


class ThrottledError(BackendError):
    """Too many requests. ``retry_after`` is the time to wait, or None if the service did not say."""

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
    """The backend cannot be reached, or is busy for too long."""


def __dir__() -> list[str]:
    return __all__
