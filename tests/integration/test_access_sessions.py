"""What ends a session that an access policy has let in: time, hours, rows and bytes, and a reload."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone

import pytest

from harness.access import POOLINGS, Access, ended, policy, trust_config
from harness.system import wait_until
from harness.wire import RawClient, Refused

pytestmark = pytest.mark.needs_gateway


@pytest.fixture
def access(start_gateway, server, tmp_path) -> Access:
    return Access(start_gateway, server, tmp_path / "audit")


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("level", ["admin", "read"])
def test_a_session_ends_after_its_length_and_is_told_before(access, pooling, level):
    port = access(policy(maxLength="2s", level=level), pooling=pooling)
    with RawClient(port) as client:
        client.login("a")
        began = time.monotonic()
        assert client.simple("select 1") == [["1"]]
        wait_until(lambda: client.notices or client.simple("select 1") and client.notices, 2, "a warning")
        assert client.notices[0]["M"].startswith("access ends in ") and client.notices[0]["S"] == "NOTICE"
        fields = ended(client)
        assert fields["C"] == "57P01" and "access expired" in fields["M"]
        assert 1.0 < time.monotonic() - began < 10
    access.gateway.wait_end(cause="access_expired")


@pytest.mark.parametrize("pooling", POOLINGS)
def test_a_running_statement_is_ended_too(access, pooling):
    port = access(policy(maxLength="1s"), pooling=pooling)
    with RawClient(port, timeout=20) as client:
        client.login("a")
        began = time.monotonic()
        with pytest.raises(Refused) as refused:
            client.simple("select pg_sleep(15)")
        assert refused.value.code == "57P01" and time.monotonic() - began < 8
    wait_until(lambda: not access.server.query("select 1 from pg_stat_activity where query like 'select pg_sleep(15)%' "
                                               "and state = 'active'"), 10, "the statement is cancelled")


def test_a_sleeping_pooled_client_is_ended(access):
    port = access(policy(maxLength="4s"), pooling="transaction")
    with RawClient(port, timeout=20) as client:
        client.login("a")
        client.simple("select 1")
        assert ended(client)["C"] == "57P01"  # it has slept for two seconds by then
    access.gateway.wait_end(cause="access_expired")


def test_hours_let_nobody_in_outside_of_them_and_end_a_session(access):
    now = datetime.now(timezone.utc)
    inside = {"from": (now - timedelta(hours=2)).strftime("%H:%M"), "until": (now + timedelta(hours=2)).strftime("%H:%M")}
    outside = {"from": (now + timedelta(hours=2)).strftime("%H:%M"), "until": (now + timedelta(hours=4)).strftime("%H:%M")}
    port = access(policy("in", "a", hours=inside), policy("out", "b", hours=outside))
    with RawClient(port) as client:
        client.login("a")
        assert client.simple("select 1") == [["1"]]
    with RawClient(port) as client, pytest.raises(Refused) as refused:
        client.login("b")
    assert refused.value.code == "28000"


@pytest.mark.long
def test_a_session_ends_with_its_hours(access):
    now = datetime.now(timezone.utc)
    if now.second < 20:
        time.sleep(20 - now.second)  # the end is the next full minute
    now = datetime.now(timezone.utc)
    end = (now + timedelta(minutes=1)).strftime("%H:%M")
    begin = (now - timedelta(hours=1)).strftime("%H:%M")
    port = access(policy(hours={"from": begin, "until": end}))
    with RawClient(port, timeout=90) as client:
        client.login("a")
        assert client.simple("select 1") == [["1"]]
        assert ended(client)["C"] == "57P01"
        assert datetime.now(timezone.utc).strftime("%H:%M") == end
    access.gateway.wait_end(cause="access_expired")


@pytest.mark.parametrize("pooling", POOLINGS)
def test_rows_and_bytes_are_bounded(access, pooling):
    port = access(policy("rows", "rows", limits={"rows": 100}), policy("bytes", "bytes", limits={"bytes": "64KiB"}),
                  pooling=pooling)
    with RawClient(port) as client:
        client.login("rows")
        assert len(client.simple("select * from generate_series(1, 60)")) == 60
        assert len(client.simple("select * from generate_series(1, 40)")) == 40
        with pytest.raises(Refused) as refused:
            client.simple("select 1")
        assert refused.value.code == "53400" and 'access policy "rows"' in refused.value.fields["M"]
    with RawClient(port) as client:
        client.login("rows")
        with pytest.raises(Refused) as refused:
            client.simple("select * from generate_series(1, 100000)")
        assert refused.value.code == "53400"
    with RawClient(port) as client:
        client.login("bytes")
        client.simple("select repeat('x', 30000)")
        with pytest.raises(Refused) as refused:
            client.simple("copy (select repeat('x', 1000) from generate_series(1, 100)) to stdout")
        assert refused.value.code == "53400"
    access.gateway.wait_end(cause="limit", count=3)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_a_reload_ends_what_the_new_policies_refuse(access, pooling):
    port = access(policy("a", "a"), policy("b", "b"), policy("c", "c"), pooling=pooling)
    with RawClient(port) as a, RawClient(port) as b, RawClient(port) as c:
        for client, user in ((a, "a"), (b, "b"), (c, "c")):
            client.login(user)
            client.simple("select 1")
        b.simple("begin")
        access.gateway.write_config(trust_config(
            access.server, policy("a", "a"), policy("c", "c", level="read"), pooling=pooling) |
            {key: access.gateway.config[key] for key in ("audit", "listeners")})
        assert ended(b)["C"] == "57P01"
        fields = ended(c)
        assert fields["C"] == "57P01" and "revoked" in fields["M"], "it is held to something else now"
        assert a.simple("select 1") == [["1"]]
    access.gateway.wait_end(cause="access_revoked", count=2)
    with RawClient(port) as client, pytest.raises(Refused) as refused:
        client.login("b")
    assert refused.value.code == "28000"


def test_a_reload_with_policies_where_there_were_none(start_gateway, server, access):
    config = trust_config(server, policy("all"))
    del config["access"]
    gateway = start_gateway(config)
    port = int(gateway.config["listeners"][0]["address"].rsplit(":", 1)[1])
    with RawClient(port) as free, RawClient(port) as kept:
        free.login("eve"), kept.login("alice")
        gateway.write_config(gateway.config | {"access": {"policies": [policy("alice", "alice", level="admin")]}})
        assert ended(free)["C"] == "57P01"
        assert kept.simple("select 1") == [["1"]]
