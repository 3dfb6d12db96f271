"""auth: kubernetes with authorization: RBAC says who has a route, at the login and while its sessions run."""

from __future__ import annotations

import re
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness import audit
from harness.access import POOLINGS, ended, policy
from harness.admin import Admin
from harness.gateway import port_of, simple_config
from harness.grants import Desk
from harness.grants import policy as approval
from harness.k8s_api import KubernetesApi
from harness.k8s_rbac import Rule
from harness.system import free_port, run, wait_until
from harness.token_login import connect
from harness.wire import RawClient, Refused, query

pytestmark = pytest.mark.needs_gateway

GATEWAY = "system:serviceaccount:gateways:trunkline"
GROUP = "trunkline.dev"
OBJECT = {"namespace": "prod", "name": "orders"}


class World:
    """`world(routes…)` starts a gateway: a route for each database, and what RBAC is asked about it."""

    def __init__(self, start_gateway, server, authority, api, folder):
        self._start, self._server, self._authority, self.api, self._folder = start_gateway, server, authority, api, folder
        self.audit = folder / "audit"
        own = folder / "own-token"
        own.write_text(api.service_account("gateways", "trunkline"))
        self.own = {"apiServer": api.url, "tokenFile": str(own), "caFile": str(authority.cert), "audience": "db"}
        self.section = {key: self.own[key] for key in ("apiServer", "tokenFile", "caFile")}
        self._tokens: dict[str, str] = {}
        self.gateway = None

    def config(self, routes: dict[str, dict | None], *, pooling: str = "off", policies=(), **more) -> dict:
        certificate = self._authority.issue("gateway")
        made = simple_config(self._server.endpoint, audit=audit.to_folder(self.audit), tls={"mode": "require", "certificates": [
            {"certFile": str(certificate.cert), "keyFile": str(certificate.key)}]})
        made["routes"] = [{
            "name": name, "upstream": made["upstreams"][0]["name"], "match": {"database": name}, "database": "app",
            "pooling": pooling, "credentials": {"user": "trustuser"}, "auth": {
                "method": "kubernetes", "userMap": [{"principal": "system:serviceaccount:*:*", "user": "$2"}],
                "kubernetes": self.own | ({"authorization": asked} if asked is not None else {})}}
            for name, asked in routes.items()]
        made["admin"] = {"address": f"127.0.0.1:{free_port()}"}
        if policies:
            made["access"] = {"policies": list(policies)}
        return made | more

    def __call__(self, routes: dict[str, dict | None] | None = None, *, environment: dict | None = None, **more) -> "World":
        self.gateway = self._start(self.config({"orders": OBJECT} if routes is None else routes, **more), environment=environment)
        self.port = port_of(self.gateway.config, "main")
        return self

    def grant(self, who: str, *verbs: str, name: str = "orders", namespace: str = "prod", **more) -> Rule:
        rule = Rule(account(who), verbs, more.pop("resources", ("postgresroutes",)), more.pop("group", GROUP), namespace,
                    (name,) if name else ())
        return self.api.rbac.grant(rule)

    def token(self, who: str) -> str:
        if who not in self._tokens:
            self._tokens[who] = self.api.service_account("shop", who, audiences=["db"])
        return self._tokens[who]

    def login(self, who: str, database: str = "orders", **more) -> RawClient:
        client = connect(self.port, self._authority)
        client.login(who, self.token(who), database=database, **more)
        return client

    def refusal(self, who: str, database: str = "orders", **more) -> Refused:
        with pytest.raises(Refused) as refused:
            self.login(who, database, **more).close()
        return refused.value

    def reviews(self, result: str) -> int:
        text = Admin(int(self.gateway.config["admin"]["address"].rsplit(":", 1)[1])).metrics()
        return int(re.search(rf'^trunkline_rbac_reviews_total{{result="{result}"}} (\d+)$', text, re.M)[1])


def account(name: str) -> str:
    return f"system:serviceaccount:shop:{name}"


def soon(what: dict) -> dict:
    """Sessions are asked about again each second, and go on for three without an answer."""
    return what | {"graceTime": "3s"}


@pytest.fixture
def world(start_gateway, server, authority, tmp_path):
    api = KubernetesApi(authority.issue("gateway"), authority.cert)
    api.rbac.grant(Rule(GATEWAY, ("create",), ("tokenreviews",), "authentication.k8s.io"))
    api.rbac.grant(Rule(GATEWAY, ("create",), ("subjectaccessreviews",), "authorization.k8s.io"))
    yield World(start_gateway, server, authority, api, tmp_path)
    api.stop()


def code_of(client: RawClient, statement: str) -> str:
    """Of its error; empty: it has worked."""
    try:
        client.simple(statement)
        return ""
    except Refused as refused:
        return refused.code + (" policy" if "access policy" in refused.fields["M"] else "")


# ---- at the login ----


def test_connect_lets_in_and_nothing_else_does(world):
    world()
    world.grant("app", "connect")
    for wrong in ({"verbs": ("get", "list", "read", "write", "admin")}, {"name": "others"}, {"namespace": "test"},
                  {"resources": ("postgresupstreams",)}, {"resources": ("postgresroutes/status",)}, {"group": "example.org"}):
        world.grant("other", *wrong.pop("verbs", ("connect",)), **wrong)
    with world.login("app") as client:
        assert client.simple("select current_user") == [["trustuser"]]
    refused = world.refusal("other")
    assert refused.code == "28000" and refused.fields["S"] == "FATAL"
    assert refused.fields["M"] == f'"{account("other")}" may not connect to postgresroute prod/orders'
    assert "RoleBinding in namespace prod" in refused.fields["H"] and "verb connect" in refused.fields["H"]
    (end,) = world.gateway.wait_end(cause="policy_denied")
    assert end["message"] == f"RBAC: {account('other')} may not connect to postgresroute prod/orders"
    line = audit.wait_for(world.audit, "session.login", lambda each: each["outcome"] == "refused")[0]
    assert line["principal"] == account("other") and line["reason"] == end["message"] and line["sqlstate"] == "28000"
    spec = world.api.access_reviews[0]
    assert spec["user"] == account("app") and "system:serviceaccounts:shop" in spec["groups"]
    assert spec["uid"] == world.api.tokens[world.token("app")].uid
    assert spec["extra"] == {"example.org/team": ["data"]}, "what tells pods apart stays out"
    assert world.token("app") not in world.gateway.stderr_text()


def test_a_binding_counts_soon(world):
    world()
    assert world.refusal("app").code == "28000"
    world.grant("app", "connect")
    began = time.monotonic()

    def works():
        try:
            world.login("app").close()
        except Refused:
            return False
        return True
    wait_until(works, 9, "it may connect")
    assert time.monotonic() - began < 7, "a no counts for 5 seconds"


def test_a_user_is_one_question(world):
    """Three verbs, however many log in at once, with however many tokens of the account."""
    world()
    world.grant("app", "connect")
    tokens = [world.api.service_account("shop", "app", audiences=["db"]) for _ in range(4)]
    for each in tokens:
        world.api.tokens[each].uid = "one"
    world.api.delay = 0.1

    def attempt(number: int):
        with connect(world.port, world._authority) as client:
            client.login("app", tokens[number % 4], database="orders")
            return client.simple("select 1")
    with ThreadPoolExecutor(16) as some:
        assert list(some.map(attempt, range(32))) == [[["1"]]] * 32
    assert sorted(each["resourceAttributes"]["verb"] for each in world.api.access_reviews) == ["admin", "connect", "write"]
    assert world.reviews("allowed") == 1 and world.reviews("denied") == 0


@pytest.mark.parametrize("told_by", ["pod", "section"])
def test_the_api_server_may_be_left_out(world, told_by):
    """In a pod it is known; so it is where the section `kubernetes` says it."""
    world.own = {"audience": "db"} | ({key: world.own[key] for key in ("tokenFile", "caFile")} if told_by == "pod" else {})
    if told_by == "pod":
        world(environment={"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(world.api.port)})
    else:
        world(kubernetes=world.section)
    world.grant("app", "connect")
    world.login("app").close()
    assert {each.user for each in world.api.asked("create")} == {GATEWAY}


@pytest.mark.parametrize("pooling", POOLINGS)
def test_levels_hold(world, server, pooling):
    world(pooling=pooling)
    for who, verbs in (("reader", ["connect"]), ("writer", ["connect", "write"]), ("boss", ["connect", "admin"])):
        world.grant(who, *verbs)
    server.query("drop table if exists rbac_levels; create table rbac_levels (n int); grant all on rbac_levels to trustuser")
    with world.login("boss") as client:
        assert code_of(client, "alter system set work_mem = '4MB'") == "42501", "the server's own word"
    write = "insert into rbac_levels values (1)"
    with world.login("writer") as client:
        assert code_of(client, write) == ""
        assert code_of(client, "alter system set work_mem = '4MB'") == "42501 policy"
        assert code_of(client, "do $$ begin end $$") == "42501 policy"
    with world.login("reader") as client:
        assert client.simple("select n from rbac_levels") == [["1"]]
        assert code_of(client, write) == "25006"
        assert code_of(client, "set default_transaction_read_only = off") == "42501 policy"
        with pytest.raises(Refused) as refused:
            client.simple("set session characteristics as transaction read write")
        assert "RBAC gives no more" in refused.value.fields["H"]
        assert client.simple("select 1") == [["1"]]


def test_the_lower_level_counts(world):
    world({"orders": OBJECT, "free": None}, policies=[
        policy("careful", account("careful"), level="read"), policy("bold", "*", level="admin", replication=True)])
    world.grant("careful", "*")
    world.grant("bold", "connect", "write")
    with world.login("careful") as client:
        assert code_of(client, "create table rbac_never (n int)") == "25006", "the policy gives read"
    with world.login("bold") as client:
        assert code_of(client, "create temporary table rbac_some (n int)") == ""
        assert code_of(client, "reassign owned by trustuser to trustuser") == "42501 policy", "RBAC gives write"
    with world.login("bold", "free") as client:
        assert code_of(client, "reassign owned by trustuser to trustuser") != "42501 policy"
    refused = world.refusal("bold", replication="database")
    assert refused.code == "28000" and "may not admin to postgresroute" in refused.fields["M"]


def test_explain_says_that_rbac_is_asked_too(world):
    world(policies=[policy("all", "*")])
    said = run([world.gateway.binary, "access", "explain", "-c", world.gateway.file, "--as", account("app"), "--user", "app",
                "--database", "orders"])
    assert f"can-i connect postgresroutes.trunkline.dev/orders -n prod --as {account('app')}" in said.stdout


def test_an_approval_is_no_way_around_it(world, server, tmp_path):
    """Nobody is asked for whom RBAC refuses, and what was taken away while somebody was asked is not given back."""
    desk = Desk(None, server, tmp_path / "desk")
    world({"orders": soon(OBJECT)}, access={"store": str(desk.store), "administrators": ["admins"], "policies": [approval()]},
          admin={"address": f"127.0.0.1:{desk.admin_port}", "tokensFile": str(desk.tokens)})
    assert world.refusal("app").code == "28000"
    assert desk.requests() == []
    world.grant("other", "connect")
    theirs = world.grant("other", "admin")
    with ThreadPoolExecutor(1) as aside:
        waiting = aside.submit(world.login, "other")
        desk.approve(desk.wait_request()["id"])
        with waiting.result() as client:
            assert code_of(client, "select 1") == ""
    world.api.rbac.revoke(theirs)
    mine = world.grant("third", "connect")
    with ThreadPoolExecutor(1) as aside:
        waiting = aside.submit(world.refusal, "third")
        request = desk.wait_request()
        world.api.rbac.revoke(mine)
        time.sleep(2.2)  # it is asked about again each second while it waits
        desk.approve(request["id"])
        refused = waiting.result()
    assert refused.code == "28000" and "may not connect" in refused.fields["M"]


# ---- while sessions run ----


@pytest.mark.parametrize("pooling", ["off", "transaction"])
def test_revoked_is_revoked(world, pooling):
    world({"orders": soon(OBJECT)}, pooling=pooling)
    mine, others = world.grant("app", "connect", "write"), world.grant("other", "connect")
    quiet, busy, open_one, other = world.login("app"), world.login("app"), world.login("app"), world.login("other")
    busy.send(query("select pg_sleep(60)"))
    open_one.simple("begin; select 1")
    asked = len(world.api.access_reviews)
    time.sleep(2.2)
    again = len(world.api.access_reviews) - asked
    assert 6 <= again <= 18, f"two users, three verbs, about once a second: {again}"
    began = time.monotonic()
    world.api.rbac.revoke(mine)
    for each in (quiet, busy, open_one):
        fields = ended(each)
        assert fields["C"] == "57P01" and fields["M"] == "terminating connection: access revoked"
        assert fields["H"] == f'RBAC no longer lets "{account("app")}" connect to postgresroute prod/orders.'
    assert time.monotonic() - began < 4
    assert len(world.gateway.wait_end(cause="access_revoked", count=3)) == 3
    assert other.simple("select 1") == [["1"]]
    assert world.refusal("app").code == "28000"
    world.api.rbac.revoke(others)
    ended(other)


def test_less_ends_it_and_more_does_not(world):
    world({"orders": soon(OBJECT)})
    world.grant("app", "connect")
    raised = world.grant("app", "write")
    writer = world.login("app")
    world.api.rbac.revoke(raised)
    fields = ended(writer)
    assert fields["C"] == "57P01" and "less of postgresroute prod/orders than before" in fields["H"]
    reader = world.login("app")
    assert code_of(reader, "create table rbac_never (n int)") == "25006"
    world.grant("app", "admin")
    asked = world.reviews("allowed")
    wait_until(lambda: world.reviews("allowed") > asked + 1, 6, "it is asked about again")
    assert code_of(reader, "create table rbac_never (n int)") == "25006", "as it was at its login"
    with world.login("app") as again:
        assert code_of(again, "create temporary table rbac_some (n int)") == ""


def test_silence_is_believed_for_the_grace_time(world):
    world({"orders": soon(OBJECT), "patient": OBJECT})
    world.grant("app", "connect")
    session, patient = world.login("app"), world.login("app", "patient")
    asked = world.reviews("allowed")
    wait_until(lambda: world.reviews("allowed") > asked, 4, "it was just asked about")
    began = time.monotonic()
    world.api.go_down()
    time.sleep(1.5)
    assert session.simple("select 1") == [["1"]]
    assert world.refusal("stranger").code == "57P03"
    fields = ended(session)
    assert 1.9 < time.monotonic() - began < 6
    assert fields["C"] == "57P01" and "could not be asked for too long" in fields["H"]
    assert patient.simple("select 1") == [["1"]], "its grace is an hour"
    wait_until(lambda: [line for line in world.gateway.log() if line["event"] == "authorization.failed"], 5, "the log says so")
    world.api.start()
    with world.login("app") as again:
        assert again.simple("select 1") == [["1"]]
    wait_until(lambda: [line for line in world.gateway.log() if line["event"] == "authorization.ok"], 12, "that it is over")


LIES = {
    "not JSON": b"yes", "a failure": {"kind": "Status", "status": "Failure", "code": 200},
    "no status": {"kind": "SubjectAccessReview"}, "a text": {"kind": "SubjectAccessReview", "status": {"allowed": "true"}},
    "another kind": {"kind": "TokenReview", "status": {"allowed": True}}, "too long": b'{"kind": "' + b"x" * 100_000,
}


def test_nonsense_is_no_answer(world):
    """Nobody gets in by it, and nobody loses anything."""
    world({"orders": OBJECT | {"graceTime": "30s"}} | {f"r{i}": {"namespace": "prod", "name": f"r{i}"} for i in range(10)})
    world.grant("app", "connect", name="")
    session = world.login("app")
    for number, lie in enumerate(LIES.values()):
        world.api.access_answer = lie
        refused = world.refusal("app", f"r{number}")
        assert refused.code == "57P03" and refused.fields["M"] == "the gateway cannot check access at the moment", lie
    world.api.access_answer = None
    for number, code in enumerate((401, 403, 429, 500), len(LIES)):
        world.api.refuse(code, path="subjectaccessreviews", times=3, retry_after=1 if code == 429 else None)
        assert world.refusal("app", f"r{number}").code == "57P03", code
    reasons = [line["reason"] for line in audit.wait_for(world.audit, "session.login", lambda line: line["outcome"] == "refused",
                                                         count=10)]
    assert all(reason.startswith("RBAC cannot be asked: ") for reason in reasons), reasons
    assert session.simple("select 1") == [["1"]]
    assert world.reviews("failed") == 10
    world.login("app", "r9").close()


def test_a_hanging_api_server_holds_up_those_who_wait(world):
    world({"orders": OBJECT, "other": {"namespace": "prod", "name": "other"}})
    world.grant("app", "connect", name="")
    session = world.login("app")
    world.api.hanging.set()
    with ThreadPoolExecutor(1) as aside:
        began = time.monotonic()
        waiting = aside.submit(world.refusal, "app", "other")
        time.sleep(0.3)
        world.login("app").close()
        assert time.monotonic() - began < 2, "whose answer is known does not wait"
        assert waiting.result().code == "57P03" and 3 < time.monotonic() - began < 9
    assert session.simple("select 1") == [["1"]]
    world.api.hanging.clear()
    world.login("app", "other").close()


def test_a_reload_that_asks_rbac_ends_those_whom_it_was_not_asked_about(world):
    world({"orders": None, "other": {"namespace": "prod", "name": "other"}})
    world.grant("app", "connect", name="")
    free, asked = world.login("app"), world.login("app", "other")
    routes = world.config({"orders": OBJECT, "other": {"namespace": "prod", "name": "other"}})["routes"]
    world.gateway.write_config(world.gateway.config | {"routes": routes})
    world.gateway.send(signal.SIGHUP)
    assert ended(free)["C"] == "57P01"
    assert asked.simple("select 1") == [["1"]]
    world.login("app").close()
