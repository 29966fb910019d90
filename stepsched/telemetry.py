"""OpenTelemetry spans for the runs of the embedded backend; needs the extra ``stepsched[otel]``."""

from __future__ import annotations

from collections.abc import Callable

from opentelemetry.trace import SpanKind, TracerProvider, get_tracer

from stepsched.backends.local import LocalBackend
from stepsched.jobs import Job, Run


def instrument(backend: LocalBackend, *, tracer_provider: TracerProvider | None = None) -> None:
    """Creates a span for every attempt; it is the current span while the target is called.

    The span is named ``run <job>`` and has the attributes ``stepsched.job``, ``stepsched.group``,
    ``stepsched.target``, ``stepsched.run_id``, ``stepsched.scheduled_for``, ``stepsched.trigger`` and
    ``stepsched.attempt``; a failure is recorded on it as an exception, with status error.

    Args:
        backend: The backend whose runs are traced.
        tracer_provider: The tracer provider. None: the global one.
    """
    tracer = get_tracer("stepsched", tracer_provider=tracer_provider)

    def around(job: Job, run: Run, call: Callable[[], str | None]) -> str | None:
        attributes: dict[str, str | int] = {
            "stepsched.job": job.name,
            "stepsched.group": job.group,
            "stepsched.target": job.target.kind,
            "stepsched.run_id": run.id,
            "stepsched.scheduled_for": run.scheduled_for.isoformat(),
            "stepsched.trigger": run.trigger.value,
            "stepsched.attempt": run.attempt,
        }
        with tracer.start_as_current_span(f"run {job.name}", kind=SpanKind.CONSUMER, attributes=attributes):
            return call()

    backend.wrap_calls(around)
