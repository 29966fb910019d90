"""Calls to URLs: signatures by the Standard Webhooks scheme, the addresses that may be called, sending."""
