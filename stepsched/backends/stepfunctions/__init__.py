"""Jobs as executions of one Step Functions machine, with a DynamoDB table as their store.

``rows`` says jobs and runs as rows of the table and back, and ``table`` keeps them. ``instructions`` says
what the runner needs to know of a job; ``service`` asks Step Functions for executions, whose ``histories``
tell how a run went. ``executions`` starts, stops and looks up the executions of jobs, ``recovery`` acts where
one has ended unexpectedly, ``runs`` lists what they have done, ``repairs`` goes through all jobs, and
``backend`` is the port.
"""

from stepsched.backends.stepfunctions.backend import StepFunctionsBackend as StepFunctionsBackend
