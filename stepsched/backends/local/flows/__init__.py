"""Workflows on the embedded backend.

A step that starts becomes a hidden job with one run, which the engine plays as any other: claims, retries,
timeouts, commands and the end of processes are the engine's. The transaction that ends this run also writes
the step and starts what follows.
"""
