"""The command ``import-dataset-group``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

import stepsched as ss
from stepsched.cli.failures import Failure
from stepsched.cli.solutions.commands import pass_stack, show
from stepsched.cli.solutions.jobs import JobTasks
from stepsched.cli.solutions.personalize import requests
from stepsched.cli.solutions.stacks import Stack

if TYPE_CHECKING:
    from stepsched.cli.solutions.personalize.live import LiveDatasetGroup

FUNCTION_OUTPUT, BUCKET_OUTPUT = "CreateConfigFunctionArn", "PersonalizeBucketName"
"""The outputs of a stack of the AWS Solutions scheduler that this command uses."""
_LONGEST_FUNCTION = 900
"""The longest that a function of Lambda may take, in seconds."""
_SHOWN_ANSWER = 500
"""How many characters of an answer that is no JSON are shown."""


class Wanted(NamedTuple):
    """What a command line asks for; every value of it is valid."""

    dataset_group: str
    path: str
    import_schedule: str | None
    solutions: Mapping[str, Mapping[str, str]]
    """The schedules ``full`` and ``update`` by the name of the solution."""
    stored: Mapping[str, Any] | None
    """A configuration whose schedules are taken too. None: there is none."""


def _path(_ctx: click.Context, _parameter: click.Parameter, path: str) -> str:
    wrong = requests.path_mistake(path)
    if wrong is not None:
        raise click.BadParameter(wrong)
    return path


def _expression(_ctx: click.Context, _parameter: click.Parameter, text: str | None) -> str | None:
    try:
        return None if text is None else requests.checked_expression(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def _schedules(
    _ctx: click.Context, _parameter: click.Parameter, texts: Sequence[str]
) -> list[tuple[str, str]]:
    try:
        pairs = [requests.split_schedule(text) for text in texts]
        return [(solution, requests.checked_expression(expression)) for solution, expression in pairs]
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def _configuration(
    _ctx: click.Context, _parameter: click.Parameter, path: Path | None
) -> Mapping[str, Any] | None:
    from stepsched.cli.solutions.personalize.configuration import mistakes_of

    if path is None:
        return None
    try:
        document: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise click.BadParameter(f"cannot read {path}: {error}") from error
    mistakes = mistakes_of(document)
    if mistakes:
        raise click.BadParameter("; ".join(mistakes))
    return document


@click.command("import-dataset-group")
@click.option("-d", "--dataset-group", required=True, help="The name of the dataset group.")
@click.option(
    "-p",
    "--path",
    required=True,
    callback=_path,
    help="The key of the configuration in the bucket of the stack: train/....json.",
)
@click.option(
    "-i", "--import-schedule", callback=_expression, help="The cron( ) schedule of the dataset import."
)
@click.option(
    "-f",
    "--full-schedule",
    "full",
    multiple=True,
    callback=_schedules,
    metavar="SOLUTION@SCHEDULE",
    help="The cron( ) schedule of the full training of a solution. May be repeated.",
)
@click.option(
    "-u",
    "--update-schedule",
    "update",
    multiple=True,
    callback=_schedules,
    metavar="SOLUTION@SCHEDULE",
    help="The cron( ) schedule of the training of a solution by an update. May be repeated.",
)
@click.option(
    "--config",
    "stored",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    callback=_configuration,
    help="A file with a configuration, whose schedules are taken too: also of batch jobs.",
)
@click.option("--dry-run", is_flag=True, help="Print the configuration or the jobs, and change nothing.")
@pass_stack
def import_dataset_group(
    stack: Stack,
    dataset_group: str,
    path: str,
    import_schedule: str | None,
    full: Sequence[tuple[str, str]],
    update: Sequence[tuple[str, str]],
    stored: Mapping[str, Any] | None,
    *,
    dry_run: bool,
) -> None:
    """Schedule the imports and trainings of a dataset group of Amazon Personalize.

    A stack of the AWS Solutions scheduler writes the configuration of the dataset group into its bucket, from
    which it makes the tasks. A stack of stepsched gets jobs that call Amazon Personalize.
    """
    try:
        solutions = requests.solution_schedules(full=full, update=update)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    wanted = Wanted(dataset_group, path, import_schedule, solutions, stored)
    if FUNCTION_OUTPUT in stack.outputs or BUCKET_OUTPUT in stack.outputs:
        _write_configuration(stack, wanted, dry_run=dry_run)
    else:
        _make_jobs(stack, wanted, dry_run=dry_run)


# -- A stack of the AWS Solutions scheduler ------------------------------------------------------------------


def _write_configuration(stack: Stack, wanted: Wanted, *, dry_run: bool) -> None:
    """Lets the function of the stack make the configuration, and writes it into the bucket of the stack."""
    from stepsched.aws.sdk import mapped

    function, bucket = stack.output(FUNCTION_OUTPUT), stack.output(BUCKET_OUTPUT)
    configuration = _configuration_of_function(stack, function, wanted)
    _refuse_mistakes(wanted.dataset_group, configuration)
    if wanted.stored is not None:
        configuration = _with_stored(configuration, wanted)
    if dry_run:
        show(configuration)
        return
    with mapped("sts", "GetCallerIdentity"):
        account = stack.client("sts").get_caller_identity()["Account"]
    with mapped("s3", "PutObject"):
        stack.client("s3").put_object(
            Bucket=bucket,
            Key=wanted.path,
            Body=json.dumps(configuration, indent=2).encode(),
            ContentType="application/json",
            ExpectedBucketOwner=account,
        )
    click.echo(f"The configuration of {wanted.dataset_group} is in s3://{bucket}/{wanted.path}", err=True)


def _configuration_of_function(stack: Stack, function: str, wanted: Wanted) -> dict[str, Any]:
    from stepsched.aws.sdk import mapped

    event = requests.event_of(
        wanted.dataset_group, import_schedule=wanted.import_schedule, solutions=wanted.solutions
    )
    with mapped("lambda", "Invoke"):
        client = stack.client("lambda", read_timeout=_LONGEST_FUNCTION)
        answer = client.invoke(FunctionName=function, Payload=json.dumps(event).encode())
        text = answer["Payload"].read().decode(errors="replace")
    failure = f"Could not generate configuration for {wanted.dataset_group}"
    try:
        document = json.loads(text)
    except ValueError as error:
        raise Failure(f"{failure}: the function answered no JSON: {text[:_SHOWN_ANSWER]}") from error
    is_object = isinstance(document, dict)
    if "FunctionError" in answer:
        raise Failure(f"{failure}: {document.get('errorMessage', text) if is_object else text}")
    if not is_object:
        raise Failure(f"{failure}: the function answered {text[:_SHOWN_ANSWER]}")
    made: dict[str, Any] = document
    return made


def _refuse_mistakes(dataset_group: str, configuration: Mapping[str, Any]) -> None:
    from stepsched.cli.solutions.personalize.configuration import mistakes_of

    mistakes = mistakes_of(configuration)
    if mistakes:
        raise Failure(f"the configuration of {dataset_group} cannot be used: {'; '.join(mistakes)}")


def _with_stored(configuration: Mapping[str, Any], wanted: Wanted) -> dict[str, Any]:
    """Returns a configuration with the schedules of the file, and then those of the options, which win."""
    from stepsched.cli.solutions.personalize.configuration import with_schedules_of, with_training_schedules

    made = dict(configuration) if wanted.stored is None else with_schedules_of(configuration, wanted.stored)
    made = with_training_schedules(made, import_schedule=wanted.import_schedule, solutions=wanted.solutions)
    _refuse_mistakes(wanted.dataset_group, made)
    return made


# -- A stack of stepsched ------------------------------------------------------------------------------------


def _make_jobs(stack: Stack, wanted: Wanted, *, dry_run: bool) -> None:
    """Makes the configuration of what Personalize has, and the jobs that it asks for."""
    from stepsched.cli.solutions.personalize.jobs import jobs_of, removed_tasks
    from stepsched.cli.solutions.personalize.live import read_dataset_group

    client = _client_of(stack)
    live = read_dataset_group(stack.client("personalize"), wanted.dataset_group)
    configuration = _with_stored(live.configuration, wanted)
    jobs = jobs_of(configuration, live)
    if dry_run:
        show([job.model_dump(mode="json") for job in jobs])
        return
    removed = _existing(client, removed_tasks(configuration, live))
    plan = _plan(client, jobs)
    client.apply(plan)
    for name in removed:
        client.cancel(name)
    _say_what_is_left_out(live, jobs, removed)
    changed = [change.name for change in plan.update]
    for name in sorted([*changed, *plan.unchanged]):
        if client.get(name).status.value == "paused":
            click.echo(f"{name} stays paused; `activate -t {name}` resumes it", err=True)
    show(
        {
            "datasetGroup": wanted.dataset_group,
            "created": [job.name for job in plan.create],
            "updated": changed,
            "unchanged": list(plan.unchanged),
            "removed": removed,
        }
    )


def _client_of(stack: Stack) -> ss.SchedulerClient:
    """Returns the client of a stack of stepsched.

    Raises:
        Failure: The stack is of the AWS Solutions scheduler, whose machine starts state machines only.
    """
    tasks = stack.tasks()
    if not isinstance(tasks, JobTasks):
        raise Failure(f"could not find output with key {FUNCTION_OUTPUT} in stack")
    return tasks.client


def _plan(client: ss.SchedulerClient, jobs: Sequence[ss.Job]) -> ss.jobs.Plan:
    """Plans the jobs; all are checked.

    Raises:
        Failure: The state machine of the stack cannot make a call.
    """
    from stepsched.cli.solutions.personalize.jobs import permissions_of

    try:
        return client.plan(jobs)
    except ss.UnsupportedError as error:
        raise Failure(
            f"{error}. With --dry-run this command prints the jobs whose targets the template needs, with "
            f"resources={json.dumps(permissions_of(jobs))}"
        ) from error


def _existing(client: ss.SchedulerClient, names: Sequence[str]) -> list[str]:
    """Returns those of the names that jobs have."""
    stored = {record.name for record in client.iterate()} if names else ()
    return [name for name in names if name in stored]


def _say_what_is_left_out(live: LiveDatasetGroup, jobs: Sequence[ss.Job], removed: Sequence[str]) -> None:
    from stepsched.cli.solutions.personalize.jobs import never_imported

    if not jobs and not removed:
        click.echo(f"No schedule is given for {live.name}, so there is nothing to do", err=True)
    if any(job.name.startswith("personalize-dataset-import-") for job in jobs):
        for kind in never_imported(live):
            click.echo(f"The {kind} of {live.name} have never been imported, so they are left out", err=True)
