"""Requests that are made from the description, right and wrong ones: it describes every answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.checks import CHECKS
from schemathesis.specs.openapi.schemas import OpenApiSchema

import stepsched as ss
from stepsched.http import one_shot_app

EXCLUDED: list[Any] = CHECKS.get_by_names(
    [
        "unsupported_method",  # the known interface checks no verb
        "positive_data_acceptance",  # the horizon depends on the day, which no schema tells
    ]
)
CALLS = [
    (method, path, mode)
    for method, path in (("POST", "/schedule"), ("POST", "/cancel"), ("GET", "/tasks"))
    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
] + [("GET", "/healthz", GenerationMode.POSITIVE)]
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*starlette.testclient.*"),
    pytest.mark.parametrize(("method", "path", "mode"), CALLS),
]


@pytest.fixture(scope="module")
def described() -> Iterator[OpenApiSchema]:
    with ss.LocalBackend() as backend:
        app = one_shot_app(ss.SchedulerClient(backend))
        yield schemathesis.openapi.from_asgi("/openapi.json", app)


def validate(described: OpenApiSchema, method: str, path: str, mode: GenerationMode, examples: int) -> None:
    operation = described[path][method]

    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(generation_mode=mode))
    def answers(case: Case[Any]) -> None:
        case.call_and_validate(excluded_checks=EXCLUDED)

    answers()


def test_every_answer_is_described(
    described: OpenApiSchema, method: str, path: str, mode: GenerationMode
) -> None:
    validate(described, method, path, mode, 25)


@pytest.mark.proof
def test_every_answer_to_hundreds_of_requests_is_described(
    described: OpenApiSchema, method: str, path: str, mode: GenerationMode
) -> None:
    validate(described, method, path, mode, 500)
