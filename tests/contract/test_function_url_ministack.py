"""The application of one-shot tasks in a Lambda function with a URL: its zip is run by the emulator."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from stepsched.core.clock import utc_now
from stepsched.deploy import HttpPart, template
from stepsched.testing import FakeClock
from tests.contract.deployed import Deployed
from tests.parts.api_gateway import RestApi
from tests.parts.ministack import Ministack
from tests.parts.packages import zipped
from tests.parts.state_machines import ROLE

PAGE = Path(__file__).resolve().parents[2] / "docs" / "http-on-aws.md"
HOUR = timedelta(hours=1)
SECRET = "abc123"
REQUIREMENTS = ("stepsched", "starlette", "sse-starlette", "httpx", "cryptography", "mangum")
"""What ``pip install "stepsched[http]" mangum`` installs, without uvicorn, which nothing imports there."""
IN_LAMBDA = ("botocore",)
"""What the emulator has for its functions."""


class FunctionUrl(Deployed):
    """An account with the stack of the page, and its function."""

    def deploy(self) -> str:
        """Makes the function, and returns the host of its URL."""
        outputs = self.create("tasks", template([], http=HttpPart(secret=SECRET)))
        self.api = RestApi(self.aws("apigateway"), self.states, outputs["HttpUrl"])
        topic = outputs["HttpTopicArn"]
        raw = {"RawMessageDelivery": "true"}
        self.aws("sns").subscribe(
            TopicArn=topic, Protocol="sqs", Endpoint=self.inbox.queue_arn, Attributes=raw
        )
        (handler,) = re.findall(r"^```python3\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
        functions = self.aws("lambda")
        functions.create_function(
            FunctionName="tasks",
            Runtime="python3.11",
            Role=ROLE,
            Handler="handler.handler",
            Code={"ZipFile": zipped({"handler.py": handler}, REQUIREMENTS, without=IN_LAMBDA)},
            Timeout=30,
            Environment={"Variables": {"STACK": "tasks", "SECRET": SECRET, "TOPIC_ARN": topic}},
        )
        made = functions.create_function_url_config(FunctionName="tasks", AuthType="NONE")
        host: str = made["FunctionUrl"].split("/")[2]
        return host

    def request(self, host: str, verb: str, path: str, body: Any = None) -> tuple[int, Any]:
        port = int(self.server.endpoint_url.rpartition(":")[2])
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
            text = None if body is None else json.dumps(body)
            headers = {"Host": host, "Content-Type": "application/json"}
            connection.request(verb, path, body=text, headers=headers)
            response = connection.getresponse()
            text = response.read().decode()
        return response.status, json.loads(text) if text else ""


@pytest.fixture
def account_of(ministack: Ministack, account: str, aws: Callable[[str], Any]) -> FunctionUrl:
    return FunctionUrl(ministack, account, aws, FakeClock(utc_now()))


@pytest.mark.proof
def test_the_function_of_the_page_and_the_api_of_the_stack_have_the_same_tasks(
    account_of: FunctionUrl,
) -> None:
    host = account_of.deploy()
    now = account_of.clock.now()
    task = {"timestamp": (now + HOUR).isoformat(), "message": {"name": "Luke"}, "secret": SECRET}
    assert account_of.request(host, "GET", "/healthz")[0] == 200
    status, answer = account_of.request(host, "POST", "/schedule", {})
    assert (status, len(answer["errors"])) == (400, 3)
    assert account_of.request(host, "POST", "/other", {}) == (404, "")
    arns = []
    for _ in range(2):
        status, answer = account_of.request(host, "POST", "/schedule", task)
        assert (status, answer["msg"]["timestamp"]) == (200, task["timestamp"])
        arns.append(answer["msg"]["executionArn"])
    given = account_of.api.call("/schedule", json.dumps(task)).json()["msg"]["executionArn"]
    done = account_of.api.call("/cancel", json.dumps({"executionArn": arns[0], "secret": SECRET}))
    assert (done.status, done.json()) == (200, {"msg": f"Cancelled scheduled task for {arns[0]}"})
    status, answer = account_of.request(host, "POST", "/cancel", {"executionArn": given, "secret": SECRET})
    assert (status, answer) == (200, {"msg": f"Cancelled scheduled task for {given}"})
    with account_of.client("tasks") as client:
        assert [f"urn:stepsched:task:{record.name}" for record in client.list()] == arns[1:]
    account_of.play(now + HOUR + timedelta(seconds=1))
    del task["secret"]
    assert [json.loads(message) for message in account_of.messages()] == [task]
