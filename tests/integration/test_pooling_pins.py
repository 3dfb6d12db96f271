"""What keeps a client on its server connection in transaction mode, and what does not: another client of a pool of one
connection gets its turn, or has to wait until the first one leaves."""

from __future__ import annotations

import socket

import pytest

from harness.wire import RawClient, Refused, message, query

pytestmark = pytest.mark.needs_gateway

MOMENT = 1.0

CARRIED = (
    "select 1",
    "set work_mem = '7MB'",
    "set work_mem = '7MB'; reset all",
    "set my.own = 'x'; reset my.own",
    "begin; set local work_mem = '7MB'; commit",
    "begin; create temp table passing (n int) on commit drop; commit",
    "begin; select pg_advisory_xact_lock(1); commit",
    "begin; declare passing cursor for select 1; fetch passing; commit",
    "select pg_advisory_lock(1); select pg_advisory_unlock(1)",
    "listen something; unlisten *",
    "prepare passing as select 1; deallocate passing",
    # What drivers' own pools do with a connection that is given back.
    "select pg_advisory_unlock_all(); close all; unlisten *; reset all",
    "discard all",
    "reset session authorization; reset all; close all; unlisten *",
)
KEPT = (
    "create temp table own (n int)",
    "select 1 as n into temp own",
    "prepare own as select 1",
    "begin; declare own cursor with hold for select 1; commit",
    "select pg_advisory_lock(1)",
    "select setseed(0.5)",
    "set session authorization default; create temp view own as select 1",
)


@pytest.fixture
def pair(pooled):
    """Of a pool of one connection."""
    _gateway, port = pooled("transaction", size=1, maxWait="1m")
    with RawClient(port, timeout=10).login() as first, RawClient(port, timeout=10).login() as second:
        yield first, second


def gets_its_turn(client: RawClient) -> bool:
    client.socket.settimeout(MOMENT)
    try:
        return client.simple("select 1") == [["1"]]
    except socket.timeout:
        return False
    finally:
        client.socket.settimeout(10)


@pytest.mark.parametrize("text", CARRIED)
def test_what_is_carried_keeps_nobody(pair, text):
    first, second = pair
    first.simple(text)
    assert gets_its_turn(second)
    assert first.simple("select 2") == [["2"]]


@pytest.mark.parametrize("text", KEPT)
def test_what_cannot_be_carried_keeps_its_client(pair, text):
    first, second = pair
    first.simple(text)
    assert not gets_its_turn(second)
    assert first.simple("select 2") == [["2"]]
    first.close()
    assert second.result() == [["1"]], "it is the next one's, when the first one has left"
    assert second.simple("select count(*) from pg_class where relname = 'own' union all "
                         "select count(*) from pg_locks where locktype = 'advisory' union all "
                         "select count(*) from pg_cursors union all "
                         "select count(*) from pg_prepared_statements where from_sql") == [["0"]] * 4


def test_a_seed_ends_with_its_server_connection(pair):
    """No reset takes it back."""
    first, second = pair
    first.simple("select setseed(0.5)")
    ((pid,),) = first.simple("select pg_backend_pid()")
    first.close()
    assert second.simple("select pg_backend_pid()") != [[pid]]


@pytest.mark.parametrize("writes", ["insert into counted values (1)", "select nextval('other_sequence')",
                                    "select my_function()", "copy counted from stdin", "pipelined"])
def test_nobody_is_told_what_another_clients_sequence_said(pooled, server, writes):
    server.query("drop table if exists counted; create table counted (n int); grant all on counted to public; "
                 "create sequence if not exists one_sequence; create sequence if not exists other_sequence; "
                 "grant all on sequence one_sequence, other_sequence to public; "
                 "create or replace function my_function() returns int language sql as 'select 1'")
    _gateway, port = pooled("transaction", size=1, maxWait="1m")
    with RawClient(port, timeout=10).login() as first, pytest.raises(Refused) as refused:
        first.simple("select lastval()")  # from now on they are asked for
    assert refused.value.code == "55000"
    with RawClient(port, timeout=10).login() as other, RawClient(port, timeout=10).login() as client:
        other.simple("select nextval('one_sequence')")
        asked = "select currval('one_sequence')"
        if writes == "pipelined":
            client.send(query("begin") + query("insert into counted values (2)") + query(asked))
            assert client.result() == [] and client.result() == []
            with pytest.raises(Refused) as refused:
                client.result()
        else:
            client.simple("begin")
            if writes.startswith("copy"):
                client.send(query(writes) + message("d", b"3\n") + message("c"))
                client.result()
            else:
                client.simple(writes)
            with pytest.raises(Refused) as refused:
                client.simple(asked)
        assert refused.value.code == "55000"
        client.simple("rollback")
        ((own,),) = client.simple("select nextval('one_sequence')")
        assert client.simple(asked) == [[own]], "its own it is told"
        client.simple("begin; insert into counted values (4)")
        assert client.simple("select lastval()") == [[own]]


def test_who_waits_too_long_is_told(pooled):
    gateway, port = pooled("transaction", size=1, maxWait="500ms")
    with RawClient(port, timeout=10).login() as first, RawClient(port, timeout=10).login() as second:
        first.simple("begin")
        with pytest.raises(Refused) as refused:
            second.simple("select 1")
        assert refused.value.fields["C"] == "53300"
        assert first.simple("commit") == []
        with RawClient(port, timeout=10).login() as third:
            assert third.simple("select 3") == [["3"]]
    (end,) = gateway.wait_end(cause="limit")
    assert end["slowestPhase"] == "wait"
