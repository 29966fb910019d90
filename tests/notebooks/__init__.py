"""What notebooks show, and notebooks for readers: the stage ``notebooks`` of the gate runs them in an
environment of their own."""
