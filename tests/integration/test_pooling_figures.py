"""What operators see of pools, and the limits over all pools of an upstream: the console by psql, /metrics and the API,
with real servers and clients behind."""

from __future__ import annotations

import subprocess
import threading
import time

import pytest

from harness.console import dsn
from harness.pooled import TRUSTED, backends
from harness.postgres import DATABASE, PASSWORD, USER, client_program
from harness.system import run, wait_until
from harness.wire import RawClient, Refused, query
from harness.wire_parts import describe, parse

pytestmark = pytest.mark.needs_gateway

SYNC = b"S\x00\x00\x00\x04"


def seen_soon(look, what: str, timeout: float = 5) -> None:
    wait_until(look, timeout, what)


# ---- what is shown ----


def test_a_pool_is_shown_as_it_is(watched_pool):
    gateway = watched_pool(size=2, maxWait="20s")
    with RawClient(gateway.port).login() as first, RawClient(gateway.port).login() as second, \
            RawClient(gateway.port).login() as third:
        first.simple("begin")
        second.simple("begin")
        third.send(query("select 3"))
        seen_soon(lambda: gateway.one("pools", user=TRUSTED)["cl_waiting"] == 1, "the third waits")
        time.sleep(1.1)
        pool = gateway.one("pools", user=TRUSTED)
        assert (pool["database"], pool["cl_active"], pool["sv_active"], pool["sv_idle"]) == (DATABASE, 2, 2, 0)
        assert pool["maxwait"] >= 1 and pool["pool_mode"] == "transaction" and pool["pool_size"] == 2
        waiting = gateway.one("clients", state="waiting", user=TRUSTED)
        assert waiting["link"] == "" and waiting["wait"] >= 1
        (listed,) = gateway.admin.json("/api/v1/pools?user=" + TRUSTED)["pools"]
        assert listed["clients"] == {"active": 2, "waiting": 1} and listed["connections"]["active"] == 2
        assert gateway.metric("trunkline_pool_waiting_clients", user=TRUSTED) == 1
        assert gateway.metric("trunkline_pool_connections", user=TRUSTED, state="active") == 2
        assert gateway.metric("trunkline_pool_size", user=TRUSTED) == 2
        first.simple("commit")
        assert third.result() == [["3"]]
        second.simple("commit")
        seen_soon(lambda: gateway.one("pools", user=TRUSTED)["sv_idle"] == 2, "both are idle")
        assert gateway.metric("trunkline_pool_connections", user=TRUSTED, state="idle") == 2
        assert gateway.metric("trunkline_pool_wait_seconds_count", upstream="db") >= 1
        assert gateway.metric("trunkline_pool_wait_seconds_sum", upstream="db") >= 1
        lists = {row["list"]: row["items"] for row in gateway.show("lists")}
        assert lists["free_servers"] == 2 and lists["used_servers"] == 0 and lists["waiting_clients"] == 0
    database = gateway.one("databases", name="trusted")
    assert (database["pool_size"], database["pool_mode"], database["current_connections"]) == (2, "transaction", 2)
    assert run(["promtool", "check", "metrics"], input=gateway.admin.metrics()).returncode == 0


def test_server_connections_with_and_without_a_client(watched_pool):
    gateway = watched_pool(size=2)
    with RawClient(gateway.port).login() as client:
        ((pid,),) = client.simple("begin; select pg_backend_pid()")
        taken = gateway.one("servers", remote_pid=int(pid))
        session = gateway.one("sessions", user=TRUSTED)
        assert taken["state"] == "active" and taken["link"] == f"c{session['session']}"
        assert session["server"] == taken["ptr"] and session["server_pid"] == int(pid)
        assert session["pooling"] == "transaction" and session["endpoint"] == f"127.0.0.1:{watched_pool.server.port}"
        assert taken["port"] == watched_pool.server.port and taken["local_port"] > 0
        client.simple("commit")
        spare = gateway.one("servers", remote_pid=int(pid))
        assert spare["state"] == "idle" and spare["link"] == "" and spare["ptr"] == taken["ptr"]
        session = gateway.one("sessions", user=TRUSTED)
        assert session["server"] is None and session["server_pid"] is None and session["endpoint"] is None
        shown = gateway.admin.json(f"/api/v1/sessions/{session['session']}")["pooled"]
        assert shown["mode"] == "transaction" and shown["connection"] is None and shown["pinned"] is None


def test_a_session_of_session_mode_has_its_connection_until_its_end(watched_pool):
    gateway = watched_pool("session", size=2)
    with RawClient(gateway.port).login() as client:
        ((pid,),) = client.simple("select pg_backend_pid()")
        client.simple("create temp table own (n int)")
        assert gateway.one("servers", remote_pid=int(pid))["state"] == "active"
        assert gateway.one("sessions", user=TRUSTED)["pooling"] == "session"
        assert gateway.show("pinned") == [], "in this mode everybody keeps it"
        assert gateway.one("pools", user=TRUSTED)["pool_mode"] == "session"
    seen_soon(lambda: gateway.one("servers", remote_pid=int(pid))["state"] == "idle", "it is reset and idle")


def test_who_is_pinned_and_why(watched_pool):
    gateway = watched_pool(size=3)
    assert gateway.show("pinned") == []
    with RawClient(gateway.port).login() as first, RawClient(gateway.port).login() as second:
        ((pid,),) = first.simple("create temp table own (n int); select pg_backend_pid()")
        second.simple("select pg_advisory_lock(1)")
        # A client has its answer before the gateway has asked what the session holds.
        seen_soon(lambda: len(gateway.show("pinned")) == 2, "both are pinned")
        pinned = gateway.one("pinned", reason="temporary")
        assert (pinned["user"], pinned["database"], pinned["route"]) == (TRUSTED, DATABASE, "trusted")
        assert pinned["client"].startswith("127.0.0.1:") and pinned["since"].endswith(" UTC")
        assert pinned["seconds"] < 60 and gateway.one("servers", remote_pid=int(pid))["ptr"] == pinned["server"]
        assert gateway.one("pinned", reason="advisory_lock")
        assert gateway.one("sessions", session=pinned["session"])["pinned"] == "temporary"
        assert gateway.metric("trunkline_pinned_sessions", reason="temporary", route="trusted") == 1
        first.simple("discard all")
        seen_soon(lambda: [row["reason"] for row in gateway.show("pinned")] == ["advisory_lock"], "the first is free")
        assert gateway.metric("trunkline_pinned_sessions", reason="temporary") == 0
        assert gateway.metric("trunkline_pins_total", reason="temporary") == 1
    seen_soon(lambda: gateway.show("pinned") == [], "its client has gone")
    assert gateway.metric("trunkline_pinned_sessions", reason="advisory_lock") == 0
    assert gateway.metric("trunkline_pins_total", reason="advisory_lock") == 1


def test_prepared_statements_are_shown_without_their_literals(watched_pool):
    gateway = watched_pool(size=1)
    text = "select $1::int + 4711 as shown"
    clients = [RawClient(gateway.port).login() for _ in range(3)]
    for number, client in enumerate(clients):
        client.send(parse(f"own{number}", text, (23,)) + describe("S", f"own{number}") + SYNC)
        client.result()
    (row,) = [row for row in gateway.show("prepared") if "shown" in (row["statement"] or "")]
    assert row["uses"] == 3 and row["clients"] == 3 and "4711" not in str(row)
    names = clients[0].simple("select name from pg_prepared_statements")
    assert [row["name"]] in names, "as it is called at the server"
    (listed,) = [each for each in gateway.admin.json("/api/v1/prepared")["statements"] if each["name"] == row["name"]]
    assert listed["clients"] == 3 and "4711" not in str(listed)
    for client in clients:
        client.close()
    seen_soon(lambda: all("shown" not in (each["statement"] or "") for each in gateway.show("prepared")),
              "nobody has it any more")


def test_psql_and_pgbench_agree_with_the_figures(watched_pool):
    """While pgbench works, psql at the console sees its clients and no more servers than the pool has."""
    gateway = watched_pool(size=3)
    script = ["-h", "127.0.0.1", "-p", str(gateway.port), "-U", USER, "-n", "-c", "8", "-T", "3", "-f", "-", DATABASE]
    load = subprocess.Popen([client_program("pgbench"), *script], text=True, stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            env={"PGPASSWORD": PASSWORD, "PATH": "/usr/bin:/bin"})
    load.stdin.write("begin;\nselect pg_sleep(0.002);\nend;\n")
    load.stdin.close()
    load.stdin = None
    looks = []
    while load.poll() is None:
        said = run([client_program("psql"), dsn(gateway.port), "-XAtc", "show pools"]).stdout
        looks += [line.split("|") for line in said.splitlines() if line.split("|")[1] == USER]
    assert load.returncode == 0, load.communicate()[0]
    assert max(int(row[2]) + int(row[3]) for row in looks) == 8
    for row in looks:
        assert int(row[6]) + int(row[9]) <= 3, row
    assert max(int(row[3]) for row in looks) >= 1, "eight clients and three connections"
    assert gateway.metric("trunkline_pool_wait_seconds_count", upstream="db") > 0


# ---- limits over pools ----


def connections_of(server, user: str) -> int:
    return len(backends(server, user))


def test_a_user_cannot_starve_another(watched_pool):
    """One fills the upstream; another one comes, and gets half of it although the first goes on asking."""
    gateway = watched_pool(size=6, maxConnections=4, maxWait="20s")
    over = threading.Event()
    turns = {TRUSTED: 0, USER: 0}
    failures = []

    def work(user: str, password: str) -> None:
        try:
            with RawClient(gateway.port, timeout=20).login(user, password) as client:
                while not over.is_set():
                    client.simple("begin; select pg_sleep(0.01); commit")
                    turns[user] += 1
        except Exception as problem:
            failures.append(problem)
            raise

    first = [threading.Thread(target=work, args=(TRUSTED, "")) for _ in range(8)]
    second = [threading.Thread(target=work, args=(USER, PASSWORD)) for _ in range(8)]
    for each in first:
        each.start()
    wait_until(lambda: connections_of(watched_pool.server, TRUSTED) == 4, 10, "the first user has all")
    for each in second:
        each.start()
    wait_until(lambda: connections_of(watched_pool.server, USER) == 2, 10, "the second user has its share")
    turns.update(dict.fromkeys(turns, 0))
    most = 0
    end = time.monotonic() + 2
    while time.monotonic() < end:
        most = max(most, connections_of(watched_pool.server, TRUSTED) + connections_of(watched_pool.server, USER))
    share = turns[USER] / sum(turns.values())
    over.set()
    for each in first + second:
        each.join(20)
    assert not failures
    assert 0.35 < share < 0.65, turns
    # One that closes may still be there when its successor has begun.
    assert most <= 5
    assert gateway.metric("trunkline_pool_connections", upstream="db") == 4


def test_idle_connections_of_another_user_are_given_at_once(watched_pool):
    gateway = watched_pool(size=4, maxConnections=3, maxWait="20s")
    greedy = [RawClient(gateway.port).login() for _ in range(3)]
    for each in greedy:
        each.simple("begin")
    for each in greedy:
        each.simple("commit")
    assert gateway.one("pools", user=TRUSTED)["sv_idle"] == 3
    began = time.monotonic()
    with RawClient(gateway.port, timeout=20).login(USER, PASSWORD) as other:
        assert other.simple("select 1") == [["1"]]
    assert time.monotonic() - began < 2
    wait_until(lambda: connections_of(watched_pool.server, TRUSTED) == 2, 5, "one was given")
    for each in greedy:
        assert each.simple("select 2") == [["2"]]
        each.close()


def test_more_users_than_connections_take_turns(watched_pool):
    gateway = watched_pool(size=4, maxConnections=1, maxWait="20s")
    with RawClient(gateway.port, timeout=20).login() as one, \
            RawClient(gateway.port, timeout=20).login(USER, PASSWORD) as other:
        for _ in range(3):
            assert one.simple("select 1") == [["1"]]
            assert other.simple("select 2") == [["2"]]


def test_what_one_user_may_have_over_all_pools(watched_pool):
    """Two pools of a user, who may have two connections; another user is not concerned."""
    gateway = watched_pool(size=4, perUser=2, maxWait="1s")
    with RawClient(gateway.port, timeout=10).login() as first, \
            RawClient(gateway.port, timeout=10).login(database="postgres") as second, \
            RawClient(gateway.port, timeout=10).login(database="postgres") as third, \
            RawClient(gateway.port, timeout=10).login(USER, PASSWORD) as other:
        first.simple("begin")
        second.simple("begin")
        with pytest.raises(Refused) as refused:
            third.simple("begin")
        assert refused.value.fields["C"] == "53300" and "perUser" in refused.value.fields["H"]
        assert other.simple("select 1") == [["1"]]
        assert connections_of(watched_pool.server, TRUSTED) == 2
        first.simple("commit")
        with RawClient(gateway.port, timeout=10).login(database="postgres") as fourth:
            fourth.simple("begin")
            assert fourth.simple("select current_database()") == [["postgres"]]
        assert connections_of(watched_pool.server, TRUSTED) == 2


# ---- pools themselves ----


def test_what_is_kept_ready_is_also_where_all_are_taken(watched_pool):
    gateway = watched_pool(size=6, minIdle=2, idleTimeout="1s")
    with RawClient(gateway.port).login() as first, RawClient(gateway.port).login() as second:
        first.simple("begin")
        second.simple("begin")
        seen_soon(lambda: gateway.one("pools", user=TRUSTED)["sv_idle"] == 2, "two more are ready")
        time.sleep(1.5)
        assert gateway.one("pools", user=TRUSTED)["sv_idle"] == 2, "no idleTimeout for these"
        assert gateway.one("pools", user=TRUSTED)["sv_active"] == 2
        first.simple("commit")
        second.simple("commit")
    wait_until(lambda: connections_of(watched_pool.server, TRUSTED) == 0, 10, "nobody needs them any more")
    wait_until(lambda: gateway.admin.json("/api/v1/pools")["pools"] == [], 10, "nor the pool")
    with RawClient(gateway.port).login() as again:
        assert again.simple("select 1") == [["1"]]


def test_a_thousand_users_leave_nothing_behind(watched_pool, quick, sanitized):
    """Whoever the server refuses made a pool all the same."""
    users = 150 if quick else 1000
    gateway = watched_pool(size=2, idleTimeout="1s", routes=[
        {"name": "trusted", "match": {}, "auth": {"method": "trust"}, "upstream": "db", "pooling": "transaction"}])

    def crowd(prefix: str) -> None:
        for number in range(users):
            with RawClient(gateway.port, timeout=20) as client, pytest.raises(Refused):
                client.login(f"{prefix}{number}")

    crowd("first")
    text = gateway.admin.metrics()
    assert sum(line.startswith("trunkline_pool_size{") for line in text.splitlines()) <= 101
    if gateway.admin.json("/api/v1/pools")["matching"] > 100:
        assert 'database="other",user="other"' in text
    wait_until(lambda: gateway.admin.json("/api/v1/pools")["matching"] == 0, 30, "they are forgotten")
    assert "trunkline_pool_size{" not in gateway.admin.metrics()
    before = gateway.gateway.memory_kib()
    crowd("second")
    wait_until(lambda: gateway.admin.json("/api/v1/pools")["matching"] == 0, 30, "they are forgotten too")
    # A sanitizer keeps freed memory.
    assert sanitized or gateway.gateway.memory_kib() - before < 4 * 1024
