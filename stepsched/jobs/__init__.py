"""Jobs, their policies, and the records of jobs and runs that backends return."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stepsched.core.lazy import loader

if TYPE_CHECKING:
    from stepsched.jobs.crontab_files import read_crontab
    from stepsched.jobs.events import Event, EventKind
    from stepsched.jobs.files import read_jobs, write_jobs
    from stepsched.jobs.interval import next_interval_run
    from stepsched.jobs.job import Job
    from stepsched.jobs.plans import Change, Plan
    from stepsched.jobs.policies import CatchUp, Completion, OnFailure, Overlap, Retry
    from stepsched.jobs.records import (
        JobRecord,
        JobStatus,
        JobVersion,
        Problem,
        Repair,
        Run,
        RunStatus,
        Trigger,
    )
    from stepsched.jobs.results import JobRecords, JobVersions, Repairs, Runs
    from stepsched.jobs.upcoming import Upcoming, UpcomingRun

__all__ = [
    "CatchUp",
    "Change",
    "Completion",
    "Event",
    "EventKind",
    "Job",
    "JobRecord",
    "JobRecords",
    "JobStatus",
    "JobVersion",
    "JobVersions",
    "OnFailure",
    "Overlap",
    "Plan",
    "Problem",
    "Repair",
    "Repairs",
    "Retry",
    "Run",
    "RunStatus",
    "Runs",
    "Trigger",
    "Upcoming",
    "UpcomingRun",
    "next_interval_run",
    "read_crontab",
    "read_jobs",
    "write_jobs",
]

if not TYPE_CHECKING:
    __getattr__ = loader(
        __name__,
        {
            "stepsched.jobs.crontab_files": ("read_crontab",),
            "stepsched.jobs.events": ("Event", "EventKind"),
            "stepsched.jobs.files": ("read_jobs", "write_jobs"),
            "stepsched.jobs.interval": ("next_interval_run",),
            "stepsched.jobs.job": ("Job",),
            "stepsched.jobs.plans": ("Change", "Plan"),
            "stepsched.jobs.policies": ("CatchUp", "Completion", "OnFailure", "Overlap", "Retry"),
            "stepsched.jobs.records": (
                "JobRecord",
                "JobStatus",
                "JobVersion",
                "Problem",
                "Repair",
                "Run",
                "RunStatus",
                "Trigger",
            ),
            "stepsched.jobs.results": ("JobRecords", "JobVersions", "Repairs", "Runs"),
            "stepsched.jobs.upcoming": ("Upcoming", "UpcomingRun"),
        },
    )


def __dir__() -> list[str]:
    return __all__
