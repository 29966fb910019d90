"""A CDK app: a state machine that schedules another one, and a nightly job.

``pip install 'stepsched[cdk]'``, run ``cdk bootstrap`` once for an account and Region, then ``cdk deploy`` in
this folder.
"""

from datetime import timedelta

import aws_cdk as cdk
from aws_cdk import aws_stepfunctions as sfn

import stepsched as ss
from stepsched.cdk import JobSchedule, Scheduler, SchedulerFragment, target_of


class ReportsStack(cdk.Stack):
    """Trains models on the schedule that a configuration names."""

    def __init__(self, scope: cdk.App, name: str) -> None:
        super().__init__(scope, name)
        work = sfn.Pass(self, "Work")
        train = sfn.StateMachine(self, "Train", definition_body=sfn.DefinitionBody.from_chainable(work))

        scheduler = Scheduler(self, "Scheduler", sync=True)
        scheduler.grant_invoke(train)

        # A machine of yours: its input says when the other one runs.
        schedule = SchedulerFragment(
            self,
            schedule_for="train models",
            schedule_for_suffix="$.group",
            scheduler=scheduler,
            target=train,
            schedule_path="$.schedules.train",
            schedule_input={"kind": "full", "group.$": "$.group"},
            timezone="Europe/Paris",
            retry=ss.Retry(max_attempts=2),
        )
        configure = sfn.StateMachine(
            self, "Configure", definition_body=sfn.DefinitionBody.from_chainable(schedule)
        )

        # A job that is known already, on EventBridge Scheduler.
        nightly = ss.Job(
            name="nightly",
            schedule=ss.Cron("30 2 * * ? *", timezone="Europe/Paris"),
            target=target_of(train),
            input={"kind": "update"},
            jitter=timedelta(minutes=10),
        )
        JobSchedule(self, "Nightly", job=nightly)
        cdk.CfnOutput(self, "ConfigureArn", value=configure.state_machine_arn)


app = cdk.App()
ReportsStack(app, "reports")
app.synth()
