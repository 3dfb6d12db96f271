"""SIGTERM: not ready, then accept no more, tell idle sessions, let transactions finish until the grace time is over."""

from __future__ import annotations

import selectors
import signal
import socket
import time

import pytest

from harness.admin import Admin
from harness.postgres import PASSWORD, USER
from harness.system import free_port, wait_until
from harness.wire import Closed, RawClient, Refused, cancel_request, query

pytestmark = pytest.mark.needs_gateway


def refuses(port: int) -> bool:
    try:
        with RawClient(port, timeout=2) as client:
            client.login()
        return False
    except (OSError, Closed, Refused):
        return True


def test_idle_sessions_are_told_at_once(before, server):
    gateway, port = before(server, drain={"grace": "20s"})
    clients = [RawClient(port).login() for _ in range(5)]
    started = time.monotonic()
    gateway.send(signal.SIGTERM)
    for client in clients:
        told = client.read_error()
        assert (told["C"], told["V"]) == ("57P01", "FATAL") and told["M"] and told["H"]
        assert client.receive_to_end() == (b"", "fin")
        client.close()
    assert gateway.wait(10) == 0
    assert time.monotonic() - started < 5
    assert [line["cause"] for line in gateway.ends()] == ["drain"] * 5


def test_a_transaction_finishes(before, server):
    gateway, port = before(server, drain={"grace": "20s"})
    with RawClient(port) as busy, RawClient(port) as within:
        busy.login(application_name="busy")
        within.login()
        within.simple("begin")
        busy.send(query("select pg_sleep(1), 'the answer'"))
        gateway.send(signal.SIGTERM)
        wait_until(lambda: refuses(port), 5, "no more logins")
        assert within.simple("select 1") == [["1"]]
        assert busy.result() == [["", "the answer"]]
        assert busy.read_error()["C"] == "57P01"
        within.simple("commit")
        assert within.read_error()["C"] == "57P01"
    assert gateway.wait(10) == 0
    # A probe of `refuses` may have logged in before the signal was taken: it was drained too.
    assert {line["cause"] for line in gateway.ends() if line["loggedIn"]} == {"drain"}


def test_the_grace_time_ends(before, server):
    gateway, port = before(server, drain={"grace": "700ms"})
    with RawClient(port) as client, RawClient(port) as running:
        client.login()
        running.login(application_name="drained")
        client.simple("begin")
        running.send(query("select pg_sleep(60)"))
        wait_until(lambda: [row for row in server.sessions("drained") if row[1] == "active"], 5, "it runs")
        started = time.monotonic()
        gateway.send(signal.SIGTERM)
        for each in (client, running):
            told = each.read_error()
            assert (told["C"], told["V"]) == ("57P01", "FATAL")
        assert 0.5 < time.monotonic() - started < 5
    assert gateway.wait(10) == 0
    wait_until(lambda: not server.sessions("drained"), 3, "the statement is cancelled at the server")


def test_nothing_more_is_accepted(before, server):
    gateway, port = before(server, drain={"grace": "3s"})
    with RawClient(port) as client:
        client.login()
        client.simple("begin")
        gateway.send(signal.SIGTERM)
        wait_until(lambda: refuses(port), 5, "no more logins")
        with pytest.raises((OSError, Closed, Refused)) as ended, RawClient(port) as late:
            late.login()
        if isinstance(ended.value, Refused):
            assert ended.value.code == "57P03"
        client.simple("commit")
    assert gateway.wait(10) == 0


def test_cancels_are_served_while_draining(before, server):
    """A session that may finish its statement may also be cancelled."""
    gateway, port = before(server, drain={"grace": "15s"})
    with RawClient(port) as client:
        client.login(USER, PASSWORD)
        client.simple("begin")
        client.send(query("select pg_sleep(30)"))
        time.sleep(0.2)
        gateway.send(signal.SIGTERM)
        time.sleep(0.5)
        with RawClient(port) as canceller:
            canceller.send(cancel_request(client.pid, client.key))
            assert canceller.receive_to_end()[0] == b""
        with pytest.raises(Refused) as refused:
            client.result()
        assert refused.value.code == "57014"
        client.simple("rollback")
        assert client.read_error()["C"] == "57P01"
    assert gateway.wait(10) == 0


def test_sigint_is_fast(before, server):
    gateway, port = before(server, drain={"grace": "60s"})
    with RawClient(port) as client:
        client.login()
        client.simple("begin")
        started = time.monotonic()
        gateway.send(signal.SIGINT)
        assert client.read_error()["C"] == "57P01"
    assert gateway.wait(10) == 0 and time.monotonic() - started < 5


def test_sigint_ends_a_drain(before, server):
    gateway, port = before(server, drain={"grace": "60s"})
    with RawClient(port) as client:
        client.login()
        client.simple("begin")
        gateway.send(signal.SIGTERM)
        time.sleep(0.3)
        gateway.send(signal.SIGINT)
        assert client.read_error()["C"] == "57P01"
    assert gateway.wait(10) == 0


def test_half_open_logins_do_not_hold_a_drain(before, server):
    gateway, port = before(server, drain={"grace": "2s"})
    with socket.create_connection(("127.0.0.1", port)) as silent:
        silent.sendall(b"\0\0")
        time.sleep(0.1)
        gateway.send(signal.SIGTERM)
        assert gateway.wait(10) == 0


# ---- in order ----


def test_readiness_goes_first(before, server):
    """Sessions are taken for drain.delay, so that a load balancer can take the address out of its list."""
    admin = Admin(free_port())
    gateway, port = before(server, drain={"delay": "2s", "grace": "20s"}, admin={"address": f"127.0.0.1:{admin.port}"})
    with RawClient(port) as idle:
        idle.login()
        assert admin.get("/readyz")[0] == 200
        started = time.monotonic()
        gateway.send(signal.SIGTERM)
        wait_until(lambda: admin.get("/readyz")[0] == 503, 1, "not ready")
        assert "draining" in admin.get("/readyz")[2] and admin.get("/healthz")[0] == 200
        with RawClient(port) as late:
            late.login()
            assert late.simple("select 1") == [["1"]]
            assert time.monotonic() - started < 1.5, "it was still the delay"
            for each in (idle, late):
                assert each.read_error()["C"] == "57P01"
            assert time.monotonic() - started > 1.9
    assert gateway.wait(10) == 0


def test_nobody_is_waited_for_after_the_delay(before, server):
    gateway, _ = before(server, drain={"delay": "1s", "grace": "60s"})
    started = time.monotonic()
    gateway.send(signal.SIGTERM)
    assert gateway.wait(10) == 0
    assert 0.9 < time.monotonic() - started < 5


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
@pytest.mark.parametrize("delay", ["0", "60s"])
def test_a_second_signal_ends_a_drain(before, server, second, delay):
    gateway, port = before(server, drain={"delay": delay, "grace": "60s"})
    with RawClient(port) as client:
        client.login()
        client.simple("begin")
        gateway.send(signal.SIGTERM)
        time.sleep(0.3)
        gateway.send(second)
        assert client.read_error()["C"] == "57P01"
    assert gateway.wait(10) == 0


def test_many_idle_sessions_are_not_told_in_one_instant(before, server):
    """Half of the grace time, one after the other; who ends a transaction meanwhile ends with it."""
    gateway, port = before(server, drain={"grace": "4s"})
    clients = [RawClient(port, timeout=20).login() for _ in range(60)]
    clients[0].simple("begin")
    started = time.monotonic()
    gateway.send(signal.SIGTERM)
    wait_until(lambda: refuses(port), 1, "no more logins")
    clients[0].simple("commit")
    assert clients[0].read_error()["C"] == "57P01"
    assert time.monotonic() - started < 1
    waits = []
    with selectors.DefaultSelector() as waiting:
        for client in clients[1:]:
            waiting.register(client.socket, selectors.EVENT_READ, client)
        while waiting.get_map():
            for key, _ in waiting.select(5):
                waits.append(time.monotonic() - started)
                assert key.data.read_error()["C"] == "57P01"
                waiting.unregister(key.fileobj)
                key.data.close()
    assert gateway.wait(10) == 0
    assert max(waits) < 3.5, "half of the grace time"
    for quarter in range(4):
        told = len([each for each in waits if quarter * 0.5 <= each < (quarter + 1) * 0.5])
        assert 5 <= told <= 30, (quarter, sorted(waits))
