"""Replicas as the chart runs them: pods with addresses of their own that find each other by the headless Service, and a
rollout under load."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter

import pytest

from harness import island as islands
from harness.pods import POSTGRES, Deployment, PodNetwork, chart_config, lay_secrets
from harness.postgres import PASSWORD, USER
from harness.replicas import running, send_cancel
from harness.system import wait_until
from harness.wire import Closed, RawClient, Refused, trusting

pytestmark = [pytest.mark.needs_gateway,
              pytest.mark.skipif(not islands.available(), reason="needs root, ip and iptables")]


@pytest.fixture(scope="module")
def net():
    with PodNetwork() as made:
        yield made


@pytest.fixture(scope="module")
def database(net, module_clusters):
    """A server in a pod of its own."""
    cluster = module_clusters(replicas=0, island=net.pod())
    cluster.primary.query("create table done (id text primary key)")
    cluster.primary.query(f"grant all on done to {USER}")
    return cluster.primary


@pytest.fixture
def deployment(net, database, authority, pytestconfig, tmp_path, long):
    """`drain.delay` is the chart's 10 s with --long, and 2 s otherwise."""
    users = "".join(f'"{name}" "{secret}"\n' for name, secret in database.verifiers())
    secrets = lay_secrets(tmp_path / "secrets", authority.issue("gateway"), users)
    text = chart_config(database.endpoint, secrets, delay="" if long else "2s", upstream_tls="disable")
    made = Deployment(net, pytestconfig.getoption("--bin"), tmp_path, text)
    yield made
    made.stop()


def connect(address: str, authority, **more) -> RawClient:
    client = RawClient(POSTGRES, address, **more)
    try:
        assert client.ssl_request() == b"S"
        return client.tls(trusting(authority.cert, verify=False)).login(USER, PASSWORD)
    except BaseException:
        client.close()
        raise


def cancel_at(address: str, client: RawClient, authority) -> None:
    send_cancel(POSTGRES, client.pid, client.key, tls=trusting(authority.cert, verify=False), host=address)


def test_a_cancel_finds_the_session_by_the_headless_service(deployment, net, authority):
    """Whichever pod it reaches: one that was there, and one that has come since."""
    first, second = deployment.gateways
    with connect(first.pod.address, authority) as client:
        with running(client):
            cancel_at(second.pod.address, client, authority)
        assert second.cancels("forwarded_to_peer") == 1 and first.cancels("forwarded") == 1
        third = deployment.add()
        asked = net.dns.askers.copy()
        wait_until(lambda: all(net.dns.askers[each.pod.address] >= asked[each.pod.address] + 4 for each in deployment.gateways),
                   15, "all have heard who is there")
        with running(client):
            cancel_at(third.pod.address, client, authority)
        with connect(third.pod.address, authority) as newcomer, running(newcomer):
            cancel_at(first.pod.address, newcomer, authority)


class Load:
    """Clients as pgbench has them, each transaction of three statements with a row of its own. They try again only where
    the protocol leaves no doubt that nothing was done: no connection, or 57P01 in the place of an answer to BEGIN."""

    def __init__(self, deployment, authority, clients: int):
        self._deployment, self._authority = deployment, authority
        self.retried, self.failed, self.done = Counter(), [], set()
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(number,)) for number in range(clients)]
        for each in self._threads:
            each.start()

    def stop(self) -> None:
        self._over.set()
        for each in self._threads:
            each.join(30)

    def _run(self, number: int) -> None:
        count = 0
        while not self._over.is_set():
            try:
                client = connect(random.choice(self._deployment.endpoints), self._authority)
            except OSError as refused:
                self.retried[type(refused).__name__] += 1
                time.sleep(0.05)
                continue
            except Refused as refused:
                self.failed.append(f"login: {refused}")
                continue
            with client:
                # Every other one stays until it is told to go.
                last = count + (random.randrange(20, 60) if number % 2 else 1_000_000)
                while count < last and not self._over.is_set() and self._transaction(client, f"{number}-{count}"):
                    count += 1
                count += 1

    def _transaction(self, client: RawClient, name: str) -> bool:
        step = "begin"
        try:
            client.simple("begin")
            step = "insert"
            client.simple(f"insert into done values ('{name}')")
            time.sleep(random.random() * 0.02)
            step = "commit"
            client.simple("commit")
            self.done.add(name)
            return True
        except (Refused, Closed, OSError) as why:
            if step == "begin" and isinstance(why, Refused) and why.code == "57P01":
                self.retried["57P01"] += 1
            else:
                self.failed.append(f"{step}: {why}")
            return False


def test_a_rollout_under_load_fails_no_transaction(deployment, database, authority, long):
    database.query("truncate done")
    load = Load(deployment, authority, 8)
    wait_until(lambda: len(load.done) > 50, 20, "they are at work")
    before, first = len(load.done), deployment.gateways[:]
    took = deployment.roll()
    time.sleep(0.5)
    load.stop()
    assert not load.failed, load.failed[:20]
    assert len(load.done) > before and not set(first) & set(deployment.gateways)
    kept = {name for name, in database.query("select id from done")}
    assert kept == load.done, "what was said to be done is done, and nothing else"
    assert max(took) < (10 if long else 2) + 8 < deployment.grace, took
    print(f"rollout: {len(load.done)} transactions, tried again: {dict(load.retried)}, each pod took {took}")
    assert load.retried["57P01"] > 0, "sessions at rest were told to go"
    assert set(load.retried) <= {"57P01", "ConnectionRefusedError"}
