"""What requests do with runs."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from urllib.parse import quote

from stepsched.backends.base import RunQuery
from stepsched.core.errors import RunNotFoundError
from stepsched.core.quoting import quoted
from stepsched.http.jobs.calls import Answer, Call, aware_instant, missing, refusing
from stepsched.http.jobs.documents import (
    RunList,
    RunPage,
    UpcomingList,
    run_document,
    upcoming_document,
)
from stepsched.http.jobs.job_resources import present_job
from stepsched.http.jobs.paging import is_run_id, page_of_runs, run_of
from stepsched.http.jobs.problems import Fault, Refusal, invalid
from stepsched.jobs import JobRecord, Run
from stepsched.jobs.records import Trigger


def list_runs(call: Call) -> Answer:
    """Lists runs, the latest first, a page at a time."""
    return _page(call, None, "/runs")


def list_runs_of_job(call: Call) -> Answer:
    """Lists the runs of a job, the latest first, a page at a time."""
    name = call.path["name"]
    return _page(call, name, f"/jobs/{quote(name, safe='')}/runs")


def _page(call: Call, job: str | None, path: str) -> Answer:
    runs, following = page_of_runs(call, job)
    link = None if following is None else f"{call.root}{path}?{following}"
    page = RunPage(items=[run_document(each) for each in runs], next=link)
    return Answer(200, page, {} if link is None else {"link": f'<{link}>; rel="next"'})


def get_run(call: Call) -> Answer:
    """Returns a run."""
    call.only()
    return Answer(200, run_document(_run(call, call.path["name"], call.path["id"])))


def run_job(call: Call) -> Answer:
    """Runs a job once now. If an earlier request with the same ``Idempotency-Key`` was cut off, the answer is
    the first run that was created by hand since then, if there is one."""
    call.only("group")
    call.fields()
    record = present_job(call)
    run = _run_of_earlier(call, record) or call.client.run_now(record.name, group=record.job.group)
    return Answer(202, run_document(run), {"location": _link(call, run)})


def _run_of_earlier(call: Call, record: JobRecord) -> Run | None:
    """Returns the run that an earlier request with the same key has created before it was cut off."""
    if not call.is_repeated or not call.backend.capabilities.keeps_runs:
        return None
    since = call.backend.runs(RunQuery(job=record.name, since=call.now))
    return next((run for run in since if run.trigger is Trigger.MANUAL), None)


def redrive_run(call: Call) -> Answer:
    """Runs a run that has failed for good again."""
    call.only()
    given = call.fields("run")
    if "run" not in given:
        raise missing(["run"])
    number = given["run"]
    if not isinstance(number, str) or not is_run_id(number):
        reason = f"expected the ID of a run as text, got {quoted(number)}"
        raise invalid(reason, Fault("/run", reason), code="invalid_value")
    run = call.client.redrive(_run(call, call.path["name"], number))
    return Answer(202, run_document(run), {"location": _link(call, run)})


def backfill_job(call: Call) -> Answer:
    """Runs a job for scheduled instants that have passed."""
    call.only("group")
    given = call.fields("since", "until")
    lacking = [name for name in ("since", "until") if name not in given]
    if lacking:
        raise missing(lacking)
    record = present_job(call)
    with refusing("/since"):
        since = aware_instant(given["since"])
    with refusing("/until"):
        until = aware_instant(given["until"])
        runs = call.client.backfill(record.name, since=since, until=until, group=record.job.group)
    return Answer(202, _run_list(runs))


def list_upcoming(call: Call) -> Answer:
    """Lists the next runs of all active jobs, the earliest first."""
    call.only("until", "limit", "name_prefix", "group", "tag")
    found = call.client.upcoming(
        until=call.instant("until"),
        limit=call.limit(),
        name_prefix=call.text("name_prefix"),
        group=call.group(),
        tags=call.tags(),
    )
    return Answer(200, UpcomingList(items=[upcoming_document(each) for each in islice(found, call.limit())]))


def _run_list(runs: Iterable[Run]) -> RunList:
    return RunList(items=[run_document(each) for each in runs])


def _run(call: Call, job: str, number: str) -> Run:
    """Returns a run.

    Raises:
        JobNotFoundError: There is neither a job of this name nor a run of one.
        Refusal: ``number`` is not the ID of a run.
        RunNotFoundError: The job has no such run.
    """
    if not is_run_id(number):
        raise Refusal(404, "run_not_found", f"{quoted(number)} is not the ID of a run")
    found = run_of(call, job, int(number))
    if found is None:
        call.client.runs(job, limit=1)  # refuses a name that belongs to nothing
        raise RunNotFoundError(job, int(number))
    return found


def _link(call: Call, run: Run) -> str:
    return f"{call.root}/runs/{quote(run.job, safe='')}/{run.id}"
