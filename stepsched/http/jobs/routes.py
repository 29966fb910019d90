"""The resources of the application: each path with its methods, in one table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from pydantic import BaseModel

from stepsched.http.jobs import documents as made
from stepsched.http.jobs import job_resources, plan_resources, run_resources
from stepsched.http.jobs.calls import Answer, Call


class Operation(NamedTuple):
    """What a method does with a resource."""

    handle: Callable[[Call], Answer]
    """The function; its docstring is the summary of the operation."""
    answers: Mapping[int, type[BaseModel]]
    """The documents of success, by status."""
    takes: str = ""
    """The name of the schema of the body. Empty: there is none."""
    query: tuple[str, ...] = ()
    """The names of the parameters of the query."""
    refusals: tuple[int, ...] = ()
    """The statuses of refusals that only this operation has."""
    is_large: bool = False
    """Whether the body may hold many jobs."""
    has_tag: bool = False
    """Whether the request may have preconditions."""


_FILTERS = ("name_prefix", "group", "tag")
_JOB = made.JobDocument

RESOURCES: Mapping[str, Mapping[str, Operation]] = {
    "/jobs": {
        "GET": Operation(
            job_resources.list_jobs, {200: made.JobPage}, query=("status", *_FILTERS, "limit", "cursor")
        ),
        "POST": Operation(job_resources.create_job, {200: _JOB, 201: _JOB}, "Job", refusals=(403, 409)),
    },
    "/jobs/{name}": {
        "GET": Operation(job_resources.get_job, {200: _JOB}, query=("group",), has_tag=True),
        "PUT": Operation(
            job_resources.put_job, {200: _JOB, 201: _JOB}, "Replacement", refusals=(403, 409), has_tag=True
        ),
        "PATCH": Operation(
            job_resources.patch_job, {200: _JOB}, "Patch", ("group",), (403, 409), has_tag=True
        ),
        "DELETE": Operation(
            job_resources.cancel_job, {200: _JOB}, query=("group", "stop_run"), has_tag=True, refusals=(409,)
        ),
    },
    "/jobs/{name}/pause": {
        "POST": Operation(job_resources.pause_job, {200: _JOB}, "Pause", ("group",), (409,), has_tag=True)
    },
    "/jobs/{name}/resume": {
        "POST": Operation(job_resources.resume_job, {200: _JOB}, "Nothing", ("group",), (409,), has_tag=True)
    },
    "/jobs/{name}/run": {
        "POST": Operation(
            run_resources.run_job, {202: made.RunDocument}, "Nothing", ("group",), (409,), has_tag=True
        )
    },
    "/jobs/{name}/redrive": {
        "POST": Operation(run_resources.redrive_run, {202: made.RunDocument}, "Redrive", refusals=(409,))
    },
    "/jobs/{name}/backfill": {
        "POST": Operation(
            run_resources.backfill_job, {202: made.RunList}, "Backfill", ("group",), (409,), has_tag=True
        )
    },
    "/jobs/{name}/runs": {
        "GET": Operation(
            run_resources.list_runs_of_job,
            {200: made.RunPage},
            query=("status", "since", "until", "limit", "cursor"),
        )
    },
    "/jobs/{name}/versions": {
        "GET": Operation(job_resources.list_versions, {200: made.VersionList}, query=("group",))
    },
    "/runs": {
        "GET": Operation(
            run_resources.list_runs,
            {200: made.RunPage},
            query=("job", "status", "since", "until", "limit", "cursor"),
        )
    },
    "/runs/{name}/{id}": {"GET": Operation(run_resources.get_run, {200: made.RunDocument})},
    "/upcoming": {
        "GET": Operation(
            run_resources.list_upcoming, {200: made.UpcomingList}, query=("until", *_FILTERS, "limit")
        )
    },
    "/plan": {
        "POST": Operation(
            plan_resources.plan_jobs, {200: made.PlanDocument}, "Jobs", refusals=(403, 409), is_large=True
        )
    },
    "/apply": {
        "POST": Operation(
            plan_resources.apply_jobs,
            {200: made.PlanDocument},
            "Jobs",
            refusals=(403, 409),
            is_large=True,
            has_tag=True,
        )
    },
}
