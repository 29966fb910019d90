"""A stand-in for DynamoDB and Step Functions that is fast enough not to be what is measured. Runs nothing.

    python benchmarks/jobs_stub.py --latency 0.03

It prints its port, serves 127.0.0.1 from memory in one thread until it is killed, and knows what the Step
Functions backend asks for jobs that wait: rows by key, in batches, by status in the order of their due
instants, in transactions; executions that start, stop and are described. It knows no Scan. Signatures are not
looked at, and of all conditions only that a row is not there yet. ``--jobs`` of them are there from the
beginning. It counts what it is asked, which ``GET /counts`` tells.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import subprocess
import sys
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import scheduler_stub

TABLE = "jobs"
MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:runner"
FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:work"
PAGE = 10_000
"""Keys of the index on a page: about what fits into the megabyte of the service."""
_BEGUN = 1_700_000_000.5
_FIRST = datetime(2031, 1, 1, tzinfo=timezone.utc)
_SET = re.compile(r"(#?\w+) = (if_not_exists\(#?\w+, )?(:\w+)")
Document = dict[str, Any]


class Jobs:
    """What is stored: rows as texts, ready to be sent, by name and version; and executions."""

    def __init__(self) -> None:
        from stepsched.machines.shared.runner import runner
        from stepsched.machines.shared.table_schema import creation

        self.counts = Counter[str]()
        self._rows: dict[str, dict[str, str]] = {}
        self._listed: dict[tuple[str, str], tuple[str, str]] = {}
        self._orders: dict[str, list[tuple[str, str, str]]] = {}
        self._executions: dict[str, str] = {}
        self._table = _text({"Table": creation(TABLE) | {"TableStatus": "ACTIVE"}})
        machine = {
            "stateMachineArn": MACHINE,
            "name": "runner",
            "roleArn": "arn:aws:iam::123456789012:role/r",
        }
        machine |= {"definition": runner(TABLE).to_json(), "type": "STANDARD", "status": "ACTIVE"}
        self._machine = _text(machine | {"creationDate": _BEGUN})

    def answer(self, operation: str, body: bytes) -> bytes:
        """The whole response to a request."""
        self.counts[operation] += 1
        given = json.loads(body)
        match operation:
            case "GetItem":
                item = self._row(given["Key"])
                return _ok("{}" if item is None else f'{{"Item":{item}}}')
            case "TransactWriteItems":
                return self._transact(given["TransactItems"])
            case "StartExecution":
                arn = f"{MACHINE.replace('stateMachine', 'execution')}:{given['name']}"
                self._executions[arn] = given["input"]
                return _ok(f'{{"executionArn":"{arn}","startDate":{_BEGUN}}}')
            case "BatchGetItem":
                keys = given["RequestItems"][TABLE]["Keys"]
                items = ",".join(item for item in map(self._row, keys) if item is not None)
                return _ok(f'{{"Responses":{{"{TABLE}":[{items}]}},"UnprocessedKeys":{{}}}}')
            case "Query":
                return _ok(self._by_status(given) if "IndexName" in given else self._of_job(given))
            case "PutItem" | "UpdateItem":
                return self._transact([{operation.removesuffix("Item"): given}])
            case "StopExecution":
                self._executions.pop(given["executionArn"], None)
                return _ok(f'{{"stopDate":{_BEGUN}}}')
            case "DescribeExecution":
                return self._describe(given["executionArn"])
            case "DescribeTable":
                return _ok(self._table)
            case "DescribeStateMachine":
                return _ok(self._machine)
        return _refused("UnknownOperationException")

    def put(self, item: Mapping[str, Any], text: str | None = None) -> None:
        """Stores a row as it is."""
        name, version = item["name"]["S"], item["version"]["S"]
        self._rows.setdefault(name, {})[version] = text or _text(item)
        if "status" in item and "due" in item:
            place = item["status"]["S"], item["due"]["S"]
            if self._listed.get((name, version)) != place:
                self._listed[name, version] = place
                self._orders.clear()

    def fill(self, count: int) -> None:
        """Jobs as the backend writes them, made from the text of one."""
        row = example_row()
        row, text = row | {"version": {"S": "v0"}}, _text(row | {"version": {"S": "v0"}})
        name, instant = row["name"]["S"], row["due"]["S"][:-1]
        for number in range(count):
            fresh, at = _name(number), _instant(number)
            place = {"name": {"S": fresh}, "due": {"S": f"{at}Z"}}
            self.put(row | place, text.replace(name, fresh).replace(instant, at))

    def _row(self, key: Mapping[str, Any]) -> str | None:
        return self._rows.get(key["name"]["S"], {}).get(key["version"]["S"])

    def _transact(self, items: list[Document]) -> bytes:
        for each in items:
            put = each.get("Put", {})
            if "ConditionExpression" in put and self._row(put["Item"]) is not None:
                code = "TransactionCanceledException"
                return _refused(code, CancellationReasons=[{"Code": "ConditionalCheckFailed"}])
        for each in items:
            ((verb, write),) = each.items()
            if verb == "Put":
                self.put(write["Item"])
            elif verb == "Update":
                before = self._row(write["Key"])
                self.put(_updated(write["Key"] if before is None else json.loads(before), write))
            else:
                self._delete(write["Key"]["name"]["S"], write["Key"]["version"]["S"])
        return _ok("{}")

    def _delete(self, name: str, version: str) -> None:
        self._rows.get(name, {}).pop(version, None)
        if self._listed.pop((name, version), None) is not None:
            self._orders.clear()

    def _of_job(self, given: Document) -> str:
        values = {word: value["S"] for word, value in given["ExpressionAttributeValues"].items()}
        rows = self._rows.get(values[":name"], {})
        found = sorted(version for version in rows if values[":low"] <= version <= values[":high"])
        texts = [rows[version] for version in found]
        if "ProjectionExpression" in given:
            texts = [_text({"name": {"S": values[":name"]}, "version": {"S": version}}) for version in found]
        return f'{{"Items":[{",".join(texts)}],"Count":{len(texts)}}}'

    def _by_status(self, given: Document) -> str:
        status = given["ExpressionAttributeValues"][":status"]["S"]
        if status not in self._orders:
            places = ((due, *key) for key, (known, due) in self._listed.items() if known == status)
            self._orders[status] = sorted(places)
        order, last = self._orders[status], given.get("ExclusiveStartKey")
        first = 0
        if last is not None:
            first = bisect_right(order, (last["due"]["S"], last["name"]["S"], last["version"]["S"]))
        keys = [_index_key(status, place) for place in order[first : first + PAGE]]
        more = f',"LastEvaluatedKey":{keys[-1]}' if first + PAGE < len(order) else ""
        return f'{{"Items":[{",".join(keys)}],"Count":{len(keys)}{more}}}'

    def _describe(self, arn: str) -> bytes:
        found = self._executions.get(arn)
        if found is None:
            return _refused("ExecutionDoesNotExist")
        answer = {"executionArn": arn, "stateMachineArn": MACHINE, "status": "RUNNING", "startDate": _BEGUN}
        return _ok(_text(answer | {"input": found}))


def _index_key(status: str, place: tuple[str, str, str]) -> str:
    due, name, version = place
    return f'{{"name":{{"S":"{name}"}},"version":{{"S":"{version}"}},{_place(status, due)}}}'


def _place(status: str, due: str) -> str:
    return f'"status":{{"S":"{status}"}},"due":{{"S":"{due}"}}'


def _updated(item: Mapping[str, Any], update: Mapping[str, Any]) -> Document:
    """A row after an update, as far as the backend's own updates go."""
    names, values = update.get("ExpressionAttributeNames", {}), update["ExpressionAttributeValues"]
    sets, _, gone = update["UpdateExpression"].partition(" REMOVE ")
    found = dict(item)
    for word, once, value in _SET.findall(sets):
        name = names.get(word, word)
        if not once or name not in found:
            found[name] = values[value]
    for word in filter(None, gone.split(", ")):
        found.pop(names.get(word, word), None)
    return found


def _text(document: Mapping[str, Any]) -> str:
    return json.dumps(document, separators=(",", ":"))


def _ok(text: str) -> bytes:
    return scheduler_stub._response(b"200 OK", text)


def _refused(code: str, **more: Any) -> bytes:
    return scheduler_stub._response(b"400 Bad Request", _text({"__type": code, "message": code, **more}))


class Connection(scheduler_stub.Connection):
    """One client's requests, one after another; the operation stands in a header."""

    def __init__(self, jobs: Jobs, latency: float) -> None:
        super().__init__(scheduler_stub.Schedules(), latency)
        self._jobs = jobs

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer + data if self._buffer else data
        while (end := buffer.find(b"\r\n\r\n")) >= 0:
            stop = end + 4
            headers = buffer[: end + 2]
            if headers.startswith(b"GET"):
                self._transport.write(_ok(_text(self._jobs.counts)))
            else:
                stop += int(_header(headers, b"content-length"))
                if len(buffer) < stop:
                    break
                operation = _header(headers, b"x-amz-target").rpartition(b".")[2].decode()
                self._send(self._jobs.answer(operation, buffer[end + 4 : stop]))
            buffer = buffer[stop:]
        self._buffer = buffer


def _header(headers: bytes, name: bytes) -> bytes:
    place = headers.lower().index(b"\r\n%b:" % name) + len(name) + 3
    return headers[place : headers.index(b"\r\n", place)].strip()


async def serve(latency: float, filled: int) -> None:
    jobs = Jobs()
    jobs.fill(filled)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(jobs, latency), "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


# -- what is stored --------------------------------------------------------------------------------------


def _name(number: int) -> str:
    return f"job-{number:06}"


def _instant(number: int) -> str:
    return f"{_FIRST + timedelta(minutes=number):%Y-%m-%dT%H:%M:%S}"


def example(number: int) -> Any:
    """A job that is due once, years from now."""
    import stepsched as ss

    return ss.Job(
        name=_name(number),
        schedule=ss.OneTime(_instant(number), timezone="UTC"),
        target=ss.LambdaTarget(FUNCTION),
        input={"number": number},
        description="A report",
    )


def example_row() -> Document:
    """The current row of the first of them, without its version."""
    from stepsched.backends.stepfunctions.instructions import instructions_of
    from stepsched.backends.stepfunctions.rows import Row, write_row
    from stepsched.core.payloads import to_json
    from stepsched.jobs import JobStatus
    from stepsched.machines.shared.runner import CALLS

    now = datetime(2026, 1, 1, tzinfo=timezone.utc)
    job = example(0)
    instructions = instructions_of(
        job, anchor=now, version=1, retention=timedelta(days=30), calls=frozenset(CALLS)
    )
    row = Row(job, JobStatus.ACTIVE, 1, now, now, now, now, token="0123456789ab", plan=to_json(instructions))
    return {"name": {"S": job.name}, **write_row(row)}


# -- from outside ----------------------------------------------------------------------------------------


@contextmanager
def running(*, latency: float = 0.0, jobs: int = 0) -> Iterator[int]:
    """A stub in a process of its own.

    Yields:
        Its port.
    """
    options = [f"--latency={latency}", f"--jobs={jobs}"]
    command = [sys.executable, str(Path(__file__).resolve()), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()


def counts(port: int) -> Counter[str]:
    """How often a stub has been asked for each operation."""
    connection = HTTPConnection("127.0.0.1", port)
    connection.request("GET", "/counts")
    found = Counter[str](json.loads(connection.getresponse().read()))
    connection.close()
    return found


def request(target: str, body: Mapping[str, Any]) -> bytes:
    """A request as it goes over the wire, such as for ``DynamoDB_20120810.GetItem``."""
    text = json.dumps(body)
    head = f"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Amz-Target: {target}\r\nX-Filler: {'0' * 500}\r\n"
    return f"{head}Content-Length: {len(text)}\r\n\r\n{text}".encode()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--latency", type=float, default=0.0, metavar="SECONDS")
    parser.add_argument("--jobs", type=int, default=0, metavar="COUNT")
    options = parser.parse_args()
    asyncio.run(serve(options.latency, options.jobs))


if __name__ == "__main__":
    main()
