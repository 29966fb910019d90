"""EventBridge Scheduler: the port's verbs over the service, which is the store."""

from __future__ import annotations

import builtins
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import uuid4

from stepsched.aws.sdk import validate_connection
from stepsched.backends.base import Backend, JobQuery, Prepared, RunQuery, checked_prepared
from stepsched.backends.capabilities import BUILT_IN, backends_with
from stepsched.backends.eventbridge.checks import NAME, check_job, check_key, check_queue, check_role
from stepsched.backends.eventbridge.dead_letters import DeadLetter, DeadLetterQueue
from stepsched.backends.eventbridge.documents import (
    Settings,
    Stored,
    as_rate,
    ceil_second,
    merge,
    place_of,
    read_document,
    record_of,
    switch,
    write_job,
)
from stepsched.backends.eventbridge.groups import Groups
from stepsched.backends.eventbridge.service import Service
from stepsched.backends.eventbridge.single_runs import is_run_of, is_single_run, read_run_name, write_run
from stepsched.backends.pool import checked_workers
from stepsched.core.clock import Clock, SystemClock, checked_clock
from stepsched.core.context import LOOK_ALIKE
from stepsched.core.errors import (
    BackendError,
    ConflictError,
    ErrorCode,
    InvalidTransitionError,
    JobExistsError,
    JobNotFoundError,
    ScheduleWarning,
    StepschedError,
    UnsupportedError,
)
from stepsched.jobs import Job, JobRecord, JobStatus, JobVersion, Run, RunStatus, Trigger
from stepsched.jobs.job import checked_name, is_name
from stepsched.jobs.records import status_after
from stepsched.schedules import AnySchedule

Item = TypeVar("Item")
_NEEDS_ROLE = "EventBridgeBackend(role_arn=...); stepsched.iam.ensure_role makes one"


class EventBridgeBackend(Backend):
    """Jobs as schedules of EventBridge Scheduler, one schedule a job.

    Nothing runs in this process: the service fires, also when this process is gone. It keeps no record of
    runs, so ``runs`` and ``backfill`` are refused; what could not be delivered is in the dead-letter queue.
    Where the account, the Region, credentials and the endpoint come from is as in boto3: ``AWS_PROFILE``,
    ``AWS_DEFAULT_REGION``, ``AWS_ENDPOINT_URL`` and the rest, or a session of yours.
    """

    name = NAME
    capabilities = BUILT_IN["EventBridgeBackend"]
    first_pause = 1.0

    def __init__(
        self,
        role_arn: str | None = None,
        *,
        group: str | None = None,
        dead_letter_arn: str | None = None,
        kms_key_arn: str | None = None,
        session: Any = None,
        endpoint_url: str | None = None,
        clock: Clock | None = None,
        workers: int = 64,
        rates: Mapping[str, float] | None = None,
        role_wait: timedelta = timedelta(minutes=2),
    ) -> None:
        """A backend in one account and Region. boto3 loads here; no call is made.

        Args:
            role_arn: The role with which the service invokes the targets. None: jobs can be listed,
                paused and cancelled, not created.
            group: The schedule group of all jobs, made on use; names are then unique in it, and a verb
                needs no search. None: every group, by each job's own ``group``.
            dead_letter_arn: A standard queue for jobs without ``dead_letter`` of their own.
            kms_key_arn: A key of yours that encrypts the inputs.
            session: A ``boto3.Session``. None: boto3's default.
            endpoint_url: Another place for every service that is called. None: as boto3 finds it.
            clock: Whose present decides what lies in the past. None: the machine's.
            workers: How many calls go on at once in bulk verbs; at least 1.
            rates: Requests a second by operation, such as ``{"CreateSchedule": 500}``, where the
                account's quotas are not the documented ones.
            role_wait: How long a role that the service may not assume yet is waited for; zero: not.

        Raises:
            TypeError: ``session`` or ``clock`` is something else.
            ValueError: An argument is malformed.
            BackendError: boto3 finds no Region or profile.
        """
        checked_workers(workers)
        validate_connection(session, endpoint_url)
        if group is not None:
            checked_name(group)
        if not isinstance(role_wait, timedelta) or role_wait < timedelta(0):
            raise ValueError(f"role_wait must be a timedelta of at least zero, not {role_wait!r}")
        self._settings = Settings(
            role_arn=check_role(role_arn),
            group=group,
            dead_letter_arn=check_queue(dead_letter_arn),
            kms_key_arn=check_key(kms_key_arn),
        )
        self._clock = checked_clock(clock)
        self._service = Service(
            session, endpoint_url=endpoint_url, workers=workers, rates=rates, role_wait=role_wait
        )
        for arn in (role_arn, dead_letter_arn, kms_key_arn):
            if arn is not None and arn.split(":")[1] != self._service.partition:
                words = (
                    f"{arn!r} is not in the partition of {self._service.region}, {self._service.partition}"
                )
                raise ValueError(words)
        self._groups = Groups(self._service, SystemClock())
        self._letters = DeadLetterQueue(self._service)

    def __repr__(self) -> str:
        group = "" if self._settings.group is None else f", group={self._settings.group!r}"
        return f"EventBridgeBackend({self._settings.role_arn!r}{group}) in {self._service.region}"

    def close(self, *, timeout: timedelta | float | None = None) -> None:
        """Closes the connections that this backend has made; a call afterwards is a :class:`BackendError`.
        Harmless twice."""
        self.stop(timeout=timeout)
        self._service.close()
        self._letters.close()

    # -- jobs --------------------------------------------------------------------------------------

    def now(self) -> datetime:
        return self._clock.now()

    def prepare(self, job: Job) -> Prepared:
        if self._settings.role_arn is None:
            raise UnsupportedError(
                job.name, self.name, "no role is given to invoke targets with", (_NEEDS_ROLE,)
            )
        region, partition = self._service.region, self._service.partition
        return Prepared(job, check_job(job, self._settings, region=region, partition=partition))

    def create(self, prepared: Prepared) -> JobRecord:
        job, now = checked_prepared(prepared).job, self.now()
        job.refuse_if_over(now)  # its last run may have come due since it was checked
        anchor = ceil_second(now)
        request = write_job(prepared.plan, self._settings, version=1, now=now, anchor=anchor)
        self._create(job.name, request)
        document = request | {"CreationDate": now, "LastModificationDate": now}
        stored = Stored(
            document=document, job=job, version=1, owned=True, marked=True, enabled=True, anchor=anchor
        )
        return record_of(stored, self._settings, now)

    def _create(self, name: str, request: dict[str, Any]) -> None:
        """Creates a schedule, and its group where that is missing.

        Each call has a client token of its own, and the SDK's retries of it the same one (P-21). A token of
        the content alone would be lethal: a job that is deleted and created again would carry a token that
        the service may still remember, and be lost without a word. An application's own retry finds the
        name taken by an equal job, which is success.
        """
        request = request | {"ClientToken": uuid4().hex}
        try:
            try:
                self._service.call("CreateSchedule", **request)
            except BackendError as error:
                if error.code != "ResourceNotFoundException" or request["GroupName"] == "default":
                    raise
                self.ensure_group(request["GroupName"])
                self._service.call("CreateSchedule", **request)
        except BackendError as error:
            if error.code == "ConflictException":
                raise JobExistsError(name) from error
            raise
        self._groups.learn(request["GroupName"])

    def each(
        self, verb: Callable[[Item], JobRecord], items: Sequence[Item]
    ) -> builtins.list[JobRecord | StepschedError]:
        def attempt(item: Item) -> JobRecord | StepschedError:
            try:
                return verb(item)
            except StepschedError as error:
                return error

        return list(self._service.each(attempt, items))

    def get(self, name: str, *, group: str | None = None) -> JobRecord:
        return self._record(self._stored(name, group, anew=False))

    def find(self, jobs: Sequence[Job]) -> builtins.list[JobRecord | None]:
        def look(job: Job) -> JobRecord | None:
            document = self._groups.document(job.name, place_of(job, self._settings))
            return None if document is None else self._record(self._read(document))

        return [look(jobs[0])] if len(jobs) == 1 else list(self._service.each(look, jobs))

    def versions(self, name: str, *, group: str | None = None) -> builtins.list[JobVersion]:
        self._stored(name, group)
        reason = "the service keeps no earlier definitions"
        raise UnsupportedError(name, self.name, reason, backends_with("keeps_versions"))

    def list(self, query: JobQuery) -> Iterator[JobRecord]:
        """The jobs that fit, lazily, in the service's order; those that are deleted meanwhile are left out.

        A schedule with an expression that this version cannot read is left out with a
        :class:`ScheduleWarning`.
        """
        if self._settings.group is not None and query.group not in (None, "default", self._settings.group):
            return
        group = self._settings.group or query.group
        states = {JobStatus.PAUSED: "DISABLED", JobStatus.ACTIVE: "ENABLED"}
        parameters = {
            "GroupName": group,
            "NamePrefix": query.name_prefix or None,
            "State": None if query.status is None else states.get(query.status),
            "MaxResults": 100,
        }
        if query.status is JobStatus.CANCELLED or (query.name_prefix and not is_name(query.name_prefix)):
            return
        given = {key: value for key, value in parameters.items() if value is not None}
        for record in self._service.each(self._listed, self._entries(given)):
            if (
                record is not None
                and query.status in (None, record.status)
                and query.tags.items() <= record.job.tags.items()
            ):
                yield record

    def _entries(self, parameters: dict[str, Any]) -> Iterator[dict[str, Any]]:
        before: set[tuple[str, str]] = set()
        try:
            for page in self._service.pages("ListSchedules", **parameters):
                entries = {(each["GroupName"], each["Name"]): each for each in page["Schedules"]}
                for place, entry in entries.items():
                    if place not in before:
                        yield entry
                before = set(entries)  # what changes meanwhile may stand on two pages
        except BackendError as error:
            if error.code != "ResourceNotFoundException":  # a group that does not exist holds no job
                raise

    def _listed(self, entry: dict[str, Any]) -> JobRecord | None:
        document = self._groups.document(entry["Name"], entry.get("GroupName") or "default")
        if document is None or is_single_run(document):
            return None
        try:
            return self._record(self._read(document))
        except BackendError as error:
            warnings.warn(f"left out of the list: {error}", ScheduleWarning, stacklevel=2)
            return None

    def update(self, prepared: Prepared, *, expected_version: int) -> JobRecord:
        job = checked_prepared(prepared).job
        stored = self._stored_at(job)
        if stored.version != expected_version:
            raise ConflictError(job.name, expected_version)
        now = self.now()
        self._warn_of_lost_grid(stored, now)
        request = merge(stored, prepared.plan, self._settings, now=now)
        self._write(request, expected_version)
        return self._after(request, stored, now)

    def pause(self, name: str, *, group: str | None = None, stop_run: bool = False) -> JobRecord:
        self._refuse_stopping(name, stop_run=stop_run)
        return self._switch(name, group, "pause", enabled=False)

    def resume(self, name: str, *, group: str | None = None) -> JobRecord:
        return self._switch(name, group, "resume", enabled=True)

    def _switch(self, name: str, group: str | None, verb: str, *, enabled: bool) -> JobRecord:
        stored = self._stored(name, group)
        record = self._record(stored)
        if enabled and not stored.enabled and record.status is JobStatus.ENDED:
            return record  # nothing is left to fire, and a one-time job might be fired at once (P-16)
        status = status_after(name, record.status, verb)
        if record.status is status:
            return record
        now = self.now()
        self._warn_of_lost_grid(stored, now)
        request = switch(stored, self._settings, now=now, enabled=enabled)
        self._write(request, stored.version)
        return self._after(request, stored, now)

    def _write(self, request: dict[str, Any], version: int) -> None:
        try:
            self._service.call("UpdateSchedule", **request, ClientToken=uuid4().hex)
        except BackendError as error:
            if error.code == "ResourceNotFoundException":
                raise JobNotFoundError(request["Name"]) from error
            if error.code == "ConflictException":
                raise ConflictError(request["Name"], version) from error
            raise

    def _after(self, request: dict[str, Any], stored: Stored, now: datetime) -> JobRecord:
        """The record of what has just been written."""
        dates = {"CreationDate": stored.document.get("CreationDate") or now, "LastModificationDate": now}
        return self._record(self._read(request | dates))

    def _warn_of_lost_grid(self, stored: Stored, now: datetime) -> None:
        if as_rate(stored.job.schedule) is not None and stored.anchor is None:
            warnings.warn(
                f"the rate of {stored.job.name!r} has no StartDate, so its grid is unknown: the service lays "
                f"it anew at {now.isoformat(timespec='seconds')}",
                ScheduleWarning,
                stacklevel=4,
            )

    def cancel(self, name: str, *, group: str | None = None, stop_run: bool = False) -> JobRecord:
        """Deletes the schedule. A single run of ``run_now`` that has not started goes on: it is a schedule of
        its own."""
        self._refuse_stopping(name, stop_run=stop_run)
        place, document = self._located(name, group)
        parameters = {"Name": name, "GroupName": place}
        try:
            self._service.call("DeleteSchedule", **parameters, ClientToken=uuid4().hex)
        except BackendError as error:
            if error.code == "ConflictException":
                raise ConflictError(name, self._read(document).version) from error
            if error.code != "ResourceNotFoundException":  # it was there: somebody was faster
                raise
        try:
            record = self._record(self._read(document))
        except BackendError as error:
            words = f"{error.detail}; it has been deleted"
            raise BackendError(error.service, error.operation, error.code, detail=words) from error
        return record.replace(status=JobStatus.CANCELLED, next_run=None)

    # -- groups ------------------------------------------------------------------------------------

    def groups(self) -> builtins.list[str]:
        """The names of the account's schedule groups, as the service lists them."""
        return self._groups.names()

    def ensure_group(self, name: str | None = None, *, tags: Mapping[str, str] | None = None) -> str:
        """Makes a schedule group where it does not exist; to ask twice is no error.

        Args:
            name: The group's. None: the backend's own.
            tags: Only for a group that is made now.

        Returns:
            Its name.

        Raises:
            ValueError: It is no name.
        """
        name = name or self._settings.group or "default"
        for key, value in (tags or {}).items():
            if not isinstance(key, str) or not isinstance(value, str) or not key or not value:
                raise ValueError(f"the tag {key!r}: {value!r} is no text of at least one character")
        checked_name(name)
        self._groups.ensure(name, tags or {})
        return name

    # -- runs --------------------------------------------------------------------------------------

    def run_now(self, name: str, *, group: str | None = None) -> Run:
        """Runs the job once through a schedule of its own that deletes itself, with the same target, role,
        retries and dead letters. It starts within the minute after the next full one."""
        stored = self._stored(name, group)
        now = self.now()
        run = Run(
            id=int(now.timestamp() * 1_000_000),
            job=name,
            scheduled_for=stored.job.schedule.localise(now),
            status=RunStatus.PENDING,
            trigger=Trigger.MANUAL,
        )
        request = write_run(stored, uuid4().hex, scheduled_for=now, now=now)
        self._create(request["Name"], request)
        return run

    def backfill(
        self, name: str, *, since: datetime, until: datetime, group: str | None = None
    ) -> builtins.list[Run]:
        """Refused."""
        self._stored(name, group)
        reason = "the service keeps no record of runs, so a repeated backfill would run twice"
        raise UnsupportedError(name, self.name, reason, ("run_now", *backends_with("keeps_runs")))

    def runs(self, query: RunQuery) -> Iterator[Run]:
        """The runs that failed, from the dead-letter queue: see :meth:`dead_letters`.

        Raises:
            UnsupportedError: Other runs are asked for; the service keeps no record of them.
        """
        if query.status is not RunStatus.FAILED:
            reason = "the service keeps no record of runs"
            instead = (
                "runs(status='failed') reads the dead letters",
                "its metrics",
                *backends_with("keeps_runs"),
            )
            raise UnsupportedError(query.job or "*", self.name, reason, instead)
        found = [
            letter
            for letter in self.dead_letters()
            if (query.job is None or is_run_of(letter.job, query.job))
            and self._settings.group in (None, letter.group)
            and (query.since is None or letter.scheduled_for >= query.since)
            and (query.until is None or letter.scheduled_for <= query.until)
        ]
        return iter(found if query.limit is None else found[len(found) - min(query.limit, len(found)) :])

    def dead_letters(
        self, queue_arn: str | None = None, *, limit: int | None = None
    ) -> builtins.list[DeadLetter]:
        """What could not be delivered, oldest first. Nothing is deleted: :meth:`redrive` or
        :meth:`discard` does that.

        While it reads, the messages are hidden from other readers, for at most two minutes. Messages that
        are not the service's are left alone.

        Args:
            queue_arn: The queue. None: the backend's ``dead_letter_arn``.
            limit: At most so many, of those that the queue gives first. None: all.

        Raises:
            ValueError: No queue is known.
            BackendError: It cannot be read.
        """
        arn = check_queue(queue_arn) or self._settings.dead_letter_arn
        if arn is None:
            raise ValueError("no queue is known: give queue_arn, or EventBridgeBackend(dead_letter_arn=...)")
        return self._in_their_zones(self._letters.read(arn, limit))

    def _in_their_zones(self, letters: builtins.list[DeadLetter]) -> builtins.list[DeadLetter]:
        """The letters, each scheduled in the zone of its job as that is defined now; in UTC where the job is
        gone or cannot be read."""

        def schedule_of(place: tuple[str, str]) -> AnySchedule | None:
            group, name = place
            try:
                document = self._groups.document(name, group)
                return None if document is None else self._read(document).job.schedule
            except BackendError:  # a letter is worth more than its offset
                return None

        places = sorted({(letter.group, letter.job) for letter in letters})
        found = dict(zip(places, self._service.each(schedule_of, places), strict=True))
        return [
            letter
            if schedule is None
            else letter.replace(scheduled_for=schedule.localise(letter.scheduled_for))
            for letter in letters
            for schedule in (found[letter.group, letter.job],)
        ]

    def redrive(self, run: Run) -> Run:
        """Runs a dead letter again, with its own payload and the job's present target, as :meth:`run_now`
        does; then the message is deleted. Cut off in between, it may run twice, and is never lost.

        Raises:
            InvalidTransitionError: It is no dead letter, its payload was cut, or its job is gone.
        """
        if not isinstance(run, DeadLetter):
            raise InvalidTransitionError(run.job, "not among dead_letters()", "redrive a run of")
        if run.truncated:
            raise InvalidTransitionError(run.job, "a dead letter whose payload was cut", "redrive a run of")
        if re.search(LOOK_ALIKE, run.payload):
            raise InvalidTransitionError(
                run.job, "a dead letter whose payload looks like a context attribute", "redrive a run of"
            )
        own = self._settings.group
        if own is not None and run.group != own:
            words = f"a dead letter of group {run.group!r}, and this backend keeps {own!r}"
            raise InvalidTransitionError(run.job, words, "redrive a run of")
        try:
            stored = self._stored(self._job_of(run), run.group)
        except JobNotFoundError as error:
            raise InvalidTransitionError(run.job, "gone", "redrive a run of") from error
        target = {**stored.document["Target"], "Input": run.payload}
        once = stored._replace(document={**stored.document, "Target": target})
        now = self.now()
        request = write_run(once, run.message_id, scheduled_for=run.scheduled_for, now=now)
        try:
            self._create(request["Name"], request)
        except JobExistsError:  # an earlier attempt got as far as this
            there = self._groups.document(request["Name"], request["GroupName"])
            if there is not None and there["Target"].get("Input") != request["Target"]["Input"]:
                raise
        self.discard(run)
        return Run(
            id=run.id,
            job=run.job,
            scheduled_for=stored.job.schedule.localise(run.scheduled_for),
            status=RunStatus.PENDING,
            trigger=run.trigger,
        )

    def _job_of(self, letter: DeadLetter) -> str:
        """The name of the job; a single run of one with a long name is known by a digest."""
        if read_run_name(letter.job) is None:
            return letter.job
        for page in self._service.pages("ListSchedules", GroupName=letter.group, MaxResults=100):
            for entry in page["Schedules"]:
                if is_run_of(letter.job, entry["Name"]):
                    return str(entry["Name"])
        raise JobNotFoundError(letter.job)

    def discard(self, letter: DeadLetter) -> None:
        """Deletes a dead letter from its queue; once deleted is no error."""
        self._letters.delete(letter)

    # -- reading -----------------------------------------------------------------------------------

    def _record(self, stored: Stored) -> JobRecord:
        return record_of(stored, self._settings, self.now())

    def _read(self, document: dict[str, Any]) -> Stored:
        """The document as a job, of which a record can be made."""
        try:
            stored = read_document(document, self._settings)
            self._record(stored)
        except (StepschedError, ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
            name, place = document.get("Name"), document.get("GroupName")
            words = f"schedule {name!r} in group {place!r} cannot be read by this version: {error}"
            raise BackendError("scheduler", "read schedule", ErrorCode.UNREADABLE, detail=words) from error
        return stored

    def _stored(self, name: str, group: str | None, *, anew: bool = True) -> Stored:
        return self._read(self._located(name, group, anew=anew)[1])

    def _stored_at(self, job: Job) -> Stored:
        """What is stored of a job, in its own group."""
        try:
            return self._stored(job.name, job.group)
        except JobNotFoundError as error:
            place, _ = self._located(job.name, None)
            reason = f"a schedule cannot move from group {place!r} to {place_of(job, self._settings)!r}"
            instead = (
                "create it in the new group and cancel it in the old one",
                *backends_with("moves_groups"),
            )
            raise UnsupportedError(job.name, self.name, reason, instead) from error

    def _located(self, name: str, group: str | None, *, anew: bool = True) -> tuple[str, dict[str, Any]]:
        """The group and the document of a job.

        Raises:
            JobNotFoundError: No group has it.
            BackendError: Several have.
        """
        own = self._settings.group
        if own is not None and group not in (None, "default", own):
            raise JobNotFoundError(name)
        found = self._groups.find(name, own or group, anew=anew)
        if not found:
            raise JobNotFoundError(name)
        if len(found) > 1:
            words = f"several groups have a job named {name!r}: {', '.join(sorted(found))}; give group="
            raise BackendError("scheduler", "GetSchedule", ErrorCode.AMBIGUOUS, detail=words)
        return next(iter(found.items()))
