"""LISTEN in transaction mode: many clients listen, and none of them holds a server connection for it."""

from __future__ import annotations

import asyncio
import socket
import struct
import time

import asyncpg
import psycopg
import pytest

from harness.pooled import TRUNKLINE, TRUSTED
from harness.system import wait_until
from harness.wire import RawClient, Refused, message, query
from harness.wire_parts import bind, describe, execute, parse

pytestmark = pytest.mark.needs_gateway

SYNC = message("S")


class Listener(RawClient):
    """Keeps what it hears, whatever it asks meanwhile."""

    def __post_init__(self):
        super().__post_init__()
        self.heard: list[tuple[str, str]] = []

    def read(self):
        while True:
            kind, body = super().read()
            if kind != "A":
                return kind, body
            channel, payload = body[4:-1].split(b"\0")
            self.heard.append((channel.decode(), payload.decode()))

    def listen(self, channel: str) -> "Listener":
        assert self.simple(f"listen {channel}") == []
        return self

    def take(self, count: int, timeout: float = 10) -> list[tuple[str, str]]:
        """What it has heard, once that is so much."""
        until = time.monotonic() + timeout
        while len(self.heard) < count and time.monotonic() < until:
            self.socket.settimeout(0.2)
            try:
                kind, body = self.read()
                assert kind == "N", (kind, body)
                self.notices.append({field[:1].decode(): field[1:].decode() for field in body.split(b"\0") if field})
            except socket.timeout:
                pass
            finally:
                self.socket.settimeout(self.timeout)
        heard, self.heard = self.heard[:count], self.heard[count:]
        return heard


@pytest.fixture
def place(pooled, servers):
    """A gateway with two workers before a pool of two connections."""
    if pooled.kind != TRUNKLINE:
        pytest.skip("others do not have it")
    server = servers[servers.versions[-1]]
    gateway, port = pooled("transaction", size=2, server=server, maxWait="10s")
    return server, gateway, port


def listener(port: int, channel: str = "", **words) -> Listener:
    made = Listener(port, timeout=10)
    made.login(**words)
    return made.listen(channel) if channel else made


def hub_pids(server) -> list[int]:
    return [pid for (pid,) in server.query("select pid from pg_stat_activity where query ~ '^(UN)?LISTEN' "
                                           f"and usename = '{TRUSTED}'")]


def test_many_listen_on_one_connection(place):
    server, _gateway, port = place
    listeners = [listener(port, "news") for _ in range(40)]
    with RawClient(port, timeout=10).login() as speaker:
        speaker.simple("begin")  # nobody holds a connection but this one
        other = RawClient(port, timeout=10).login()
        assert other.simple("select 1") == [["1"]]
        speaker.simple("commit")
        for i in range(30):
            speaker.simple(f"notify news, '{i}'")
    for each in listeners:
        assert each.take(30) == [("news", str(i)) for i in range(30)], "all, and in order"
        assert each.simple("select 1") == [["1"]]
    assert len(hub_pids(server)) == 1
    for each in listeners:
        each.close()


def test_own_notifications_and_large_ones(place):
    _server, _gateway, port = place
    with listener(port, '"My Channel"') as client:
        client.simple("notify \"My Channel\", 'own'")
        client.simple(f"select pg_notify('My Channel', repeat('x', 7999))")
        assert client.take(2) == [("My Channel", "own"), ("My Channel", "x" * 7999)]


def test_unlisten(place):
    _server, _gateway, port = place
    with listener(port, "one") as client, RawClient(port).login() as speaker:
        client.listen("two").listen("three")
        client.simple("unlisten one")
        speaker.simple("notify one; notify two, 'a'")
        assert client.take(1) == [("two", "a")]
        client.simple("unlisten *")
        speaker.simple("notify two; notify three")
        client.listen("three")
        speaker.simple("notify three, 'b'")
        assert client.take(1) == [("three", "b")]
        # Among others, as pools of drivers send it; and DISCARD ALL.
        client.simple("select pg_advisory_unlock_all(); close all; unlisten *; reset all")
        speaker.simple("notify three")
        client.listen("four")
        client.simple("discard all")
        speaker.simple("notify four")
        client.listen("five")
        speaker.simple("notify five, 'c'")
        assert client.take(1) == [("five", "c")]


def test_the_extended_protocol(place):
    """By name and without, prepared once and executed again after an UNLISTEN."""
    _server, _gateway, port = place
    with listener(port) as client, RawClient(port).login() as speaker:
        client.send(parse("l1", "listen chan") + describe("S", "l1") + SYNC)
        client.result()
        for turn in range(3):
            client.send(bind("", "l1") + execute() + SYNC)
            assert client.result() == []
            speaker.simple(f"notify chan, '{turn}'")
            assert client.take(1) == [("chan", str(turn))]
            client.send(parse("", "unlisten chan") + bind("", "") + execute() + SYNC)
            assert client.result() == []
            speaker.simple("notify chan, 'nobody'")
        client.send(parse("", "listen chan") + bind("", "") + describe("P", "") + execute() + SYNC)
        assert client.result() == []
        speaker.simple("notify chan, 'last'")
        assert client.take(1) == [("chan", "last")]
        assert client.simple("select 1") == [["1"]]


def test_it_comes_outside_transactions(place):
    _server, _gateway, port = place
    with listener(port, "news") as client, RawClient(port).login() as speaker:
        client.simple("begin")
        speaker.simple("notify news, 'meanwhile'")
        assert client.take(1, timeout=0.5) == []
        client.simple("select 1")
        assert client.heard == []
        client.simple("commit")
        assert client.take(1) == [("news", "meanwhile")]


def test_within_a_transaction_it_is_the_servers(place):
    """It takes effect with the commit, or not at all; the client keeps its connection then."""
    _server, _gateway, port = place
    with listener(port) as client, RawClient(port).login() as speaker:
        client.simple("begin")
        client.simple("listen news")
        client.simple("rollback")
        speaker.simple("notify news, 'before'")
        assert client.take(1, timeout=0.3) == []
        client.simple("begin")
        client.simple("listen news")
        client.simple("commit")
        speaker.simple("notify news, 'after'")
        assert client.take(1) == [("news", "after")]
        assert client.simple("select pg_listening_channels()") == [["news"]]


def test_a_lost_connection_is_told(place):
    """Whoever listens hears that something may have been missed, and goes on listening."""
    server, _gateway, port = place
    listeners = [listener(port, "news").listen("more") for _ in range(3)]
    with RawClient(port).login() as speaker:
        speaker.simple("notify news, 'one'")
        for each in listeners:
            assert each.take(1) == [("news", "one")]
        (pid,) = hub_pids(server)
        server.query(f"select pg_terminate_backend({pid})")
        wait_until(lambda: hub_pids(server) not in ([], [pid]), 10, "it is made again")
        for each in listeners:
            wait_until(lambda: each.take(1, timeout=0.3) == [] and each.notices, 10, "it is told")
            assert each.notices[-1]["C"] == "01000" and "may have been missed" in each.notices[-1]["M"]
        speaker.simple("notify more, 'two'")
        for each in listeners:
            assert each.take(1) == [("more", "two")]
            assert len(each.notices) == 1
            each.close()


def test_nobody_listens_any_more(place):
    """The connection ends some time after the last one has left."""
    server, _gateway, port = place
    for _ in range(3):
        with listener(port, "news"):
            assert len(hub_pids(server)) == 1
    wait_until(lambda: not hub_pids(server), 20, "it has gone")


def test_who_does_not_read_is_ended(place):
    _server, gateway, port = place
    client = Listener(port, timeout=10, receive_buffer=4096)
    client.login()
    client.listen("news")
    with RawClient(port, timeout=30).login() as speaker:
        for i in range(200):
            speaker.simple(f"select pg_notify('news', repeat('{i % 10}', 7900) || g) from generate_series(1, 50) g")
        assert speaker.simple("select 1") == [["1"]]
    gateway.wait_end(cause="limit")
    client.close()


def test_a_server_that_refuses(cluster, front):
    """LISTEN is an error on a replica."""
    from harness.front import TARGETS, UPSTREAM
    routes = [{"name": target, "match": {"listener": target}, "upstream": UPSTREAM, "target": target,
               "pooling": "transaction", "auth": {"method": "trust"}} for target in TARGETS]
    shown = front(cluster, routes=routes, upstream={"pool": {"size": 2}}).wait_roles(cluster)
    with shown.login("replica") as client:
        for _ in range(2):
            with pytest.raises(Refused) as refused:
                client.simple("listen news")
            assert refused.value.code == "25006"
        client.send(parse("", "listen news") + bind("", "") + execute() + SYNC)
        with pytest.raises(Refused) as refused:
            client.result()
        assert refused.value.code == "25006"
        assert client.simple("select 1") == [["1"]]


def test_refuse_does_not_refuse_it(pooled):
    if pooled.kind != TRUNKLINE:
        pytest.skip("others do not have it")
    _gateway, port = pooled("transaction", size=1, on_unsafe="refuse")
    with listener(port, "news") as client, RawClient(port).login() as speaker:
        speaker.simple("notify news, 'a'")
        assert client.take(1) == [("news", "a")]
        with pytest.raises(Refused):
            client.simple("begin; listen other")


def test_psycopg(place):
    _server, _gateway, port = place
    where = f"host=127.0.0.1 port={port} user={TRUSTED} dbname=app"
    with psycopg.connect(where, autocommit=True) as one, psycopg.connect(where, autocommit=True) as two:
        one.execute("listen news")
        for i in range(3):
            two.execute("select pg_notify('news', %s)", (str(i),))
        heard = []
        for each in one.notifies():
            heard.append(each.payload)
            if len(heard) == 3:
                break
        assert heard == ["0", "1", "2"]


def test_asyncpg(place):
    _server, _gateway, port = place

    async def run() -> list[str]:
        words = {"host": "127.0.0.1", "port": port, "user": TRUSTED, "database": "app", "ssl": False}
        one, two = await asyncpg.connect(**words), await asyncpg.connect(**words)
        heard: asyncio.Queue = asyncio.Queue()

        def hear(_connection, _pid, _channel, payload):
            heard.put_nowait(payload)

        seen = []
        for turn in range(3):
            await one.add_listener("news", hear)
            await two.execute(f"notify news, '{turn}'")
            seen.append(await asyncio.wait_for(heard.get(), 10))
            await one.remove_listener("news", hear)
        await one.close()
        await two.close()
        return seen

    assert asyncio.run(run()) == ["0", "1", "2"]
