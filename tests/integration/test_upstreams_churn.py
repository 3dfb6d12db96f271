"""A long row of changes, and a move to another cluster: sessions that they do not concern see nothing of it."""

from __future__ import annotations

import re
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness.front import UPSTREAM, Visitors
from harness.system import wait_until

pytestmark = pytest.mark.needs_gateway


def reload(shown, config) -> None:
    before = shown.metric("config_generation")
    shown.gateway.write_config(config)
    shown.gateway.send(signal.SIGHUP)
    wait_until(lambda: shown.metric("config_generation") > before, 15, "the new configuration is in force", 0.005)


@pytest.mark.alone
def test_a_thousand_changes(cluster, front, long, sanitized):
    """Endpoints come and go; nothing is kept of those that went, and nobody is stuck."""
    count = 1000 if long else 30 if sanitized else 120
    one, other = cluster.replicas
    shown = front(cluster).wait_roles(cluster)
    config = shown.gateway.config
    staying = [shown.login() for _ in range(10)]
    kib = files = 0
    for i in range(count):
        here, gone = (one, other) if i % 2 else (other, one)
        config["upstreams"][0]["endpoints"] = [cluster.primary.endpoint, here.endpoint]
        reload(shown, config)
        shown.wait_endpoint(here, state="up", role="replica")
        wait_until(lambda: not shown.endpoint(gone), 15, "it is gone", 0.005)
        with shown.login("replica") as client:
            assert client.simple("select pg_is_in_recovery()") == [["t"]]
        assert staying[i % 10].simple("select 1") == [["1"]]
        if i == count // 5:
            kib, files = shown.gateway.memory_kib(), shown.gateway.open_files()
    if not sanitized:
        assert shown.gateway.memory_kib() < kib + 4096, (kib, shown.gateway.memory_kib())
    assert abs(shown.gateway.open_files() - files) <= 4
    assert set(shown.endpoints()) == set(config["upstreams"][0]["endpoints"])
    for client in staying:
        assert client.simple("select 1") == [["1"]]
        client.close()


def slots_have(cluster, position: str) -> bool:
    return cluster.primary.query(f"select bool_and(confirmed_flush_lsn >= '{position}') from pg_replication_slots "
                                 "where slot_type = 'logical'") == [(True,)]


def test_a_route_moves_to_another_cluster(make_cluster, front):
    """PAUSE, wait for the logical replica, reload, RESUME: nobody who comes meanwhile sees an error, no row is lost."""
    old, new = make_cluster(replicas=0), make_cluster(replicas=0)
    for each in (old, new):
        each.primary.query("create table seen (id uuid primary key default gen_random_uuid()); grant all on seen to public")
    old.primary.query("create publication moving for table seen")
    new.primary.query(f"create subscription moving connection 'host={old.primary.socket_folder} port={old.primary.port} "
                      "user=postgres dbname=app' publication moving")
    shown = front(old, hold="20s")
    config = shown.gateway.config
    config["upstreams"].append(config["upstreams"][0] | {"name": "new", "endpoints": new.endpoints})
    reload(shown, config)
    wait_until(lambda: len(shown.admin.json("/api/v1/upstreams")["upstreams"]) == 2, 10, "both are known")
    with shown.login() as idle, Visitors(shown, count=3) as visitors, shown.console() as console:
        visitors.wait(10)
        idle.simple("insert into seen default values")
        console.execute(f"pause {UPSTREAM}")
        paused = time.monotonic()
        notices = []
        console.add_notice_handler(lambda notice: notices.append(notice.message_primary))
        console.execute(f"pause {UPSTREAM}")  # once more: it tells where the primary is at rest
        position = re.search(r"WAL position ([0-9A-F]+/[0-9A-F]+)", notices[0])[1]
        wait_until(lambda: slots_have(old, position), 20, "the new cluster has everything")
        with ThreadPoolExecutor(1) as pool:
            late = pool.submit(shown.served_by)
            config["routes"][0]["upstream"] = "new"
            reload(shown, config)
            assert late.result(20) == new.primary.endpoint, "who waited goes there too"
        assert idle.read_error()["C"] == "57P01"
        visitors.wait(10, endpoint=new.primary.endpoint)
        console.execute(f"resume {UPSTREAM}")
    # Who was in before the pause, between its login and its first query, is idle, and ends as idle sessions do.
    caught = [visit for visit in visitors.failed if visit.began < paused and visit.code == "57P01"]
    assert visitors.failed == caught, visitors.failed[:3]
    assert new.primary.query("select count(*) from seen") == old.primary.query("select count(*) from seen") == [(1,)]
