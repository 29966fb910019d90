"""The OpenAPI document: valid, complete, and what schemathesis finds about it, which is nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from functools import cache
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openapi_spec_validator import OpenAPIV31SpecValidator
from schemathesis import GenerationMode
from schemathesis.checks import load_all_checks, not_a_server_error
from schemathesis.specs.openapi.checks import positive_data_acceptance
from starlette.types import Receive, Scope, Send

import stepsched as ss
from stepsched.http import jobs_app
from stepsched.http.jobs.openapi import _document, document
from stepsched.http.jobs.problems import KINDS
from stepsched.http.jobs.routes import RESOURCES
from stepsched.jobs import Job
from stepsched.jobs.documents import TARGETS
from stepsched.testing import FakeClock
from tests.unit.http.jobs.asking import Asking

START = datetime(2030, 1, 1, tzinfo=timezone.utc)
FUNCTION = ss.HandlerTarget("os:getcwd")
_WORKDAYS = {"target": "os:getcwd", "cron": "0 9 * * 1-5", "timezone": "Europe/Paris"}
SEEDS: dict[str, object] = {
    "Job": {"name": "new", "target": "os:getcwd", "in": "5m"},
    "Replacement": _WORKDAYS,
    "Patch": {"cron": "0 9 * * 1-5", "timezone": "Europe/Paris"},
    "Jobs": {"jobs": [{"name": "known", **_WORKDAYS}], "prune": ["default"]},
    "Pause": {"reason": "maintenance"},
    "Redrive": {"run": "2"},
    "Backfill": {"since": "2029-12-01T00:00:00Z", "until": "2029-12-05T00:00:00Z"},
}
"""Bodies that are accepted. Those that are made of the schema are mostly refused, since a schema cannot say
what a schedule is."""


@cache
def served_document() -> dict[str, Any]:
    return json.loads(document("/v1"))  # type: ignore[no-any-return]


def test_the_document_is_valid() -> None:
    assert list(OpenAPIV31SpecValidator(served_document()).iter_errors()) == []
    assert served_document()["openapi"] == "3.1.0"


def test_the_document_has_every_resource_with_its_methods() -> None:
    paths = {path: {method.upper() for method in each} for path, each in served_document()["paths"].items()}
    others = {"/events": {"GET"}, "/healthz": {"GET"}}
    assert paths == {path: set(each) for path, each in RESOURCES.items()} | others


def test_every_operation_has_a_name_of_its_own() -> None:
    names = [each["operationId"] for path in served_document()["paths"].values() for each in path.values()]
    assert len(names) == len(set(names))


def test_the_document_of_a_job_has_every_field_and_every_kind_of_target() -> None:
    schema = served_document()["components"]["schemas"]["Job"]
    assert schema["properties"].keys() >= Job.model_fields.keys()
    kinds = schema["properties"]["target"]["anyOf"][2]["properties"]["kind"]["enum"]
    assert set(kinds) == TARGETS.keys()


def test_every_status_of_an_error_that_a_verb_raises_is_in_the_document() -> None:
    """A wait is no resource, and so 504 is no answer."""
    statuses = {
        int(status)
        for path in served_document()["paths"].values()
        for each in path.values()
        for status in each["responses"]
    }
    assert {kind.status for kind in KINDS.values()} - {504} <= statuses


def test_the_document_is_served_with_the_place_of_the_application() -> None:
    ask = Asking(jobs_app(ss.SchedulerClient(), authenticate=None))
    answer = ask("GET", "/openapi.json")
    assert answer.status_code == 200
    assert answer.json()["servers"] == [{"url": "/"}]
    assert served_document()["servers"] == [{"url": "/v1"}]


def test_the_document_is_made_once_although_several_ask_at_first() -> None:
    before = _document.cache_info().misses
    with ThreadPoolExecutor(4) as pool:
        texts = set(pool.map(document, ["/asked by several"] * 4))
    assert (len(texts), _document.cache_info().misses - before) == (1, 1)


def client() -> ss.SchedulerClient:
    """A client of a backend in memory with a job, runs and a run that has failed."""
    backend = ss.LocalBackend(clock=FakeClock(START))
    made = ss.SchedulerClient(backend)
    known = ss.Job(name="known", schedule=ss.Rate(timedelta(minutes=5)), target=FUNCTION)
    once = ss.Retry(max_attempts=0)
    made.create(known)
    made.create(known.replace(name="b/ü", target=ss.HandlerTarget("json:loads"), retry=once))
    backend.run_until(START + timedelta(minutes=12))
    return made


class Current:
    """An application whose jobs can be set back."""

    def __init__(self) -> None:
        self.begin_anew()

    def begin_anew(self) -> None:
        self._app = jobs_app(client(), authenticate=None, allow_targets=["handler"])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)


@cache
def described() -> tuple[Current, Any]:
    """The application, and its document as schemathesis reads it."""
    load_all_checks()
    current = Current()
    return current, schemathesis.openapi.from_asgi("/openapi.json", current)


def look_for_faults(path: str, examples: int) -> dict[tuple[str, int], int]:
    """Asks the operations of a path with generated requests, valid and invalid ones, and checks the answers;
    returns how often each status was answered."""
    current, schema = described()
    counts = dict[tuple[str, int], int]()
    for method in RESOURCES[path]:
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            current.begin_anew()
            ask(schema[path][method], mode, examples, counts)
    return counts


def ask(operation: Any, mode: object, examples: int, counts: dict[tuple[str, int], int]) -> None:
    place = {"name": "b%2F%C3%BC" if operation.path.endswith("/redrive") else "known", "id": "1"}
    seed = SEEDS.get(RESOURCES[operation.path][operation.method.upper()].takes)
    kinds = st.sampled_from(("accepted", "accepted", "known", "any"))

    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
    @given(case=operation.as_strategy(generation_mode=mode), kind=kinds)
    def asks(case: Any, kind: str) -> None:
        kind = "invalid" if mode is GenerationMode.NEGATIVE else kind
        if kind in ("invalid", "accepted"):  # a precondition is looked at before other things
            for header in "If-Match", "If-None-Match":
                case.headers.pop(header, None)
        if kind in ("accepted", "known"):
            case.query.pop("group", None)
            case.path_parameters.update({each: place[each] for each in case.path_parameters})
        if kind == "accepted" and seed is not None:
            case.body = seed
        answer = case.call(headers={"host": "localhost"})
        key = (operation.label, answer.status_code)
        counts[key] = counts.get(key, 0) + 1
        # A schema cannot say what a schedule or a cursor is, so valid data may be refused; and the backend
        # cannot do everything, which is no fault.
        excluded = [positive_data_acceptance, *([not_a_server_error] if answer.status_code == 501 else [])]
        case.validate_response(answer, excluded_checks=excluded)

    asks()


def check_reach(counts: dict[tuple[str, int], int]) -> None:
    """Looks whether every operation was successful at least once, and none failed."""
    labels = {label for label, _ in counts}
    assert {label for label, status in counts if status < 300} == labels
    assert not [each for each in counts if each[1] >= 500 and each[1] != 501]


@pytest.mark.parametrize("path", RESOURCES)
def test_generated_requests_find_no_fault(path: str) -> None:
    check_reach(look_for_faults(path, 6))


@pytest.mark.proof
@pytest.mark.parametrize("path", RESOURCES)
def test_many_generated_requests_find_no_fault(
    path: str, record_property: Callable[[str, object], None]
) -> None:
    counts = look_for_faults(path, 100)
    record_property("generated requests", sum(counts.values()))
    check_reach(counts)
