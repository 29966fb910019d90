"""The documentation site: the stage ``site`` of the gate runs them in an environment of their own."""
