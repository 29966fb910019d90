"""Reminders over HTTP: a FastAPI application that stores its jobs in a file and runs them itself.

    pip install fastapi uvicorn
    uvicorn --app-dir examples web_fastapi:app
    curl -d '{"name": "tea", "at": "2030-01-01T16:00:00Z", "text": "tea time"}' \
        -H 'content-type: application/json' http://127.0.0.1:8000/reminders
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any, Literal

from fastapi import Depends, FastAPI, Request
from fastapi.responses import JSONResponse
from web_jobs import DATABASE, GROUP, HANDLERS, STANDING, Reminder, refusal

import stepsched as ss


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[dict[str, Any]]:
    async with ss.LocalBackend(DATABASE, handlers_from=HANDLERS) as backend:  # starts, and at the end waits
        client = ss.AsyncSchedulerClient(backend)
        await client.apply(STANDING)  # not create: a job may have changed since the last start
        yield {"client": client}


app = FastAPI(lifespan=lifespan)


@app.exception_handler(ss.StepschedError)
async def refuse(_request: Request, error: ss.StepschedError) -> JSONResponse:
    status, body = refusal(error)
    return JSONResponse(body, status)


def the_client(request: Request) -> ss.AsyncSchedulerClient:
    client: ss.AsyncSchedulerClient = request.state.client
    return client


Client = Annotated[ss.AsyncSchedulerClient, Depends(the_client)]


@app.post("/reminders", status_code=201)
async def create(reminder: Reminder, client: Client) -> ss.JobRecord:
    return await client.create(reminder.job())


@app.get("/reminders")
async def listed(client: Client) -> list[ss.JobRecord]:
    return await client.list(group=GROUP)


@app.get("/reminders/{name}")
async def get(name: str, client: Client) -> ss.JobRecord:
    return await client.get(name, group=GROUP)


@app.post("/reminders/{name}/{verb}")
async def change(name: str, verb: Literal["pause", "resume"], client: Client) -> ss.JobRecord:
    act = client.pause if verb == "pause" else client.resume
    return await act(name, group=GROUP)


@app.delete("/reminders/{name}")
async def cancel(name: str, client: Client) -> ss.JobRecord:
    return await client.cancel(name, group=GROUP)
