"""Sends the messages of a FanOutTarget in batches: the expressions of the states that do so.

A variable holds the positions of the messages that have not been sent, in order. Each call sends the first
ten of them. Those that Amazon SQS has accepted leave the variable; if it has not accepted all, the attempt
has failed, and the next one goes on with the first message that is left.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html
"""

from __future__ import annotations

from typing import Any, NamedTuple

from stepsched.machines.literals import literal, quoted
from stepsched.targets import FanOutTarget, Target
from stepsched.targets.messages import MAX_BATCH, queue_url

SEND_MESSAGES = "Send messages"
"""The name of the call in the instructions of a job, and of the runner's state that makes it."""
_FIRST = f"[[0..{MAX_BATCH - 1}]]"
_GROUP, _DEDUPLICATION = "MessageGroupId", "MessageDeduplicationId"


class Messages(NamedTuple):
    """The messages of a run."""

    target: FanOutTarget
    digest: str
    """The beginning of all deduplication IDs, which is unique to the job and the part of a parallel
    target."""
    due: str
    """The expression that gives the scheduled instant."""

    def variables(self, messages: str, rest: str) -> dict[str, Any]:
        """The variables with which a run begins.

        Args:
            messages: The name of the variable of the texts.
            rest: The name of the variable of the positions that are left.
        """
        texts = literal(list(self.target.messages), {})
        return {messages: texts, rest: f"{{% [0..{len(self.target.messages) - 1}] %}}"}

    def arguments(self, messages: str, rest: str) -> dict[str, Any]:
        """The arguments of the call in a definition.

        Args:
            messages: As for :meth:`variables`.
            rest: As for :meth:`variables`.
        """
        group, ids = self.target.message_group_id, ""
        if group is not None:
            ids = _ids(quoted(group), quoted(self.digest), self.due)
        sent = _entries(f"${messages}", ids, rest)
        return {"QueueUrl": queue_url(self.target.queue_arn), "Entries": f"{{% {sent} %}}"}

    def data(self) -> dict[str, Any]:
        """The arguments of the call for the runner, which :func:`data_arguments` reads."""
        target = self.target
        data = {"QueueUrl": queue_url(target.queue_arn), "Messages": list(target.messages)}
        if target.message_group_id is not None:
            data |= {_GROUP: target.message_group_id, _DEDUPLICATION: self.digest}
        return data


def batches_of(target: Target) -> int:
    """The number of batches of a run of a :class:`FanOutTarget`; 0 for other targets."""
    return -(-len(target.messages) // MAX_BATCH) if isinstance(target, FanOutTarget) else 0


def data_arguments(data: str, run: str, rest: str) -> str:
    """The arguments of the runner's call, as one expression.

    Args:
        data: The expression of what :meth:`Messages.data` gives.
        run: The expression of what distinguishes the runs of a job.
        rest: As for :meth:`Messages.variables`.
    """
    # The key of a value that does not exist, as for a standard queue, is left out of an object.
    ids = _ids(f"$data.{_GROUP}", f"$exists($data.{_GROUP}) ? $data.{_DEDUPLICATION}", run)
    sent = _entries("$data.Messages", ids, rest)
    return f"{{% ( $data := {data}; {{'QueueUrl': $data.QueueUrl, 'Entries': {sent}}} ) %}}"


def data_positions(data: str) -> str:
    """The expression of the positions of all messages in what :meth:`Messages.data` gives."""
    return f"[0..$count({data}.Messages) - 1]"


def after_call(failure: str, attempt: str, rest: str) -> dict[str, Any]:
    """The variables that a call sets when Amazon SQS has answered.

    Args:
        failure: The name of the variable of the failure. Its ``error`` is empty if all have been accepted.
        attempt: The name of the variable of the number of failed attempts.
        rest: As for :meth:`Messages.variables`.
    """
    answer = "$states.result"
    failed = f"$count({answer}.Successful) < $min([{MAX_BATCH}, $count(${rest})])"
    first = f"{answer}.Failed[0]"
    error = f"$exists({first}.Code) ? 'Sqs.' & {first}.Code : 'Stepsched.NotSent'"
    cause = f"'messages[' & {first}.Id & ']: ' & {first}.Message"
    is_left = f"$i > {MAX_BATCH - 1} or $not($string($n) in {answer}.Successful.Id)"
    return {
        failure: {
            "error": f"{{% {failed} ? ({error}) : '' %}}",
            "cause": f"{{% {failed} ? {cause} : '' %}}",
            "attempts": f"{{% ${attempt} + 1 %}}",
        },
        rest: f"{{% [$filter(${rest}, function($n, $i) {{{is_left}}})] %}}",
    }


def _ids(group: str, digest: str, run: str) -> str:
    return f", '{_GROUP}': {group}, '{_DEDUPLICATION}': {digest} & '/' & {run} & '/' & $string($n)"


def _entries(messages: str, ids: str, rest: str) -> str:
    entry = f"{{'Id': $string($n), 'MessageBody': {messages}[$n]{ids}}}"
    return f"[$map([${rest}{_FIRST}], function($n) {{{entry}}})]"
