"""Tests of calls to URLs."""
