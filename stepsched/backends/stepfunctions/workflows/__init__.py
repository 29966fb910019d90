"""The workflows of :class:`StepFunctionsBackend`.

- :mod:`rows`: rows of the table
- :mod:`checks`, :mod:`definitions`: what is refused; how definitions are stored
- :mod:`flows`: runs and the states of their steps
- :mod:`drivers`, :mod:`work`: the executions that drive runs; the jobs and executions that do the work of
steps
- :mod:`changes`: restarts, skips and cancellations
- :mod:`takeover`: the tables of the AWS Batch scheduler
- :mod:`store`: all of it, as the port of :class:`WorkflowClient` wants it
"""
