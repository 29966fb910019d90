"""An account of AWS in this process: CloudFormation with every status that a stack can have, and what the
resources of stacks hold.

It answers in place of the services, at botocore's events, and knows what the emulators do not: steps that
take several looks, change sets that are out of date, failures of every kind, protected stacks.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import count
from typing import Any, cast

import boto3
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders

from stepsched.machines.shared import table_schema
from tests.sessions import new_session

ACCOUNT, REGION = "123456789012", "eu-west-1"
_STACK = "AWS::CloudFormation::Stack"


_SHARED: list[Any] = []
"""The session of all accounts, and the one that answers it now."""


def _keep(params: dict[str, Any], context: dict[str, Any], **_: object) -> None:
    context["given"] = dict(params)


class RefusedError(Exception):
    """An error of a service."""

    def __init__(self, code: str, message: str = "", status: int = 400) -> None:
        super().__init__(code, message)
        self.code, self.message, self.status = code, message, status


@dataclass
class FakeStack:
    """A stack."""

    name: str
    arn: str
    status: str = "REVIEW_IN_PROGRESS"
    template: dict[str, Any] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    description: str = ""
    reason: str = ""
    is_protected: bool = False
    change_set: str | None = None
    physical: dict[str, str] = field(default_factory=dict)
    """The physical IDs of its resources, by logical ID."""
    events: list[dict[str, Any]] = field(default_factory=list)
    """Latest first."""
    steps: list[Callable[[], object]] = field(default_factory=list)
    """What happens at the next looks, one after the other."""


class FakeCloud:
    """The account."""

    def __init__(self) -> None:
        self.stacks: dict[str, FakeStack] = {}
        self.change_sets: dict[str, dict[str, Any]] = {}
        self.calls: list[tuple[str, str, dict[str, Any]]] = []
        """The services, the operations and the arguments of all calls."""
        self.faults: dict[str, list[RefusedError]] = {}
        """The errors of the next calls of operations."""
        self.fails: dict[str, tuple[str, str, str]] = {}
        """Resources that fail, by logical ID: the status, the reason, and then the status of the stack."""
        self.edit: Callable[[list[dict[str, Any]]], list[dict[str, Any]]] = lambda changes: changes
        """Changes the changes of a change set."""
        self.bodies: dict[str, str] = {}
        """The objects of S3 by bucket and key."""
        self.buckets: dict[str, str] = {}
        """The accounts that own the buckets."""
        self.tables: set[str] = set()
        self.protected_tables: set[str] = set()
        self.messages: dict[str, int] = {}
        self.schedules: dict[str, list[str]] = {}
        self.missing_zones: set[str] = set()
        """The names of the rows of time zones that tables do not have."""
        self.running: list[str] = []
        """The ARNs of the executions that run."""
        self.page_size = 1_000
        self.looks = 0
        """How often somebody has to look until a change set is made, or a stack begins to change."""
        self._numbers = count(1)

    def session(self) -> boto3.Session:
        """A session whose calls are answered here, until another account has one."""
        if not _SHARED:  # a session takes long to make
            made = new_session(aws_access_key_id="test", aws_secret_access_key="test", region_name=REGION)
            made.events.register_first("before-parameter-build", _keep)
            made.events.register_first("before-call", lambda **given: _SHARED[1].answer(**given))
            _SHARED[:] = [made, self]
        _SHARED[1] = self
        return cast(boto3.Session, _SHARED[0])

    def attach(self, session: boto3.Session) -> None:
        """Answers the calls of a session."""
        session.events.register_first("before-parameter-build", _keep)
        session.events.register_first("before-call", cast(Any, self.answer))

    def operations(self) -> list[str]:
        """The calls, such as ``cloudformation:DescribeStacks``."""
        return [f"{service}:{operation}" for service, operation, _ in self.calls]

    def answer(self, model: Any, context: dict[str, Any], **_: object) -> tuple[AWSResponse, Any]:
        """Answers a call, as a handler of botocore's event ``before-call``."""
        service, given = model.service_model.service_name, context["given"]
        self.calls.append((service, model.name, given))
        meta: dict[str, Any] = {"HTTPStatusCode": 200, "HTTPHeaders": {}, "RequestId": "1"}
        try:
            if self.faults.get(model.name):
                raise self.faults[model.name].pop(0)
            parsed = getattr(self, f"{service}_{model.name}")(**given) or {}
            status = 200
        except RefusedError as refusal:
            status = refusal.status
            parsed = {"Error": {"Code": refusal.code, "Message": refusal.message}}
        answer = AWSResponse("https://fake", status, HTTPHeaders(), None)
        return answer, {**parsed, "ResponseMetadata": {**meta, "HTTPStatusCode": status}}

    # -- stacks --------------------------------------------------------------------------------------------

    def add_stack(self, name: str, template: dict[str, Any], status: str = "CREATE_COMPLETE") -> FakeStack:
        """Adds a stack that stands."""
        stack = self._new_stack(name)
        self._become(stack, template)
        stack.status = status
        self._event(stack, stack.name, _STACK, "CREATE_IN_PROGRESS")
        self._event(stack, stack.name, _STACK, status)
        return stack

    def _new_stack(self, name: str) -> FakeStack:
        number = next(self._numbers)
        arn = (
            f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{name}/{number:08}-0000-4000-8000-000000000000"
        )
        self.stacks[arn] = FakeStack(name, arn)
        return self.stacks[arn]

    def _become(self, stack: FakeStack, template: dict[str, Any]) -> None:
        stack.template, stack.description = template, template.get("Description", "")
        for name, each in template["Resources"].items():
            given = {"AWS::StepFunctions::StateMachine": stack.name}.get(each["Type"])
            stack.physical.setdefault(name, given or f"{stack.name}-{name}-1A2B3C4D5E6F7")
        stack.physical = {name: stack.physical[name] for name in template["Resources"]}
        tables = [n for n, each in template["Resources"].items() if each["Type"] == "AWS::DynamoDB::Table"]
        self.tables |= {stack.physical[name] for name in tables}
        stack.outputs = {}
        for key in template.get("Outputs", {}):
            prefix = key.removesuffix("TableName").removesuffix("StateMachineArn")
            if key.endswith("TableName"):
                stack.outputs[key] = stack.physical.get(f"{prefix}Table", "given")
            elif key.endswith("RegisterArn"):
                stack.outputs[key] = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{stack.name}-register"
            elif key.endswith("WorkflowsArn"):
                stack.outputs[key] = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{stack.name}-workflows"
            elif key.endswith("StateMachineArn"):
                stack.outputs[key] = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{stack.name}"

    def find(self, name: str) -> FakeStack:
        """The stack of a name or an ARN."""
        if name in self.stacks:
            return self.stacks[name]
        for each in self.stacks.values():
            if each.name == name and each.status != "DELETE_COMPLETE":
                return each
        raise RefusedError("ValidationError", f"Stack with id {name} does not exist")

    def _event(self, stack: FakeStack, name: str, kind: str, status: str, reason: str = "") -> None:
        event = {
            "EventId": f"event-{next(self._numbers)}",
            "StackId": stack.arn,
            "StackName": stack.name,
            "LogicalResourceId": name,
            "PhysicalResourceId": stack.arn if kind == _STACK else stack.physical.get(name, name),
            "ResourceType": kind,
            "ResourceStatus": status,
        }
        stack.events.insert(0, {**event, **({"ResourceStatusReason": reason} if reason else {})})

    def _move(self, stack: FakeStack, status: str) -> None:
        stack.status = status
        self._event(stack, stack.name, _STACK, status)

    def cloudformation_DescribeStacks(self, StackName: str) -> dict[str, Any]:
        stack = self.find(StackName)
        if stack.steps:
            stack.steps.pop(0)()
        found = {
            "StackName": stack.name,
            "StackId": stack.arn,
            "StackStatus": stack.status,
            "Description": stack.description,
            "EnableTerminationProtection": stack.is_protected,
            "Outputs": [{"OutputKey": k, "OutputValue": v} for k, v in stack.outputs.items()],
        }
        if stack.reason:
            found["StackStatusReason"] = stack.reason
        if stack.change_set:
            found["ChangeSetId"] = stack.change_set
        return {"Stacks": [found]}

    def _paged(self, key: str, items: Iterable[Any], token: str | None) -> dict[str, Any]:
        listed, start = list(items), int(token or 0)
        page: dict[str, Any] = {key: listed[start : start + self.page_size]}
        if start + self.page_size < len(listed):
            page["NextToken"] = str(start + self.page_size)
        return page

    def cloudformation_DescribeStackEvents(self, StackName: str, NextToken: str | None = None) -> Any:
        return self._paged("StackEvents", self.find(StackName).events, NextToken)

    def cloudformation_ListStackResources(self, StackName: str, NextToken: str | None = None) -> Any:
        stack = self.find(StackName)
        found = [
            {
                "LogicalResourceId": name,
                "PhysicalResourceId": physical,
                "ResourceType": stack.template["Resources"][name]["Type"],
                "ResourceStatus": "CREATE_COMPLETE",
            }
            for name, physical in stack.physical.items()
        ]
        return self._paged("StackResourceSummaries", found, NextToken)

    def _soon(self, stack: FakeStack, start: Callable[[], object], end: Callable[[], object]) -> None:
        """Begins and ends an operation at later looks, or at once."""
        if self.looks:
            stack.steps += [*[lambda: None] * self.looks, start, end]
        else:
            start()
            end()

    # -- change sets ---------------------------------------------------------------------------------------

    def cloudformation_CreateChangeSet(
        self,
        StackName: str,
        ChangeSetName: str,
        ChangeSetType: str,
        TemplateBody: str | None = None,
        TemplateURL: str | None = None,
        **more: Any,
    ) -> dict[str, Any]:
        if TemplateBody is not None and len(TemplateBody.encode()) > 51_200:
            raise RefusedError("ValidationError", "Member must have length less than or equal to 51200")
        if TemplateURL is not None:
            TemplateBody = self.bodies["/".join(TemplateURL.split("/")[3:])]
        assert TemplateBody is not None
        template = json.loads(TemplateBody)
        if ChangeSetType == "CREATE":
            try:
                stack = self.find(StackName)
            except RefusedError:
                stack = self._new_stack(StackName)
        else:
            stack = self.find(StackName)
        arn = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:changeSet/{ChangeSetName}/{next(self._numbers):08}"
        changes = self.edit(self._changes(stack, template))
        is_empty = not changes and template.get("Outputs") == stack.template.get("Outputs")
        self.change_sets[arn] = {
            "ChangeSetId": arn,
            "ChangeSetName": ChangeSetName,
            "StackId": stack.arn,
            "StackName": stack.name,
            "Status": "CREATE_PENDING",
            "ExecutionStatus": "UNAVAILABLE",
            "Changes": changes,
            "template": template,
            "next": "FAILED" if is_empty else "CREATE_COMPLETE",
            "given": more,
            "looks": 0,
        }
        return {"Id": arn, "StackId": stack.arn}

    def _changes(self, stack: FakeStack, template: dict[str, Any]) -> list[dict[str, Any]]:
        before, after = stack.template.get("Resources", {}), template["Resources"]
        found = list[dict[str, Any]]()
        for name in sorted({**before, **after}):
            old, new = before.get(name), after.get(name)
            if old == new:
                continue
            change = {"LogicalResourceId": name, "ResourceType": (new or old)["Type"]}
            if old is None:
                change |= {"Action": "Add"}
            elif new is None:
                keeps = old.get("DeletionPolicy") == "Retain"
                change |= {"Action": "Remove", "PolicyAction": "Retain" if keeps else "Delete"}
                change["PhysicalResourceId"] = stack.physical[name]
            else:
                names = {**old["Properties"], **new["Properties"]}
                differing = [n for n in names if old["Properties"].get(n) != new["Properties"].get(n)]
                change |= {"Action": "Modify", "Replacement": "False"}
                change["PhysicalResourceId"] = stack.physical[name]
                change["Details"] = [{"Target": {"Attribute": "Properties", "Name": n}} for n in differing]
            found.append({"Type": "Resource", "ResourceChange": change})
        return found

    def cloudformation_DescribeChangeSet(
        self, ChangeSetName: str, StackName: str, NextToken: str | None = None
    ) -> dict[str, Any]:
        if ChangeSetName not in self.change_sets:
            raise RefusedError("ChangeSetNotFound", f"ChangeSet [{ChangeSetName}] does not exist", 404)
        found = self.change_sets[ChangeSetName]
        answer = {
            key: value for key, value in found.items() if key not in ("template", "next", "given", "looks")
        }
        if found["Status"] == "CREATE_PENDING" and found["looks"] < self.looks:
            found["looks"] += 1
            return {**answer, "Changes": []}
        if found["Status"] == "CREATE_PENDING":
            found["Status"] = found["next"]
            if found["next"] == "FAILED":
                found.setdefault(
                    "StatusReason",
                    "The submitted information didn't contain changes. Submit different information to "
                    "create a change set.",
                )
            else:
                found["ExecutionStatus"] = "AVAILABLE"
            answer |= {
                key: found[key] for key in ("Status", "ExecutionStatus", "StatusReason") if key in found
            }
        return {**answer, **self._paged("Changes", found["Changes"], NextToken)}

    def cloudformation_ListChangeSets(self, StackName: str, NextToken: str | None = None) -> Any:
        arn = self.find(StackName).arn
        found = [{"ChangeSetId": key} for key, each in self.change_sets.items() if each["StackId"] == arn]
        return self._paged("Summaries", found, NextToken)

    def cloudformation_DeleteChangeSet(self, ChangeSetName: str, StackName: str) -> None:
        self.change_sets.pop(ChangeSetName, None)

    def cloudformation_ExecuteChangeSet(self, ChangeSetName: str, StackName: str, **_: Any) -> None:
        found = self.change_sets[ChangeSetName]
        if found["ExecutionStatus"] != "AVAILABLE":
            raise RefusedError("InvalidChangeSetStatus", f"ChangeSet is in {found['ExecutionStatus']} status")
        stack = self.find(StackName)
        for arn in [key for key, each in self.change_sets.items() if each["StackId"] == stack.arn]:
            if arn != ChangeSetName and self.change_sets[arn]["ExecutionStatus"] != "EXECUTE_COMPLETE":
                del self.change_sets[arn]
        found["ExecutionStatus"] = "EXECUTE_IN_PROGRESS"
        verb = "CREATE" if stack.status == "REVIEW_IN_PROGRESS" else "UPDATE"

        def start() -> None:
            stack.change_set = ChangeSetName
            self._move(stack, f"{verb}_IN_PROGRESS")

        def end() -> None:
            self._work(stack, found, verb)

        self._soon(stack, start, end)

    def _work(self, stack: FakeStack, found: dict[str, Any], verb: str) -> None:
        for each in found["Changes"]:
            change = each["ResourceChange"]
            name, kind = change["LogicalResourceId"], change["ResourceType"]
            own = {"Add": "CREATE", "Remove": "DELETE"}.get(change["Action"], "UPDATE")
            self._event(stack, name, kind, f"{own}_IN_PROGRESS")
            if name in self.fails:
                status, reason, end = self.fails.pop(name)
                self._event(stack, name, kind, status, reason)
                self._event(stack, "Other", kind, status, "Resource creation cancelled")
                found["ExecutionStatus"] = "EXECUTE_FAILED"
                self._move(stack, end)
                return
            self._event(stack, name, kind, f"{own}_COMPLETE")
        self._become(stack, found["template"])
        found["ExecutionStatus"] = "EXECUTE_COMPLETE"
        self._move(stack, f"{verb}_COMPLETE")

    def cloudformation_DeleteStack(self, StackName: str, **_: Any) -> None:
        stack = self.find(StackName)
        if stack.status == "REVIEW_IN_PROGRESS":
            stack.status = "DELETE_COMPLETE"
            return

        def start() -> None:
            self._move(stack, "DELETE_IN_PROGRESS")

        def end() -> None:
            for name in reversed(list(stack.physical)):
                each = stack.template["Resources"][name]
                if name in self.fails:
                    status, reason, last = self.fails.pop(name)
                    self._event(stack, name, each["Type"], status, reason)
                    self._move(stack, last)
                    return
                keeps = each.get("DeletionPolicy") == "Retain"
                self._event(stack, name, each["Type"], "DELETE_SKIPPED" if keeps else "DELETE_COMPLETE")
            self._move(stack, "DELETE_COMPLETE")

        self._soon(stack, start, end)

    # -- what the resources hold ---------------------------------------------------------------------------

    def _table(self, name: str) -> None:
        if name not in self.tables:
            raise RefusedError("ResourceNotFoundException", f"Table: {name} not found")

    def dynamodb_DescribeTable(self, TableName: str) -> dict[str, Any]:
        self._table(TableName)
        table = table_schema.creation(TableName)
        return {"Table": {**table, "DeletionProtectionEnabled": TableName in self.protected_tables}}

    def dynamodb_DeleteTable(self, TableName: str) -> None:
        self._table(TableName)
        self.tables.remove(TableName)

    def dynamodb_Query(self, TableName: str, **_: Any) -> dict[str, Any]:
        self._table(TableName)
        return {"Items": []}

    def dynamodb_BatchGetItem(self, RequestItems: dict[str, Any]) -> dict[str, Any]:
        """The rows of time zones; there are no others."""
        ((table, asked),) = RequestItems.items()
        self._table(table)
        keys = [each for each in asked["Keys"] if each["name"]["S"] not in self.missing_zones]
        found = [{**each, table_schema.DATABASE: {"S": "9999z"}} for each in keys]
        return {"Responses": {table: found}}

    def dynamodb_PutItem(self, TableName: str, Item: dict[str, Any], **_: Any) -> None:
        self._table(TableName)
        if Item["name"]["S"] not in self.missing_zones:
            raise RefusedError("ConditionalCheckFailedException")
        self.missing_zones.remove(Item["name"]["S"])

    def stepfunctions_ListExecutions(self, stateMachineArn: str, **_: Any) -> dict[str, Any]:
        executions = f"{stateMachineArn.replace(':stateMachine:', ':execution:')}:"
        found = [each for each in self.running if each.startswith(executions)]
        return {"executions": [{"executionArn": each, "status": "RUNNING"} for each in found]}

    def stepfunctions_StopExecution(self, executionArn: str, **_: Any) -> dict[str, Any]:
        self.running.remove(executionArn)
        return {"stopDate": 0}

    def sqs_GetQueueAttributes(self, QueueUrl: str, AttributeNames: list[str]) -> dict[str, Any]:
        name = QueueUrl.rpartition("/")[2]
        if name not in self.messages:
            raise RefusedError("AWS.SimpleQueueService.NonExistentQueue")
        count = self.messages[name]
        delayed = min(count, 1)
        counts = {"": count - delayed, "NotVisible": 0, "Delayed": delayed}
        found = {f"ApproximateNumberOfMessages{kind}": str(each) for kind, each in counts.items()}
        return {"Attributes": {each: found[each] for each in AttributeNames}}

    def scheduler_ListSchedules(self, GroupName: str, NextToken: str | None = None) -> dict[str, Any]:
        if GroupName not in self.schedules:
            raise RefusedError("ResourceNotFoundException", status=404)
        return self._paged("Schedules", [{"Name": each} for each in self.schedules[GroupName]], NextToken)

    # -- S3 ------------------------------------------------------------------------------------------------

    def sts_GetCallerIdentity(self) -> dict[str, Any]:
        return {"Account": ACCOUNT}

    def s3_HeadBucket(self, Bucket: str, ExpectedBucketOwner: str) -> None:
        owner = self.buckets.get(Bucket)
        if owner is None:
            raise RefusedError("404", "Not Found", 404)
        if owner != ExpectedBucketOwner:
            raise RefusedError("403", "Forbidden", 403)

    def s3_CreateBucket(self, Bucket: str, **_: Any) -> None:
        self.buckets[Bucket] = ACCOUNT

    def s3_PutObject(self, Bucket: str, Key: str, Body: Any, ExpectedBucketOwner: str, **_: Any) -> None:
        self.s3_HeadBucket(Bucket, ExpectedBucketOwner)
        self.bodies[f"{Bucket}/{Key}"] = Body.read().decode()

    def s3_PutPublicAccessBlock(self, **_: Any) -> None:
        """Nothing is kept of it."""

    s3_PutBucketEncryption = s3_PutPublicAccessBlock
