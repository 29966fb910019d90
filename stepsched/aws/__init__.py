"""What AWS is like: its services, their requests, and what they are called. Data and pure functions.

Models load from botocore on first use; nothing here calls AWS.
"""
