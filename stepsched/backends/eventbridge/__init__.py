"""EventBridge Scheduler: the service is the store, one schedule a job."""

from stepsched.backends.eventbridge.backend import EventBridgeBackend as EventBridgeBackend
from stepsched.backends.eventbridge.dead_letters import DeadLetter as DeadLetter
from stepsched.backends.eventbridge.metrics import Metric as Metric
