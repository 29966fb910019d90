"""Errors, values, payloads, context attributes, the clock and threads. Nothing here depends on scheduling."""
