"""gunicorn with preload: the application is loaded once, and the workers are forked from that process.

    pip install gunicorn
    gunicorn --config examples/web_gunicorn.py

What is made at import is made before the fork. What fires has to be started after it, in each worker.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

wsgi_app = "web_wsgi:app"
pythonpath = str(Path(__file__).parent)
bind = "127.0.0.1:8000"
preload_app = True
workers = 3
graceful_timeout = 30
"""The time in seconds for requests and runs to end; then the worker is killed, and its runs start again."""


def post_worker_init(_worker: Any) -> None:
    from web_wsgi import backend

    backend.start()


def worker_exit(_server: Any, _worker: Any) -> None:
    from web_wsgi import backend

    backend.close()
