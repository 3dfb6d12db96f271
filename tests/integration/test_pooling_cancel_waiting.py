"""A cancel for a statement that still waits for a server connection: it ends as a running one does, and the client's
session goes on."""

from __future__ import annotations

import select
import time

import psycopg
import pytest

from harness import console
from harness.gateway import port_of
from harness.pooled import MODES, TRUNKLINE, pooled_config
from harness.replicas import send_cancel
from harness.roads import write_verifiers
from harness.system import wait_until
from harness.wire import RawClient, Refused, message, query
from harness.wire_parts import bind, execute, parse

pytestmark = pytest.mark.needs_gateway

SYNC, FLUSH = message("S"), message("H")
BATCH = parse("", "select 'mine'") + bind("", "") + execute() + SYNC


@pytest.fixture(params=MODES)
def full(pooled, request):
    """(the client that has the only server connection, one that has to wait for it)."""
    if pooled.kind != TRUNKLINE:
        pytest.skip("what waits in another pool cannot be cancelled")
    _gateway, port = pooled(request.param, size=1)
    with RawClient(port) as owner, RawClient(port) as waiter:
        owner.login()
        owner.simple("begin")
        waiter.login()
        yield owner, waiter


def cancel(client: RawClient) -> None:
    """Until there is an answer: the gateway may not have read the statement yet."""
    def answered() -> bool:
        send_cancel(client.port, client.pid, client.key)
        return bool(select.select([client.socket], [], [], 0.3)[0])
    wait_until(answered, 5, "an answer to the cancelled statement")


def refuses(client: RawClient) -> None:
    with pytest.raises(Refused) as refused:
        client.result()
    assert refused.value.code == "57014"
    assert refused.value.fields["M"] == "canceling statement due to user request"


def serves(owner: RawClient, waiter: RawClient) -> None:
    """The owner lets go, and the one that waited is a session like any other."""
    owner.simple("commit")
    owner.close()
    assert waiter.simple("select 'alive'") == [["alive"]]


def test_a_simple_query(full):
    owner, waiter = full
    for _ in range(3):
        began = time.monotonic()
        waiter.send(query("select 'never'"))
        cancel(waiter)
        refuses(waiter)
        assert time.monotonic() - began < 5, "not when its turn comes, or its patience ends"
    serves(owner, waiter)


def test_the_first_of_a_pipeline(full):
    owner, waiter = full
    waiter.send(parse("", "select 'never'") + bind("", "") + execute() + SYNC + BATCH + query("select 'too'"))
    cancel(waiter)
    refuses(waiter)
    assert not select.select([waiter.socket], [], [], 0.2)[0], "the others wait on"
    owner.simple("commit")
    owner.close()
    assert waiter.result() == [["mine"]] and waiter.result() == [["too"]]


def test_a_batch_without_its_sync(full):
    """The error comes at once; all that follows is skipped, also a Query, until the Sync."""
    owner, waiter = full
    waiter.send(parse("kept", "select 'never'") + FLUSH)
    cancel(waiter)
    assert waiter.read_error()["C"] == "57014"
    waiter.send(bind("", "kept") + execute() + query("select 'skipped'"))
    assert not select.select([waiter.socket], [], [], 0.2)[0]
    waiter.send(SYNC)
    assert waiter.read() == ("Z", b"I")
    serves(owner, waiter)
    waiter.send(bind("", "kept") + execute() + SYNC)
    with pytest.raises(Refused) as refused:
        waiter.result()
    assert refused.value.code == "26000", "what was cancelled has prepared nothing"


def test_large_ones_in_pieces(full):
    owner, waiter = full
    for size in (100_000, 3_000_000):
        text = query(f"select '{'x' * size}'")
        waiter.send(text[:3])
        time.sleep(0.05)
        waiter.send(text[3:size // 2])
        time.sleep(0.05)
        waiter.send(text[size // 2:])
        cancel(waiter)
        refuses(waiter)
    serves(owner, waiter)


def test_nothing_waits(full):
    owner, waiter = full
    for _ in range(3):
        send_cancel(waiter.port, waiter.pid, waiter.key)
    waiter.send(SYNC)  # asks for nothing that could be cancelled
    time.sleep(0.2)
    send_cancel(waiter.port, waiter.pid, waiter.key)
    if not select.select([waiter.socket], [], [], 0.5)[0]:
        owner.simple("commit")
        owner.close()
    assert waiter.read() == ("Z", b"I")


def test_a_client_leaves_behind_its_cancelled_statement(full):
    owner, waiter = full
    waiter.send(parse("", "select 'never'") + FLUSH)
    cancel(waiter)
    assert waiter.read_error()["C"] == "57014"
    waiter.send(message("X"))
    assert waiter.receive_to_end()[0] == b""
    assert owner.simple("select 'still'") == [["still"]]


@pytest.mark.parametrize("mode", MODES)
def test_a_pool_that_is_paused(pooled, mode, servers, tmp_path, start_gateway):
    """Whoever has a connection, as in session mode, waits at it."""
    if pooled.kind != TRUNKLINE:
        pytest.skip("what waits in another pool cannot be cancelled")
    server, verifiers = servers[servers.versions[-1]], tmp_path / "verifiers.txt"
    write_verifiers(verifiers, server.verifiers())
    config = pooled_config(mode, server, verifiers, 2, "pin", {})
    port = port_of(start_gateway(config | {"admin": console.console(tmp_path)}).config, "main")
    with RawClient(port) as client, psycopg.connect(console.dsn(port), autocommit=True) as ops:
        client.login()
        assert client.simple("select 1") == [["1"]]
        for _ in range(2):
            ops.execute("PAUSE db")
            client.send(query("select 'held'"))
            cancel(client)
            refuses(client)
            ops.execute("RESUME db")
            assert client.simple("select 'alive'") == [["alive"]]
