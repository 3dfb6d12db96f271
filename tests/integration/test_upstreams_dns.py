"""Endpoints from the DNS: they come, they go, the resolver fails, and names lead to strange places."""

from __future__ import annotations

import signal
import time

import pytest

from harness.dns import FakeDns
from harness.fakeserver import FakeServer
from harness.front import HEALTH, TARGETS, Front, Visitors, endpoint_of, front_config
from harness.gateway import port_of
from harness.system import wait_until
from harness.wire import RawClient, Refused

pytestmark = pytest.mark.needs_gateway

NAME = "db.test"
SRV = "_postgresql._tcp.db.test"
REACHABLE = {"interval": "200ms", "timeout": "1s", "slowStart": "0s"}
REFUSED = ("57P03", "08006", "08001")


@pytest.fixture
def dns():
    with FakeDns() as server:
        yield server


@pytest.fixture(scope="module")
def spread_out(module_clusters):
    """A primary and two replicas with one port and an address each, which no test changes."""
    return module_clusters(addresses="distinct")


def by_name(dns: FakeDns, port: int, name: str = NAME) -> dict:
    return {"dns": {"name": name, "port": port}, "resolver": dns.address}


def by_srv(dns: FakeDns) -> dict:
    return {"srv": {"name": SRV}, "resolver": dns.address}


def hosts(*members) -> list[str]:
    return [member.host for member in members]


def refusal(call) -> Refused:
    with pytest.raises(Refused) as refused:
        call()
    return refused.value


# ---- they come and go ----


def test_every_address_is_an_endpoint(spread_out, dns, front):
    dns.set(NAME, a=hosts(*spread_out.members))
    shown = front(by_name(dns, spread_out.primary.port)).wait_roles(spread_out)
    assert set(shown.endpoints()) == set(spread_out.endpoints)
    assert shown.served_by("primary") == spread_out.primary.endpoint
    assert set(shown.spread("any", 12)) == set(spread_out.endpoints)
    assert set(shown.spread("replica", 12)) == {member.endpoint for member in spread_out.replicas}


def test_records_are_added_and_removed(spread_out, dns, front):
    primary, one, other = spread_out.members
    dns.set(NAME, a=hosts(primary, one), ttl=1)
    shown = front(by_name(dns, primary.port))
    shown.wait_endpoint(one, role="replica")
    with shown.login("replica") as idle, shown.login("replica") as busy:
        busy.simple("begin")
        assert endpoint_of(idle) == endpoint_of(busy) == one.endpoint
        dns.set(NAME, a=hosts(primary, one, other), ttl=1)
        assert shown.wait_event("endpoint.added", endpoint=other.endpoint)
        shown.wait_endpoint(other, state="up", role="replica")
        assert other.endpoint in shown.spread("replica", 8)
        dns.set(NAME, a=hosts(primary, other), ttl=1)
        told = idle.read_error()
        assert (told["C"], told["V"]) == ("57P01", "FATAL") and told["H"]
        assert idle.receive_to_end() == (b"", "fin")
        assert shown.spread("replica", 8) == {other.endpoint: 8}
        assert busy.simple("select 1") == [["1"]], "a transaction goes on"
        busy.simple("commit")
        assert busy.read_error()["C"] == "57P01"
    shown.gateway.wait_end(count=2, cause="endpoint_gone")
    assert shown.wait_event("endpoint.removed", endpoint=one.endpoint)
    wait_until(lambda: not shown.endpoint(one), 10, "it is not shown any more")


def test_one_that_goes_and_comes_back(spread_out, dns, front):
    """Within one answer of the resolver to the next: sessions that began since are not ended for what was before."""
    primary, one, _other = spread_out.members
    dns.set(NAME, a=hosts(primary, one), ttl=1)
    shown = front(by_name(dns, primary.port))
    shown.wait_endpoint(one, role="replica")
    for _ in range(2):
        dns.set(NAME, a=hosts(primary), ttl=1)
        wait_until(lambda: not shown.endpoint(one), 10, "it is gone")
        assert refusal(lambda: shown.login("replica")).code == "57P03"
        dns.set(NAME, a=hosts(primary, one), ttl=1)
        shown.wait_endpoint(one, role="replica", state="up")
        with shown.login("replica") as client:
            assert endpoint_of(client) == one.endpoint


def test_an_order_is_not_a_change(spread_out, dns, front):
    """Resolvers turn their answers round and round."""
    dns.set(NAME, a=hosts(*spread_out.members), ttl=1)
    shown = front(by_name(dns, spread_out.primary.port)).wait_roles(spread_out)
    mark = shown.gateway.mark()
    asked = dns.queries[NAME]
    for turn in (1, 2):
        dns.set(NAME, a=hosts(*spread_out.members[turn:], *spread_out.members[:turn]), ttl=1)
        wait_until(lambda: dns.queries[NAME] >= asked + 4 * turn, 15, "it was asked again, for A and AAAA")
    assert not shown.events("endpoint.added", mark) and not shown.events("endpoint.removed", mark)


def test_srv(cluster, dns, front):
    """Each target is an endpoint with a port of its own, called as the record says."""
    names = {f"{member.name}.{NAME}:{member.port}": member for member in cluster.members}
    for member in cluster.members:
        dns.set(f"{member.name}.{NAME}", a=[member.host])
    dns.set_srv(SRV, [(f"{member.name}.{NAME}", member.port) for member in cluster.members], ttl=1)
    shown = front(by_srv(dns))
    for name, member in names.items():
        shown.wait_endpoint(name, state="up", role="primary" if member is cluster.primary else "replica")
    assert set(shown.endpoints()) == set(names)
    for target in TARGETS:
        wanted = {"primary": {cluster.primary.endpoint}, "any": set(cluster.endpoints)}.get(
            target, {member.endpoint for member in cluster.replicas})
        assert set(shown.spread(target, 12)) == wanted, target
    gone = cluster.members[2]
    dns.set_srv(SRV, [(f"{member.name}.{NAME}", member.port) for member in cluster.members[:2]], ttl=1)
    assert shown.wait_event("endpoint.removed", endpoint=f"{gone.name}.{NAME}:{gone.port}")
    assert shown.spread("replica", 4) == {cluster.members[1].endpoint: 4}


def test_addresses_of_a_listed_name_are_alternatives(spread_out, dns, front):
    """A name in `endpoints` is one endpoint, wherever it answers; the resolver is the upstream's own."""
    dead = spread_out.primary.host.rsplit(".", 1)[0] + ".99"
    dns.set(NAME, a=[dead, spread_out.primary.host])
    name = f"{NAME}:{spread_out.primary.port}"
    shown = front([name], upstream={"discovery": {"resolver": dns.address}})
    shown.wait_endpoint(name, state="up", role="primary")
    assert set(shown.endpoints()) == {name}
    for _ in range(5):
        assert shown.served_by() == spread_out.primary.endpoint


def test_discovery_beside_a_list(spread_out, dns, front):
    dns.set(NAME, a=hosts(*spread_out.replicas))
    shown = front(by_name(dns, spread_out.primary.port), upstream={"endpoints": [spread_out.primary.endpoint]})
    shown.wait_roles(spread_out)
    assert set(shown.endpoints()) == set(spread_out.endpoints)


def test_one_server_by_two_families(server, dns, front):
    """A headless service with A and AAAA: two endpoints of one server are no conflict."""
    dns.set(NAME, a=["127.0.0.1"], aaaa=["::1"])
    shown = front(by_name(dns, server.port), health=REACHABLE | {"user": "trustuser"})
    for name in (f"127.0.0.1:{server.port}", f"[::1]:{server.port}"):
        shown.wait_endpoint(name, state="up")
    for _ in range(6):
        assert shown.served_by() in (f"127.0.0.1:{server.port}", f"::1:{server.port}")
    assert not shown.events("topology.conflict")


@pytest.mark.parametrize("names", ["right", "wrong"])
def test_a_certificate_must_have_the_name(make_cluster, authority, dns, front, names):
    """TLS verifies the name that was looked up, not the address that was found."""
    cluster = make_cluster(replicas=0)
    certificate = authority.issue(f"dns-{names}", (f"DNS:{NAME}",) if names == "right" else ("IP:127.0.0.1",))
    cluster.primary.show_certificate(certificate)
    dns.set(NAME, a=["127.0.0.1"])
    shown = front(by_name(dns, cluster.primary.port), health=None,
                  upstream={"tls": {"mode": "verify-full", "caFile": str(authority.cert)}})
    if names == "right":
        assert shown.served_by() == cluster.primary.endpoint
    else:
        told = refusal(shown.login)
        assert told.code in REFUSED and "certificate" in told.fields["M"]


# ---- the resolver fails ----


@pytest.mark.parametrize("how", ["fails", "is silent", "knows the name no more", "has no address"])
def test_what_was_known_stays(spread_out, dns, front, how):
    """A resolver without an answer, or with an empty one, takes no endpoint away: the last good answer stands."""
    dns.set(NAME, a=hosts(*spread_out.members), ttl=1)
    shown = front(by_name(dns, spread_out.primary.port)).wait_roles(spread_out)
    with shown.login("replica") as client:
        if how == "fails":
            dns.fail(True)
        elif how == "is silent":
            dns.silence(True)
        elif how == "knows the name no more":
            dns.remove(NAME)
        else:
            dns.set(NAME, a=[], ttl=1)
        line = shown.wait_event("discovery.failed", timeout=20)
        assert line["upstream"] == "db" and line["level"] in ("warn", "warning", "error")
        wait_until(lambda: shown.metric("discovery_failures_total", upstream="db") >= 2, 30, "it was tried again")
        assert client.simple("select 1") == [["1"]]
        assert set(shown.spread("any", 12)) == set(spread_out.endpoints)
        dns.fail(False)
        dns.silence(False)
        dns.set(NAME, a=hosts(*spread_out.members[:2]), ttl=1)
        assert shown.wait_event("discovery.ok", since=shown.gateway.log().index(line), timeout=20)
        wait_until(lambda: set(shown.endpoints()) == set(spread_out.endpoints[:2]), 15, "the new answer holds")


@pytest.mark.parametrize("how", ["fails", "is silent", "does not know the name"])
def test_it_never_answered(spread_out, dns, front, how):
    """Sessions are refused in time, and served once there is an answer."""
    dns.fail(how == "fails")
    dns.silence(how == "is silent")
    shown = front(by_name(dns, spread_out.primary.port))
    began = time.monotonic()
    assert refusal(lambda: shown.login(timeout=20)).code == "57P03"
    assert time.monotonic() - began < 15
    assert shown.wait_event("discovery.failed", timeout=20)
    dns.fail(False)
    dns.silence(False)
    dns.set(NAME, a=hosts(*spread_out.members), ttl=1)
    shown.wait_roles(spread_out)
    assert shown.served_by() == spread_out.primary.endpoint


def test_a_resolver_that_is_slow_to_begin_loses_nobody(spread_out, dns, front):
    """With a hold, sessions wait for the first answer too."""
    dns.silence(True)
    shown = front(by_name(dns, spread_out.primary.port), hold="30s")
    with Visitors(shown, count=3) as visitors:
        wait_until(lambda: dns.queries[NAME], 10, "it was asked")
        dns.silence(False)
        dns.set(NAME, a=hosts(*spread_out.members), ttl=1)
        visitors.wait(6, endpoint=spread_out.primary.endpoint, timeout=25)
    assert not visitors.failed, visitors.failed[:3]


# ---- strange places ----


def bad_request(connection, _server) -> None:
    """As nginx answers what is no request."""
    connection.recv(1000)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
    connection.close()


@pytest.mark.parametrize("health", [HEALTH, REACHABLE, None], ids=["watched", "reachable", "learned"])
def test_a_web_server(spread_out, dns, front, health):
    """It speaks no word of the protocol."""
    primary = spread_out.primary
    host = primary.host.rsplit(".", 1)[0] + ".77"
    with FakeServer(bad_request, login=False, host=host, port=primary.port) as web:
        dns.set(NAME, a=[host, primary.host])
        shown = front(by_name(dns, primary.port), health=health)
        if health:
            shown.wait_endpoint(web.endpoint, state="down")
        refused = 0
        for target in ("any", "primary") * 10:
            try:
                assert shown.served_by(target) == primary.endpoint
            except Refused:
                refused += 1
        # Where nobody asks, three clients find out what it is, and then it rests.
        assert refused <= (0 if health else 6), refused
        dns.set(NAME, a=[host], ttl=1)
        wait_until(lambda: set(shown.endpoints()) == {web.endpoint}, 15, "it is alone")
        assert refusal(lambda: shown.login("any")).code in REFUSED + ("08P01",)
    shown.gateway.check_alive()


def test_a_silent_server(spread_out, front):
    """It accepts, and says nothing."""
    primary = spread_out.primary
    with FakeServer(lambda connection, _: connection.recv(1000) and time.sleep(60), login=False) as silent:
        shown = front([silent.endpoint, primary.endpoint], health=HEALTH)
        shown.wait_endpoint(silent.endpoint, state="down")
        for _ in range(8):
            assert shown.served_by("any") == primary.endpoint


@pytest.mark.parametrize("health", [HEALTH, REACHABLE, None], ids=["watched", "reachable", "learned"])
def test_itself(spread_out, dns, start_gateway, tmp_path, health):
    """A name that leads to the gateway's own listener: sessions are refused, and do not go round and round."""
    dns.set(NAME, a=["127.0.0.1"])
    config = front_config(by_name(dns, 1), tmp_path, health=health)
    port = config["upstreams"][0]["discovery"]["dns"]["port"] = port_of(config, "any")
    shown = Front(start_gateway(config))
    if health:
        shown.wait_endpoint(f"127.0.0.1:{port}", state="self")
    began = time.monotonic()
    assert refusal(lambda: shown.login("any", timeout=30)).code in REFUSED
    assert time.monotonic() - began < 15
    assert shown.metric("sessions_total", route="any") < 50
    # Beside servers it does no harm.
    config["upstreams"][0]["endpoints"] = spread_out.endpoints
    shown.gateway.write_config(config)
    shown.gateway.send(signal.SIGHUP)
    wait_until(lambda: set(spread_out.endpoints) <= set(shown.endpoints()), 15, "the servers are known")
    wait_until(lambda: _serves(shown), 15, "sessions are served")
    assert set(shown.spread("any", 12)) <= set(spread_out.endpoints)


def _serves(shown) -> bool:
    try:
        with RawClient(shown.port("any"), timeout=5) as client:
            client.login()
        return True
    except (Refused, OSError):
        return False


def test_a_thousand_addresses(spread_out, dns, front):
    """There is a limit; the gateway lives, and says that it took not all."""
    many = [f"127.9.{i // 250}.{i % 250 + 1}" for i in range(1000)]
    dns.set(NAME, a=[spread_out.primary.host] + many, ttl=1)
    shown = front(by_name(dns, spread_out.primary.port))
    wait_until(lambda: len(shown.endpoints()) > 100, 20, "they are endpoints")
    assert len(shown.endpoints()) <= 256
    shown.gateway.check_alive()
