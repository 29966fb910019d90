"""What happens next in a run: the rules, one by one; failures and retries; references in inputs."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

import stepsched as ss
from stepsched.workflows import Condition, FailureKind, StepRun, StepStatus, WorkflowRun, input_of, output_of
from stepsched.workflows import WorkflowRunStatus as RunStatus
from stepsched.workflows.decisions import Advance, Failure, advance, after_failure, final_status
from stepsched.workflows.references import MissingValueError, Reference, references, resolve

NOW = datetime(2030, 1, 7, 2, tzinfo=timezone.utc)
SECOND = timedelta(seconds=1)


def step(name: str, *needs: str, **more: Any) -> ss.Step:
    return ss.Step(name, target=ss.CommandTarget(["true"]), needs=needs, **more)


def flow(*steps: ss.Step, **more: Any) -> ss.Workflow:
    return ss.Workflow("nightly", steps=steps, **more)


def states(**given: str | StepRun) -> dict[str, StepRun]:
    return {
        name: StepRun(name=name, status=StepStatus(each)) if isinstance(each, str) else each
        for name, each in given.items()
    }


def left(found: Advance) -> list[tuple[str, str, str | None]]:
    return [(each.name, str(each.status), each.caused_by) for each in found.left_out]


LINE = flow(step("a"), step("b", "a"), step("c", "b"))


def test_steps_without_needs_start_at_once() -> None:
    assert advance(LINE, states(a="pending", b="pending", c="pending"), NOW) == Advance(starts=("a",))


@pytest.mark.parametrize("done", ["succeeded", "skipped"])
def test_a_step_starts_when_its_needs_are_done(done: str) -> None:
    assert advance(LINE, states(a=done, b="pending", c="pending"), NOW).starts == ("b",)


def test_nothing_happens_while_steps_run() -> None:
    assert advance(LINE, states(a="running", b="pending", c="pending"), NOW) == Advance()


def test_a_failure_leaves_out_all_below_at_once_with_the_step_that_failed() -> None:
    found = advance(LINE, states(a="failed", b="pending", c="pending"), NOW)
    assert left(found) == [("b", "upstream_failed", "a"), ("c", "upstream_failed", "a")]
    assert [each.reason for each in found.left_out] == ["step 'a' failed"] * 2
    assert found.status is RunStatus.FAILED


def test_a_cancelled_step_is_named_as_such() -> None:
    found = advance(LINE, states(a="cancelled", b="pending", c="pending"), NOW)
    assert found.left_out[1].reason == "step 'a' was cancelled"
    assert found.status is RunStatus.CANCELLED


def test_a_failure_counts_before_an_unmet_condition_whichever_ends_first() -> None:
    both = flow(step("a"), step("b"), step("c", "a", "b"))
    assert advance(both, states(a="unmet", b="running", c="pending"), NOW) == Advance()
    assert left(advance(both, states(a="unmet", b="failed", c="pending"), NOW)) == [
        ("c", "upstream_failed", "b")
    ]
    assert left(advance(both, states(a="unmet", b="succeeded", c="pending"), NOW)) == [("c", "unmet", "a")]


@pytest.mark.parametrize(
    ("outcome", "done", "failed"),
    [
        pytest.param("succeeded", "starts", "unmet", id="succeeded"),
        pytest.param("skipped", "starts", "unmet", id="skipped"),
        pytest.param("unmet", "starts", "unmet", id="unmet"),
        pytest.param("failed", "starts", "starts", id="failed"),
        pytest.param("upstream_failed", "starts", "starts", id="upstream failed"),
        pytest.param("cancelled", "starts", "starts", id="cancelled"),
        pytest.param("running", "waits", "waits", id="running"),
    ],
)
def test_steps_that_follow_an_outcome(outcome: str, done: str, failed: str) -> None:
    for when, fate in (("done", done), ("failed", failed)):
        follows = flow(step("a"), step("b", "a", when=when))
        found = advance(follows, states(a=outcome, b="pending"), NOW)
        assert found.starts == (("b",) if fate == "starts" else ())
        assert [each.status for each in found.left_out] == ([StepStatus.UNMET] if fate == "unmet" else [])


def test_a_step_that_follows_outcomes_waits_for_all_of_them() -> None:
    follows = flow(step("a"), step("b"), step("c", "a", "b", when="failed"))
    assert advance(follows, states(a="failed", b="running", c="pending"), NOW) == Advance()


GATED = flow(
    step("a"), step("b", "a", when=Condition(step="a", path=["n"], operator=">", value=3)), step("c", "b")
)


def test_a_condition_decides_between_start_and_unmet() -> None:
    met = StepRun(name="a", status=StepStatus.SUCCEEDED, output='{"n": 4}')
    assert advance(GATED, states(a=met, b="pending", c="pending"), NOW).starts == ("b",)
    found = advance(GATED, states(a=met.model_copy(update={"output": "3"}), b="pending", c="pending"), NOW)
    assert left(found) == [("b", "unmet", "b"), ("c", "unmet", "b")]
    assert found.left_out[0].reason == "its condition is not met: expected ['n'] of the output of 'a' > 3"
    assert found.left_out[1].reason == "step 'b' was left out by its condition"
    assert found.status is RunStatus.SUCCEEDED


@pytest.mark.parametrize("operator", ["==", "!="])
def test_a_condition_on_an_output_that_may_have_been_truncated_is_not_decided_in_silence(
    operator: Any,
) -> None:
    condition = Condition(step="a", path=["ok"], operator=operator)
    gated = flow(step("a"), step("b", "a", when=condition), step("c", "b"))
    long = StepRun(name="a", status=StepStatus.SUCCEEDED, output='{"ok": true, "rows": [' + "1," * 2_000)
    found = advance(gated, states(a=long, b="pending", c="pending"), NOW)
    assert left(found) == [("b", "upstream_failed", None), ("c", "upstream_failed", "b")]
    assert found.left_out[0].reason == (
        "step 'a': its output is longer than 4,000 characters; write it elsewhere and pass its location"
    )
    assert found.status is RunStatus.FAILED


def test_the_output_of_a_skipped_step_meets_no_condition() -> None:
    assert left(advance(GATED, states(a="skipped", b="pending", c="pending"), NOW))[0] == ("b", "unmet", "b")


STOPPING = flow(
    step("a"), step("b"), step("c", "b"), step("clean", "b", when="done"), step("x"), on_failure="stop"
)


def test_a_stopped_run_starts_nothing_but_steps_that_follow_outcomes() -> None:
    found = advance(STOPPING, states(a="failed", b="running", c="pending", clean="pending", x="pending"), NOW)
    assert left(found) == [("c", "upstream_failed", "a"), ("x", "upstream_failed", "a")]
    assert found.left_out[0].reason == "the run stops: step 'a' failed"
    ended = states(a="failed", b="succeeded", c="upstream_failed", clean="pending", x="upstream_failed")
    assert advance(STOPPING, ended, NOW).starts == ("clean",)


def test_a_stopped_run_names_the_step_that_failed_first() -> None:
    later = StepRun(name="a", status=StepStatus.FAILED, ended_at=NOW)
    first = StepRun(name="b", status=StepStatus.FAILED, ended_at=NOW - SECOND)
    found = advance(STOPPING, states(a=later, b=first, c="pending", clean="skipped", x="pending"), NOW)
    assert left(found)[1] == ("x", "upstream_failed", "b")


def test_a_retry_waits_for_its_instant() -> None:
    waiting = StepRun(name="a", attempt=1, retry_at=NOW + SECOND)
    found = advance(LINE, states(a=waiting, b="pending", c="pending"), NOW)
    assert (found.starts, found.wakes_at, found.status) == ((), NOW + SECOND, None)
    assert advance(LINE, states(a=waiting, b="pending", c="pending"), NOW + SECOND).starts == ("a",)


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["succeeded", "skipped", "unmet"], RunStatus.SUCCEEDED),
        (["succeeded", "failed"], RunStatus.FAILED),
        (["succeeded", "upstream_failed"], RunStatus.FAILED),
        (["failed", "cancelled"], RunStatus.CANCELLED),
        (["failed", "running"], None),
        (["failed", "pending"], None),
    ],
)
def test_the_status_of_a_run_whose_steps_have_ended(words: list[str], status: RunStatus | None) -> None:
    assert final_status(StepRun(name="x", status=StepStatus(word)) for word in words) is status


def test_only_what_depends_on_changes_is_looked_at() -> None:
    wide = flow(step("a"), step("b", "a"), step("c", "b"), step("z"))
    state = states(a="failed", b="pending", c="pending", z="pending")
    found = advance(wide, state, NOW, changed=["a"])
    assert found.starts == ()
    assert left(found) == [("b", "upstream_failed", "a"), ("c", "upstream_failed", "a")]
    assert advance(wide, state, NOW, changed=["z"]).starts == ("z",)
    assert advance(wide, state, NOW, changed=[]) == Advance()


# failures


def failed(kind: FailureKind) -> Failure:
    return Failure(kind, "exit 1", NOW, {"detail": "FAILED"})


RUNNING = StepRun(name="a", status=StepStatus.RUNNING, attempt=1)


def test_a_failed_job_is_repeated_by_its_retries() -> None:
    patient = step("a", retry=ss.Retry(max_attempts=1, interval=5 * SECOND))
    once = after_failure(patient, RUNNING, failed(FailureKind.JOB))
    assert (once.status, once.failures, once.retry_at, once.error) == (
        "pending",
        1,
        NOW + 5 * SECOND,
        "exit 1",
    )
    assert once.ended_at is None
    twice = after_failure(patient, once, failed(FailureKind.JOB))
    assert (twice.status, twice.failures, twice.retry_at, twice.ended_at) == ("failed", 2, None, NOW)
    assert (twice.failure, twice.detail) == (FailureKind.JOB, "FAILED")


def test_an_attempt_that_the_platform_took_away_is_repeated_apart_from_retries() -> None:
    run = RUNNING
    for losses in (1, 2, 3):
        run = after_failure(step("a"), run, failed(FailureKind.PLATFORM))
        assert (run.status, run.failures, run.losses, run.retry_at) == ("pending", 0, losses, NOW)
    assert after_failure(step("a"), run, failed(FailureKind.PLATFORM)).status is StepStatus.FAILED


def test_a_stopped_attempt_is_not_repeated() -> None:
    patient = step("a", retry=ss.Retry(max_attempts=3))
    ended = after_failure(patient, RUNNING, failed(FailureKind.STOPPED))
    assert (ended.status, ended.failures, ended.losses) == ("failed", 0, 0)


# references


def test_references_are_filled_in_with_outputs_and_the_input_of_the_run() -> None:
    value: Any = {"rows": output_of("a", "rows", 0), "day": [input_of("day")], "all": input_of(), "n": 1}
    assert list(references(value)) == [
        Reference("a", ("rows", 0)),
        Reference(None, ("day",)),
        Reference(None, ()),
    ]
    given: Any = {"day": "2030-01-07"}
    assert resolve(value, {"a": {"rows": [7]}}, given) == {
        "rows": 7,
        "day": ["2030-01-07"],
        "all": given,
        "n": 1,
    }
    assert resolve({"$output": "a"}, {"a": 5}, None) == 5


def test_data_that_looks_like_a_reference_stays_as_it_is() -> None:
    tricky: Any = {"$output": "b"}
    assert resolve(output_of("a"), {"a": tricky}, None) == tricky


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (output_of("b"), "step 'b' has no output; give it one by mark_succeeded of a restart"),
        (output_of("a", "x", 1), r'there is no \["x",1\] of the output of step \'a\''),
        (output_of("a", 0), "of the output of step 'a'"),
        (input_of("day"), r'there is no \["day"\] of the input of the run'),
    ],
)
def test_a_missing_part_is_named(value: Any, message: str) -> None:
    with pytest.raises(MissingValueError, match=message):
        resolve(value, {"a": {"x": [0]}}, [])


@pytest.mark.parametrize(
    "bad", [{"$output": 5}, {"$output": "a", "x": 1}, {"$input": "day"}, {"$input": [-1]}, {"$input": [True]}]
)
def test_what_has_the_keys_of_a_reference_and_is_none_is_refused(bad: Any) -> None:
    with pytest.raises(ValueError, match="expected a reference such as"):
        list(references(bad))


def test_a_reference_says_what_it_names() -> None:
    assert str(Reference("a", ())) == "the output of step 'a'"
    assert str(Reference(None, ("day",))) == '["day"] of the input of the run'


# records


def test_the_output_of_a_step_as_a_value() -> None:
    assert StepRun(name="a").result is None
    assert StepRun(name="a", output='{"n": 1}').result == {"n": 1}
    assert StepRun(name="a", output="plain text").result == "plain text"
    assert not StepRun(name="a", output="x" * 3_999).is_truncated
    assert StepRun(name="a", output="x" * 4_000).is_truncated
    assert not StepRun(name="a").is_truncated


def test_a_run_is_named_by_its_workflow_and_id() -> None:
    run = WorkflowRun(
        workflow="nightly",
        id="r1",
        status=RunStatus.RUNNING,
        version=1,
        started_at=NOW,
        steps=(StepRun(name="a"),),
    )
    assert run.key == "nightly/r1"
    assert not run.status.has_ended
    assert run.with_steps({"a": RUNNING, "b": RUNNING}).steps == (RUNNING,)
