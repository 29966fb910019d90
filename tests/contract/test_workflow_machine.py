"""The machine of workflows drives runs, on an emulator with AWS Batch whose jobs are processes."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import stepsched as ss
from stepsched.workflows.machine import workflow_machine
from stepsched.workflows.machine.instructions import MAX_INPUT
from tests.contract.workflow_runs import Flows
from tests.parts.batch import shell, when
from tests.parts.batch_cloud import BatchCloud
from tests.parts.ministack import clients
from tests.parts.state_machines import ROLE

PM_LOAD = {
    "job1": [],
    "job2": ["job1"],
    "job3": ["job1"],
    "job4": ["job1", "job2"],
    "job5": ["job2", "job3", "job4"],
}
EDW_LOAD = {
    "FTP": [],
    "Cleanse": ["FTP"],
    "ConvertParquet": ["FTP"],
    "Aggregate": ["FTP", "Cleanse"],
    "LoadRedshift": ["Cleanse", "ConvertParquet", "Aggregate"],
}


@pytest.fixture
def flows(batch_cloud: BatchCloud, batch_account: str) -> Iterator[Flows]:
    with clients(batch_cloud.ministack, batch_account) as client:
        yield Flows(batch_cloud, batch_account, client)


def graph(
    flows: Flows,
    needs: dict[str, list[str]],
    *,
    name: str = "load",
    commands: dict[str, list[str]] | None = None,
    **more: Any,
) -> ss.Workflow:
    steps = [
        ss.Step(step, target=flows.job((commands or {}).get(step)), needs=of) for step, of in needs.items()
    ]
    workflow = ss.Workflow(name, steps=steps, **more)
    flows.put(workflow)
    return workflow


def small_machine(flows: Flows, limit: int) -> str:
    """Starts an execution that hands over after fewer events."""
    machine = workflow_machine("jobs", runner_arn=flows.runner_arn, limit=limit)
    made = flows.states.create_state_machine(name="small", definition=machine.to_json(), roleArn=ROLE)
    given = json.dumps({"workflow": "load", "run": "one"})
    started = flows.states.start_execution(stateMachineArn=made["stateMachineArn"], input=given)
    arn: str = started["executionArn"]
    return arn


def submitted(flows: Flows) -> list[tuple[str, list[str]]]:
    """The jobs in the order of their submission, each with those that it depends on."""
    runs = flows.cloud.batch.runs_of(flows.account)
    names = {run.id: run.name.rpartition("-")[0] for run in runs}
    return [(names[run.id], [names[each] for each in run.depends_on]) for run in runs]


@pytest.mark.parametrize(
    "needs",
    [
        pytest.param(PM_LOAD, id="pm"),
        pytest.param(EDW_LOAD, id="edw", marks=pytest.mark.proof),
        pytest.param(dict(reversed(PM_LOAD.items())), id="reversed", marks=pytest.mark.proof),
    ],
)
def test_jobs_are_submitted_at_once_in_the_order_of_their_needs(
    flows: Flows, needs: dict[str, list[str]]
) -> None:
    graph(flows, needs, commands={name: shell("sleep 0.3") for name, of in needs.items() if not of})
    ended = flows.run("load")
    assert ended["output"] == {"workflow": "load", "run": ended["output"]["run"], "status": "succeeded"}
    jobs = dict(submitted(flows))
    assert jobs == needs
    places = list(jobs)
    assert all(places.index(need) < places.index(name) for name, of in needs.items() for need in of)
    run = flows.flow("load", ended["output"]["run"])
    assert (run["state"], run["restarts"], run["revision"]) == ("succeeded", "0", "0")
    steps = flows.steps("load", ended["output"]["run"])
    assert {step["state"] for step in steps.values()} == {"succeeded"}
    assert {name: json.loads(step["output"])["job_id"] for name, step in steps.items()} == {
        name: step["job_id"] for name, step in steps.items()
    }


def test_a_failed_job_fails_those_below_it_and_the_others_run(flows: Flows) -> None:
    graph(flows, EDW_LOAD, commands={"ConvertParquet": shell("exit 3")})
    ended = flows.run({"workflow": "load", "run": "one"})
    assert (ended["status"], ended["error"]) == ("FAILED", "Workflow FAILED")
    assert "ConvertParquet" in ended["cause"]
    steps = flows.steps("load", "one")
    assert flows.states_of("load", "one") == {
        "FTP": "succeeded",
        "Cleanse": "succeeded",
        "Aggregate": "succeeded",
        "ConvertParquet": "failed",
        "LoadRedshift": "upstream_failed",
    }
    failed, below = steps["ConvertParquet"], steps["LoadRedshift"]
    assert (failed["failure"], failed["failures"]) == ("job", "1")
    assert "exit code 3" in failed["error"]
    assert (below["caused_by"], below["reason"]) == ("ConvertParquet", "step 'ConvertParquet' failed")


def test_a_restart_runs_only_what_is_not_done(flows: Flows, tmp_path: Path) -> None:
    mended = tmp_path / "mended"
    graph(flows, PM_LOAD, commands={"job3": shell(f"test -e {mended} || exit 3")})
    assert flows.run({"workflow": "load", "run": "one"})["status"] == "FAILED"
    before = flows.steps("load", "one")
    mended.touch()
    ended = flows.run({"workflow": "load", "run": "one", "restart": True})
    assert ended["status"] == "SUCCEEDED"
    after = flows.steps("load", "one")
    again = {name for name in PM_LOAD if after[name]["attempts"] != before[name]["attempts"]}
    assert again <= {"job3", "job5"}
    assert flows.flow("load", "one")["restarts"] == "1"
    *_, (name, depends) = submitted(flows)
    assert (name, depends) == ("job5", ["job3"])  # those that are done are left out
    assert flows.cloud.batch.ran(flows.account).total() == 6


def test_a_skipped_step_counts_as_done_and_survives(flows: Flows) -> None:
    graph(flows, PM_LOAD, commands={"job3": shell("exit 3")})
    assert flows.run({"workflow": "load", "run": "one"})["status"] == "FAILED"
    flows.change_row("load", "one", "job3", state="skipped")
    ended = flows.run({"workflow": "load", "run": "one", "restart": True})
    assert ended["status"] == "SUCCEEDED"
    assert flows.states_of("load", "one") == {**dict.fromkeys(PM_LOAD, "succeeded"), "job3": "skipped"}


def test_a_finished_job_that_batch_has_forgotten_stays_finished(flows: Flows) -> None:
    graph(flows, PM_LOAD, commands={"job5": shell("exit 3")})
    assert flows.run({"workflow": "load", "run": "one"})["status"] == "FAILED"
    done = [step["job_id"] for name, step in flows.steps("load", "one").items() if name != "job5"]
    flows.cloud.batch.forget(flows.account, *done)
    flows.run({"workflow": "load", "run": "one", "restart": True})
    assert Counter(flows.states_of("load", "one").values()) == {"succeeded": 4, "failed": 1}


def test_the_first_failure_stops_the_run_if_asked(flows: Flows) -> None:
    needs: dict[str, list[str]] = {"bad": [], "slow": [], "after": ["slow"], "clean": ["slow", "bad"]}
    commands = {"bad": shell("exit 1"), "slow": shell("sleep 0.5")}
    steps = [
        ss.Step(
            name,
            target=flows.job(commands.get(name)),
            needs=of,
            when=ss.workflows.When.DONE if name == "clean" else ss.workflows.When.SUCCEEDED,
        )
        for name, of in needs.items()
    ]
    flows.put(ss.Workflow("load", steps=steps, on_failure="stop"))
    flows.run({"workflow": "load", "run": "one"})
    assert flows.states_of("load", "one") == {
        "bad": "failed",
        "slow": "succeeded",
        "after": "upstream_failed",
        "clean": "succeeded",
    }
    assert flows.steps("load", "one")["after"]["reason"] == "the run stops: step 'bad' failed"


def test_retries_count_failures_of_the_job_only(flows: Flows) -> None:
    retry = ss.Retry(max_attempts=1, interval=timedelta(seconds=10))
    bad = ss.Step("bad", target=flows.job(shell("exit 1")), retry=retry)
    flows.put(ss.Workflow("load", steps=[bad]))
    flows.run({"workflow": "load", "run": "one"})
    row = flows.steps("load", "one")["bad"]
    assert (row["state"], row["attempts"], row["failures"], row["losses"]) == ("failed", "2", "2", "0")


def test_a_job_that_the_platform_takes_away_is_repeated_apart(flows: Flows) -> None:
    reason = "Host EC2 (instance i-0123456789abcdef0) terminated."
    gone = ss.Step("gone", target=flows.job(STEPSCHED_TEST_REASON=reason))
    flows.put(ss.Workflow("load", steps=[gone]))
    flows.run({"workflow": "load", "run": "one"})
    row = flows.steps("load", "one")["gone"]
    assert (row["state"], row["attempts"], row["failures"], row["losses"]) == ("failed", "4", "0", "4")
    assert row["failure"] == "platform"


def test_outputs_and_the_input_of_the_run_fill_the_inputs(flows: Flows) -> None:
    inbox = flows.queue("inbox")
    of = ss.workflows.input_of
    first = ss.Step("first", target=flows.job())
    given: dict[str, Any] = {
        "job": first.output("job_id"),
        "whole": first.output(),
        "of": of("a", 1),
        "text": "{% 1 %} ' \" \\",
    }
    second = ss.Step("second", target=inbox, needs=[first], input=given)
    third = ss.Step("third", target=inbox, needs=[second], input=second.output("MessageId"))
    flows.put(ss.Workflow("mixed", steps=[third, second, first]))
    ended = flows.run({"workflow": "mixed", "run": "one", "input": {"a": [1, ["\"'{% $x %}"]]}})
    assert ended["status"] == "SUCCEEDED"
    steps = flows.steps("mixed", "one")
    body, second_id = sorted(flows.received("inbox"), key=len, reverse=True)
    job_id = steps["first"]["job_id"]
    assert json.loads(body) == {
        "job": job_id,
        "whole": {"job_id": job_id},
        "of": ["\"'{% $x %}"],
        "text": given["text"],
    }
    assert second_id == json.loads(steps["second"]["output"])["MessageId"]


def test_the_largest_input_runs_and_a_larger_one_is_refused(flows: Flows) -> None:
    flows.put(
        ss.Workflow(
            "mixed", steps=[ss.Step("a", target=flows.queue("inbox"), input=ss.workflows.input_of("n"))]
        )
    )
    largest = {"n": 1, "more": '"' * ((MAX_INPUT - len('{"n":1,"more":""}')) // 2)}
    assert flows.run({"workflow": "mixed", "run": "one", "input": largest})["status"] == "SUCCEEDED"
    assert flows.received("inbox") == ["1"]
    for text in ('"' * (MAX_INPUT // 2), "\u00e9" * (MAX_INPUT // 2)):
        ended = flows.run({"workflow": "mixed", "run": "two", "input": text})
        assert (ended["error"], "100,000 bytes" in ended["cause"]) == ("Workflow.InputTooLarge", True)
    assert len(flows.rows("workflow#mixed#two")) == 0


def test_functions_topics_and_jobs_are_steps_of_one_run(flows: Flows) -> None:
    """With outputs from each to the next."""
    job = ss.Step("job", target=flows.job())
    function = ss.Step(
        "function", target=flows.function("ask"), needs=[job], input={"of": job.output("job_id")}
    )
    topic = ss.Step("topic", target=flows.topic("told"), needs=[function], input=function.output())
    queue = ss.Step("queue", target=flows.queue("inbox"), needs=[topic], input=topic.output("MessageId"))
    flows.put(ss.Workflow("mixed", steps=[queue, topic, function, job]))
    ended = flows.run({"workflow": "mixed", "run": "one"})
    assert (ended["status"], set(flows.states_of("mixed", "one").values())) == ("SUCCEEDED", {"succeeded"})
    steps = flows.steps("mixed", "one")
    answer = json.loads(steps["function"]["output"])
    assert answer == {"got": {"of": steps["job"]["job_id"]}}
    (told,) = map(json.loads, flows.received("told"))
    assert json.loads(told["Message"]) == answer
    assert (
        flows.received("inbox") == [told["MessageId"]] == [json.loads(steps["topic"]["output"])["MessageId"]]
    )


def test_a_missing_part_of_an_output_fails_the_step_before_it_starts(flows: Flows) -> None:
    inbox = flows.queue("inbox")
    first = ss.Step("first", target=inbox)
    second = ss.Step("second", target=inbox, needs=[first], input={"x": first.output("nothing")})
    flows.put(ss.Workflow("mixed", steps=[first, second]))
    flows.run({"workflow": "mixed", "run": "one"})
    row = flows.steps("mixed", "one")["second"]
    assert (row["state"], row["failure"]) == ("failed", "job")
    assert row["error"] == "there is no [\"nothing\"] of the output of step 'first'"
    assert len(flows.received("inbox")) == 1


def test_conditions_decide_by_outputs(flows: Flows) -> None:
    first = ss.Step("first", target=flows.job())
    met = ss.workflows.Condition(step="first", path=("job_id",), operator="!=", value="x")
    steps = [
        first,
        ss.Step("yes", target=flows.job(), needs=[first], when=met),
        ss.Step("no", target=flows.job(), needs=[first], when=met.replace(operator="==")),
        ss.Step("below", target=flows.job(), needs=["no"]),
    ]
    flows.put(ss.Workflow("load", steps=steps))
    assert flows.run({"workflow": "load", "run": "one"})["status"] == "SUCCEEDED"
    assert flows.states_of("load", "one") == {
        "first": "succeeded",
        "yes": "succeeded",
        "no": "unmet",
        "below": "unmet",
    }


def test_unknown_workflows_and_runs_fail(flows: Flows) -> None:
    graph(flows, PM_LOAD)
    for message in ({"workflow": "other"}, {"workflow": "load", "run": "a#b"}, {}):
        assert flows.run(message)["error"] == "Workflow.NotFound"
    for known in (
        {"scheduleId": "other", "startDateTime": " ", "scheduleStatus": " "},
        {"scheduleId": "load", "startDateTime": "2018-09-24T22:01:52.337998", "scheduleStatus": "RESTART"},
    ):
        for message in (known, {"input": json.dumps(known), "name": "x", "stateMachineArn": "y"}):
            ended = flows.run(message)
            assert (ended["error"], ended["cause"]) == (
                "Batch Schedule FAILED",
                "Error: schedule record not found",
            )


def test_the_texts_of_the_batch_scheduler_are_sent(flows: Flows) -> None:
    topic = flows.topic("told")
    more: dict[str, Any] = {"notify": topic, "notification": "batch-scheduler", "title": "Daily Load"}
    graph(flows, EDW_LOAD, commands={"LoadRedshift": shell("exit 3")}, **more)
    ended = flows.run({"scheduleId": "load", "startDateTime": " ", "scheduleStatus": " "})
    assert (ended["error"], ended["cause"]) == ("Batch Schedule FAILED", "AWS Batch Schedule Failed")
    (told,) = map(json.loads, flows.received("told"))
    run = next(row for row in flows.rows("workflow#load") if row["version"].startswith("flow#"))
    where = f"[ Schedule ID: load  Name: Daily Load which started: {run['version'][5:]}"
    assert told["Subject"] == "Batch schedule: load FAILED"
    assert json.loads(told["Message"]).startswith(
        f"So sorry, your batch schedule: {where}  just finished.  Status: FAILED.  If you want"
    )


def test_a_topic_is_told_the_end(flows: Flows) -> None:
    graph(flows, PM_LOAD, notify=flows.topic("told"))
    flows.run({"workflow": "load", "run": "one"})
    (told,) = map(json.loads, flows.received("told"))
    message = json.loads(told["Message"])
    assert (message["workflow"], message["run"], message["status"]) == ("load", "one", "succeeded")
    assert message["failed"] == []


@pytest.mark.parametrize("restart", [False, True])
def test_an_end_that_was_not_told_is_told_by_the_next_driver(flows: Flows, restart: bool) -> None:
    """Between the record of the end and the notification an execution may be stopped."""
    graph(flows, {"a": [], "b": ["a"]}, commands={"b": shell("exit 3")}, notify=flows.topic("told"))
    flows.run({"workflow": "load", "run": "one"})
    assert flows.flow("load", "one")["notice"] == "sent"
    first = flows.received("told")
    flows.change_run("load", "one", notice="due")  # as if it was stopped before
    assert flows.run({"workflow": "load", "run": "one", "restart": restart})["error"] == "Workflow FAILED"
    ends = flows.received("told")
    assert json.loads(ends[0])["Message"] == json.loads(first[0])["Message"]
    assert (len(first), len(ends)) == (1, 1 + restart)
    assert flows.flow("load", "one")["restarts"] == str(int(restart))
    flows.run({"workflow": "load", "run": "one"})
    assert flows.received("told") == []


def test_a_success_that_was_not_told_is_told_when_its_job_tries_again(flows: Flows) -> None:
    graph(flows, {"a": []}, notify=flows.topic("told"))
    flows.run({"workflow": "load", "run": "one"})
    flows.change_run("load", "one", notice="due")
    assert flows.run({"workflow": "load", "run": "one", "restart": True})["status"] == "SUCCEEDED"
    assert len(flows.received("told")) == 2
    assert flows.cloud.batch.submitted(flows.account).total() == 1


@pytest.mark.parametrize("state", ["Record end", "Tell", "Told"])
def test_a_driver_that_is_stopped_while_it_ends_leaves_nobody_untold(flows: Flows, state: str) -> None:
    graph(flows, {"a": []}, notify=flows.topic("told"))
    flows.stop_at(flows.begin({"workflow": "load", "run": "one"}), state)
    flows.run({"workflow": "load", "run": "one"})
    assert flows.flow("load", "one")["notice"] == "sent"
    assert 1 <= len(flows.received("told")) <= 2


def test_a_driver_that_is_stopped_is_replaced_without_a_second_attempt(flows: Flows, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    needs = {"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c"]}
    graph(flows, needs, commands={"a": when(gate)})
    for _ in range(4):
        arn = flows.begin({"workflow": "load", "run": "one"})
        flows.until_entered(arn, "Wait")
        flows.states.stop_execution(executionArn=arn)
    gate.touch()
    assert flows.run({"workflow": "load", "run": "one"})["status"] == "SUCCEEDED"
    assert flows.cloud.batch.submitted(flows.account).total() == 4


def test_two_drivers_run_each_step_once(flows: Flows, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    graph(flows, {"a": [], "b": ["a"]}, commands={"a": when(gate)})
    first = flows.begin({"workflow": "load", "run": "one"})
    flows.until_entered(first, "Wait")
    second = flows.begin({"workflow": "load", "run": "one"})
    flows.until_entered(first, "Await")
    gate.touch()
    assert flows.end_of(second)["output"]["status"] == "succeeded"
    assert flows.end_of(first)["output"]["status"] == "succeeded"
    assert flows.cloud.batch.submitted(flows.account).total() == 2


@pytest.mark.proof
def test_more_steps_than_a_transaction_holds(flows: Flows) -> None:
    """Those below a failed step are left out, pending again, and left out again."""
    needs = {"first": [], **{f"s{n}": ["first"] if n % 2 else [f"s{n - 1}"] for n in range(1, 130)}}
    queue = flows.queue("inbox")
    bad = ss.QueueTarget(queue.queue_arn.replace("inbox", "nowhere"))
    steps = [ss.Step(name, target=queue if of else bad, needs=of) for name, of in needs.items()]
    flows.put(ss.Workflow("load", steps=steps))
    expected = {name: "upstream_failed" if of else "failed" for name, of in needs.items()}
    for restarts in ("0", "1"):
        flows.run({"workflow": "load", "run": "one", "restart": restarts == "1"})
        assert flows.states_of("load", "one") == expected
        assert flows.flow("load", "one")["restarts"] == restarts
    assert {row["caused_by"] for row in flows.steps("load", "one").values() if "caused_by" in row} == {
        "first"
    }
    assert flows.received("inbox") == []


# -- interruptions ------------------------------------------------------------------------------------------


def some(*states: str, gate: str) -> list[Any]:
    """The states as parameters, of which the gate runs one."""
    return [pytest.param(each, marks=[pytest.mark.proof] * (each != gate)) for each in states]


@pytest.mark.parametrize(
    "state",
    some("Claim job", "Submit", "Record job", "Decide", "Write", "Jobs", "Mark steps", gate="Submit"),
)
def test_a_driver_that_is_stopped_at_a_state_is_replaced(flows: Flows, state: str) -> None:
    graph(flows, {"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c"]})
    for _ in range(3):
        arn = flows.begin({"workflow": "load", "run": "one"})
        flows.stop_at(arn, state)
    ended = flows.run({"workflow": "load", "run": "one"})
    assert ended["status"] == "SUCCEEDED"
    assert flows.states_of("load", "one") == dict.fromkeys("abcd", "succeeded")
    assert flows.cloud.batch.submitted(flows.account).total() == 4
    assert {step["attempts"] for step in flows.steps("load", "one").values()} == {"1"}


@pytest.mark.parametrize(
    "state", some("Claim run", "Start run", "Runs", "Read outcome", "Write", gate="Start run")
)
def test_a_driver_of_runs_that_is_stopped_at_a_state_is_replaced(flows: Flows, state: str) -> None:
    inbox = flows.queue("inbox")
    steps = [ss.Step("a", target=inbox, input="a"), ss.Step("b", target=inbox, input="b", needs=["a"])]
    flows.put(ss.Workflow("load", steps=steps))
    for _ in range(3):
        arn = flows.begin({"workflow": "load", "run": "one"})
        flows.stop_at(arn, state)
    assert flows.run({"workflow": "load", "run": "one"})["status"] == "SUCCEEDED"
    assert sorted(flows.received("inbox")) == ["a", "b"]


def test_a_claim_without_a_job_is_submitted_once(flows: Flows) -> None:
    graph(flows, {"a": []})
    flows.put_run("load", "one")
    flows.put_row("workflow#load#one", "step#a", {"state": "running", "attempts": 1})
    assert flows.run({"workflow": "load", "run": "one"})["status"] == "SUCCEEDED"
    assert flows.steps("load", "one")["a"]["attempts"] == "1"


@pytest.mark.parametrize("done", [True, pytest.param(False, marks=pytest.mark.proof)])
def test_an_answer_that_is_lost_submits_no_second_job(flows: Flows, done: bool) -> None:
    graph(flows, {"a": [], "b": ["a"]})
    flows.cloud.batch.refuse(flows.account, "SubmitJob", times=2, done=done)
    assert flows.run({"workflow": "load", "run": "one"})["status"] == "SUCCEEDED"
    assert flows.cloud.batch.ran(flows.account).total() == 2


def test_a_job_that_batch_refuses_fails_its_step(flows: Flows) -> None:
    bad = ss.BatchTarget("unknown-definition", job_queue=flows.place.queue)
    flows.put(
        ss.Workflow("load", steps=[ss.Step("a", target=bad), ss.Step("b", target=flows.job(), needs=["a"])])
    )
    flows.run({"workflow": "load", "run": "one"})
    row = flows.steps("load", "one")["a"]
    assert (row["state"], row["failure"]) == ("failed", "job")
    assert "AWS Batch refuses the job" in row["error"]


def test_a_change_by_an_operator_counts(flows: Flows, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    graph(flows, {"a": [], "b": ["a"], "c": ["b"]}, commands={"a": when(gate)})
    arn = flows.begin({"workflow": "load", "run": "one"})
    flows.until_entered(arn, "Wait")
    flows.change_row("load", "one", "a", state="skipped")
    flows.change_run("load", "one", revision=1)
    job_id = flows.steps("load", "one")["a"]["job_id"]
    flows.aws("batch").terminate_job(jobId=job_id, reason="skipped")  # b fails with it, and is tried again
    assert flows.end_of(arn)["status"] == "SUCCEEDED"
    states = {"a": "skipped", "b": "succeeded", "c": "succeeded"}
    assert flows.states_of("load", "one") == states
    gate.touch()


def test_a_cancelled_run_ends_its_driver(flows: Flows, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    graph(flows, {"a": [], "b": ["a"]}, commands={"a": when(gate)})
    arn = flows.begin({"workflow": "load", "run": "one"})
    flows.until_entered(arn, "Wait")
    flows.change_run("load", "one", state="cancelled")
    ended = flows.end_of(arn)
    assert (ended["status"], ended["error"]) == ("FAILED", "Workflow CANCELLED")
    gate.touch()


def test_a_runner_that_is_stopped_stops_its_step(flows: Flows) -> None:
    slow = flows.waiting_machine()
    flows.put(ss.Workflow("load", steps=[ss.Step("a", target=slow)]))
    arn = flows.begin({"workflow": "load", "run": "one"})
    flows.until_entered(arn, "Execution")
    flows.states.stop_execution(executionArn=flows.steps("load", "one")["a"]["job_id"])
    assert flows.end_of(arn)["status"] == "FAILED"
    row = flows.steps("load", "one")["a"]
    assert (row["state"], row["failure"], row["attempts"]) == ("failed", "stopped", "1")


def test_an_execution_hands_over_before_its_history_is_full(flows: Flows) -> None:
    graph(flows, {f"s{n}": [f"s{n - 1}"] if n else [] for n in range(8)})
    limit = 150
    first = small_machine(flows, limit)
    arn = flows.states.describe_execution(executionArn=first)["stateMachineArn"]
    assert flows.end_of(first)["output"] == {"workflow": "load", "run": "one", "status": "succeeded"}
    assert flows.states_of("load", "one") == {f"s{n}": "succeeded" for n in range(8)}
    assert flows.cloud.batch.submitted(flows.account).total() == 8
    executions = flows.states.list_executions(stateMachineArn=arn)["executions"]
    assert len(executions) > 2
    assert all(flows.events(each["executionArn"]) < limit + 60 for each in executions)


def test_an_execution_that_handed_over_fails_as_its_run_does(flows: Flows) -> None:
    needs: dict[str, list[str]] = {f"s{n}": [f"s{n - 1}"] if n else [] for n in range(6)}
    graph(flows, needs, commands={"s5": shell("exit 3")})
    arn = small_machine(flows, limit=150)
    ended = flows.end_of(arn)
    assert "Hand over" in flows.entered(arn)
    assert (ended["status"], ended["error"], ended["cause"]) == ("FAILED", "Workflow FAILED", "load/one")


def test_a_successor_that_is_stopped_ends_the_execution_that_handed_over(
    flows: Flows, tmp_path: Path
) -> None:
    """The run goes on with the next execution, and nobody believes that it succeeded."""
    graph(flows, {"a": [], "b": ["a"]}, commands={"b": when(tmp_path / "gate")})
    arn = small_machine(flows, limit=150)
    flows.until_entered(arn, "Hand over")
    while (successor := flows.flow("load", "one")["token"]) == arn:
        pass
    flows.until_entered(successor, "Wait")
    flows.states.stop_execution(executionArn=successor)
    ended = flows.end_of(arn)
    assert (ended["status"], ended["error"]) == ("FAILED", "Workflow STOPPED")
    (tmp_path / "gate").touch()
    assert flows.run({"workflow": "load", "run": "one"})["status"] == "SUCCEEDED"
    assert flows.cloud.batch.submitted(flows.account).total() == 2


def test_a_replaced_driver_fails_as_its_run_does(flows: Flows, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    graph(flows, {"a": []}, commands={"a": when(gate, "exit 3")})
    first = flows.begin({"workflow": "load", "run": "one"})
    flows.until_entered(first, "Wait")
    second = flows.begin({"workflow": "load", "run": "one"})
    flows.until_entered(first, "Await")
    gate.touch()
    for arn in (first, second):
        assert flows.end_of(arn)["error"] == "Workflow FAILED"


def test_a_rendered_workflow_runs_without_a_stored_definition(flows: Flows) -> None:
    steps = [ss.Step("a", target=flows.job()), ss.Step("b", target=flows.job(), needs=["a"])]
    machine = ss.render_asl(ss.Workflow("nightly {% 1 %}", steps=steps), table_name="jobs")
    assert machine.check() == []
    arn = flows.states.create_state_machine(name="nightly", definition=machine.to_json(), roleArn=ROLE)
    started = flows.states.start_execution(stateMachineArn=arn["stateMachineArn"], input="{}")
    ended = flows.end_of(started["executionArn"])
    assert ended["output"]["status"] == "succeeded"
    assert flows.states_of("nightly {% 1 %}", ended["output"]["run"]) == {"a": "succeeded", "b": "succeeded"}
