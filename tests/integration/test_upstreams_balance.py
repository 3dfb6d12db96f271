"""How sessions spread over servers that are equally good, and that a server which is not good holds nobody up."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness.fakeserver import FakeServer, read_startup
from harness.front import HEALTH, Visitors, endpoint_of
from harness.system import wait_until
from harness.wire import RawClient, Refused, message, startup

pytestmark = pytest.mark.needs_gateway

REACHABLE = {"interval": "200ms", "timeout": "1s", "slowStart": "0s"}
STARTING_UP = message("E", b"SFATAL\0VFATAL\0C57P03\0Mthe database system is starting up\0\0")
ASK_PASSWORD = message("R", b"\0\0\0\3")


@pytest.fixture(scope="module")
def four(module_clusters):
    """A primary and four replicas, which the tests leave as they found them."""
    return module_clusters(replicas=4)


def unevenness(sessions: Counter, of) -> float:
    """The busiest over the mean."""
    return max(sessions.values()) / (sum(sessions.values()) / len(of))


# ---- evenly ----


@pytest.mark.any_build
@pytest.mark.parametrize("at_once", [1, 32], ids=["one by one", "all at once"])
def test_even(four, front, at_once):
    shown = front(four).wait_roles(four)
    with contextlib.ExitStack() as opened:
        with ThreadPoolExecutor(at_once) as pool:
            logins = [pool.submit(shown.login, "replica", application_name="even", timeout=60) for _ in range(400)]
        for login in logins:
            opened.enter_context(login.result())
        there = Counter({member.endpoint: len(member.sessions("even")) for member in four.replicas})
        assert sum(there.values()) == 400 and unevenness(there, four.replicas) <= 1.15, there
        known = {member.endpoint: shown.endpoint(member)["sessions"] for member in four.replicas}
        assert known == dict(there)
    wait_until(lambda: not any(shown.endpoint(member)["sessions"] for member in four.replicas), 15, "all are gone")


@pytest.mark.any_build
def test_a_gap_is_filled(four, front):
    """When one server's sessions have ended, the next ones go there."""
    shown = front(four).wait_roles(four)
    with contextlib.ExitStack() as opened:
        clients = [opened.enter_context(shown.login("replica")) for _ in range(400)]
        where = [endpoint_of(client) for client in clients]
        emptied = four.replicas[0].endpoint
        leaving = [client for client, endpoint in zip(clients, where) if endpoint == emptied]
        for client in leaving:
            client.close()
        wait_until(lambda: shown.endpoint(emptied)["sessions"] == 0, 10, "they have left")
        again = Counter(endpoint_of(opened.enter_context(shown.login("replica"))) for _ in leaving)
        total = again + Counter(endpoint for endpoint in where if endpoint != emptied)
        # The emptier one of two at random: one half of them finds it.
        assert again[emptied] > 0.3 * len(leaving) and unevenness(total, four.replicas) < 1.25, (again, total)


@pytest.mark.alone
def test_slow_start(make_cluster, front):
    """Who has just come up gets less than its share."""
    cluster = make_cluster(replicas=3)
    shown = front(cluster, health=HEALTH | {"slowStart": "8s"}).wait_roles(cluster)
    late = cluster.replicas[0]
    time.sleep(8)  # then the others have their full weight
    late.kill9()
    shown.wait_endpoint(late, state="down")
    late.start()
    shown.wait_endpoint(late, state="up", role="replica")
    began = time.monotonic()
    spread = shown.spread("replica", 45)
    assert time.monotonic() - began < 4, "too slow to tell"
    assert 1 <= spread[late.endpoint] < 10, spread  # its share would be 15


def test_slow_start_ends(make_cluster, front):
    cluster = make_cluster(replicas=2)
    shown = front(cluster, health=HEALTH | {"slowStart": "1s"}).wait_roles(cluster)
    late = cluster.replicas[0]
    late.kill9()
    shown.wait_endpoint(late, state="down")
    late.start()
    shown.wait_endpoint(late, state="up", role="replica")
    time.sleep(1.2)
    spread = shown.spread("replica", 40)
    assert unevenness(spread, cluster.replicas) <= 1.15, spread


# ---- without those that are not well ----


def visit_times(shown, count: int, target: str = "replica") -> list[tuple[float, str]]:
    made = []
    for _ in range(count):
        began = time.monotonic()
        where = shown.served_by(target)
        made.append((time.monotonic() - began, where))
    return made


@pytest.mark.alone
@pytest.mark.parametrize("how", ["black hole", "frozen", "killed"])
def test_one_that_is_known_to_be_down_delays_nobody(four, front, partition, how):
    shown = front(four, health=HEALTH | {"timeout": "300ms"}).wait_roles(four)
    bad = four.replicas[1]
    try:
        if how == "black hole":
            partition.cut(bad)
        elif how == "frozen":
            bad.freeze()
        else:
            bad.kill9()
        shown.wait_endpoint(bad, timeout=3, state="down")
        visits = visit_times(shown, 60)
        assert max(seconds for seconds, _ in visits) < 0.3, sorted(visits)[-5:]
        assert {where for _, where in visits} == {member.endpoint for member in four.replicas if member is not bad}
        assert shown.wait_event("endpoint.down", endpoint=bad.endpoint)
        assert shown.metric("endpoint_up", endpoint=bad.endpoint) == 0
    finally:
        partition.heal()
        bad.thaw()
        if not bad.running:
            bad.start()
    shown.wait_endpoint(bad, state="up", role="replica")
    assert bad.endpoint in shown.spread("replica", 24)


@pytest.mark.alone
@pytest.mark.parametrize("health", [HEALTH | {"interval": "1m"}, None], ids=["asked long ago", "never asked"])
def test_a_black_hole_that_nobody_knows_of(four, front, partition, health):
    """Whoever finds it waits a moment, and then goes elsewhere; the next ones do not go there."""
    shown = front(four, health=health)
    if health:
        shown.wait_roles(four)
    else:
        assert shown.served_at_last("primary") == four.primary.endpoint  # and then it is no replica
    bad = four.replicas[2]
    partition.cut(bad)
    visits = visit_times(shown, 40)
    assert bad.endpoint not in {where for _, where in visits}
    assert max(seconds for seconds, _ in visits) < 1.6, sorted(visits)[-5:]
    assert sum(seconds > 0.8 for seconds, _ in visits) <= 6, sorted(visits)[-8:]  # it would be ten and more


@pytest.mark.alone
def test_all_at_once_into_a_black_hole(four, front, partition):
    """A hundred who come at the same moment: none of them is lost, and none stays in a line that leads nowhere."""
    shown = front(four, health=HEALTH | {"interval": "1m"}, upstream={"pool": {"maxLogins": 2}}).wait_roles(four)

    def all_at_once() -> tuple[float, Counter]:
        began = time.monotonic()
        with ThreadPoolExecutor(100) as pool:
            served = Counter(pool.map(lambda _: shown.served_by("replica"), range(100)))
        return time.monotonic() - began, served

    usual, _ = all_at_once()
    partition.cut(four.replicas[3])
    seconds, served = all_at_once()
    assert sum(served.values()) == 100 and four.replicas[3].endpoint not in served
    # 25 of them find it, two at a time: 12 s for whoever stays in that line.
    assert seconds < 2 * usual + 3, (seconds, usual)


class Reluctant(FakeServer):
    """Takes whoever asks how it is for the gateway, and refuses users."""

    def __init__(self):
        self.refused = 0
        super().__init__(self._refuse, login=False)

    def _refuse(self, connection, _server) -> None:
        connection, packet = read_startup(connection)
        if b"trustuser" in packet:
            self.refused += 1
            connection.sendall(STARTING_UP)
        else:
            connection.sendall(ASK_PASSWORD)
            connection.recv(100)
        connection.close()


def test_ejection(four, front):
    """A server that answers who asks, and takes no session: it rests, and nobody fails because of it."""
    with Reluctant() as reluctant:
        shown = front([reluctant.endpoint, four.replicas[0].endpoint], health=REACHABLE)
        shown.wait_endpoint(reluctant.endpoint, state="up")
        shown.wait_endpoint(four.replicas[0], state="up")
        with Visitors(shown, "any", count=4) as visitors:
            visitors.wait(60)
            wait_until(lambda: shown.endpoint(reluctant.endpoint).get("ejectedSeconds"), 5, "it rests")
        assert not visitors.failed, visitors.failed[:3]
        # Three in a row, those under way meanwhile, and a try after each rest.
        assert 3 <= reluctant.refused <= 20, reluctant.refused
        assert not shown.endpoint(four.replicas[0]).get("ejectedSeconds")
        assert not reluctant.failures


def test_alone_it_is_tried_though_it_rests(front):
    """The last one is not left out: its own word is what the client hears."""
    with Reluctant() as reluctant:
        shown = front([reluctant.endpoint], health=REACHABLE)
        shown.wait_endpoint(reluctant.endpoint, state="up")
        for _ in range(8):
            with pytest.raises(Refused) as refused:
                shown.login("any")
            assert refused.value.code == "57P03"
        assert reluctant.refused >= 8


# ---- one's turn ----


def test_no_turn(front):
    """A server that lets nobody in: who waits too long for a turn is told so."""
    release = threading.Event()

    def serve(connection, _server):
        read_startup(connection)
        release.wait(30)
        connection.close()

    with FakeServer(serve, login=False) as stuck:
        shown = front([stuck.endpoint], health=None, upstream={"pool": {"maxLogins": 1, "maxWait": "500ms"}})
        with RawClient(shown.port("any")) as first:
            first.send(startup({"user": "trustuser", "database": "app"}))
            wait_until(lambda: stuck.connections, 5, "the first one is there")
            with ThreadPoolExecutor(1) as pool:
                began = time.monotonic()
                second = pool.submit(shown.login, "any")
                wait_until(lambda: shown.metric("logins_waiting", endpoint=stuck.endpoint) == 1, 5, "one waits")
                with pytest.raises(Refused) as refused:
                    second.result(10)
            assert refused.value.code == "53300" and 0.4 < time.monotonic() - began < 5
            assert shown.metric("logins_waiting", endpoint=stuck.endpoint) == 0
            release.set()
    shown.gateway.check_alive()


def test_a_client_that_leaves_the_line(front):
    """Its turn goes to the next."""
    release = threading.Event()

    def serve(connection, server):
        read_startup(connection)
        if len(server.connections) == 1:
            release.wait(30)
        else:
            connection.sendall(STARTING_UP)
        connection.close()

    with FakeServer(serve, login=False) as stuck:
        shown = front([stuck.endpoint], health=None, upstream={"pool": {"maxLogins": 1, "maxWait": "20s"}})
        packet = startup({"user": "trustuser", "database": "app"})
        with RawClient(shown.port("any")) as first, RawClient(shown.port("any")) as second, \
                RawClient(shown.port("any")) as third:
            first.send(packet)
            wait_until(lambda: stuck.connections, 5, "the first one is there")
            for number, client in ((1, second), (2, third)):
                client.send(packet)
                wait_until(lambda: shown.metric("logins_waiting", endpoint=stuck.endpoint) == number, 5, "in line")
            second.close()
            wait_until(lambda: shown.metric("logins_waiting", endpoint=stuck.endpoint) == 1, 5, "one has left")
            release.set()
            assert third.read_error()["C"] == "57P03"
