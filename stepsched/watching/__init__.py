"""Watches the jobs of a backend: what is read, what it looks like, and the loop that shows it again."""
