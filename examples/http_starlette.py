"""All jobs of an application as REST, in a Starlette application that has pages of its own."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from http_serving import asked
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

import stepsched as ss
from stepsched.http import bearer_token, jobs_app

TOKEN = secrets.token_urlsafe()  # the same at every start, in an application
backend = ss.LocalBackend(handlers_from=["handlers"])  # of jobs, only functions of this module are called
client = ss.SchedulerClient(backend)


@asynccontextmanager
async def lifespan(_app: Starlette) -> AsyncIterator[None]:
    async with backend:  # runs the jobs: the mounted application does not start the backend
        yield


async def home(_request: Request) -> PlainTextResponse:
    return PlainTextResponse("a page of the application")


jobs = jobs_app(client, authenticate=bearer_token(TOKEN), allow_targets=["handlers:tidy"])
app = Starlette(routes=[Route("/", home), Mount("/v1", jobs)], lifespan=lifespan)

if __name__ == "__main__":
    with asked(app, TOKEN) as http:
        job = {"name": "reports/daily", "cron": "0 9 * * 1-5", "target": "handlers:tidy"}
        created = http.post("/v1/jobs", json=job)
        print(created.status_code, created.headers["location"], created.json()["status"])
        print(http.get(created.headers["location"]).json()["job"]["schedule"])
        refused = http.post("/v1/jobs", json={**job, "target": ["rm", "-rf", "/"]})
        print(refused.status_code, refused.json()["code"])
        print(http.get("/").text)
