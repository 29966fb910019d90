"""Commands about money and permissions: ``estimate`` and ``iam``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

import stepsched as ss
from stepsched.cli.declaring import Group, command
from stepsched.cli.input.job_files import files_argument, jobs_of
from stepsched.cli.input.parameters import INSTANT, RESOURCES, TASK_ROLES, read_resources
from stepsched.cli.output.views import View
from stepsched.cli.session import Session, pass_session
from stepsched.cli.wording import visible_json

if TYPE_CHECKING:
    from stepsched.estimates.usage import BackendName
    from stepsched.jobs import Job

_MONTH = timedelta(days=30)
_BACKENDS: dict[str, BackendName] = {
    "eventbridge": "EventBridgeBackend",
    "stepfunctions": "StepFunctionsBackend",
    "local": "LocalBackend",
}
_ROLE = "arn:aws:iam::123456789012:role/scheduler"
_ACCOUNT = click.option("--account", metavar="ID", help="The number of the AWS account, 12 digits.")
_PARTITION = click.option(
    "--partition", metavar="NAME", default="aws", show_default=True, help="The partition of AWS."
)


# -- estimate ------------------------------------------------------------------------------------------


@command(
    "estimate",
    is_offline=True,
    has_region=True,
    examples=(
        "stepsched estimate jobs.yaml",
        "stepsched estimate aws.yaml --backend-kind stepfunctions --until now+1d",
    ),
)
@files_argument
@click.option("--since", type=INSTANT, help="The beginning, inclusive; now, if not given.")
@click.option("--until", type=INSTANT, help="The end, inclusive; 30 days after the beginning, if not given.")
@click.option(
    "--backend-kind",
    type=click.Choice(tuple(_BACKENDS)),
    help="The kind of backend that runs all jobs; the first that can run a job, if not given.",
)
@pass_session
def estimate(
    session: Session,
    files: Sequence[str],
    since: datetime | None,
    until: datetime | None,
    backend_kind: str | None,
) -> None:
    """Estimate the costs of jobs, and what they ask of quotas.

    Prices and quotas are those of the package, with their dates; --region chooses the quotas of a Region.
    """
    from stepsched.core.instants import later_by

    begin = since or session.now().replace(microsecond=0)
    end = until or later_by(begin, _MONTH)
    if end < begin:
        raise click.UsageError(
            f"expected --until at or after {begin.isoformat()}, the beginning, got {end.isoformat()}"
        )
    quotas = ss.estimates.QUOTAS if session.region is None else ss.estimates.Quotas.of_region(session.region)
    found = ss.estimate(
        jobs_of(files),
        begin,
        end,
        backend=None if backend_kind is None else _BACKENDS[backend_kind],
        quotas=quotas,
    )
    session.show(
        View(document=lambda: found.model_dump(mode="json"), names=tuple(found.by_job), text=str(found))
    )


# -- iam -----------------------------------------------------------------------------------------------


@command(
    "policy",
    is_offline=True,
    has_region=True,
    examples=(
        "stepsched iam policy aws.yaml",
        "stepsched iam policy aws.yaml --dead-letter-arn arn:aws:sqs:eu-west-1:123456789012:failed",
    ),
)
@files_argument
@_ACCOUNT
@_PARTITION
@click.option("--dead-letter-arn", metavar="ARN", help="The queue for failed runs of jobs without one.")
@click.option("--kms-key-arn", metavar="ARN", help="The key that encrypts the schedules.")
@TASK_ROLES
@RESOURCES
@pass_session
def policy(
    session: Session,
    *,
    files: Sequence[str],
    account: str | None,
    partition: str,
    dead_letter_arn: str | None,
    kms_key_arn: str | None,
    task_roles: Sequence[str],
    resources: Sequence[str],
) -> None:
    """Print the least permissions with which a role runs jobs of files.

    It is the execution role of jobs on EventBridge Scheduler. Jobs that run in a process of yours need no
    permission. --account and --region complete the resources that are given by name.
    """
    document = ss.iam.policy_for(
        _invoked_by_aws(session, jobs_of(files)),
        dead_letter_arn=dead_letter_arn,
        kms_key_arn=kms_key_arn,
        task_roles=task_roles,
        resources=read_resources(resources),
        account=account,
        region=session.region,
        partition=partition,
    )
    _show(session, document)


def _invoked_by_aws(session: Session, jobs: Sequence[Job]) -> list[Job]:
    """Returns the jobs whose targets are in AWS, and says which others there are.

    Raises:
        UsageError: There is none.
    """
    here = [job.name for job in jobs if isinstance(job.target, (ss.HandlerTarget, ss.CommandTarget))]
    if len(here) == len(jobs):
        raise click.UsageError(
            "expected a job with a target in AWS, got only jobs that run in a process of yours, and need no "
            f"permission: {_listed(here)}"
        )
    if here:
        session.tell(f"left out, since they run in a process of yours: {_listed(here)}")
    return [job for job in jobs if job.name not in here]


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")


@command(
    "trust",
    is_offline=True,
    has_region=True,
    examples=(
        "stepsched iam trust --account 123456789012 --region eu-west-1",
        "stepsched iam trust --account 123456789012 --region eu-west-1 --group reports",
    ),
)
@_ACCOUNT
@_PARTITION
@click.option("--group", metavar="NAME", default="*", help="The group of the jobs; any, if not given.")
@pass_session
def trust(session: Session, account: str | None, partition: str, group: str) -> None:
    """Print who may use the role that runs jobs.

    That is EventBridge Scheduler, for one account.
    """
    place = _place(session, account)
    _show(session, ss.iam.trust_policy(**place, group=group, partition=partition))


@command(
    "client",
    is_offline=True,
    has_region=True,
    examples=tuple(
        f"stepsched iam client --account 123456789012 --region eu-west-1 --role {_ROLE}{group}"
        for group in ("", " --group reports")
    ),
)
@_ACCOUNT
@_PARTITION
@click.option(
    "--role",
    "role_arns",
    metavar="ARN",
    multiple=True,
    required=True,
    help="A role that the client may give to jobs. May be repeated.",
)
@click.option(
    "--group",
    "groups",
    metavar="NAME",
    multiple=True,
    help="A group of jobs; any, if not given. May be repeated.",
)
@click.option("--dead-letter-arn", metavar="ARN", help="The queue from which failed runs are read.")
@click.option("--kms-key-arn", metavar="ARN", help="The key that encrypts the schedules.")
@pass_session
def client(
    session: Session,
    *,
    account: str | None,
    partition: str,
    role_arns: Sequence[str],
    groups: Sequence[str],
    dead_letter_arn: str | None,
    kms_key_arn: str | None,
) -> None:
    """Print the permissions of who creates, changes and cancels jobs."""
    place = _place(session, account)
    document = ss.iam.client_policy(
        **place,
        role_arns=role_arns,
        groups=groups or ("*",),
        partition=partition,
        dead_letter_arn=dead_letter_arn,
        kms_key_arn=kms_key_arn,
    )
    _show(session, document)


def _place(session: Session, account: str | None) -> dict[str, str]:
    """Returns the account and the Region.

    Raises:
        UsageError: One of them is missing.
    """
    if account is None or session.region is None:
        raise click.UsageError("expected --account and --region; use --account ID --region NAME")
    return {"account": account, "region": session.region}


def _show(session: Session, document: Mapping[str, Any]) -> None:
    text = visible_json(json.dumps(document, indent=2, ensure_ascii=False))
    session.show(View(document=lambda: document, text=text))


iam = Group(
    "iam",
    sections={"Commands": (policy, trust, client)},
    help="Print policies of AWS Identity and Access Management.",
)
COMMANDS = (estimate, iam)
