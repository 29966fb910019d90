"""Jobs, their policies, and what a backend says of them."""

from __future__ import annotations

from stepsched.jobs.job import Job, Name, checked_name, is_name
from stepsched.jobs.policies import CatchUp, Completion, OnFailure, Overlap, Retry
from stepsched.jobs.records import (
    STILL_RAN,
    JobRecord,
    JobStatus,
    JobVersion,
    Problem,
    Repair,
    Run,
    RunStatus,
    Trigger,
    status_after,
)

__all__ = [
    "STILL_RAN",
    "CatchUp",
    "Completion",
    "Job",
    "JobRecord",
    "JobStatus",
    "JobVersion",
    "Name",
    "OnFailure",
    "Overlap",
    "Problem",
    "Repair",
    "Retry",
    "Run",
    "RunStatus",
    "Trigger",
    "checked_name",
    "is_name",
    "status_after",
]
