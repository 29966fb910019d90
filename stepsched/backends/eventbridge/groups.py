"""The account's schedule groups, and the search for a schedule in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Any
from uuid import uuid4

from stepsched.backends.eventbridge.service import Service
from stepsched.backends.pool import is_worker
from stepsched.core.clock import Clock
from stepsched.core.errors import BackendError
from stepsched.jobs.names import is_narrow

_MEMORY = 10.0
"""How long the list of groups is cached, in seconds."""
_MISSING = "ResourceNotFoundException"


class Groups:
    """Caches the groups for a few seconds only: with a missing group, two jobs of one name would look like
    one."""

    def __init__(self, service: Service, clock: Clock) -> None:
        self._service = service
        self._clock = clock
        self._known: tuple[str, ...] = ()
        self._until = float("-inf")
        self._lock = Lock()

    def names(self) -> list[str]:
        """Returns all groups, in the service's order."""
        pages = self._service.pages("ListScheduleGroups", MaxResults=100)
        names = [group["Name"] for page in pages for group in page["ScheduleGroups"]]
        with self._lock:
            self._known = tuple(names)
            self._until = self._clock.monotonic() + _MEMORY
        return names

    def learn(self, name: str) -> None:
        """Clears the cache if it does not contain an existing group."""
        with self._lock:
            if name not in self._known:
                self._until = float("-inf")

    def ensure(self, name: str, tags: Mapping[str, str]) -> None:
        """Creates a group if it does not exist."""
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
            if error.code != "ConflictException":  # another caller has created it
                raise

    def find(self, name: str, group: str | None, *, anew: bool) -> dict[str, dict[str, Any]]:
        """Returns the documents of all schedules of that name, by group.

        Args:
            name: The name of the schedule.
            group: The group to search. None: all groups.
            anew: Whether to list the groups again instead of using the cache.
        """
        if not is_narrow(name):
            return {}
        if group is not None:
            return self._look(name, (group,))
        is_fresh = not anew and self._clock.monotonic() < self._until
        places = self._known if is_fresh else tuple(self.names())
        found = self._look(name, places)
        if not found and is_fresh:  # a group may have been created since
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
        """Returns the document of the schedule; None if there is none."""
        if not is_narrow(name):  # no schedule can have the name of such a job
            return None
        try:
            return self._service.call("GetSchedule", Name=name, GroupName=group)
        except BackendError as error:
            if error.code == _MISSING:
                return None
            raise
