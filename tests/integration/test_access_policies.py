"""Access policies: who is let in, by what, and what log, audit, API and `access explain` say of it."""

from __future__ import annotations

import json

import psycopg
import pytest

from harness import audit
from harness.access import POOLINGS, Access, policy, trust_config
from harness.admin import Admin
from harness.gateway import port_of, simple_config
from harness.issuer import Issuer
from harness.postgres import PASSWORD, USER
from harness.system import free_port, port_answers, run, wait_until
from harness.wire import RawClient, Refused

pytestmark = pytest.mark.needs_gateway


@pytest.fixture
def access(start_gateway, server, tmp_path) -> Access:
    return Access(start_gateway, server, tmp_path / "audit")


def refusal(port: int, user: str, database: str = "app", **more) -> Refused:
    with RawClient(port) as client, pytest.raises(Refused) as refused:
        client.login(user, database=database, **more)
    return refused.value


def let_in(port: int, user: str, database: str = "app", **more) -> bool:
    with RawClient(port) as client:
        client.login(user, database=database, **more)
        return client.simple("select 1") == [["1"]]


@pytest.mark.parametrize("pooling", POOLINGS)
def test_the_first_that_fits_decides_and_default_is_deny(access, pooling):
    port = access(policy("no-eve", "eve", effect="deny"), policy("staff", ["alice", "e*"], objects={"database": "app"}),
                  pooling=pooling)
    assert let_in(port, "alice") and let_in(port, "erin")
    for user, database in (("eve", "app"), ("mallory", "app"), ("alice", "postgres")):
        refused = refusal(port, user, database)
        assert refused.code == "28000" and refused.fields["S"] == "FATAL"
        assert refused.fields["M"] == f'access to database "{database}" is denied for user "{user}"'
        assert "policy" not in refused.fields["M"] and "no-eve" not in str(refused.fields), "the wire does not tell why"
    ends = access.gateway.wait_end(cause="policy_denied", count=3)
    assert sorted(each["message"] for each in ends) == ["no access policy fits", "no access policy fits",
                                                      "policy no-eve denies it"]
    logins = audit.wait_for(access.folder, "session.login", count=5)
    said = {(line["outcome"], line.get("policy")) for line in logins}
    assert said == {("ok", "staff"), ("refused", "no-eve"), ("refused", None)}
    assert {line["reason"] for line in logins if line["outcome"] == "refused"} == {"no access policy fits",
                                                                                 "policy no-eve denies it"}


@pytest.mark.parametrize("method", ["server", "scram"])
def test_a_user_that_proves_itself_is_its_own_principal(start_gateway, server, method, tmp_path):
    auth = {"method": method}
    if method == "scram":
        verifiers = tmp_path / "verifiers.txt"
        verifiers.write_text("".join(f'"{name}" "{secret}"\n' for name, secret in server.verifiers()))
        auth["verifierFile"] = str(verifiers)
    gateway = start_gateway(simple_config(server.endpoint, auth=auth, access={"policies": [policy("own", USER)]}))
    port = port_of(gateway.config, "main")
    with RawClient(port) as client:
        client.login(USER, PASSWORD)
        assert client.simple("select current_user") == [[USER]]
    with pytest.raises(Refused) as wrong, RawClient(port) as client:
        client.login(USER, "wrong")
    assert wrong.value.code == "28P01", "a policy is no proof"
    if method == "server":
        assert refusal(port, "trustuser").code == "28000"
        gateway.wait_end(cause="policy_denied")


def test_groups_of_a_token_count(start_gateway, server, authority, tmp_path):
    issuer = Issuer(authority.issue("gateway"))
    try:
        gateway = start_gateway(simple_config(
            server.endpoint, route={"credentials": {"user": "trustuser"}, "auth": {
                "method": "jwt", "userMap": [{"user": "*"}],
                "jwt": {"issuer": issuer.url, "audience": "db", "caFile": str(authority.cert), "groupsClaim": "groups"}}},
            access={"policies": [{"name": "dba", "subjects": {"group": "dba"}},
                                 {"name": "no-bob", "effect": "deny", "subjects": {"user": "bob"}},
                                 {"name": "named", "subjects": {"user": ["carol", "bob"]}}]}))
        port = port_of(gateway.config, "main")
        for principal, groups, good in (("alice", ["dba"], True), ("bob", ["dba", "x"], True), ("bob", ["x"], False),
                                        ("carol", [], True), ("dba", [], False)):
            with RawClient(port) as client:
                try:
                    client.login("whoever", issuer.token(principal, groups=groups))
                    assert good, principal
                except Refused as refused:
                    assert not good and refused.code == "28000", (principal, refused)
    finally:
        issuer.stop()


def test_sources_and_unix_sockets(access):
    assert let_in(access(policy(source=["127.0.0.0/8"])), "a")
    assert refusal(access(policy(source=["10.0.0.0/8"])), "a").code == "28000"


@pytest.mark.parametrize("pooling", POOLINGS)
def test_the_policys_settings_win_and_reset_goes_back_to_them(access, pooling):
    port = access(policy(settings={"work_mem": "7MB", "application_name": "held"}), pooling=pooling,
                  route={"settings": {"work_mem": "5MB"}, "pooling": pooling})
    with RawClient(port) as client:
        client.login("a", work_mem="9MB", application_name="mine")
        assert client.simple("show work_mem") == [["7MB"]]
        client.simple("set work_mem = '11MB'")
        assert client.simple("show work_mem") == [["11MB"]]
        client.simple("reset all")
        assert client.simple("show work_mem") == [["7MB"]]


def test_policies_do_not_share_pools(access):
    port = access(policy("one", "a", settings={"work_mem": "7MB"}), policy("two", "b", settings={"work_mem": "8MB"}),
                  pooling="transaction")
    with RawClient(port) as a, RawClient(port) as b:
        a.login("a"), b.login("b")
        for _ in range(3):
            assert a.simple("show work_mem") == [["7MB"]]
            assert b.simple("show work_mem") == [["8MB"]]


def test_replication_needs_its_own_word(start_gateway, server):
    def of(**more):
        config = simple_config(server.endpoint, access={"policies": [policy("p", USER, **more)]})
        return port_of(start_gateway(config).config, "main")
    def login(port):
        client = RawClient(port)
        client.login(USER, PASSWORD, replication="true")
        return client
    with pytest.raises(Refused) as refused:
        login(of())
    assert refused.value.code == "28000"
    with login(of(replication=True)) as client:
        assert client.simple("IDENTIFY_SYSTEM")[0][3] is None
    with login(of(replication=True, level="read")) as client:
        assert len(client.simple("IDENTIFY_SYSTEM")) == 1


def test_an_approval_without_a_store_is_refused(access, tmp_path):
    config = trust_config(access.server, policy(approval={"anyOf": "dba"}))
    gateway = access._start(config, begin=False)
    checked = gateway.check()
    assert checked.returncode == 2 and "access.policies[0].approval: requests have nowhere to be kept" in checked.stderr


def test_wrong_policies_are_refused_at_the_start(access):
    gateway = access._start(trust_config(access.server, policy(objects={"route": "al"}),
                                         policy("q", level="reed"), policy("r", hours={"from": "25:00"}),
                                         {"name": "s", "subjects": {"group": "g"}}), begin=False)
    checked = gateway.check()
    assert checked.returncode == 2
    for part in ("access.policies[0].objects.route: `al` is no route, did you mean `all`?",
                 "access.policies[1].level: ", "access.policies[2].hours.from: `25:00` is not a time of the day"):
        assert part in checked.stderr, checked.stderr


def test_check_warns_of_policies_that_nobody_reaches(access):
    gateway = access._start(trust_config(access.server, policy("wide"), policy("late", "a", effect="deny")), begin=False)
    checked = gateway.check()
    assert checked.returncode == 0
    assert "access.policies[1]: never decides: access.policies[0] (wide)" in checked.stderr
    assert "says the opposite" in checked.stderr


# ---- what is shown ----


def explain(gateway, *words: str):
    return run([gateway.binary, "access", "explain", "-c", gateway.file, *words], check=False, timeout=20)


def test_explain_says_which_decides_and_why_not_the_others(access):
    access(policy("night", hours={"from": "22:00", "until": "06:00"}), policy("far", source=["10.0.0.0/8"]),
           policy("no-eve", "eve", effect="deny"),
           policy("readers", ["alice", "eve"], level="read", role="reader", objects={"database": "app"}, maxLength="1h"))
    words = ("--database", "app", "--from", "127.0.0.1", "--at", "2026-11-30T12:00:00Z")
    said = explain(access.gateway, "--as", "alice", *words)
    assert said.returncode == 0, said.stderr
    for part in ("its hours do not hold", "it is for other sources", "it is for somebody else", "DECIDES",
                 "allow: policy readers allows it", "role", "reader"):
        assert part in said.stdout, said.stdout
    told = json.loads(explain(access.gateway, "--as", "alice", *words, "--output", "json").stdout)
    assert told["outcome"] == "allow" and told["gives"]["level"] == "read"
    assert [each.get("why") for each in told["policies"]] == ["its hours do not hold", "it is for other sources",
                                                              "it is for somebody else", None]
    assert explain(access.gateway, "--as", "eve", *words).returncode == 1
    assert "deny: policy no-eve denies it" in explain(access.gateway, "--as", "eve", *words).stdout
    at_night = explain(access.gateway, "--as", "eve", "--database", "x", "--at", "2026-11-30T23:00:00Z")
    assert "allow: policy night allows it" in at_night.stdout
    assert '"ends": "2026-12-01T06:00:00' in explain(access.gateway, "--as", "eve", "--database", "x", "--at",
                                                     "2026-11-30T23:00:00Z", "--output", "json").stdout
    assert explain(access.gateway, "--as", "a", "--database", "x", "--route", "none").returncode == 2
    assert explain(access.gateway, "--as", "a", "--database", "x", "--at", "noon").returncode == 2


def test_explain_agrees_with_the_gateway(access):
    port = access(policy("a", ["u1", "u2*"]), policy("b", "u3", effect="deny"), policy("c", "u*", objects={"database": "app"}),
                  policy("d", "v?"))
    for user in ("u1", "u22", "u3", "u4", "v", "v1", "w"):
        said = explain(access.gateway, "--as", user, "--database", "app", "--from", "127.0.0.1")
        try:
            good = let_in(port, user)
        except Refused:
            good = False
        assert good == (said.returncode == 0), (user, said.stdout)


def test_the_api_and_the_metrics_show_them(access):
    admin = Admin(free_port())
    port = access(policy("readers", "a", level="read"), admin={"address": f"127.0.0.1:{admin.port}"})
    wait_until(lambda: port_answers(admin.port), 10, "it listens")
    assert let_in(port, "a")
    refusal(port, "b")
    shown = admin.json("/api/v1/access")
    assert shown["policies"][0]["name"] == "readers" and shown["policies"][0]["level"] == "read"
    text = admin.metrics()
    assert 'trunkline_policy_decisions_total{route="all",upstream="db",outcome="allow"} 1' in text
    assert 'trunkline_policy_decisions_total{route="all",upstream="db",outcome="deny"} 1' in text


def test_without_policies_nothing_changes(start_gateway, server):
    gateway = start_gateway(simple_config(server.endpoint, auth={"method": "trust"}, access={},
                                          route={"credentials": {"user": "trustuser"}}))
    with psycopg.connect(host="127.0.0.1", port=port_of(gateway.config, "main"), user="a", dbname="app",
                         autocommit=True) as session:
        session.execute("set role none"), session.execute("discard all")
        assert session.execute("do $$begin perform 1; end$$").statusmessage == "DO"
