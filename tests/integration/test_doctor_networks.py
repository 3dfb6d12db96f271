"""`trunkline doctor` where packets get lost, are refused or forgotten on their way between hosts: each fault is told of
with the hop where it is, and the same route without it is silent."""

from __future__ import annotations

import json
import signal

import pytest

from harness import routed
from harness.doctor import Diagnosis, Doctor, dsn
from harness.middle_box import Fault, MiddleBox
from harness.system import wait_until

# Nothing here goes through a gateway. One route for all, which each test heals.
pytestmark = [pytest.mark.any_build, pytest.mark.xdist_group("route")]

PLAIN = {"sslmode": "disable"}


@pytest.fixture(scope="module")
def nodes():
    if why := routed.lacking():
        pytest.skip(why)
    with routed.Route() as route:
        yield route


@pytest.fixture(scope="module")
def far(nodes, module_clusters):
    """A server on the node behind the router."""
    return module_clusters(replicas=0, island=nodes.server).primary


@pytest.fixture
def route(nodes):
    yield nodes
    nodes.heal()


class There(Doctor):
    """Runs on the client's node."""

    def __init__(self, binary: str, route: routed.Route):
        super().__init__(binary)
        self._route = route

    def start(self, *words: str, **more):
        return super().start(*words, prefix=self._route.client.prefix, **more)


@pytest.fixture(scope="module")
def doctor(pytestconfig, nodes) -> There:
    return There(pytestconfig.getoption("--bin"), nodes)


def between(server) -> str:
    return f"between this host and the server behind {server.endpoint}"


def test_a_route_has_no_finding(doctor, far):
    diagnosis = doctor.examine(dsn(far.port, far.host), "--idle", "4s")
    assert diagnosis.report["findings"] == []
    assert [each for each in diagnosis.report["paths"][0]["checks"] if each["verdict"] != "ok"] == []
    assert diagnosis.facts()["between"] == []
    assert diagnosis.verdict("still-there") == "ok"


# ---- packets that are too large ----


def test_a_black_hole_for_large_packets(doctor, route, far):
    route.narrow(1400)
    path = dsn(far.port, far.host, **PLAIN)
    heard = doctor.examine(path, "--only", "sizes")
    assert heard.verdict("sizes") == "ok" and heard.code == 0, heard.check("sizes")  # the server hears of the smaller MTU
    route.deafen()
    found = doctor.examine(path, "--only", "sizes").finding("sizes")
    assert found["pathologies"] == ["P49"] and found["severity"] == "broken"
    assert found["where"] == between(far) and found["summary"] == "messages of 1380 bytes and more get lost"
    assert "1200 bytes pass" in found["evidence"] and "tcp_mtu_probing" in found["fix"]


def test_a_black_hole_that_certificates_fall_into(doctor, route, far):
    route.narrow(600)
    path = dsn(far.port, far.host, sslmode="require")
    assert doctor.examine(path, "--only", "dns").verdict("login") == "ok", "the server hears of the smaller MTU"
    route.deafen()
    found = doctor.examine(path, "--only", "dns").finding("login")
    assert found["pathologies"] == ["P49"] and found["confidence"] == "hint" and found["where"] == between(far)


def test_connections_that_are_reset_after_a_while(doctor, route, far):
    """As a conntrack that loses its place in a long transfer."""
    route.router.set("netfilter/nf_conntrack_acct", 1)
    route.rule("-p", "tcp", "-m", "connbytes", "--connbytes", "1000000:", "--connbytes-mode", "bytes",
               "--connbytes-dir", "reply", "-j", "REJECT", "--reject-with", "tcp-reset")
    diagnosis = doctor.examine(dsn(far.port, far.host), "--only", "sizes,copy")
    found = diagnosis.finding("sizes")
    assert found["pathologies"] == ["P51", "P59"] and found["where"] == between(far)
    assert found["summary"] == "a large result does not come whole"
    found = diagnosis.finding("copy")
    assert found["pathologies"] == ["P08", "P59"] and found["where"] == between(far)


# ---- who answers the SYN ----


def relay_on_the_router(route, far, fault: Fault) -> MiddleBox:
    return route.router.make(lambda: MiddleBox(far.port, fault, host=far.host, near=route.router.address))


def test_a_proxy_that_answers_for_a_far_server(doctor, route, far):
    """Two signals agree: the addresses, and a SYN that is answered nearer than queries are. So it is named."""
    with relay_on_the_router(route, far, Fault(delay=0.004, drop_cancels=True)) as relay:
        diagnosis = doctor.examine(dsn(relay.port, route.router.address, **PLAIN), "--only", "round-trips,cancel")
    assert diagnosis.check("round-trips")["judgements"][0]["summary"] == "a proxy near this host answers the SYN"
    assert diagnosis.facts()["between"] == ["addresses", "split-tcp"]
    assert diagnosis.finding("cancel")["where"] == f"the proxy at {route.router.address}:{relay.port}"


def test_a_proxy_beside_its_server_is_not_told_from_nat(doctor, route, far):
    with relay_on_the_router(route, far, Fault(drop_cancels=True)) as relay:
        diagnosis = doctor.examine(dsn(relay.port, route.router.address, **PLAIN), "--only", "round-trips,cancel")
    assert diagnosis.facts()["between"] == ["addresses"]
    assert diagnosis.finding("cancel")["where"].startswith("between this host and the server behind")


def test_nat_is_no_proxy(doctor, route, far):
    """It changes both addresses, and nothing else."""
    port = "5432"
    route.rule("-p", "tcp", "-d", route.router.address, "--dport", port, "-j", "DNAT", "--to", far.endpoint,
               table="nat", chain="PREROUTING")
    route.rule("-j", "MASQUERADE", table="nat", chain="POSTROUTING")
    diagnosis = doctor.examine(dsn(5432, route.router.address), "--only", "round-trips,pooler,keepalive")
    assert diagnosis.facts()["between"] == ["addresses"] and diagnosis.facts()["pooling"] == "none"
    found = diagnosis.finding("keepalive")
    assert found["confidence"] == "hint" and found["where"] == f"between this host and the server behind {route.router.address}:5432"


def test_a_masquerade_before_rules_that_go_by_address(doctor, route, far):
    """pg_hba.conf knows the client's address, and the server sees the router's."""
    rules = far.data / "pg_hba.conf"
    before = rules.read_text()
    rules.write_text(f"local all all trust\nhost all all {route.client.address}/32 scram-sha-256\n")
    far.query("select pg_reload_conf()")
    try:
        wait_until(lambda: doctor.examine(dsn(far.port, far.host), "--only", "dns").verdict("login") == "ok", 5,
                   "the client may log in as long as it is seen")
        route.rule("-j", "MASQUERADE", table="nat", chain="POSTROUTING")
        found = doctor.examine(dsn(far.port, far.host), "--only", "dns").finding("login")
    finally:
        rules.write_text(before)
        far.query("select pg_reload_conf()")
    assert found["pathologies"] == ["P35"] and "externalTrafficPolicy: Local" in found["fix"]
    assert found["where"] == "the server (the error is PostgreSQL's own)"


def test_a_server_that_shuts_down_when_its_sessions_like(doctor, far):
    """Smart: nobody may log in, until the last session ends."""
    with far.admin():
        far.send(signal.SIGTERM)
        wait_until(lambda: "smart shutdown" in far.log_text(), 5, "it shuts down")
        found = doctor.examine(dsn(far.port, far.host), "--only", "dns").finding("login")
    far.stop()
    far.start()
    assert found["pathologies"] == ["P33"] and "mode fast" in found["fix"]
    assert found["where"] == "the server (the error is PostgreSQL's own)"


# ---- connections that are not accepted ----


def test_a_firewall_that_drops(doctor, route, far):
    route.rule("-p", "tcp", "--dport", str(far.port), "-j", "DROP")
    found = doctor.examine(dsn(far.port, far.host), "--only", "reach").finding("reach")
    assert found["pathologies"] == ["P24", "P25"] and "neither answered nor refused" in found["explanation"]
    assert found["where"] == f"between this host and {far.endpoint}"


def test_a_firewall_that_answers_with_rst(doctor, route, far):
    route.rule("-p", "tcp", "--dport", str(far.port), "-j", "REJECT", "--reject-with", "tcp-reset")
    found = doctor.examine(dsn(far.port, far.host), "--only", "reach").finding("reach")
    assert found["pathologies"] == ["P15"] and "RST" in found["explanation"]
    assert found["where"] == f"between this host and {far.endpoint}"


@pytest.mark.parametrize("how", ["icmp-port-unreachable", "icmp-admin-prohibited", "icmp-host-unreachable"])
def test_a_firewall_that_answers_with_icmp(doctor, route, far, how):
    """It names itself: ICMP comes from whoever refuses."""
    route.rule("-p", "tcp", "--dport", str(far.port), "-j", "REJECT", "--reject-with", how)
    found = doctor.examine(dsn(far.port, far.host), "--only", "reach").finding("reach")
    assert found["pathologies"] == ["P24"] and "ICMP" in found["explanation"]
    assert found["where"] == route.router.address


def test_a_host_that_refuses_by_icmp_itself(doctor, route, far):
    rule = ("INPUT", "-p", "tcp", "--dport", str(far.port), "-j", "REJECT")
    route.server.run("iptables", "-w", "-A", *rule)
    try:
        found = doctor.examine(dsn(far.port, far.host), "--only", "reach").finding("reach")
    finally:
        route.server.run("iptables", "-w", "-D", *rule)
    assert found["where"] == f"{far.host} (the host itself)" and "port unreachable" in found["explanation"]


def test_no_route(doctor, route):
    found = doctor.examine(dsn(5432, "203.0.113.7"), "--only", "reach").finding("reach")
    assert found["pathologies"] == ["P24"] and found["where"] == route.router.address


def test_a_syn_that_gets_lost(doctor, route, far):
    """The first one is dropped: as a full conntrack table, or two flows with one source port, do."""
    route.rule("-p", "tcp", "--syn", "--dport", str(far.port), "-m", "quota", "--quota", "60", "-j", "DROP")
    found = doctor.examine(dsn(far.port, far.host), "--only", "reach").finding("reach")
    assert found["pathologies"] == ["P06", "P18", "P20"] and found["confidence"] == "hint"
    assert found["where"] == f"between this host and {far.endpoint}"


# ---- connections that are forgotten ----


def test_a_router_that_forgets_and_says_nothing(doctor, route, far):
    route.forget_after(5, "DROP")
    found = doctor.examine(dsn(far.port, far.host), "--only", "reach", "--idle", "8s").finding("idle")
    assert found["pathologies"] == ["P09"] and found["where"] == between(far)
    assert found["summary"] == "a connection that is silent for 3 to 8 s is ended"
    assert "Keepalive helps" in found["explanation"] and "packets vanish" in found["explanation"]
    assert "idle with keepalive, 8 s: survived" in found["evidence"]


def test_a_router_that_forgets_and_resets(doctor, route, far):
    route.forget_after(5, "REJECT", "-p", "tcp", "--reject-with", "tcp-reset")
    found = doctor.examine(dsn(far.port, far.host), "--only", "reach", "--idle", "8s").finding("idle")
    assert found["pathologies"] == ["P09"] and found["where"] == between(far)
    assert "Keepalive helps" in found["explanation"] and "with a reset" in found["explanation"]


def test_a_router_that_remembers_long_enough(doctor, route, far):
    route.forget_after(60, "DROP")
    diagnosis = doctor.examine(dsn(far.port, far.host), "--only", "reach", "--idle", "4s")
    assert diagnosis.verdict("idle") == "ok" and diagnosis.code == 0


# ---- a path that dies ----


def test_a_path_that_dies_in_the_middle_of_the_run(doctor, route, far):
    """What comes behind its death is not tested, and nothing else is said to be broken."""
    process = doctor.start(dsn(far.port, far.host), "--only", "prepared,abandoned,sizes,copy,logins", "--output", "json")
    wait_until(lambda: far.query("select 1 from pg_stat_activity where query = 'select pg_sleep(4)'"), 30,
               "a statement waits for the end of its client", 0.1)
    route.rule("-p", "tcp", "-j", "DROP")
    out, errors = process.communicate(timeout=90)
    diagnosis = Diagnosis(process.returncode, json.loads(out), errors)
    assert diagnosis.code == 1 and diagnosis.finding_ids() == {"still-there"}, diagnosis.report["findings"]
    found = diagnosis.finding("still-there")
    assert found["severity"] == "broken" and found["where"] == between(far)
    assert found["pathologies"] == ["P17", "P32"]
    assert any("sessions end when their client is gone" in each for each in found["evidence"])
    assert diagnosis.verdict("prepared") == "ok" and diagnosis.verdict("logins") == "unknown"
