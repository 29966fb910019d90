"""Scheduler and SchedulerFragment as templates. Tests bear the names of what the original constructs have."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import assertions
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as sfn

import stepsched as ss
from stepsched.backends.stepfunctions.stacks import metrics_output
from stepsched.cdk import JobSchedule, Scheduler, SchedulerFragment, target_of
from stepsched.deploy import HttpPart, template
from tests.cdk.conftest import ENVIRONMENT

MACHINE = "arn:aws:states:eu-west-1:123456789012:stateMachine:train"
TRAIN = ss.StateMachineTarget(MACHINE)
LANGUAGES = [
    pytest.param(sfn.QueryLanguage.JSON_PATH, id="JSONPath"),
    pytest.param(sfn.QueryLanguage.JSONATA, id="JSONata"),
]


def found(stack: cdk.Stack, kind: str, beginning: str = "") -> dict[str, Any]:
    """The properties of the only resource of a kind whose logical ID begins so."""
    resources = assertions.Template.from_stack(stack).find_resources(kind)
    (only,) = (each for name, each in resources.items() if name.startswith(beginning))
    return dict(only["Properties"])


def text_of(value: Any) -> str:
    """A text in which references stand as ``<...>``."""
    match value:
        case str():
            return value
        case {"Fn::Join": [separator, parts]}:
            return str(separator).join(text_of(part) for part in parts)
        case {"Ref": name}:
            return f"<{name}>"
        case {"Fn::GetAtt": [name, attribute]}:
            return f"<{name}.{attribute}>"
    raise AssertionError(value)


def definition(stack: cdk.Stack, beginning: str) -> dict[str, Any]:
    made = found(stack, "AWS::StepFunctions::StateMachine", beginning)
    return dict(json.loads(text_of(made["DefinitionString"])))


def allowed(stack: cdk.Stack, kind: str, beginning: str) -> dict[str, list[str]]:
    """The resources of each action of the policies of a role, or of one policy."""
    made = found(stack, kind, beginning)
    documents = [each["PolicyDocument"] for each in made.get("Policies", [made])]
    actions: dict[str, list[str]] = {}
    for statement in (each for document in documents for each in document["Statement"]):
        listed, resources = statement["Action"], statement["Resource"]
        for action in [listed] if isinstance(listed, str) else listed:
            actions.setdefault(action, []).extend(
                json.dumps(each) for each in (resources if isinstance(resources, list) else [resources])
            )
    return actions


def fragment_in(stack: cdk.Stack, language: sfn.QueryLanguage, **changes: Any) -> dict[str, Any]:
    """The states of a machine with a fragment."""
    scheduler = changes.pop("scheduler", None) or Scheduler(stack, "Scheduler")
    given: dict[str, Any] = {
        "schedule_for": "my schedule",
        "schedule_for_suffix": "$.group",
        "target": TRAIN,
        "schedule_path": "$.path.to.cron",
        "schedule_input_path": "$.input",
        "query_language": language,
        **changes,
    }
    fragment = SchedulerFragment(stack, scheduler=scheduler, **given)
    body = sfn.DefinitionBody.from_chainable(fragment)
    sfn.StateMachine(stack, "User", definition_body=body, query_language=language)
    return dict(definition(stack, "User")["States"])


def payload_of(states: dict[str, Any]) -> dict[str, Any]:
    (task,) = (each for each in states.values() if each["Type"] == "Task")
    return dict((task.get("Parameters") or task["Arguments"])["Input"])


# -- Scheduler ------------------------------------------------------------------------------------------


def test_the_resources_are_those_of_the_template(stack: cdk.Stack) -> None:
    Scheduler(stack, "Scheduler").grant_invoke(TRAIN)
    made = template([TRAIN], parts=["register"])["Resources"]
    resources = assertions.Template.from_stack(stack).to_json()["Resources"]
    kinds = sorted(each["Type"] for each in made.values())
    assert sorted(each["Type"] for each in resources.values()) == kinds
    for name, wanted in made.items():
        (logical,) = (
            each
            for each in resources
            if each.startswith(f"Scheduler{name}") and len(each) == len(f"Scheduler{name}") + 8
        )
        given, text = resources[logical]["Properties"], json.dumps(resources[logical])
        assert given.keys() >= wanted["Properties"].keys() - {"Definition", "DefinitionSubstitutions"}
        assert "AWS::StackName" not in text
        if "Definition" in wanted["Properties"]:
            steps = json.loads(text_of(given["DefinitionString"]))["States"]
            assert steps.keys() == wanted["Properties"]["Definition"]["States"].keys()
            assert "${" not in text


def test_a_scheduler_may_run_workflows(stack: cdk.Stack) -> None:
    scheduler = Scheduler(stack, "Scheduler", workflows=True)
    scheduler.grant_invoke(ss.targets.BatchTarget("report", job_queue="nightly"))
    role = iam.Role(stack, "Starter", assumed_by=iam.AccountRootPrincipal())
    scheduler.workflows.grant_start_execution(role)
    machine = definition(stack, "SchedulerWorkflows")
    made = template([], parts=["workflows"])["Resources"]["Workflows"]["Properties"]["Definition"]
    assert machine["States"].keys() == made["States"].keys()
    may = allowed(stack, "AWS::IAM::Role", "SchedulerWorkflowsRole")
    assert "job-queue/nightly" in "".join(may["batch:SubmitJob"])
    assert "-workflows" in "".join(
        allowed(stack, "AWS::IAM::Role", "SchedulerRunnerRole")["states:StartExecution"]
    )
    assert "-workflows" in "".join(allowed(stack, "AWS::IAM::Policy", "Starter")["states:StartExecution"])
    outputs = assertions.Template.from_stack(stack).to_json()["Outputs"]
    assert "-workflows" in json.dumps(outputs["SchedulerWorkflowsArn"])
    with pytest.raises(ValueError, match="has no machine that runs workflows; use workflows=True"):
        _ = Scheduler(stack, "Plain").workflows


def test_a_scheduler_may_take_one_shot_tasks_over_http(stack: cdk.Stack) -> None:
    options = HttpPart(secret="abc123", subscriber="https://example.com/tasks")
    Scheduler(stack, "Scheduler", http=options)
    whole = assertions.Template.from_stack(stack).to_json()
    resources, text = whole["Resources"], json.dumps(whole)
    made = template([TRAIN], http=options)["Resources"]
    assert sorted(each["Type"] for each in resources.values()) == sorted(
        each["Type"] for each in made.values()
    )
    assert "abc123" not in text
    assert "AWS::StackName" not in text
    given = found(stack, "AWS::ApiGateway::Method", "SchedulerHttpSchedule")["Integration"]
    wanted = made["HttpScheduleMethod"]["Properties"]["Integration"]
    assert given.keys() == wanted.keys()
    assert given["IntegrationResponses"] == wanted["IntegrationResponses"]
    assert given["RequestTemplates"].keys() == wanted["RequestTemplates"].keys()
    assert json.dumps(given["RequestTemplates"]).count("${SchedulerHttp") == len(wanted["RequestTemplates"])
    (deployment,) = (each for each in resources.values() if each["Type"] == "AWS::ApiGateway::Deployment")
    assert len(deployment["DependsOn"]) == 3
    assert found(stack, "AWS::SNS::Topic") == made["HttpTopic"]["Properties"]
    assert {"SchedulerHttpUrl", "SchedulerHttpTopicArn"} <= whole["Outputs"].keys()


def test_grant_invoke_allows_the_target_and_no_other_one(stack: cdk.Stack) -> None:
    scheduler = Scheduler(stack, "Scheduler")
    work = sfn.DefinitionBody.from_chainable(sfn.Pass(stack, "Work"))
    machine, queue = sfn.StateMachine(stack, "Machine", definition_body=work), sqs.Queue(stack, "Queue")
    for target in (machine, queue, machine):
        scheduler.grant_invoke(target)
    actions = allowed(stack, "AWS::IAM::Role", "SchedulerRunnerRole")
    logical = stack.resolve(machine.state_machine_arn)["Ref"]
    started = [each for each in actions["states:StartExecution"] if logical in each]
    assert len(started) == 1
    assert stack.resolve(queue.queue_arn)["Fn::GetAtt"][0] in "".join(actions["sqs:SendMessage"])
    assert "lambda:InvokeFunction" not in actions


def test_grant_invoke_allows_a_url_with_its_connection(stack: cdk.Stack) -> None:
    connection = "arn:aws:events:eu-west-1:123456789012:connection/hooks/0b64b4c9-7f0c-4ad6-8c0e-7e2f7a4f0c11"
    Scheduler(stack, "Scheduler").grant_invoke(
        ss.HttpTarget("https://example.com/hook", connection_arn=connection)
    )
    actions = allowed(stack, "AWS::IAM::Role", "SchedulerRunnerRole")
    assert actions["events:RetrieveConnectionCredentials"] == [json.dumps(connection)]
    assert actions["states:InvokeHTTPEndpoint"] == [json.dumps("*")]  # with conditions


def test_the_machine_may_stop_only_what_it_started(stack: cdk.Stack) -> None:
    """F3 of the original: executions of others were not excluded."""
    Scheduler(stack, "Scheduler").grant_invoke(TRAIN)
    actions = allowed(stack, "AWS::IAM::Role", "SchedulerRunnerRole")
    (stopped,) = actions["states:StopExecution"]
    assert ":execution:train:*" in stopped


@pytest.mark.parametrize(("sync", "overlap"), [(True, "skip"), (False, "allow")])
def test_sync_decides_on_overlap(stack: cdk.Stack, sync: bool, overlap: str) -> None:
    scheduler = Scheduler(stack, "Scheduler", sync=sync)
    job = payload_of(fragment_in(stack, sfn.QueryLanguage.JSON_PATH, scheduler=scheduler))
    assert overlap in json.dumps(job["registration"]["instructions"])


def test_members(stack: cdk.Stack) -> None:
    scheduler = Scheduler(stack, "Scheduler")
    scheduler.grant_invoke(TRAIN)
    assert scheduler.sync
    assert not scheduler.express
    arn = stack.resolve(scheduler.state_machine_arn)["Ref"]
    assert stack.resolve(scheduler.state_machine.state_machine_arn) == {"Ref": arn}
    assert stack.resolve(scheduler.scheduler_table.table_name)["Ref"].startswith("SchedulerTable")
    assert stack.resolve(scheduler.state_machine_name)["Fn::Select"][0] == 6
    assert text_of(stack.resolve(scheduler.register.state_machine_arn)).endswith(":jobs-scheduler-register")
    executions = json.dumps(stack.resolve(scheduler.state_machine_executions_arn))
    assert ":execution:" in executions
    assert executions.count(":*") == 1
    made = found(stack, "AWS::StepFunctions::StateMachine", "SchedulerRunner")
    assert made["StateMachineName"] == "jobs-scheduler"


def test_outputs_and_two_schedulers_in_one_stack(stack: cdk.Stack) -> None:
    for name in ("Scheduler", "Blue"):
        Scheduler(stack, name).grant_invoke(TRAIN)
    outputs = assertions.Template.from_stack(stack).to_json()["Outputs"]
    kinds = ("SchedulerTableName", "SchedulerStepFunctionArn", "SchedulerRegisterArn")
    assert outputs.keys() == {*kinds, *(f"Blue{kind}" for kind in kinds)}
    made = assertions.Template.from_stack(stack).find_resources("AWS::StepFunctions::StateMachine")
    names = [each["Properties"]["StateMachineName"] for each in made.values()]
    assert sorted(names) == ["jobs-blue", "jobs-blue-register", "jobs-scheduler", "jobs-scheduler-register"]


def test_a_client_finds_the_metrics_of_the_stack(stack: cdk.Stack) -> None:
    Scheduler(stack, "Scheduler", alarms=True).grant_invoke(TRAIN)
    outputs = assertions.Template.from_stack(stack).to_json()["Outputs"]
    assert outputs[metrics_output("SchedulerStepFunctionArn")]["Value"] == "stepsched"


def test_a_long_path_gives_a_name_that_aws_accepts(app: cdk.App) -> None:
    stack = cdk.Stack(app, "S" * 80, env=ENVIRONMENT)
    Scheduler(stack, "Scheduler", dashboard=True).grant_invoke(TRAIN)
    made = assertions.Template.from_stack(stack).find_resources("AWS::StepFunctions::StateMachine")
    assert all(len(each["Properties"]["StateMachineName"]) <= 80 for each in made.values())
    with pytest.raises(ValueError, match="expected a name of 1 to 71 characters"):
        Scheduler(stack, "Named", name="n" * 72)


def test_the_table_is_kept(stack: cdk.Stack) -> None:
    Scheduler(stack, "Scheduler").grant_invoke(TRAIN)
    Scheduler(stack, "Other", removal_policy=cdk.RemovalPolicy.DESTROY).grant_invoke(TRAIN)
    tables = assertions.Template.from_stack(stack).find_resources("AWS::DynamoDB::Table")
    assert [each["DeletionPolicy"] for each in tables.values()] == ["Retain", "Delete"]
    for each in tables.values():
        assert each["Properties"]["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}


def test_an_existing_table_is_used(stack: cdk.Stack) -> None:
    key = dynamodb.Attribute(name="name", type=dynamodb.AttributeType.STRING)
    own = dynamodb.Table(stack, "Own", partition_key=key)
    Scheduler(stack, "Scheduler", table=own).grant_invoke(TRAIN)
    Scheduler(stack, "Named", table="jobs-of-old").grant_invoke(TRAIN)
    assert len(assertions.Template.from_stack(stack).find_resources("AWS::DynamoDB::Table")) == 1
    logical = stack.resolve(own.table_name)["Ref"]
    read = allowed(stack, "AWS::IAM::Role", "SchedulerRunnerRole")["dynamodb:GetItem"]
    assert all(logical in each for each in read)
    assert f"<{logical}>" in json.dumps(definition(stack, "SchedulerRunner"))
    named = allowed(stack, "AWS::IAM::Role", "NamedRunnerRole")["dynamodb:GetItem"]
    assert all("table/jobs-of-old" in each for each in named)


def test_dashboard_alarms_and_metrics(stack: cdk.Stack) -> None:
    topic = sns.Topic(stack, "Topic")
    scheduler = Scheduler(stack, "Scheduler", alarms=True, alarm_topic=topic, dashboard=True)
    scheduler.grant_invoke(TRAIN)
    made = assertions.Template.from_stack(stack)
    alarms = made.find_resources("AWS::CloudWatch::Alarm")
    assert len(alarms) == 3
    for alarm in alarms.values():
        assert alarm["Properties"]["AlarmActions"] == [stack.resolve(topic.topic_arn)]
    board = json.dumps(found(stack, "AWS::CloudWatch::Dashboard"))
    for name in ("JobsCreated", "JobsDeleted"):
        assert name in board
    metrics = {
        "JobsCreated": scheduler.metric_jobs_created(),
        "JobsDeleted": scheduler.metric_jobs_deleted(),
        "RunsFailed": scheduler.metric_runs_failed(),
        "JobsLate": scheduler.metric_jobs_late(period=cdk.Duration.minutes(1)),
    }
    for name, metric in metrics.items():
        assert (metric.namespace, metric.metric_name) == ("stepsched", name)
        assert metric.dimensions == {"StateMachine": scheduler.state_machine_name}
    assert [metrics[name].statistic for name in ("JobsLate", "JobsCreated")] == ["Maximum", "Sum"]
    with pytest.raises(ValueError, match="expected alarms=True with alarm_topic"):
        Scheduler(stack, "Other", alarm_topic=topic)


def test_a_permissions_boundary_applies_to_all_roles(stack: cdk.Stack) -> None:
    Scheduler(stack, "Scheduler", dashboard=True).grant_invoke(TRAIN)
    boundary = iam.ManagedPolicy.from_aws_managed_policy_name("PowerUserAccess")
    iam.PermissionsBoundary.of(stack).apply(boundary)
    roles = assertions.Template.from_stack(stack).find_resources("AWS::IAM::Role")
    assert len(roles) == 4
    assert all("PermissionsBoundary" in each["Properties"] for each in roles.values())


def test_other_grants_reach_the_role(stack: cdk.Stack) -> None:
    scheduler = Scheduler(stack, "Scheduler")
    scheduler.grant_invoke(TRAIN)
    letters, topic = sqs.Queue(stack, "Letters"), sns.Topic(stack, "Topic")
    scheduler.grant_dead_letters(letters)
    scheduler.grant_notify(topic)
    sqs.Queue(stack, "Queue").grant_purge(scheduler)
    actions = allowed(stack, "AWS::IAM::Role", "SchedulerRunnerRole")
    assert stack.resolve(letters.queue_arn)["Fn::GetAtt"][0] in actions["sqs:SendMessage"][0]
    assert stack.resolve(topic.topic_arn)["Ref"] in actions["sns:Publish"][0]
    policy = found(stack, "AWS::IAM::Policy", "SchedulerRunnerGrants")
    assert policy["Roles"][0] is not None
    assert "sqs:PurgeQueue" in json.dumps(policy)


def test_a_scheduler_of_another_stack(stack: cdk.Stack) -> None:
    arn = "arn:aws:states:eu-west-1:123456789012:stateMachine:other"
    imported = Scheduler.from_scheduler_attributes(
        stack, "Other", table_name="jobs", state_machine_arn=arn, register_arn=f"{arn}-register", sync=False
    )
    states = fragment_in(stack, sfn.QueryLanguage.JSON_PATH, scheduler=imported)
    assert states["Create Schedule For My Schedule"]["Parameters"]["StateMachineArn"] == f"{arn}-register"
    assert imported.state_machine_executions_arn == f"{arn.replace('stateMachine', 'execution')}:*"
    assert len(assertions.Template.from_stack(stack).find_resources("AWS::StepFunctions::StateMachine")) == 1


# -- SchedulerFragment ----------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_states_have_the_names_of_the_original(stack: cdk.Stack, language: sfn.QueryLanguage) -> None:
    states = fragment_in(stack, language)
    assert set(states) == {
        "Check if My Schedule Schedule Required",
        "Create Schedule For My Schedule",
        "My Schedule Schedule Not Required",
    }
    (choice,) = states["Check if My Schedule Schedule Required"]["Choices"]
    if language is sfn.QueryLanguage.JSON_PATH:
        assert choice == {
            "Variable": "$.path.to.cron",
            "IsPresent": True,
            "Next": "Create Schedule For My Schedule",
        }
        assert states["Create Schedule For My Schedule"]["ResultPath"] is None
    else:
        assert choice["Condition"] == "{% $exists($states.input.path.to.cron) %}"
        assert states["Create Schedule For My Schedule"]["Output"] == "{% $states.input %}"


def test_the_construct_id_is_that_of_the_original(stack: cdk.Stack) -> None:
    fragment_in(stack, sfn.QueryLanguage.JSON_PATH)
    assert stack.node.try_find_child("Schedule my schedule") is not None


@pytest.mark.parametrize(
    ("language", "suffix", "member"),
    [
        pytest.param(
            sfn.QueryLanguage.JSON_PATH,
            "$.group",
            {"name.$": "States.Format('my-schedule-{}', $.group)"},
            id="path",
        ),
        pytest.param(sfn.QueryLanguage.JSON_PATH, "'suffix'", {"name": "my-schedule-suffix"}, id="quoted"),
        pytest.param(sfn.QueryLanguage.JSON_PATH, "suffix", {"name": "my-schedule-suffix"}, id="bare"),
        pytest.param(sfn.QueryLanguage.JSONATA, "suffix", {"name": "my-schedule-suffix"}, id="JSONata bare"),
        pytest.param(
            sfn.QueryLanguage.JSONATA,
            "$.group",
            {"name": "{% 'my-schedule-' & $states.input.group %}"},
            id="JSONata path",
        ),
        pytest.param(
            sfn.QueryLanguage.JSONATA,
            "{% $uppercase($states.input.group) %}",
            {"name": "{% 'my-schedule-' & ($uppercase($states.input.group)) %}"},
            id="JSONata expression",
        ),
    ],
)
def test_the_name_of_the_task(
    stack: cdk.Stack, language: sfn.QueryLanguage, suffix: str, member: dict[str, str]
) -> None:
    payload = payload_of(fragment_in(stack, language, schedule_for_suffix=suffix))
    assert member.items() <= payload.items()


@pytest.mark.parametrize(
    "inputs", [{}, {"schedule_input_path": "$.a", "schedule_input": {}}], ids=["none", "both"]
)
def test_both_or_neither_input_is_refused(stack: cdk.Stack, inputs: dict[str, Any]) -> None:
    words = "schedule_input_path or schedule_input must be provided, not both"
    with pytest.raises(ValueError, match=f"^{words}$"):
        fragment_in(stack, sfn.QueryLanguage.JSON_PATH, **{"schedule_input_path": "", **inputs})


@pytest.mark.parametrize("language", LANGUAGES)
def test_derived_input_mixes_with_static_input(stack: cdk.Stack, language: sfn.QueryLanguage) -> None:
    given = {"static": None, "deep": {"list": [None, 1], "derived.$": "$.a.b[0]"}}
    payload = payload_of(fragment_in(stack, language, schedule_input_path=None, schedule_input=given))
    if language is sfn.QueryLanguage.JSON_PATH:
        assert payload["input"] == given
    else:
        derived = "{% $states.input.a.b[0] %}"
        assert payload["input"] == {"static": None, "deep": {"list": [None, 1], "derived": derived}}


@pytest.mark.parametrize("language", LANGUAGES)
def test_input_path_passes_the_input_through(stack: cdk.Stack, language: sfn.QueryLanguage) -> None:
    payload = payload_of(fragment_in(stack, language))
    key, value = ("input.$", "$.input")
    if language is sfn.QueryLanguage.JSONATA:
        key, value = ("input", "{% $states.input.input %}")
    assert payload[key] == value


@pytest.mark.parametrize("language", LANGUAGES)
def test_policies_of_the_job_are_typed(stack: cdk.Stack, language: sfn.QueryLanguage) -> None:
    topic, letters = sns.Topic(stack, "Topic"), sqs.Queue(stack, "Letters")
    payload = payload_of(
        fragment_in(
            stack,
            language,
            timezone="Europe/Paris",
            retry=ss.Retry(max_attempts=7),
            overlap=ss.Overlap.QUEUE,
            jitter=timedelta(seconds=59),
            notify=topic,
            dead_letter=letters,
            max_run_time=timedelta(hours=1),
            tags={"odd": "{% $states %}"},
        )
    )
    literal = payload["registration"]
    assert literal["zone"]["name"] == "Europe/Paris"
    text = json.dumps(literal["job"]).replace("\\", "")
    for part in (
        "PT59S",
        '"max_attempts":7',
        "queue",
        "PT1H",
        stack.resolve(topic.topic_arn)["Ref"],
    ):
        assert part in text
    runner = allowed(stack, "AWS::IAM::Role", "SchedulerRunnerRole")
    assert stack.resolve(letters.queue_arn)["Fn::GetAtt"][0] in runner["sqs:SendMessage"][0]
    assert runner["sns:Publish"]
    # No text of the job is an expression of the user's machine.
    expressions = [part for part in strings(literal) if part.startswith("{%")]
    assert (expressions == []) == (language is sfn.QueryLanguage.JSON_PATH)
    for each in expressions:
        assert "$states" not in each.replace("\\u007b% $states %\\u007d", "")


def strings(value: Any) -> list[str]:
    match value:
        case str():
            return [value]
        case dict():
            return [text for item in value.values() for text in strings(item)]
        case list():
            return [text for item in value for text in strings(item)]
    return []


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_machine_of_the_user_is_allowed_by_itself(stack: cdk.Stack, language: sfn.QueryLanguage) -> None:
    fragment_in(stack, language)
    actions = allowed(stack, "AWS::IAM::Policy", "UserRoleDefaultPolicy")
    assert set(actions) == {
        "states:StartExecution",
        "states:DescribeExecution",
        "states:StopExecution",
        "events:PutTargets",
        "events:PutRule",
        "events:DescribeRule",
    }
    assert all("jobs-scheduler-register" in each for each in actions["states:StartExecution"])


def test_two_fragments_with_one_subject_have_ids_of_their_own(stack: cdk.Stack) -> None:
    scheduler = Scheduler(stack, "Scheduler")
    given: dict[str, Any] = {
        "schedule_for": "train",
        "schedule_for_suffix": "$.group",
        "scheduler": scheduler,
        "target": TRAIN,
        "schedule_path": "$.cron",
        "schedule_input_path": "$",
    }
    one = SchedulerFragment(stack, **given)
    two = SchedulerFragment(stack, "Second", **given).prefix_states("Second: ")
    body = sfn.DefinitionBody.from_chainable(one.next(two))
    sfn.StateMachine(stack, "User", definition_body=body)
    assert len(definition(stack, "User")["States"]) == 6


def test_a_machine_may_schedule_itself_by_name(stack: cdk.Stack) -> None:
    """No cycle of references between the machine, the runner's role and the register."""
    arn = stack.format_arn(
        service="states",
        resource="stateMachine",
        resource_name="own",
        arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
    )
    own = sfn.StateMachine.from_state_machine_arn(stack, "Own", arn)
    fragment_in(stack, sfn.QueryLanguage.JSON_PATH, target=own)


@pytest.mark.parametrize(
    ("language", "changes", "words"),
    [
        (sfn.QueryLanguage.JSON_PATH, {"schedule_path": "path"}, "expected a path that begins with"),
        (sfn.QueryLanguage.JSONATA, {"schedule_path": "path"}, "expected a path such as"),
        (sfn.QueryLanguage.JSONATA, {"schedule_path": "$.a ~> $eval"}, "expected a path such as"),
    ],
)
def test_what_cannot_be_read_is_refused(
    stack: cdk.Stack, language: sfn.QueryLanguage, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        fragment_in(stack, language, **changes)


# -- Tasks ----------------------------------------------------------------------------------------------


def test_scheduled_tasks_have_the_arguments_of_the_original(stack: cdk.Stack) -> None:
    scheduler = Scheduler(stack, "Scheduler")
    scheduler.grant_invoke(TRAIN)
    failed = sfn.Fail(stack, "Failed")
    made = [
        getattr(scheduler, f"{verb}_scheduled_task").state(
            stack, verb, failure_state=failed, errors=["States.Timeout"], max_attempts=3
        )
        for verb in ("create", "read", "update", "delete")
    ]
    chain = sfn.Chain.start(made[0])
    for each in made[1:]:
        chain = chain.next(each)
    sfn.StateMachine(stack, "User", definition_body=sfn.DefinitionBody.from_chainable(chain))
    states = definition(stack, "User")["States"]
    for verb in ("create", "update"):
        assert states[verb]["Parameters"]["Input.$"] == "$"
    for verb in ("read", "delete"):
        assert states[verb]["Parameters"]["Input"] == {"name.$": "$.name", "action": verb}
    for verb in ("create", "read", "update", "delete"):
        assert states[verb]["OutputPath"] == "$.Output"
        assert states[verb]["Retry"] == [{"ErrorEquals": ["States.Timeout"], "MaxAttempts": 3}]
        assert states[verb]["Catch"][0]["ResultPath"] == "$.statesError"


def test_scheduled_tasks_in_jsonata(stack: cdk.Stack) -> None:
    scheduler = Scheduler(stack, "Scheduler")
    language = sfn.QueryLanguage.JSONATA
    job = ss.Job(name="sample", schedule=ss.Cron("* * * * ? *"), target=TRAIN)
    create = scheduler.create_scheduled_task.state(stack, "Create", job=job, query_language=language)
    read = scheduler.read_scheduled_task.state(stack, "Read", query_language=language)
    whole = scheduler.update_scheduled_task.state(stack, "Whole", query_language=language)
    body = sfn.DefinitionBody.from_chainable(create.next(read).next(whole))
    sfn.StateMachine(stack, "User", definition_body=body, query_language=language)
    states = definition(stack, "User")["States"]
    given = states["Create"]["Arguments"]["Input"]
    assert given["schedule"] == "{% $states.input.schedule %}"
    assert given["registration"]["zone"]["name"] == "UTC"
    assert states["Read"]["Arguments"]["Input"] == {"name": "{% $states.input.name %}", "action": "read"}
    assert states["Whole"]["Arguments"]["Input"] == "{% $states.input %}"
    assert {each["Output"] for each in states.values()} == {"{% $states.result.Output %}"}


# -- JobSchedule on a Scheduler -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schedule", "written", "end"),
    [
        (ss.Cron("0 9 * * ? *", timezone="Europe/Paris"), ("cron(0 9 * * ? *)", "Europe/Paris"), None),
        (ss.Rate(timedelta(minutes=5)), ("rate(5 minutes)", None), None),
        (ss.OneTime("2099-01-01T09:00"), ("at(2099-01-01T09:00:00)", "UTC"), "2099-01-01T09:00:00.000Z"),
    ],
    ids=["cron", "rate", "one-time"],
)
def test_a_job_of_the_app_is_handed_to_the_register(
    stack: cdk.Stack, schedule: Any, written: tuple[str, str | None], end: str | None
) -> None:
    scheduler = Scheduler(stack, "Scheduler", express=True)
    queue = sqs.Queue(stack, "Queue")
    job = ss.Job(name="known", schedule=schedule, target=target_of(queue), input={"n": None})
    every = cdk.Duration.hours(1)
    made = JobSchedule(stack, "Job", job=job, scheduler=scheduler, ensure_every=every)
    properties = found(stack, "AWS::Scheduler::Schedule")
    assert properties["ScheduleExpression"] == "rate(60 minutes)"
    assert properties.get("EndDate") == end
    assert text_of(properties["Target"]["Arn"]).endswith(":jobs-scheduler-register")
    given = json.loads(text_of(properties["Target"]["Input"]))
    assert (given["name"], given["schedule"], given.get("timezone")) == ("known", *written)
    assert stack.resolve(queue.queue_arn)["Fn::GetAtt"][0] in json.dumps(given["registration"])
    assert allowed(stack, "AWS::IAM::Role", "SchedulerStarterRole").keys() == {"states:StartExecution"}
    assert made.role is scheduler.starter
    assert (
        found(stack, "AWS::StepFunctions::StateMachine", "SchedulerRegister")["StateMachineType"] == "EXPRESS"
    )


def test_what_the_register_cannot_read_is_refused(stack: cdk.Stack) -> None:
    scheduler = Scheduler(stack, "Scheduler")
    job = ss.Job(name="job", schedule=ss.Cron("0 9 * * ? *", start="2099-01-01T00:00Z"), target=TRAIN)
    with pytest.raises(ss.UnsupportedError, match="cannot read the schedule"):
        JobSchedule(stack, "A", job=job, scheduler=scheduler)
    with pytest.raises(ValueError, match="expected none of schedule_group, role"):
        JobSchedule(stack, "B", job=job, scheduler=scheduler, schedule_group="x")


# -- An Express register --------------------------------------------------------------------------------


def express_branch(call: dict[str, Any]) -> dict[str, Any]:
    """The states of the only branch of a call, in order up to the check, by what their names end with."""
    (branch,) = call["Branches"]
    steps = branch["States"]
    assert steps[branch["StartAt"]].get("Next", branch["StartAt"]) in steps
    return {name.rpartition(" ")[2]: step for name, step in steps.items()}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_fragment_calls_an_express_register(stack: cdk.Stack, language: sfn.QueryLanguage) -> None:
    states = fragment_in(stack, language, scheduler=Scheduler(stack, "Scheduler", express=True))
    call = states["Create Schedule For My Schedule"]
    steps = express_branch(call)
    assert list(steps) == ["Input", "Start", "Check", "Failed", "Answer"]
    start = steps["Start"]
    assert start["Resource"].endswith(":states:::aws-sdk:sfn:startSyncExecution")
    given = start.get("Parameters") or start["Arguments"]
    assert given["StateMachineArn"].endswith(":jobs-scheduler-register")
    if language is sfn.QueryLanguage.JSON_PATH:
        assert given["Input.$"] == "States.JsonToString($)"
        assert steps["Input"]["Parameters"]["input.$"] == "$.input"
        assert call["ResultPath"] is None
    else:
        assert given["Input"] == "{% $string($states.input) %}"
        assert steps["Input"]["Output"]["input"] == "{% $states.input.input %}"
        assert call["Output"] == "{% $states.input %}"
    actions = allowed(stack, "AWS::IAM::Policy", "UserRoleDefaultPolicy")
    assert actions.keys() == {"states:StartSyncExecution"}
    assert all("jobs-scheduler-register" in each for each in actions["states:StartSyncExecution"])


@pytest.mark.parametrize("language", LANGUAGES)
def test_tasks_call_an_express_register(stack: cdk.Stack, language: sfn.QueryLanguage) -> None:
    scheduler = Scheduler(stack, "Scheduler", express=True)
    scheduler.grant_invoke(TRAIN)
    failed = sfn.Fail(stack, "Failed", query_language=language)
    whole = scheduler.create_scheduled_task.state(
        stack, "Whole", query_language=language, failure_state=failed, errors=["Stepsched.Conflict"]
    )
    body = sfn.DefinitionBody.from_chainable(whole)
    sfn.StateMachine(stack, "User", definition_body=body, query_language=language)
    call = definition(stack, "User")["States"]["Whole"]
    assert list(express_branch(call)) == ["Start", "Check", "Failed", "Answer"]
    assert call["Retry"] == [{"ErrorEquals": ["Stepsched.Conflict"]}]
    assert call["Catch"][0]["Next"] == "Failed"
    if language is sfn.QueryLanguage.JSON_PATH:
        assert (call["ResultSelector"], call["OutputPath"]) == ({"Output.$": "$[0]['Output']"}, "$.Output")
    else:
        assert call["Output"] == "{% $states.result.Output %}"


@pytest.mark.parametrize(("express", "action"), [(False, "StartExecution"), (True, "StartSyncExecution")])
def test_a_machine_written_otherwise_is_granted_the_call(
    stack: cdk.Stack, express: bool, action: str
) -> None:
    scheduler = Scheduler(stack, "Scheduler", express=express)
    fragment = SchedulerFragment(
        stack,
        schedule_for="a",
        schedule_for_suffix="b",
        scheduler=scheduler,
        target=TRAIN,
        schedule_path="$.cron",
        schedule_input={},
    )
    sfn.StateMachine(stack, "First", definition_body=sfn.DefinitionBody.from_chainable(fragment))
    other = sfn.DefinitionBody.from_chainable(sfn.Pass(stack, "Other"))
    fragment.grant(sfn.StateMachine(stack, "User", definition_body=other))
    assert f"states:{action}" in allowed(stack, "AWS::IAM::Policy", "UserRoleDefaultPolicy")


def test_a_scheduler_without_a_target_is_refused_at_synthesis(app: cdk.App, stack: cdk.Stack) -> None:
    Scheduler(stack, "Scheduler")
    with pytest.raises(Exception, match="grant_invoke"):
        app.synth()
