"""Jobs as executions of one Step Functions machine, with a DynamoDB table as their store.

``rows`` says jobs and runs as rows of the table and back, ``table`` keeps them in the ``shape`` that it has.
``orders`` says what the machine has to know of a job, and ``runner`` is the machine; ``service`` asks Step
Functions for executions, whose ``histories`` tell how a run went. ``lives`` starts, ends and mends the
executions of jobs, ``runs`` lists what they have done, ``repairs`` looks through all of them, and ``backend``
is the port.
"""

from stepsched.backends.stepfunctions.backend import StepFunctionsBackend as StepFunctionsBackend
