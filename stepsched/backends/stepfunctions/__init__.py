"""Jobs as executions of one Step Functions machine, with a DynamoDB table as their store.

So far the store: ``rows`` says a job as rows of the table and back, ``table`` keeps them.
"""
