"""A client that vanishes while its statement runs: the statement is cancelled and the server session ends within a second."""

from __future__ import annotations

import os
import signal
import subprocess
import time

import pytest

from harness.postgres import PASSWORD, USER, client_program
from harness.roads import GATEWAY_MODES
from harness.system import wait_until
from harness.wire import RawClient, query

pytestmark = [pytest.mark.needs_gateway, pytest.mark.alone]

ONE_SECOND = 1.0
# PostgreSQL itself would go on: it looks for a lost client only where client_connection_check_interval is set.


def active(server, name: str):
    return [row for row in server.sessions(name) if row[1] == "active"]


def gone_within(server, name: str, limit: float) -> float:
    started = time.monotonic()
    wait_until(lambda: not server.sessions(name), 15, f"the session {name} ends at the server")
    taken = time.monotonic() - started
    assert taken < limit, f"it took {taken:.2f} s"
    return taken


@pytest.mark.parametrize("statement", ["select pg_sleep(60)", "select count(*) from generate_series(1, 1000000000::bigint)"],
                         ids=["sleeping", "computing"])
@pytest.mark.parametrize("how", ["fin", "reset"])
def test_socket_vanishes(before, server, how, statement):
    gateway, port = before(server)
    name = f"vanishing {how}"
    client = RawClient(port)
    client.login(application_name=name)
    client.send(query(statement))
    wait_until(lambda: active(server, name), 5, "the statement runs")
    client.reset() if how == "reset" else client.close()
    gone_within(server, name, ONE_SECOND)
    line = gateway.wait_end()[0]
    assert line["cause"] == ("client_reset" if how == "reset" else "client_eof")
    assert line["leg"] == "client"


def test_vanishes_in_a_transaction_and_releases_its_lock(before, server):
    gateway, port = before(server)
    client = RawClient(port)
    client.login(application_name="lock holder")
    client.simple("begin; select pg_advisory_xact_lock(77)")
    client.send(query("select pg_sleep(60)"))
    wait_until(lambda: active(server, "lock holder"), 5, "the statement runs")
    client.close()
    started = time.monotonic()
    server.query("select pg_advisory_xact_lock(77)")
    assert time.monotonic() - started < ONE_SECOND


def test_client_that_stopped_reading_vanishes(before, server):
    """A result that nobody reads fills every buffer on the way; the end must be noticed all the same."""
    gateway, port = before(server)
    client = RawClient(port, receive_buffer=4096)
    client.login(application_name="stuck reader")
    client.send(query("select repeat('x', 1000) from generate_series(1, 1000000)"))
    time.sleep(0.5)
    client.reset()
    gone_within(server, "stuck reader", 3)
    gateway.wait_end(cause="client_reset")


def test_half_closed_client_with_a_short_statement_gets_its_answer(before, server):
    """The other side of the coin: FIN with a request under way is not a client that is gone, for a moment."""
    gateway, port = before(server)
    with RawClient(port) as client:
        client.login()
        client.send(query("select 'still there'"))
        client.finish()
        assert client.result() == [["still there"]]
    gateway.wait_end()


@pytest.mark.parametrize("mode", [mode for mode in GATEWAY_MODES if mode != "passthrough"])
def test_killed_psql(road, server, mode):
    target = road(mode, server.version)
    name = f"killed psql {mode}"
    words = target.libpq(application_name=name)
    process = subprocess.Popen([client_program("psql"), "-Xc", "select pg_sleep(60)", " ".join(
        "{}='{}'".format(key, value.replace("\\", "\\\\").replace("'", "\\'")) for key, value in words.items())],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: active(server, name), 10, "the statement runs")
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    gone_within(server, name, ONE_SECOND)


def test_many_vanish_at_once(before, server):
    gateway, port = before(server)
    clients = []
    for _ in range(30):
        client = RawClient(port)
        client.login(USER, PASSWORD, application_name="many")
        client.send(query("select pg_sleep(60)"))
        clients.append(client)
    wait_until(lambda: len(active(server, "many")) == 30, 10, "all run")
    for client in clients:
        client.close()
    gone_within(server, "many", 3)
    assert len(gateway.wait_end(count=30)) == 30
