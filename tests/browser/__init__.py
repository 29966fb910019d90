"""The page in a real browser: the stage ``browser`` of the gate runs them in an environment of their own."""
