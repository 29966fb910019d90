"""Plans of stacks, what they say, and what becomes of them, in every status that CloudFormation has."""

from __future__ import annotations

import io
import json
import pickle
import sys
from collections.abc import Callable
from functools import partial
from hashlib import sha256
from typing import Any
from zoneinfo import available_timezones

import pytest

import stepsched as ss
from stepsched.deploy import DeployedStack, ResourceChange, StackPlan, apply, destroy, discard, plan, template
from stepsched.errors import BackendError, ErrorCode
from tests.parts.cloud import ACCOUNT, REGION, FakeCloud, RefusedError
from tests.sessions import new_session

QUEUE = ss.QueueTarget(f"arn:aws:sqs:{REGION}:{ACCOUNT}:orders")
TOPIC = ss.TopicTarget(f"arn:aws:sns:{REGION}:{ACCOUNT}:news")
SMALL, LARGE = template([QUEUE]), template([QUEUE, TOPIC])


@pytest.fixture
def cloud() -> FakeCloud:
    return FakeCloud()


@pytest.fixture
def on(cloud: FakeCloud) -> dict[str, Any]:
    return {"session": cloud.session()}


def padded(size: int) -> dict[str, Any]:
    """The template, of a size in bytes."""
    made = {**SMALL, "Metadata": {"padding": ""}}
    missing = size - len(json.dumps(made, separators=(",", ":")).encode())
    return {**SMALL, "Metadata": {"padding": "x" * missing}}


# -- what a plan says ----------------------------------------------------------------------------------


def test_a_plan_of_a_new_stack_says_what_would_be_created(cloud: FakeCloud, on: Any) -> None:
    made = plan("jobs", SMALL, tags={"team": "finance"}, **on)
    assert str(made).splitlines() == [
        f"stack jobs in {REGION}, account {ACCOUNT}: a new stack",
        "+   Runner      StepFunctions StateMachine",
        "+   RunnerRole  IAM Role",
        "+   Table       DynamoDB Table",
        "permissions: CAPABILITY_IAM, for RunnerRole",
        "tags: team=finance",
        f"template: {made.template_size:,} bytes, in the request",
        "3 to create, 0 to change, 0 to replace, 0 to remove",
    ]
    assert made.is_new
    assert not made.is_empty
    (found,) = cloud.change_sets.values()
    assert found["given"]["Capabilities"] == ["CAPABILITY_IAM"]
    assert found["given"]["Tags"] == [{"Key": "team", "Value": "finance"}]
    assert StackPlan.model_validate_json(made.model_dump_json()) == made
    assert pickle.loads(pickle.dumps(made)) == made


def test_nothing_is_created_by_a_plan(cloud: FakeCloud, on: Any) -> None:
    made = plan("jobs", SMALL, **on)
    assert cloud.find("jobs").status == "REVIEW_IN_PROGRESS"
    assert cloud.tables == set()
    discard(made, **on)
    with pytest.raises(RefusedError):
        cloud.find("jobs")
    discard(made, **on)


def test_a_dropped_plan_leaves_other_plans_of_the_stack(cloud: FakeCloud, on: Any) -> None:
    first, second = plan("jobs", SMALL, **on), plan("jobs", LARGE, **on)
    discard(first, **on)
    assert list(cloud.change_sets) == [second.change_set_id]
    assert apply(second, **on).is_changed


def test_a_dropped_plan_leaves_a_stack_that_stands(cloud: FakeCloud, on: Any) -> None:
    cloud.add_stack("jobs", SMALL)
    discard(plan("jobs", LARGE, **on), **on)
    assert cloud.find("jobs").status == "CREATE_COMPLETE"
    assert cloud.change_sets == {}


def test_a_plan_says_which_properties_change(cloud: FakeCloud, on: Any) -> None:
    cloud.add_stack("jobs", SMALL)
    made = plan("jobs", LARGE, **on)
    assert str(made).splitlines()[1:3] == [
        "~   Runner      StepFunctions StateMachine  in place: Definition",
        "~   RunnerRole  IAM Role                    in place: Policies",
    ]
    assert str(made).endswith("0 to create, 2 to change, 0 to replace, 0 to remove")


def test_nothing_to_change_is_an_empty_plan_and_leaves_nothing_behind(cloud: FakeCloud, on: Any) -> None:
    cloud.add_stack("jobs", SMALL)
    plan("jobs", SMALL, **on)
    made = plan("jobs", SMALL, **on)
    assert made.is_empty
    assert str(made).splitlines()[1:] == ["nothing to change"]
    assert cloud.change_sets == {}
    done = apply(made, **on)
    assert not done.is_changed
    assert done.outputs["TableName"] == "jobs-Table-1A2B3C4D5E6F7"
    assert "cloudformation:ExecuteChangeSet" not in cloud.operations()
    discard(made, **on)


@pytest.mark.parametrize("value", [b"x", float("nan"), "\ud800", {1, 2}])
def test_a_template_that_is_not_json_is_refused(value: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="expected a template that is JSON, got one with"):
        plan("jobs", {"Resources": {"Table": {"Type": value}}})


@pytest.mark.parametrize(
    ("name", "change", "line", "warning"),
    [
        pytest.param(
            "Table",
            {"Replacement": "True", "PolicyAction": "ReplaceAndRetain"},
            "-/+ Table  DynamoDB Table  replaced by a new one: KeySchema",
            "Table: the table is replaced, and jobs and history are not moved; the old table is kept",
            id="table replaced",
        ),
        pytest.param(
            "Table",
            {"Replacement": "Conditional", "PolicyAction": "ReplaceAndDelete"},
            "~?  Table  DynamoDB Table  in place, or replaced by a new one: CloudFormation finds out when it "
            "does it: KeySchema",
            "Table: the table may be replaced, and jobs and history are not moved; the old table is deleted",
            id="table perhaps replaced",
        ),
        pytest.param(
            "Table",
            {"Action": "Remove", "PolicyAction": "Retain"},
            ">   Table  DynamoDB Table  leaves the stack and is kept: KeySchema",
            "Table: the table leaves the stack and is kept, with all jobs and their history",
            id="table released",
        ),
        pytest.param(
            "Table",
            {"Action": "Remove", "PolicyAction": "Delete"},
            "-   Table  DynamoDB Table  deleted: KeySchema",
            "Table: the table is deleted, with all jobs and their history",
            id="table removed",
        ),
        pytest.param(
            "Runner",
            {"Replacement": "True"},
            "-/+ Runner  StepFunctions StateMachine  replaced by a new one: KeySchema",
            "Runner: the state machine is replaced, and the executions of its jobs end with the old one; "
            "repair the jobs afterwards",
            id="machine replaced",
        ),
        pytest.param(
            "Runner",
            {"Action": "Remove"},
            "-   Runner  StepFunctions StateMachine  deleted: KeySchema",
            "Runner: the state machine is deleted, and no job of it runs any more",
            id="machine removed",
        ),
        pytest.param(
            "RunnerRole",
            {"Replacement": "True"},
            "-/+ RunnerRole  IAM Role  replaced by a new one: KeySchema",
            None,
            id="role replaced",
        ),
        pytest.param(
            "Table",
            {"Action": "Import"},
            "<   Table  DynamoDB Table  becomes part of the stack: KeySchema",
            None,
            id="imported",
        ),
    ],
)
def test_a_plan_warns_of_what_becomes_of_the_jobs(
    cloud: FakeCloud, on: Any, name: str, change: dict[str, str], line: str, warning: str | None
) -> None:
    cloud.add_stack("jobs", SMALL)
    details = [{"Target": {"Attribute": "Properties", "Name": "KeySchema"}}]
    kind = SMALL["Resources"][name]["Type"]
    found = {
        "Action": "Modify",
        "LogicalResourceId": name,
        "ResourceType": kind,
        "Details": details,
        **change,
    }
    cloud.edit = lambda _: [{"ResourceChange": found}]
    made = plan("jobs", LARGE, **on)
    lines = str(made).splitlines()
    assert lines[1] == line
    assert made.warnings() == (() if warning is None else (warning,))
    assert [each for each in lines if each.startswith("!")] == ([] if warning is None else [f"!   {warning}"])


def test_a_notebook_shows_the_plan_and_the_stack_as_tables(cloud: FakeCloud, on: Any) -> None:
    made = plan("jobs", SMALL, tags={"<b>": "&"}, **on)
    text = made._repr_html_()
    assert "<caption>stack jobs in" in text
    assert text.count("<tr") == 1 + 3
    assert text.count("<p>") == 4
    assert "&lt;b&gt;=&amp;" in text
    assert "<td" in apply(made, **on)._repr_html_()


def test_what_happens_to_a_resource_has_a_word_and_a_sign_in_a_notebook(cloud: FakeCloud, on: Any) -> None:
    cloud.add_stack("jobs", SMALL)
    table = plan("jobs", LARGE, tags={"password": "hunter2"}, **on)._shown_table()
    assert [(row[0].text, row[0].tone) for row in table.rows] == [("change", "busy")] * 2
    assert "tags: password=***" in table.notes


def test_a_single_change_shows_what_becomes_of_the_jobs() -> None:
    change = ResourceChange(action="remove", name="Table", type="AWS::DynamoDB::Table", physical_id="jobs")
    assert str(change).splitlines() == [
        "change       remove",
        "resource     Table",
        "type         DynamoDB Table",
        "what         deleted",
        "physical ID  jobs",
        "warning      Table: the table is deleted, with all jobs and their history",
    ]


def test_a_stack_that_is_ready_is_printed_with_its_outputs() -> None:
    ready = DeployedStack(
        name="jobs",
        stack_id=f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/jobs/1",
        status="UPDATE_COMPLETE",
        outputs={"TableName": "t", "Machine": "m"},
        is_changed=False,
    )
    assert str(ready).splitlines() == [
        f"stack jobs in {REGION} is ready, nothing was changed",
        "TableName  t",
        "Machine    m",
    ]


def test_changes_on_many_pages_are_read_by_a_plan(cloud: FakeCloud, on: Any) -> None:
    cloud.page_size = 2
    assert len(plan("jobs", SMALL, **on).changes) == 3


def test_a_plan_waits_until_cloudformation_has_made_it(cloud: FakeCloud, on: Any) -> None:
    cloud.looks = 2
    assert len(plan("jobs", SMALL, **on).changes) == 3


# -- the way of the template ---------------------------------------------------------------------------


def test_the_longest_template_that_fits_is_sent_in_the_request(cloud: FakeCloud, on: Any) -> None:
    made = plan("jobs", padded(51_200), **on)
    assert (made.template_size, made.template_url) == (51_200, None)
    assert not [each for each in cloud.operations() if each.startswith(("s3:", "sts:"))]


def test_a_longer_one_travels_through_the_bucket_of_the_account(cloud: FakeCloud, on: Any) -> None:
    long = padded(51_201)
    plan("jobs", long, **on)
    made = plan("jobs", long, **on)
    text = json.dumps(long, separators=(",", ":"), ensure_ascii=False)
    key = f"stepsched-{ACCOUNT}-{REGION}/{sha256(text.encode()).hexdigest()}.json"
    assert cloud.bodies == {key: text}
    assert made.template_url == f"https://s3.{REGION}.amazonaws.com/{key}"
    assert f"template: 51,201 bytes, through {made.template_url}" in str(made)
    calls = [(operation, given) for service, operation, given in cloud.calls if service == "s3"]
    assert [operation for operation, _ in calls] == [
        *("HeadBucket", "CreateBucket", "PutPublicAccessBlock", "PutBucketEncryption"),
        *("PutObject", "HeadBucket", "PutObject"),
    ]
    assert all(given["ExpectedBucketOwner"] == ACCOUNT for name, given in calls if name != "CreateBucket")
    made_with = dict(calls[:5])
    assert made_with["CreateBucket"]["CreateBucketConfiguration"] == {"LocationConstraint": REGION}
    closed = made_with["PutPublicAccessBlock"]["PublicAccessBlockConfiguration"]
    assert set(closed.values()) == {True}
    assert len(closed) == 4
    (rule,) = made_with["PutBucketEncryption"]["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"


def test_a_given_bucket_is_used_for_every_template(cloud: FakeCloud, on: Any) -> None:
    cloud.buckets["ours"] = ACCOUNT
    assert "/ours/" in str(plan("jobs", SMALL, bucket="ours", **on).template_url)
    assert "s3:CreateBucket" not in cloud.operations()


@pytest.mark.parametrize(
    ("buckets", "given", "code", "words"),
    [
        pytest.param({}, "ours", "NO_BUCKET", "there is no bucket 'ours'", id="absent"),
        pytest.param({"ours": "0" * 12}, "ours", "403", "belongs to another account", id="foreign"),
        pytest.param(
            {f"stepsched-{ACCOUNT}-{REGION}": "0" * 12}, None, "403", "use bucket=", id="default is foreign"
        ),
    ],
)
def test_a_bucket_of_others_is_not_written_to(
    cloud: FakeCloud, on: Any, buckets: dict[str, str], given: str | None, code: str, words: str
) -> None:
    cloud.buckets |= buckets
    with pytest.raises(BackendError, match=words) as info:
        plan("jobs", padded(51_201), bucket=given, **on)
    assert info.value.code == code
    assert cloud.bodies == {}
    assert cloud.stacks == {}


# -- what is refused -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param({"name": "a_b"}, "expected the name of a stack", id="name"),
        pytest.param({"name": "a" * 81}, "1 to 80 characters", id="long name"),
        pytest.param({"name": 7}, "expected the name of a stack", id="no text"),
        pytest.param({"template": "{}"}, "expected template to be a dict", id="text"),
        pytest.param({"template": {}}, "without; use stepsched.deploy.template", id="empty"),
        pytest.param({"template": {"Resources": {}}}, "without; use", id="no resources"),
        pytest.param(
            {"template": padded(1_000_001)}, "at most 1,000,000 bytes, got 1,000,001", id="too long"
        ),
        pytest.param({"bucket": "A"}, "expected bucket to be a name", id="bucket"),
        pytest.param({"tags": ["a"]}, "expected tags to be a dict", id="tags"),
        pytest.param({"tags": {"a": 1}}, "expected tags to be a dict", id="tag"),
        pytest.param({"session": 1}, "expected a boto3.Session", id="session"),
        pytest.param({"endpoint_url": "x"}, "expected endpoint_url", id="endpoint"),
    ],
)
def test_a_plan_refuses_malformed_arguments_before_any_call(
    cloud: FakeCloud, on: Any, arguments: dict[str, Any], words: str
) -> None:
    given = {"name": "jobs", "template": SMALL, **on, **arguments}
    with pytest.raises((ValueError, TypeError), match=words):
        plan(given.pop("name"), given.pop("template"), **given)
    assert cloud.calls == []


@pytest.mark.parametrize("verb", [apply, discard])
def test_only_a_plan_can_be_applied_and_dropped(verb: Callable[[Any], object]) -> None:
    with pytest.raises(TypeError, match=r"expected a StackPlan, got 'jobs'; use stepsched.deploy.plan"):
        verb("jobs")


def test_progress_is_a_choice_or_a_function(cloud: FakeCloud, on: Any) -> None:
    made = plan("jobs", SMALL, **on)
    with pytest.raises(TypeError, match="expected True, False or a function for progress, got 'yes'"):
        apply(made, progress="yes", **on)  # type: ignore[arg-type]
    assert cloud.find("jobs").status == "REVIEW_IN_PROGRESS"


FOREIGN = {"Description": "A shop", "Resources": {"Shop": {"Type": "AWS::SNS::Topic", "Properties": {}}}}


def test_a_foreign_stack_of_the_name_is_left_alone(cloud: FakeCloud, on: Any) -> None:
    cloud.add_stack("jobs", FOREIGN)
    for verb in (lambda: plan("jobs", SMALL, **on), lambda: destroy("jobs", force=True, **on)):
        with pytest.raises(BackendError, match="is not the stack of a scheduler of stepsched") as info:
            verb()
        assert info.value.code == ErrorCode.FOREIGN_STACK
    assert set(cloud.operations()) == {"cloudformation:DescribeStacks"}


def test_a_stack_with_another_description_is_known_by_its_outputs(cloud: FakeCloud, on: Any) -> None:
    cloud.add_stack("jobs", {**template([QUEUE], prefix="blue"), "Description": "Ours"})
    assert plan("jobs", {**template([QUEUE, TOPIC], prefix="blue"), "Description": "Ours"}, **on).changes


@pytest.mark.parametrize(
    ("status", "code", "cure"),
    [
        ("ROLLBACK_COMPLETE", "STACK_FAILED", "destroy it with stepsched.deploy.destroy"),
        ("CREATE_FAILED", "STACK_FAILED", "destroy it with stepsched.deploy.destroy"),
        ("DELETE_FAILED", "STACK_FAILED", "destroy it with stepsched.deploy.destroy"),
        ("UPDATE_ROLLBACK_FAILED", "STACK_FAILED", "continue its rollback"),
        ("UPDATE_IN_PROGRESS", "STACK_BUSY", "wait until that has ended"),
        ("DELETE_IN_PROGRESS", "STACK_BUSY", "wait until that has ended"),
    ],
)
def test_a_stack_in_another_status_is_refused_with_the_cure(
    cloud: FakeCloud, on: Any, status: str, code: str, cure: str
) -> None:
    cloud.add_stack("jobs", SMALL, status)
    with pytest.raises(BackendError, match=f"{status}.*{cure}") as info:
        plan("jobs", LARGE, **on)
    assert info.value.code == code
    assert cloud.change_sets == {}


@pytest.mark.parametrize("status", ["UPDATE_ROLLBACK_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE"])
def test_a_stack_at_rest_can_be_planned(cloud: FakeCloud, on: Any, status: str) -> None:
    cloud.add_stack("jobs", SMALL, status)
    assert not plan("jobs", LARGE, **on).is_new


def test_a_template_that_cloudformation_refuses_leaves_nothing_behind(cloud: FakeCloud, on: Any) -> None:
    def refuse(changes: list[Any]) -> list[Any]:
        cloud.edit = lambda changes: changes
        return []

    for name in ("jobs", "stands"):
        if name == "stands":
            cloud.add_stack("stands", SMALL)
        cloud.edit = refuse
        found = {**SMALL} if name == "stands" else {**SMALL, "Outputs": None}
        with pytest.raises(BackendError, match=r"refuses the template for stack .*: Bad") as info:
            with_reason(cloud, partial(plan, name, found, **on))
        assert info.value.code == ErrorCode.STACK_FAILED
        assert cloud.change_sets == {}
    assert [each.status for each in cloud.stacks.values()] == ["DELETE_COMPLETE", "CREATE_COMPLETE"]


def with_reason(cloud: FakeCloud, verb: Callable[[], object]) -> None:
    """Calls a verb while change sets fail with a reason."""
    real = cloud.cloudformation_CreateChangeSet

    def fail(**given: Any) -> dict[str, Any]:
        answer = real(**given)
        cloud.change_sets[answer["Id"]] |= {"next": "FAILED", "StatusReason": "Bad template"}
        return answer

    cloud.__dict__["cloudformation_CreateChangeSet"] = fail
    try:
        verb()
    finally:
        del cloud.__dict__["cloudformation_CreateChangeSet"]


def test_errors_of_the_sdk_do_not_leak(cloud: FakeCloud, on: Any) -> None:
    cloud.faults["CreateChangeSet"] = [RefusedError("AccessDenied", "not authorized to perform", 403)]
    with pytest.raises(ss.errors.AccessDeniedError, match="CreateChangeSet"):
        plan("jobs", SMALL, **on)


# -- applying ------------------------------------------------------------------------------------------


def test_the_steps_are_told_in_words_and_in_their_order(cloud: FakeCloud, on: Any) -> None:
    cloud.looks = 1
    lines = list[str]()
    done = apply(plan("jobs", SMALL, **on), progress=lines.append, **on)
    assert lines == [
        "stack jobs is being created",
        "Runner is being created",
        "Runner is created",
        "RunnerRole is being created",
        "RunnerRole is created",
        "Table is being created",
        "Table is created",
        "stack jobs is created",
    ]
    assert done.is_changed
    assert done.status == "CREATE_COMPLETE"
    assert str(done).splitlines()[0] == f"stack jobs in {REGION} is ready"
    with ss.SchedulerClient.from_stack(done.name, **on) as client:
        assert client.backend.table_name == done.outputs["TableName"]  # type: ignore[attr-defined]


def test_a_change_that_has_not_begun_is_not_taken_for_done(cloud: FakeCloud, on: Any) -> None:
    """The stack has the status of its last change until CloudFormation begins."""
    cloud.add_stack("jobs", SMALL, "UPDATE_COMPLETE")
    cloud.looks = 2
    cloud.page_size = 1
    lines = list[str]()
    done = apply(plan("jobs", LARGE, **on), progress=lines.append, **on)
    assert lines[0] == "stack jobs is being changed"
    assert lines[-1] == "stack jobs is changed"
    assert done.status == "UPDATE_COMPLETE"
    assert cloud.find("jobs").template == LARGE


def test_the_table_of_a_stack_that_could_not_be_created_is_not_kept(cloud: FakeCloud, on: Any) -> None:
    apply(plan("jobs", SMALL, **on), **on)
    (given,) = [given for _, operation, given in cloud.calls if operation == "ExecuteChangeSet"]
    assert given["RetainExceptOnCreate"] is True


def test_a_plan_applied_twice_has_no_effect(cloud: FakeCloud, on: Any) -> None:
    made = plan("jobs", SMALL, **on)
    assert apply(made, **on).is_changed
    assert not apply(made, **on).is_changed
    cloud.change_sets.clear()  # CloudFormation forgets change sets, and the stack keeps the last one's ARN
    assert not apply(made, **on).is_changed
    assert cloud.operations().count("cloudformation:ExecuteChangeSet") == 1


def test_a_plan_that_is_being_applied_is_waited_for(cloud: FakeCloud, on: Any) -> None:
    made = plan("jobs", SMALL, **on)
    cloud.looks = 1
    cloud.cloudformation_ExecuteChangeSet(str(made.change_set_id), made.stack_id)
    lines = list[str]()
    assert apply(made, progress=lines.append, **on).is_changed
    assert lines[-1] == "stack jobs is created"


@pytest.mark.parametrize("prefix", [None, "blue"])
def test_the_time_zones_that_register_reads_are_written_too(
    cloud: FakeCloud, on: Any, prefix: str | None
) -> None:
    made = plan("jobs", template([QUEUE], parts=["register"], prefix=prefix), **on)
    cloud.missing_zones = {"zone#Europe/Paris", "zone#UTC"}
    lines = list[str]()
    table = apply(made, progress=lines.append, **on).outputs[
        "TableName" if prefix is None else "BlueTableName"
    ]
    assert lines[-1] == f"2 time zones are written to table {table}"
    cloud.missing_zones = {"zone#Asia/Tokyo"}  # such as after an interruption
    again = list[str]()
    assert not apply(made, progress=again.append, **on).is_changed
    assert again == [f"1 time zone is written to table {table}"]
    assert not apply(made, progress=again.append, **on).is_changed
    assert len(again) == 1


def test_it_is_told_how_many_time_zones_are_written(cloud: FakeCloud, on: Any) -> None:
    made = plan("jobs", template([QUEUE], parts=["register"]), **on)
    apply(made, **on)
    zones = sorted(available_timezones() - {"localtime", "Factory", "posixrules"})[:250]
    cloud.missing_zones = {f"zone#{name}" for name in zones}
    lines = list[str]()
    apply(made, progress=lines.append, **on)
    told = [line.partition(" time zones are written")[0] for line in lines]
    assert told == ["100 of 250", "200 of 250", "250"]


def stale_by_another(cloud: FakeCloud, on: Any) -> None:
    apply(plan("jobs", template([TOPIC]), **on), **on)


def stale_by_deletion(cloud: FakeCloud, on: Any) -> None:
    cloud.tables.clear()
    destroy("jobs", **on)


def stale_by_an_update(cloud: FakeCloud, on: Any) -> None:
    for each in cloud.change_sets.values():
        each["ExecutionStatus"] = "OBSOLETE"


def stale_at_the_last_moment(cloud: FakeCloud, on: Any) -> None:
    cloud.faults["ExecuteChangeSet"] = [RefusedError("InvalidChangeSetStatus", "is in OBSOLETE status")]


def gone_at_the_last_moment(cloud: FakeCloud, on: Any) -> None:
    cloud.faults["ExecuteChangeSet"] = [RefusedError("ChangeSetNotFound", status=404)]


@pytest.mark.parametrize(
    "change",
    [
        stale_by_another,
        stale_by_deletion,
        stale_by_an_update,
        stale_at_the_last_moment,
        gone_at_the_last_moment,
    ],
)
def test_a_stale_plan_is_refused(cloud: FakeCloud, on: Any, change: Callable[[FakeCloud, Any], None]) -> None:
    cloud.add_stack("jobs", SMALL)
    made = plan("jobs", LARGE, **on)
    change(cloud, on)
    for _ in range(2 if change.__name__.startswith("stale_by") else 1):
        with pytest.raises(BackendError, match="since the plan was made; plan again") as info:
            apply(made, **on)
        assert info.value.code == ErrorCode.STALE_PLAN
    assert all(each.template != LARGE for each in cloud.stacks.values())


def test_an_empty_plan_of_a_deleted_stack_is_stale(cloud: FakeCloud, on: Any) -> None:
    cloud.add_stack("jobs", SMALL)
    made = plan("jobs", SMALL, **on)
    destroy("jobs", **on)
    with pytest.raises(BackendError, match="was deleted since"):
        apply(made, **on)


def test_an_applied_plan_of_a_stack_changed_since_is_stale(cloud: FakeCloud, on: Any) -> None:
    made = plan("jobs", SMALL, **on)
    apply(made, **on)
    apply(plan("jobs", LARGE, **on), **on)
    with pytest.raises(BackendError, match="has been changed since"):
        apply(made, **on)


@pytest.mark.parametrize(
    ("is_new", "failure", "words"),
    [
        pytest.param(
            True,
            ("CREATE_FAILED", "Role is not valid.", "ROLLBACK_COMPLETE"),
            "stack 'jobs' could not be created: Runner (AWS::StepFunctions::StateMachine): Role is not "
            "valid. The stack is ROLLBACK_COMPLETE: nothing of it is left but its name; destroy it with "
            "stepsched.deploy.destroy('jobs'), and plan again",
            id="create",
        ),
        pytest.param(
            False,
            ("UPDATE_FAILED", "Definition too long", "UPDATE_ROLLBACK_COMPLETE"),
            "stack 'jobs' could not be changed: Runner (AWS::StepFunctions::StateMachine): Definition too "
            "long. The stack is UPDATE_ROLLBACK_COMPLETE: it is as it was before; correct the template, and "
            "plan again",
            id="update",
        ),
        pytest.param(
            False,
            ("UPDATE_FAILED", "", "UPDATE_ROLLBACK_FAILED"),
            "stack 'jobs' could not be changed: Runner (AWS::StepFunctions::StateMachine): no reason given. "
            "The stack is UPDATE_ROLLBACK_FAILED: continue its rollback "
            "(cloudformation:ContinueUpdateRollback), and plan again",
            id="rollback failed",
        ),
        pytest.param(
            True,
            ("CREATE_FAILED", "Quota", "ROLLBACK_FAILED"),
            "stack 'jobs' could not be created: Runner (AWS::StepFunctions::StateMachine): Quota. The stack "
            "is ROLLBACK_FAILED: look at what is left of it, destroy it with "
            "stepsched.deploy.destroy('jobs'), and plan again",
            id="rollback of a creation failed",
        ),
    ],
)
def test_a_failure_names_the_resource_the_reason_the_status_and_the_cure(
    cloud: FakeCloud, on: Any, is_new: bool, failure: tuple[str, str, str], words: str
) -> None:
    if not is_new:
        cloud.add_stack("jobs", SMALL)
    made = plan("jobs", SMALL if is_new else LARGE, **on)
    cloud.fails["Runner"] = failure
    lines = list[str]()
    with pytest.raises(BackendError) as info:
        apply(made, progress=lines.append, **on)
    assert info.value.detail == words
    assert info.value.code == ErrorCode.STACK_FAILED
    assert any(each.startswith("Runner failed") for each in lines)
    with pytest.raises(BackendError, match="plan again"):  # it has been executed
        apply(made, **on)


def test_a_stack_that_could_not_be_created_is_destroyed_and_planned_again(cloud: FakeCloud, on: Any) -> None:
    cloud.fails["Runner"] = ("CREATE_FAILED", "No", "ROLLBACK_COMPLETE")
    with pytest.raises(BackendError):
        apply(plan("jobs", SMALL, **on), **on)
    cloud.find("jobs").description = str(SMALL["Description"])
    destroy("jobs", **on)
    assert apply(plan("jobs", SMALL, **on), **on).is_changed


# -- destroying ----------------------------------------------------------------------------------------


def test_the_table_outlives_the_stack(cloud: FakeCloud, on: Any) -> None:
    stack = cloud.add_stack("jobs", SMALL)
    cloud.looks = 1
    lines = list[str]()
    done = destroy("jobs", progress=lines.append, **on)
    assert lines == [
        "stack jobs is being deleted",
        "Table is kept",
        "RunnerRole is deleted",
        "Runner is deleted",
        "stack jobs is deleted",
    ] or set(lines) >= {"Table is kept", "stack jobs is deleted"}
    assert done.kept_tables == ("jobs-Table-1A2B3C4D5E6F7",) == tuple(cloud.tables)
    assert str(done).splitlines() == [
        f"stack jobs in {REGION} is deleted",
        "RESOURCE  NAME                      OUTCOME",
        "table     jobs-Table-1A2B3C4D5E6F7  kept, with all jobs and their history",
    ]
    assert stack.status == "DELETE_COMPLETE"


def test_the_table_is_deleted_after_the_stack_and_only_when_asked(cloud: FakeCloud, on: Any) -> None:
    cloud.add_stack("jobs", SMALL)
    done = destroy("jobs", keep_table=False, **on)
    assert cloud.tables == set()
    assert (done.kept_tables, done.deleted_tables) == ((), ("jobs-Table-1A2B3C4D5E6F7",))
    operations = cloud.operations()
    assert operations.index("cloudformation:DeleteStack") < operations.index("dynamodb:DeleteTable")


def test_a_stack_that_could_not_be_deleted_keeps_its_table(cloud: FakeCloud, on: Any) -> None:
    cloud.add_stack("jobs", SMALL)
    cloud.fails["RunnerRole"] = ("DELETE_FAILED", "Cannot delete entity.", "DELETE_FAILED")
    words = r"could not be deleted: RunnerRole \(AWS::IAM::Role\): Cannot delete entity. The stack is DELETE"
    with pytest.raises(BackendError, match=words) as info:
        destroy("jobs", keep_table=False, **on)
    assert info.value.code == ErrorCode.STACK_FAILED
    assert len(cloud.tables) == 1
    destroy("jobs", keep_table=False, **on)
    assert cloud.tables == set()


def test_a_table_that_the_stack_has_not_created_is_never_deleted(cloud: FakeCloud, on: Any) -> None:
    cloud.add_stack("jobs", template([QUEUE], table_name="given"))
    cloud.tables.add("given")
    with pytest.raises(BackendError, match="'given' was not created by stack 'jobs'") as info:
        destroy("jobs", keep_table=False, **on)
    assert info.value.code == ErrorCode.STACK_PROTECTED
    assert cloud.find("jobs").status == "CREATE_COMPLETE"
    assert destroy("jobs", **on).kept_tables == ()
    assert cloud.tables == {"given"}


@pytest.mark.parametrize("what", ["stack", "table"])
def test_what_is_protected_is_not_deleted(cloud: FakeCloud, on: Any, what: str) -> None:
    stack = cloud.add_stack("jobs", SMALL)
    stack.is_protected = what == "stack"
    cloud.protected_tables = cloud.tables if what == "table" else set()
    with pytest.raises(BackendError, match="is protected against deletion") as info:
        destroy("jobs", keep_table=False, force=True, **on)
    assert info.value.code == ErrorCode.STACK_PROTECTED
    assert "cloudformation:DeleteStack" not in cloud.operations()


def test_a_busy_stack_is_not_deleted(cloud: FakeCloud, on: Any) -> None:
    cloud.add_stack("jobs", SMALL, "UPDATE_IN_PROGRESS")
    with pytest.raises(BackendError, match="is being changed") as info:
        destroy("jobs", force=True, **on)
    assert info.value.code == ErrorCode.STACK_BUSY


def test_a_stack_that_was_only_planned_is_deleted(cloud: FakeCloud, on: Any) -> None:
    plan("jobs", SMALL, **on)
    assert destroy("jobs", **on).kept_tables == ()
    with pytest.raises(BackendError, match="there is no stack 'jobs' in eu-west-1") as info:
        destroy("jobs", **on)
    assert info.value.code == ErrorCode.NO_STACK


def test_a_stack_whose_table_is_gone_is_deleted(cloud: FakeCloud, on: Any) -> None:
    cloud.add_stack("jobs", SMALL)
    cloud.tables.clear()
    cloud.faults["ListExecutions"] = [RefusedError("StateMachineDoesNotExist")]
    assert destroy("jobs", keep_table=False, **on).deleted_tables == ("jobs-Table-1A2B3C4D5E6F7",)


WITH_MORE = {
    **SMALL,
    "Resources": {
        **SMALL["Resources"],
        "Dead": {"Type": "AWS::SQS::Queue", "Properties": {}},
        "Group": {"Type": "AWS::Scheduler::ScheduleGroup", "Properties": {}},
        "Watch": {"Type": "AWS::Scheduler::Schedule", "Properties": {}},
    },
}


def test_messages_and_schedules_are_not_deleted_silently(cloud: FakeCloud, on: Any) -> None:
    stack = cloud.add_stack("jobs", WITH_MORE)
    queue, group = stack.physical["Dead"], stack.physical["Group"]
    cloud.messages, cloud.schedules = {queue: 3}, {group: [stack.physical["Watch"], "nightly"]}
    with pytest.raises(
        BackendError, match=f"3 messages in queue {queue}; 1 schedule in group {group}"
    ) as info:
        destroy("jobs", **on)
    assert info.value.code == ErrorCode.JOBS_WAITING
    assert "cloudformation:DeleteStack" not in cloud.operations()
    destroy("jobs", force=True, **on)


def test_empty_queues_and_groups_and_absent_ones_do_not_matter(cloud: FakeCloud, on: Any) -> None:
    stack = cloud.add_stack("jobs", WITH_MORE)
    cloud.messages, cloud.schedules = {stack.physical["Dead"]: 0}, {}
    destroy("jobs", **on)
    cloud.add_stack("jobs", WITH_MORE)
    cloud.messages = {}
    destroy("jobs", **on)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param({"name": ""}, "expected the name of a stack", id="name"),
        pytest.param({"keep_table": None}, "expected True or False for keep_table, got None", id="keep"),
        pytest.param({"force": "yes"}, "expected True or False for force, got 'yes'", id="force"),
        pytest.param({"progress": 1}, "for progress, got 1", id="progress"),
    ],
)
def test_destroy_refuses_malformed_arguments_before_any_call(
    cloud: FakeCloud, on: Any, arguments: dict[str, Any], words: str
) -> None:
    given = {"name": "jobs", **on, **arguments}
    with pytest.raises((ValueError, TypeError), match=words):
        destroy(given.pop("name"), **given)
    assert cloud.calls == []


# -- whatever is not allowed ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "operation",
    [
        *("DescribeStacks", "CreateChangeSet", "DescribeChangeSet", "DescribeStackEvents"),
        *("ExecuteChangeSet", "PutObject", "HeadBucket"),
    ],
)
def test_a_call_that_is_not_allowed_is_an_access_denied_error(
    cloud: FakeCloud, on: Any, operation: str
) -> None:
    long = padded(51_201)
    if operation in ("DescribeStackEvents", "ExecuteChangeSet"):
        made = plan("jobs", long, **on)
        cloud.faults[operation] = [RefusedError("AccessDenied", "not authorized", 403)]
        with pytest.raises(ss.errors.AccessDeniedError, match="not authorized"):
            apply(made, **on)
        return
    cloud.faults[operation] = [RefusedError("AccessDenied", "not authorized", 403)]
    with pytest.raises(ss.errors.AccessDeniedError):
        plan("jobs", long, **on)


@pytest.mark.parametrize(
    "operation",
    [
        *("ListStackResources", "DescribeTable", "Query", "ListExecutions", "GetQueueAttributes"),
        *("ListSchedules", "DeleteStack", "DeleteTable"),
    ],
)
def test_a_stack_is_destroyed_only_if_every_call_is_allowed(
    cloud: FakeCloud, on: Any, operation: str
) -> None:
    stack = cloud.add_stack("jobs", WITH_MORE)
    cloud.messages, cloud.schedules = {stack.physical["Dead"]: 0}, {stack.physical["Group"]: []}
    cloud.faults[operation] = [RefusedError("AccessDenied", "not authorized", 403)]
    with pytest.raises(ss.errors.AccessDeniedError, match="not authorized"):
        destroy("jobs", keep_table=False, **on)
    assert stack.status == ("DELETE_COMPLETE" if operation == "DeleteTable" else "CREATE_COMPLETE")


def test_a_table_whose_jobs_cannot_be_read_keeps_its_stack(cloud: FakeCloud, on: Any) -> None:
    """Its jobs are read after its protection has been looked at."""
    cloud.add_stack("jobs", SMALL)
    cloud.faults["DescribeTable"] = [RefusedError("AccessDenied", "not authorized", 403)]
    with pytest.raises(ss.errors.AccessDeniedError):
        destroy("jobs", **on)


@pytest.mark.parametrize("operation", ["DeleteChangeSet", "ListChangeSets"])
def test_a_plan_that_cannot_be_dropped_says_so(cloud: FakeCloud, on: Any, operation: str) -> None:
    made = plan("jobs", SMALL, **on)
    cloud.faults[operation] = [RefusedError("AccessDenied", "not authorized", 403)]
    with pytest.raises(ss.errors.AccessDeniedError):
        discard(made, **on)


def test_a_plan_that_is_being_applied_is_not_dropped(cloud: FakeCloud, on: Any) -> None:
    made = plan("jobs", SMALL, **on)
    apply(made, **on)
    cloud.faults["DeleteChangeSet"] = [RefusedError("InvalidChangeSetStatus", "is in EXECUTE_IN_PROGRESS")]
    discard(made, **on)
    assert cloud.find("jobs").status == "CREATE_COMPLETE"


def test_a_state_of_a_plan_that_cannot_be_read_is_an_error(cloud: FakeCloud, on: Any) -> None:
    made = plan("jobs", SMALL, **on)
    cloud.faults["DescribeChangeSet"] = [RefusedError("AccessDenied", "not authorized", 403)]
    with pytest.raises(ss.errors.AccessDeniedError):
        apply(made, **on)


def test_a_bucket_that_does_not_answer_is_an_error(cloud: FakeCloud, on: Any) -> None:
    cloud.faults["HeadBucket"] = [RefusedError("500", "Internal Server Error", 500)]
    with pytest.raises(ss.errors.BackendUnavailableError):
        plan("jobs", padded(51_201), **on)


def test_in_the_oldest_region_a_bucket_has_no_constraint(cloud: FakeCloud) -> None:
    session = new_session(aws_access_key_id="test", aws_secret_access_key="test", region_name="us-east-1")
    cloud.attach(session)
    made = plan("jobs", padded(51_201), session=session)
    assert f"s3.amazonaws.com/stepsched-{ACCOUNT}-us-east-1/" in str(made.template_url)
    (given,) = [given for _, operation, given in cloud.calls if operation == "CreateBucket"]
    assert "CreateBucketConfiguration" not in given


def test_a_change_of_outputs_alone_is_a_change(cloud: FakeCloud, on: Any) -> None:
    given = template([QUEUE], table_name="given", role_arn=f"arn:aws:iam::{ACCOUNT}:role/given")
    cloud.add_stack("jobs", given)
    made = plan("jobs", {**given, "Outputs": {**given["Outputs"], "More": {"Value": "1"}}}, **on)
    assert str(made).splitlines() == [
        f"stack jobs in {REGION}, account {ACCOUNT}: changes of tags or outputs",
        f"template: {made.template_size:,} bytes, in the request",
        "0 to create, 0 to change, 0 to replace, 0 to remove",
    ]


def test_a_resource_of_others_is_kept_in_silence(cloud: FakeCloud, on: Any) -> None:
    """An explicit name of a role needs another capability."""
    role = {"Type": "AWS::IAM::Role", "Properties": {"RoleName": "ours"}}
    named = {**SMALL, "Resources": {**SMALL["Resources"], "Named": role}}
    made = plan("jobs", named, **on)
    assert made.capabilities == ("CAPABILITY_NAMED_IAM",)
    assert made.identities == ("Named", "RunnerRole")


def test_a_failure_without_events_is_told_by_the_stack(cloud: FakeCloud, on: Any) -> None:
    made = plan("jobs", SMALL, **on)
    stack = cloud.find("jobs")
    cloud.edit = lambda changes: changes
    found = cloud.change_sets[str(made.change_set_id)]
    found["Changes"] = []

    def fail(*_: object) -> None:
        stack.reason = "Quota of stacks."
        cloud._move(stack, "ROLLBACK_COMPLETE")

    cloud.__dict__["_work"] = fail
    with pytest.raises(BackendError, match=r"could not be created: Quota of stacks\. The stack is ROLLBACK"):
        apply(made, **on)


def test_many_properties_are_shortened(cloud: FakeCloud, on: Any) -> None:
    cloud.add_stack("jobs", SMALL)
    details = [{"Target": {"Attribute": "Properties", "Name": name}} for name in "GFEDCBA"]
    kind = "AWS::DynamoDB::Table"
    found = {"Action": "Modify", "LogicalResourceId": "Table", "ResourceType": kind, "Details": details}
    cloud.edit = lambda _: [{"ResourceChange": found}]
    assert plan("jobs", LARGE, **on).changes[0].words == "in place: A, B, C, D, E and 2 more"


@pytest.mark.parametrize(("is_terminal", "choice"), [(True, True), (True, False), (False, True)])
def test_the_steps_are_written_for_somebody_who_watches(
    cloud: FakeCloud, on: Any, is_terminal: bool, choice: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(stream, "isatty", lambda: is_terminal)
    monkeypatch.setattr(sys, "stderr", stream)
    apply(plan("jobs", SMALL, **on), progress=choice, **on)
    lines = stream.getvalue().splitlines()
    assert lines[-1:] == (["stack jobs is created"] if is_terminal and choice else [])
