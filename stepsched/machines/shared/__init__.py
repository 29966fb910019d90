"""The one state machine that runs all jobs of a table, and the table's schema."""
