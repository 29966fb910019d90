"""Facts about AWS: its services, their names and requests. Data and pure functions.

Models are loaded from botocore on first use; nothing here calls AWS.
"""
