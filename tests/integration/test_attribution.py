"""G7: the time of an exchange is told in the right column, shown with faults that are put in on purpose."""

from __future__ import annotations

import signal
import threading
import time

import pytest

from harness import audit, slow_path
from harness.wire import RawClient, query

pytestmark = [pytest.mark.needs_gateway, pytest.mark.alone]

ADDED = 0.5  # seconds that each fault adds
ROWS = 20_000  # of 1,000 bytes: more than the buffers on the way to the client hold
SHARE = 0.9  # of it that has to be in the right column


@pytest.fixture
def watched(before, tmp_path):
    """(what, ...) -> (gateway, port, folder of its audit)."""
    def of(what, **config):
        folder = tmp_path / "audit"
        gateway, port = before(what, audit=audit.to_folder(folder), **config)
        return gateway, port, folder
    return of


def exchange(folder, text: str) -> dict:
    found = audit.wait_for(folder, "exchange", lambda line: any(text in each for each in audit.statements(line)))
    return found[-1]


def assert_mostly(told: dict, column: str, added: float = ADDED, also: tuple[str, ...] = ()):
    seconds = told["seconds"]
    assert seconds[column] >= SHARE * added, seconds
    elsewhere = {name: value for name, value in seconds.items() if name not in (column, "total", *also)}
    assert sum(elsewhere.values()) <= (1 - SHARE) * added + 0.1, seconds


def test_the_server_takes_its_time(watched, server):
    _, port, folder = watched(server)
    with RawClient(port) as client:
        client.login()
        client.simple(f"select pg_sleep({ADDED})")
    assert_mostly(exchange(folder, "pg_sleep"), "server")


def test_the_client_does_not_read(watched, server):
    _, port, folder = watched(server)
    with RawClient(port, receive_buffer=4096, timeout=60) as client:
        client.login()
        client.send(query(f"select repeat('x', 1000) from generate_series(1, {ROWS})"))
        time.sleep(2 * ADDED)
        assert len(client.result()) == ROWS
    told = exchange(folder, "generate_series")
    assert told["seconds"]["client_stall"] >= SHARE * 2 * ADDED, told
    # What stalls holds up the transfer too; it is nobody else's time.
    assert_mostly(told, "client_stall", also=("transfer",))


def test_the_client_reads_now_and_then(watched, server):
    """Between its reads nothing moves: what waits unread in the gateway's sockets meanwhile is not late."""
    _, port, folder = watched(server)
    with RawClient(port, receive_buffer=262_144, timeout=60) as client:
        client.login()
        client.send(query(f"select repeat('x', 1000) from generate_series(1, {ROWS})"))
        for turn in range(10):
            time.sleep(ADDED / 4)
            client.peek(1_000_000 * (turn + 1))
        assert len(client.result()) == ROWS
    told = exchange(folder, "generate_series")
    assert told["seconds"]["client_stall"] >= SHARE * 10 * ADDED / 4, told
    assert_mostly(told, "client_stall", also=("transfer",))


@pytest.mark.skipif(not slow_path.available(), reason="needs root and a TUN device")
def test_the_network_takes_its_time(watched, server):
    with slow_path.SlowPath(ADDED / 2) as path, slow_path.Forwarder(path.near, server.port) as behind:
        _, port, folder = watched(f"{path.far}:{behind.port}", upstream={"connectTimeout": "20s"})
        with RawClient(port, timeout=60) as client:
            client.login()
            for _ in range(3):
                client.simple("select 42")
    told = exchange(folder, "select 42")
    assert_mostly(told, "network")


def test_the_gateway_is_not_let_run(watched, server):
    gateway, port, folder = watched(server)
    with RawClient(port) as client:
        client.login()
        client.simple("select 41")
        time.sleep(0.2)
        gateway.send(signal.SIGSTOP)
        client.send(query("select 42"))
        time.sleep(ADDED)
        gateway.send(signal.SIGCONT)
        assert client.result() == [["42"]]
    assert_mostly(exchange(folder, "select 42"), "gateway")


def test_the_gateway_is_not_let_run_while_the_answer_comes(watched, server):
    gateway, port, folder = watched(server)
    with RawClient(port) as client:
        client.login()
        client.send(query("select pg_sleep(0.2), 43"))
        time.sleep(0.1)
        gateway.send(signal.SIGSTOP)
        time.sleep(0.1 + ADDED)
        gateway.send(signal.SIGCONT)
        client.result()
    told = exchange(folder, "43")
    assert told["seconds"]["gateway"] >= SHARE * ADDED, told
    assert 0.15 <= told["seconds"]["server"] <= 0.3, told


def test_a_transfer_takes_its_time(watched, server):
    _, port, folder = watched(server)
    with RawClient(port, timeout=120) as client:
        client.login()
        client.send(query("copy (select repeat('x', 1000), pg_sleep(0.005) from generate_series(1, 150)) to stdout"))
        while client.read()[0] != "Z":
            pass
    told = exchange(folder, "copy")
    assert told["kind"] == "copyOut"
    assert_mostly(told, "transfer", also=("client_stall",))


def test_a_client_that_sends_slowly(watched, server):
    _, port, folder = watched(server)
    with RawClient(port) as client:
        client.login()
        request = query("select 'slowly', 44")
        client.send(request[:9])
        time.sleep(ADDED)
        client.send(request[9:])
        client.result()
    assert_mostly(exchange(folder, "slowly"), "client_upload")


def test_times_add_up(watched, server):
    """What is in no column is nobody's: there should be next to nothing."""
    _, port, folder = watched(server)
    with RawClient(port) as client:
        client.login()
        for number in range(20):
            client.simple(f"select pg_sleep(0.02), {number}")
    for told in audit.wait_for(folder, "exchange", count=20):
        seconds = dict(told["seconds"])
        total = seconds.pop("total")
        assert abs(sum(seconds.values()) - total) <= 0.003, told


def test_busy_neighbours_do_not_blur_it(watched, server):
    """The worker is busy with others; who waits for the server still waits for the server."""
    _, port, folder = watched(server, workers=1)
    over = threading.Event()

    def hammer():
        with RawClient(port) as client:
            client.login()
            while not over.is_set():
                client.simple("select 1")

    crowd = [threading.Thread(target=hammer) for _ in range(4)]
    for each in crowd:
        each.start()
    try:
        with RawClient(port) as client:
            client.login()
            client.simple(f"select pg_sleep({ADDED}), 45")
    finally:
        over.set()
        for each in crowd:
            each.join()
    assert_mostly(exchange(folder, "45"), "server")
