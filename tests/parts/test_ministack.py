"""The emulator part itself: schedules fire when the clock is moved, accounts are apart, loopback only."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from tests.gate import ROOT
from tests.parts import ministack as part
from tests.parts import server_part
from tests.parts.environments import PartFailedError, PartMissingError
from tests.parts.ministack import Ministack, clients, delete_schedules, running
from tests.parts.ministack_launcher import Sweep

START = datetime(2030, 1, 1, 12, tzinfo=timezone.utc)
SECOND, MINUTE, HOUR, DAY = (timedelta(seconds=seconds) for seconds in (1, 60, 3_600, 86_400))
ROLE = "arn:aws:iam::000000000001:role/scheduler"

Client = Callable[[str], Any]


class Place:
    """An account with a queue that schedules send their names to."""

    def __init__(self, server: Ministack, client: Client) -> None:
        self.scheduler = client("scheduler")
        self._server = server
        self._sqs = client("sqs")
        self._queue = self._sqs.create_queue(QueueName="fired")["QueueUrl"]
        attributes = self._sqs.get_queue_attributes(QueueUrl=self._queue, AttributeNames=["QueueArn"])
        self._arn = attributes["Attributes"]["QueueArn"]

    def schedule(self, name: str, expression: str, **more: Any) -> None:
        self.scheduler.create_schedule(**self._request(name, expression), **more)

    def update(self, name: str, expression: str, **more: Any) -> None:
        self.scheduler.update_schedule(**self._request(name, expression), **more)

    def jump(self, instant: datetime) -> list[str]:
        """Which schedules fired, and told so before the call that moved the clock was back."""
        self._server.set_time(instant)
        return self.fired()

    def fired(self) -> list[str]:
        """Which schedules have fired since this was last asked; each only once."""
        names = list[str]()
        while messages := self._sqs.receive_message(QueueUrl=self._queue, WaitTimeSeconds=0).get("Messages"):
            for message in messages:
                names.append(message["Body"])
                self._sqs.delete_message(QueueUrl=self._queue, ReceiptHandle=message["ReceiptHandle"])
        return names

    def names(self) -> list[str]:
        return [schedule["Name"] for schedule in self.scheduler.list_schedules()["Schedules"]]

    def _request(self, name: str, expression: str) -> dict[str, Any]:
        return {
            "Name": name,
            "ScheduleExpression": expression,
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "Target": {"Arn": self._arn, "RoleArn": ROLE, "Input": name},
        }


@pytest.fixture(scope="module")
def server() -> Iterator[Ministack]:
    with running() as server:
        yield server


@pytest.fixture
def make_place(server: Ministack) -> Iterator[Callable[[], Place]]:
    server.set_time(START)
    with ExitStack() as stack:

        def make() -> Place:
            place = Place(server, stack.enter_context(clients(server, server.new_account())))
            stack.callback(delete_schedules, place.scheduler)
            return place

        yield make


@pytest.fixture
def place(make_place: Callable[[], Place]) -> Place:
    return make_place()


def test_rate_fires_on_jumps_of_its_interval(place: Place) -> None:
    place.schedule("hourly", "rate(1 hour)")
    assert place.jump(START + 30 * MINUTE) == []
    assert place.jump(START + HOUR + MINUTE) == ["hourly"]
    assert place.jump(START + HOUR + 30 * MINUTE) == []
    assert place.jump(START + 2 * HOUR + 2 * MINUTE) == ["hourly"]


def test_the_sweep_of_a_jump_and_the_usual_one_take_turns() -> None:
    inside, seen = list[None](), list[int]()

    def look() -> None:
        seen.append(len(inside))
        inside.append(None)
        threading.Event().wait(0.05)
        inside.pop()

    sweep = Sweep(look)
    threads = [threading.Thread(target=sweep) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [0, 0, 0]


def test_daily_cron_fires_at_its_time(place: Place) -> None:
    place.schedule("daily", "cron(0 9 * * ? *)")
    for day in (START + DAY, START + 2 * DAY):
        assert place.jump(day.replace(hour=8, minute=59)) == []
        assert place.jump(day.replace(hour=9)) == ["daily"]


def test_one_time_schedule_fires_once_and_is_gone(place: Place) -> None:
    place.schedule("once", f"at({START + 2 * DAY:%Y-%m-%dT%H:%M:%S})", ActionAfterCompletion="DELETE")
    place.schedule("kept", f"at({START + 2 * DAY:%Y-%m-%dT%H:%M:%S})")
    assert place.jump(START + 2 * DAY - MINUTE) == []
    assert sorted(place.names()) == ["kept", "once"]
    assert sorted(place.jump(START + 2 * DAY)) == ["kept", "once"]
    assert place.names() == ["kept"]
    assert place.jump(START + 4 * DAY) == []


def test_disabled_schedule_does_not_fire(place: Place) -> None:
    place.schedule("hourly", "rate(1 hour)", State="DISABLED")
    assert place.jump(START + DAY) == []


def test_update_keeps_when_it_last_fired(place: Place) -> None:
    place.schedule("daily", "cron(0 9 * * ? *)")
    assert place.jump(START + HOUR) == []
    place.update("daily", "cron(0 9 * * ? *)", State="DISABLED")
    assert place.jump(START + DAY) == []
    place.update("daily", "cron(0 9 * * ? *)")
    assert place.jump(START + DAY + SECOND) == ["daily"]


def test_one_jump_fires_once(place: Place) -> None:
    place.schedule("hourly", "rate(1 hour)")
    place.schedule("daily", "cron(0 9 * * ? *)")
    assert sorted(place.jump(START + 10 * DAY)) == ["daily", "hourly"]


def test_cron_with_a_start_needs_a_stop_there(place: Place) -> None:
    place.schedule("passed", "cron(0 9 * * ? *)", StartDate=START + DAY)
    assert place.jump(START + 2 * DAY) == []
    place.schedule("seen", "cron(0 9 * * ? *)", StartDate=START + 3 * DAY)
    assert place.jump(START + 3 * DAY) == ["passed"]
    assert sorted(place.jump(START + 4 * DAY)) == ["passed", "seen"]


def test_name_that_has_fired_does_not_fire_again(place: Place) -> None:
    place.schedule("once", f"at({START + HOUR:%Y-%m-%dT%H:%M:%S})")
    assert place.jump(START + HOUR) == ["once"]
    place.scheduler.delete_schedule(Name="once")
    place.schedule("once", f"at({START + DAY:%Y-%m-%dT%H:%M:%S})")
    assert place.jump(START + DAY) == []


def test_accounts_do_not_see_each_other(make_place: Callable[[], Place]) -> None:
    one, other = make_place(), make_place()
    one.schedule("hourly", "rate(1 hour)")
    assert one.names() == ["hourly"]
    assert other.names() == []
    assert other.jump(START + DAY) == []
    assert one.fired() == ["hourly"]


def test_clock_runs_on_from_where_it_is_set(server: Ministack, place: Place) -> None:
    place.schedule("new", "rate(1 hour)")
    created = place.scheduler.get_schedule(Name="new")["CreationDate"]
    assert START <= created <= server.now() < START + MINUTE
    server.reset_time()
    assert server.now() < START


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_listens_on_loopback_only(server: Ministack) -> None:
    assert server.listening() == [("127.0.0.1", int(server.endpoint_url.rpartition(":")[2]))]


@pytest.mark.skipif(sys.byteorder != "little", reason="written down on a little-endian machine")
@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("0100007F:1F90", ("127.0.0.1", 8080)),
        ("00000000:22B3", ("0.0.0.0", 8883)),
        ("00000000000000000000000001000000:0050", ("::1", 80)),
        ("00000000000000000000000000000000:0050", ("::", 80)),
    ],
)
def test_addresses_are_read(written: str, read: tuple[str, int]) -> None:
    assert server_part._address(written) == read


def test_address_that_others_reach_is_refused(server: Ministack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(server, "listening", lambda: [("127.0.0.1", 4566), ("0.0.0.0", 8883)])
    with pytest.raises(PartFailedError, match=r"listens on 0\.0\.0\.0"):
        server._listens()


@pytest.mark.parametrize("host", [{}, {"BIND_HOST": "0.0.0.0"}])
def test_launcher_refuses_other_addresses(host: dict[str, str], tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-I", str(part.LAUNCHER)],
        env={"STEPSCHED_CLOCK": str(tmp_path), **host},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=part.PATIENCE,
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stderr.startswith("BIND_HOST must be 127.0.0.1")


def test_missing_environment_says_how_to_make_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(part, "PYTHON", tmp_path / "python")
    with pytest.raises(PartMissingError, match=r"ministack==.* python3 tests/gate.py"):
        Ministack()


@pytest.mark.parametrize("program", ["raise SystemExit('early')", "import time; time.sleep(60)"])
def test_server_that_does_not_come_up_is_reported(
    program: str, server: Ministack, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    launcher = tmp_path / "launcher.py"
    launcher.write_text(program)
    monkeypatch.setattr(part, "LAUNCHER", launcher)
    monkeypatch.setattr(server_part, "PATIENCE", 1)
    broken = Ministack()
    with pytest.raises(PartFailedError, match="early" if "early" in program else "not ready after 1 s"):
        broken.__enter__()
    broken.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_server_ends_with_its_starter(server: Ministack) -> None:
    """Also if the starter is killed, as a worker is that hangs."""
    program = (
        "import time; from tests.parts.ministack import Ministack\n"
        "with Ministack() as server:\n"
        "    print(server._running.pid, server._folder, flush=True)\n"
        "    time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as starter:
        assert starter.stdout is not None
        pid, folder = starter.stdout.readline().split()
        starter.kill()
    deadline = time.monotonic() + part.PATIENCE
    while _runs(int(pid)):
        assert time.monotonic() < deadline, "the server outlived its starter"
        threading.Event().wait(0.02)
    for path in Path(folder).iterdir():
        path.unlink()
    Path(folder).rmdir()


WAITS = """
import time
from pathlib import Path


def handler(paths, context):
    Path(paths["begun"]).touch()
    while not Path(paths["released"]).exists():
        time.sleep(0.02)
"""


def test_leaving_ends_it_also_while_a_function_runs(tmp_path: Path) -> None:
    """By itself: who is told by a signal waits for what its threads wait for."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("waits.py", WAITS)
    begun, released = tmp_path / "begun", tmp_path / "released"
    try:
        with Ministack() as server, clients(server, server.new_account()) as client:
            function = client("lambda").create_function(
                FunctionName="waits",
                Runtime="python3.12",
                Role=ROLE,
                Handler="waits.handler",
                Code={"ZipFile": packed.getvalue()},
                Timeout=600,
            )
            task = {"Type": "Task", "Resource": function["FunctionArn"], "End": True}
            definition = json.dumps({"StartAt": "Wait", "States": {"Wait": task}})
            states = client("stepfunctions")
            made = states.create_state_machine(name="waits", definition=definition, roleArn=ROLE)
            paths = json.dumps({"begun": str(begun), "released": str(released)})
            states.start_execution(stateMachineArn=made["stateMachineArn"], input=paths)
            deadline = time.monotonic() + part.PATIENCE
            while not begun.exists():
                assert time.monotonic() < deadline, f"the function was not called\n{server.log()}"
                threading.Event().wait(0.02)
            process = server._running
        assert process.returncode == 0
    finally:
        released.touch()


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
