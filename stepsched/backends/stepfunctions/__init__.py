"""Jobs as executions of one Step Functions machine, with a DynamoDB table as their store.

The parts, not yet a backend: ``rows`` says a job as rows of the table and back, ``table`` keeps them,
``orders`` says what the machine has to know of a job, and ``runner`` is the machine.
"""
