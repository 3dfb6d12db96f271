"""G2, nothing is held back: what was written arrives at once, whole message or not."""

from __future__ import annotations

import queue
import struct
import time

import pytest

from harness.fakeserver import FakeServer
from harness.wire import RawClient, message

SOON = 2.0  # a machine under load may take a while; held bytes never come


class Listening:
    """A fake server that puts each read with its time into a queue, and sends what it is given."""

    def __init__(self):
        self.reads: queue.Queue = queue.Queue()
        self.connection: queue.Queue = queue.Queue()

        def serve(connection, _server):
            self.connection.put(connection)
            while data := connection.recv(65536):
                self.reads.put((time.monotonic(), data))

        self.server = FakeServer(serve)


@pytest.fixture
def talk(reach):
    """(client, its Listening server, the server's end of the connection)."""
    listening = Listening()
    with listening.server as server, RawClient(reach(server.endpoint)) as client:
        client.login()
        yield client, listening, listening.connection.get(timeout=5)


def test_half_a_message_arrives_as_half(talk):
    client, listening, connection = talk
    whole = message("Q", b"select 1\0")
    client.send(whole[:7])
    assert listening.reads.get(timeout=SOON)[1] == whole[:7]
    client.send(whole[7:])
    assert listening.reads.get(timeout=SOON)[1] == whole[7:]
    answer = message("D", b"x" * 20)
    connection.sendall(answer[:9])
    assert client.receive_some() == answer[:9]
    connection.sendall(answer[9:])
    assert client.receive_some() == answer[9:]


def test_not_even_a_header_is_waited_for(talk):
    client, listening, connection = talk
    for byte in (b"Q", b"\0", b"\0", b"\0"):
        client.send(byte)
        assert listening.reads.get(timeout=SOON)[1] == byte
    for byte in (b"D", b"\0", b"\0"):
        connection.sendall(byte)
        assert client.receive_some() == byte


def test_three_writes_arrive_as_three_reads(talk):
    """Written 5 ms apart they are not merged; on a busy machine a reader may be late, so one of several tries counts."""
    client, listening, connection = talk

    def three(write, read) -> bool:
        for i in range(3):
            write(struct.pack("!ci", b"d", 12) + bytes([i]) * 8)
            time.sleep(0.005)
        return len(read(3 * 13)) == 3

    def at_server(total):
        parts = []
        while sum(map(len, parts)) < total:
            parts.append(listening.reads.get(timeout=SOON)[1])
        return parts

    def at_client(total):
        parts = []
        while sum(map(len, parts)) < total:
            parts.append(client.receive_some())
        return parts

    assert any([three(client.send, at_server) for _ in range(5)]), "the server never saw three reads"

    # The client's reader must read while the writer pauses, so here it only counts what the kernel has.
    connection.sendall(b"")
    seen = []
    for _ in range(5):
        parts = []
        for i in range(3):
            connection.sendall(struct.pack("!ci", b"d", 12) + bytes([i]) * 8)
            parts.append(client.receive_some())
        seen.append([len(part) for part in parts])
    assert [13, 13, 13] in seen
    assert at_client(0) == []


def test_latency_of_a_small_message(talk):
    """A round trip through the gateway of half messages takes far less than any timer that could hold them."""
    client, listening, connection = talk
    taken = []
    up = struct.pack("!ci", b"Q", 4 + 50) + b"x" * 50
    down = struct.pack("!ci", b"D", 4 + 50) + b"y" * 50
    for sent, answered in zip(up, down):
        started = time.monotonic()
        client.send(bytes([sent]))
        listening.reads.get(timeout=SOON)
        connection.sendall(bytes([answered]))
        client.receive_some()
        taken.append(time.monotonic() - started)
    assert sorted(taken)[25] < 0.02, f"the median is {sorted(taken)[25] * 1000:.1f} ms"
