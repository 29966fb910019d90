"""Jobs as executions of one Step Functions machine, with a DynamoDB table as their store.

- ``rows``: converts jobs and runs to rows of the table, and back.
- ``table``: reads and writes the rows.
- ``instructions``: builds the instructions of a job for the runner.
- ``service``: calls Step Functions.
- ``histories``: reads from the history of an execution how a run ended.
- ``executions``: starts, stops and looks up the executions of jobs.
- ``decisions`` and ``recovery``: recover jobs and runs whose execution ended unexpectedly.
- ``repairs``: finds and repairs problems of all jobs.
- ``runs``: lists runs.
- ``backend``: implements the port.
"""

from stepsched.backends.stepfunctions.backend import StepFunctionsBackend as StepFunctionsBackend
