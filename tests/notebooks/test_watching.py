"""A watch and a progress bar in a real kernel: one output that is replaced, until the stop button."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.manager import AsyncKernelManager, start_new_async_kernel

PATIENCE = 60
SETUP = """
import time
import stepsched as ss
from stepsched.display.progress import reporting

backend = ss.LocalBackend()
client = ss.SchedulerClient(backend)
every = ss.Cron("0 9 * * ? *", timezone="Europe/Paris")
def fail():
    time.sleep(1)  # until the watch has begun
    raise ValueError("the disk is full")

once = ss.Retry(max_attempts=0)
client.create(ss.Job(name="<report>", schedule=every, target=ss.HandlerTarget(fail), retry=once))
"""


class Ended(NamedTuple):
    """How a cell ended."""

    status: str
    shown: list[tuple[str, dict[str, Any]]]
    """The kinds of its outputs, and the outputs."""

    def of(self, *kinds: str) -> list[dict[str, Any]]:
        return [content for kind, content in self.shown if kind in kinds]


class Kernel:
    """A kernel, in which cells run."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, manager: AsyncKernelManager, client: AsyncKernelClient
    ) -> None:
        self._loop, self._manager, self._client = loop, manager, client

    def run(self, code: str, *, stop_after: int | None = None) -> Ended:
        """Runs a cell.

        Args:
            code: The cell.
            stop_after: The number of outputs after which the stop button is pressed. None: never.
        """
        return self._loop.run_until_complete(self._run(code, stop_after))

    async def _run(self, code: str, stop_after: int | None) -> Ended:
        self._client.execute(code)
        shown = list[tuple[str, dict[str, Any]]]()
        while True:
            message = await self._client.get_iopub_msg(timeout=PATIENCE)
            kind, content = message["msg_type"], message["content"]
            if kind == "status" and content["execution_state"] == "idle":
                break
            if kind not in ("status", "execute_input"):
                shown.append((kind, content))
                if len(shown) == stop_after:
                    await self._manager.interrupt_kernel()
        reply = await self._client.get_shell_msg(timeout=PATIENCE)
        return Ended(reply["content"]["status"], shown)


@pytest.fixture(scope="module")
def kernel() -> Iterator[Kernel]:
    loop = asyncio.new_event_loop()
    manager, client = loop.run_until_complete(start_new_async_kernel(kernel_name="python3"))
    try:
        made = Kernel(loop, manager, client)
        assert made.run(SETUP).status == "ok"
        yield made
    finally:
        client.stop_channels()
        loop.run_until_complete(manager.shutdown_kernel(now=True))
        loop.close()


@pytest.mark.parametrize(
    "code",
    [
        pytest.param("client.watch(interval=0.3)", id="sync"),
        pytest.param("await ss.AsyncSchedulerClient(backend).watch(interval=0.3)", id="in the running loop"),
    ],
)
def test_the_stop_button_ends_a_watch_without_an_error_and_the_picture_stays(
    code: str, kernel: Kernel
) -> None:
    assert kernel.run("client.run_now('<report>'); backend.start()").status == "ok"
    ended = kernel.run(code, stop_after=8)
    assert ended.status == "ok"
    assert ended.of("error", "stream") == []
    (first,) = ended.of("display_data")
    updates = ended.of("update_display_data")
    assert {each["transient"]["display_id"] for each in (first, *updates)} == {
        first["transient"]["display_id"]
    }
    last = updates[-1]["data"]["text/html"]
    assert "&lt;report&gt;" in last
    assert "the disk is full" in last
    assert not {"<script", "<pre", "<input"} & {last[at : at + 7] for at in range(len(last))}
    assert kernel.run("client.list()").status == "ok"


def test_a_cancellation_that_is_not_the_stop_button_is_no_quiet_end(kernel: Kernel) -> None:
    ended = kernel.run(
        "import asyncio\n"
        "watching = asyncio.create_task(ss.AsyncSchedulerClient(backend).watch(interval=0.3))\n"
        "await asyncio.sleep(1)\n"
        "watching.cancel()\n"
        "await asyncio.wait([watching])\n"
        "print(watching.cancelled())\n"
        "try:\n"
        "    await asyncio.wait_for(ss.AsyncSchedulerClient(backend).watch(interval=0.3), 1)\n"
        "except asyncio.TimeoutError:\n"
        "    print('in time')"
    )
    assert "".join(each["text"] for each in ended.of("stream")) == "True\nin time\n"


def test_after_the_stop_button_the_cell_goes_on_and_can_be_stopped_again(kernel: Kernel) -> None:
    ended = kernel.run(
        "await ss.AsyncSchedulerClient(backend).watch(interval=0.3)\n"
        "print(asyncio.current_task().cancelling())\n"
        "await ss.AsyncSchedulerClient(backend).watch(interval=0.3, timeout=1)\n"
        "print('it goes on')",
        stop_after=3,
    )
    assert ended.of("error") == []
    assert "".join(each["text"] for each in ended.of("stream")) == "0\nit goes on\n"


def test_a_picture_is_one_output(kernel: Kernel) -> None:
    ended = kernel.run("client.watch(timeout=0)")
    assert (ended.status, [kind for kind, _ in ended.shown]) == ("ok", ["display_data"])


def test_a_bar_is_one_output(kernel: Kernel) -> None:
    ended = kernel.run(
        "with reporting(None, 20) as tell:\n"
        "    for done in range(21):\n"
        "        time.sleep(0.05)\n"
        "        tell(done)"
    )
    assert ended.of("stream") == []
    assert len(ended.of("display_data")) == 1
    assert ended.of("update_display_data")[-1]["data"]["text/html"].endswith(" 20 of 20</div>")
