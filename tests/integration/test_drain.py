"""SIGTERM: accept no more, tell idle sessions at once, let transactions finish until the grace time is over."""

from __future__ import annotations

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


def test_a_delay_for_load_balancers(before, server):
    """Not ready at once, and for a while clients are still taken: balancers need time to learn of it."""
    admin = Admin(free_port())
    gateway, port = before(server, admin={"address": f"127.0.0.1:{admin.port}"}, drain={"grace": "10s", "delay": "2s"})
    with RawClient(port) as there:
        there.login()
        gateway.send(signal.SIGTERM)
        wait_until(lambda: admin.get("/readyz")[0] == 503, 5, "not ready")
        with RawClient(port) as late:
            assert late.login().simple("select 1") == [["1"]]
            assert there.simple("select 1") == [["1"]]
            for client in (there, late):
                assert client.read_error()["C"] == "57P01"
    assert gateway.wait(10) == 0
