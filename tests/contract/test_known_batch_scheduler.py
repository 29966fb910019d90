"""What the AWS Batch scheduler does, from its documents to its notification, and where it breaks; a test for
each of its features, on an emulator of AWS whose Batch jobs are processes.

Users keep their documents, their start messages, their tables and their topic: nothing else is used here.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import stepsched as ss
from stepsched.workflows.histories import notification
from stepsched.workflows.machine import workflow_machine
from tests.contract.known_batch import CLEAN, PENDING, Known, job_of, needs_of
from tests.contract.workflow_runs import TABLE, Flows
from tests.parts.batch import shell, when
from tests.parts.batch_cloud import BatchCloud
from tests.parts.ministack import clients

pytestmark = pytest.mark.one_in(2)
ROOT = Path(__file__).parent.parent.parent
EVENING, NIGHTLY, MORNING = "definition-evening-load", "definition-nightly-warehouse", "history-failed"
START = "2021-03-22T19:55:26.244831"
"""The start of the failed run."""
ALL_DONE = dict.fromkeys(("job1", "job2", "job3", "job4", "job5"), "SUCCEEDED")


@pytest.fixture
def known(batch_cloud: BatchCloud, batch_account: str) -> Iterator[Known]:
    with clients(batch_cloud.ministack, batch_account) as client:
        known = Known(Flows(batch_cloud, batch_account, client))
        yield known
        known.backend.close()
        batch_cloud.batch.scale_timeouts(1)


# -- documents and their graph ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [EVENING, NIGHTLY])
def test_jobs_depend_on_one_another_as_the_document_says(known: Known, name: str) -> None:
    """All are submitted at once, in order, and AWS Batch holds them back: type SEQUENTIAL."""
    document = known.document(name)
    first = document["jobList"][0]
    first["containerOverrides"] = {"command": shell("sleep 0.5")}
    assert known.run(known.define(document))["status"] == "SUCCEEDED"
    assert known.submitted() == list(needs_of(document).items())
    calls = known.batch.calls_of(known.account, "SubmitJob")
    assert {need["type"] for call in calls for need in call.given.get("dependsOn", ())} == {"SEQUENTIAL"}
    assert set(known.words(document["scheduleId"]).values()) == {"SUCCEEDED"}


def test_a_dependency_may_be_listed_later(known: Known) -> None:
    """F1. The original submits it without an ID, and fails."""
    document = known.document(NIGHTLY)
    document["jobList"].reverse()
    assert known.run(known.define(document))["status"] == "SUCCEEDED"
    names = [name for name, _ in known.submitted()]
    assert all(
        names.index(need) < names.index(name) for name, of in needs_of(document).items() for need in of
    )


def test_overrides_and_parameters_reach_the_container(known: Known, tmp_path: Path) -> None:
    """The three variables of the container fetch-and-run, too."""
    seen = tmp_path / "seen"
    document = known.document(
        EVENING, {"job2": shell(f'echo "$BATCH_FILE_TYPE $BATCH_FILE_S3_URL" > {seen}')}
    )
    variables = {"BATCH_FILE_TYPE": "script", "BATCH_FILE_S3_URL": "s3://jobs/load.sh"}
    job = job_of(document, "job2")
    job["containerOverrides"]["environment"] = [{"name": key, "value": of} for key, of in variables.items()]
    job["parameters"] = {"day": "monday"}
    assert known.run(known.define(document))["status"] == "SUCCEEDED"
    assert seen.read_text() == "script s3://jobs/load.sh\n"
    second = known.batch.calls_of(known.account, "SubmitJob")[1].given
    assert second["parameters"] == {"day": "monday"}


def test_a_document_is_taken_over_and_given_back_as_it_was(known: Known) -> None:
    documents = [known.document(name) for name in (EVENING, NIGHTLY)]
    for document in documents:
        known.put_definition(document)
    assert known.take_over().workflows == ("evening-load", "nightly-warehouse")
    for document in documents:
        assert known.client.get(document["scheduleId"]).definition.to_document() == document


def test_a_wrapped_document_starts_clean(known: Known) -> None:
    """The document after its first step is the definition with its blanks."""
    document = known.document("document-after-get-clean-start")
    assert known.run(known.define(document))["status"] == "SUCCEEDED"
    assert known.words("morning-load") == ALL_DONE


@pytest.mark.parametrize("change", [{"scheduleStatus": "FAILED"}, {"scheduleStatus": "SUCCEEDED"}])
def test_a_definition_that_is_stored_with_a_status_starts(known: Known, change: dict[str, str]) -> None:
    """F8. The original never starts one that is stored FAILED."""
    assert known.run(known.define({**known.document(EVENING), **change}))["status"] == "SUCCEEDED"


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    "missing", ["wait_time", "scheduleSnsTopic", "scheduleName", "category", "scheduleStatus"]
)
def test_what_a_document_lacks_does_not_break_its_run(known: Known, missing: str) -> None:
    """F4, F11. The original fails after the jobs have succeeded."""
    document = known.document(NIGHTLY)
    del document[missing]
    assert known.run(known.define(document))["status"] == "SUCCEEDED"
    assert len(known.told()) == (missing != "scheduleSnsTopic")


BAD = {
    "an unknown dependency": ("Load", {"jobDependencies": ["Cleen"]}, "Cleen"),
    "a cycle": ("Fetch", {"jobDependencies": ["Load"]}, "cycle"),
    "a duplicate name": ("Clean", {"jobName": "Fetch"}, "Fetch"),
    "21 dependencies": ("Load", {"jobDependencies": [f"more{number}" for number in range(21)]}, "20"),
    "a fraction": ("Load", {"containerOverrides": {"memory": Decimal("1.5")}}, "whole"),
    "a job without a queue": ("Load", {"jobQueue": None}, "jobQueue"),
}


@pytest.mark.one_in(3)
@pytest.mark.parametrize(("job", "change", "says"), BAD.values(), ids=BAD)
def test_a_wrong_document_is_refused_before_its_first_submission(
    known: Known, job: str, change: dict[str, Any], says: str
) -> None:
    """F1, F11. The original drops unknown names in silence, and breaks in the midst of the others."""
    document = known.document(NIGHTLY)
    jobs = document["jobList"]
    jobs += [{**jobs[0], "jobName": f"more{number}"} for number in range(21)]
    job_of(document, job).update(change)
    known.put_definition(document)
    taken = known.take_over()
    (left,) = taken.left_out
    assert (left.name, taken.workflows) == ("nightly-warehouse", ())
    assert says in left.reason
    assert known.run("nightly-warehouse")["error"] == "Batch Schedule FAILED"
    assert known.submitted() == []


# -- starts -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["start-input-clean", "api-start-message-clean"])
def test_a_start_message_starts_a_run(known: Known, name: str) -> None:
    known.define(known.document("document-after-get-clean-start"))
    message = json.loads((ROOT / f"tests/data/workflows/{name}.json").read_text())
    assert known.run(message)["status"] == "SUCCEEDED"
    assert known.words("morning-load") == ALL_DONE


def test_the_message_of_the_api_starts_a_run_through_the_api(known: Known) -> None:
    """API Gateway calls StartExecution with the message, which has the input escaped."""
    known.define(known.document("document-after-get-clean-start"))
    message = json.loads((ROOT / "tests/data/workflows/api-start-message-clean.json").read_text())
    started = known.flows.states.start_execution(**message | {"stateMachineArn": known.flows.driver_arn})
    assert started["executionArn"].endswith(f":{message['name']}")
    assert known.flows.end_of(started["executionArn"])["status"] == "SUCCEEDED"


def test_a_run_is_recorded_with_its_start_as_its_key(known: Known) -> None:
    """A row for each run: the ID of the schedule, and the time of the start with microseconds."""
    schedule = known.define(known.document(EVENING))
    starts = [known.run(schedule)["output"]["run"] for _ in range(2)]
    records = [known.record(run) for run in known.client.runs(schedule)]
    assert [(each["scheduleId"], each["startDateTime"]) for each in records] == [
        (schedule, start) for start in starts
    ]
    assert all(len(start) == len(START) for start in starts)
    assert starts == sorted(set(starts))
    assert records[0].keys() == known.document(MORNING).keys() - {"scheduleSnsTopic"}
    assert (records[0]["wait_time"], records[0]["scheduleStatus"]) == ("60", "SUCCEEDED")


def test_an_unknown_schedule_fails(known: Known) -> None:
    for message in (
        {"scheduleId": "unknown", **CLEAN},
        {"input": json.dumps({"scheduleId": "unknown", **CLEAN})},
    ):
        ended = known.run(message)
        assert (ended["status"], ended["error"]) == ("FAILED", "Batch Schedule FAILED")
        assert ended["cause"] == "Error: schedule record not found"


def test_a_restart_of_an_unknown_run_fails(known: Known) -> None:
    """F7. The original breaks with a KeyError."""
    ended = known.restart(known.define(known.document(EVENING)), START)
    assert (ended["error"], ended["cause"]) == ("Batch Schedule FAILED", "Error: schedule record not found")
    assert known.submitted() == []


# -- status and end -----------------------------------------------------------------------------------------


def test_a_running_run_has_the_words_of_aws_batch(known: Known, tmp_path: Path) -> None:
    """RUNNING while no job has failed, and any has not succeeded."""
    schedule = known.define(known.document(EVENING, {"job1": when(tmp_path / "gate")}))
    arn = known.start(schedule)
    known.flows.until_entered(arn, "Jobs")
    run = known.client.status(schedule)
    known.until(lambda: known.words(run)["job5"] in PENDING)
    record = known.record(run)
    assert record["scheduleStatus"] == "RUNNING"
    assert {job["jobStatus"] for job in record["jobList"]} <= set(PENDING)
    assert all(job["jobId"]["jobId"] for job in record["jobList"])
    (tmp_path / "gate").touch()
    assert known.flows.end_of(arn)["status"] == "SUCCEEDED"


def test_a_failed_job_fails_the_run_and_the_others_are_finished(known: Known) -> None:
    """F5. The original fails at once, and leaves what runs without a record."""
    document = known.document(EVENING, {"job3": shell("exit 3"), "job2": shell("sleep 0.5")})
    ended = known.run(known.define(document))
    assert (ended["error"], ended["cause"]) == ("Batch Schedule FAILED", "AWS Batch Schedule Failed")
    assert known.words("evening-load") == {**ALL_DONE, "job3": "FAILED", "job5": "FAILED"}
    run = known.client.status("evening-load")
    assert run.by_name["job5"].caused_by == "job3"
    known.batch.settle(known.account)
    assert known.batch.ran(known.account).total() == 4


def test_a_run_may_stop_at_its_first_failure_and_awaits_what_runs(known: Known) -> None:
    """F5. The failure policy of the workflow says so."""
    document = known.document(EVENING, {"job3": shell("exit 3"), "job2": shell("sleep 0.5")})
    workflow = ss.Workflow.from_document(document).replace(on_failure="stop")
    known.client.put(workflow)
    assert known.run("evening-load")["error"] == "Batch Schedule FAILED"
    assert {step.name: step.status.value for step in known.client.status("evening-load").steps} == {
        **dict.fromkeys(("job1", "job2"), "succeeded"),
        "job3": "failed",
        **dict.fromkeys(("job4", "job5"), "upstream_failed"),
    }


def test_a_refused_submission_is_recorded_with_all_others(known: Known) -> None:
    """F2. The original ends in a NameError, and what it has submitted runs without a record."""
    document = known.document(EVENING)
    document["wait_time"] = 1  # it is repeated once, when the job that it depends on has ended
    job_of(document, "job3")["jobDefinition"] = known.flows.place.definition.replace("/jobs:", "/gone:")
    assert known.run(known.define(document))["error"] == "Batch Schedule FAILED"
    assert known.words("evening-load") == {**ALL_DONE, "job3": "FAILED", "job5": "FAILED"}
    run = known.client.status("evening-load")
    assert "AWS Batch refuses the job" in str(run.by_name["job3"].error)
    assert all(run.by_name[name].job_id for name in ("job1", "job2", "job4"))


def test_batch_repeats_a_job_by_its_definition(known: Known, tmp_path: Path) -> None:
    """Retries of the definition of the job are those of AWS Batch; the step has one attempt."""
    place = known.batch.make_place(known.account, name="again", retryStrategy={"attempts": 2})
    document = known.document(
        EVENING, {"job1": shell(f"test -e {tmp_path}/x || {{ touch {tmp_path}/x; exit 1; }}")}
    )
    job_of(document, "job1").update(jobDefinition=place.definition, jobQueue=place.queue)
    assert known.run(known.define(document))["status"] == "SUCCEEDED"
    assert known.client.status("evening-load").by_name["job1"].attempt == 1
    assert len(known.batch.runs_of(known.account)[0].attempts) == 2


@pytest.mark.parametrize("fails", [False, True])
def test_the_end_is_told_once_in_the_known_words(known: Known, fails: bool) -> None:
    document = known.document(NIGHTLY, {"Load": shell("exit 3")} if fails else {})
    known.run(known.define(document))
    (told,) = known.told()
    run = known.client.status("nightly-warehouse")
    word = "FAILED" if fails else "SUCCEEDED"
    assert told["Subject"] == f"Batch schedule: nightly-warehouse {word}"
    where = f"[ Schedule ID: nightly-warehouse  Name: {document['scheduleName']} which started: {run.id}"
    text = json.loads(told["Message"])
    if fails:
        assert text == (
            f"So sorry, your batch schedule: {where}  just finished.  Status: FAILED.  If you want to "
            "restart this failed job, you will need to copy the Schedule ID and Start Date/Time.  "
            "Instructions here: https://github.com/rjgleave/aws-batch-universal-scheduler"
        )
    else:
        assert text == f"Hey, your batch schedule: {where}  just finished.  Status: SUCCEEDED"
    other = notification(known.client.get("nightly-warehouse").definition, run)
    assert (json.loads(other["Message"])["default"], other["Subject"]) == (told["Message"], told["Subject"])


# -- RESTART and PASS ---------------------------------------------------------------------------------------


def test_a_restart_of_a_record_runs_only_what_has_failed(known: Known) -> None:
    """What has succeeded is no dependency any more, as AWS Batch may not know it (F6)."""
    known.put_record(known.document(MORNING))
    assert known.take_over().runs == (f"morning-load/{START}",)
    assert known.restart("morning-load", START)["status"] == "SUCCEEDED"
    assert known.submitted() == [("job3", []), ("job5", ["job3"])]
    record = known.record(f"morning-load/{START}")
    assert (record["scheduleStatus"], record["startDateTime"]) == ("SUCCEEDED", START)
    assert known.words(f"morning-load/{START}") == ALL_DONE
    before = known.document(MORNING)
    assert [job_of(record, name)["jobId"] for name in ("job1", "job2", "job4")] == [
        job_of(before, name)["jobId"] for name in ("job1", "job2", "job4")
    ]


def test_the_start_in_the_notification_restarts_the_run(known: Known, tmp_path: Path) -> None:
    """Its text says: copy the Schedule ID and the Start Date/Time."""
    mended = tmp_path / "mended"
    schedule = known.define(known.document(NIGHTLY, {"Convert": shell(f"test -e {mended}")}))
    assert known.run(schedule)["status"] == "FAILED"
    text = json.loads(known.told()[0]["Message"])
    start = text.partition("which started: ")[2].partition("  just finished")[0]
    mended.touch()
    message = {"scheduleId": schedule, "startDateTime": start, "scheduleStatus": "RESTART"}
    ended = known.run({"input": json.dumps(message), "name": "x", "stateMachineArn": known.flows.driver_arn})
    assert ended["output"] == {"workflow": schedule, "run": start, "status": "succeeded"}
    assert [name for name, _ in known.submitted()][-2:] == ["Convert", "Load"]
    assert [each["Subject"] for each in known.told()] == [f"Batch schedule: {schedule} SUCCEEDED"]


@pytest.mark.parametrize("word", ["PASS", "SKIP"])
def test_a_job_with_pass_in_the_record_counts_as_done(known: Known, word: str) -> None:
    """F3. The original overwrites it, and fails at the first poll."""
    record = known.document(MORNING)
    job_of(record, "job3")["jobStatus"] = word
    known.put_record(record)
    known.take_over()
    assert known.restart("morning-load", START)["status"] == "SUCCEEDED"
    assert known.submitted() == [("job5", [])]
    assert known.words(f"morning-load/{START}") == {**ALL_DONE, "job3": "PASS"}


def test_a_skip_of_a_run_that_was_taken_over_is_pass(known: Known) -> None:
    known.put_record(known.document(MORNING))
    known.take_over()
    known.client.skip(f"morning-load/{START}", "job3")
    assert known.words(f"morning-load/{START}")["job3"] == "PASS"
    assert known.restart("morning-load", START)["status"] == "SUCCEEDED"
    assert known.submitted() == [("job5", [])]
    assert known.words(f"morning-load/{START}") == {**ALL_DONE, "job3": "PASS"}


def test_a_record_that_lost_a_job_restarts(known: Known) -> None:
    """NOTFOUND is a failure; the job runs again."""
    record = known.document(MORNING)
    job_of(record, "job3")["jobStatus"] = "NOTFOUND"
    known.put_record(record)
    known.take_over()
    assert known.words(f"morning-load/{START}")["job3"] == "NOTFOUND"
    assert known.restart("morning-load", START)["status"] == "SUCCEEDED"
    assert known.submitted() == [("job3", []), ("job5", ["job3"])]


def test_a_restart_awaits_a_job_that_the_failed_record_left_running(known: Known, tmp_path: Path) -> None:
    """F5. The original runs it twice."""
    gate = tmp_path / "gate"
    left = known.flows.cloud.ministack.client("batch", known.account).submit_job(
        jobName="job2",
        jobQueue=known.flows.place.queue,
        jobDefinition=known.flows.place.definition,
        containerOverrides={"command": when(gate)},
    )
    record = known.document(MORNING)
    job_of(record, "job2").update(jobStatus="RUNNING", jobId={"jobId": left["jobId"]})
    job_of(record, "job4").update(jobStatus=" ", jobId=" ")
    known.put_record(record)
    known.take_over()
    message = {"scheduleId": "morning-load", "startDateTime": START, "scheduleStatus": "RESTART"}
    arn = known.start(message)
    known.until(lambda: known.words(f"morning-load/{START}")["job3"] == "SUCCEEDED")
    gate.touch()
    assert known.flows.end_of(arn)["status"] == "SUCCEEDED"
    assert sorted(name for name, _ in known.submitted()) == ["job2", "job3", "job4", "job5"]
    assert dict(known.submitted())["job4"] == ["job2"]  # by the ID that the record has


def test_a_finished_job_that_batch_has_forgotten_does_not_fail_the_restart(
    known: Known, tmp_path: Path
) -> None:
    """F6. The original looks at it again, and fails with NOTFOUND."""
    mended = tmp_path / "mended"
    schedule = known.define(known.document(EVENING, {"job5": shell(f"test -e {mended}")}))
    assert known.run(schedule)["status"] == "FAILED"
    run = known.client.status(schedule)
    done = [str(step.job_id) for step in run.steps if step.name != "job5"]
    known.batch.forget(known.account, *done)
    mended.touch()
    looked = len(known.batch.calls_of(known.account, "DescribeJobs"))
    assert known.restart(schedule, run.id)["status"] == "SUCCEEDED"
    calls = known.batch.calls_of(known.account, "DescribeJobs")[looked:]
    assert not set(done) & {each for call in calls for each in call.given["jobs"]}


# -- long runs, faults and doubles --------------------------------------------------------------------------


@pytest.fixture
def short(known: Known) -> Known:
    """With a machine that hands over after 200 events instead of 24,000."""
    arn = known.flows.driver_arn
    text = workflow_machine(TABLE, runner_arn=known.flows.runner_arn, limit=200).to_json()
    known.flows.states.update_state_machine(stateMachineArn=arn, definition=text)
    return known


def test_a_run_outlives_the_events_of_an_execution(short: Known, tmp_path: Path) -> None:
    """F9. The original fails after 25,000 events, that is 26 hours; here executions follow one another. A
    restart, and a second one, do so too."""
    known, tries = short, tmp_path / "tries"
    held = shell(
        f"n=$(cat {tries} 2>/dev/null || echo 0); echo $((n + 1)) > {tries}; "
        f"until test -e {tmp_path}/open$n; do sleep 0.05; done; test $n = 2"
    )
    schedule = known.define(known.document(EVENING, {"job1": held}))
    arn = known.start(schedule)
    run = None
    for number in range(3):
        known.until(_more_than(known, len(executions(known)) + (number == 0)))
        (tmp_path / f"open{number}").touch()
        known.until(lambda: known.client.status(schedule).status.has_ended)
        run = known.client.status(schedule)
        assert run.restarts == number
        if number < 2:
            assert run.status.value == "failed"
            message = {"scheduleId": schedule, "startDateTime": run.id, "scheduleStatus": "RESTART"}
            known.start(message)
            known.until(lambda: not known.client.status(schedule).status.has_ended)
    assert run is not None
    assert run.status.value == "succeeded"
    assert known.flows.end_of(arn)["error"] == "Batch Schedule FAILED"  # as the run that it has started
    assert known.batch.ran(known.account).total() == 3 + 4
    assert len(executions(known)) >= 7
    assert max(known.flows.events(each) for each in executions(known)) <= 200 + 100


def _more_than(known: Known, number: int) -> Callable[[], bool]:
    return lambda: len(executions(known)) > number


def test_a_fault_of_the_execution_leaves_a_run_that_goes_on(known: Known, tmp_path: Path) -> None:
    """F10. In the original it stays RUNNING for ever."""
    gate = tmp_path / "gate"
    schedule = known.define(known.document(EVENING, {"job1": when(gate)}))
    arn = known.start(schedule)
    known.flows.until_entered(arn, "Wait")
    known.flows.states.stop_execution(executionArn=arn)
    (repair,) = known.client.repair()
    assert repair.job == known.client.status(schedule).key
    gate.touch()
    known.until(lambda: known.client.status(schedule).status.has_ended)
    assert known.words(schedule) == ALL_DONE
    assert known.batch.submitted(known.account).total() == 5


def test_a_record_that_a_fault_left_running_can_be_restarted(known: Known) -> None:
    """F10. Its jobs may be gone: then they run again."""
    record = known.document("history-running")
    known.put_record(record)
    taken = known.take_over()  # it was last written long ago, so nothing runs it any more
    assert (taken.runs, taken.left_out) == ((f"morning-load/{record['startDateTime']}",), ())
    assert known.restart("morning-load", record["startDateTime"])["status"] == "SUCCEEDED"
    assert sorted(name for name, _ in known.submitted()) == sorted(ALL_DONE)
    assert known.words(f"morning-load/{record['startDateTime']}") == ALL_DONE


def test_a_restart_of_a_live_run_doubles_nothing(known: Known, tmp_path: Path) -> None:
    """F12. There is an overlap guard: the record of the run."""
    gate = tmp_path / "gate"
    schedule = known.define(known.document(EVENING, {"job1": when(gate)}))
    first = known.start(schedule)
    known.flows.until_entered(first, "Wait")
    run = known.client.status(schedule)
    second = known.start({"scheduleId": schedule, "startDateTime": run.id, "scheduleStatus": "RESTART"})
    known.flows.until_entered(first, "Await")
    gate.touch()
    assert [known.flows.end_of(arn)["status"] for arn in (first, second)] == ["SUCCEEDED", "SUCCEEDED"]
    assert known.batch.submitted(known.account).total() == 5


def test_a_run_is_cancelled_with_its_jobs(known: Known, tmp_path: Path) -> None:
    """F12."""
    schedule = known.define(known.document(EVENING, {"job1": when(tmp_path / "never")}))
    arn = known.start(schedule)
    known.flows.until_entered(arn, "Wait")
    known.client.cancel(schedule)
    ended = known.flows.end_of(arn)
    assert ended["status"] in {"FAILED", "ABORTED"}
    known.batch.settle(known.account)
    assert {run.status for run in known.batch.runs_of(known.account)} == {"FAILED"}
    assert known.record(schedule)["scheduleStatus"] == "FAILED"


def test_a_job_has_a_timeout(known: Known, tmp_path: Path) -> None:
    """F12."""
    known.batch.scale_timeouts(1 / 60)
    workflow = ss.Workflow.from_document(known.document(EVENING, {"job1": when(tmp_path / "never")}))
    slow, *others = workflow.steps
    known.client.put(workflow.replace(steps=[slow.replace(timeout=timedelta(seconds=60)), *others]))
    assert known.run("evening-load")["error"] == "Batch Schedule FAILED"
    step = known.client.status("evening-load").by_name["job1"]
    assert (step.status.value, step.failure) == ("failed", ss.workflows.FailureKind.JOB)


def test_one_call_asks_for_all_running_jobs(known: Known, tmp_path: Path) -> None:
    """F12. The original makes one call for each job; here one asks for up to 100."""
    gate = tmp_path / "gate"
    arn = known.start(known.define(known.document(NIGHTLY, {"Fetch": when(gate)})))
    known.flows.until_entered(arn, "Jobs")
    (first, *_) = known.batch.calls_of(known.account, "DescribeJobs")
    assert len(first.given["jobs"]) == 5
    gate.touch()
    assert known.flows.end_of(arn)["status"] == "SUCCEEDED"


# -- what other tests prove ---------------------------------------------------------------------------------

ELSEWHERE = {
    "a time trigger (F12)": "tests/contract/test_deploy_workflows_ministack.py::"
    "test_a_job_of_the_stack_runs_a_workflow_that_is_restarted_where_it_failed",
    "an overlap guard between runs of a schedule (F12)": "tests/contract/test_workflows_stepfunctions.py::"
    "test_a_job_runs_a_workflow_and_a_further_attempt_restarts_it_where_it_failed",
    "tables and machines by a template": "tests/contract/test_deploy_workflows_ministack.py::"
    "test_a_workflow_runs_in_the_stack_while_the_stack_changes_and_its_history_outlives_it",
    "the roles": "tests/contract/test_deploy_workflows_ministack.py::"
    "test_the_policy_of_a_client_allows_what_workflows_ask_and_nothing_else",
    "the three texts of a notification, each a JSON string": "tests/unit/workflows/test_documents.py::"
    "test_the_notification_of_a_success_has_the_known_texts",
    "records verbatim, wrapped, with both forms of jobId": "tests/unit/workflows/test_documents.py::"
    "test_a_record_of_a_run_is_written_as_it_was_read",
    "PENDING and RUNNABLE in a record": "tests/unit/workflows/test_documents.py::"
    "test_jobs_that_have_not_ended_are_running_with_their_word_as_detail",
    "keys of a document that are unknown": "tests/unit/workflows/test_documents.py::"
    "test_a_wrong_document_is_refused_with_its_place",
    "a fault at each state of the machine (F10)": "tests/contract/test_workflow_machine.py::"
    "test_a_driver_that_is_stopped_at_a_state_is_replaced",
    "a lost answer of SubmitJob (F2)": "tests/contract/test_workflow_machine.py::"
    "test_an_answer_that_is_lost_submits_no_second_job",
    "spot interruptions are repeated apart": "tests/contract/test_workflow_machine.py::"
    "test_a_job_that_the_platform_takes_away_is_repeated_apart",
    "retries of a step": "tests/contract/test_workflow_machine.py::"
    "test_retries_count_failures_of_the_job_only",
}


@pytest.mark.parametrize("where", ELSEWHERE.values(), ids=ELSEWHERE)
def test_what_is_proved_elsewhere_has_its_test(where: str) -> None:
    path, _, name = where.partition("::")
    tree = ast.parse((ROOT / path).read_text())
    assert name in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def executions(known: Known) -> list[str]:
    pages = known.flows.states.get_paginator("list_executions").paginate(
        stateMachineArn=known.flows.driver_arn
    )
    return [each["executionArn"] for page in pages for each in page["executions"]]
