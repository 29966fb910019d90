"""ASGI applications over a client: one-shot tasks, all jobs as REST, and a page (extra ``http``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stepsched.core.lazy import loader

if TYPE_CHECKING:
    from stepsched.http.jobs import bearer_token as bearer_token
    from stepsched.http.jobs import jobs_app as jobs_app
    from stepsched.http.one_shot import one_shot_app as one_shot_app
    from stepsched.http.serving import serve as serve
    from stepsched.http.site import site_app as site_app
else:
    __getattr__ = loader(
        __name__,
        {
            "stepsched.http.jobs": ("bearer_token", "jobs_app"),
            "stepsched.http.one_shot": ("one_shot_app",),
            "stepsched.http.serving": ("serve",),
            "stepsched.http.site": ("site_app",),
        },
        extra="http",
    )

__all__ = ["bearer_token", "jobs_app", "one_shot_app", "serve", "site_app"]


def __dir__() -> list[str]:
    return __all__
