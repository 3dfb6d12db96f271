"""The primary dies, hangs or is replaced: who waits is served, who holds on to the old one is told, and the new one
is not overrun."""

from __future__ import annotations

import asyncio
import os
import re
import resource
import struct
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import psycopg
import pytest

from harness.cluster import BARE, BARE_PASSWORD, Member
from harness.front import HEALTH, Visitors, endpoint_of
from harness.postgres import DATABASE, client_program
from harness.system import PATIENCE, wait_until
from harness.wire import Closed, RawClient, Refused, query, startup

pytestmark = pytest.mark.needs_gateway

HOLD = "30s"
USUAL = HEALTH | {"interval": "2s"}  # the default: what it takes to be quick with it


def background(count: int, call):
    """`count` calls in threads of their own -> their futures."""
    pool = ThreadPoolExecutor(count)
    calls = [pool.submit(call) for _ in range(count)]
    pool.shutdown(wait=False)
    return calls


def timed_login(shown, target: str = "primary") -> tuple[float, str]:
    """When it was logged in, and where."""
    with shown.login(target, timeout=60) as client:
        return time.monotonic(), endpoint_of(client)


def promote(member: Member) -> float:
    """When it first said that it is no replica any more."""
    with member.admin("postgres") as session:
        return promote_over(session, member)


def promote_over(session: psycopg.Connection, member: Member) -> float:
    """The same, over a session that is open: psycopg opens none where a thousand files are open."""
    session.execute("select pg_promote(wait => false)")
    while session.execute("select pg_is_in_recovery()").fetchone()[0]:
        time.sleep(0.001)
    member.cluster.primary = member
    return time.monotonic()


def refusal(call) -> Refused:
    with pytest.raises(Refused) as refused:
        call()
    return refused.value


# ---- new sessions ----


@pytest.mark.alone
@pytest.mark.parametrize("health", [HEALTH, USUAL], ids=["often asked", "as usual"])
def test_new_sessions_wait_for_the_new_primary(cluster, front, health):
    first, second, third = cluster.members
    shown = front(cluster, health=health, hold=HOLD).wait_roles(cluster)
    first.kill9()
    waiting = background(20, lambda: timed_login(shown))
    wait_until(lambda: shown.metric("held_sessions", upstream="db") == 20, 10, "they wait")
    assert shown.upstream()["held"] == 20 and shown.wait_event("hold.begin")
    assert not any(call.done() for call in waiting)
    promoted = promote(second)
    served = [call.result(20) for call in waiting]
    assert {where for _, where in served} == {second.endpoint}
    gaps = sorted(when - promoted for when, _ in served)
    assert gaps[0] <= 0.25, gaps
    assert gaps[-1] <= 1.5, gaps  # one login at a time to begin with, then more
    assert shown.wait_event("hold.end")["seconds"] > 0
    assert shown.events("hold.end")[-1]["sessions"] >= 20
    assert shown.metric("held_sessions", upstream="db") == 0
    assert shown.metric("holds_total", upstream="db") >= 20
    assert shown.metric("failover_gap_seconds", upstream="db") > 0
    assert shown.wait_event("topology.primary", endpoint=second.endpoint)
    third.follow(second)
    first.rebuild(second)
    shown.wait_roles(cluster)


@pytest.mark.alone
@pytest.mark.parametrize("how", ["frozen", "black hole"])
def test_a_primary_that_hangs(cluster, front, partition, how):
    """Nobody refuses, nobody answers. When it wakes up it is superseded, and its sessions end."""
    first, second, _third = cluster.members
    shown = front(cluster, health=HEALTH | {"timeout": "500ms"}, hold=HOLD).wait_roles(cluster)
    with shown.login() as old:
        assert endpoint_of(old) == first.endpoint
        first.freeze() if how == "frozen" else partition.cut(first)
        shown.wait_endpoint(first, state="down")
        waiting = background(5, lambda: timed_login(shown))
        wait_until(lambda: shown.upstream()["held"] == 5, 10, "they wait")
        promoted = promote(second)
        served = [call.result(20) for call in waiting]
        assert {where for _, where in served} == {second.endpoint}
        assert min(when for when, _ in served) - promoted <= 0.25 * PATIENCE
        with Visitors(shown) as visitors:
            first.thaw() if how == "frozen" else partition.heal(first)
            try:
                assert old.read_error()["C"] == "57P01"
            except Closed:
                pytest.fail("it was left without a word")
            shown.wait_endpoint(first, role="superseded")
            visitors.wait(10, time.monotonic())
    assert {visit.endpoint for visit in visitors.visits} == {second.endpoint}, visitors.failed[:3]


@pytest.mark.parametrize("how", ["drop", "unplug"])
def test_a_primary_whose_node_is_cut_off(make_cluster, front, island, how):
    """The network between is gone, in a namespace of its own: no packet comes back, or nobody has that address. Those
    who sit idle on it are told so too, once another is the primary."""
    cluster = make_cluster(replicas=1, island=island)
    first, second = cluster.members
    shown = front(cluster, health=HEALTH | {"timeout": "500ms"}, hold=HOLD).wait_roles(cluster)
    with shown.login() as old:
        assert endpoint_of(old) == first.endpoint
        getattr(island, how)()
        shown.wait_endpoint(first, state="down")
        waiting = background(5, lambda: timed_login(shown))
        promoted = promote(second)
        served = [call.result(20) for call in waiting]
        assert {where for _, where in served} == {second.endpoint}
        assert min(when for when, _ in served) - promoted <= 0.25 * PATIENCE
        assert old.read_error()["C"] == "57P01"
    island.heal()
    shown.wait_endpoint(first, role="superseded")
    assert shown.served_by() == second.endpoint


def test_a_login_that_is_caught_by_a_hang(cluster, front):
    """It has sent its start-up packet to a server that does not answer any more, and nobody knows that yet."""
    first, second, _third = cluster.members
    shown = front(cluster, health=HEALTH | {"timeout": "500ms"}, hold=HOLD).wait_roles(cluster)
    first.freeze()
    caught = background(5, lambda: timed_login(shown))
    shown.wait_endpoint(first, state="down")
    promote(second)
    assert {call.result(10 * PATIENCE)[1] for call in caught} == {second.endpoint}


def test_a_hold_ends(cluster, front):
    shown = front(cluster, hold="1s").wait_roles(cluster)
    cluster.primary.kill9()
    shown.wait_endpoint(cluster.primary, state="down")
    began = time.monotonic()
    calls = background(5, shown.login)
    told = [refusal(lambda call=call: call.result(20)).fields for call in calls]
    assert 0.9 < time.monotonic() - began < 4 * PATIENCE
    for each in told:
        assert (each["C"], each["V"]) == ("57P03", "FATAL") and 'no primary of upstream "db"' in each["M"]
        assert cluster.primary.endpoint in each["M"] + each.get("D", "")
    assert shown.served_by("replica") in {member.endpoint for member in cluster.replicas}


def test_without_a_hold_it_fails_at_once(cluster, front):
    shown = front(cluster).wait_roles(cluster)
    cluster.primary.kill9()
    began = time.monotonic()
    assert refusal(shown.login).code in ("57P03", "08006")
    assert time.monotonic() - began < 1.5 * PATIENCE
    shown.wait_endpoint(cluster.primary, state="down")
    began = time.monotonic()
    assert refusal(shown.login).code == "57P03"
    assert time.monotonic() - began < 0.5 * PATIENCE
    assert not shown.events("hold.begin")


def test_a_hold_for_replicas(make_cluster, front):
    """Whatever fits is waited for, not only a primary."""
    cluster = make_cluster(replicas=1)
    (replica,) = cluster.replicas
    shown = front(cluster, hold=HOLD).wait_roles(cluster)
    replica.kill9()
    shown.wait_endpoint(replica, state="down")
    waiting = background(3, lambda: timed_login(shown, "replica"))
    wait_until(lambda: shown.upstream()["held"] == 3, 10, "they wait")
    assert shown.served_by() == cluster.primary.endpoint
    replica.start()
    assert {call.result(20)[1] for call in waiting} == {replica.endpoint}


def test_a_client_that_leaves_while_it_waits(cluster, front):
    shown = front(cluster, hold=HOLD).wait_roles(cluster)
    cluster.primary.kill9()
    shown.wait_endpoint(cluster.primary, state="down")
    with RawClient(shown.port()) as client:
        client.send(startup({"user": "trustuser", "database": DATABASE}))
        wait_until(lambda: shown.upstream()["held"] == 1, 10, "it waits")
    wait_until(lambda: shown.upstream()["held"] == 0, 10, "it has left")
    shown.gateway.wait_end()


def test_a_hold_is_no_longer_than_the_login_may_take(cluster, front):
    """Who waits is told why before `loginTimeout` ends it without a reason."""
    shown = front(cluster, hold="1m", listeners={"loginTimeout": "2s"}).wait_roles(cluster)
    cluster.primary.kill9()
    shown.wait_endpoint(cluster.primary, state="down")
    began = time.monotonic()
    told = refusal(shown.login).fields
    assert told["C"] == "57P03" and "primary" in told["M"] and time.monotonic() - began < 5 * PATIENCE


# ---- sessions that there are ----


def test_sessions_of_a_primary_that_died(cluster, front):
    """Idle ones get a word that every driver knows; of a statement nobody can say whether it was done."""
    first = cluster.primary
    shown = front(cluster, hold=HOLD).wait_roles(cluster)
    with shown.login() as idle, shown.login(application_name="busy") as busy, shown.login("replica") as elsewhere:
        busy.send(query("select pg_sleep(60)"))
        wait_until(lambda: [row for row in first.sessions("busy") if row[1] == "active"], 5, "it runs")
        first.kill9()
        told = idle.read_error()
        assert (told["C"], told["V"]) == ("57P01", "FATAL")
        assert idle.receive_to_end() == (b"", "fin")
        told = busy.read_error()
        assert told["V"] == "FATAL" and told["C"][:2] in ("08", "57"), told
        assert elsewhere.simple("select 1") == [["1"]]


def test_sessions_of_a_primary_that_was_stopped(cluster, front):
    """The server's own word is passed on."""
    shown = front(cluster, hold=HOLD).wait_roles(cluster)
    with shown.login() as idle:
        cluster.primary.stop()
        assert idle.read_error()["C"] == "57P01"


# ---- a crowd ----


async def _log_in(port: int, packet: bytes) -> str:
    """A login up to ReadyForQuery, which then stays; "" or what went wrong."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        _open.append(writer)
        writer.write(packet)
        while True:
            kind, size = struct.unpack("!ci", await reader.readexactly(5))
            body = await reader.readexactly(size - 4)
            if kind == b"Z":
                _served.append(time.monotonic())
                return ""
            if kind == b"E":
                return body.decode(errors="replace")
    except (OSError, asyncio.IncompleteReadError) as lost:
        return repr(lost)


_open: list[asyncio.StreamWriter] = []  # or they would close
_served: list[float] = []  # when each had its ReadyForQuery


async def crowd(port: int, count: int, arrived) -> list[str]:
    """`count` logins at once; `arrived` is called when all have been sent. All stay until the last is in."""
    packet = startup({"user": "trustuser", "database": DATABASE, "application_name": "crowd"})
    try:
        logins = [asyncio.create_task(_log_in(port, packet)) for _ in range(count)]
        while len(_open) < count and not all(each.done() for each in logins):
            await asyncio.sleep(0.01)
        await asyncio.to_thread(arrived)
        released = time.monotonic()
        said = await asyncio.wait_for(asyncio.gather(*logins), 200)
        waits = sorted(when - released for when in _served)
        if waits:
            print(f"\n{len(waits)} logins, s after the new primary: " + ", ".join(
                f"{name} {waits[int((len(waits) - 1) * part)]:.3f}"
                for name, part in (("first", 0), ("p50", 0.5), ("p99", 0.99), ("last", 1))))
        return said
    finally:
        _served.clear()
        for writer in _open:
            writer.close()
        _open.clear()


def most_logins_at_once(log: str, user: str) -> tuple[int, int]:
    """By the server's own log, from "connection received" to "connection authorized": (most at a time, all)."""
    lines = re.findall(r"^(\S+ \S+) \S+ \[(\d+)\] .*?connection (received|authorized): (?:user=(\S+))?", log, re.M)
    begun: dict[str, float] = {}
    events: list[tuple[float, int]] = []
    for when, pid, what, who in lines:
        moment = datetime.strptime(when, "%Y-%m-%d %H:%M:%S.%f").timestamp()
        if what == "received":
            begun[pid] = moment
        elif who == user and pid in begun:
            events += [(begun.pop(pid), 1), (moment, -1)]
    now = most = 0
    for _, step in sorted(events):  # at the same moment, who ends goes first
        now += step
        most = max(most, now)
    return most, len(events) // 2


def test_the_log_is_read_right():
    line = "2026-11-28 02:00:0{}.000 UTC [{}] [unknown] LOG:  connection {}\n"
    received, authorized = "received: host=127.0.0.1 port=1", "authorized: user={} database=app"
    log = (line.format(0, 1, received) + line.format(1, 2, received) + line.format(2, 1, authorized.format("u")) +
           line.format(2, 3, received) + line.format(3, 2, authorized.format("u")) +
           line.format(4, 3, authorized.format("u")) + line.format(0, 4, received) +
           line.format(9, 4, authorized.format("monitor")) + line.format(5, 5, received))
    assert most_logins_at_once(log, "u") == (2, 3)


@pytest.fixture
def many_files():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 8192 and hard != resource.RLIM_INFINITY:
        pytest.skip("too few files may be open")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 8192), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.alone
@pytest.mark.long
def test_two_thousand_come_back(make_cluster, front, many_files):
    count, at_once = 2000, 16
    cluster = make_cluster(replicas=1, settings={"max_connections": count + 100})
    first, second = cluster.members
    # Clients, gateway and servers share the machine's cores here: an answer may take a while.
    shown = front(cluster, health=USUAL | {"timeout": "5s"}, hold="1m",
                  upstream={"pool": {"maxLogins": at_once, "maxWait": "2m"}},
                  listeners={"loginTimeout": "3m", "maxHalfOpenLoginsPerSource": count + 100}).wait_roles(cluster)
    first.kill9()
    shown.wait_endpoint(first, state="down")
    mark, began = len(second.log_text()), time.monotonic()
    with second.admin("postgres") as session:
        def arrived():
            wait_until(lambda: shown.upstream()["held"] > count * 0.9, 60, "they wait")
            promote_over(session, second)

        said = asyncio.run(crowd(shown.port(), count, arrived))
    assert len(said) == count and not any(said), [each for each in said if each][:3]
    most, served = most_logins_at_once(second.log_text()[mark:], "trustuser")
    assert served == count and most <= at_once, (served, most)
    assert most > at_once / 4, "it never got up to speed"
    assert time.monotonic() - began < 200  # 2,000 processes to start: it is the server that takes its time
    assert not shown.events("endpoint.down", endpoint=second.endpoint), "it was overrun"


def test_a_small_crowd(make_cluster, front):
    """The same in small, where it may run beside others."""
    cluster = make_cluster(replicas=1)
    first, second = cluster.members
    shown = front(cluster, hold="1m", upstream={"pool": {"maxLogins": 3, "maxWait": "1m"}}).wait_roles(cluster)
    first.kill9()
    mark = len(second.log_text())
    said = asyncio.run(crowd(shown.port(), 150, lambda: promote(second)))
    assert len(said) == 150 and not any(said), [each for each in said if each][:3]
    most, served = most_logins_at_once(second.log_text()[mark:], "trustuser")
    assert served == 150 and most <= 3, (served, most)


# ---- the operator's hand ----


@pytest.mark.parametrize("command", ["pause", "pause db"])
def test_pause_and_resume(cluster, front, command):
    shown = front(cluster).wait_roles(cluster)
    with shown.console() as console, shown.login() as there, shown.login() as busy:
        busy.simple("begin")
        paused = background(1, lambda: console.execute(command))[0]
        wait_until(lambda: shown.upstream()["paused"], 10, "it is paused")
        assert busy.simple("select 1") == [["1"]], "a transaction goes on"
        busy.simple("commit")
        paused.result(10)
        there.send(query("select 'later'"))
        waiting = background(5, lambda: timed_login(shown)) + background(2, lambda: timed_login(shown, "replica"))
        wait_until(lambda: shown.upstream()["held"] == 7, 10, "they wait, though there is no hold")
        there.socket.settimeout(0.5)
        with pytest.raises(TimeoutError):
            there.read()
        there.socket.settimeout(20)
        with shown.console() as other:
            assert [row["paused"] for row in other.execute("show upstreams")] == ["yes"]
            other.execute(command.replace("pause", "resume"))
        assert there.result() == [["later"]]
        assert len({call.result(20)[1] for call in waiting[:5]}) == 1
        assert {call.result(20)[1] for call in waiting[5:]} <= {member.endpoint for member in cluster.replicas}
        assert not shown.upstream()["paused"]


def test_who_has_just_logged_in_may_ask_once(cluster, front):
    """Its first transaction was not held when it came in; a switchover would end it, though its client does nothing wrong."""
    shown = front(cluster).wait_roles(cluster)
    for _ in range(20):  # until the pause is there soon enough
        began = time.monotonic()
        with shown.console() as console, shown.login() as asks, shown.login() as silent:
            paused = background(1, lambda: console.execute("pause db"))[0]
            wait_until(lambda: shown.upstream()["paused"], 10, "it is paused", 0.005)
            asks.send(query("select 'first'"))
            in_time = time.monotonic() - began < 0.2
            if in_time:
                assert asks.result() == [["first"]]
                asks.send(query("select 'second'"))
                asks.socket.settimeout(0.5)
                with pytest.raises(TimeoutError):
                    asks.read()
                asks.socket.settimeout(20)
            paused.result(10)  # who says nothing holds it up for a moment only
            console.execute("resume db")
            assert asks.result() == [["second" if in_time else "first"]]
            assert silent.simple("select 1") == [["1"]]
        if in_time:
            return
    pytest.fail("no pause came within 0.2 s of a login")


def test_a_pause_is_nobodys_failure(cluster, front):
    """Who is caught by it in the middle of a login waits with the others, with no hold, and no endpoint is the worse for it."""
    shown = front(cluster).wait_roles(cluster)
    with Visitors(shown, count=6) as visitors, shown.console() as console:
        for _ in range(8):
            visitors.wait(10, time.monotonic())
            console.execute("pause db")
            console.execute("resume db")
    assert len(visitors.visits) > 30 and not visitors.failed, visitors.failed[:3]
    assert not any(known["ejectedSeconds"] for known in shown.endpoints().values())


def test_reconnect(cluster, front):
    """Sessions end when it hurts nobody: idle ones now, others after their transaction."""
    shown = front(cluster).wait_roles(cluster)
    with shown.console() as console, shown.login() as idle, shown.login() as busy:
        busy.simple("begin")
        console.execute("reconnect db")
        assert idle.read_error()["C"] == "57P01"
        with shown.login() as new:
            assert new.simple("select 1") == [["1"]]
            assert busy.simple("select 1") == [["1"]]
            busy.simple("commit")
            assert busy.read_error()["C"] == "57P01"
            assert new.simple("select 1") == [["1"]], "it began later"


@pytest.mark.parametrize("command", ["pause nobody", "resume nobody", "reconnect nobody", "switchover db",
                                     "switchover nobody to 127.0.0.1:1", "switchover db to 127.0.0.1:1"])
def test_commands_that_make_no_sense(cluster, front, command):
    shown = front(cluster).wait_roles(cluster)
    with shown.console() as console:
        with pytest.raises(psycopg.Error):
            console.execute(command)
        assert console.execute("show version").fetchone()
    assert shown.served_by() == cluster.primary.endpoint and not shown.upstream()["paused"]


def pgbench(port: int, seconds: int) -> subprocess.Popen:
    """A new connection for each transaction, and each leaves a row."""
    words = ["-h", "127.0.0.1", "-p", port, "-U", "trustuser", "-n", "-C", "-c", 6, "-j", 2, "-T", seconds, "-f", "-",
             DATABASE]
    running = subprocess.Popen([client_program("pgbench"), *map(str, words)], text=True, stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               env={"PATH": os.environ["PATH"], "PGSSLMODE": "disable", "LC_ALL": "C"})
    running.stdin.write("insert into seen default values;\n")
    running.stdin.close()
    running.stdin = None
    return running


def transactions(running: subprocess.Popen) -> int:
    """How many it made; it saw no error."""
    said = running.communicate(timeout=60)[0]
    assert running.returncode == 0 and "error" not in said.lower(), said
    assert not re.search(r"failed transactions: [1-9]", said), said
    return int(re.search(r"transactions actually processed: (\d+)", said)[1])


def prepare_rows(cluster) -> None:
    cluster.primary.query("create table seen (id bigint generated always as identity primary key, at timestamptz "
                          "default clock_timestamp()); grant all on seen to public")
    cluster.wait_caught_up()


@pytest.mark.alone
def test_switchover_under_load(cluster, front):
    """Not one client sees an error, and not one row is lost."""
    first, second, _third = cluster.members
    prepare_rows(cluster)
    shown = front(cluster, hold=HOLD).wait_roles(cluster)
    load = pgbench(shown.port(), 8)
    try:
        wait_until(lambda: first.query("select count(*) from seen")[0][0] > 50, 15, "it runs")
        with shown.console() as console:
            console.execute(f"switchover db to {second.endpoint} within 20s")
        cluster.primary = second
        assert not second.is_in_recovery() and second.timeline() == 2
        before = second.query("select count(*) from seen")[0][0]
        wait_until(lambda: second.query("select count(*) from seen")[0][0] > before + 20, 10, "it goes on there")
        done = transactions(load)
    finally:
        load.kill()
        load.wait()
    assert second.query("select count(*) from seen") == [(done,)]
    assert shown.wait_event("switchover") and shown.upstream()["primary"] == second.endpoint
    assert shown.served_by() == second.endpoint and not shown.upstream()["paused"]
    assert shown.endpoint(first)["role"] in ("superseded", "replica")


@pytest.mark.alone
def test_failover_under_load(cluster, front):
    """With a hold, a kill is an error for those who were on the server, and for nobody who comes after it."""
    first, second, _third = cluster.members
    prepare_rows(cluster)
    shown = front(cluster, hold=HOLD).wait_roles(cluster)
    with Visitors(shown, count=6) as visitors:
        visitors.wait(30)
        first.kill9()
        killed = time.monotonic()
        promote(second)
        visitors.wait(30, killed, endpoint=second.endpoint)
    assert not [visit for visit in visitors.since(killed) if visit.code], visitors.failed[:5]
    assert len(visitors.failed) <= 6, "only those that were on it"
    assert not [visit for visit in visitors.visits if visit.in_recovery]


def test_switchover_that_finds_no_pause(cluster, front):
    """A transaction outlasts WITHIN: nothing is changed, and sessions go on."""
    first, second, _third = cluster.members
    shown = front(cluster, hold=HOLD).wait_roles(cluster)
    with shown.console() as console, shown.login() as busy:
        busy.simple("create temp table t (x int); begin")
        began = time.monotonic()
        with pytest.raises(psycopg.Error) as failed:
            console.execute(f"switchover db to {second.endpoint} within 1s")
        assert failed.value.diag.message_primary and 0.5 < time.monotonic() - began < 10
        assert busy.simple("select 1") == [["1"]]
        busy.simple("commit")
        assert busy.simple("select count(*) from t") == [["0"]], "it is the same session"
    assert second.is_in_recovery() and shown.served_by() == first.endpoint and not shown.upstream()["paused"]


def test_switchover_without_the_right(cluster, front):
    """The monitor may not promote: said, and nothing changed."""
    first, second, _third = cluster.members
    shown = front(cluster, health=HEALTH | {"user": BARE, "password": BARE_PASSWORD}, hold=HOLD).wait_roles(cluster)
    with shown.console() as console, pytest.raises(psycopg.Error):
        console.execute(f"switchover db to {second.endpoint} within 5s")
    assert second.is_in_recovery() and shown.served_by() == first.endpoint and not shown.upstream()["paused"]


def test_switchover_to_one_that_lags(cluster, front):
    """It waits until the new primary has all that was committed, or gives up."""
    first, second, _third = cluster.members
    prepare_rows(cluster)
    shown = front(cluster, hold=HOLD).wait_roles(cluster)
    second.pause_replay()
    first.query("insert into seen default values")
    with shown.console() as console:
        with pytest.raises(psycopg.Error):
            console.execute(f"switchover db to {second.endpoint} within 2s")
        assert second.is_in_recovery() and shown.served_by() == first.endpoint
        second.resume_replay()
        console.execute(f"switchover db to {second.endpoint} within 20s")
    assert not second.is_in_recovery() and second.query("select count(*) from seen") == [(1,)]
    assert shown.served_by() == second.endpoint
