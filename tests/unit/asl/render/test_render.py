"""A job as a machine: sound in every combination, and refused in words where it cannot be."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from datetime import timedelta
from typing import Any, get_args

import pytest

import stepsched as ss
from stepsched import asl
from stepsched.asl.services import check_arguments, check_resource
from stepsched.machines.renewal import MAX_AGE
from stepsched.machines.single import render_asl
from stepsched.machines.single.loop import machine_of
from tests.unit.asl.render import jobs
from tests.unit.asl.render.jobs import HOUR, LAMBDA, NEW_YEAR, QUEUE, STARTED, TARGETS, TOPIC, job, states_of

MATRIX = dict(jobs.matrix())


def rendered(given: ss.Job) -> dict[str, Any]:
    return render_asl(given).to_dict()


def refusal(given: ss.Job) -> str:
    with pytest.raises(ss.RenderError) as caught:
        render_asl(given)
    assert caught.value.job == given.name
    assert str(caught.value) == f"cannot render job {given.name!r}: {caught.value.reason}"
    return caught.value.reason


# -- everything -----------------------------------------------------------------------------------------


def test_the_matrix_is_large() -> None:
    assert len(MATRIX) >= 300
    kinds = {type(part) for given in MATRIX.values() for part in ss.targets.parts_of(given.target)}
    unsupported = {ss.HandlerTarget, ss.CommandTarget, ss.targets.TemplateTarget, ss.WorkflowTarget}
    assert {*kinds, *unsupported, ss.ParallelTarget} == set(get_args(ss.Target))


def test_nothing_is_found_in_any_machine() -> None:
    found = {}
    for name, given in MATRIX.items():
        machine = render_asl(given)
        document = machine.to_dict()
        told: list[object] = list(machine.check())
        for _, state in states_of(document):
            if state["Type"] == "Task":
                told += check_resource(state["Resource"])
                told += check_arguments(state["Resource"], state["Arguments"], jsonata=True)
        if asl.parse(machine.to_json()).to_dict() != document or json.loads(machine.to_json()) != document:
            told.append("is written otherwise")
        if told:
            found[name] = told
    assert found == {}


def test_every_machine_is_one_loop_that_ends() -> None:
    for given in MATRIX.values():
        machine = render_asl(given)
        states = machine.to_dict()["States"]
        assert machine.query_language == "JSONata"
        assert machine.comment is not None
        assert machine.comment.startswith("nightly: ")
        assert {"Init", "More?", "Sleep", "Run", "Done", "Rest", "Renew", "Renewed"} <= states.keys()
        assert ("Plan" in states) is not given.is_one_time
        assert states["Done"]["Type"] == states["Renewed"]["Type"] == "Succeed"
        assert ("Dead letter" in states) is (given.dead_letter is not None)
        assert ("Notify" in states) is (given.notify is not None)
        assert ("Stopped" in states) is (given.is_one_time or given.on_failure is ss.OnFailure.STOP)
        names = [name for name, _ in states_of(machine.to_dict())]
        assert len(names) == len(set(names))
        assert max(map(len, names)) <= 80


_PROGRAM = """
from tests.unit.asl.render.jobs import matrix
from stepsched.machines.single import render_asl
import hashlib
digest = hashlib.sha256()
for number, (name, job) in enumerate(matrix()):
    if number % 7 == 0:
        digest.update(render_asl(job).to_json().encode())
print(digest.hexdigest())
"""


def test_the_same_job_gives_the_same_text_in_every_process() -> None:
    texts = set()
    for seed in ("0", "1", "4711"):
        done = subprocess.run(
            [sys.executable, "-c", _PROGRAM],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(filter(None, sys.path)), "TZ": "Asia/Tokyo"},
        )
        texts.add(done.stdout)
    assert len(texts) == 1


def test_a_job_that_went_through_json_gives_the_same_text() -> None:
    for given in list(MATRIX.values())[::7]:
        again = ss.Job.model_validate_json(given.model_dump_json())
        assert render_asl(again).to_json() == render_asl(given).to_json()


def test_rendering_leaves_the_job_as_it_is() -> None:
    given = job(input={"a": [1]})
    render_asl(given).to_dict()["States"]["Run"]["Arguments"]["Payload"]["a"].append(2)
    assert given == job(input={"a": [1]})
    assert rendered(given)["States"]["Run"]["Arguments"]["Payload"] == {"a": [1]}


# -- policies -------------------------------------------------------------------------------------------


def test_jitter_is_within_the_bound_and_after_the_moment() -> None:
    assert rendered(job())["States"]["Sleep"]["Timestamp"] == "{% $due %}"
    jittered = rendered(job(jitter=timedelta(seconds=90)))["States"]["Sleep"]["Timestamp"]
    assert jittered == "{% $fromMillis($toMillis($due) + 1000 * $floor($random() * 91)) %}"


def test_a_time_limit_is_the_tasks() -> None:
    given = job(overlap=ss.Overlap.QUEUE, max_run_time=timedelta(minutes=5))
    assert rendered(given)["States"]["Run"]["TimeoutSeconds"] == 300
    assert "TimeoutSeconds" not in rendered(job())["States"]["Run"]


def test_attempts_are_states_of_our_own() -> None:
    states = rendered(job(retry=ss.Retry(max_attempts=7, max_age=timedelta(minutes=10))))["States"]
    assert "Retry" not in states["Run"]
    assert [each["Next"] for each in states["Run"]["Catch"]] == ["Try again?", "Try again?"]
    assert [each["ErrorEquals"] for each in states["Run"]["Catch"]] == [
        ["States.DataLimitExceeded"],
        ["States.ALL"],
    ]
    (rule,) = states["Try again?"]["Choices"]
    assert "$attempt <= 7 and " in rule["Condition"]
    assert rule["Condition"].endswith("<= $toMillis($due) + 600000 %}")
    assert (rule["Next"], states["Pause"]["Next"]) == ("Pause", "Run")


@pytest.mark.parametrize(
    ("retry", "seconds"),
    [
        (ss.Retry(interval=timedelta(0)), "{% 0 %}"),
        (ss.Retry(interval=timedelta(seconds=2.5), backoff_rate=1), "{% 3 %}"),
        (ss.Retry(interval=HOUR, max_age=timedelta(minutes=1)), "{% 60 %}"),
        (ss.Retry(interval=timedelta(seconds=4), max_delay=timedelta(seconds=4)), "{% 4 %}"),
        (
            ss.Retry(interval=timedelta(seconds=1.5), backoff_rate=1.7, max_delay=timedelta(seconds=90)),
            "{% $ceil($round($min([90, 1.5 * $power(1.7, $attempt - 1)]), 6)) %}",
        ),
        (
            ss.Retry(pauses=[timedelta(seconds=1.5), timedelta(hours=1)]),
            "{% [2, 3600][$min([$attempt, 2]) - 1] %}",
        ),
        (ss.Retry(pauses=[timedelta(seconds=5)]), "{% 5 %}"),
    ],
)
def test_a_pause_is_the_retrys_raised_to_seconds(retry: ss.Retry, seconds: str) -> None:
    assert rendered(job(retry=retry))["States"]["Pause"]["Seconds"] == seconds


def test_the_way_of_a_run_that_is_given_up() -> None:
    def way(**policy: Any) -> list[str]:
        states = rendered(job(**policy))["States"]
        names, at = [], states["Try again?"]["Default"]
        while at not in names and at != "Plan":
            names.append(at)
            at = states[at].get("Next", "Plan")
        return names

    told: dict[str, Any] = {"dead_letter": ss.QueueTarget(QUEUE), "notify": ss.TopicTarget(TOPIC)}
    assert way() == []
    assert way(on_failure=ss.OnFailure.STOP) == ["Stopped"]
    assert way(**told) == ["Dead letter", "Notify"]
    assert way(**told, on_failure=ss.OnFailure.STOP) == ["Dead letter", "Notify", "Stopped"]
    assert way(notify=told["notify"]) == ["Notify"]
    assert way(schedule=ss.OneTime(NEW_YEAR)) == ["Stopped"]


def test_telling_of_a_failure_never_ends_the_schedule() -> None:
    states = rendered(job(dead_letter=ss.QueueTarget(QUEUE), notify=ss.TopicTarget(TOPIC)))["States"]
    for name in ("Dead letter", "Notify"):
        caught = [(catcher["ErrorEquals"], catcher["Next"]) for catcher in states[name]["Catch"]]
        following = states[name]["Next"]
        assert caught == [(["States.DataLimitExceeded"], following), (["States.ALL"], following)]
        assert states[name]["Retry"][0]["MaxAttempts"] > 0
    attributes = states["Dead letter"]["Arguments"]["MessageAttributes"]
    assert set(attributes) == {
        "ERROR_CODE",
        "ERROR_MESSAGE",
        "EXECUTION_ID",
        "RETRY_ATTEMPTS",
        "SCHEDULE_ARN",
        "SCHEDULED_TIME",
    }
    assert states["Dead letter"]["Arguments"]["MessageBody"] == "{}"
    assert set(states["Notify"]["Arguments"]["Message"]) == {
        "job",
        "scheduled_for",
        "attempts",
        "error",
        "cause",
    }


def test_the_next_execution_starts_under_a_name_of_its_own() -> None:
    renew = rendered(job())["States"]["Renew"]
    assert renew["Arguments"]["StateMachineArn"] == "{% $states.context.StateMachine.Id %}"
    assert renew["Arguments"]["Name"] == "{% $series & '-' & $string($generation + 1) %}"
    assert set(renew["Arguments"]["Input"]) == {"after", "begun", "series", "runs", "since", "generation"}
    assert renew["Retry"][0]["MaxAttempts"] == 0
    assert renew["Catch"][0]["ErrorEquals"] == renew["Retry"][0]["ErrorEquals"]
    assert MAX_AGE < 365 * 86_400


def test_a_bound_on_how_late_a_run_may_begin_is_refused_by_name() -> None:
    words = "catch_up_within 0:10:00: .*; leave it out, or run the job on LocalBackend"
    with pytest.raises(ss.RenderError, match=words) as caught:
        ss.render_asl(job(catch_up_within=timedelta(minutes=10)))
    assert caught.value.job == "nightly"


def test_a_disabled_job_is_refused_by_name() -> None:
    with pytest.raises(ss.RenderError, match=r"enabled=False: .*; use job.replace\(enabled=True\)") as caught:
        ss.render_asl(job(enabled=False))
    assert caught.value.job == "nightly"


def test_catching_up_decides_where_planning_starts() -> None:
    def planned(catch_up: ss.CatchUp) -> tuple[str, str]:
        states = rendered(job(schedule=ss.Cron("0 9 * * ? *"), catch_up=catch_up))["States"]
        return states["Init"]["Assign"]["after"], states["Plan"]["Assign"]["due"]

    every, one, skip = planned(ss.CatchUp.ALL), planned(ss.CatchUp.ONE), planned(ss.CatchUp.SKIP)
    assert every[0] == one[0] != skip[0]
    assert every[1] == skip[1] != one[1]
    assert "$states.input.generation" in skip[0]


def test_skipping_moves_the_cursor_past_what_came_due_meanwhile() -> None:
    def after(overlap: ss.Overlap) -> str:
        return str(rendered(job(overlap=overlap))["States"]["Run"]["Assign"]["after"])

    assert after(ss.Overlap.QUEUE) == after(ss.Overlap.ALLOW) == "{% $due %}"
    assert "$millis()" in after(ss.Overlap.SKIP)


def test_the_history_never_grows_beyond_its_bound() -> None:
    for name, given in MATRIX.items():
        if given.is_one_time:
            continue
        machine = render_asl(given)
        (limit,) = (
            int(rule["Condition"].split("> ")[1].split()[0])
            for rule in machine.to_dict()["States"]["More?"]["Choices"]
            if rule["Condition"].startswith("{% $spent")
        )
        turn = int(machine.to_dict()["States"]["Plan"]["Assign"]["spent"].split("+ ")[1].split()[0])
        budget = machine.budget()
        assert turn >= budget.usual.events, name
        assert limit + turn < 25_000, name


def test_a_shorter_history_is_possible() -> None:
    text = machine_of(job(retry=ss.Retry(max_attempts=0)), max_events=500).to_json()
    assert "$spent > " in text
    with pytest.raises(ss.RenderError, match="fewer retries"):
        machine_of(job(), max_events=110)


# -- refusals -------------------------------------------------------------------------------------------


REFUSED: dict[str, tuple[ss.Job, str]] = {
    "function": (job(ss.HandlerTarget("a.b:c")), "AWS cannot invoke a Python function .* LambdaTarget"),
    "command": (job(ss.CommandTarget(["a"])), "AWS cannot invoke a command .* LambdaTarget"),
    "command in a parallel": (
        job(ss.ParallelTarget([ss.LambdaTarget(LAMBDA), ss.CommandTarget(["a"])])),
        "AWS cannot invoke a command",
    ),
    "template": (
        job(ss.targets.TemplateTarget("arn:aws:inspector:eu-west-1:1:target/0-a")),
        "TemplateTarget .* ApiTarget",
    ),
    "fraction of jitter": (
        job(jitter=timedelta(milliseconds=1)),
        "jitter .* fraction .* use whole seconds",
    ),
    "fraction of a limit": (
        job(max_run_time=timedelta(seconds=1.5), overlap=ss.Overlap.SKIP),
        "max_run_time .* whole seconds",
    ),
    "fraction of an age": (
        job(retry=ss.Retry(max_age=timedelta(seconds=90.5))),
        r"retry\.max_age .* whole seconds",
    ),
    "fraction of a rate's start": (
        job(schedule=ss.Rate(HOUR, start=NEW_YEAR.replace(microsecond=1))),
        "start .* fraction of a second",
    ),
    "fraction of a window's start": (
        job(schedule=ss.Windowed("2030-01-01T00:00:00.5", every=ss.Frequency(months=1))),
        "start .* whole seconds",
    ),
    "limit for what is only started": (
        job(max_run_time=HOUR),
        "max_run_time .* LambdaTarget .* Overlap.SKIP or QUEUE",
    ),
    "limit for one start": (
        job(STARTED["pipeline"][0], schedule=ss.OneTime(NEW_YEAR), max_run_time=HOUR),
        "leave max_run_time out",
    ),
    "list as an event": (
        job(TARGETS["bus"][0], input=[1]),
        "expected a JSON object .* of an event, got a list",
    ),
    "text as an event": (
        job(TARGETS["bus"][0], input="x"),
        "expected a JSON object .* of an event, got text",
    ),
    "null as an event": (
        job(TARGETS["bus"][0], input=None),
        "a JSON object .* of an event, got null",
    ),
    "text as a record": (job(TARGETS["stream"][0], input="x"), "in quotes; .* JSON object"),
    "text as a delivered record": (
        job(TARGETS["delivery stream"][0], input="x"),
        "in quotes; .* JSON object",
    ),
    "list as overrides": (
        job(TARGETS["build"][0], input=[1]),
        "object of overrides as input, got a list",
    ),
    "number as overrides": (
        job(TARGETS["task"][0], input=5),
        "object of overrides as input, got a number",
    ),
    "path as a member": (job(TARGETS["build"][0], input={"a.$": 1}), r"must not end in '\.\$'"),
    "queue of an unknown partition": (
        job(jobs.moved(ss.QueueTarget(QUEUE), (("arn:aws:", "arn:aws-iso:"),))),
        "partition 'aws-iso'.* ApiTarget",
    ),
    "dead letters of an unknown partition": (
        job(dead_letter=ss.QueueTarget(QUEUE.replace("arn:aws:", "arn:aws-iso:"))),
        "partitions aws and aws-iso",
    ),
    "too many events": (
        job(ss.ParallelTarget([ss.LambdaTarget(LAMBDA)] * 40), retry=ss.Retry(max_attempts=185)),
        r"67,046 events, .* 25,000; use fewer retries or fewer targets",
    ),
    "input too large": (job(input="x" * 262_000), "an input of at most 260,144 bytes as JSON, got 262,002"),
    "text too large once it is quoted": (
        job(TARGETS["queue"][0], input='"' * 70_000),
        "an input of at most .* keep large data",
    ),
    "definition too large": (
        job(ss.ParallelTarget([ss.LambdaTarget(LAMBDA)] * 8), input="x" * 200_000),
        "expected a definition of at most .* fewer targets",
    ),
}
for _name, (_target, _input) in STARTED.items():
    for _overlap in (ss.Overlap.SKIP, ss.Overlap.QUEUE):
        _why = (
            "cannot wait .* with task_count, .* Overlap.ALLOW"
            if "tasks" in _name
            else "cannot wait .* Overlap.ALLOW"
        )
        REFUSED[f"{_name} with {_overlap.value}"] = job(_target, input=_input, overlap=_overlap), _why


@pytest.mark.parametrize(("given", "words"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_is_refused_in_words(given: ss.Job, words: str) -> None:
    reason = refusal(given)
    assert re.search(words, reason), reason


def _nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def test_keys_that_end_like_a_path_go_so_deep() -> None:
    assert "{% {'a.$': [[" in render_asl(job(input={"a.$": _nested(28)})).to_json()
    assert "nested deeper than 30 levels" in refusal(job(input={"a.$": _nested(40)}))
    assert render_asl(job(input={"a": _nested(60)})).check() == []


def test_a_one_time_fraction_is_raised_by_the_schedule() -> None:
    given = job(schedule=ss.OneTime(NEW_YEAR.replace(microsecond=1)))
    assert rendered(given)["States"]["Init"]["Assign"]["due"] == "2030-01-01T00:00:01Z"


# -- parts of AWS ---------------------------------------------------------------------------------------


def _partitions(given: ss.Job) -> set[str]:
    return {
        state["Resource"].split(":")[1] for _, state in states_of(rendered(given)) if state["Type"] == "Task"
    }


@pytest.mark.parametrize(("moves", "partition"), [(jobs.CHINA, "aws-cn"), (jobs.GOV, "aws-us-gov")])
@pytest.mark.parametrize("name", [*TARGETS, *STARTED])
def test_calls_are_made_where_the_target_is(name: str, moves: Any, partition: str) -> None:
    target, given = (TARGETS | STARTED)[name]
    if isinstance(target, (ss.ApiTarget, ss.BatchTarget)):
        target = ss.BatchTarget("a", job_queue="arn:aws:batch:eu-west-1:123456789012:job-queue/q")
    moved = job(jobs.moved(target, moves), input=given)
    assert _partitions(moved) == {partition}
    assert render_asl(moved).check() == []


def test_dead_letters_go_where_the_queue_is() -> None:
    given = job(
        jobs.moved(ss.LambdaTarget(LAMBDA), jobs.CHINA),
        dead_letter=jobs.moved(ss.QueueTarget(QUEUE), jobs.CHINA),
        notify=jobs.moved(ss.TopicTarget(TOPIC), jobs.CHINA),
    )
    assert _partitions(given) == {"aws-cn"}


def test_a_target_without_arn_is_where_the_others_are() -> None:
    moved = jobs.moved(ss.LambdaTarget(LAMBDA), jobs.CHINA)
    assert _partitions(job(ss.ParallelTarget([TARGETS["any call"][0], moved]))) == {"aws-cn"}


def test_managed_tags_are_spelt_as_the_sdk_does() -> None:
    target = ss.targets.EcsTaskTarget(jobs.CLUSTER, task_definition_arn=jobs.TASK, ecs_managed_tags=True)
    machine = render_asl(job(target, input={}))
    assert machine.to_dict()["States"]["Run"]["Arguments"]["EnableECSManagedTags"] is True
    assert machine.check() == []


@pytest.mark.parametrize(
    "again",
    [
        lambda machine: machine.replace(comment="other"),
        lambda machine: type(machine).model_validate_json(machine.model_dump_json()),
    ],
)
def test_a_copy_of_a_jobs_machine_has_a_budget(again: Any) -> None:
    assert again(render_asl(job())).budget().usual == render_asl(job()).budget().usual


def test_a_changed_comment_keeps_the_budget() -> None:
    machine = render_asl(job())
    assert machine.replace(comment="other").budget() == machine.budget()
    assert asl.parse(machine.to_json()).budget() != machine.budget(), "a text does not know its job"


@pytest.mark.parametrize(
    ("parts", "retries"), [(1, 3), (1, 185), (14, 185), (16, 150), (36, 60), (38, 60), (40, 30)]
)
def test_a_first_run_always_fits(parts: int, retries: int) -> None:
    """An execution that renews itself before its first run would do so for ever."""
    target = ss.ParallelTarget([ss.LambdaTarget(LAMBDA)] * parts) if parts > 1 else ss.LambdaTarget(LAMBDA)
    try:
        machine = render_asl(job(target, retry=ss.Retry(max_attempts=retries)))
    except ss.RenderError as error:
        assert "use fewer retries" in str(error)  # noqa: PT017 -- either will do
        return
    states = machine.to_dict()["States"]
    (limit,) = re.findall(r"\$spent > (\d+)", str(states["More?"]))
    (turn,) = re.findall(r"\$spent \+ (\d+)", states["Plan"]["Assign"]["spent"])
    begun = states["Init"]["Assign"]["spent"]
    assert begun + int(turn) <= int(limit)
    assert machine.budget().turns == (int(limit) - begun) // int(turn)


@pytest.mark.parametrize(("parts", "retries"), [(16, 171), (36, 75), (38, 71)])
def test_a_run_that_fits_into_no_execution_is_refused(parts: int, retries: int) -> None:
    target = ss.ParallelTarget([ss.LambdaTarget(LAMBDA)] * parts)
    with pytest.raises(ss.RenderError, match="use fewer retries or fewer targets"):
        render_asl(job(target, retry=ss.Retry(max_attempts=retries)))


def test_a_jobs_machine_equals_what_is_read_from_its_text() -> None:
    machine = render_asl(job())
    assert asl.parse(machine.to_json()) == machine


# -- places and names --------------------------------------------------------------------------------------


def test_a_single_run_of_tasks_that_cannot_be_waited_for_is_started() -> None:
    target, given = STARTED["tasks with everything"]
    states = rendered(job(target, input=given, schedule=ss.OneTime(NEW_YEAR)))["States"]
    assert states["Run"]["Resource"] == "arn:aws:states:::aws-sdk:ecs:runTask"


def test_a_fifo_topic_is_told_in_a_group() -> None:
    told = rendered(job(notify=ss.TopicTarget(f"{TOPIC}.fifo")))["States"]["Notify"]["Arguments"]
    assert told["MessageGroupId"] == "nightly"
    assert "$due" in told["MessageDeduplicationId"]


@pytest.mark.parametrize(
    "given", ["", {"due": ss.context.SCHEDULED_TIME, "t": "<aws.scheduler.execution-id>"}]
)
def test_a_notice_does_not_carry_the_input(given: Any) -> None:
    told = rendered(job(input=given, notify=ss.TopicTarget(TOPIC)))["States"]["Notify"]["Arguments"]
    assert set(told["Message"]) == {"job", "scheduled_for", "attempts", "error", "cause"}


@pytest.mark.parametrize(
    ("name", "subject", "group"),
    [
        pytest.param("n" * 88, f"Job {'n' * 88} failed", "n" * 88, id="longest"),
        pytest.param("n" * 89, f"Job {'n' * 85}... failed", "n" * 89, id="longer"),
        pytest.param("a b", "Job a b failed", "a-b-c8687a08aa5d", id="space"),
        pytest.param("é\N{ROCKET}", "Job ?? failed", None, id="not ASCII"),
        pytest.param(
            "<aws.scheduler.attempt-number>",
            "Job ?aws.scheduler.attempt-number? failed",
            None,
            id="attribute",
        ),
        pytest.param("{% 1 %}", None, None, id="expression"),
        pytest.param("%}", None, None, id="end of an expression"),
        pytest.param("n" * 256, None, None, id="longest of all"),
    ],
)
def test_a_notice_of_a_job_of_any_name_is_one_that_the_service_takes(
    name: str, subject: str | None, group: str | None
) -> None:
    """https://docs.aws.amazon.com/sns/latest/api/API_Publish.html"""
    noticed = job(name=name, notify=ss.TopicTarget(f"{TOPIC}.fifo"), dead_letter=ss.QueueTarget(QUEUE))
    machine = render_asl(noticed)
    assert [found for found in machine.check() if found.severity == "error"] == []
    told = rendered(noticed)["States"]["Notify"]["Arguments"]
    assert re.fullmatch(r"[0-9A-Za-z_.-]{1,128}", told["MessageGroupId"])
    assert told["MessageGroupId"] == (group or told["MessageGroupId"])
    if "%}" in name:  # it is data, not an expression
        assert told["Message"]["job"] != name
        assert "u007d' %}" in told["Message"]["job"]
        assert "u007d" in told["Subject"]
    else:
        assert told["Message"]["job"] == name
        assert re.fullmatch(r"[ -~]{1,99}", told["Subject"])
        assert told["Subject"] == (subject or told["Subject"])


@pytest.mark.parametrize("name", ["-nightly", "_nightly", ".nightly", "night.ly", "n" * 129, "a b", "é"])
def test_a_name_that_batch_refuses_is_refused(name: str) -> None:
    refusal(job(TARGETS["batch"][0], name=name))


# -- what would be lost or be something else ----------------------------------------------------------------


@pytest.mark.parametrize("kind", ["subnets", "security_groups", "group", "tags", "platform_version"])
def test_text_of_a_task_is_never_code(kind: str) -> None:
    code = "{% $states.context.Execution.Id %}"
    given: dict[str, Any] = {"subnets": ["subnet-1"]}
    given[kind] = {"tags": {code: code}}.get(kind, [code] if kind.endswith("s") else code)
    target = ss.targets.EcsTaskTarget(
        "arn:aws:ecs:eu-west-1:123456789012:cluster/c",
        task_definition_arn="arn:aws:ecs:eu-west-1:123456789012:task-definition/t",
        **given,
    )
    assert code not in [text for _, text in texts_of(rendered(job(target))["States"]["Run"]["Arguments"])]


def texts_of(value: Any, path: str = "") -> list[tuple[str, str]]:
    match value:
        case str():
            return [(path, value)]
        case dict():  # keys are never evaluated
            return [pair for key, item in value.items() for pair in texts_of(item, f"{path}/{key}")]
        case list():
            return [pair for number, item in enumerate(value) for pair in texts_of(item, f"{path}/{number}")]
    return []


ELSEWHERE = {
    "targets of two Regions": (
        job(
            ss.ParallelTarget(
                [ss.LambdaTarget(LAMBDA), ss.LambdaTarget(LAMBDA.replace("eu-west-1", "us-east-1"))]
            )
        ),
        "Regions eu-west-1 and us-east-1",
    ),
    "dead letters in another Region": (
        job(dead_letter=ss.QueueTarget(QUEUE.replace("eu-west-1", "us-east-1"))),
        "Regions eu-west-1 and us-east-1",
    ),
    "input of a Batch job": (job(TARGETS["batch"][0], input={"a": 1}), "takes no input"),
    "an unknown action": (
        job(ss.ApiTarget("sqs", "sendMesage", {"QueueUrl": "q"})),
        "did you mean 'sendMessage'",
    ),
    "an unknown override": (job(TARGETS["task"][0], input={"foo": 1}), "Foo"),
    "two keys that meet": (
        job(TARGETS["build"][0], input={"buildspecOverride": "a", "BuildspecOverride": "b"}),
        "case",
    ),
    "an attribute as a key": (job(input={ss.context.SCHEDULED_TIME: 1}), "context attribute"),
    "an attribute where none is filled": (
        job(ss.QueueTarget(QUEUE + ".fifo", message_group_id=ss.context.SCHEDULED_TIME)),
        "message_group_id .*context attribute",
    ),
    "a look-alike beside an attribute in one message": (
        job(
            TARGETS["queue"][0],
            input={"due": ss.context.SCHEDULED_TIME, "t": "<aws.scheduler.execution-id>"},
        ),
        "input.t looks like a context attribute",
    ),
    "empty text as a message": (job(TARGETS["queue"][0], input=""), "empty"),
    "a number that would lose digits": (job(input={"a.$": 2**53 + 1}), "lose digits"),
    "a run of half a year": (
        job(TARGETS["lambda"][0], overlap=ss.Overlap.QUEUE, max_run_time=timedelta(days=180)),
        "expected max_run_time up to 60 days",
    ),
    "a request that fits into no state": (
        job(ss.ApiTarget("sqs", "sendMessage", {"QueueUrl": "q", "MessageBody": "x" * 262_000})),
        "keep large data",
    ),
    "requests that fit into no definition": (
        job(
            ss.ParallelTarget(
                [ss.ApiTarget("sqs", "sendMessage", {"QueueUrl": "q", "MessageBody": "x" * 200_000})] * 6
            )
        ),
        "expected a definition of at most",
    ),
}


@pytest.mark.parametrize("name", ELSEWHERE)
def test_what_would_be_lost_is_refused_in_words(name: str) -> None:
    wrong, words = ELSEWHERE[name]
    with pytest.raises(ss.RenderError, match=f"(?s){words}"):
        render_asl(wrong)


def test_a_dead_letter_tells_the_attempts_that_were_made() -> None:
    parts = [ss.QueueTarget(QUEUE), ss.QueueTarget(QUEUE + "2")]
    for target in (parts[0], ss.ParallelTarget(parts)):
        letter = job(target, input=ss.context.ATTEMPT_NUMBER, dead_letter=ss.QueueTarget(QUEUE))
        body = rendered(letter)["States"]["Dead letter"]["Arguments"]["MessageBody"]
        assert body == "{% $string($failure.attempts) %}"


def test_something_else_than_a_job_is_refused() -> None:
    with pytest.raises(TypeError, match="expected a Job, got str"):
        render_asl("job")  # type: ignore[arg-type]
