"""Pages of jobs and runs. A cursor holds the last item of a page, so that nothing is shown twice or left out
because other items came or went."""

from __future__ import annotations

import binascii
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from urllib.parse import urlencode

from stepsched.backends.base import JobQuery, RunQuery
from stepsched.http.jobs.calls import Call
from stepsched.http.jobs.problems import Refusal, invalid_parameter
from stepsched.jobs import JobRecord, JobStatus, Run, RunStatus
from stepsched.jobs.names import is_name_prefix

_LATEST = 10**40
"""An ID above those of all runs."""
_DIGITS = 40
"""The maximum number of digits of the ID of a run."""
_LONGEST = 4_096
"""The maximum length of a cursor."""


def page_of_jobs(call: Call) -> tuple[list[JobRecord], str | None]:
    """Returns the jobs of a page, sorted by name and group, and the query of the next page.

    Raises:
        Refusal: A parameter is not valid.
    """
    call.only("status", "name_prefix", "group", "tag", "limit", "cursor")
    limit, after = call.limit(), _after(call)
    prefix = call.text("name_prefix")
    query = JobQuery(
        status=call.word("status", JobStatus), name_prefix=prefix, group=call.group(), tags=call.tags()
    )
    if not is_name_prefix(prefix or ""):
        return [], None
    page = call.backend.page(query, after=after, limit=limit + 1)
    if len(page) <= limit:
        return page, None
    last = page[limit - 1]
    return page[:limit], _next(call, [last.name, last.job.group])


def _after(call: Call) -> tuple[str, str] | None:
    match _cursor(call):
        case None:
            return None
        case [str(name), str(group)]:
            return name, group
        case _:
            raise _no_cursor()


def page_of_runs(call: Call, job: str | None) -> tuple[list[Run], str | None]:
    """Returns the runs of a page, the latest first, and the query of the next page.

    Args:
        call: The request.
        job: The name of the job. None: that of the query, or all jobs.

    Raises:
        Refusal: A parameter is not valid.
        JobNotFoundError: There is neither a job of this name nor a run of one.
    """
    call.only(*(() if job is not None else ("job",)), "status", "since", "until", "limit", "cursor")
    name, limit, cursor = job if job is not None else call.text("job"), call.limit(), _cursor(call)
    if cursor is not None and not (isinstance(cursor, str) and is_run_id(cursor)):
        raise _no_cursor()
    query = RunQuery(
        job=name,
        status=call.word("status", RunStatus),
        since=call.instant("since"),
        until=call.instant("until"),
        limit=limit + 1,
        before=_LATEST if cursor is None else int(cursor),
    )
    if name is not None and cursor is None:
        call.client.runs(name, limit=1)  # refuses a name that belongs to nothing
    latest = list(call.backend.runs(query))[::-1]
    return latest[:limit], _next(call, str(latest[limit - 1].id)) if len(latest) > limit else None


def is_run_id(text: str) -> bool:
    """Returns whether a text can be the ID of a run."""
    return text.isascii() and text.isdigit() and len(text) <= _DIGITS


def run_of(call: Call, job: str, number: int) -> Run | None:
    """Returns the run of a job with this ID. None: there is none."""
    found = list(call.backend.runs(RunQuery(job=job, before=number + 1, limit=1)))
    return found[0] if found and found[0].id == number else None


def _cursor(call: Call) -> object:
    text = call.text("cursor")
    if text is None:
        return None
    try:
        if len(text) > _LONGEST:
            raise _no_cursor()
        found: object = json.loads(urlsafe_b64decode(text.encode("ascii")))
        json.dumps(found, ensure_ascii=False).encode()  # refuses half of a surrogate pair
    except (binascii.Error, ValueError, RecursionError) as error:
        raise _no_cursor() from error
    return [] if found is None else found


def _no_cursor() -> Refusal:
    return invalid_parameter("cursor", "expected a cursor of the link to a next page")


def _next(call: Call, last: object) -> str:
    """Returns the query of the next page."""
    cursor = urlsafe_b64encode(json.dumps(last).encode()).decode()
    kept = [(name, value) for name, value in call.query if name != "cursor"]
    return urlencode([*kept, ("cursor", cursor)])
