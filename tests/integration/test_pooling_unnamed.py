"""The unnamed statement of a client in transaction mode: its Parse and its Bind may be in two transactions, as lib/pq and
others send them, and then each may have another server connection. Whose statement is last there must not matter."""

from __future__ import annotations

import pytest

from harness.wire import RawClient, Refused, message
from harness.wire_parts import bind, close, describe, execute, parse

pytestmark = pytest.mark.needs_gateway

SYNC = message("S")
NO_SUCH_STATEMENT = "26000"


@pytest.fixture
def two(pooled):
    """Clients of two server connections; the first one's come and go as the second one likes."""
    _gateway, port = pooled("transaction", size=2)
    with RawClient(port, timeout=15).login() as one, RawClient(port, timeout=15).login() as other:
        yield one, other


def prepare(client: RawClient, text: str) -> None:
    client.send(parse("", text) + describe("S", "") + SYNC)
    client.result()


def run(client: RawClient) -> str:
    """What the unnamed statement says."""
    client.send(bind("", "") + execute() + SYNC)
    ((value,),) = client.result()
    return value


def run_refused(client: RawClient) -> str:
    with pytest.raises(Refused) as refused:
        run(client)
    return refused.value.fields["C"]


def test_the_newest_is_used_on_every_connection(two):
    """The client's own former statement is the last one on the connection that it gets."""
    one, other = two
    for turn in range(20):
        prepare(one, f"select 'former {turn}'")
        other.simple("begin")
        prepare(one, f"select 'newest {turn}'")
        other.simple("commit")
        assert run(one) == f"newest {turn}"


def test_each_uses_its_own(two):
    one, other = two
    for turn in range(20):
        prepare(one, f"select 'one {turn}'")
        prepare(other, f"select 'other {turn}'")
        assert run(one) == f"one {turn}"
        assert run(other) == f"other {turn}"
        assert run(one) == f"one {turn}"


def end_by_query(client: RawClient) -> None:
    assert client.simple("select 1") == [["1"]]


def end_by_close(client: RawClient) -> None:
    client.send(close("S", "") + SYNC)
    client.result()


def end_by_error(client: RawClient) -> None:
    client.send(parse("", "select nothing from nowhere") + SYNC)
    with pytest.raises(Refused):
        client.result()


@pytest.mark.parametrize("end", [end_by_query, end_by_close, end_by_error], ids=lambda end: end.__name__)
def test_an_ended_one_is_nobody_elses(two, end):
    one, other = two
    for _ in range(5):
        prepare(one, "select 'one'")
        prepare(other, "select 'other'")
        end(one)
        prepare(other, "select 'other'")
        assert run_refused(one) == NO_SUCH_STATEMENT
        assert run(other) == "other"


def test_who_has_none_gets_none(two):
    one, other = two
    for _ in range(5):
        prepare(other, "select 'other'")
        assert run_refused(one) == NO_SUCH_STATEMENT
        assert run(other) == "other"


def test_a_parse_that_was_skipped_leaves_nobody_elses(two):
    one, other = two
    for _ in range(5):
        prepare(one, "select 'before'")
        prepare(other, "select 'other'")
        one.send(bind("", "never prepared") + parse("", "select 'skipped'") + SYNC)
        with pytest.raises(Refused):
            one.result()
        prepare(other, "select 'other'")
        # Straight at a server it is the one from before; behind a pool it may have to be prepared again.
        try:
            assert run(one) == "before"
        except Refused as refused:
            assert refused.fields["C"] == NO_SUCH_STATEMENT
        assert run(other) == "other"


@pytest.mark.parametrize("size", [9_000, 2_000_000])
def test_a_large_one(two, size):
    """Too large to be kept for the next connection: the client keeps its connection instead, for so long."""
    one, other = two
    text = f"select length('{'x' * size}')"
    for _ in range(3):
        prepare(one, text)
        other.simple("begin")
        assert run(one) == str(size)
        prepare(one, "select 'small'")
        other.simple("commit")
        prepare(other, "select 'other'")
        assert run(one) == "small"
