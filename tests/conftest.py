"""The plugin is loaded here and not by its entry point, so that coverage sees it."""

pytest_plugins = ["stepsched.pytest_plugin", "pytester"]
