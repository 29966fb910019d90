"""All jobs of an application as REST, beside Django, which uses the same client in its views."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import django  # type: ignore[import-untyped]
from django.conf import settings  # type: ignore[import-untyped]
from django.core.asgi import get_asgi_application  # type: ignore[import-untyped]
from django.http import HttpRequest, JsonResponse  # type: ignore[import-untyped]
from django.urls import path  # type: ignore[import-untyped]
from http_serving import asked
from starlette.applications import Starlette
from starlette.routing import Mount

import stepsched as ss
from stepsched.http import bearer_token, jobs_app

TOKEN = secrets.token_urlsafe()  # the same at every start, in an application
backend = ss.LocalBackend(handlers_from=["handlers"])  # of jobs, only functions of this module are called
client = ss.SchedulerClient(backend)


def names(_request: HttpRequest) -> JsonResponse:
    return JsonResponse({"names": [record.name for record in client.list()]})


# In a project this is in settings.py and urls.py.
urlpatterns = [path("names", names)]
settings.configure(
    ROOT_URLCONF=__name__, ALLOWED_HOSTS=["127.0.0.1"], SECRET_KEY=secrets.token_urlsafe(), USE_TZ=True
)
django.setup()


# And this is in asgi.py. Django knows no lifespan, so the outer application starts the backend.
@asynccontextmanager
async def lifespan(_app: Starlette) -> AsyncIterator[None]:
    async with backend:
        yield


jobs = jobs_app(client, authenticate=bearer_token(TOKEN), allow_targets=["handlers:tidy"])
application = Starlette(
    routes=[Mount("/v1", jobs), Mount("/", get_asgi_application())],
    lifespan=lifespan,
)

if __name__ == "__main__":
    with asked(application, TOKEN) as http:
        job = {"cron": "0 9 * * 1-5", "timezone": "Europe/Paris", "target": "handlers:tidy"}
        print(http.put("/v1/jobs/daily", json=job).status_code)
        moved = http.patch("/v1/jobs/daily", json={"at": "2031-01-01T10:00"})
        print(moved.json()["next_run"], moved.headers["etag"][:3])
        print(http.get("/names").json())
