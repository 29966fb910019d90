"""What imports cost, in fresh interpreters."""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
from importlib.util import find_spec

from measuring import Section, Target, duration, progress, table, times

_UNWANTED = ("boto3", "botocore", "croniter", "dateutil")
_MODEL = "`import pydantic`, and a model of one field"
_WHOLE = "`import stepsched`, and `Cron`, `Job`, `SchedulerClient`"
_IMPORTS = {
    "nothing": "",
    "`import pydantic`": "import pydantic",
    _MODEL: ("import pydantic\nclass Model(pydantic.BaseModel):\n    field: int"),
    "`import stepsched`": "import stepsched",
    "`import stepsched`, and `Cron`, `Rate`, `OneTime`, `Windowed`": (
        "import stepsched as s; s.Cron; s.Rate; s.OneTime; s.Windowed"
    ),
}


def imports(count: int) -> Section:
    """The CPU time of fresh interpreters, in alternation."""
    codes = dict(_IMPORTS)
    for name in ("`import stepsched`", list(_IMPORTS)[-1]):
        loads = f"{codes[name]}; import sys; print([m for m in {_UNWANTED!r} if m in sys.modules])"
        loaded = _fresh(loads, check=True).stdout.strip()
        assert loaded == "[]", f"{name} loads {loaded}"
    if find_spec("stepsched.jobs") and find_spec("stepsched.client"):
        code = "import stepsched as s; s.Cron; s.Job; s.SchedulerClient"
        if _fresh(code, check=False).returncode == 0:
            codes[_WHOLE] = code
    seconds: dict[str, list[float]] = {name: [] for name in codes}
    for number in range(count):
        if not number % 10:
            progress(f"imports: round {number + 1} of {count}")
        for name, code in codes.items():
            begun = _children()
            _fresh(code, check=True)
            seconds[name].append(_children() - begun)
    median = {name: statistics.median(all_) for name, all_ in seconds.items()}
    pydantic = median["`import pydantic`"]
    rows = [
        [name, duration(value), duration(value - median["nothing"]), times(value / pydantic)]
        for name, value in median.items()
    ]
    head = ["a fresh interpreter with", "CPU, median", "over nothing", "of `import pydantic`"]
    ratio = median["`import stepsched`"] / pydantic
    targets = [Target("`import stepsched`: at most 1.3 × `import pydantic`", times(ratio), ratio <= 1.3)]
    if _WHOLE in median:
        ratio = median[_WHOLE] / median[_MODEL]
        text = "`Cron`, `Job`, `SchedulerClient`: at most 1.3 × a pydantic model"
        targets.append(Target(text, times(ratio), ratio <= 1.3))
    note = f"\n\n`import stepsched` and the four schedules load none of {', '.join(_UNWANTED)}."
    return Section("Import", table(head, rows) + note, targets)


def _fresh(code: str, *, check: bool) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=check)


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
