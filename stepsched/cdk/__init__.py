"""Constructs for the AWS CDK: jobs, schedulers and queues as parts of a stack, without a Lambda function.

- :class:`Scheduler`: a table of jobs, the state machine that runs them, and the register.
- :class:`SchedulerFragment`: the part of a state machine that creates a job from its input.
- :class:`JobSchedule`: a job that is known when the app is written.
- :class:`FanOut`: a queue, and a job that fills it.
- :func:`arn_of`, :func:`target_of`: resources of the app in jobs.

Requires the extra ``cdk``: ``pip install 'stepsched[cdk]'``.
"""

from stepsched.cdk.arns import arn_of, target_of
from stepsched.cdk.fan_out import FanOut
from stepsched.cdk.fragment import SchedulerFragment
from stepsched.cdk.job_schedule import JobSchedule
from stepsched.cdk.scheduler import BaseScheduler, Scheduler
from stepsched.cdk.tasks import ScheduledTask

__all__ = [
    "BaseScheduler",
    "FanOut",
    "JobSchedule",
    "ScheduledTask",
    "Scheduler",
    "SchedulerFragment",
    "arn_of",
    "target_of",
]


def __dir__() -> list[str]:
    return __all__
