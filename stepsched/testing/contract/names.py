"""Tests names that are long, or have other characters than ``A-Z a-z 0-9 - _ .``. No run has to start."""

from __future__ import annotations

import pytest

import stepsched as ss
from stepsched.backends.base import Backend
from stepsched.testing.contract.fixtures import MakeJob, refused

NAMES = {
    "long": "n" * 256,
    "of another scheduler": "solution-maintenance-full-" + "n" * 63,
    "with a space": "nightly report",
    "with wildcards": "100%_a*?[b]",
    "like a path": "team/../report",
    "like code": "{% $x %}' OR 1=1 --",
    "like a context attribute": "<aws.scheduler.execution-id>",
    "not ASCII": "café 夜間 \N{ROCKET}",
}
"""Names of jobs, which a backend with the capability ``any_name`` accepts."""


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES.keys())
def test_every_verb_accepts_the_name_or_it_is_refused(
    client: ss.SchedulerClient, backend: Backend, job: MakeJob, name: str
) -> None:
    other = job(name[:-1] + "x")
    if not backend.capabilities.any_name:
        with refused(backend, name):
            client.create(job(name))
        assert client.list() == []
        return
    client.create(other)
    assert client.create(job(name)).name == name
    with pytest.raises(ss.JobExistsError):
        client.create(job(name, input=1))
    assert client.get(name).job == job(name)
    assert [record.name for record in client.list()] == sorted([name, other.name])
    assert [record.name for record in client.list(name_prefix=name)] == [name]
    assert client.list(name_prefix="x" + name) == []
    assert client.pause(name).status is ss.JobStatus.PAUSED
    assert client.resume(name).status is ss.JobStatus.ACTIVE
    assert client.update(job(name, input=1)).version == 2
    if client.backend.capabilities.keeps_versions:
        assert [old.job for old in client.versions(name)] == [job(name)]
    assert client.run_now(name).job == name
    if client.backend.capabilities.keeps_runs:
        assert [run.job for run in client.runs(name)] == [name]
    assert client.apply([job(name), other], prune=True).cancel == ()
    assert client.repair() == []
    assert client.cancel(name).job == job(name)
    with pytest.raises(ss.JobNotFoundError):
        client.get(name)
    assert client.list() == [client.get(other.name)]
    assert client.create(job(name)).version == 1


@pytest.mark.parametrize("name", [*NAMES.values(), "a\nb", " a", "n" * 257, "", "\ud800"], ids=ascii)
def test_a_name_that_no_job_has_is_not_found(client: ss.SchedulerClient, job: MakeJob, name: str) -> None:
    client.create(job())
    verbs = (client.get, client.pause, client.resume, client.cancel, client.run_now, client.versions)
    for verb in verbs:
        with pytest.raises(ss.JobNotFoundError) as missing:
            verb(name)
        assert missing.value.name == name
    if name:
        assert client.list(name_prefix=name) == []
    assert [record.name for record in client.list()] == ["job"]
