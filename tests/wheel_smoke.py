"""Run by the gate against the installed wheel, without extras and far from the checkout."""

from datetime import datetime, timedelta, timezone
from importlib.metadata import distribution, requires, version
from importlib.resources import files

import stepsched as ss

assert version("stepsched") == ss.__version__
assert (files("stepsched") / "py.typed").is_file()
about = distribution("stepsched")
assert about.metadata["License-Expression"] == "Apache-2.0"
assert "Copyright 2026 The stepsched authors" in (about.read_text("licenses/LICENSE") or "")
for name in ss.__all__:
    getattr(ss, name)

start = datetime(2030, 1, 1, tzinfo=timezone.utc)
backend = ss.LocalBackend(clock=ss.testing.FakeClock(start))
client = ss.SchedulerClient(backend)
client.create(ss.Job(name="j", schedule=ss.Cron("0 9 * * ? *"), target=ss.HandlerTarget(lambda: "ran")))
assert backend.run_until(start + timedelta(days=3)) == 3
assert [run.output for run in client.runs("j")] == ['"ran"'] * 3
backend.close()
print(f"stepsched {ss.__version__} works from its wheel; it requires {requires('stepsched')}")
