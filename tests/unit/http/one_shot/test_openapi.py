"""The description of the interface: valid, complete, and true."""

from __future__ import annotations

from typing import Any

import pytest
from openapi_spec_validator import validate

from tests.unit.http.one_shot.asking import service

KNOWN = {
    "NewTaskScheduleRequest": ["timestamp", "message"],
    "NewTaskScheduleResponse": ["msg"],
    "CancelScheduledTaskRequest": ["executionArn"],
    "BasicResponse": ["msg"],
    "ErrorsResponse": ["errors"],
}
"""The schemas of the known interface, and what they require."""
TOPIC = "arn:aws:sns:us-west-2:123456789012:MyTopic"


@pytest.mark.parametrize("options", [{}, {"secret": None}, {"topics": [TOPIC]}])
def test_the_description_is_valid_openapi_3_1(options: dict[str, Any]) -> None:
    with service(**options) as made:
        document = made.get("/openapi.json").json()
    assert document["openapi"] == "3.1.0"
    validate(document)
    schemas = document["components"]["schemas"]
    assert {name: schemas[name]["required"] for name in KNOWN} == KNOWN
    assert schemas["ErrorsResponse"]["properties"]["errors"]["minItems"] == 1
    assert ("/" in document["paths"]) == ("topics" in options)
    assert ("securitySchemes" in document["components"]) == (options.get("secret", "") is not None)


def test_the_description_needs_no_secret_and_has_none() -> None:
    with service() as made:
        assert "abc123" not in made.get("/openapi.json").text
