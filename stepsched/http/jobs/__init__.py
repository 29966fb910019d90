"""All jobs of a client as REST."""

from stepsched.http.jobs.app import jobs_app
from stepsched.http.jobs.guards import Authenticate, bearer_token

__all__ = ["Authenticate", "bearer_token", "jobs_app"]
