"""Loaded by the launcher of the emulator: its AWS Batch is that of another server, also for Step Functions.

The emulator has no such integration, and its own jobs run nothing. Names of parameters and results are those
that the service's model gives for Step Functions, and what the model refuses is refused. A task with
``.sync`` looks at its job until it has ended, and terminates it when its own execution ends before. Needs the
standard library and the pinned emulator with its botocore only.
"""

from __future__ import annotations

import asyncio
import http.client
import importlib
import json
from collections.abc import Callable
from typing import Any, NoReturn
from urllib.parse import urlsplit

OPTIMISED = "arn:aws:states:::batch:submitJob"
CALLS = "arn:aws:states:::aws-sdk:batch:"
PATIENCE = 60
"""Seconds that a call may take."""
NAMED = ("ClientException", "ServerException")
"""The errors in the model of the service; others have a common name."""
OTHERS = {OPTIMISED: "Batch.AWSBatchException", CALLS: "Batch.BatchException"}
STOPPED = "The execution that has submitted the job has ended"


class Joint:
    """Calls of one server, in the names of the emulator's module of Step Functions."""

    def __init__(self, names: dict[str, Any], url: str, pause: Callable[[], None]) -> None:
        self._names, self._server, self._pause = names, urlsplit(url).netloc, pause
        self._model = names["_service_model"]("batch")
        self._validator = importlib.import_module("botocore.validate").ParamValidator()

    def submit(self, resource: str, given: Any) -> Any:
        """``batch:submitJob``, also with ``.sync``."""
        submitted = self.call(OPTIMISED, "SubmitJob", given)
        return self._end_of(submitted["JobId"]) if resource.endswith(".sync") else submitted

    def call(self, kind: str, operation: str, given: Any) -> Any:
        """The answer to a call with these arguments; raises the error that Step Functions names."""
        model = self._model.operation_model(operation)
        wire = self._names["_sdk_json_params"]({}, "batch", operation, given)
        report = self._validator.validate(wire, model.input_shape)
        if report.has_errors():
            self._fail("States.Runtime", report.generate_report())
        status, text = self._post(model.http["requestUri"], json.dumps(wire).encode())
        body = json.loads(text) if text else {}
        if status >= http.HTTPStatus.BAD_REQUEST:
            code = body.get("__type", "")
            cause = f"{body.get('message', '')} (Service: Batch, Status Code: {status})"
            self._fail(f"Batch.{code}" if code in NAMED else OTHERS[kind], cause)
        return self._names["_sdk_json_value"](body, model.output_shape) if body else {}

    async def handle(
        self, method: str, path: str, headers: dict[str, str], body: bytes, _query: object
    ) -> tuple[int, dict[str, str], bytes]:
        """Sends a request of a client on, which is signed by its account."""
        sent = {"Authorization": headers.get("authorization", ""), "Content-Type": "application/json"}
        status, text = await asyncio.to_thread(self._send, method, path, body, sent)
        return status, {"Content-Type": "application/json"}, text

    def _post(self, path: str, body: bytes) -> tuple[int, bytes]:
        account, region = self._names["get_account_id"](), self._names["get_region"]()
        credential = f"{account}/20260101/{region}/batch/aws4_request"
        headers = {
            "Content-Type": "application/json",
            "Authorization": f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=none",
        }
        return self._send("POST", path, body, headers)

    def _send(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(self._server, timeout=PATIENCE)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def _end_of(self, job_id: str) -> Any:
        """The job when it has succeeded."""
        try:
            while True:
                (job,) = self.call(OPTIMISED, "DescribeJobs", {"Jobs": [job_id]})["Jobs"]
                if job["Status"] in ("SUCCEEDED", "FAILED"):
                    break
                self._pause()
        except BaseException:  # the execution was stopped, or is late
            self.call(OPTIMISED, "TerminateJob", {"JobId": job_id, "Reason": STOPPED})
            raise
        if job["Status"] == "FAILED":
            self._fail("States.TaskFailed", json.dumps(job))
        return job

    def _fail(self, error: str, cause: str) -> NoReturn:
        raise self._names["_ExecutionError"](error, cause)


def join(names: dict[str, Any], handlers: dict[str, Any], url: str, pause: Callable[[], None]) -> None:
    """Has clients and the tasks of machines call AWS Batch of the server at ``url``.

    ``names`` are those of the module of Step Functions, ``handlers`` answer the requests of clients, and
    ``pause`` waits a little, and raises what ends a task whose execution is over.
    """
    joint = Joint(names, url, pause)
    others = names["_invoke_aws_sdk_integration"]

    def invoke(resource: str, given: Any) -> Any:
        if not resource.startswith(CALLS):
            return others(resource, given)
        action = resource[len(CALLS) :]
        return joint.call(CALLS, action[0].upper() + action[1:], given)

    names["_invoke_aws_sdk_integration"] = invoke
    names["_SERVICE_DISPATCH"][OPTIMISED] = joint.submit
    handlers["batch"] = joint.handle
