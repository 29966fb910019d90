"""Handles the events that AWS Lambda passes to a function for a queue; needs the extra ``powertools``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from stepsched.core.clock import utc_now
from stepsched.core.outcomes import words
from stepsched.core.quoting import quoted
from stepsched.workers.messages import QueueMessage, recorded_message


class MessageFailedError(Exception):
    """The handler of a message failed; ``__cause__`` is its exception. Powertools catches an ``Exception``
    only, and a handler may raise ``SystemExit``."""


def handle_records(event: Any, context: Any, call: Callable[[QueueMessage], object]) -> dict[str, Any]:
    """Handles the records of an event one after another.

    Returns:
        The partial batch response: the IDs of the messages that were not handled.

    Raises:
        ModuleNotFoundError: The extra is not installed.
        ValueError: ``event`` is not of a queue.
    """
    try:
        from aws_lambda_powertools.utilities import batch
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "lambda_handler needs AWS Lambda Powertools; use pip install 'stepsched[powertools]', or the "
            "layer AWSLambdaPowertoolsPythonV3",
            name=error.name,
        ) from error
    records = event.get("Records") if isinstance(event, Mapping) else None
    if not isinstance(records, list) or not all(map(_is_of_a_queue, records)):
        raise ValueError(
            f"expected an event of an SQS queue, got {quoted(event)}; "
            "make the queue an event source of the function"
        )
    if not records:
        return {"batchItemFailures": []}
    is_fifo = str(records[0].get("eventSourceARN", "")).endswith(".fifo")
    processor: batch.BatchProcessor = (
        batch.SqsFifoPartialProcessor(skip_group_on_error=True)
        if is_fifo
        else batch.BatchProcessor(event_type=batch.EventType.SQS)
    )
    # Otherwise a batch of which every message has failed would be reported as an error of the function.
    processor.raise_on_entire_batch_failure = False
    deadline = _deadline(context)

    def handle(record: Any) -> None:
        try:
            call(recorded_message(record.raw_event, deadline))
        except BaseException as error:
            raise MessageFailedError(words(error)) from error

    answer = batch.process_partial_response(event, handle, processor, context)
    return dict(answer)


def _is_of_a_queue(record: object) -> bool:
    return isinstance(record, Mapping) and record.get("eventSource") == "aws:sqs"


def _deadline(context: Any) -> datetime | None:
    """Returns the instant at which Lambda ends the function. None: the context does not say, as in a test."""
    left = getattr(context, "get_remaining_time_in_millis", None)
    return utc_now() + timedelta(milliseconds=left()) if callable(left) else None
