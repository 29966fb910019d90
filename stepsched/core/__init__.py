"""Errors, values, payloads, context attributes, the clock and threads: no word of scheduling."""
