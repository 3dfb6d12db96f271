"""The end of a grant: by the clock, by somebody, by a crash; and two gateways with one store."""

from __future__ import annotations

import asyncio
import signal
import struct
import time
from datetime import datetime

import pytest

from harness.access import ended
from harness.gateway import port_of
from harness.grants import POOLINGS, Desk, Waiting, policy
from harness.system import free_port, wait_until
from harness.wire import RawClient, Refused, query, startup

pytestmark = pytest.mark.needs_gateway

CLIENTS = 1_000


@pytest.fixture
def desk(start_gateway, server, tmp_path) -> Desk:
    return Desk(start_gateway, server, tmp_path / "desk")


def running(server, text: str) -> bool:
    return bool(server.query("select 1 from pg_stat_activity where state = 'active' and query = %s", (text,)))


@pytest.mark.parametrize("pooling", POOLINGS)
def test_the_clock_ends_a_running_statement_within_a_second(desk, server, pooling):
    desk.start(policy(max_length="3s"), pooling=pooling)
    with desk.granted(timeout=20) as client:
        until = time.monotonic() + 3
        text = f"select pg_sleep(15) /* {pooling} */"
        client.send(query(text))
        wait_until(lambda: running(server, text), 3, "it runs")
        fields = ended(client)
        late = time.monotonic() - until
        assert fields["C"] == "57P01" and late < 1
    wait_until(lambda: not running(server, text), 3, "the statement is cancelled")
    desk.gateway.wait_end(cause="access_expired")
    assert desk.events("expire")[0]["principal"] == "alice"
    assert desk.grants() == []


@pytest.mark.parametrize("pooling", POOLINGS)
def test_a_warning_comes_before(desk, pooling):
    desk.start(policy(max_length="4s"), pooling=pooling)
    with desk.granted(timeout=20) as client:
        client.simple("select 1")
        wait_until(lambda: any("access ends in" in each["M"] for each in client.notices) or client.simple("select 1") and
                   any("access ends in" in each["M"] for each in client.notices), 3, "a warning")
        assert ended(client)["C"] == "57P01"


@pytest.mark.parametrize("pooling", POOLINGS)
def test_a_revocation_ends_it_at_once(desk, server, pooling):
    desk.start(pooling=pooling)
    with desk.granted(timeout=20) as client:
        text = f"select pg_sleep(14) /* {pooling} */"
        client.send(query(text))
        wait_until(lambda: running(server, text), 3, "it runs")
        number = desk.grants()[0]["id"]
        began = time.monotonic()
        desk.answer("revoke", number, "root", reason="enough")
        fields = ended(client)
        assert fields["C"] == "57P01" and time.monotonic() - began < 1
    wait_until(lambda: not running(server, text), 3, "the statement is cancelled")
    desk.gateway.wait_end(cause="access_revoked")
    assert desk.events("revoke")[0]["by"] == "root"
    again = Waiting(desk.port)
    desk.wait_request()
    assert again.waits, "what was revoked lets nobody in"
    again.leave()


def test_a_sleeping_client_is_ended_too(desk):
    desk.start(policy(max_length="5s"), pooling="transaction")
    with desk.granted(timeout=20) as client:
        client.simple("select 1")
        assert ended(client)["C"] == "57P01"


def test_an_approver_may_shorten_it(desk):
    desk.start()
    waiting = Waiting(desk.port, timeout=20)
    granted = desk.approve(desk.wait_request()["id"], seconds=2)
    assert granted["seconds"] == 2
    with waiting.client_in() as client:
        assert ended(client)["C"] == "57P01"


# ---- restarts and crashes ----


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_requests_and_grants_outlive_the_gateway(desk, how):
    gateway = desk.start()
    desk.granted("alice").close()
    waiting = Waiting(desk.port, "dave")
    request = desk.wait_request()
    waiting.told("request")
    gateway.send(how)
    gateway.wait(30)
    if how == signal.SIGKILL:
        gateway._checked = True  # it ended as it was told to
    if how == signal.SIGTERM:
        assert waiting.refusal()["C"] == "57P03"
    desk.start()
    assert [each["id"] for each in desk.requests()] == [request["id"]]
    again = Waiting(desk.port, "dave")
    again.told(f"request {request['id']}")
    desk.approve(request["id"])
    again.client_in().close()
    with RawClient(desk.port) as client:
        client.login("alice")
        assert not client.notices, "the grant is still good"


def test_a_grant_does_not_outlive_its_end_while_nobody_looks(desk):
    gateway = desk.start(policy(max_length="2s"))
    desk.granted("alice").close()
    gateway.send(signal.SIGKILL)
    gateway.wait(10)
    gateway._checked = True
    time.sleep(2.5)
    desk.start(policy(max_length="2s"))
    assert desk.grants() == []
    waiting = Waiting(desk.port)
    desk.wait_request()
    assert waiting.waits
    waiting.leave()
    assert len(desk.events("expire")) == 1


def test_two_gateways_share_a_store(desk):
    first = desk.start(folder="audit-1")
    other_port = free_port()
    second = desk.start(admin_port=other_port, folder="audit-2")
    here, there = (port_of(each.config, "main") for each in (first, second))
    one = Waiting(here, timeout=20)
    request = desk.wait_request()
    other = Waiting(there, timeout=20)
    other.told(f"request {request['id']}")
    one.leave()
    time.sleep(0.7)
    assert desk.one(request["id"])["state"] == "open", "somebody waits for it at the other one"
    one = Waiting(here, timeout=20)
    one.told(f"request {request['id']}")
    began = time.monotonic()
    desk.approve(request["id"], port=other_port)
    clients = [one.client_in(), other.client_in()]
    assert time.monotonic() - began < 2
    began = time.monotonic()
    desk.answer("revoke", request["id"], "root")
    for client in clients:
        assert ended(client)["C"] == "57P01"
    assert time.monotonic() - began < 1.5
    told = [len(desk_events(desk, folder, "grant")) for folder in ("audit-1", "audit-2")]
    assert sorted(told) == [0, 1], "one of them tells"


def desk_events(desk: Desk, folder: str, kind: str) -> list[dict]:
    from harness import audit
    return audit.events(desk.folder / folder, f"access.{kind}")


def test_a_gateway_that_is_killed_does_not_keep_a_request_open(desk):
    first = desk.start(folder="audit-1")
    desk.start(admin_port=free_port(), folder="audit-2")
    here, there = (port_of(each.config, "main") for each in desk.gateways)
    lost = Waiting(there)
    request = desk.wait_request()
    lost.told("request")
    desk.gateways[1].send(signal.SIGKILL)
    desk.gateways[1].wait(10)
    desk.gateways[1]._checked = True
    stays = Waiting(here)
    stays.told("request")
    time.sleep(21)  # as long as a gateway may be silent
    stays.leave()
    wait_until(lambda: desk.one(request["id"])["state"] == "withdrawn", 5, "withdrawn")
    first.check_alive()


# ---- many ----


@pytest.mark.alone
@pytest.mark.parametrize("how", ["expire", "revoke"])
def test_a_thousand_sessions_end_within_a_second(desk, how, not_sanitized, record_property):
    length = 20 if how == "expire" else 600
    desk.start(policy(max_length=f"{length}s"), pooling="transaction")
    first = Waiting(desk.port, timeout=60)
    number = desk.wait_request()["id"]
    desk.approve(number)
    first.client_in()
    until = datetime.fromisoformat(desk.one(number)["until"].replace("Z", "+00:00")).timestamp()
    revoke = (lambda: desk.answer("revoke", number, "root")) if how == "revoke" else None
    ends, revoked = asyncio.run(crowd(desk.port, CLIENTS, revoke))
    latest = max(ends) - (revoked or until)
    record_property("latest_end_seconds", latest)
    print(f"{CLIENTS} sessions, {how}: the last one ended {latest:.3f} s after it")
    assert len(ends) == CLIENTS and latest < 1


async def crowd(port: int, count: int, when_all_are_in) -> tuple[list[float], float]:
    """When each of so many sessions was closed, and when `when_all_are_in` was called; by the wall clock."""
    inside = asyncio.Semaphore(0)
    gate = asyncio.Semaphore(50)

    async def login():
        async with gate:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(startup({"user": "alice", "database": "app"}))
            while (message := await read(reader))[0] != b"Z":
                assert message[0] != b"E", message
            inside.release()
            return reader, writer

    async def one() -> float:
        reader, writer = await login()
        code = ""
        while message := await read(reader):
            if message[0] == b"E":
                code = next(part[1:].decode() for part in message[1].split(b"\0") if part[:1] == b"C")
        assert code == "57P01", code
        ended_at = time.time()
        writer.close()
        return ended_at

    async def read(reader):
        try:
            kind, size = struct.unpack("!ci", await reader.readexactly(5))
            return kind, await reader.readexactly(size - 4)
        except (asyncio.IncompleteReadError, ConnectionError):
            return None

    async def begin() -> float:
        for _ in range(count):
            await inside.acquire()
        if when_all_are_in is None:
            return 0
        began = time.time()
        await asyncio.to_thread(when_all_are_in)
        return began

    *ends, began = await asyncio.gather(*(one() for _ in range(count)), begin())
    return ends, began
