"""Dataset groups of Amazon Personalize: what their configurations say, and the jobs that they ask for.

- ``configuration``: the schedules of a configuration and its mistakes
- ``requests``: the arguments of ``import-dataset-group``, and the event of the function that answers a
  configuration
- ``live``: reads a dataset group by Personalize's own calls
- ``jobs``: the jobs of a configuration
"""
