"""The client of workflows for programs with an event loop."""

from __future__ import annotations

import asyncio

import pytest

import stepsched as ss
from stepsched.testing.contract.workflows.lab import Fail, Hold, Ok
from stepsched.workflows import WorkflowRun
from tests.unit.workflows.conftest import MemoryLab


def test_a_run_is_awaited_while_the_loop_goes_on(lab: MemoryLab) -> None:
    async def main() -> tuple[WorkflowRun, int]:
        flows = ss.AsyncWorkflowClient(lab.backend)
        run = await flows.start(lab.flow(lab.step("a", Hold()), lab.step("b", needs=["a"])))
        waits = asyncio.create_task(flows.wait(run, progress=lambda _: None))
        turns = 0
        while not waits.done():
            turns += 1
            if turns == 5:
                lab.release("a")
            await asyncio.sleep(0.001)
        return await waits, turns

    run, turns = asyncio.run(main())
    assert run.status.value == "succeeded"
    assert turns >= 5


def test_the_verbs_are_those_of_the_other_client(lab: MemoryLab) -> None:
    async def main() -> None:
        flows = ss.AsyncWorkflowClient(lab.backend)
        assert repr(flows) == f"AsyncWorkflowClient({lab.backend!r})"
        run = await flows.wait(await flows.start(lab.flow(lab.step("a", Fail(), Ok()))))
        assert (await flows.plan_restart(run)).names(ss.workflows.RestartAction.RUN) == ("a",)
        assert (await flows.wait(await flows.restart(run))).status.value == "succeeded"
        assert [each.id for each in await flows.runs(lab.name)] == [run.id]
        with pytest.raises(ss.errors.WorkflowNotFoundError):
            await flows.get("nothing-like-it")
        held = await flows.start(lab.flow(lab.step("b", Hold())))
        with pytest.raises(ss.errors.WaitTimeoutError):
            await flows.wait(held, timeout=0)

    asyncio.run(main())


def test_a_block_starts_and_closes_the_backend() -> None:
    async def main() -> ss.workflows.WorkflowRun:
        step = ss.Step("count", target=ss.HandlerTarget(lambda: 3))
        async with ss.AsyncWorkflowClient() as flows:
            run = await flows.wait(await flows.start(ss.Workflow("nightly", steps=[step])), timeout=30)
        with pytest.raises(ss.BackendError, match="CLOSED"):
            await flows.list()
        return run

    assert asyncio.run(main()).by_name["count"].result == 3
