"""What the runner does with the table: each is one task."""

from __future__ import annotations

from typing import Any

from stepsched.asl.resources import integration, sdk_integration
from stepsched.asl.states import Catcher, Retrier, Task
from stepsched.machines.next_run import next_run_of
from stepsched.machines.renewal import START
from stepsched.machines.shared.expressions import (
    CANCELLED,
    CLAIM,
    CONDITION_FAILED,
    DO_NOT_RETRY_FAILED_CONDITION,
    DUE,
    LOST_CLAIM_EVENTS,
    ME,
    NOW,
    PASSED,
    REST,
    RETRIED,
    RETRY_TRANSIENT,
    RUN_EVENTS,
    SKIPPED_TAKEN_RUN_EVENTS,
    SPENT_ON_RETRIES,
    START_EVENTS,
    given,
    written,
)
from stepsched.machines.shared.table_schema import CURRENT, MOST_VERSIONS, NO_MORE, RUN


class TableTasks:
    """The tasks on one table."""

    def __init__(self, table_name: str, partition: str) -> None:
        self.table_name = table_name
        self.partition = partition

    @property
    def job_key(self) -> dict[str, Any]:
        return self.row("{% $name %}", CURRENT)

    def row(self, name: str, version: str) -> dict[str, Any]:
        return {"TableName": self.table_name, "Key": {"name": {"S": name}, "version": {"S": version}}}

    def resource(self, action: str) -> str:
        return integration("dynamodb", action, partition=self.partition)

    def load(self) -> Task:
        item = "$states.result.Item"
        later = (
            f"$exists($states.input.after) and $states.input.after > {item}.cursor.S"
            f" ? $states.input.after : {item}.cursor.S"
        )
        plan = f"$exists({item}.plan.S) ? $parse({item}.plan.S)"
        return Task(
            comment="The job's row: its plan, and whether it still wants this execution",
            resource=self.resource("getItem"),
            arguments={
                **self.row("{% $states.input.name %}", CURRENT),
                "ConsistentRead": True,
                "ProjectionExpression": "#token, #cursor, #plan",
                "ExpressionAttributeNames": {"#token": "token", "#cursor": "cursor", "#plan": "plan"},
            },
            assign={
                "name": "{% $states.input.name %}",
                "token": "{% $states.input.token %}",
                "there": f"{{% $exists({item}.plan.S) %}}",
                "mine": f"{{% $exists({item}.token.S) and {item}.token.S = $states.input.token %}}",
                "left": given("left", "[]"),
                "manual": "{% $exists($states.input.left) and $count($states.input.left) > 0 %}",
                "job": f"{{% {plan} ~> $sift(function($value, $key) {{$key != 'plan'}}) : {{}} %}}",
                "plan": f"{{% {plan}.plan : {{}} %}}",
                # The row knows the last run that was claimed; a run that passed others over ended later.
                "after": f"{{% $exists({item}.cursor.S) ? ({later}) : '' %}}",
                "begun": given("begun", START),
                "since": given("since", f"$floor($toMillis({START}) / 1000)"),
                "generation": given("generation", "1"),
                "series": given(
                    "series", "$substring($states.input.name, 0, 55) & '-' & $states.input.token"
                ),
                "runs": given("runs", "0"),
                "spent": START_EVENTS,
                "attempt": 0,
                "outcome": "",
                "recorded": False,
                "due": "",
                "taken": False,
            },
            output={},
            retry=(RETRY_TRANSIENT,),
            next="Mine?",
        )

    def take(self) -> Task:
        return Task(
            comment="Tells which execution runs the job; an older one of the same token stops",
            resource=self.resource("updateItem"),
            arguments={
                **self.job_key,
                "ConditionExpression": "#token = :token",
                "UpdateExpression": "SET #execution = :me",
                "ExpressionAttributeNames": {"#token": "token", "#execution": "execution"},
                "ExpressionAttributeValues": {
                    ":token": {"S": "{% $token %}"},
                    ":me": {"S": f"{{% {ME} %}}"},
                },
            },
            output={},
            retry=(DO_NOT_RETRY_FAILED_CONDITION, RETRY_TRANSIENT),
            catch=(Catcher(error_equals=(CONDITION_FAILED,), next="Stopped", output={}),),
            next="Plan",
        )

    def fence(self) -> Task:
        return Task(
            comment="Claims the run; a write whose answer was lost is known by its execution",
            resource=self.resource("updateItem"),
            arguments={
                **self.job_key,
                "ConditionExpression": "{% '#token = :token AND #execution = :me"
                " AND (#cursor < :due OR (#cursor = :due AND #by = :me))'"
                " & ($job.overlap = 'allow' ? '' : ' AND (attribute_not_exists(#by) OR #by = :me)') %}",
                "UpdateExpression": "SET #cursor = :due, #by = :me, #claimed = :key, #started = :now",
                "ExpressionAttributeNames": {
                    "#token": "token",
                    "#execution": "execution",
                    "#cursor": "cursor",
                    **CLAIM,
                },
                "ExpressionAttributeValues": {
                    ":token": {"S": "{% $token %}"},
                    ":due": {"S": "{% $due %}"},
                    ":me": {"S": f"{{% {ME} %}}"},
                    ":key": {"S": f"{{% '{RUN}' & $due %}}"},
                    ":now": {"S": f"{{% {NOW} %}}"},
                },
            },
            output={},
            retry=(DO_NOT_RETRY_FAILED_CONDITION, RETRY_TRANSIENT),
            catch=(Catcher(error_equals=(CONDITION_FAILED,), next="Read job", output={}),),
            assign={
                "started_at": f"{{% {NOW} %}}",
                "key": f"{{% '{RUN}' & $due %}}",
                # The age of a run that comes late, as after an outage, counts from its start.
                "aging": "{% $millis() > $toMillis($due) + 1000 * ($job.jitter + 60) ? $millis()"
                " : $toMillis($due) %}",
                "spent": f"{{% $spent + {RETRIED} %}}",
            },
            next="Route",
        )

    def claim(self) -> Task:
        """The same for a run beside the schedule, which waits in a row of its own."""
        me, now, first = f"{{% {ME} %}}", f"{{% {NOW} %}}", "{% $left[0] %}"
        run = {
            "Update": {
                **self.row("{% $name %}", first),
                "ConditionExpression": "#status = :pending OR (#status = :running AND #by = :me)",
                "UpdateExpression": "SET #status = :running, #by = :me, #started = :now",
                "ExpressionAttributeNames": {
                    "#status": "status",
                    "#by": "execution",
                    "#started": "started_at",
                },
                "ExpressionAttributeValues": {
                    ":pending": {"S": "pending"},
                    ":running": {"S": "running"},
                    ":me": {"S": me},
                    ":now": {"S": now},
                },
            }
        }
        job = {
            "Update": {
                **self.job_key,
                "ConditionExpression": "attribute_exists(#plan) AND (attribute_not_exists(#by) OR #by = :me)",
                "UpdateExpression": "SET #by = :me, #claimed = :key, #started = :now",
                "ExpressionAttributeNames": {"#plan": "plan", **CLAIM},
                "ExpressionAttributeValues": {":me": {"S": me}, ":key": {"S": first}, ":now": {"S": now}},
            }
        }
        items = f"( $run := {written(run)}; $job.overlap = 'allow' ? [$run] : [$run, {written(job)}] )"
        return Task(
            comment="Claims the first of the runs beside the schedule",
            resource=sdk_integration("dynamodb", "transactWriteItems", partition=self.partition),
            arguments={
                "TransactItems": f"{{% {items} %}}",
            },
            output={},
            retry=(Retrier(error_equals=(CANCELLED,), max_attempts=2), RETRY_TRANSIENT),
            catch=(
                Catcher(
                    error_equals=(CANCELLED,),
                    next="Read run",
                    assign={"spent": f"{{% $spent + {SKIPPED_TAKEN_RUN_EVENTS} %}}"},
                    output={},
                ),
            ),
            assign={
                "due": f"{{% {DUE} %}}",
                "key": first,
                "left": REST,
                "started_at": now,
                "aging": "{% $millis() %}",
                "attempt": 0,
                "spent": f"{{% $spent + {RUN_EVENTS} + {RETRIED} %}}",
            },
            next="Route",
        )

    def read_run(self) -> Task:
        item = "$states.result.Item"
        return Task(
            comment="Whether the first of the runs beside the schedule still waits",
            resource=self.resource("getItem"),
            arguments={
                **self.row("{% $name %}", "{% $left[0] %}"),
                "ConsistentRead": True,
                "ProjectionExpression": "#status",
                "ExpressionAttributeNames": {"#status": "status"},
            },
            assign={
                "taken": f"{{% $exists({item}.status.S) ? {item}.status.S != 'pending' : true %}}",
                **SPENT_ON_RETRIES,
            },
            output={},
            retry=(RETRY_TRANSIENT,),
            next="Read job",
        )

    def record_skipped(self) -> Task:
        run = self.run_update() | {"ConditionExpression": "attribute_not_exists(#started_at)"}
        names = {f"#{name}": name for name in ("token", "execution", "cursor")}
        scheduled = {
            **self.job_key,
            "ConditionExpression": "#token = :token AND #execution = :me AND #cursor < :due",
            "UpdateExpression": "SET #cursor = :due",
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": {
                ":token": {"S": "{% $token %}"},
                ":me": {"S": f"{{% {ME} %}}"},
                ":due": {"S": "{% $due %}"},
            },
        }
        job = written({"Update": scheduled})
        items = f"( $run := {written({'Update': run})}; $manual ? [$run] : [$run, {job}] )"
        return Task(
            comment="Notes a run as skipped, if nobody has begun it, and goes on with the next",
            resource=sdk_integration("dynamodb", "transactWriteItems", partition=self.partition),
            arguments={"TransactItems": f"{{% {items} %}}"},
            output={},
            retry=(Retrier(error_equals=(CANCELLED,), max_attempts=0), RETRY_TRANSIENT),
            catch=(Catcher(error_equals=(CANCELLED,), next="Renew", output={}),),  # it reads all anew
            assign={
                "after": "{% $manual ? $after : $due %}",
                "left": f"{{% $manual ? {REST[2:-2].strip()} : $left %}}",
                **SPENT_ON_RETRIES,
            },
            next="Plan",
        )

    def run_update(self, passed: str = PASSED) -> dict[str, Any]:
        """What writes the end of a run into its row.

        Only texts and numbers: the two integrations of DynamoDB spell the other types differently.

        Args:
            passed: The instant up to which runs are done with.
        """
        values = {
            "status": {"S": "{% $outcome %}"},
            "attempts": {"N": "{% $string($outcome = 'succeeded' ? $attempt + 1 : $attempt) %}"},
            "error": {"S": "{% $failure.error %}"},
            "cause": {"S": "{% $substring($failure.cause, 0, 4000) %}"},
            "output": {"S": "{% $output %}"},
            "started_at": {"S": "{% $started_at %}"},
            "ended_at": {"S": "{% $fromMillis($ended) %}"},
            "execution": {"S": f"{{% {ME} %}}"},
            "passed": {"S": f"{{% {passed} %}}"},
            "job_version": {"N": "{% $string($job.version) %}"},
            "expires_at": {"N": "{% $string($floor($millis() / 1000) + $job.keep) %}"},
        }
        # What a first run has passed over stays noted when it is run again.
        once = ("passed",)
        sets = ", ".join(
            f"#{name} = if_not_exists(#{name}, :{name})" if name in once else f"#{name} = :{name}"
            for name in values
        )
        return {
            **self.row("{% $name %}", "{% $key %}"),
            "UpdateExpression": f"SET {sets}, #due = if_not_exists(#due, :due)",
            "ExpressionAttributeNames": {f"#{name}": name for name in (*values, "due")},
            "ExpressionAttributeValues": {
                **{f":{name}": value for name, value in values.items()},
                ":due": {"S": "{% $due %}"},
            },
        }

    def record(self) -> Task:
        scheduled = {
            **self.job_key,
            "ConditionExpression": "#token = :token",
            "UpdateExpression": "SET #cursor = :passed, #due = :due, #last = :key"
            " REMOVE #by, #claimed, #started",
            "ExpressionAttributeNames": {
                "#token": "token",
                "#cursor": "cursor",
                "#due": "due",
                "#last": "last",
                **CLAIM,
            },
            "ExpressionAttributeValues": {
                ":token": {"S": "{% $token %}"},
                ":passed": {"S": f"{{% {PASSED} %}}"},
                ":due": {"S": next_run_of("$job.kind", f"({PASSED})")},
                ":key": {"S": "{% $key %}"},
            },
        }
        beside = {
            **self.job_key,
            "ConditionExpression": "attribute_exists(#plan)",
            "UpdateExpression": "SET #last = :key",
            "ExpressionAttributeNames": {"#plan": "plan", "#last": "last"},
            "ExpressionAttributeValues": {":key": {"S": "{% $key %}"}},
        }
        alone = {
            **self.job_key,
            "ConditionExpression": "#by = :me",
            "UpdateExpression": "SET #last = :key REMOVE #by, #claimed, #started",
            "ExpressionAttributeNames": {"#last": "last", **CLAIM},
            "ExpressionAttributeValues": {":key": {"S": "{% $key %}"}, ":me": {"S": f"{{% {ME} %}}"}},
        }
        done = {"after": f"{{% $manual ? $after : {PASSED} %}}", "runs": "{% $runs + 1 %}"}
        job = (
            f"$not($manual) ? {written({'Update': scheduled})}"
            f" : $job.overlap = 'allow' ? {written({'Update': beside})} : {written({'Update': alone})}"
        )
        return Task(
            comment="The run's row, and in the job's which run comes next",
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

    def record_run_only(self) -> Task:
        return Task(
            comment="The run's row alone: the job has changed meanwhile",
            resource=self.resource("updateItem"),
            arguments=self.run_update("$due"),
            output={},
            retry=(RETRY_TRANSIENT,),
            assign=SPENT_ON_RETRIES,
            next="Release",
        )

    def release(self) -> Task:
        return Task(
            comment="No run of this execution goes on any more",
            resource=self.resource("updateItem"),
            arguments={
                **self.job_key,
                "ConditionExpression": "#by = :me",
                "UpdateExpression": "SET #last = :key REMOVE #by, #claimed, #started",
                "ExpressionAttributeNames": {"#last": "last", **CLAIM},
                "ExpressionAttributeValues": {":me": {"S": f"{{% {ME} %}}"}, ":key": {"S": "{% $key %}"}},
            },
            output={},
            retry=(DO_NOT_RETRY_FAILED_CONDITION, RETRY_TRANSIENT),
            catch=(Catcher(error_equals=(CONDITION_FAILED,), next="Read job", output={}),),
            assign=SPENT_ON_RETRIES,
            next="Read job",
        )

    def read_job(self) -> Task:
        item = "$states.result.Item"
        names = {"#token": "token", "#execution": "execution", "#by": "claimed_by"}
        mine = (
            f"$exists({item}.token.S) and {item}.token.S = $token"
            f" and ($manual or ($exists({item}.execution.S) and {item}.execution.S = {ME}))"
        )
        busy = f"$exists({item}.claimed_by.S) and {item}.claimed_by.S != {ME}"
        return Task(
            comment="Whether the job still wants this execution, and whether another run is in the way",
            resource=self.resource("getItem"),
            arguments={
                **self.job_key,
                "ConsistentRead": True,
                "ProjectionExpression": "#token, #execution, #by, claimed, latest",
                "ExpressionAttributeNames": names,
            },
            assign={
                "there": f"{{% $exists({item}.latest.N) %}}",
                "mine": f"{{% {mine} %}}",
                "wanted": f"{{% $manual or ({mine}) %}}",
                "busy": f"{{% {busy} %}}",
                "claimed": f"{{% {busy} ? {item}.claimed.S : '' %}}",
                "spent": f"{{% $spent + {LOST_CLAIM_EVENTS} + {RETRIED} %}}",
            },
            output={},
            retry=(RETRY_TRANSIENT,),
            next="Claim lost?",
        )

    def status(self, status: str) -> Task:
        """Notes how the job stands now, unless it has been changed meanwhile."""
        return Task(
            resource=self.resource("updateItem"),
            arguments={
                **self.job_key,
                "ConditionExpression": "#token = :token",
                "UpdateExpression": "SET #status = :status, #due = :never REMOVE #token",
                "ExpressionAttributeNames": {"#token": "token", "#status": "status", "#due": "due"},
                "ExpressionAttributeValues": {
                    ":token": {"S": "{% $token %}"},
                    ":status": {"S": status},
                    ":never": {"S": NO_MORE},
                },
            },
            output={},
            retry=(DO_NOT_RETRY_FAILED_CONDITION, RETRY_TRANSIENT),
            catch=(Catcher(error_equals=(CONDITION_FAILED,), next="Stopped", output={}),),
            next="Done",
        )

    def delete(self) -> Task:
        """Deletes a job with the rows of its first versions, unless it has been changed meanwhile. The rows
        of later ones stay; a new job of that name writes over them."""
        current = {
            "Delete": {
                **self.job_key,
                "ConditionExpression": "#token = :token",
                "ExpressionAttributeNames": {"#token": "token"},
                "ExpressionAttributeValues": {":token": {"S": "{% $token %}"}},
            }
        }
        version = {"Delete": self.row("{% $name %}", "{% 'v' & $string($number) %}")}
        versions = (
            f"$map([1..$min([$job.version, {MOST_VERSIONS}])], function($number) {{{written(version)}}})"
        )
        return Task(
            resource=sdk_integration("dynamodb", "transactWriteItems", partition=self.partition),
            arguments={"TransactItems": f"{{% $append([{written(current)}], {versions}) %}}"},
            output={},
            # It may be cancelled for other reasons than the token, such as too many writes at once.
            retry=(Retrier(error_equals=(CANCELLED,), interval_seconds=1, max_attempts=6), RETRY_TRANSIENT),
            catch=(Catcher(error_equals=(CANCELLED,), next="Stopped", output={}),),
            next="Done",
        )
