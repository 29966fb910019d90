"""An account of the emulator for pages and examples that want to call AWS, in real time."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.parts.ministack import REGION, Ministack, clients
from tests.parts.state_machines import ROLE

NUMBER = "123456789012"
"""The account that every page speaks of."""
REPORT = """
def handler(event, context):
    if event.get("ledger") == "lost":
        raise RuntimeError("no such ledger")
    return f"{event.get('ledger')} for {event.get('due')}"
"""


@contextmanager
def account(server: Ministack) -> Iterator[dict[str, str]]:
    """What a process has to be told so that boto3 finds an account that holds what the pages take as given:
    a function ``report``, the queues ``dead`` and ``orders``, and the topic ``alarms``."""
    server.scale_waits(1)
    with clients(server, NUMBER) as client:
        for queue in ("dead", "orders"):
            client("sqs").create_queue(QueueName=queue)
        client("sns").create_topic(Name="alarms")
        _function(client("lambda"))
        yield {
            **os.environ,
            "AWS_ENDPOINT_URL": server.endpoint_url,
            "AWS_ACCESS_KEY_ID": NUMBER,
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": REGION,
        }


def _function(client: Any) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("code.py", "")
        archive.writestr("report.py", REPORT)
    client.create_function(
        FunctionName="report",
        Runtime="python3.12",
        Role=ROLE,
        Handler="report.handler",
        Code={"ZipFile": packed.getvalue()},
        Timeout=10,
    )
