"""The tasks with which *register* reads and writes the table, and starts and stops executions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stepsched.asl.resources import integration, sdk_integration
from stepsched.asl.states import Catcher, Retrier, Task
from stepsched.machines.shared import register_values as values
from stepsched.machines.shared import table_schema as schema
from stepsched.machines.shared.expressions import CANCELLED, expression_of
from stepsched.machines.shared.instructions import DEFAULT_RETENTION
from stepsched.machines.shared.metrics import JOBS_CREATED, JOBS_DELETED, metric_data, put_metric_data
from stepsched.machines.shared.table_schema import (
    CLAIM,
    MAX_DELETED_VERSIONS,
    RUN,
    SEEN,
    ZONE_ROW,
    ZONE_ROWS,
    is_as_read,
    write,
)
from stepsched.machines.shared.writes import TableTasks

RETRY_SOON = Retrier(
    error_equals=("States.ALL",), interval_seconds=1, max_attempts=5, backoff_rate=2, max_delay_seconds=8
)
"""Retries errors that pass, such as throttling. A caller waits for the answer."""
NO_RETRY = Retrier(error_equals=(CANCELLED, "States.QueryEvaluationError"), max_attempts=0)
ALREADY_STARTED = (
    "StepFunctions.ExecutionAlreadyExistsException",
    "StepFunctions.ExecutionAlreadyExists",
    "ExecutionAlreadyExists",
)
GONE = ("Sfn.ExecutionDoesNotExistException", "Sfn.ExecutionDoesNotExist")
_AT_ONCE = 50
"""The maximum number of rows of one transaction, beside the job's."""
_READ = (
    *(schema.LATEST, schema.JOB, schema.STATUS, schema.DUE, schema.TOKEN, schema.EXECUTION, schema.CURSOR),
    *(schema.ANCHOR, schema.PLAN, schema.PAUSE_REASON, schema.CREATED_AT, *CLAIM),
)


def _text(expression: str) -> dict[str, str]:
    return {"S": f"{{% {expression} %}}"}


class RegisterTasks(TableTasks):
    """The tasks of *register* on one table."""

    def __init__(self, table_name: str, partition: str, runner_arn: str) -> None:
        super().__init__(table_name, partition)
        self.runner_arn = runner_arn

    # -- reads ---------------------------------------------------------------------------------------------

    def read_zone(self) -> Task:
        offsets, database = (f"$states.result.Item.{each}" for each in (schema.OFFSETS, schema.DATABASE))
        return Task(
            comment="Reads the rules of a zone that the literal does not hold",
            resource=self.resource("getItem"),
            arguments={
                **self.row(f"{{% '{ZONE_ROWS}' & $timezone %}}", ZONE_ROW),
                **schema.projection(schema.OFFSETS, schema.DATABASE),
            },
            assign={
                "zone": f"{{% $exists({offsets}) ? $parse({offsets}.S) : {{}} %}}",
                "zones": f"{{% $exists({database}) ? {database}.S : '' %}}",
            },
            output={},
            retry=(RETRY_SOON,),
            next="Is zone known?",
        )

    def find(self) -> Task:
        """The task that reads the row. It fails if the row cannot be read: nothing has been written then."""
        job = f"$states.result.Item.{schema.JOB}"
        one_time = f"$exists({job}) ? $parse({job}.S).schedule.kind = 'one_time' : false"
        return Task(
            comment="Reads the current row of the job",
            resource=self.resource("getItem"),
            arguments={**self.job_key, "ConsistentRead": True, **schema.projection(*_READ)},
            assign={
                "row": f"{{% {_ROW} %}}",
                "seen": values.expression(f"$row := {_ROW}; {_as_seen()}"),
                "was_one_time": f"{{% {one_time} %}}",
            },
            output={},
            retry=(NO_RETRY, RETRY_SOON),
            next="What to do?",
        )

    # -- writes --------------------------------------------------------------------------------------------

    def _transaction(self, items: str, *, again: str, **fields: Any) -> Task:
        """A transaction whose items depend on the row. If it is cancelled, ``again`` follows."""
        return Task(
            resource=sdk_integration("dynamodb", "transactWriteItems", partition=self.partition),
            arguments={"TransactItems": values.expression(items)},
            output={},
            retry=(NO_RETRY, RETRY_SOON),
            catch=(
                Catcher(
                    error_equals=(CANCELLED,),
                    next=again,
                    assign={
                        "outrun": "{% $exists($states.errorOutput.Cause)"
                        " ? $contains($states.errorOutput.Cause, 'ConditionalCheckFailed') : false %}"
                    },
                    output={},
                ),
            ),
            **fields,
        )

    def write(self) -> Task:
        """The task that creates or changes a job, as ``Table.create`` and ``Table.change`` do."""
        version = {"Put": self.table | {"Item": self._version_item()}}
        new = _js(self.table | write(schema.IS_NEW))
        return self._transaction(
            f"""
            {self._change()}
            $claimed := $exists($row.claimed_by) and ($next.status = 'active' or $exists($row.token));
            $next.there ? $append($append([$change], $claimed ? [{self._claimed()}] : []), [{_js(version)}])
              : [{{'Put': $merge([{new}, {{'Item': $item}}])}}, {_js(version)}]
            """,
            comment="Writes the job, its version, and the run that goes on without it",
            again="Try again?",
            assign={
                "ending": values.FORMER,
                "reason": f"{{% $next.stops ? {{'error': '410', 'cause': {_DISABLED}}}"
                f" : {{'error': '301', 'cause': {_SUPERSEDED}}} %}}",
                "told": {
                    "job": "{% $job %}",
                    "status": "{% $next.status %}",
                    "version": "{% $next.version %}",
                    "due": "{% $due %}",
                },
                "counted": f"{{% $next.there ? '' : '{JOBS_CREATED}' %}}",
                "fresh": True,
            },
            next="Is it active?",
        )

    def _sets(self) -> dict[str, Any]:
        return {
            schema.LATEST: {"N": "{% $string($next.version) %}"},
            schema.JOB: _text("$job"),
            schema.STATUS: _text("$next.status"),
            schema.DUE: _text("$due"),
            schema.CREATED_AT: _text("$next.created_at"),
            schema.UPDATED_AT: _text("$at.exact"),
            schema.ANCHOR: _text("$next.anchor"),
            schema.CURSOR: _text("$next.cursor"),
            schema.PLAN: _text("$instructions"),
        }

    def _new_item(self) -> dict[str, Any]:
        return {**self.job_key["Key"], **self._sets()}

    def _version_item(self) -> dict[str, Any]:
        key = self.row("{% $name %}", "{% 'v' & $string($next.version) %}")["Key"]
        return {**key, schema.JOB: _text("$job"), schema.WRITTEN_AT: _text("$at.exact")}

    def _change(self) -> str:
        """Defines ``$change``, the update of a row that is still as it was read, and ``$item``, a new row.

        An update has only the names and values that its expressions use.
        """
        key, sets = self.job_key, self._sets()
        token, why = {schema.TOKEN: _text("$token")}, {schema.PAUSE_REASON: _text("$row.pause_reason.S")}
        always = write(sets=sets)
        one, other = (
            write(sets={**sets, **more})["UpdateExpression"].removeprefix(always["UpdateExpression"])
            for more in (token, why)
        )
        without_why, without_token, without = (
            " " + write(removes=names)["UpdateExpression"]
            for names in ((schema.PAUSE_REASON,), (schema.TOKEN,), (schema.TOKEN, schema.PAUSE_REASON))
        )
        unclaimed = ", " + write(removes=CLAIM)["UpdateExpression"].removeprefix("REMOVE ")
        names = {f"#{name}": name for name in (*sets, *token, *why)}
        return f"""
            $active := $next.status = 'active';
            $sets := $merge([{_js(sets)}, $active ? {_js(token)} : $next.says_why ? {_js(why)} : {{}}]);
            $item := $merge([{_js(key["Key"])}, $sets]);
            $free := $not($exists($row.claimed_by));
            $change := {{'Update': $merge([{_js(key)}, {{
              'ConditionExpression': $seen.condition,
              'UpdateExpression': '{always["UpdateExpression"]}'
                & ($active ? '{one}{without_why}' : $next.says_why ? '{other}{without_token}' : '{without}')
                & ($free ? '{unclaimed}' : ''),
              'ExpressionAttributeNames': $merge([$seen.names, {_js(names)},
                $free ? {_js({f"#{each}": each for each in CLAIM})} : {{}}]),
              'ExpressionAttributeValues': $merge([$seen.values,
                $each($sets, function($value, $name) {{ {{':' & $name: $value}} }})])
            }}])}};
        """

    def _claimed(self) -> str:
        """The update that records the run that is running in a row of its own (``rows.write_claimed``)."""
        run = self.row("{% $name %}", "{% $row.claimed.S %}") | write(
            keeps={
                schema.STATUS: {"S": "running"},
                schema.DUE: _text(f"$substring($row.claimed.S, {len(RUN)}, 20)"),
                schema.EXECUTION: _text("$row.claimed_by.S"),
                schema.STARTED_AT: _text(values.WRITTEN_CLAIM),
            }
        )
        return _js({"Update": run})

    def revive(self) -> Task:
        """The task that gives a job whose execution has ended another one."""
        token = write(sets={schema.TOKEN: _text("$token")})
        return self._transaction(
            f"""
            [{{'Update': $merge([{_js(self.job_key)}, {{
              'ConditionExpression': $seen.condition, 'UpdateExpression': '{token["UpdateExpression"]}',
              'ExpressionAttributeNames': $seen.names,
              'ExpressionAttributeValues': $merge([$seen.values, {_js(token["ExpressionAttributeValues"])}])
            }}])}}]
            """,
            comment="The execution of the job has ended unexpectedly: another one takes its place",
            again="Try again?",
            assign={"fresh": True},
            next="Start",
        )

    def delete(self) -> Task:
        """The task that deletes a job with its first versions, as ``Table.delete`` does."""
        version = {"Delete": self.row("{% $name %}", "{% 'v' & $string($number) %}")}
        latest = f"$number($row.{schema.LATEST}.N)"
        return self._transaction(
            f"""
            $current := {{'Delete': $merge([{_js(self.job_key)}, {{
              'ConditionExpression': $seen.condition, 'ExpressionAttributeNames': $seen.names,
              'ExpressionAttributeValues': $seen.values }}])}};
            $append($append([$current], $exists($row.claimed_by) ? [{self._claimed()}] : []),
              $map([1..$min([{latest}, {MAX_DELETED_VERSIONS}])], function($number) {{{_js(version)}}}))
            """,
            comment="Deletes the job and its first versions",
            again="Try again?",
            assign={
                "ending": values.FORMER,
                "reason": f"{{% {{'error': '410', 'cause': {_DISABLED}}} %}}",
                "told": f"{{% {{'job': {_STORED_JOB}, 'status': 'cancelled',"
                f" 'version': {latest}, 'due': '{schema.NO_MORE}'}} %}}",
                "counted": JOBS_DELETED,
                "undeleted": MAX_DELETED_VERSIONS + 1,
                "latest": f"{{% {latest} %}}",
                "low": RUN,
                "closings": 0,
            },
            next="Are versions left?",
        )

    def delete_versions(self) -> Task:
        version = {"Delete": self.row("{% $name %}", "{% 'v' & $string($number) %}")}
        last = f"$min([$latest, $undeleted + {_AT_ONCE - 1}])"
        return Task(
            comment="Deletes further versions",
            resource=sdk_integration("dynamodb", "transactWriteItems", partition=self.partition),
            arguments={
                "TransactItems": f"{{% [$map([$undeleted..{last}], function($number) {{{_js(version)}}})] %}}"
            },
            assign={"undeleted": f"{{% $undeleted + {_AT_ONCE} %}}"},
            output={},
            retry=(RETRY_SOON,),
            next="Are versions left?",
        )

    def waiting_runs(self) -> Task:
        last = f"$states.result.LastEvaluatedKey.{schema.VERSION}"
        keys = f"#{schema.NAME} = :name AND #{schema.VERSION} BETWEEN :low AND :high"
        return Task(
            comment="Reads the runs of the deleted job that wait",
            resource=sdk_integration("dynamodb", "query", partition=self.partition),
            arguments={
                "TableName": self.table_name,
                "ConsistentRead": True,
                "Limit": 500,
                "KeyConditionExpression": keys,
                "FilterExpression": f"#{schema.STATUS} = :pending",
                "ProjectionExpression": f"#{schema.VERSION}",
                "ExpressionAttributeNames": {
                    f"#{each}": each for each in (schema.NAME, schema.VERSION, schema.STATUS)
                },
                "ExpressionAttributeValues": {
                    ":name": _text("$name"),
                    ":low": _text("$low"),
                    ":high": {"S": "run$"},
                    ":pending": {"S": "pending"},
                },
            },
            assign={
                "waiting": f"{{% [$states.result.Items.{schema.VERSION}.S] %}}",
                "following": f"{{% $exists({last}) ? {last}.S & ' ' : '' %}}",
            },
            output={},
            retry=(RETRY_SOON,),
            next="Do runs wait?",
        )

    def close_runs(self) -> Task:
        """The task that records waiting runs of a deleted job as skipped, as ``Runs.close_one`` does."""
        ttl = f"$string($floor($millis() / 1000) + {int(DEFAULT_RETENTION.total_seconds())})"
        closed = {
            "Update": self.row("{% $name %}", "{% $key %}")
            | write(
                schema.HAS_STATUS,
                values={"old_status": {"S": "pending"}},
                sets={
                    schema.STATUS: {"S": "skipped"},
                    schema.ERROR: {"S": "the job was cancelled"},
                    schema.ENDED_AT: _text("$at.exact"),
                    schema.TTL: {"N": f"{{% {ttl} %}}"},
                },
            )
        }
        some = f"$filter($waiting, function($key, $i) {{ $i < {_AT_ONCE} }})"
        return self._transaction(
            f"[$map({some}, function($key) {{{_js(closed)}}})]",
            comment="Records them as skipped",
            again="Has one started?",
            assign={"waiting": f"{{% [$filter($waiting, function($key, $i) {{ $i >= {_AT_ONCE} }})] %}}"},
            next="Do runs wait?",
        )

    # -- executions ----------------------------------------------------------------------------------------

    def start(self) -> Task:
        return Task(
            comment="Starts the execution of the job; its name holds the token, so it starts once",
            resource=integration("states", "startExecution", partition=self.partition),
            arguments={"StateMachineArn": self.runner_arn, "Name": values.EXECUTION, "Input": values.INPUT},
            output={},
            retry=(Retrier(error_equals=ALREADY_STARTED, max_attempts=0), RETRY_SOON),
            catch=(Catcher(error_equals=ALREADY_STARTED, next="Was it started before?", output={}),),
            next="Was one replaced?",
        )

    def describe(
        self, arn: str, *, assign: Mapping[str, Any], gone: Mapping[str, Any], **fields: Any
    ) -> Task:
        """A task that reads an execution; ``gone`` is assigned if it does not exist."""
        return Task(
            resource=sdk_integration("sfn", "describeExecution", partition=self.partition),
            arguments={"ExecutionArn": arn},
            assign=dict(assign),
            output={},
            retry=(Retrier(error_equals=GONE, max_attempts=0), RETRY_SOON),
            catch=(Catcher(error_equals=GONE, next=fields["next"], assign=dict(gone), output={}),),
            **fields,
        )

    def end(self) -> Task:
        following = {
            "ending": "{% {'known': [$filter($ending.known, function($a, $i) { $i > 0 })], 'first': []} %}"
        }
        return Task(
            comment="Ends an execution that no longer belongs to the job; another one would end by itself",
            resource=sdk_integration("sfn", "stopExecution", partition=self.partition),
            arguments={
                "ExecutionArn": "{% $ending.known[0] %}",
                "Error": "{% $reason.error %}",
                "Cause": "{% $reason.cause %}",
            },
            output={},
            retry=(Retrier(error_equals=GONE, max_attempts=0), RETRY_SOON),
            catch=(Catcher(error_equals=("States.ALL",), next="Is one left?", assign=following, output={}),),
            assign=following,
            next="Is one left?",
        )

    def count(self) -> Task:
        """The task that counts a new or a deleted job. Without retries, because a caller waits."""
        return Task(
            comment="Counts the job; the call does not fail without",
            resource=put_metric_data(self.partition),
            arguments=metric_data({"{% $counted %}": 1}, "{% $split($runner, ':')[6] %}"),
            output={},
            catch=(Catcher(error_equals=("States.ALL",), next="Done", output={}),),
            next="Done",
        )

    @property
    def table(self) -> dict[str, str]:
        return {"TableName": self.table_name}


_DISABLED = "'execution disabled for ' & $name"
_SUPERSEDED = (
    f"'execution superseded' & ($next.status = 'active' ? ' by ' & {values.EXECUTION[2:-2].strip()} : '')"
)
_STORED_JOB = "($exists($row.job) ? $row.job.S : '{}')"
_ROW = "$exists($states.result.Item) ? $states.result.Item : {}"


def _as_seen() -> str:
    """The expression of the condition that a row is still as it was read (``Table._unchanged``), with the
    names and values that it uses. JSONata leaves out the values of absent attributes."""
    parts = ", ".join(
        f"$exists($row.{name}) ? '{is_as_read(name, absent=False)}' : '{is_as_read(name, absent=True)}'"
        for name in SEEN
    )
    is_foreign = f"$not($exists($row.{schema.JOB}))"
    return f"""
        {{
          'condition': $join([{parts}], ' AND ') & ({is_foreign} ? ' AND {schema.IS_FOREIGN}' : ''),
          'names': $merge([{_js({f"#{name}": name for name in SEEN})},
            {is_foreign} ? {_js({f"#{schema.JOB}": schema.JOB})} : {{}}]),
          'values': {_js({f":old_{name}": f"{{% $row.{name} %}}" for name in SEEN})}
        }}
    """


def _js(value: Any) -> str:
    return expression_of(value)
