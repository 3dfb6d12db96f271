"""LISTEN in transaction mode: many clients listen, and none of them holds a server connection for it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import time

import asyncpg
import psycopg
import pytest

from harness.pooled import TRUNKLINE, TRUSTED
from harness.system import wait_until
from harness.wire import RawClient, Refused, cancel_request, message, query
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
    made = Listener(port, timeout=25)
    made.login(**words)
    return made.listen(channel) if channel else made


def hub_pids(server) -> list[int]:
    return [pid for (pid,) in server.query("select pid from pg_stat_activity where query ~ '^(UN)?LISTEN' "
                                           f"and usename = '{TRUSTED}'")]


@contextlib.contextmanager
def silent_hub(server):
    """The server process of the connection that listens lives, and does nothing."""
    wait_until(lambda: len(hub_pids(server)) == 1, 10, "the one of the gateway before has gone")
    (pid,) = hub_pids(server)
    os.kill(pid, signal.SIGSTOP)
    try:
        yield pid
    finally:
        os.kill(pid, signal.SIGCONT)


def batch(client: RawClient, messages: bytes) -> list[str]:
    """What comes for it: types, and command tags."""
    client.send(messages + SYNC)
    seen = []
    while not seen or seen[-1] != "Z":
        kind, body = client.read()
        seen.append(body[:-1].decode() if kind == "C" else kind)
    return seen


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


def refused(client: RawClient) -> tuple[str, str]:
    with pytest.raises(Refused) as failure:
        client.result()
    return failure.value.code, failure.value.fields["M"]


def test_a_server_that_says_nothing(place):
    """Who waits for it hears so in time, who listens is warned, and another connection listens."""
    server, _gateway, port = place
    old = listener(port, "news")
    simple, extended = listener(port), listener(port)
    with silent_hub(server) as pid:
        began = time.monotonic()
        simple.send(query("listen one"))
        extended.send(parse("", "listen one") + bind("", "") + execute() + SYNC)
        for client in (simple, extended):
            code, said = refused(client)
            assert (code, "does not answer" in said) == ("57014", True), said
            assert 8 < time.monotonic() - began < 20
            assert client.simple("select 1") == [["1"]]
        wait_until(lambda: old.take(1, timeout=0.3) == [] and old.notices, 10, "it is told")
        assert "may have been missed" in old.notices[-1]["M"]
        wait_until(lambda: set(hub_pids(server)) - {pid}, 10, "another one listens")
        simple.listen("one")
        with RawClient(port).login() as speaker:
            speaker.simple("notify news, 'a'; notify one, 'b'")
        assert old.take(1) == [("news", "a")]
        assert simple.take(1) == [("one", "b")]
        assert extended.take(1, timeout=0.3) == [], "its LISTEN has failed"
    wait_until(lambda: pid not in hub_pids(server), 10, "the silent one has gone")
    for client in (old, simple, extended):
        client.close()


@pytest.mark.parametrize("protocol", ["simple", "extended"])
def test_cancel_while_it_waits(place, protocol):
    server, _gateway, port = place
    with listener(port, "news") as client, RawClient(port).login() as speaker:
        with silent_hub(server):
            client.send(query("listen other") if protocol == "simple" else
                        parse("", "listen other") + bind("", "") + execute() + SYNC)
            with pytest.raises(socket.timeout):
                client.socket.settimeout(0.5)
                client.read()
            client.socket.settimeout(client.timeout)
            began = time.monotonic()
            with RawClient(port) as canceller:
                canceller.send(cancel_request(client.pid, client.key))
                assert canceller.receive_to_end() == (b"", "fin")
            assert refused(client) == ("57014", "canceling statement due to user request")
            assert time.monotonic() - began < 3
            assert client.simple("select 1") == [["1"]]
        # It has not listened, and what it listened to before is as it was.
        wait_until(lambda: client.simple("select 1") == [["1"]], 5, "the server goes on")
        speaker.simple("notify other, 'x'; notify news, 'a'")
        assert client.take(1) == [("news", "a")]
        client.listen("other")
        speaker.simple("notify other, 'b'")
        assert client.take(1) == [("other", "b")]
        assert client.notices == []


def test_command_tags(place):
    """The client is told of its own statement, though another one runs in its place."""
    _server, _gateway, port = place
    listen, unlisten = parse("l", "listen chan"), parse("u", "unlisten chan")
    with listener(port) as client:
        assert batch(client, listen + unlisten) == ["1", "1", "Z"]
        assert batch(client, bind("", "l") + execute()) == ["2", "LISTEN", "Z"]
        assert batch(client, bind("", "u") + describe("P", "") + execute()) == ["2", "n", "UNLISTEN", "Z"]
        # Several portals at once, among them one that has nothing to do with it, and one that is used again.
        do, select = parse("d", "do 'begin end'"), parse("s", "select 7")
        assert batch(client, do + select) == ["1", "1", "Z"]
        assert batch(client, bind("a", "l") + bind("b", "d") + bind("c", "u") + execute("b") + execute("c")
                     + execute("a")) == ["2", "2", "2", "DO", "UNLISTEN", "LISTEN", "Z"]
        assert batch(client, bind("", "l") + execute() + bind("", "d") + execute() + bind("", "s")
                     + execute()) == ["2", "LISTEN", "2", "DO", "2", "D", "SELECT 1", "Z"]
        # A batch that fails before it, and the next one without waiting for that.
        assert batch(client, parse("", "select 1/0") + bind("", "") + execute() + bind("", "l") + execute() + SYNC
                     + bind("", "u") + execute()) == ["1", "E", "Z"]
        assert batch(client, b"") == ["2", "UNLISTEN", "Z"]
        assert client.read() == ("Z", b"I")
        assert batch(client, bind("", "d") + execute()) == ["2", "DO", "Z"]


def test_a_statement_that_is_refused_answers_as_one(pooled):
    """`onUnsafe: refuse`: nothing is seen of what fails in its place but the error."""
    if pooled.kind != TRUNKLINE:
        pytest.skip("others do not have it")
    _gateway, port = pooled("transaction", size=1, on_unsafe="refuse")
    with RawClient(port).login() as client:
        assert batch(client, parse("", "select pg_advisory_lock(1)") + bind("", "") + execute()) == ["E", "Z"]


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
        assert one.execute("listen more", prepare=True).statusmessage == "LISTEN"
        assert one.execute("unlisten more", prepare=True).statusmessage == "UNLISTEN"
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


@pytest.mark.parametrize("again", ["listen news", "begin; listen news; commit", "select 1; listen news"])
def test_what_is_heard_by_both_is_told_once(place, again):
    """The pool's connection listens for it, and then its own does too, on which it stays for its temporary table."""
    _server, _gateway, port = place
    with listener(port, "news") as hears, listener(port) as says:
        hears.simple("create temp table own (n int)")
        hears.simple(again)
        says.simple("notify news, 'first'")
        hears.simple("notify news, 'of its own'")
        assert sorted(hears.take(2)) == [("news", "first"), ("news", "of its own")]
        hears.simple("listen other")
        says.simple("notify other, 'by its own connection'")
        assert hears.take(1) == [("other", "by its own connection")]
        says.simple("notify news, 'last'")
        assert hears.take(1) == [("news", "last")] and hears.take(1, timeout=0.5) == []
        hears.simple("unlisten news")
        says.simple("notify news, 'nobody listens'")
        assert hears.take(1, timeout=0.5) == []


@pytest.mark.parametrize("stop", ["unlisten news", "unlisten *", "discard all"])
def test_what_waits_is_not_told_after_unlisten(place, stop):
    """It came within a transaction, and waits for its end, with which the client stops listening."""
    _server, _gateway, port = place
    with listener(port, "news") as hears, listener(port) as says:
        hears.simple("begin")
        hears.simple("select 1")
        says.simple("notify news, 'meanwhile'")
        time.sleep(0.3)
        if stop == "discard all":  # which is none for a transaction
            hears.simple("commit")
            assert hears.take(1) == [("news", "meanwhile")]
            says.simple("notify news, 'later'")
            hears.simple(stop)
            hears.heard.clear()  # it was sent while the client listened
        else:
            hears.simple(stop)
            hears.simple("commit")
        says.simple("notify news, 'nobody listens'")
        hears.simple("select 1")
        assert hears.take(1, timeout=0.5) == []


def test_listen_behind_another_statement_stays_its_own(place):
    """Sent without waiting for the answer before it: it runs at the client's own server, which nobody else gets then."""
    _server, _gateway, port = place
    with listener(port) as hears, listener(port) as other:
        hears.send(query("select 1") + query("listen news"))
        assert hears.result() == [["1"]] and hears.result() == []
        for _ in range(3):
            assert other.simple("select pg_listening_channels()") == []
        other.simple("notify news, 'it is heard'")
        assert hears.take(1) == [("news", "it is heard")] and other.take(1, timeout=0.3) == []
