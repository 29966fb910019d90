"""What requests do with sets of jobs: plan and apply."""

from __future__ import annotations

from stepsched.http.jobs.calls import Answer, Call, missing, refusing
from stepsched.http.jobs.documents import etag_of_plan, plan_document
from stepsched.http.jobs.guards import check_targets
from stepsched.http.jobs.problems import MOST_FAULTS, Fault, Refusal, invalid
from stepsched.http.jobs.reading import job_in
from stepsched.jobs import Job
from stepsched.jobs.plans import Plan


def plan_jobs(call: Call) -> Answer:
    """Compares jobs with the stored ones. Nothing is changed."""
    plan = _plan(call)
    return Answer(200, plan_document(plan), {"etag": etag_of_plan(plan)})


def apply_jobs(call: Call) -> Answer:
    """Makes the changes of a plan: with ``If-Match``, only those of the plan that has this entity tag."""
    plan = _plan(call)
    tag, wanted = etag_of_plan(plan), call.headers.get("if-match")
    if wanted is not None and tag not in (each.strip() for each in wanted.split(",")):
        detail = "the stored jobs have changed since the plan was made, or the jobs are others; plan again"
        raise Refusal(412, "plan_changed", detail, headers={"etag": tag})
    done = call.client.apply(plan, progress=lambda _done, _total: None)
    return Answer(200, plan_document(done))


def _plan(call: Call) -> Plan:
    call.only()
    given = call.fields("jobs", "prune")
    if "jobs" not in given:
        raise missing(["jobs"])
    jobs = _jobs(call, given["jobs"])
    prune = given.get("prune", False)
    if not isinstance(prune, (bool, list)):
        reason = "expected true, false or a list of groups"
        raise invalid(reason, Fault("/prune", reason), code="invalid_value")
    with refusing("/jobs" if prune is False else "/prune"):
        return call.client.plan(jobs, prune=prune, progress=lambda _done, _total: None)


def _jobs(call: Call, documents: object) -> list[Job]:
    """Returns the jobs of a body.

    Raises:
        Refusal: Some are not valid; the first problems of all jobs. Or a target is not allowed.
    """
    if not isinstance(documents, list):
        reason = "expected a list of jobs"
        raise invalid(reason, Fault("/jobs", reason), code="invalid_body")
    jobs, faults = list[Job](), list[Fault]()
    for number, document in enumerate(documents):
        try:
            jobs.append(job_in(document, call.now, place=("jobs", number)))
        except Refusal as refused:  # noqa: PERF203 -- all jobs are read
            faults += refused.faults
            if len(faults) >= MOST_FAULTS:  # a body may have a million of them
                break
    if faults:
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        raise invalid(f"{faults[0].place}: {faults[0].reason}{more}", *faults)
    for number, job in enumerate(jobs):
        check_targets(job, call.allowed, ("jobs", number))
    return jobs
