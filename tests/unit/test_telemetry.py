"""Spans of runs."""

from __future__ import annotations

import threading
from datetime import timedelta

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode, get_current_span

import stepsched as ss
from stepsched.telemetry import instrument
from stepsched.testing import TimeTravel


def test_every_attempt_is_a_span_that_is_current_during_the_call(time_travel: TimeTravel) -> None:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    instrument(time_travel.backend, tracer_provider=provider)
    current = list[str]()

    def handler(_input: object, run: ss.Run) -> None:
        current.append(f"{get_current_span().get_span_context().span_id:x}")
        if run.attempt == 1:
            raise RuntimeError("no luck")

    schedule = ss.Cron("0 9 * * ? *")
    time_travel.client.create(ss.Job(name="job", schedule=schedule, target=ss.HandlerTarget(handler)))
    time_travel.advance(timedelta(days=1))

    spans = exporter.get_finished_spans()
    assert [span.name for span in spans] == ["run job", "run job"]
    assert [f"{span.context.span_id:x}" for span in spans if span.context] == current
    first, second = spans
    assert (first.status.status_code, second.status.status_code) == (StatusCode.ERROR, StatusCode.UNSET)
    assert first.events[0].name == "exception"
    assert dict(second.attributes or {}) == {
        "stepsched.job": "job",
        "stepsched.group": "default",
        "stepsched.target": "handler",
        "stepsched.run_id": 1,
        "stepsched.scheduled_for": "2030-01-01T09:00:00+00:00",
        "stepsched.trigger": "schedule",
        "stepsched.attempt": 2,
    }


def test_wrappers_stand_around_each_other(time_travel: TimeTravel) -> None:
    order = list[str]()
    for name in ("outer", "inner"):

        def around(job: ss.Job, run: ss.Run, call: object, name: str = name) -> str | None:
            order.append(name)
            assert callable(call)
            answer = call()
            assert answer is None or isinstance(answer, str)
            return answer

        time_travel.backend.wrap_calls(around)
    schedule = ss.Cron("0 9 * * ? *")
    time_travel.client.create(
        ss.Job(name="job", schedule=schedule, target=ss.HandlerTarget(lambda: order.append("call")))
    )
    time_travel.advance(timedelta(days=1))
    assert order == ["outer", "inner", "call"]


def test_the_parts_of_a_target_lie_within_the_span_of_the_run() -> None:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    current, barrier = list[int](), threading.Barrier(2)

    def part() -> None:
        current.append(get_current_span().get_span_context().span_id)
        barrier.wait(10)  # side by side, each in a thread of its own

    ended = threading.Event()
    with ss.LocalBackend() as backend:
        instrument(backend, tracer_provider=provider)
        backend.listen(lambda _event: ended.set(), ["succeeded", "failed"])
        target = ss.ParallelTarget([ss.HandlerTarget(part), ss.HandlerTarget(part)])
        client = ss.SchedulerClient(backend)
        client.create(ss.Job(name="job", schedule=ss.Cron("0 0 1 1 ? *"), target=target))
        client.run_now("job")
        assert ended.wait(10)
    (span,) = exporter.get_finished_spans()
    assert span.context is not None
    assert current == [span.context.span_id] * 2
    assert (span.attributes or {})["stepsched.target"] == "parallel"
