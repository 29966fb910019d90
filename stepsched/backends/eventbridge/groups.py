"""The account's schedule groups, and where in them a schedule is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Any
from uuid import uuid4

from stepsched.backends.eventbridge.service import Service
from stepsched.backends.pool import is_worker
from stepsched.core.clock import Clock
from stepsched.core.errors import BackendError

_MEMORY = 10.0
"""Seconds."""
_MISSING = "ResourceNotFoundException"


class Groups:
    """Remembers the groups for a few seconds: with one that it does not know, two jobs of one name would
    look like one."""

    def __init__(self, service: Service, clock: Clock) -> None:
        self._service = service
        self._clock = clock
        self._known: tuple[str, ...] = ()
        self._until = float("-inf")
        self._lock = Lock()

    def names(self) -> list[str]:
        """All groups, as the service lists them now."""
        pages = self._service.pages("ListScheduleGroups", MaxResults=100)
        names = [group["Name"] for page in pages for group in page["ScheduleGroups"]]
        with self._lock:
            self._known = tuple(names)
            self._until = self._clock.monotonic() + _MEMORY
        return names

    def learn(self, name: str) -> None:
        """Forgets what is known where it does not hold a group that there is."""
        with self._lock:
            if name not in self._known:
                self._until = float("-inf")

    def ensure(self, name: str, tags: Mapping[str, str]) -> None:
        """Makes a group where it does not exist."""
        if name == "default":
            return
        try:
            self._service.call("GetScheduleGroup", Name=name)
        except BackendError as error:
            if error.code != _MISSING:
                raise
            self._make(name, tags)
        self.learn(name)

    def _make(self, name: str, tags: Mapping[str, str]) -> None:
        pairs = [{"Key": key, "Value": value} for key, value in tags.items()]
        more = {"Tags": pairs} if pairs else {}
        try:
            self._service.call("CreateScheduleGroup", Name=name, ClientToken=uuid4().hex, **more)
        except BackendError as error:
            if error.code != "ConflictException":  # another made it meanwhile
                raise

    def find(self, name: str, group: str | None, *, anew: bool) -> dict[str, dict[str, Any]]:
        """The documents of all schedules of that name, by group.

        Args:
            name: The schedule's.
            group: Only this one. None: every group there is.
            anew: Whether the groups are listed anew: for what must not mistake one for the only one.
        """
        if group is not None:
            return self._look(name, (group,))
        is_fresh = not anew and self._clock.monotonic() < self._until
        places = self._known if is_fresh else tuple(self.names())
        found = self._look(name, places)
        if not found and is_fresh:  # a group may have come since
            found = self._look(name, [place for place in self.names() if place not in places])
        return found

    def _look(self, name: str, places: Sequence[str]) -> dict[str, dict[str, Any]]:
        if len(places) == 1 or is_worker():
            documents: Sequence[dict[str, Any] | None] = [self.document(name, place) for place in places]
        else:
            documents = list(self._service.each(lambda place: self.document(name, place), places))
        pairs = zip(places, documents, strict=True)
        return {place: document for place, document in pairs if document is not None}

    def document(self, name: str, group: str) -> dict[str, Any] | None:
        """The schedule as the service answers it; None where there is none."""
        try:
            return self._service.call("GetSchedule", Name=name, GroupName=group)
        except BackendError as error:
            if error.code == _MISSING:
                return None
            raise
