"""A request and its answer, as the resources see them: without sockets and threads."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

from pydantic import BaseModel

from stepsched.backends.base import Backend
from stepsched.client import SchedulerClient
from stepsched.core.enums import StrEnum
from stepsched.core.errors import StepschedError
from stepsched.core.quoting import quoted
from stepsched.http.jobs.problems import Fault, Refusal, invalid, invalid_parameter, pointer
from stepsched.jobs.names import is_narrow
from stepsched.schedules.moments import read_moment

Word = TypeVar("Word", bound=StrEnum)
PAGE = 100
"""The number of items of a page, if the request does not say."""
MOST_ITEMS = 1_000
"""The maximum number of items of a page."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a request."""

    status: int
    document: BaseModel | Mapping[str, object]
    headers: Mapping[str, str] = field(default_factory=dict)

    def content(self) -> bytes:
        """Returns the body."""
        document = self.document
        if isinstance(document, BaseModel):
            document = document.model_dump(mode="json")
        return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


@dataclass(frozen=True, slots=True)
class Call:
    """A request, read and permitted."""

    client: SchedulerClient
    method: str
    """The method of the request; ``GET`` for ``HEAD``."""
    allowed: frozenset[str]
    """The kinds of targets and the functions that jobs may have, of those that are refused otherwise."""
    root: str
    """The path at which the application is mounted, percent-encoded."""
    path: Mapping[str, str]
    """The parameters of the path, decoded."""
    query: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]
    """The headers; their names are in lower case."""
    body: Mapping[str, object]
    """The body; empty if there was none."""
    now: datetime
    """The instant from which ``in`` counts: the present, or that of the first request with the same
    ``Idempotency-Key``."""
    is_repeated: bool = False
    """Whether an earlier request with the same ``Idempotency-Key`` began and was cut off."""

    @property
    def backend(self) -> Backend:
        """The backend."""
        return self.client.backend

    def only(self, *names: str) -> None:
        """Refuses parameters of the query other than these."""
        for name, _ in self.query:
            if name not in names:
                known = ", ".join(names) or "none"
                raise invalid_parameter(name, f"unknown parameter; the parameters are: {known}")

    def text(self, name: str) -> str | None:
        """Returns a parameter of the query. None: it is not given."""
        found = [value for key, value in self.query if key == name]
        if len(found) > 1:
            raise invalid_parameter(name, "expected it once")
        return found[0] if found else None

    def group(self) -> str | None:
        """Returns the group that the query names."""
        group = self.text("group")
        if group is not None and not is_narrow(group):
            raise invalid_parameter("group", f"expected the name of a group, got {quoted(group)}")
        return group

    def word(self, name: str, kind: type[Word]) -> Word | None:
        """Returns a parameter that is one of a few words."""
        text = self.text(name)
        try:
            return None if text is None else kind(text)
        except ValueError as error:
            words = ", ".join(each.value for each in kind)
            raise invalid_parameter(name, f"expected one of {words}, got {quoted(text)}") from error

    def flag(self, name: str) -> bool:
        """Returns a parameter that is ``true`` or ``false``; False if it is not given."""
        text = self.text(name)
        if text not in (None, "true", "false"):
            raise invalid_parameter(name, f"expected true or false, got {quoted(text)}")
        return text == "true"

    def limit(self) -> int:
        """Returns the number of items of a page."""
        text = self.text("limit")
        if text is None:
            return PAGE
        if not (text.isascii() and text.isdigit() and len(text) <= 4 and 1 <= int(text) <= MOST_ITEMS):
            raise invalid_parameter(
                "limit", f"expected a whole number from 1 to {MOST_ITEMS}, got {quoted(text)}"
            )
        return int(text)

    def instant(self, name: str) -> datetime | None:
        """Returns an instant of the query: ISO 8601 with an offset."""
        text = self.text(name)
        try:
            return None if text is None else aware_instant(text)
        except ValueError as error:
            raise invalid_parameter(name, str(error)) from error

    def tags(self) -> dict[str, str]:
        """Returns the tags of the query, each given as ``tag=name:value``."""
        tags = dict[str, str]()
        for key, text in self.query:
            if key == "tag":
                name, mark, value = text.partition(":")
                if not (name and mark and value):
                    raise invalid_parameter("tag", f"expected name:value, got {quoted(text)}")
                tags[name] = value
        return tags

    def fields(self, *names: str) -> Mapping[str, object]:
        """Returns the body, which may have only these members.

        Raises:
            Refusal: It has another member.
        """
        unknown = [name for name in self.body if name not in names]
        if unknown:
            known = ", ".join(names) or "none"
            faults = [
                Fault(pointer((name,)), f"unknown member; the members are: {known}") for name in unknown
            ]
            raise invalid("the body has unknown members", *faults, code="invalid_body")
        return self.body


def aware_instant(value: object) -> datetime:
    """Reads an instant.

    Raises:
        ValueError: It is not ISO 8601 text with an offset, or outside of the years 1 to 9999.
    """
    words = f"expected an instant with an offset, such as 2030-01-01T09:00:00Z, got {quoted(value)}"
    if not isinstance(value, str):
        raise ValueError(words)  # noqa: TRY004 -- callers collect ValueError
    try:
        moment = read_moment(value)
        if moment.tzinfo is None:
            raise ValueError(words)
        # what is computed with it may lie a day beyond
        _ = moment - timedelta(days=2), moment + timedelta(days=2)
    except OverflowError as error:
        raise ValueError(words) from error
    return moment


@contextmanager
def refusing(place: str) -> Iterator[None]:
    """Turns what a verb refuses about its arguments into a refusal of the body.

    Args:
        place: The JSON pointer of the argument.
    """
    try:
        yield
    except (ValueError, TypeError, OverflowError) as error:
        if isinstance(error, StepschedError):  # it has a status of its own
            raise
        raise invalid(str(error), Fault(place, str(error)), code="invalid_value") from error


def missing(names: Collection[str]) -> Refusal:
    """Returns the refusal of a body without some members."""
    faults = [Fault(pointer((name,)), "it is missing") for name in names]
    return invalid(f"the body lacks {', '.join(names)}", *faults, code="invalid_body")
