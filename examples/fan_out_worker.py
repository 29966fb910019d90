"""One handler, in three places: a worker of a queue, a Lambda function, and the embedded backend.

QUEUE_URL=https://sqs.eu-west-1.amazonaws.com/123456789012/reports python examples/fan_out_worker.py

works until Ctrl-C or SIGTERM. Without QUEUE_URL the jobs that send to the queue are played on a fake clock,
in this process. In Lambda the handler of the function is fan_out_worker.lambda_handler.
"""

from __future__ import annotations

import logging
import os
from datetime import datetime, timedelta, timezone

import stepsched as ss
from stepsched.testing import FakeClock
from stepsched.workers import QueueMessage

QUEUE = ss.FanOutTarget("arn:aws:sqs:eu-west-1:123456789012:reports", ["paris", "lima", "osaka", "lima"])
NIGHTLY = ss.Job(name="nightly-reports", schedule=ss.Cron("0 2 * * ? *", timezone="UTC"), target=QUEUE)


def report(message: QueueMessage) -> None:
    """Makes the report of a city. A second call for the same message must do no harm."""
    print(f"report on {message.body}, delivery {message.receive_count}", flush=True)


worker = ss.QueueWorker(os.environ.get("QUEUE_URL", QUEUE.queue_arn), report, concurrency=4)
lambda_handler = worker.lambda_handler


def play() -> None:
    monday = datetime(2030, 1, 7, tzinfo=timezone.utc)
    with ss.LocalBackend(clock=FakeClock(monday)) as backend:
        backend.register(ss.FanOutTarget, worker.handler)
        ss.SchedulerClient(backend).create(NIGHTLY)
        backend.run_until(monday + timedelta(days=1))


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    if "QUEUE_URL" in os.environ:
        print(worker.run())
    else:
        play()
