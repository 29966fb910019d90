"""Plans: prepares a change of a stack, says what it would do, and drops it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from stepsched.aws.stacks import validate_stack_name
from stepsched.core.errors import BackendError, ErrorCode
from stepsched.core.quoting import quoted
from stepsched.deploy.stacks.cloud import Cloud, Stack, refuse_foreign, refused, waited
from stepsched.deploy.stacks.documents import Document, read_template, refuse_long_names
from stepsched.deploy.stacks.uploads import upload, validate_bucket
from stepsched.deploy.stacks.values import Action, ResourceChange, StackPlan

_UNCHANGED = ("didn't contain changes", "No updates are to be performed")
"""How CloudFormation says that there is nothing to change."""
_UPDATABLE = {
    "CREATE_COMPLETE",
    "UPDATE_COMPLETE",
    "UPDATE_ROLLBACK_COMPLETE",
    "IMPORT_COMPLETE",
    "IMPORT_ROLLBACK_COMPLETE",
}
_DEAD = {"CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED"}
"""The statuses of stacks that can only be deleted."""


def plan(
    name: str,
    template: Mapping[str, Any],
    *,
    bucket: str | None = None,
    tags: Mapping[str, str] | None = None,
    session: Any = None,
    endpoint_url: str | None = None,
) -> StackPlan:
    """Prepares what makes a stack that of a template, and returns it as a plan. Nothing is changed.

    CloudFormation keeps the plan as a change set. :func:`apply` makes the changes, and :func:`discard` drops
    it. A plan that creates a stack leaves an empty one, in the status ``REVIEW_IN_PROGRESS``, until then. If
    there is nothing to change, nothing is left behind.

    A template of more than 51,200 bytes travels through S3, where its name is its digest.
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-updating-stacks-changesets.html

    Args:
        name: The name of the stack: 1 to 80 characters; fewer for a template whose state machines have
            longer names that begin with it, see :func:`stepsched.deploy.template`.
        template: The template, such as of :func:`stepsched.deploy.template`.
        bucket: A bucket of the account, in the Region of the stack, for a long template. None: such a
            template uses the bucket ``stepsched-<account>-<region>``, which is created if it does not exist.
        tags: The tags of the stack, which its resources get too. None: they stay as they are.
        session: A ``boto3.Session``. None: the default session of boto3.
        endpoint_url: The endpoint of every service that is called. None: as boto3 is configured.

    Raises:
        TypeError: An argument has another type.
        ValueError: An argument is malformed, or the template is too long.
        BackendError: CloudFormation refuses the template; a stack of this name was not made from a template
            of this package (``FOREIGN_STACK``), is being changed (``STACK_BUSY``), or has to be destroyed
            first (``STACK_FAILED``). The error says what to do.
        AccessDeniedError: The credentials do not allow the calls; see
            :func:`stepsched.iam.deployer_policy`.
    """
    validate_stack_name(name)
    document = read_template(template)
    refuse_long_names(name, template)
    validate_bucket(bucket)
    tagged = None if tags is None else _validate_tags(tags)
    with Cloud(session, endpoint_url) as cloud:
        stack = cloud.find(name)
        is_new = _is_new(stack)
        where: dict[str, Any] = {"TemplateBody": document.text}
        if bucket is not None or not document.is_inline:
            where = {"TemplateURL": upload(cloud, document, bucket)}
        label = f"stepsched-{uuid4().hex}"
        made = cloud.call(
            "cloudformation",
            "create_change_set",
            StackName=name,
            ChangeSetName=label,
            ClientToken=label,
            ChangeSetType="CREATE" if is_new else "UPDATE",
            Capabilities=list(document.capabilities),
            **({} if tagged is None else {"Tags": [{"Key": k, "Value": v} for k, v in tagged.items()]}),
            **where,
        )
        found = _described(cloud, made["Id"], made["StackId"])
        if found["Status"] != "CREATE_COMPLETE":
            _drop(cloud, made["Id"], made["StackId"])
            if not any(words in found["StatusReason"] for words in _UNCHANGED):
                words = f"CloudFormation refuses the template for stack {name!r}: {found['StatusReason']}"
                raise refused(ErrorCode.STACK_FAILED, "CreateChangeSet", words)
        return _plan_of(found, document, is_new=is_new, tags=tagged, url=where.get("TemplateURL"))


def discard(plan: StackPlan, *, session: Any = None, endpoint_url: str | None = None) -> None:
    """Drops a plan that is not to be applied, and the empty stack that it has left. Nothing else is changed,
    and dropping it again has no effect.

    Args:
        plan: The plan.
        session: A ``boto3.Session``. None: the default session of boto3. The Region is that of the plan.
        endpoint_url: The endpoint of CloudFormation. None: as boto3 is configured.

    Raises:
        TypeError: An argument has another type.
        BackendError: A call has failed.
    """
    checked_plan(plan)
    if plan.change_set_id is not None:
        with Cloud(session, endpoint_url, region=plan.region) as cloud:
            _drop(cloud, plan.change_set_id, plan.stack_id)


def checked_plan(plan: Any) -> StackPlan:
    """Returns the plan.

    Raises:
        TypeError: It is not one.
    """
    if not isinstance(plan, StackPlan):
        raise TypeError(
            f"expected a StackPlan, got {quoted(plan)}; use stepsched.deploy.plan(name, template)"
        )
    return plan


def _validate_tags(tags: Any) -> dict[str, str]:
    is_text = isinstance(tags, Mapping) and all(
        isinstance(each, str) for pair in tags.items() for each in pair
    )
    if not is_text:
        raise TypeError(f"expected tags to be a dict of texts, got {quoted(tags)}; use {{'team': 'finance'}}")
    return dict(tags)


def _is_new(stack: Stack | None) -> bool:
    """Returns whether the stack has to be created.

    Raises:
        BackendError: It can be neither created nor changed.
    """
    if stack is None or stack.is_empty or stack.status == "DELETE_COMPLETE":
        return True
    if stack.is_busy:
        words = f"stack {stack.name!r} is being changed ({stack.status}); wait until that has ended"
        raise refused(ErrorCode.STACK_BUSY, "CreateChangeSet", words)
    refuse_foreign(stack, "CreateChangeSet", cure="use another name")
    if stack.status in _UPDATABLE:
        return False
    if stack.status in _DEAD:
        cure = f"destroy it with stepsched.deploy.destroy({stack.name!r}), and plan again"
    else:
        cure = "continue its rollback (cloudformation:ContinueUpdateRollback), and plan again"
    words = f"stack {stack.name!r} has the status {stack.status} and cannot be changed; {cure}"
    raise refused(ErrorCode.STACK_FAILED, "CreateChangeSet", words)


def _described(cloud: Cloud, change_set: str, stack_id: str) -> dict[str, Any]:
    """Returns a change set with all its changes, when CloudFormation has made it."""
    asked = {"ChangeSetName": change_set, "StackName": stack_id}

    def look() -> dict[str, Any] | None:
        found: dict[str, Any] = cloud.call("cloudformation", "describe_change_set", **asked)
        return found if found["Status"] in ("CREATE_COMPLETE", "FAILED") else None

    found = waited(look)
    changes, token = list(found.get("Changes", ())), found.get("NextToken")
    while token:
        page = cloud.call("cloudformation", "describe_change_set", **asked, NextToken=token)
        changes += page.get("Changes", ())
        token = page.get("NextToken")
    return {**found, "Changes": changes, "StatusReason": found.get("StatusReason") or ""}


def _drop(cloud: Cloud, change_set: str, stack_id: str) -> None:
    """Deletes a change set, and its stack if that is empty and has no other."""
    stack = cloud.find(stack_id)
    if stack is None or stack.status == "DELETE_COMPLETE":
        return
    try:
        cloud.call("cloudformation", "delete_change_set", ChangeSetName=change_set, StackName=stack_id)
    except BackendError as error:
        if error.code not in ("ChangeSetNotFound", "InvalidChangeSetStatus"):
            raise
    others = cloud.pages("cloudformation", "list_change_sets", "Summaries", StackName=stack_id)
    if stack.is_empty and all(each["ChangeSetId"] == change_set for each in others):
        cloud.call("cloudformation", "delete_stack", StackName=stack_id)


def _plan_of(
    found: Mapping[str, Any],
    document: Document,
    *,
    is_new: bool,
    tags: Mapping[str, str] | None,
    url: str | None,
) -> StackPlan:
    changes = (_change_of(each["ResourceChange"]) for each in found["Changes"] if "ResourceChange" in each)
    return StackPlan(
        stack=found["StackName"],
        stack_id=found["StackId"],
        change_set_id=found["ChangeSetId"] if found["Status"] == "CREATE_COMPLETE" else None,
        is_new=is_new,
        changes=tuple(sorted(changes, key=lambda change: change.name)),
        tags=tags,
        capabilities=document.capabilities,
        identities=document.roles,
        template_size=document.size,
        template_url=url,
    )


def _change_of(change: Mapping[str, Any]) -> ResourceChange:
    """Reads https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ResourceChange.html."""
    policy = change.get("PolicyAction") or ""
    action: Action = "change"
    match change["Action"], change.get("Replacement"):
        case "Add", _:
            action = "create"
        case "Remove", _:
            action = "release" if policy == "Retain" else "remove"
        case "Import", _:
            action = "import"
        case _, "True":
            action = "replace"
        case _, "Conditional":
            action = "may replace"
    targets = [each.get("Target", {}) for each in change.get("Details", ())]
    names = {target.get("Name") or target.get("Attribute") for target in targets}
    return ResourceChange(
        action=action,
        name=change["LogicalResourceId"],
        type=change["ResourceType"],
        physical_id=change.get("PhysicalResourceId") or None,
        properties=tuple(sorted(name for name in names if name)) if action != "create" else (),
        keeps_old=policy in ("Retain", "ReplaceAndRetain"),
    )
