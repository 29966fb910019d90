"""The parts from which the definitions of jobs as Step Functions state machines are built."""
