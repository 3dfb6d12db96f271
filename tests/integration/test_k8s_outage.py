"""The API server is gone, or half dead, for longer than anybody would wait: sessions, logins and a failover of the database go
on by what is known. Through a whole gateway; minutes with --long, seconds otherwise."""

from __future__ import annotations

import time

import pytest

from harness.front import Front, endpoint_of
from harness.k8s_api import KubernetesApi
from harness.k8s_objects import NAMESPACE, endpoint_slice
from harness.k8s_rbac import Rule
from harness.k8s_store import ENDPOINT_SLICES
from harness.system import wait_until

pytestmark = pytest.mark.needs_gateway

GATEWAY = "system:serviceaccount:gateways:trunkline"


@pytest.fixture(scope="module")
def cluster(module_clusters):
    return module_clusters(addresses="distinct")


@pytest.fixture
def api(authority):
    made = KubernetesApi(authority.issue("gateway"), authority.cert)
    made.rbac.grant(Rule(GATEWAY, ("list", "watch"), ("endpointslices",), "discovery.k8s.io", NAMESPACE))
    yield made
    made.stop()


def publish(api, *members) -> None:
    api.store.apply(ENDPOINT_SLICES, endpoint_slice("db", [each.host for each in members], ports={"postgres": members[0].port}))


@pytest.fixture
def shown(cluster, api, front, authority, tmp_path) -> Front:
    token = tmp_path / "token"
    token.write_text(api.service_account("gateways", "trunkline"))
    publish(api, *cluster.members)
    return front({"kubernetes": {"namespace": NAMESPACE, "service": "db"}}, hold="30s", kubernetes={
        "apiServer": api.url, "tokenFile": str(token), "caFile": str(authority.cert)}).wait_roles(cluster)


def go_down(api):
    """Nobody listens."""
    api.go_down()
    return api.start


def fall_silent(api):
    """Watches stay open and say nothing; what is asked is taken, and not answered."""
    api.frozen.set()
    api.hanging.set()

    def heal():
        api.frozen.clear()
        api.hanging.clear()
        api.drop_connections()
    return heal


def drip(api):
    """Watches are cut and cannot go on, and the lists that are needed then come with a byte a second."""
    api.dripping.set()
    api.store.compact()
    api.drop_connections()
    return api.dripping.clear


@pytest.mark.parametrize("fault", [go_down, fall_silent, drip])
def test_the_database_does_not_notice(cluster, shown, api, fault, long):
    seconds = (300 if fault is go_down else 60) if long else 3
    primary = cluster.primary
    with shown.login("replica") as reader, shown.login("primary") as writer:
        heir, other = sorted(cluster.replicas, key=lambda each: each.endpoint == endpoint_of(reader))
        began = time.monotonic()
        heal = fault(api)
        time.sleep(0.3)
        assert shown.served_by() == primary.endpoint and set(shown.spread("any", 6)) == set(cluster.endpoints)
        assert writer.simple("select 1") == [["1"]]
        cluster.wait_caught_up()
        primary.kill9()
        heir.promote()
        other.follow(heir)
        assert shown.served_by(timeout=30) == heir.endpoint, "it is held until there is a primary again"
        assert endpoint_of(reader) == other.endpoint
        while time.monotonic() - began < seconds:
            took = time.monotonic()
            assert shown.served_by() == heir.endpoint
            assert time.monotonic() - took < 2
            time.sleep(min(1, seconds / 10))
    assert shown.metric("discovery_age_seconds", upstream="db") >= time.monotonic() - began - 2
    primary.rebuild(heir)
    publish(api, heir, other)
    heal()
    wait_until(lambda: set(shown.endpoints()) == {heir.endpoint, other.endpoint}, 45, "the API server is heard again")
    assert shown.served_by() == heir.endpoint
