"""One-shot tasks over HTTP: a message and an instant are posted, and the message comes back at that instant.

Only :func:`one_shot_app` needs the extra ``http``: a process that runs the tasks imports
:mod:`stepsched.http.one_shot.delivery` alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stepsched.core.lazy import loader

if TYPE_CHECKING:
    from stepsched.http.one_shot.app import one_shot_app as one_shot_app
else:
    __getattr__ = loader(__name__, {"stepsched.http.one_shot.app": ("one_shot_app",)})

__all__ = ["one_shot_app"]


def __dir__() -> list[str]:
    return __all__
