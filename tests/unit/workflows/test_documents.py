"""The documents of the AWS Batch scheduler: definitions, records of runs, start messages, notifications."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import stepsched as ss
from stepsched.workflows import RestartAction, StepStatus, WorkflowRunStatus
from stepsched.workflows.documents import StartMessage, read_start
from stepsched.workflows.histories import notification, run_from_document, run_to_document
from stepsched.workflows.restarts import plan_restart

DATA = Path(__file__).resolve().parents[2] / "data" / "workflows"
DEFINITIONS = ("definition-evening-load", "definition-nightly-warehouse", "document-after-get-clean-start")
HISTORIES = ("history-failed", "history-running", "notification-input-succeeded")


def load(name: str) -> Any:
    return json.loads((DATA / f"{name}.json").read_text())


def inner(document: Any) -> Any:
    return document.get("output", document)


def document(**changes: Any) -> dict[str, Any]:
    """A definition of two jobs; a change of None leaves a key out."""
    job = {"jobDefinition": "d:1", "jobQueue": "q", "jobStatus": " ", "jobId": " "}
    made = {
        "scheduleId": "nightly",
        "scheduleStatus": " ",
        "wait_time": 60,
        "jobList": [
            {**job, "jobName": "a", "jobDependencies": []},
            {**job, "jobName": "b", "jobDependencies": ["a"]},
        ],
        **changes,
    }
    return {key: value for key, value in made.items() if value is not None}


def with_job(**changes: Any) -> dict[str, Any]:
    made = document()
    made["jobList"][0] = {k: v for k, v in {**made["jobList"][0], **changes}.items() if v is not None}
    return made


@pytest.mark.parametrize("name", DEFINITIONS)
def test_a_definition_is_written_as_it_was_read(name: str) -> None:
    assert ss.Workflow.from_document(load(name)).to_document() == inner(load(name))


def test_a_definition_has_everything_that_its_document_says() -> None:
    flow = ss.Workflow.from_document(load("definition-nightly-warehouse"))
    assert (flow.name, flow.title, flow.category) == (
        "nightly-warehouse",
        "Early load of the warehouse",
        "warehouse",
    )
    assert flow.wait_time == timedelta(seconds=60)
    assert flow.notify is not None
    assert flow.notify.topic_arn.startswith("arn:aws:sns:us-east-1:1112223334:")
    assert flow.notification == "batch-scheduler"
    assert dict(flow.needs) == {
        "Fetch": (),
        "Clean": ("Fetch",),
        "Convert": ("Fetch",),
        "Summarise": ("Fetch", "Clean"),
        "Load": ("Clean", "Convert", "Summarise"),
    }
    target = flow.steps[0].target
    assert isinstance(target, ss.BatchTarget)
    assert target.job_definition.endswith("job-definition/etl-step-1a2b3c4d5e6f708:1")


def test_a_list_in_any_order_runs_in_the_order_of_its_dependencies() -> None:
    reversed_list = load("definition-nightly-warehouse")
    reversed_list["jobList"].reverse()
    flow = ss.Workflow.from_document(reversed_list)
    assert flow.order == ("Fetch", "Convert", "Clean", "Summarise", "Load")
    assert flow.to_document() == reversed_list


def test_overrides_and_parameters_are_kept() -> None:
    overrides = {"command": ["run", "--all"], "environment": [{"name": "A", "value": "1"}], "memory": 512}
    made = with_job(containerOverrides=overrides, parameters={"table": "sales"})
    assert ss.Workflow.from_document(made).to_document() == made


def test_numbers_of_dynamodb_are_read_as_whole_numbers() -> None:
    made = with_job(containerOverrides={"memory": Decimal(512)})
    made["wait_time"] = Decimal(60)
    written = ss.Workflow.from_document(made).to_document()
    assert written == with_job(containerOverrides={"memory": 512})
    assert type(written["wait_time"]) is int


def test_what_the_scheduler_did_not_need_may_be_missing() -> None:
    made = document(scheduleStatus=None, wait_time=None)
    for job in made["jobList"]:
        del job["jobId"], job["jobStatus"]
    assert ss.Workflow.from_document(made).to_document() == document()


def test_a_document_without_an_id_takes_a_name() -> None:
    made = document(scheduleId=None)
    assert ss.Workflow.from_document(made, name="weekly").to_document() == document(scheduleId="weekly")
    with pytest.raises(
        ValueError, match=r"expected a text for scheduleId of the schedule.*missing; or pass name="
    ):
        ss.Workflow.from_document(made)


def job(name: str, *needs: str) -> dict[str, Any]:
    return {"jobName": name, "jobDefinition": "d", "jobQueue": "q", "jobDependencies": list(needs)}


BAD_DOCUMENTS = [
    pytest.param([], "expected a schedule document, got", id="list"),
    pytest.param({}, "expected a schedule document with jobList", id="empty"),
    pytest.param(document(jobList=[]), r"expected a list of jobs for jobList, got \[\]", id="no jobs"),
    pytest.param(
        document(jobList=["a"]), "expected a mapping as job 1 of jobList, got 'a'", id="text as job"
    ),
    pytest.param(
        document(owner="me"), "expected keys of the schedule in a document, got 'owner'", id="unknown key"
    ),
    pytest.param(
        with_job(jobDeps=[]), "keys of job 'a' .*got 'jobDeps'; use 'jobDependencies'", id="unknown job key"
    ),
    pytest.param(with_job(jobName=None), "expected a text for jobName of a job of jobList", id="no job name"),
    pytest.param(
        with_job(jobQueue=None), "expected a text for jobQueue of job 'a', it is missing", id="no queue"
    ),
    pytest.param(with_job(jobDefinition=" "), "for jobDefinition of job 'a', got ' '", id="blank definition"),
    pytest.param(
        with_job(jobDependencies=None), "list of names for jobDependencies of job 'a'", id="no list"
    ),
    pytest.param(with_job(jobDependencies="b"), r"got 'b'; use \[\] for none", id="text as list"),
    pytest.param(with_job(jobId={"id": "x"}), "as jobId of job 'a', got", id="wrong job id"),
    pytest.param(with_job(jobId={"jobId": " "}), "as jobId of job 'a', got ' '", id="blank job id in a map"),
    pytest.param(with_job(jobId=7), "as jobId of job 'a', got 7", id="number as job id"),
    pytest.param(
        with_job(parameters={"a": 1.5}), "whole numbers as a in parameters of job 'a', got 1.5", id="float"
    ),
    pytest.param(
        document(wait_time=60.5), "expected 1 to 86400 whole seconds for wait_time, got 60.5", id="wait"
    ),
    pytest.param(document(wait_time=True), "expected 1 to 86400 whole seconds", id="true as wait"),
    pytest.param(document(wait_time=10**30), "whole seconds for wait_time, got 1000", id="long wait"),
    pytest.param(document(wait_time="0"), "whole seconds for wait_time, got '0'", id="no wait"),
    pytest.param(
        document(wait_time=Decimal("0.5")), "whole seconds for wait_time, got Dec", id="part of a second"
    ),
    pytest.param(
        document(scheduleName=5), "expected a text for scheduleName of the schedule, got 5", id="name"
    ),
    pytest.param(document(jobList=[job("a", "x")]), "as needs of 'a', got 'x'", id="unknown dependency"),
    pytest.param(
        document(jobList=[job("a"), job("a")]), "distinct names of steps, got .*'a'", id="duplicate"
    ),
    pytest.param(
        document(jobList=[job("a", "b"), job("b", "a")]), "without a cycle, got a needs b needs a", id="cycle"
    ),
    pytest.param(
        document(jobList=[*(job(f"j{n}") for n in range(21)), job("z", *(f"j{n}" for n in range(21)))]),
        "at most 20 needs of step 'z' on AWS Batch, got 21",
        id="21 dependencies",
    ),
]


@pytest.mark.parametrize(("given", "message"), BAD_DOCUMENTS)
def test_a_wrong_document_is_refused_with_its_place(given: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ss.Workflow.from_document(given)


BATCH = ss.BatchTarget("d", job_queue="q")
UNSAYABLE = [
    pytest.param(
        ss.Step("a", target=ss.CommandTarget(["true"])), {}, "a CommandTarget in step 'a'", id="target"
    ),
    pytest.param(
        ss.Step("a", target=BATCH, input={"x": 1}), {}, "an input, a retry or a timeout", id="input"
    ),
    pytest.param(ss.Step("a", target=BATCH, when="done"), {}, "when or job_name in step 'a'", id="when"),
    pytest.param(ss.Step("a", target=BATCH), {"on_failure": "stop"}, "got on_failure=stop", id="policy"),
    pytest.param(
        ss.Step("a", target=BATCH), {"input": {"x": 1}}, "an input or a description", id="run input"
    ),
    pytest.param(
        ss.Step("a", target=BATCH),
        {"notify": ss.TopicTarget("arn:aws:sns:eu-west-1:111122223333:t")},
        "use notification='batch-scheduler'",
        id="notification",
    ),
]


@pytest.mark.parametrize(("step", "more", "message"), UNSAYABLE)
def test_what_a_document_cannot_say_is_refused_and_not_left_out(
    step: ss.Step, more: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        ss.Workflow("w", steps=[step], **more).to_document()


# records of runs


@pytest.mark.parametrize("name", HISTORIES)
def test_a_record_of_a_run_is_written_as_it_was_read(name: str) -> None:
    flow = ss.Workflow.from_document(load(name))
    assert run_to_document(flow, run_from_document(load(name))) == inner(load(name))


def test_a_record_is_a_run_with_its_start_as_id() -> None:
    run = run_from_document(load("history-failed"), version=3)
    assert (run.workflow, run.id, run.version) == ("morning-load", "2021-03-22T19:55:26.244831", 3)
    assert run.status is WorkflowRunStatus.FAILED
    assert run.started_at == datetime(2021, 3, 22, 19, 55, 26, 244831, timezone.utc)
    assert run.ended_at == datetime(2021, 3, 22, 19, 57, 28, 135164, timezone.utc)
    assert [str(step.status) for step in run.steps] == [
        "succeeded",
        "succeeded",
        "failed",
        "succeeded",
        "failed",
    ]
    assert run.steps[2].job_id == "88ced7c7-fe5c-56fd-8045-f558fbce8c2c"


def test_jobs_that_have_not_ended_are_running_with_their_word_as_detail() -> None:
    run = run_from_document(load("history-running"))
    assert run.status is WorkflowRunStatus.RUNNING
    assert run.ended_at is None
    assert {step.status for step in run.steps} == {StepStatus.RUNNING}
    assert [step.detail for step in run.steps] == ["RUNNABLE", *["PENDING"] * 4]


def test_skip_of_old_documents_is_pass() -> None:
    given = load("history-succeeded")
    run = run_from_document(given)
    assert run.by_name["Clean"].status is StepStatus.SKIPPED
    written = run_to_document(ss.Workflow.from_document(given), run)
    inner(given)["jobList"][1]["jobStatus"] = "PASS"
    assert written == inner(given)


def test_a_job_that_the_run_did_not_have_is_not_submitted() -> None:
    given = load("history-failed")
    run = run_from_document(given)
    inner(given)["jobList"].append(job("job6", "job5"))
    written: Any = run_to_document(ss.Workflow.from_document(given), run)["jobList"]
    assert written[5] == {**job("job6", "job5"), "jobStatus": " ", "jobId": " "}


def test_a_forgotten_job_and_a_message_survive_the_way_there_and_back() -> None:
    given = load("history-failed")
    given["jobList"][2]["jobStatus"] = "NOTFOUND"
    given["jobList"][4].update(jobStatus=" ", jobId=" ")
    given["scheduleMessage"] = "Error: throttled"
    run = run_from_document(given)
    assert run.error == "Error: throttled"
    assert run.by_name["job3"].error == "AWS Batch no longer knew the job"
    assert run.by_name["job5"].status is StepStatus.PENDING
    assert run_to_document(ss.Workflow.from_document(given), run) == given


BAD_RECORDS = [
    pytest.param(document(), "expected one of RUNNING, SUCCEEDED, FAILED as scheduleStatus", id="definition"),
    pytest.param(document(scheduleStatus="FAILED"), "for startDateTime of the run, got None", id="no start"),
    pytest.param(
        document(scheduleStatus="FAILED", startDateTime="yesterday"),
        "of the run, got 'yesterday'",
        id="start",
    ),
    pytest.param(
        {
            **with_job(jobStatus="DONE"),
            "scheduleStatus": "FAILED",
            "startDateTime": "2021-03-22T19:55:26.244831",
        },
        "as jobStatus of job 'a', got 'DONE'",
        id="word",
    ),
]


@pytest.mark.parametrize(("given", "message"), BAD_RECORDS)
def test_a_wrong_record_is_refused_with_its_place(given: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        run_from_document(given)


def test_a_restart_of_a_failed_record_resets_what_has_not_succeeded() -> None:
    given = load("history-failed")
    plan = plan_restart(ss.Workflow.from_document(given), run_from_document(given))
    assert plan.names(RestartAction.RUN) == ("job3", "job5")


def test_a_restart_after_pass_runs_only_what_waits_for_it() -> None:
    given = load("history-failed")
    given["jobList"][2]["jobStatus"] = "PASS"
    plan = plan_restart(ss.Workflow.from_document(given), run_from_document(given))
    assert plan.names(RestartAction.RUN) == ("job5",)
    assert plan.names(RestartAction.SKIP) == ("job3",)


def test_a_run_of_ours_is_written_with_the_words_of_the_scheduler() -> None:
    flow = ss.Workflow.from_document(document())
    run = run_from_document(
        {**document(), "scheduleStatus": "FAILED", "startDateTime": "2021-03-22T19:55:26.244831"}
    )
    run = run.model_copy(update={"id": "20210322T195526Z-k3f9", "status": WorkflowRunStatus.CANCELLED})
    a, b = run.steps
    run = run.with_steps(
        {
            "a": a.model_copy(
                update={"status": StepStatus.CANCELLED, "ended_at": run.started_at + timedelta(hours=1)}
            ),
            "b": b.model_copy(update={"status": StepStatus.UPSTREAM_FAILED}),
        }
    )
    written = run_to_document(flow, run)
    assert written["scheduleStatus"] == "FAILED"
    assert written["startDateTime"] == "2021-03-22T19:55:26.244831"
    assert written["lastDateTime"] == "2021-03-22T20:55:26.244831"
    jobs: Any = written["jobList"]
    assert [job["jobStatus"] for job in jobs] == ["FAILED", "FAILED"]


# start messages

CLEAN = StartMessage("morning-load", None, restart=False)


@pytest.mark.parametrize("name", ["start-input-clean", "api-start-message-clean"])
def test_a_clean_start_message_starts_a_new_run(name: str) -> None:
    assert read_start(load(name)) == CLEAN
    assert read_start(json.dumps(load(name))) == CLEAN


def test_a_restart_message_names_the_run() -> None:
    assert read_start(load("start-input-restart")) == StartMessage(
        "morning-load", "2021-03-24T22:01:52.378331", restart=True
    )
    assert read_start(load("api-start-message-restart")).run_id == "2021-03-07T04:20:00.205833"
    assert read_start({"input": load("start-input-restart")}).restart


BAD_MESSAGES = [
    pytest.param("{", "expected JSON as the message, got '{'", id="no JSON"),
    pytest.param({"input": "x"}, "expected JSON as input, got 'x'", id="no JSON inside"),
    pytest.param({}, "expected a start message with scheduleId", id="empty"),
    pytest.param([], "expected a start message with scheduleId", id="list"),
    pytest.param(
        {"scheduleId": "a", "force": 1}, "keys of the start message in a document, got 'force'", id="key"
    ),
    pytest.param(
        {"input": "{}", "force": 1}, "keys of the start message in a document, got 'force'", id="outer key"
    ),
    pytest.param({"scheduleId": " "}, "expected a text for scheduleId of the start message", id="blank"),
    pytest.param({"scheduleId": "a", "scheduleStatus": "GO"}, "expected a blank or RESTART", id="status"),
    pytest.param(
        {"scheduleId": "a", "scheduleStatus": "RESTART"}, "startDateTime of a RESTART, got ' '", id="start"
    ),
]


@pytest.mark.parametrize(("message", "refusal"), BAD_MESSAGES)
def test_any_other_message_is_refused(message: Any, refusal: str) -> None:
    with pytest.raises(ValueError, match=refusal):
        read_start(message)


# notifications

RUN = "[ Schedule ID: morning-load  Name: Early load of the warehouse which started: "


def test_the_notification_of_a_success_has_the_known_texts() -> None:
    given = load("notification-input-succeeded")
    sent = notification(ss.Workflow.from_document(given), run_from_document(given))
    assert sent["Subject"] == "Batch schedule: morning-load SUCCEEDED"
    assert sent["MessageStructure"] == "json"
    texts = {key: json.loads(text) for key, text in json.loads(sent["Message"]).items()}
    told = f"{RUN}2021-03-22T18:01:30.792197"
    finished = f"Hey, your batch schedule: {told}  just finished.  Status: SUCCEEDED"
    assert texts == {
        "default": finished,
        "email": finished,
        "sms": f"Job: {told}  complete. Status: SUCCEEDED",
    }


def test_the_notification_of_a_failure_says_how_to_restart() -> None:
    given = load("history-failed")
    sent = notification(ss.Workflow.from_document(given), run_from_document(given))
    assert sent["Subject"] == "Batch schedule: morning-load FAILED"
    texts = {key: json.loads(text) for key, text in json.loads(sent["Message"]).items()}
    told = f"{RUN}2021-03-22T19:55:26.244831"
    assert texts["default"] == (
        f"So sorry, your batch schedule: {told}  just finished.  Status: FAILED.  If you want to restart "
        "this failed job, you will need to copy the Schedule ID and Start Date/Time.  Instructions here:"
        " https://github.com/rjgleave/aws-batch-universal-scheduler"
    )
    assert texts["email"] == texts["default"]
    assert texts["sms"] == f"Job: {told}  complete. Status: FAILED"


def test_the_notification_in_json_names_the_failed_steps() -> None:
    given = load("history-failed")
    flow = ss.Workflow.from_document(given).replace(notification="json")
    sent = notification(flow, run_from_document(given))
    assert json.loads(sent["Message"]) == {
        "workflow": "morning-load",
        "run": "2021-03-22T19:55:26.244831",
        "status": "failed",
        "started_at": "2021-03-22T19:55:26.244831Z",
        "ended_at": "2021-03-22T19:57:28.135164Z",
        "failed": ["job3", "job5"],
    }
    assert "MessageStructure" not in sent


def test_a_subject_is_ascii_and_short() -> None:
    given = load("history-failed")
    flow = ss.Workflow.from_document(given, name="été " + "x" * 200)
    subject = notification(flow, run_from_document(given))["Subject"]
    assert subject.startswith("Batch schedule: ?t? xx")
    assert len(subject) == 99


def test_the_text_has_the_id_by_which_a_restart_finds_the_run() -> None:
    flow = ss.Workflow.from_document(load("history-failed"))
    run = run_from_document(load("history-failed")).model_copy(update={"id": "20300107T020000Z-k3f9"})
    text = json.loads(notification(flow, run)["Message"])["default"]
    assert "which started: 20300107T020000Z-k3f9  just" in text


def test_a_run_that_goes_on_has_no_notification() -> None:
    given = load("history-running")
    with pytest.raises(
        ValueError, match=r"expected a run that has ended, got 'morning-load/.*', which is running"
    ):
        notification(ss.Workflow.from_document(given), run_from_document(given))
