"""Servers that go, come back and change their roles, and gateways that end, under clients of a pool. In transaction mode
a client has no server between two transactions, so that it need not notice; in session mode it ends as it would alone."""

from __future__ import annotations

import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness.front import TARGETS, UPSTREAM, endpoint_of
from harness.system import wait_until
from harness.wire import Closed, Refused, query

pytestmark = pytest.mark.needs_gateway

HOLD = "30s"


def pooled_routes(mode: str) -> list[dict]:
    return [{"name": target, "match": {"listener": target}, "upstream": UPSTREAM, "target": target, "pooling": mode,
             "auth": {"method": "trust"}} for target in TARGETS]


@pytest.fixture
def shown(cluster, front):
    """A cluster of three behind pools of four connections."""
    def of(mode: str = "transaction", **more):
        upstream = {"pool": {"size": 4, "maxWait": "20s"}}
        return front(cluster, hold=HOLD, routes=pooled_routes(mode), upstream=upstream, workers=2,
                     **more).wait_roles(cluster)
    return of


class Staying:
    """Sessions that each insert a row, again and again, until the block ends."""

    def __init__(self, shown, count: int = 12):
        self.done = 0
        self.failures: list[BaseException] = []
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._go_on, args=(shown,), daemon=True) for _ in range(count)]

    def _go_on(self, shown) -> None:
        try:
            with shown.login(timeout=40) as client:
                while not self._over.is_set():
                    client.simple("insert into seen default values")
                    with self._lock:
                        self.done += 1
        except (Refused, Closed, OSError) as failure:
            self.failures.append(failure)

    def __enter__(self) -> "Staying":
        for each in self._threads:
            each.start()
        return self

    def __exit__(self, *_) -> None:
        self._over.set()
        for each in self._threads:
            each.join(45)

    def wait_more(self, count: int = 40, timeout: float = 20) -> None:
        before = self.done
        wait_until(lambda: self.done > before + count, timeout, f"{count} more rows; failures: {self.failures[:3]}")


def prepare_rows(cluster) -> None:
    cluster.primary.query("create table seen (id bigint generated always as identity primary key); "
                          "grant all on seen to public")
    cluster.wait_caught_up()


def rows(member) -> int:
    return member.query("select count(*) from seen")[0][0]


def test_switchover_under_sessions_that_stay(cluster, shown):
    """Not one of them sees an error or is sent away, and each row that was confirmed is there."""
    first, second, _third = cluster.members
    prepare_rows(cluster)
    gate = shown()
    with Staying(gate) as staying, gate.console() as console:
        staying.wait_more()
        console.execute(f"switchover {UPSTREAM} to {second.endpoint} within 20s")
        cluster.primary = second
        staying.wait_more()
    assert not staying.failures, staying.failures[:3]
    assert rows(second) == staying.done
    assert gate.served_by() == second.endpoint
    assert first.endpoint != gate.upstream()["primary"]


def test_failover_under_sessions_that_stay(cluster, shown):
    """Only who was on a connection of the primary when it was killed sees its end; the others wait for the next one."""
    first, second, _third = cluster.members
    prepare_rows(cluster)
    gate = shown()
    with gate.login(timeout=40) as idle, gate.login(timeout=40) as within:
        assert endpoint_of(idle) == first.endpoint
        within.simple("begin; select 1")
        with Staying(gate) as staying:
            staying.wait_more()
            first.kill9()
            time.sleep(0.3)
            second.promote()
            cluster.primary = second
            staying.wait_more(5)
        with pytest.raises((Refused, Closed)):
            within.simple("select 1")
        assert endpoint_of(idle) == second.endpoint, "it had no server, and never noticed"
    assert len(staying.failures) <= 3, "no more than had one of the four connections, of which one was held"
    assert not [lost for lost in staying.failures if isinstance(lost, Refused) and lost.code not in ("08006", "57P01",
                                                                                                   "57P02")]


@pytest.mark.parametrize("how", ["restart", "terminate"])
def test_idle_clients_outlive_their_server_connections(cluster, shown, how):
    gate = shown()
    primary = cluster.primary
    clients = [gate.login(timeout=20) for _ in range(8)]
    for client in clients:
        assert client.simple("select 1") == [["1"]]
    if how == "restart":
        primary.restart()
    else:
        primary.query("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'trustuser'")
    gate.wait_endpoint(primary, state="up", role="primary")
    time.sleep(0.5)  # a connection that ends while it is being given out is its client's end
    for client in clients:
        assert client.simple("select 2") == [["2"]]
        client.close()


def test_session_mode_is_told(cluster, shown):
    gate = shown("session")
    with gate.login() as client:
        client.simple("select 1")
        cluster.primary.query("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'trustuser'")
        assert client.read_error()["C"] == "57P01"


def test_pause_holds_what_begins(cluster, shown):
    gate = shown()
    with gate.console() as console, gate.login() as busy, gate.login() as idle:
        busy.simple("begin")
        with ThreadPoolExecutor(1) as pool:
            paused = pool.submit(console.execute, f"pause {UPSTREAM}")
            wait_until(lambda: gate.upstream()["paused"], 10, "it is paused")
            assert busy.simple("select 1") == [["1"]], "a transaction goes on"
            busy.simple("commit")
            paused.result(10)
        for client in (busy, idle):
            client.send(query("select 'later'"))
            client.socket.settimeout(0.4)
            with pytest.raises(TimeoutError):
                client.read()
            client.socket.settimeout(20)
        console.execute(f"resume {UPSTREAM}")
        assert busy.result() == idle.result() == [["later"]]


def test_reconnect_is_not_noticed(cluster, shown):
    """The connections are replaced, and the clients stay."""
    gate = shown()
    with gate.console() as console, gate.login() as client:
        before = client.simple("select pg_backend_pid()")
        client.simple("set work_mem = '7MB'")
        console.execute(f"reconnect {UPSTREAM}")
        wait_until(lambda: client.simple("select pg_backend_pid()") != before, 10, "it has another connection")
        assert client.simple("show work_mem") == [["7MB"]]


def test_an_endpoint_that_is_taken_away(cluster, shown):
    """By a reload, under sessions that read from any replica."""
    first, second, third = cluster.members
    gate = shown()
    clients = [gate.login("replica", timeout=20) for _ in range(6)]
    for client in clients:
        assert endpoint_of(client) in (second.endpoint, third.endpoint)
    config = gate.gateway.config
    config["upstreams"][0]["endpoints"] = [first.endpoint, third.endpoint]
    gate.gateway.write_config(config)
    gate.gateway.send(signal.SIGHUP)
    wait_until(lambda: set(gate.endpoints()) == {first.endpoint, third.endpoint}, 15, "it is gone")
    for client in clients:
        assert endpoint_of(client) == third.endpoint
        client.close()


@pytest.mark.parametrize("mode", ["transaction", "session"])
def test_a_drain_ends_idle_clients_and_lets_transactions_finish(cluster, shown, mode):
    gate = shown(mode, drain={"grace": "20s"})
    with gate.login() as idle, gate.login() as busy:
        idle.simple("select 1")
        busy.simple("begin")
        gate.gateway.send(signal.SIGTERM)
        assert idle.read_error()["C"] == "57P01"
        assert busy.simple("select 1") == [["1"]]
        busy.simple("commit")
        assert busy.read_error()["C"] == "57P01"
    assert gate.gateway.wait(20) == 0
    wait_until(lambda: cluster.primary.query("select count(*) from pg_stat_activity where usename = 'trustuser'") == [(0,)],
               10, "no server connection is left behind")
