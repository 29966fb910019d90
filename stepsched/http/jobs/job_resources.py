"""What requests do with jobs."""

from __future__ import annotations

from urllib.parse import quote

from stepsched.core.errors import ConflictError, JobExistsError, JobNotFoundError
from stepsched.http.jobs.calls import Answer, Call, refusing
from stepsched.http.jobs.documents import (
    JobPage,
    VersionList,
    definition,
    etag_of,
    job_document,
    version_document,
)
from stepsched.http.jobs.guards import check_targets
from stepsched.http.jobs.paging import page_of_jobs
from stepsched.http.jobs.problems import Refusal
from stepsched.http.jobs.reading import check_moved, job_in, patched
from stepsched.jobs import Job, JobRecord

_ATTEMPTS = 5
"""How often a change without ``If-Match`` is tried, if others change the job at the same time."""


def list_jobs(call: Call) -> Answer:
    """Lists the jobs that match all conditions, a page at a time."""
    records, following = page_of_jobs(call)
    link = None if following is None else f"{call.root}/jobs?{following}"
    page = JobPage(items=[job_document(each) for each in records], next=link)
    return Answer(200, page, {} if link is None else {"link": f'<{link}>; rel="next"'})


def create_job(call: Call) -> Answer:
    """Stores a job. If an equal one is there, nothing is changed."""
    call.only()
    job = _permitted(call, job_in(call.body, call.now))
    is_new = not any(call.backend.find([job]))
    record = call.client.create(job)
    return _answer(call, record, 201 if is_new else 200, is_located=True)


def get_job(call: Call) -> Answer:
    """Returns a job."""
    call.only("group")
    return _answer(call, present_job(call))


def put_job(call: Call) -> Answer:
    """Replaces a job, or stores a new one."""
    call.only()
    name = call.path["name"]
    job = _permitted(call, job_in(call.body, call.now, name=name))
    for attempt in range(_ATTEMPTS):
        present = next(iter(call.backend.find([job])), None) or _job_named(call, name)
        _check_preconditions(call, present)
        try:
            if present is None:
                return _answer(call, call.client.create(job), 201, is_located=True)
            return _answer(call, call.client.update(job, expected_version=present.version))
        except (ConflictError, JobExistsError, JobNotFoundError) as error:
            _refuse_failed_precondition(call, error)
            if attempt == _ATTEMPTS - 1:
                raise
    raise AssertionError("the last attempt returns or raises")


def patch_job(call: Call) -> Answer:
    """Changes some members of a job (a merge patch, RFC 7396)."""
    call.only("group")
    for attempt in range(_ATTEMPTS):
        present = present_job(call)
        document = patched(definition(present.job), call.body)
        job = _permitted(call, job_in(document, call.now, name=present.name))
        check_moved(present.job, job, call.body)
        try:
            return _answer(call, call.client.update(job, expected_version=present.version))
        except ConflictError as error:
            _refuse_failed_precondition(call, error)
            if attempt == _ATTEMPTS - 1:
                raise
    raise AssertionError("the last attempt returns or raises")


def cancel_job(call: Call) -> Answer:
    """Deletes a job; the answer has its last record."""
    call.only("group", "stop_run")
    record = present_job(call)
    stop_run = call.flag("stop_run")
    done = call.client.cancel(record.name, group=record.job.group, stop_run=stop_run)
    return Answer(200, job_document(done))


def pause_job(call: Call) -> Answer:
    """Pauses a job."""
    call.only("group")
    given = call.fields("reason", "stop_run")
    record, stop_run, reason = present_job(call), given.get("stop_run", False), given.get("reason")
    with refusing("/reason" if isinstance(stop_run, bool) else "/stop_run"):
        done = call.client.pause(
            record.name,
            group=record.job.group,
            stop_run=stop_run,  # type: ignore[arg-type]  # the client refuses other types
            reason=reason,  # type: ignore[arg-type]  # as above
        )
    return _answer(call, done)


def resume_job(call: Call) -> Answer:
    """Resumes a job."""
    call.only("group")
    call.fields()
    record = present_job(call)
    return _answer(call, call.client.resume(record.name, group=record.job.group))


def list_versions(call: Call) -> Answer:
    """Lists the earlier definitions of a job, oldest first."""
    call.only("group")
    found = call.client.versions(call.path["name"], group=call.group())
    return Answer(200, VersionList(items=[version_document(each) for each in found]))


# -- parts of them -------------------------------------------------------------------------------------


def _permitted(call: Call, job: Job) -> Job:
    check_targets(job, call.allowed)
    return job


def present_job(call: Call) -> JobRecord:
    """Returns the job of the path, if the preconditions of the request hold.

    Raises:
        JobNotFoundError: There is no such job.
        Refusal: A precondition does not hold.
    """
    record = _job_named(call, call.path["name"])
    if record is None and "if-match" not in call.headers:
        raise JobNotFoundError(call.path["name"])
    _check_preconditions(call, record)
    assert record is not None
    return record


def _job_named(call: Call, name: str) -> JobRecord | None:
    try:
        return call.client.get(name, group=call.group())
    except JobNotFoundError:
        return None


def _check_preconditions(call: Call, record: JobRecord | None) -> None:
    """Refuses a request whose ``If-Match`` or ``If-None-Match`` does not hold (RFC 9110, 13.2.2)."""
    tag = None if record is None else etag_of(record)
    wanted, unwanted = call.headers.get("if-match"), call.headers.get("if-none-match")
    if wanted is not None and not _matches(wanted, tag):
        raise _failed(call, "If-Match", tag)
    if unwanted is not None and call.method != "GET" and _matches(unwanted, tag):
        raise _failed(call, "If-None-Match", tag)


def _matches(header: str, tag: str | None) -> bool:
    return tag is not None and (header.strip() == "*" or tag in (each.strip() for each in header.split(",")))


def _failed(call: Call, header: str, tag: str | None) -> Refusal:
    name = call.path["name"]
    state = f"job {name!r} has the ETag {tag}" if tag is not None else f"there is no job {name!r}"
    headers = {} if tag is None else {"etag": tag}
    detail = f"the precondition {header} does not hold: {state}; read the job again, then decide"
    return Refusal(412, "precondition_failed", detail, headers=headers)


def _refuse_failed_precondition(call: Call, error: Exception) -> None:
    """Refuses a change whose preconditions held and that another one has overtaken."""
    if "if-match" in call.headers or "if-none-match" in call.headers:
        detail = f"job {call.path['name']!r} was changed by another request at the same time; read it again"
        raise Refusal(412, "precondition_failed", detail) from error


def _answer(call: Call, record: JobRecord, status: int = 200, *, is_located: bool = False) -> Answer:
    headers = {"etag": etag_of(record)}
    if is_located:
        headers["location"] = link_of(call, record.job)
    return Answer(status, job_document(record), headers)


def link_of(call: Call, job: Job) -> str:
    """Returns the path of a job."""
    return f"{call.root}/jobs/{quote(job.name, safe='')}"
