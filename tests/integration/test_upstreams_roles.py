"""Where sessions start: by the servers' roles, as they are at the login and not as they were a moment ago."""

from __future__ import annotations

import signal
import time

import pytest

from harness.cluster import BARE, BARE_PASSWORD
from harness.front import HEALTH, TARGETS, Visitors
from harness.system import wait_until
from harness.wire import RawClient, Refused

pytestmark = pytest.mark.needs_gateway

REACHABLE = {"interval": "200ms", "timeout": "1s", "slowStart": "0s"}


@pytest.fixture(scope="module")
def calm(module_clusters):
    """A primary and two replicas that no test changes."""
    return module_clusters()


def expected(cluster, target: str) -> set[str]:
    replicas = {member.endpoint for member in cluster.replicas}
    return {"primary": {cluster.primary.endpoint}, "replica": replicas, "preferReplica": replicas,
            "any": replicas | {cluster.primary.endpoint}}[target]


def refusal(call) -> Refused:
    with pytest.raises(Refused) as refused:
        call()
    return refused.value


# ---- by target ----


@pytest.mark.parametrize("health", [HEALTH, REACHABLE, None], ids=["watched", "reachable", "learned"])
def test_targets(calm, front, health):
    """The primary is the last in the list, so that nobody finds it by chance."""
    shown = front(reversed(calm.endpoints), health=health)
    if health is HEALTH:
        shown.wait_roles(calm)
    for target in TARGETS:
        if health is not HEALTH:
            assert shown.served_at_last(target) in expected(calm, target), target
        spread = shown.spread(target, 12)
        wanted = expected(calm, target)
        assert set(spread) <= wanted, (target, spread)
        if target != "preferReplica" or health is HEALTH:
            assert set(spread) == wanted, (target, spread)


@pytest.mark.parametrize("which", ["first", "last"])
def test_every_version(make_cluster, front, pytestconfig, which):
    version = pytestconfig.trunkline_versions[0 if which == "first" else -1]
    cluster = make_cluster(version, replicas=1)
    shown = front(cluster).wait_roles(cluster)
    known = shown.endpoint(cluster.replicas[0])
    assert str(known["version"]).startswith(str(version)) and known["timeline"] == 1
    for target in TARGETS:
        assert shown.served_by(target) in expected(cluster, target), target


def test_prefer_replica_takes_the_primary_where_no_replica_is(cluster, front):
    shown = front(cluster).wait_roles(cluster)
    for replica in cluster.replicas:
        replica.kill9()
    for replica in cluster.replicas:
        shown.wait_endpoint(replica, state="down")
    assert shown.served_by("preferReplica") == cluster.primary.endpoint
    assert shown.served_by("any") == cluster.primary.endpoint
    told = refusal(lambda: shown.login("replica")).fields
    assert (told["C"], told["V"]) == ("57P03", "FATAL") and '"db"' in told["M"]
    assert all(member.endpoint in told["M"] + told.get("D", "") for member in cluster.members), told
    cluster.replicas[0].start()
    shown.wait_endpoint(cluster.replicas[0], state="up", role="replica")
    assert shown.served_by("preferReplica") == cluster.replicas[0].endpoint


def test_no_primary_is_known(cluster, front):
    shown = front(cluster).wait_roles(cluster)
    cluster.primary.kill9()
    shown.wait_endpoint(cluster.primary, state="down")
    told = refusal(shown.login).fields
    assert told["C"] == "57P03" and 'no primary of upstream "db"' in told["M"]
    assert all(member.endpoint in told["M"] + told.get("D", "") for member in cluster.members), told
    assert shown.served_by("replica") in expected(cluster, "replica")
    assert shown.upstream()["primary"] in (None, "")


def test_a_single_server_in_recovery(calm, before):
    replica = calm.replicas[0]
    _gateway, port = before(replica)
    with RawClient(port) as client:
        told = refusal(client.login).fields
    assert (told["C"], told["V"]) == ("57P03", "FATAL")
    assert f"server {replica.endpoint} is in recovery" in told["M"] and "target: any" in told["H"]
    _gateway, port = before(replica, route={"target": "any"})
    with RawClient(port) as client:
        assert client.login().simple("select pg_is_in_recovery()") == [["t"]]


def test_a_single_primary_is_no_replica(calm, before):
    _gateway, port = before(calm.primary, route={"target": "replica"})
    with RawClient(port) as client:
        assert refusal(client.login).code == "57P03"


# ---- roles that change ----


@pytest.mark.parametrize("promoted", [True, False], ids=["another is promoted", "none is promoted"])
@pytest.mark.parametrize("health", [HEALTH | {"interval": "1m"}, None], ids=["watched", "learned"])
def test_demoted_a_moment_ago(cluster, front, health, promoted):
    """It still counts as the primary when it comes back as a replica, and no session starts there."""
    first, second, _third = cluster.members
    shown = front(cluster, health=health)
    if health:
        shown.wait_roles(cluster)
    assert shown.served_by() == first.endpoint
    with Visitors(shown) as visitors:
        visitors.wait(5, endpoint=first.endpoint)
        first.stop()
        if promoted:
            second.promote()
        first.follow(second)
        back = time.monotonic()
        if promoted:
            visitors.wait(10, back, endpoint=second.endpoint)
        else:
            visitors.wait(10, back)
    assert not [visit for visit in visitors.visits if visit.in_recovery]
    after = visitors.since(back)
    assert {visit.endpoint for visit in after} <= ({second.endpoint, ""} if promoted else {""})
    if not promoted:
        codes = {visit.code for visit in after}
        assert "57P03" in codes and codes <= {"57P03", "08006"}, codes


def test_a_promoted_replica_is_no_replica(cluster, front):
    first, second, third = cluster.members
    shown = front(cluster).wait_roles(cluster)
    first.kill9()
    second.promote()
    third.follow(second)
    shown.wait_endpoint(second, state="up", role="primary", timeline=2)
    shown.wait_endpoint(third, state="up", role="replica")
    assert shown.spread("replica", 6) == {third.endpoint: 6}
    assert shown.spread("primary", 4) == {second.endpoint: 4}
    assert shown.upstream()["primary"] == second.endpoint
    assert shown.wait_event("endpoint.role", endpoint=second.endpoint, role="primary")
    assert shown.events("topology.primary")[-1].get("endpoint") == second.endpoint
    first.rebuild(second)
    shown.wait_endpoint(first, state="up", role="replica")
    assert set(shown.spread("replica", 12)) == {first.endpoint, third.endpoint}


def test_two_primaries(cluster, front):
    """The higher timeline is the one that goes on. Sessions on the other one end at once, whatever they do."""
    first, second, _third = cluster.members
    shown = front(cluster).wait_roles(cluster)
    with shown.login() as idle, shown.login() as busy:
        busy.simple("begin")
        second.promote()
        for client in (idle, busy):
            told = client.read_error()
            assert (told["C"], told["V"]) == ("57P01", "FATAL") and told["H"]
            assert client.receive_to_end() == (b"", "fin")
    assert shown.wait_event("topology.conflict")["level"] == "error"
    shown.gateway.wait_end(count=2, cause="endpoint_gone")
    shown.wait_endpoint(first, role="superseded")
    shown.wait_endpoint(second, role="primary", timeline=2)
    assert shown.spread("primary", 6) == {second.endpoint: 6}
    for target in ("any", "preferReplica", "replica"):
        assert first.endpoint not in shown.spread(target, 9), target
    first.rebuild(second)
    shown.wait_endpoint(first, state="up", role="replica")


def test_a_primary_that_comes_back(cluster, front):
    """It was killed, another one was promoted, and then somebody starts it as it was."""
    first, second, _third = cluster.members
    shown = front(cluster).wait_roles(cluster)
    first.kill9()
    second.promote()
    shown.wait_endpoint(second, role="primary")
    with Visitors(shown) as visitors:
        first.start()
        shown.wait_endpoint(first, state="up", role="superseded")
        visitors.wait(10, time.monotonic())
    assert {visit.endpoint for visit in visitors.visits} == {second.endpoint}, visitors.failed
    assert shown.events("topology.conflict")


def test_another_system(make_cluster, front):
    ours, other = make_cluster(), make_cluster(system=1, replicas=0)
    shown = front(ours.endpoints + other.endpoints)
    shown.wait_endpoint(other.primary, state="foreign")
    shown.wait_roles(ours)
    assert shown.wait_event("endpoint.foreign", endpoint=other.primary.endpoint)
    for target in TARGETS:
        assert other.primary.endpoint not in shown.spread(target, 12), target
    assert {str(known["systemIdentifier"]) for known in shown.endpoints().values()} == {
        str(each.primary.system_identifier()) for each in (ours, other)}
    # Not even where it is all that is left.
    for member in ours.members:
        member.kill9()
    for member in ours.members:
        shown.wait_endpoint(member, state="down")
    for target in TARGETS:
        assert refusal(lambda: shown.login(target)).code in ("57P03", "08006"), target


# ---- who asks ----


def test_a_monitor_without_rights(cluster, front):
    first, second, third = cluster.members
    shown = front(cluster, health=HEALTH | {"user": BARE, "password": BARE_PASSWORD}).wait_roles(cluster)
    for target in TARGETS:
        assert set(shown.spread(target, 8)) <= expected(cluster, target), target
    first.kill9()
    second.promote()
    third.follow(second)
    shown.wait_endpoint(second, state="up", role="primary")
    assert shown.served_by() == second.endpoint and shown.served_by("replica") == third.endpoint


def test_a_monitor_with_the_wrong_password(calm, front):
    """What it is told it says; the servers are there all the same, and sessions go where they should."""
    shown = front(reversed(calm.endpoints), health=HEALTH | {"password": "wrong"})
    for member in calm.members:
        assert "password" in shown.wait_endpoint(member, state="up")["lastSaid"]
    for target in TARGETS:
        assert shown.served_at_last(target) in expected(calm, target), target
    assert "wrong" not in shown.gateway.stderr_text()


def test_without_a_user_nobody_logs_in(cluster, front):
    shown = front(cluster, health=REACHABLE)
    for member in cluster.members:
        shown.wait_endpoint(member, state="up")
    marks = {member.name: len(member.log_text()) for member in cluster.members}
    wait_until(lambda: all(member.log_text().count("connection received", marks[member.name]) > 3
                           for member in cluster.members), 10, "they are asked again and again")
    for member in cluster.members:
        said = member.log_text()[marks[member.name]:]
        assert "user=trunkline" not in said and "FATAL" not in said and "ERROR" not in said, said
    cluster.replicas[0].kill9()
    shown.wait_endpoint(cluster.replicas[0], state="down")
    cluster.replicas[0].start()
    shown.wait_endpoint(cluster.replicas[0], state="up")


# ---- how far behind ----


def test_lag(cluster, front):
    one, other = cluster.replicas
    shown = front(cluster, health=HEALTH | {"maxReplicaLag": "2s"}).wait_roles(cluster)
    primary = cluster.primary
    primary.query("create table t (x int)")
    cluster.wait_caught_up()
    one.pause_replay()
    with Visitors(shown, "replica", count=1, pause=0.05) as visitors:
        def behind(member):
            primary.query("insert into t values (1)")
            return (shown.endpoint(member)["lagSeconds"] or 0) > 2
        wait_until(lambda: behind(one), 15, "it is behind", 0.1)
        now = time.monotonic()
        visitors.wait(10, now, endpoint=other.endpoint)
        assert {visit.endpoint for visit in visitors.since(now)} == {other.endpoint}
    assert not visitors.failed
    assert shown.metric("replica_lag_seconds", endpoint=one.endpoint) > 2
    assert shown.metric("replica_lag_seconds", endpoint=other.endpoint) < 2
    assert shown.endpoint(one)["lagBytes"] > 0
    other.pause_replay()
    wait_until(lambda: behind(other), 15, "both are behind", 0.1)
    assert shown.spread("preferReplica", 4) == {primary.endpoint: 4}
    assert refusal(lambda: shown.login("replica")).code == "57P03"
    one.resume_replay()
    wait_until(lambda: (shown.endpoint(one)["lagSeconds"] or 0) < 2, 10, "it has caught up")
    assert shown.spread("replica", 4) == {one.endpoint: 4}


def test_nothing_to_replay_is_no_lag(cluster, front):
    """A primary that writes nothing for longer than maxReplicaLag leaves no replica behind."""
    shown = front(cluster, health=HEALTH | {"maxReplicaLag": "2s"}).wait_roles(cluster)
    with Visitors(shown, "replica", count=1, pause=0.1) as visitors:
        time.sleep(4)
    assert len(visitors.visits) > 4 and not visitors.failed
    assert {visit.endpoint for visit in visitors.visits} <= expected(cluster, "replica")


# ---- what is shown ----


def test_what_is_shown(calm, front):
    shown = front(calm).wait_roles(calm)
    with shown.login(), shown.login("replica"):
        upstream = shown.upstream()
        assert upstream["primary"] == calm.primary.endpoint and upstream["held"] == 0 and not upstream["paused"]
        for member in calm.members:
            known = shown.endpoint(member)
            assert str(known["systemIdentifier"]) == str(member.system_identifier()) and known["timeline"] == 1
            role = "primary" if member is calm.primary else "replica"
            labels = {"upstream": "db", "endpoint": member.endpoint}
            assert shown.metric("endpoint_up", **labels) == 1
            assert shown.metric("endpoint_role", role=role, **labels) == 1
            assert shown.metric("endpoint_role", role="replica" if role == "primary" else "primary", **labels) == 0
            assert shown.wait_event("endpoint.up", endpoint=member.endpoint)
            assert shown.wait_event("endpoint.role", endpoint=member.endpoint, role=role)
        assert shown.endpoint(calm.primary)["sessions"] == 1
        assert shown.metric("endpoint_sessions", endpoint=calm.primary.endpoint) == 1
        assert sum(known["sessions"] for known in shown.endpoints().values()) == 2
        assert shown.wait_event("topology.primary", endpoint=calm.primary.endpoint)
        with shown.console() as console:
            assert [row["primary"] for row in console.execute("show upstreams")] == [calm.primary.endpoint]
            rows = console.execute("show endpoints").fetchall()
        assert len(rows) == 3
        assert {member.endpoint for member in calm.members} <= {value for row in rows for value in row.values()}
        assert sorted(row["role"] for row in rows) == ["primary", "replica", "replica"]


def test_a_reload_adds_and_removes(calm, front):
    one, other = calm.replicas
    shown = front([calm.primary.endpoint, one.endpoint])
    shown.wait_endpoint(one, role="replica")
    assert shown.spread("replica", 4) == {one.endpoint: 4}
    config = shown.gateway.config
    config["upstreams"][0]["endpoints"] = [calm.primary.endpoint, other.endpoint]
    shown.gateway.write_config(config)
    shown.gateway.send(signal.SIGHUP)
    shown.wait_endpoint(other, role="replica")
    wait_until(lambda: not shown.endpoint(one), 10, "the other one is gone")
    assert shown.spread("replica", 4) == {other.endpoint: 4}
    assert shown.wait_event("endpoint.added", endpoint=other.endpoint)
    assert shown.wait_event("endpoint.removed", endpoint=one.endpoint)
