"""The jobs that a verb is told: names, all, or a selection; and what it did with each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

import stepsched as ss
from stepsched.cli.declaring import selection_options
from stepsched.cli.failures import FAILED, Failure, code_of, sentence_of
from stepsched.cli.input.parameters import JOB_NAME

if TYPE_CHECKING:
    from stepsched.cli.session import Session

Function = TypeVar("Function", bound=Callable[..., Any])
_SHOWN = 10
"""The maximum number of names that a question lists."""


class Key(NamedTuple):
    """What identifies a job on every backend."""

    name: str
    group: str | None


class Skipped(Exception):  # noqa: N818 -- it ends the work on one job, not the command
    """Raised for a job to which a verb need not be applied; the message says why."""


class Selection(NamedTuple):
    """The jobs that a command line names."""

    names: Sequence[str]
    is_all: bool
    prefix: str | None
    group: str | None
    tags: Mapping[str, str]

    @property
    def is_empty(self) -> bool:
        """Whether it names no jobs."""
        return not (self.names or self.is_all or self.prefix or self.group or self.tags)

    def check(self, verb: str) -> None:
        """Refuses a selection that is empty or ambiguous.

        Raises:
            UsageError: It names no jobs, or names beside other conditions.
        """
        if self.names and (self.is_all or self.prefix is not None or self.tags):
            raise click.UsageError(
                "expected either names of jobs, or --all, --prefix and --tag, got both; leave one of them out"
            )
        if self.is_empty:
            raise click.UsageError(
                f"expected names of jobs, got none; use `stepsched {verb} NAME`, a selection with --prefix, "
                "--group or --tag, or --all"
            )

    def find(self, client: ss.SchedulerClient, session: Session, *, status: str | None = None) -> list[Key]:
        """Returns the jobs: the names as given, or those that match and that stepsched created."""
        if self.names:
            return [Key(name, self.group) for name in dict.fromkeys(self.names)]
        found = client.list(status=status, name_prefix=self.prefix, group=self.group, tags=self.tags or None)
        foreign = sum(not record.owned for record in found)
        if foreign:
            session.tell(f"left out {foreign} that stepsched did not create; name them to include them")
        return [Key(record.name, record.job.group) for record in found if record.owned]


def many_options(function: Function) -> Callable[..., Any]:
    """Adds the names, ``--all`` and the options that select jobs, and passes them as ``selection``."""

    @wraps(function)
    def call(
        *args: Any,
        names: Sequence[str],
        is_all: bool,
        prefix: str | None,
        group: str | None,
        tags: Mapping[str, str],
        **options: Any,
    ) -> Any:
        return function(*args, selection=Selection(names, is_all, prefix, group, tags), **options)

    selected = selection_options(call)
    selected = click.option("--all", "is_all", is_flag=True, help="All jobs.")(selected)
    return click.argument("names", nargs=-1, metavar="[NAME]...", type=JOB_NAME)(selected)


def question(verb: str, keys: Sequence[Key]) -> str:
    """Returns the question before a verb that destroys: with the first names and the number."""
    names = [key.name for key in keys]
    shown = ", ".join(names[:_SHOWN])
    if len(names) == 1:
        return f"{verb} the job {shown}?"
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{verb} {len(names)} jobs: {shown}{more}?"


class Outcome(NamedTuple):
    """What a verb did with several jobs."""

    records: list[ss.JobRecord]
    failures: dict[str, ss.StepschedError]
    skipped: list[str]
    """Why jobs were left as they were, one sentence each."""

    def end(self, session: Session) -> None:
        """Tells what was left, and ends the command if something failed.

        Raises:
            BulkError: Some jobs failed, and others did not.
            StepschedError: The only job failed.
            Failure: All of several jobs failed.
        """
        for sentence in self.skipped:
            session.tell(sentence)
        if not self.failures:
            return
        if self.records or self.skipped:
            raise ss.errors.BulkError(self.failures, len(self.records) + len(self.skipped))
        errors = list(self.failures.values())
        if len(errors) == 1:
            raise errors[0]
        for error in errors[:-1]:
            session.tell(f"error: {sentence_of(error)}")
        codes = {code_of(error) for error in errors}
        raise Failure(sentence_of(errors[-1]), codes.pop() if len(codes) == 1 else FAILED)


def perform(
    client: ss.SchedulerClient,
    keys: Iterable[Key],
    verb: Callable[[Key], ss.JobRecord],
    *,
    is_selected: bool = False,
) -> Outcome:
    """Tries a verb for each job, several at a time where the backend can.

    Args:
        client: The client of the backend.
        keys: The jobs.
        verb: The verb. It raises :class:`Skipped` for a job that it leaves as it is.
        is_selected: Whether nobody has named the jobs, so that those that were cancelled or have ended since
            do not matter.
    """

    skipped = dict[Key, str]()

    def attempt(key: Key) -> ss.JobRecord:
        try:
            return verb(key)
        except Skipped as reason:
            skipped[key] = str(reason)
            raise ss.StepschedError(str(reason)) from reason

    wanted = list(keys)
    gone = (ss.JobNotFoundError, ss.InvalidTransitionError)
    records, failures = list[ss.JobRecord](), dict[str, ss.StepschedError]()
    for key, answer in zip(wanted, client.backend.each(attempt, wanted), strict=True):
        if isinstance(answer, ss.JobRecord):
            records.append(answer)
        elif key not in skipped and not (is_selected and isinstance(answer, gone)):
            failures[key.name if key.name not in failures else f"{key.group}/{key.name}"] = answer
    return Outcome(records, failures, [skipped[key] for key in wanted if key in skipped])
