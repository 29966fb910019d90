"""Sends the messages of a FanOutTarget in batches: the expressions of the states that do so.

Each ten messages are a batch. A variable holds the positions of the messages of the present batch that have
not been sent, in order, and each call sends these. Those that Amazon SQS has accepted leave the variable;
when none is left, it holds the positions of the next batch, and after the last batch none. If Amazon SQS has
not accepted all, the attempt has failed, and the next one sends what is left of the batch.

The messages are an object of batches, so that no expression visits all of them: AWS limits its time.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html
"""

from __future__ import annotations

from typing import Any, NamedTuple

from stepsched.machines.literals import literal, quoted
from stepsched.targets import FanOutTarget, Target
from stepsched.targets.messages import MAX_BATCH, queue_url

SEND_MESSAGES = "Send messages"
"""The name of the call in the instructions of a job, and of the runner's state that makes it."""
_GROUP, _DEDUPLICATION = "MessageGroupId", "MessageDeduplicationId"


class Messages(NamedTuple):
    """The messages of a run."""

    target: FanOutTarget
    digest: str
    """The beginning of all deduplication IDs, which is unique to the job and the part of a parallel
    target."""
    due: str
    """The expression that gives the scheduled instant."""

    def variables(self, messages: str, unsent: str) -> dict[str, Any]:
        """The variables with which a run begins.

        Args:
            messages: The name of the variable of the batches.
            unsent: The name of the variable of the positions that are left of the present batch.
        """
        return {
            messages: literal(self._batches(), {}),
            unsent: list(range(min(MAX_BATCH, len(self.target.messages)))),
        }

    def arguments(self, messages: str, unsent: str) -> dict[str, Any]:
        """The arguments of the call in a definition.

        Args:
            messages: As for :meth:`variables`.
            unsent: As for :meth:`variables`.
        """
        group, ids = self.target.message_group_id, ""
        if group is not None:
            ids = _ids(quoted(group), quoted(self.digest), self.due)
        return {
            "QueueUrl": queue_url(self.target.queue_arn),
            "Entries": f"{{% {_entries(f'${messages}', ids, unsent)} %}}",
        }

    def data(self) -> dict[str, Any]:
        """The arguments of the call for the runner, which :func:`data_arguments` reads."""
        data = {"QueueUrl": queue_url(self.target.queue_arn), "Messages": self._batches()}
        if self.target.message_group_id is not None:
            data |= {_GROUP: self.target.message_group_id, _DEDUPLICATION: self.digest}
        return data

    def _batches(self) -> dict[str, list[str]]:
        return {
            str(number): list(batch.messages) for number, batch in enumerate(self.target.batches(MAX_BATCH))
        }


def batches_of(target: Target) -> int:
    """The number of batches of a run of a :class:`FanOutTarget`; 0 for other targets."""
    return -(-len(target.messages) // MAX_BATCH) if isinstance(target, FanOutTarget) else 0


def data_arguments(data: str, run: str, unsent: str) -> str:
    """The arguments of the runner's call, as one expression.

    Args:
        data: The expression of what :meth:`Messages.data` gives.
        run: The expression of what distinguishes the runs of a job.
        unsent: As for :meth:`Messages.variables`.
    """
    # The key of a value that does not exist, as for a standard queue, is left out of an object.
    ids = _ids(f"$data.{_GROUP}", f"$exists($data.{_GROUP}) ? $data.{_DEDUPLICATION}", run)
    entries = _entries("$data.Messages", ids, unsent)
    return f"{{% ( $data := {data}; {{'QueueUrl': $data.QueueUrl, 'Entries': {entries}}} ) %}}"


def first_positions(messages: str) -> str:
    """The expression of the positions of the first batch.

    Args:
        messages: The expression of the batches.
    """
    return _positions(messages, "0")


def after_call(messages: str, failure: str, attempt: str, unsent: str) -> dict[str, Any]:
    """The variables that a call sets when Amazon SQS has answered.

    Args:
        messages: The expression of the batches.
        failure: The name of the variable of the failure. Its ``error`` is empty if all have been accepted.
        attempt: The name of the variable of the number of failed attempts.
        unsent: As for :meth:`Messages.variables`.
    """
    answer = "$states.result"
    failed, first = f"$count({answer}.Successful) < $count(${unsent})", f"{answer}.Failed[0]"
    error = f"$exists({first}.Code) ? 'Sqs.' & {first}.Code : 'Stepsched.NotSent'"
    cause = f"'messages[' & {first}.Id & ']: ' & {first}.Message"
    left = f"${unsent}[$not($string($) in {answer}.Successful.Id)]"
    following = f"$next := {_batch(unsent)} + 1; $exists($left) ? [$left] : {_positions(messages, '$next')}"
    return {
        failure: {
            "error": f"{{% {failed} ? ({error}) : '' %}}",
            "cause": f"{{% {failed} ? {cause} : '' %}}",
            "attempts": f"{{% ${attempt} + 1 %}}",
        },
        unsent: f"{{% ( $left := {left}; {following} ) %}}",
    }


def _batch(unsent: str) -> str:
    return f"$floor(${unsent}[0] / {MAX_BATCH})"


def _positions(messages: str, batch: str) -> str:
    first = f"{MAX_BATCH} * {batch}"
    return f"[{first}..{first} + $count($lookup({messages}, $string({batch}))) - 1]"


def _ids(group: str, digest: str, run: str) -> str:
    return f", '{_GROUP}': {group}, '{_DEDUPLICATION}': {digest} & '/' & {run} & '/' & $string($n)"


def _entries(messages: str, ids: str, unsent: str) -> str:
    texts = f"$texts := $lookup({messages}, $string({_batch(unsent)}))"
    entry = f"{{'Id': $string($n), 'MessageBody': $texts[$n % {MAX_BATCH}]{ids}}}"
    return f"( {texts}; [$map(${unsent}, function($n) {{{entry}}})] )"
