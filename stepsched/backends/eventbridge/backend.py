"""The backend on EventBridge Scheduler: the verbs of the port."""

from __future__ import annotations

import builtins
import re
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from os.path import commonprefix
from typing import Any, TypeVar
from uuid import uuid4

from stepsched.aws.sdk import validate_connection
from stepsched.backends.base import Backend, JobQuery, Prepared, RunQuery, checked_job, checked_prepared
from stepsched.backends.capabilities import BUILT_IN, backends_with
from stepsched.backends.eventbridge.checks import NAME, check_job, check_key, check_queue, check_role
from stepsched.backends.eventbridge.dead_letters import DeadLetter, DeadLetterQueue
from stepsched.backends.eventbridge.documents import (
    ORIGIN,
    Settings,
    Stored,
    anchor_after,
    as_rate,
    ceil_second,
    merge,
    origin_of,
    place_of,
    read_document,
    record_of,
    switch,
    translation_of,
    write_job,
)
from stepsched.backends.eventbridge.groups import Groups
from stepsched.backends.eventbridge.mark import NoRoomError
from stepsched.backends.eventbridge.moves import Found, choose_moves, is_left_by_move, searched_groups
from stepsched.backends.eventbridge.service import Service
from stepsched.backends.eventbridge.single_runs import (
    is_run_of,
    is_single_run,
    read_run_name,
    run_name,
    write_run,
)
from stepsched.backends.eventbridge.universal import message_of, with_message
from stepsched.backends.needs import others_for
from stepsched.backends.pool import checked_workers
from stepsched.backends.surveys import Survey, empty_groups, survey_of_store
from stepsched.core.clock import Clock, SystemClock, checked_clock
from stepsched.core.context import LOOK_ALIKE
from stepsched.core.durations import plain_duration
from stepsched.core.errors import (
    AccessDeniedError,
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
from stepsched.core.quoting import quoted
from stepsched.jobs import Job, JobRecord, JobStatus, JobVersion, Run, RunStatus, Trigger
from stepsched.jobs.names import checked_group, is_narrow_prefix
from stepsched.jobs.records import first_status, status_after, status_after_update
from stepsched.schedules import AnySchedule

Item = TypeVar("Item")
_LISTED_BY_NAME = 50
"""The maximum number of names for each of which the schedules are listed: a second's worth of the quota."""
_ROOM_FOR_REASON = ("a shorter description", "fewer tags", "pause(name, reason=...) with a shorter reason")
_CLASS = "EventBridgeBackend"
_NEEDS_ROLE = "EventBridgeBackend(role_arn=...); stepsched.iam.ensure_role makes one"


class EventBridgeBackend(Backend):
    """Stores each job as one schedule of EventBridge Scheduler.

    The service runs the jobs; no process of yours has to run. It does not keep runs, so ``runs`` and
    ``backfill`` are refused; runs that could not be delivered are in the dead-letter queue. Account, Region,
    credentials and endpoint are those of boto3: ``AWS_PROFILE``, ``AWS_DEFAULT_REGION``, ``AWS_ENDPOINT_URL``
    and so on, or a given session.
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
        """Creates a backend for one account and Region. It imports boto3 and makes no call.

        Args:
            role_arn: The ARN of the role with which the service invokes the targets. None: jobs can be
                listed, paused and cancelled, but not created.
            group: The schedule group of all jobs, created on use. Names are unique in it, and verbs need no
                search. None: all groups; each job names its own ``group``.
            dead_letter_arn: The ARN of a standard SQS queue for jobs without ``dead_letter``.
            kms_key_arn: The ARN of a customer-managed key that encrypts the inputs.
            session: A ``boto3.Session``. None: boto3's default session.
            endpoint_url: The endpoint for all services. None: boto3's default.
            clock: The clock that decides what is in the past. None: the machine's clock.
            workers: The number of concurrent calls in bulk verbs; 1 to 1000.
            rates: Requests per second by operation, such as ``{"CreateSchedule": 500}``, if the quotas of the
                account differ from the documented ones.
            role_wait: How long to retry while the service cannot assume a new role yet. Zero: no retry.

        Raises:
            TypeError: ``session`` or ``clock`` has another type.
            ValueError: An argument is malformed.
            BackendError: boto3 finds no Region or profile.
        """
        checked_workers(workers)
        validate_connection(session, endpoint_url)
        if group is not None:
            checked_group(group)
        if not isinstance(role_wait, timedelta) or plain_duration(role_wait) < timedelta(0):
            raise ValueError(f"expected a timedelta of at least zero for role_wait, got {quoted(role_wait)}")
        role_wait = plain_duration(role_wait)
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

    def facts(self) -> Iterator[tuple[str, str]]:
        settings = self._settings
        yield "service", "EventBridge Scheduler"
        yield "region", self._service.region
        yield "role", settings.role_arn or "none: jobs cannot be created"
        yield "group", settings.group or "all groups"
        yield "dead letters", settings.dead_letter_arn or "-"
        if settings.kms_key_arn is not None:
            yield "key", settings.kms_key_arn

    @property
    def dead_letter_arn(self) -> str | None:
        """The ARN of the dead-letter queue of jobs that name none, which ``client.dead_letters`` reads. None:
        there is none."""
        return self._settings.dead_letter_arn

    def close(self, *, timeout: timedelta | float | None = None) -> None:
        """Closes the connections of this backend; every later call raises a :class:`BackendError`. May be
        called more than once."""
        self.stop(timeout=timeout)
        self._service.close()
        self._letters.close()

    # -- jobs --------------------------------------------------------------------------------------

    def now(self) -> datetime:
        return self._clock.now()

    def prepare(self, job: Job) -> Prepared:
        checked_job(job)
        if self._settings.role_arn is None:
            raise UnsupportedError(
                job.name, self.name, "no role is given to invoke targets with", (_NEEDS_ROLE,)
            )
        region, partition = self._service.region, self._service.partition
        plan = check_job(job, self._settings, region=region, partition=partition)
        return Prepared(job, plan, self)

    def create(self, prepared: Prepared) -> JobRecord:
        job = checked_prepared(prepared, self).job

        def request() -> dict[str, Any]:
            now = self.now()
            job.refuse_if_over(now)  # its last run may have come due after the check, or during a wait
            anchor, status = ceil_second(now), first_status(job)
            return write_job(prepared.plan, self._settings, version=1, now=now, anchor=anchor, status=status)

        made = self._create(job.name, place_of(job, self._settings), request)
        now = self.now()
        stored = Stored(
            document=made | {"CreationDate": now, "LastModificationDate": now},
            job=job,
            version=1,
            owned=True,
            marked=True,
            enabled=job.enabled,
            anchor=made.get("StartDate"),
        )
        return self._told_if_over(record_of(stored, self._settings, now))

    def _create(self, name: str, group: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Creates a schedule, and its group if it does not exist.

        Each try has its own client token, which the SDK's retries of that try share (P-21). A token derived
        from the content alone would be dangerous: a job that is deleted and created again would get the old
        token, and the service, if it still remembered it, would silently not create the job. If an
        application repeats the call, it finds an equal job, which is success.

        Args:
            name: The name of the schedule.
            group: The group of the schedule.
            make: Returns the request for the present; see :meth:`Service.store`.

        Returns:
            The request that was accepted.
        """
        try:
            try:
                made = self._service.store("CreateSchedule", make)
            except BackendError as error:
                if error.code != "ResourceNotFoundException" or group == "default":
                    raise
                self.ensure_group(group)
                made = self._service.store("CreateSchedule", make)
        except BackendError as error:
            if error.code == "ConflictException":
                raise self._conflict(name, group, error) from error
            raise
        self._groups.learn(group)
        return made

    def _conflict(self, name: str, group: str, error: BackendError) -> StepschedError:
        """Returns the error of a creation that conflicts: with a schedule of that name, or else with a change
        in progress, such as the deletion of the group or of an earlier schedule, after which it may
        succeed."""
        if self._groups.document(name, group) is not None:
            return JobExistsError(name)
        return BackendError(
            error.service, error.operation, error.code, error.request_id, retryable=True, detail=error.detail
        )

    def _told_if_over(self, record: JobRecord) -> JobRecord:
        """Warns of a one-time job that came due while it was being stored, and returns its record."""
        if record.status is JobStatus.ENDED and record.job.is_one_time:
            warnings.warn(
                f"the run of job {record.name!r} came due while its schedule was being stored, so the "
                "service may start it at once or never (P-16); use run_now if it does not start",
                ScheduleWarning,
                stacklevel=4,
            )
        return record

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

    def survey(self, jobs: Sequence[Job], *, prune: bool | Collection[str]) -> Survey:
        """Reads the stored jobs that matter for a plan.

        A backend with a group searches only this one. Otherwise ``prune=True`` searches the groups of the
        given jobs, and a job that is missing there is moved from the one other group that has it.

        Raises:
            ValueError: ``prune`` names a group that does not belong to the backend.
            UnsupportedError: A job stays paused, and its new description has no room for the reason.
        """
        found = self._survey(jobs, prune=prune)
        for job, record in zip(jobs, found.stored, strict=True):
            if record is not None and record.pause_reason is not None and not record.is_as_in(job):
                self._require_room(job, record)
        return found

    def _require_room(self, job: Job, before: JobRecord) -> None:
        """Refuses an update that would leave no room for the reason of a pause."""
        with self._refusing_reason(job.name, *_ROOM_FOR_REASON):
            write_job(
                translation_of(job),
                self._settings,
                version=before.version + 1,
                now=self.now(),
                anchor=None,
                status=status_after_update(before.status, before.job, job),
                reason=before.pause_reason,
                theirs=not before.owned,
            )

    def _survey(self, jobs: Sequence[Job], *, prune: bool | Collection[str]) -> Survey:
        own = self._settings.group
        if own is not None:
            if not isinstance(prune, bool) and not {own} >= set(prune):
                words = f"expected groups of the backend for prune, {own!r}, got {sorted(prune)}"
                raise ValueError(f"{words}; use a backend without group")
            return survey_of_store(self.find(jobs), self.list(JobQuery()), prune=bool(prune))
        found = builtins.list(self._service.each(self._found, jobs))
        searched = searched_groups(jobs, prune=prune)
        others = [record for group in searched for record in self.list(JobQuery(group=group))]
        if prune is True:
            moved = [each for each in found if each is not None and each.origin not in (None, *searched)]
            others += [record for record in self._service.each(self._left_by_move, moved) if record]
        missing = {job.name for job, there in zip(jobs, found, strict=True) if there is None}
        if prune is False:
            try:
                named = self._named(missing)
            except AccessDeniedError:  # without prune they are only reported
                named = []
            return choose_moves(jobs, found, named, others, prune=prune)
        survey = choose_moves(jobs, found, self._named(missing), others, prune=prune)
        return replace(
            survey,
            unsearched=sorted(set(self.groups()) - set(searched)),
            empty_groups=empty_groups(others, prune=prune),
        )

    def _found(self, job: Job) -> Found | None:
        document = self._groups.document(job.name, place_of(job, self._settings))
        return None if document is None else Found(self._record(self._read(document)), origin_of(document))

    def _left_by_move(self, found: Found) -> JobRecord | None:
        document = self._groups.document(found.record.name, found.origin or "default")
        if document is None or is_single_run(document):
            return None
        record = self._record(self._read(document))
        return record if is_left_by_move(record, found) else None

    def _named(self, names: AbstractSet[str]) -> builtins.list[JobRecord]:
        """Returns the jobs of these names in all groups. A few names are listed one by one, so that the cost
        does not depend on the size of the account; many by the beginning that they have in common."""
        are_few = len(names) <= _LISTED_BY_NAME
        common = commonprefix([*names])  # noqa: RUF071 -- of characters, as the service compares them
        prefixes = sorted(names) if are_few else [common]
        found = (
            entry
            for prefix in prefixes
            for entry in self._entries({"MaxResults": 100} | ({"NamePrefix": prefix} if prefix else {}))
        )
        places = {(each["GroupName"], each["Name"]): each for each in found if each["Name"] in names}
        records = self._service.each(self._listed, places.values())
        return [record for record in records if record is not None]

    def versions(self, name: str, *, group: str | None = None) -> builtins.list[JobVersion]:
        job = self._stored(name, group).job
        reason = "the service keeps no earlier definitions"
        raise UnsupportedError(name, self.name, reason, others_for(job, _CLASS, "keeps_versions"))

    def list(self, query: JobQuery) -> Iterator[JobRecord]:
        """Yields the matching jobs lazily, in the service's order; jobs that are deleted during the call are
        left out.

        A schedule with an expression that this version cannot read is left out, with a
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
        if query.status is JobStatus.CANCELLED or (
            query.name_prefix and not is_narrow_prefix(query.name_prefix)
        ):
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
                before = set(entries)  # a schedule that changes during the call may be on two pages
        except BackendError as error:
            if error.code != "ResourceNotFoundException":  # a group that does not exist has no jobs
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
        job = checked_prepared(prepared, self).job
        stored = self._stored_at(job)
        if stored.version != expected_version:
            raise ConflictError(job.name, expected_version)
        self._warn_of_lost_grid(stored, self.now())

        def request() -> dict[str, Any]:
            now = self.now()
            job.refuse_if_over(now)
            with self._refusing_reason(job.name, *_ROOM_FOR_REASON):
                return merge(stored, prepared.plan, self._settings, now=now)

        return self._told_if_over(self._write(stored, request))

    def move(self, prepared: Prepared, *, origin: str, expected_version: int) -> JobRecord:
        """Creates the schedule in the new group, enabled or not as the old one, then deletes the old one. In
        between, for some milliseconds, both may run. If it is interrupted there, repeating it deletes the old
        one."""
        job = checked_prepared(prepared, self).job
        place = place_of(job, self._settings)
        if self._settings.group is not None or origin == place:
            return self.update(prepared, expected_version=expected_version)
        try:
            stored = self._stored(job.name, origin)
        except JobNotFoundError:
            (present,) = self.find([job])
            if present is None or present.job != job:
                raise
            return present  # an earlier attempt has moved it
        if stored.version != expected_version or not stored.owned:
            raise ConflictError(job.name, expected_version)

        def request() -> dict[str, Any]:
            now = self.now()
            job.refuse_if_over(now)
            with self._refusing_reason(job.name, *_ROOM_FOR_REASON):
                return write_job(
                    prepared.plan,
                    self._settings,
                    version=stored.version + 1,
                    now=now,
                    anchor=anchor_after(stored, job, now),
                    status=status_after_update(stored.status, stored.job, job),
                    reason=stored.pause_reason,
                    notes={ORIGIN: origin},
                )

        try:
            made = self._create(job.name, place, request)
            record = self._told_if_over(self._after(made))
        except JobExistsError:  # an earlier attempt may have created it
            (present,) = self.find([job])
            if present is None or present.job != job:
                raise
            record = present
        self._delete(job.name, origin, stored.document)
        return record

    def pause(
        self,
        name: str,
        *,
        group: str | None = None,
        stop_run: bool = False,
        reason: str | None = None,
        only_active: bool = False,
    ) -> JobRecord:
        self._refuse_stopping(name, stop_run=stop_run)
        stored = self._stored(name, group)
        record = self._record(stored)
        status = status_after(name, record.status, "pause", only_change=only_active)
        if record.status is status and reason in (None, record.pause_reason):
            return record
        return self._switch(stored, enabled=False, reason=reason)

    def resume(self, name: str, *, group: str | None = None) -> JobRecord:
        stored = self._stored(name, group)
        record = self._record(stored)
        if not stored.enabled and record.status is JobStatus.ENDED:
            return record  # no run is left, and the service might start a one-time job at once (P-16)
        if record.status is status_after(name, record.status, "resume"):
            return record
        return self._told_if_over(self._switch(stored, enabled=True))

    def _switch(self, stored: Stored, *, enabled: bool, reason: str | None = None) -> JobRecord:
        self._warn_of_lost_grid(stored, self.now())

        def request() -> dict[str, Any]:
            now = self.now()
            if enabled and stored.job.is_one_time:
                stored.job.refuse_if_over(now)  # its last run may have come due during a wait
            with self._refusing_reason(stored.job.name, "a shorter reason", "no reason"):
                return switch(stored, self._settings, now=now, enabled=enabled, reason=reason)

        return self._write(stored, request)

    @contextmanager
    def _refusing_reason(self, name: str, *instead: str) -> Iterator[None]:
        """Refuses by name what a description has no room for, beside the reason of a pause."""
        try:
            yield
        except NoRoomError as error:
            raise UnsupportedError(name, self.name, str(error), instead) from error

    def _write(self, stored: Stored, make: Callable[[], dict[str, Any]]) -> JobRecord:
        """Replaces a stored schedule, and returns its record.

        Args:
            stored: The schedule as it was read.
            make: Returns the request for the present; see :meth:`Service.store`.
        """
        name = stored.job.name
        try:
            made = self._service.store("UpdateSchedule", make)
        except BackendError as error:
            if error.code == "ResourceNotFoundException":
                raise JobNotFoundError(name) from error
            if error.code == "ConflictException":
                raise ConflictError(name, stored.version) from error
            raise
        return self._after(made, created_at=stored.document.get("CreationDate"))

    def _after(self, request: dict[str, Any], *, created_at: datetime | None = None) -> JobRecord:
        """Returns the record of a schedule that was just written. None: it was just created."""
        now = self.now()
        dates = {"CreationDate": created_at or now, "LastModificationDate": now}
        return self._record(self._read(request | dates))

    def _warn_of_lost_grid(self, stored: Stored, now: datetime) -> None:
        if as_rate(stored.job.schedule) is not None and stored.anchor is None:
            warnings.warn(
                f"the rate of {stored.job.name!r} has no StartDate, so its grid is unknown: the service "
                f"begins a new grid at {now.isoformat(timespec='seconds')}",
                ScheduleWarning,
                stacklevel=4,
            )

    def cancel(self, name: str, *, group: str | None = None, stop_run: bool = False) -> JobRecord:
        """Deletes the schedule. A run of ``run_now`` that has not started still starts, since it is a
        separate schedule."""
        self._refuse_stopping(name, stop_run=stop_run)
        place, document = self._located(name, group)
        self._delete(name, place, document)
        try:
            record = self._record(self._read(document))
        except BackendError as error:
            words = f"{error.detail}; the schedule was deleted"
            raise BackendError(error.service, error.operation, error.code, detail=words) from error
        return record.replace(status=JobStatus.CANCELLED, next_run=None, pause_reason=None)

    def _delete(self, name: str, group: str, document: dict[str, Any]) -> None:
        """Deletes a schedule that has just been read; another caller may have deleted it since."""
        try:
            self._service.call("DeleteSchedule", Name=name, GroupName=group, ClientToken=uuid4().hex)
        except BackendError as error:
            if error.code == "ConflictException":
                raise ConflictError(name, self._read(document).version) from error
            if error.code != "ResourceNotFoundException":
                raise

    # -- groups ------------------------------------------------------------------------------------

    def groups(self) -> builtins.list[str]:
        """Returns the names of the account's schedule groups, in the service's order."""
        return self._groups.names()

    def ensure_group(self, name: str | None = None, *, tags: Mapping[str, str] | None = None) -> str:
        """Creates a schedule group if it does not exist.

        Args:
            name: The name of the group. None: the backend's group.
            tags: The tags of the group; ignored if the group exists.

        Returns:
            The name of the group.

        Raises:
            ValueError: ``name`` is not a valid name.
        """
        name = name or self._settings.group or "default"
        for key, value in (tags or {}).items():
            if not isinstance(key, str) or not isinstance(value, str) or not key or not value:
                raise ValueError(f"expected a string of one character or more for tag {key!r}, got {value!r}")
        checked_group(name)
        self._groups.ensure(name, tags or {})
        return name

    # -- runs --------------------------------------------------------------------------------------

    def run_now(self, name: str, *, group: str | None = None) -> Run:
        """Runs the job once, by a separate one-time schedule that deletes itself, with the same target, role,
        retries and dead-letter queue. It starts within the minute after the next full minute."""
        stored = self._stored(name, group)
        now = self.now()
        run = Run(
            id=int(now.timestamp() * 1_000_000),
            job=name,
            scheduled_for=stored.job.schedule.localise(now),
            status=RunStatus.PENDING,
            trigger=Trigger.MANUAL,
        )
        self._create_run(stored, uuid4().hex, scheduled_for=now)
        return run

    def _create_run(self, stored: Stored, key: str, *, scheduled_for: datetime) -> None:
        """Creates a single run of a job; see :func:`write_run`."""
        name, group = run_name(stored.job.name, key), stored.document["GroupName"]
        self._create(name, group, lambda: write_run(stored, key, scheduled_for=scheduled_for, now=self.now()))

    def backfill(
        self, name: str, *, since: datetime, until: datetime, group: str | None = None
    ) -> builtins.list[Run]:
        """Always refused, since the service does not keep runs.

        Raises:
            UnsupportedError: Always.
        """
        job = self._stored(name, group).job
        reason = "the service keeps no record of runs, so a repeated backfill would run twice"
        instead = ("run_now", *others_for(job, _CLASS, "keeps_runs"))
        raise UnsupportedError(name, self.name, reason, instead)

    def runs(self, query: RunQuery) -> Iterator[Run]:
        """Yields the failed runs from the dead-letter queue; see :meth:`dead_letters`.

        Raises:
            UnsupportedError: The query is not limited to failed runs; the service does not keep others.
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
        """Returns the runs that could not be delivered, oldest first. It deletes no message; use
        :meth:`redrive` or :meth:`discard`.

        During the call the messages are hidden from other readers, for at most two minutes. Messages of other
        senders are ignored.

        Args:
            queue_arn: The ARN of the queue. None: the backend's ``dead_letter_arn``.
            limit: The maximum number of dead letters, of those that the queue returns first. None: all.

        Raises:
            ValueError: No queue is given.
            BackendError: The queue cannot be read.
        """
        arn = check_queue(queue_arn) or self._settings.dead_letter_arn
        if arn is None:
            raise ValueError("expected queue_arn, got none; use EventBridgeBackend(dead_letter_arn=...)")
        return self._in_their_zones(self._letters.read(arn, limit))

    def _in_their_zones(self, letters: builtins.list[DeadLetter]) -> builtins.list[DeadLetter]:
        """Returns the dead letters with ``scheduled_for`` in the zone of the job's present schedule; in UTC
        if the job is gone or cannot be read."""

        def schedule_of(place: tuple[str, str]) -> AnySchedule | None:
            group, name = place
            try:
                document = self._groups.document(name, group)
                return None if document is None else self._read(document).job.schedule
            except BackendError:  # the offset is not essential
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
        does; then deletes the message. If it is interrupted in between, the run may happen twice, but is
        never lost.

        Raises:
            InvalidTransitionError: ``run`` is not a dead letter, its payload was truncated, or its job no
                longer exists.
        """
        if not isinstance(run, DeadLetter):
            raise InvalidTransitionError(run.job, "not among dead_letters()", "redrive a run of")
        if run.truncated:
            raise InvalidTransitionError(run.job, "a dead letter with a cut payload", "redrive a run of")
        if re.search(LOOK_ALIKE, message_of(run.payload)):
            raise InvalidTransitionError(
                run.job, "a dead letter with text that looks like a context attribute", "redrive a run of"
            )
        own = self._settings.group
        if own is not None and run.group != own:
            words = f"a dead letter of group {run.group!r}, and this backend has the group {own!r}"
            raise InvalidTransitionError(run.job, words, "redrive a run of")
        try:
            stored = self._stored(self._job_of(run), run.group)
        except JobNotFoundError as error:
            raise InvalidTransitionError(run.job, "deleted", "redrive a run of") from error
        target = dict(stored.document["Target"])
        target["Input"] = with_message(target, stored.job.target, run.payload)
        once = stored._replace(document={**stored.document, "Target": target})

        try:
            self._create_run(once, run.message_id, scheduled_for=run.scheduled_for)
        except JobExistsError:  # an earlier attempt created it
            wanted = write_run(once, run.message_id, scheduled_for=run.scheduled_for, now=self.now())
            there = self._groups.document(wanted["Name"], wanted["GroupName"])
            if there is not None and there["Target"].get("Input") != wanted["Target"]["Input"]:
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
        """Returns the name of the job; the schedule of a single run has a digest if the job's name is
        long."""
        if read_run_name(letter.job) is None:
            return letter.job
        for page in self._service.pages("ListSchedules", GroupName=letter.group, MaxResults=100):
            for entry in page["Schedules"]:
                if is_run_of(letter.job, entry["Name"]):
                    return str(entry["Name"])
        raise JobNotFoundError(letter.job)

    def discard(self, letter: DeadLetter) -> None:
        """Deletes a dead letter from its queue. It is not an error if it is already deleted."""
        self._letters.delete(letter)

    # -- reading -----------------------------------------------------------------------------------

    def _record(self, stored: Stored) -> JobRecord:
        return record_of(stored, self._settings, self.now())

    def _read(self, document: dict[str, Any]) -> Stored:
        """Reads a document as a stored job."""
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
        """Returns the stored job of the same name in the job's group."""
        try:
            return self._stored(job.name, job.group)
        except JobNotFoundError as error:
            place, _ = self._located(job.name, None)
            reason = f"a schedule cannot move from group {place!r} to {place_of(job, self._settings)!r}"
            instead = (
                "client.apply([job], prune=True), which creates it in the new group and cancels the old one",
                *others_for(job, _CLASS, "moves_groups"),
            )
            raise UnsupportedError(job.name, self.name, reason, instead) from error

    def _located(self, name: str, group: str | None, *, anew: bool = True) -> tuple[str, dict[str, Any]]:
        """Returns the group and the document of a job.

        Raises:
            JobNotFoundError: No group has the job.
            BackendError: Several groups have it.
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
