"""The tasks with which the runner reads and writes the table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stepsched.asl.resources import integration, sdk_integration
from stepsched.asl.states import Catcher, Retrier, Task
from stepsched.machines.next_run import next_run_of
from stepsched.machines.renewal import START
from stepsched.machines.shared import table_schema as schema
from stepsched.machines.shared.expressions import (
    CANCELLED,
    CONDITION_FAILED,
    DO_NOT_RETRY_FAILED_CONDITION,
    DUE,
    ME,
    NO_FAILURE,
    NOW,
    PASSED,
    REMAINING,
    RETRIED,
    RETRY_TRANSIENT,
    SPENT_ON_RETRIES,
    expression_of,
    input_or,
)
from stepsched.machines.shared.history import NOT_COUNTED, Events
from stepsched.machines.shared.table_schema import CURRENT, MAX_DELETED_VERSIONS, NO_MORE, RUN, write

_ROW = "$states.result.Item"
"""The row that the state has read."""


def _text(expression: str) -> dict[str, str]:
    """The value of an expression, as a string attribute."""
    return {"S": f"{{% {expression} %}}"}


def _number(expression: str) -> dict[str, str]:
    """The value of an expression, as a number attribute."""
    return {"N": f"{{% {expression} %}}"}


_MY_TOKEN = {"old_token": _text("$token")}
_MYSELF = {"me": _text(ME)}


class TableTasks:
    """The tasks that read and write one table."""

    def __init__(self, table_name: str, partition: str, events: Events = NOT_COUNTED) -> None:
        self.table_name = table_name
        self.partition = partition
        self.events = events

    @property
    def job_key(self) -> dict[str, Any]:
        return self.row("{% $name %}", CURRENT)

    def row(self, name: str, version: str) -> dict[str, Any]:
        key = {schema.NAME: {"S": name}, schema.VERSION: {"S": version}}
        return {"TableName": self.table_name, "Key": key}

    def resource(self, action: str) -> str:
        return integration("dynamodb", action, partition=self.partition)

    def load(self) -> Task:
        cursor, plan, token = (f"{_ROW}.{each}.S" for each in (schema.CURSOR, schema.PLAN, schema.TOKEN))
        after = "$states.input.after"
        later = f"$exists({after}) and {after} > {cursor} ? {after} : {cursor}"
        instructions = f"$exists({plan}) ? $parse({plan})"
        return Task(
            comment="Reads the instructions of the job, and whether it has the token of this execution",
            resource=self.resource("getItem"),
            arguments={
                **self.row("{% $states.input.name %}", CURRENT),
                "ConsistentRead": True,
                **schema.projection(schema.TOKEN, schema.CURSOR, schema.PLAN),
            },
            assign={
                "name": "{% $states.input.name %}",
                "token": "{% $states.input.token %}",
                "there": f"{{% $exists({plan}) %}}",
                "mine": f"{{% $exists({token}) and {token} = $states.input.token %}}",
                "left": input_or("left", "[]"),
                "manual": "{% $exists($states.input.left) and $count($states.input.left) > 0 %}",
                "job": f"{{% {instructions} ~> $sift(function($value, $key) {{$key != 'plan'}}) : {{}} %}}",
                "plan": f"{{% {instructions}.plan : {{}} %}}",
                # The row holds the last claimed run; a run because of which others were skipped ended later.
                "after": f"{{% $exists({cursor}) ? ({later}) : '' %}}",
                "begun": input_or("begun", START),
                "since": input_or("since", f"$floor($toMillis({START}) / 1000)"),
                "generation": input_or("generation", "1"),
                "series": input_or(
                    "series", "$substring($states.input.name, 0, 55) & '-' & $states.input.token"
                ),
                "runs": input_or("runs", "0"),
                "spent": self.events.start,
                "attempt": 0,
                "outcome": "",
                "failure": NO_FAILURE,
                "recorded": False,
                "due": "",
                "taken": False,
            },
            output={},
            retry=(RETRY_TRANSIENT,),
            next="Mine?",
        )

    def update_job(self, request: Mapping[str, Any], *, refused: str, **fields: Any) -> Task:
        """A task with one conditional write of the job's row.

        Args:
            request: The expressions of the write.
            refused: The name of the state that follows if its condition does not hold.
            fields: Further fields of the task.
        """
        return Task(
            resource=self.resource("updateItem"),
            arguments={**self.job_key, **request},
            output={},
            retry=(DO_NOT_RETRY_FAILED_CONDITION, RETRY_TRANSIENT),
            catch=(Catcher(error_equals=(CONDITION_FAILED,), next=refused, output={}),),
            **fields,
        )

    def take(self) -> Task:
        return self.update_job(
            write(schema.HAS_TOKEN, values=_MY_TOKEN, sets={schema.EXECUTION: _text(ME)}),
            comment="Writes which execution runs the job; an earlier one with the same token stops",
            refused="Stopped",
            next="Plan",
        )

    def fence(self) -> Task:
        claim = write(
            schema.HAS_TOKEN,
            schema.HAS_EXECUTION,
            schema.IS_AHEAD_OR_MINE,
            schema.CAN_CLAIM,
            values={**_MY_TOKEN, **_MYSELF, "instant": _text("$due")},
            sets={
                schema.CURSOR: _text("$due"),
                schema.CLAIMED_BY: _text(ME),
                schema.CLAIMED: _text(f"'{RUN}' & $due"),
                schema.STARTED_AT: _text(NOW),
            },
        )
        always, sole, _ = claim["ConditionExpression"].partition(f" AND {schema.CAN_CLAIM}")
        claim["ConditionExpression"] = f"{{% '{always}' & ($job.overlap = 'allow' ? '' : '{sole}') %}}"
        return self.update_job(
            claim,
            comment="Claims the run; a repeated write is recognised by its execution",
            refused="Read job",
            assign={
                "started_at": f"{{% {NOW} %}}",
                "key": f"{{% '{RUN}' & $due %}}",
                # The age of a late run, such as after an outage, counts from its start.
                "aging": "{% $millis() > $toMillis($due) + 1000 * ($job.jitter + 60) ? $millis()"
                " : $toMillis($due) %}",
                "spent": f"{{% $spent + {RETRIED} %}}",
            },
            next="Route",
        )

    def claim(self) -> Task:
        """The task that claims an unscheduled run, whose row is pending."""
        now, first = f"{{% {NOW} %}}", "{% $left[0] %}"
        run = self.row("{% $name %}", first) | write(
            schema.CAN_START,
            values={"pending": {"S": "pending"}, "running": {"S": "running"}, **_MYSELF},
            sets={
                schema.STATUS: {"S": "running"},
                schema.EXECUTION: _text(ME),
                schema.STARTED_AT: _text(NOW),
            },
        )
        job = self.job_key | write(
            schema.IS_A_JOB,
            schema.CAN_CLAIM,
            values=_MYSELF,
            sets={
                schema.CLAIMED_BY: _text(ME),
                schema.CLAIMED: _text("$left[0]"),
                schema.STARTED_AT: _text(NOW),
            },
        )
        items = (
            f"( $run := {expression_of({'Update': run})}; "
            f"$job.overlap = 'allow' ? [$run] : [$run, {expression_of({'Update': job})}] )"
        )
        return Task(
            comment="Claims the first of the unscheduled runs",
            resource=sdk_integration("dynamodb", "transactWriteItems", partition=self.partition),
            arguments={"TransactItems": f"{{% {items} %}}"},
            output={},
            retry=(Retrier(error_equals=(CANCELLED,), max_attempts=2), RETRY_TRANSIENT),
            catch=(
                Catcher(
                    error_equals=(CANCELLED,),
                    next="Read run",
                    assign={"spent": f"{{% $spent + {self.events.skipped_taken} %}}"},
                    output={},
                ),
            ),
            assign={
                "due": f"{{% {DUE} %}}",
                "key": first,
                "left": REMAINING,
                "started_at": now,
                "aging": "{% $millis() %}",
                "attempt": 0,
                "spent": f"{{% $spent + {self.events.run} + {RETRIED} %}}",
            },
            next="Route",
        )

    def read_run(self) -> Task:
        status = f"{_ROW}.{schema.STATUS}.S"
        return Task(
            comment="Reads whether the first of the unscheduled runs is still pending",
            resource=self.resource("getItem"),
            arguments={
                **self.row("{% $name %}", "{% $left[0] %}"),
                "ConsistentRead": True,
                **schema.projection(schema.STATUS),
            },
            assign={
                "taken": f"{{% $exists({status}) ? {status} != 'pending' : true %}}",
                **SPENT_ON_RETRIES,
            },
            output={},
            retry=(RETRY_TRANSIENT,),
            next="Read job",
        )

    def record_skipped(self) -> Task:
        run = expression_of({"Update": self.run_update(schema.IS_UNSTARTED)})
        scheduled = self.job_key | write(
            schema.HAS_TOKEN,
            schema.HAS_EXECUTION,
            schema.IS_AHEAD,
            values={**_MY_TOKEN, **_MYSELF, "instant": _text("$due")},
            sets={schema.CURSOR: _text("$due")},
        )
        items = f"( $run := {run}; $manual ? [$run] : [$run, {expression_of({'Update': scheduled})}] )"
        return Task(
            comment="Records a run as skipped, if it has not started",
            resource=sdk_integration("dynamodb", "transactWriteItems", partition=self.partition),
            arguments={"TransactItems": f"{{% {items} %}}"},
            output={},
            retry=(Retrier(error_equals=(CANCELLED,), max_attempts=0), RETRY_TRANSIENT),
            # The successor reads everything again.
            catch=(Catcher(error_equals=(CANCELLED,), next="Renew", output={}),),
            assign={
                "after": "{% $manual ? $after : $due %}",
                "left": f"{{% $manual ? {REMAINING[2:-2].strip()} : $left %}}",
                **SPENT_ON_RETRIES,
            },
            next="Plan",
        )

    def run_update(self, *conditions: str, passed: str = PASSED) -> dict[str, Any]:
        """The update that records the end of a run in its row.

        It writes only strings and numbers: the two integrations of DynamoDB name the other types differently.

        Args:
            conditions: The conditions on the row of the run.
            passed: The expression of the instant up to which runs are finished or skipped.
        """
        return self.row("{% $name %}", "{% $key %}") | write(
            *conditions,
            sets={
                schema.STATUS: _text("$outcome"),
                schema.ATTEMPTS: _number("$string($outcome = 'succeeded' ? $attempt + 1 : $attempt)"),
                schema.ERROR: _text("$failure.error"),
                schema.CAUSE: _text("$substring($failure.cause, 0, 4000)"),
                schema.OUTPUT: _text("$output"),
                schema.STARTED_AT: _text("$started_at"),
                schema.ENDED_AT: _text("$fromMillis($ended)"),
                schema.EXECUTION: _text(ME),
                schema.JOB_VERSION: _number("$string($job.version)"),
                schema.TTL: _number("$string($floor($millis() / 1000) + $job.keep)"),
            },
            # A redriven run keeps the record of the runs that were skipped because of it.
            keeps={schema.PASSED: _text(passed), schema.DUE: _text("$due")},
        )

    def record(self) -> Task:
        scheduled = self.job_key | write(
            schema.HAS_TOKEN,
            values=_MY_TOKEN,
            sets={
                schema.CURSOR: _text(PASSED),
                schema.DUE: {"S": next_run_of("$job.kind", f"({PASSED})")},
                schema.LAST: _text("$key"),
            },
            removes=schema.CLAIM,
        )
        concurrent = self.job_key | write(schema.IS_A_JOB, sets={schema.LAST: _text("$key")})
        alone = self.job_key | self.release_claim()
        done = {"after": f"{{% $manual ? $after : {PASSED} %}}", "runs": "{% $runs + 1 %}"}
        job = (
            f"$not($manual) ? {expression_of({'Update': scheduled})}"
            f" : $job.overlap = 'allow' ? {expression_of({'Update': concurrent})}"
            f" : {expression_of({'Update': alone})}"
        )
        return Task(
            comment="Records the end of the run, and the next run of the job",
            resource=sdk_integration("dynamodb", "transactWriteItems", partition=self.partition),
            arguments={"TransactItems": [{"Update": self.run_update()}, f"{{% {job} %}}"]},
            output={},
            retry=(Retrier(error_equals=(CANCELLED,), max_attempts=0), RETRY_TRANSIENT),
            catch=(
                Catcher(
                    error_equals=(CANCELLED,),
                    next="Record run only",
                    assign={**done, "recorded": True},
                    output={},
                ),
            ),
            assign={**done, **SPENT_ON_RETRIES},
            next="Plan",
        )

    def release_claim(self) -> dict[str, Any]:
        """The update that removes this execution's claim from the job."""
        sets = {schema.LAST: _text("$key")}
        return write(schema.IS_CLAIMED, values=_MYSELF, sets=sets, removes=schema.CLAIM)

    def record_run_only(self) -> Task:
        return Task(
            comment="Records only the end of the run: the job has changed in the meantime",
            resource=self.resource("updateItem"),
            arguments=self.run_update(passed="$due"),
            output={},
            retry=(RETRY_TRANSIENT,),
            assign=SPENT_ON_RETRIES,
            next="Release",
        )

    def release(self) -> Task:
        return self.update_job(
            self.release_claim(),
            comment="Removes the claim of this execution",
            refused="Read job",
            assign=SPENT_ON_RETRIES,
            next="Read job",
        )

    def read_job(self) -> Task:
        token, execution, claimed_by, claimed = (
            f"{_ROW}.{each}.S" for each in (schema.TOKEN, schema.EXECUTION, schema.CLAIMED_BY, schema.CLAIMED)
        )
        mine = (
            f"$exists({token}) and {token} = $token"
            f" and ($manual or ($exists({execution}) and {execution} = {ME}))"
        )
        busy = f"$exists({claimed_by}) and {claimed_by} != {ME}"
        return Task(
            comment="Reads whether this execution is current, and whether another run is running",
            resource=self.resource("getItem"),
            arguments={
                **self.job_key,
                "ConsistentRead": True,
                **schema.projection(
                    schema.TOKEN, schema.EXECUTION, schema.CLAIMED_BY, schema.CLAIMED, schema.LATEST
                ),
            },
            assign={
                "there": f"{{% $exists({_ROW}.{schema.LATEST}.N) %}}",
                "mine": f"{{% {mine} %}}",
                "wanted": f"{{% $manual or ({mine}) %}}",
                "busy": f"{{% {busy} %}}",
                "claimed": f"{{% {busy} ? {claimed} : '' %}}",
                "spent": f"{{% $spent + {self.events.lost_claim} + {RETRIED} %}}",
            },
            output={},
            retry=(RETRY_TRANSIENT,),
            next="Claim lost?",
        )

    def status(self, status: str) -> Task:
        """The task that writes the new status of the job, unless the job has changed in the meantime."""
        return self.update_job(
            write(
                schema.HAS_TOKEN,
                values=_MY_TOKEN,
                sets={schema.STATUS: {"S": status}, schema.DUE: {"S": NO_MORE}},
                removes=(schema.TOKEN,),
            ),
            refused="Stopped",
            next="Done",
        )

    def delete(self) -> Task:
        """The task that deletes a job with the rows of its first versions, unless the job has changed in the
        meantime. The rows of later versions are kept; a new job of the same name overwrites them."""
        current = {"Delete": self.job_key | write(schema.HAS_TOKEN, values=_MY_TOKEN)}
        version = {"Delete": self.row("{% $name %}", "{% 'v' & $string($number) %}")}
        delete_version = f"function($number) {{{expression_of(version)}}}"
        versions = f"$map([1..$min([$job.version, {MAX_DELETED_VERSIONS}])], {delete_version})"
        return Task(
            resource=sdk_integration("dynamodb", "transactWriteItems", partition=self.partition),
            arguments={"TransactItems": f"{{% $append([{expression_of(current)}], {versions}) %}}"},
            output={},
            # The transaction may be cancelled for other reasons than the token, such as throttling.
            retry=(Retrier(error_equals=(CANCELLED,), interval_seconds=1, max_attempts=6), RETRY_TRANSIENT),
            catch=(Catcher(error_equals=(CANCELLED,), next="Stopped", output={}),),
            next="Done",
        )
