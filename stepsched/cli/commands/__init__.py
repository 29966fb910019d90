"""The commands of ``stepsched``, a module for each topic. ``COMMANDS`` of a module lists them in the order of
the help."""
