"""The cluster and the faults that other tests are made of, without a gateway: `--modes direct` runs them too."""

from __future__ import annotations

import time

import psycopg
import pytest

from harness.cluster import BARE, BARE_PASSWORD, MONITOR, MONITOR_PASSWORD
from harness.postgres import DATABASE, PASSWORD, USER
from harness.system import port_answers, wait_until

pytestmark = pytest.mark.any_build


def pytest_generate_tests(metafunc):
    if "version" in metafunc.fixturenames:
        versions = metafunc.config.trunkline_versions
        metafunc.parametrize("version", versions[-1:] if metafunc.config.getoption("--quick") else
                             sorted({versions[0], versions[-1]}))


@pytest.fixture
def cluster(make_cluster, version):
    return make_cluster(version)


def connect(member, user: str = USER, password: str = PASSWORD, **more) -> psycopg.Connection:
    words = {"host": member.host, "port": member.port, "user": user, "password": password, "dbname": DATABASE,
             "sslmode": "disable", "connect_timeout": 2, "autocommit": True} | more
    return psycopg.connect(**words)


def write(member, value: int) -> None:
    member.query("create table if not exists t (x int)")
    member.query("insert into t values (%s)", (value,))


def values(member) -> list[int]:
    return [value for value, in member.query("select x from t order by x")]


def test_replication(cluster):
    assert [member.is_in_recovery() for member in cluster.members] == [False, True, True]
    assert len({member.system_identifier() for member in cluster.members}) == 1
    assert [member.timeline() for member in cluster.members] == [1, 1, 1]
    write(cluster.primary, 1)
    cluster.wait_caught_up()
    assert [values(member) for member in cluster.members] == [[1]] * 3
    for member in cluster.members:
        with connect(member) as session:
            assert session.info.parameter_status("in_hot_standby") == ("off" if member is cluster.primary else "on")


def test_failover(cluster):
    first, second, third = cluster.members
    write(first, 1)
    cluster.wait_caught_up()
    with connect(first) as session:
        first.kill9()
        assert not port_answers(first.port)
        with pytest.raises(psycopg.OperationalError):
            session.execute("select 1")
    second.promote()
    assert cluster.primary is second and not second.is_in_recovery() and second.timeline() == 2
    third.follow(second)
    first.rebuild(second)
    cluster.wait_streaming()
    write(second, 2)
    cluster.wait_caught_up()
    assert [values(member) for member in cluster.members] == [[1, 2]] * 3
    assert [member.timeline() for member in cluster.members] == [2, 2, 2]
    added = cluster.add_replica()
    cluster.wait_caught_up()
    assert values(added) == [1, 2] and added.timeline() == 2
    third.promote()
    assert third.timeline() == 3 and second.timeline() == 2, "two primaries"
    assert not second.is_in_recovery() and not third.is_in_recovery()


def test_switchover(cluster):
    """After a clean end, the old primary can follow as it is."""
    first, second, _third = cluster.members
    write(first, 1)
    first.stop()
    second.promote()
    first.follow(second)
    cluster.wait_streaming(first)
    write(second, 2)
    cluster.wait_caught_up(first)
    assert values(first) == [1, 2] and first.is_in_recovery()


def test_killed_and_started(cluster):
    first = cluster.primary
    write(first, 1)
    first.kill9()
    first.start()
    cluster.wait_streaming()
    write(first, 2)
    cluster.wait_caught_up()
    assert values(cluster.replicas[0]) == [1, 2]


def test_freeze(cluster):
    first = cluster.primary
    with connect(first) as session:
        first.freeze()
        assert port_answers(first.port), "the kernel still accepts"
        started = time.monotonic()
        with pytest.raises(psycopg.OperationalError):
            connect(first)
        assert time.monotonic() - started > 1.5
        first.thaw()
        assert session.execute("select 1").fetchone() == (1,)
    connect(first).close()
    first.freeze()  # and a frozen one is cleared away


def test_replay_paused(cluster):
    replica = cluster.replicas[0]
    write(cluster.primary, 1)
    cluster.wait_caught_up()
    replica.pause_replay()
    write(cluster.primary, 2)
    cluster.wait_caught_up(cluster.replicas[1])
    assert values(replica) == [1] and not replica.caught_up(cluster.primary)
    replica.resume_replay()
    cluster.wait_caught_up()
    assert values(replica) == [1, 2]


def test_roles(cluster):
    replica = cluster.replicas[0]
    with connect(replica, BARE, BARE_PASSWORD, dbname="postgres") as session:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute("select pg_promote()")
        assert session.execute("select received_tli from pg_stat_wal_receiver").fetchone() == (None,)
    with connect(replica, MONITOR, MONITOR_PASSWORD, dbname="postgres") as session:
        assert session.execute("select received_tli from pg_stat_wal_receiver").fetchone() == (1,)
        assert session.execute("select pg_promote()").fetchone() == (True,)
        assert session.execute("select pg_is_in_recovery()").fetchone() == (False,)


def test_another_system(make_cluster, version):
    one, other = (make_cluster(version, system=number, replicas=0) for number in (0, 1))
    assert one.primary.system_identifier() != other.primary.system_identifier()


def test_own_addresses(make_cluster, version):
    cluster = make_cluster(version, addresses="distinct")
    assert len({member.port for member in cluster.members}) == 1
    assert len({member.host for member in cluster.members}) == 3
    for member in cluster.members:
        with connect(member) as session:
            assert session.execute("select inet_server_addr()::text, current_setting('cluster_name')").fetchone() == (
                f"{member.host}/32", member.name)


@pytest.mark.parametrize("addresses", ["one", "distinct"])
def test_partition(make_cluster, version, addresses, partition):
    cluster = make_cluster(version, addresses=addresses)
    first, second, _third = cluster.members
    with connect(first) as session:
        partition.cut(first)
        started = time.monotonic()
        with pytest.raises(psycopg.OperationalError, match="time"):
            connect(first)
        assert time.monotonic() - started > 1.5
        connect(second).close()
        write(first, 1)  # over its unix socket, and so does replication go
        cluster.wait_caught_up()
        partition.heal(first)
        wait_until(lambda: port_answers(first.port, first.host), 5, "it can be reached again")
        assert session.execute("select 1").fetchone() == (1,)
    partition.cut(first, back=False)
    assert not port_answers(first.port, first.host)
