"""Pools and peers that do what they should not: servers that refuse a reset or leave within it, clients that prepare
without end."""

from __future__ import annotations

import socket
import threading

import pytest

from harness import fakeserver
from harness.gateway import listener, port_of
from harness.pooled import TRUNKLINE
from harness.system import wait_until
from harness.wire import RawClient, Refused, message
from harness.wire_parts import bind, close, execute, parse

pytestmark = pytest.mark.needs_gateway

SYNC = message("S")
ROW = message("T", b"\0\1n\0" + b"\0" * 6 + b"\0\0\0\x19\xff\xff\xff\xff\xff\xff\0\0")


class OddServer:
    """Answers each Query with the number of its connection; what it does with DISCARD ALL is the test's to say."""

    def __init__(self, on_reset):
        self._on_reset = on_reset
        self._lock = threading.Lock()
        self.connections = self.resets = self.lost = 0

    def __call__(self, connection: socket.socket, _server) -> None:
        with self._lock:
            self.connections += 1
            own = str(self.connections).encode()
        while True:
            head = fakeserver.read_exactly(connection, 5)
            body = fakeserver.read_exactly(connection, int.from_bytes(head[1:], "big") - 4)
            if head[:1] == b"X":
                return connection.close()
            if b"DISCARD ALL" in body:
                with self._lock:
                    self.resets += 1
                self._on_reset(connection)
            else:
                connection.sendall(ROW + message("D", b"\0\1" + len(own).to_bytes(4, "big") + own) +
                                   message("C", b"SELECT 1\0") + fakeserver.READY)


def refuse(connection: socket.socket) -> None:
    connection.sendall(message("E", b"SERROR\0VERROR\0CXX000\0Mno reset today\0\0") + fakeserver.READY)


def refuse_and_leave(connection: socket.socket) -> None:
    connection.sendall(message("E", b"SFATAL\0VFATAL\0C57P01\0Mgoing\0\0"))
    connection.close()


def leave(connection: socket.socket) -> None:
    connection.close()


def leave_within_a_message(connection: socket.socket) -> None:
    connection.sendall(message("C", b"DISCARD ALL\0")[:7])
    fakeserver.reset(connection)


def stay_in_a_transaction(connection: socket.socket) -> None:
    connection.sendall(message("C", b"DISCARD ALL\0") + message("Z", b"T"))


def talk_nonsense(connection: socket.socket) -> None:
    connection.sendall(b"\0\xff\xff\xff\xffnonsense")


ODD = (refuse, refuse_and_leave, leave, leave_within_a_message, stay_in_a_transaction, talk_nonsense)


@pytest.mark.parametrize("on_reset", ODD, ids=lambda odd: odd.__name__)
def test_a_reset_that_fails_costs_the_connection_only(start_gateway, on_reset):
    """The next client gets another one, and the failed one is given up."""
    server = OddServer(on_reset)
    with fakeserver.FakeServer(server) as fake:
        gateway = start_gateway({
            "workers": 1,
            "listeners": [listener("main")],
            "routes": [{"name": "all", "match": {}, "upstream": "db", "pooling": "session", "auth": {"method": "trust"}}],
            "upstreams": [{"name": "db", "endpoints": [fake.endpoint], "tls": {"mode": "disable"}, "pool": {"size": 1}}]})
        seen = []
        for _ in range(4):
            with RawClient(port_of(gateway.config, "main"), timeout=10).login() as client:
                seen.append(client.simple("select 1")[0][0])
        assert len(set(seen)) == 4, seen
        assert server.resets >= 3
        wait_until(lambda: sum(1 for each in fake.connections if not over(each)) <= 1, 10, "those are closed")
        gateway.check_alive()


def over(connection: socket.socket) -> bool:
    try:
        connection.setblocking(False)
        return connection.recv(1, socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def test_a_bind_for_a_name_that_was_never_prepared(pooled):
    """Whatever others have prepared under that name."""
    _gateway, port = pooled("transaction", size=1)
    with RawClient(port, timeout=10).login() as one, RawClient(port, timeout=10).login() as other:
        one.send(parse("s1", "select 'one'") + SYNC)
        one.result()
        other.send(bind("", "s1") + execute() + SYNC)
        with pytest.raises(Refused) as refused:
            other.result()
        assert refused.value.fields["C"] == "26000"
        one.send(bind("", "s1") + execute() + SYNC)
        assert one.result() == [["one"]]


def test_a_hundred_thousand_statements(pooled, quick, sanitized):
    """Prepared and closed: neither the gateway nor a server connection keeps them all."""
    if pooled.kind != TRUNKLINE:
        pytest.skip("what is bounded is the gateway's")
    count, batch = (10_000 if quick else 100_000), 500
    gateway, port = pooled("transaction", size=2)
    with RawClient(port, timeout=60).login() as client:
        before = 0
        for start in range(0, count, batch):
            client.send(b"".join(parse(f"s{i}", f"select {i}, 'a statement of some length {i}'") + close("S", f"s{i}")
                                 for i in range(start, start + batch)) + SYNC)
            client.result()
            if start == count // 5:
                before = gateway.memory_kib()
        assert sanitized or gateway.memory_kib() < before + 8192, (before, gateway.memory_kib())
        ((prepared,),) = client.simple("select count(*) from pg_prepared_statements")
        assert int(prepared) <= 501
        assert client.simple("select 1") == [["1"]]


def test_a_client_that_closes_none_of_them(pooled):
    """Has a bound of its own, and is told; others go on."""
    if pooled.kind != TRUNKLINE:
        pytest.skip("what is bounded is the gateway's")
    _gateway, port = pooled("transaction", size=2)
    with RawClient(port, timeout=60).login() as greedy, RawClient(port, timeout=10).login() as modest:
        modest.send(parse("s1", "select 'modest'") + SYNC)
        modest.result()
        with pytest.raises(Refused) as refused:
            for start in range(0, 25_000, 500):
                greedy.send(b"".join(parse(f"s{i}", f"select {i}") for i in range(start, start + 500)) + SYNC)
                greedy.result()
        assert refused.value.fields["C"] == "53400"
        modest.send(bind("", "s1") + execute() + SYNC)
        assert modest.result() == [["modest"]]
