"""Jobs as state machines of Step Functions: what their definitions are made of."""
