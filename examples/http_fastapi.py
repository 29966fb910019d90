"""All jobs of an application as REST, mounted in FastAPI, with the users of the application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from http_serving import asked
from starlette.requests import Request

import stepsched as ss
from stepsched.http import jobs_app

USERS = {"token-of-ann": "ann"}
backend = ss.LocalBackend(handlers_from=["handlers"])  # of jobs, only functions of this module are called
client = ss.SchedulerClient(backend)


async def user(request: Request) -> str | None:
    """The user who asks, as the application finds it out; None: nobody, which is answered with 401."""
    return USERS.get(request.headers.get("authorization", "").removeprefix("Bearer "))


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    async with backend:  # runs the jobs: the mounted application does not start the backend
        yield


app = FastAPI(lifespan=lifespan)
app.mount("/v1", jobs_app(client, authenticate=user, allow_targets=["handlers:tidy"]))


@app.get("/names")
def names() -> list[str]:
    return [record.name for record in client.list()]


if __name__ == "__main__":
    with asked(app, "token-of-ann") as http:
        job = {"name": "remind-me", "in": "1h", "target": "handlers:tidy"}
        for _ in range(2):  # the second time nothing is created
            created = http.post("/v1/jobs", json=job, headers={"idempotency-key": "k-1"})
            print(created.status_code, created.headers.get("idempotent-replayed", "-"))
        print(http.get("/names").json())
        print(http.get("/v1/jobs", headers={"authorization": "Bearer other"}).json()["title"])
