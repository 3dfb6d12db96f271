"""PostgresUpstream, PostgresRoute and AccessPolicy as configuration: they come, change and go while others are served; they are
told what becomes of them; the API server fails and nothing changes."""

from __future__ import annotations

import functools
import json
import os
import signal
import subprocess
import time
import uuid
from datetime import datetime
from pathlib import Path

import pytest

from harness.access import ended
from harness.front import Front
from harness.gateway import listener, port_of
from harness.k8s_api import KubernetesApi
from harness.k8s_kubectl import Kubectl
from harness.k8s_objects import NAMESPACE, secret
from harness.k8s_rbac import Rule
from harness.k8s_store import SECRETS
from harness.k8s_trunkline import (
    GATEWAY, GATEWAYS, GROUP, LEASE, LEASES, READS, TELLS, Cluster, for_kubectl)
from harness.postgres import PASSWORD, USER, client_program
from harness.system import free_port, wait_until
from harness.token_login import connect
from harness.wire import RawClient, Refused

pytestmark = pytest.mark.needs_gateway

NO_ROUTE = "28000"


@pytest.fixture
def api(authority):
    made = KubernetesApi(authority.issue("gateway"), authority.cert)
    yield made
    made.stop()


@pytest.fixture
def cluster(api):
    return Cluster(api)


@pytest.fixture
def reached(api, authority, tmp_path):
    token = tmp_path / "token"
    token.write_text(api.service_account(GATEWAYS, "trunkline"))
    return {"apiServer": api.url, "tokenFile": str(token), "caFile": str(authority.cert)}


@pytest.fixture
def config(server, reached):
    """One route of the file's own, and objects of the namespace `prod` beside it."""
    return {
        "listeners": [listener("primary")],
        "upstreams": [{"name": "own", "endpoints": [f"127.0.0.1:{server.port}"], "tls": {"mode": "disable"}}],
        "routes": [{"name": "file", "match": {"database": "file"}, "upstream": "own", "database": "postgres",
                    "auth": {"method": "server"}}],
        "admin": {"address": f"127.0.0.1:{free_port()}"},
        "kubernetes": reached | {"gateway": "main", "namespace": GATEWAYS, "objects": {"namespaces": [NAMESPACE]}},
    }


@pytest.fixture
def serve(start_gateway, config):
    """`serve(…)`: a gateway with another section `kubernetes`."""
    def of(*, wait: bool = True, objects: dict | None = None, **more) -> Front:
        made = config | more
        if objects is not None:
            made["kubernetes"] = made["kubernetes"] | {"objects": objects}
        return Front(start_gateway(made, wait=wait))
    return of


def login(front: Front, database: str, **more) -> RawClient:
    return front.login(database=database, **({"user": USER, "password": PASSWORD} | more))


def answers(front: Front, database: str, **more) -> bool:
    try:
        with login(front, database, **more) as client:
            return client.simple("select 1") == [["1"]]
    except Refused as refused:
        assert refused.code == NO_ROUTE, refused
        return False


def wait_served(front: Front, database: str, timeout: float = 10, **more) -> None:
    wait_until(lambda: answers(front, database, **more), timeout, f"{database} is served", interval=0.005)


def wait_refused(front: Front, database: str) -> None:
    wait_until(lambda: not answers(front, database), 10, f"{database} is served no more", interval=0.005)


def wait_condition(cluster: Cluster, kind: str, name: str, reason: str, **more) -> dict:
    def found():
        known = cluster.condition(kind, name, **more)
        return known if known.get("reason") == reason else None
    try:
        return wait_until(found, 15, f"{kind} {name} is {reason}")
    except AssertionError as late:
        raise AssertionError(f"{late}: {cluster.get(kind, name, namespace=more.get('namespace', NAMESPACE))}") from None


def shown(front: Front, name: str) -> dict:
    return next((each for each in front.admin.json("/api/v1/objects")["objects"] if each["name"] == name), {})


# ---- they come, change and go ----


def test_a_route_is_served_in_time(cluster, server, serve):
    """From `apply` to the first session under a second."""
    front = serve()
    cluster.upstream(server)
    wait_condition(cluster, "PostgresUpstream", "db", "Accepted")
    took = []
    for index in range(5):
        began = time.monotonic()
        cluster.route(f"app{index}")
        wait_served(front, f"app{index}")
        took.append(time.monotonic() - began)
    print("from apply to the first session, ms:", [round(each * 1e3) for each in took])
    assert sorted(took)[2] < 1
    accepted = wait_condition(cluster, "PostgresRoute", "app0", "Accepted")
    assert accepted["status"] == "True" and accepted["lastTransitionTime"]
    assert cluster.condition("PostgresRoute", "app0", of="Programmed")["status"] == "True"
    assert answers(front, "file"), "and the file's own"
    known = shown(front, "app0")
    assert (known["kind"], known["namespace"], known["accepted"], known["programmed"]) == ("PostgresRoute", NAMESPACE, True, True)
    assert front.metric("kubernetes_objects", kind="PostgresRoute", state="accepted") == 5
    assert front.metric("kubernetes_objects_age_seconds", kind="PostgresRoute") < 5
    assert front.metric("kubernetes_leader") == 1
    effective = front.admin.json("/api/v1/config")["config"]
    assert [each["name"] for each in effective["routes"]][:2] == ["file", f"{NAMESPACE}/app0"], "the file's come first"


def test_a_change_touches_nobody_else(cluster, server, serve):
    cluster.upstream(server)
    cluster.upstream(server, "other")
    cluster.route("one")
    cluster.route("two")
    front = serve()
    with login(front, "one") as one, login(front, "two") as two, login(front, "file") as own:
        one.simple("begin")
        cluster.route("two", limits={"maxSessions": 50})
        cluster.route("three", upstream="other")
        wait_served(front, "three")
        cluster.delete("PostgresRoute", "two")
        wait_refused(front, "two")
        cluster.upstream(server, "other", connectTimeout="4s")
        cluster.delete("PostgresRoute", "three")
        wait_refused(front, "three")
        for each in (one, two, own):
            assert each.simple("select 1") == [["1"]], "sessions go on, also those of a route that is gone"
        one.simple("commit")
    assert not [line for line in front.gateway.ends() if line.get("cause") not in ("client_end", "client.end", None)
                and line.get("database") in ("one", "file")]


def test_a_bad_object_harms_nobody(api, server, serve):
    cluster = Cluster(api, checks=False)
    cluster.upstream(server)
    cluster.route("good")
    front = serve()
    cluster.route("bad", pooling="sometimes")
    told = wait_condition(cluster, "PostgresRoute", "bad", "Invalid")
    assert told["status"] == "False" and "spec.pooling" in told["message"], told
    assert cluster.condition("PostgresRoute", "bad", of="Programmed")["status"] == "False"
    assert answers(front, "good") and answers(front, "file") and not answers(front, "bad")
    assert front.metric("kubernetes_objects", kind="PostgresRoute", state="refused") == 1
    assert front.metric("config_reload_failures_total") == 0
    event = wait_until(lambda: cluster.events("Invalid"), 10, "an event")[0]
    assert event["type"] == "Warning" and event["regarding"]["name"] == "bad"
    assert event["reportingController"] == "trunkline.dev/main" and event["note"] == told["message"]
    cluster.route("bad")
    wait_served(front, "bad")
    assert wait_condition(cluster, "PostgresRoute", "bad", "Accepted")["lastTransitionTime"] >= told["lastTransitionTime"]
    wait_until(lambda: cluster.events("Accepted"), 10, "and that it is well again")


def test_the_same_match_twice(cluster, server, serve):
    cluster.upstream(server)
    cluster.route("first", database="shared")
    time.sleep(1.1)  # creationTimestamp has seconds
    cluster.route("second", database="shared")
    front = serve()
    assert "first" in wait_condition(cluster, "PostgresRoute", "second", "Conflicted")["message"]
    wait_condition(cluster, "PostgresRoute", "first", "Accepted")
    cluster.route("second", database="shared", priority=5)
    wait_condition(cluster, "PostgresRoute", "first", "Conflicted")
    wait_condition(cluster, "PostgresRoute", "second", "Accepted")
    assert answers(front, "shared")


def test_consent_of_the_upstream(cluster, server, serve):
    """Of another namespace's, and of the file's."""
    other = "shop"
    cluster.upstream(server)
    cluster.route("guest", upstream=f"{NAMESPACE}/db", namespace=other)
    cluster.route("own", upstream="own", namespace=other)
    front = serve(objects={"namespaces": ["*"]})
    for name in ("guest", "own"):
        wait_condition(cluster, "PostgresRoute", name, "RefNotPermitted", namespace=other)
        assert not answers(front, name)
    cluster.upstream(server, allowedNamespaces=["sh*"])
    wait_served(front, "guest")
    wait_condition(cluster, "PostgresRoute", "guest", "Accepted", namespace=other)
    cluster.route("lost", upstream="nowhere")
    wait_condition(cluster, "PostgresRoute", "lost", "RefNotFound")
    changed = front.gateway.config
    changed["upstreams"][0]["allowedNamespaces"] = [other]
    front.gateway.write_config(changed)
    wait_served(front, "own")
    cluster.upstream(server)
    wait_refused(front, "guest")


def test_only_what_the_selector_says(cluster, server, serve):
    cluster.upstream(server, "db")
    cluster.api.store.apply(cluster.kinds["PostgresUpstream"], cluster.get("PostgresUpstream", "db") | {
        "metadata": cluster.get("PostgresUpstream", "db")["metadata"] | {"labels": {"team": "a"}}})
    spec = cluster.route("hers")["spec"]
    cluster.apply("PostgresRoute", "mine", spec | {"match": {"database": ["mine"]}}, labels={"team": "a"})
    front = serve(objects={"namespaces": [NAMESPACE], "selector": "team=a"})
    assert answers(front, "mine") and not answers(front, "hers")


def test_a_server_that_goes_down_is_an_event(cluster, make_cluster, serve):
    primary = make_cluster(replicas=0).primary
    cluster.apply("PostgresUpstream", "db", {"endpoints": [primary.endpoint], "tls": {"mode": "disable"},
                                             "health": {"interval": "200ms", "timeout": "1s"}})
    front = serve()
    wait_condition(cluster, "PostgresUpstream", "db", "Accepted")
    front.wait_event("endpoint.up", upstream=f"{NAMESPACE}/db")
    primary.stop()
    down = wait_until(lambda: cluster.events("EndpointDown"), 15, "an event")[0]
    assert down["type"] == "Warning" and down["note"].startswith(f"{primary.endpoint} is down")
    assert (down["regarding"]["kind"], down["regarding"]["name"]) == ("PostgresUpstream", "db")
    primary.start()
    assert wait_until(lambda: cluster.events("EndpointUp"), 15, "and another")[0]["type"] == "Normal"
    assert not [each for each in cluster.events() if each["reason"].startswith("Endpoint")
                and each["regarding"]["uid"] != cluster.get("PostgresUpstream", "db")["metadata"]["uid"]]


# ---- Secrets ----


@pytest.fixture
def role(server):
    """A user of the server, and `role(password)` to give it another one."""
    name = f"hidden_{uuid.uuid4().hex[:8]}"
    with server.admin("postgres") as admin:
        admin.execute(f"create role {name} login password 'first'")

    def change(password: str) -> None:
        server.query(f"alter role {name} password '{password}'")
        server.query(f"select pg_terminate_backend(pid) from pg_stat_activity where usename = '{name}'")
    change.role = name
    yield change
    change("gone")
    with server.admin("postgres") as admin:
        admin.execute(f"drop role {name}")


def with_secret(cluster, server, role, name: str = "hidden") -> None:
    """The gateway knows its clients by a Secret, and logs in to the server by another."""
    users = "\n".join(f'"{user}" "{verifier}"' for user, verifier in server.verifiers())
    cluster.api.store.apply(SECRETS, secret("users", {"users": users.encode()}))
    cluster.route(name, auth={"method": "scram", "verifierSecret": {"name": "users"}},
                  credentials={"user": role.role, "passwordSecret": {"name": "app", "key": "password"}})


def put_secret(cluster, password: str) -> None:
    cluster.api.store.apply(SECRETS, secret("app", {"password": password.encode()}))


def test_a_secret_is_missing_comes_and_changes(cluster, server, role, serve):
    cluster.upstream(server)
    with_secret(cluster, server, role)
    cluster.route("other")
    front = serve()
    told = wait_condition(cluster, "PostgresRoute", "hidden", "SecretNotFound")
    assert f"{NAMESPACE}/app" in told["message"] and answers(front, "other")
    put_secret(cluster, "first")
    began = time.monotonic()
    wait_served(front, "hidden")
    print(f"{(time.monotonic() - began) * 1e3:.0f} ms from a Secret to the first session")
    wait_condition(cluster, "PostgresRoute", "hidden", "Accepted")
    mark = front.gateway.mark()
    role("second")
    put_secret(cluster, "second")
    front.wait_event("config.reload", since=mark, reason="objects or Secrets changed")
    assert answers(front, "hidden")
    cluster.api.store.delete(SECRETS, NAMESPACE, "app")
    assert "was deleted" in front.wait_event("secret.failed", since=mark)["message"]
    cluster.route("more")
    wait_served(front, "more")
    assert answers(front, "hidden"), "what it held stays in use"
    asked = cluster.api.asked("list", "secrets")
    assert {each.query["fieldSelector"] for each in asked} == {"metadata.name=app", "metadata.name=users"}
    everywhere = front.gateway.stderr_text() + json.dumps(cluster.events()) + json.dumps(front.admin.json("/api/v1/config"))
    assert "second" not in everywhere.replace("seconds", "").replace("Seconds", "")
    cluster.delete("PostgresRoute", "hidden")
    wait_refused(front, "hidden")


def test_a_secret_that_holds_nonsense(cluster, server, serve, authority):
    """Of an upstream: it is left out, and so are its routes."""
    cluster.api.store.apply(SECRETS, secret("ca", {"ca.crt": b"no certificate"}))
    cluster.upstream(server, "tls", tls={"mode": "verify-ca", "caSecret": {"name": "ca", "key": "ca.crt"}})
    cluster.upstream(server)
    cluster.route("good")
    cluster.route("poor", upstream="tls")
    front = serve()
    told = wait_condition(cluster, "PostgresUpstream", "tls", "Invalid")
    assert f"Secret {NAMESPACE}/ca" in told["message"] and "/proc" not in told["message"], told
    wait_condition(cluster, "PostgresRoute", "poor", "RefNotFound")
    assert answers(front, "good") and not answers(front, "poor")
    cluster.api.store.apply(SECRETS, secret("ca", {"ca.crt": authority.cert.read_bytes()}))
    wait_condition(cluster, "PostgresUpstream", "tls", "Accepted")
    wait_condition(cluster, "PostgresRoute", "poor", "Accepted")


def test_a_secret_of_the_file(cluster, server, role, serve, config):
    """The same keys, with a namespace; a start without the Secret says what is missing."""
    config["routes"].append({"name": "hidden", "match": {"database": "hidden"}, "upstream": "own", "database": "postgres",
                             "auth": {"method": "trust"},
                             "credentials": {"user": role.role, "passwordSecret": {
                                 "namespace": NAMESPACE, "name": "app", "key": "password"}}})
    del config["kubernetes"]["objects"]
    front = serve(wait=False)
    assert front.gateway.wait(20) == 2
    front.gateway._checked = True  # that it ended is what is tested
    assert f"Secret {NAMESPACE}/app: there is no such Secret" in front.gateway.stderr_text()
    put_secret(cluster, "first")
    front = serve()
    assert answers(front, "hidden", user="anybody")
    front.gateway.send(signal.SIGUSR2)
    front.wait_event("handover", timeout=30, message="the new process has taken over; sessions go on here")
    assert answers(front, "hidden", user="anybody"), "the new process reads it for itself"
    front.gateway._checked = True
    for line in front.events("handover"):
        if line.get("pid"):
            subprocess.run(["kill", "-INT", str(line["pid"])], check=False)
            break


# ---- who may connect ----


@pytest.fixture
def by_token(api, authority, config):
    """`by_token(front, who)` logs in to `orders` with the token of a service account of `shop`."""
    for plural, group in (("tokenreviews", "authentication.k8s.io"), ("subjectaccessreviews", "authorization.k8s.io")):
        api.rbac.grant(Rule(GATEWAY, ("create",), (plural,), group))
    certificate = authority.issue("gateway")
    config["listeners"] = [listener("primary", tls={"mode": "require", "certificates": [
        {"certFile": str(certificate.cert), "keyFile": str(certificate.key)}]})]
    tokens = {who: api.service_account("shop", who, audiences=["db"]) for who in ("app", "report", "stranger")}

    def login(front: Front, who: str) -> RawClient:
        client = connect(front.port(), authority)
        client.login(who, tokens[who], database="orders")
        return client
    return login


def may_connect(who: str, namespace: str = NAMESPACE) -> Rule:
    return Rule(f"system:serviceaccount:shop:{who}", ("connect",), ("postgresroutes",), GROUP, namespace, ("orders",))


def test_rbac_says_who_has_a_route_that_is_an_object(cluster, api, server, serve, by_token):
    """Of the object itself: who has rights to one of that name elsewhere has none here; what is taken away ends sessions."""
    cluster.upstream(server)
    cluster.route("orders", credentials={"user": "trustuser"}, auth={
        "method": "kubernetes", "userMap": [{"principal": ["system:serviceaccount:shop:*"], "user": ["$1"]}],
        "kubernetes": {"audience": ["db"], "authorization": {}}})
    front = serve()
    wait_condition(cluster, "PostgresRoute", "orders", "Accepted")
    rules = {who: api.rbac.grant(may_connect(who)) for who in ("app", "report")}
    api.rbac.grant(may_connect("stranger", "shop"))
    with pytest.raises(Refused) as refused:
        by_token(front, "stranger").close()
    assert refused.value.code == "28000"
    assert refused.value.fields["M"] == f'"system:serviceaccount:shop:stranger" may not connect to postgresroute {NAMESPACE}/orders'
    with by_token(front, "app") as app, by_token(front, "report") as report:
        assert app.simple("select current_user") == [["trustuser"]]
        assert {each["resourceAttributes"]["namespace"] for each in api.access_reviews} == {NAMESPACE}
        assert {each.user for each in api.asked("create") if each.resource.endswith("reviews")} == {GATEWAY}
        api.rbac.revoke(rules["app"])
        assert ended(app)["C"] == "57P01"
        assert report.simple("select 1") == [["1"]], "whoever still may goes on"
    with pytest.raises(Refused) as refused:
        by_token(front, "app").close()
    assert refused.value.code == "28000"


# ---- the API server fails ----


def test_without_the_api_server_nothing_changes(cluster, api, server, serve):
    cluster.upstream(server)
    cluster.route("app")
    cluster.route("old")
    front = serve()
    with login(front, "app") as client:
        api.go_down()
        front.wait_event("objects.failed")
        assert client.simple("select 1") == [["1"]] and answers(front, "app") and answers(front, "old")
        front.gateway.send(signal.SIGHUP)
        front.wait_event("config.reload", reason="SIGHUP")
        assert answers(front, "app"), "a reload goes by what is known"
        cluster.delete("PostgresRoute", "old")
        cluster.route("new")
        api.store.compact()
        api.start()
        wait_served(front, "new", timeout=40)
        wait_refused(front, "old")
        assert client.simple("select 1") == [["1"]]
    front.wait_event("objects.ok")


def test_a_start_during_an_outage(cluster, api, server, serve):
    cluster.upstream(server)
    cluster.route("app")
    api.go_down()
    front = serve()
    assert front.events("objects.late") or front.events("objects.failed")
    assert answers(front, "file") and not answers(front, "app")
    api.start()
    wait_served(front, "app", timeout=40)


def test_what_an_api_server_should_not_say(cluster, api, server, serve):
    """Versions that lie, garbage, events that go back: what is known stays, and the truth is believed again."""
    cluster.upstream(server)
    cluster.route("app")
    front = serve()
    api.say(b'{"type":"DELETED","object":{"metadata":{"name":"app","namespace":"prod","resourceVersion":"3"}}}\n')
    api.say(b"HTTP/1.1 200 OK\n\x00\xff{}\n")
    for lie in (lambda _: "1000", lambda _: ""):
        api.version_of = lie
        api.drop_connections()
        time.sleep(0.3)
        assert answers(front, "app")
    api.version_of = None
    api.drop_connections()
    cluster.route("new")
    wait_served(front, "new", timeout=40)
    assert answers(front, "app")


def test_definitions_that_are_not_there(api, server, serve):
    """It is told once, and the file is served meanwhile."""
    cluster = Cluster(api, install=False)
    front = serve()
    assert answers(front, "file")
    told = front.wait_event("objects.failed", kind="PostgresRoute")
    assert "CustomResourceDefinition" in told["message"]
    cluster.install()
    cluster.upstream(server)
    cluster.route("app")
    wait_served(front, "app", timeout=40)
    assert len(front.events("objects.failed", kind="PostgresRoute")) == 1


def test_what_the_gateway_may_not(cluster, api, server, serve):
    """403 for objects, then for their status."""
    api.rbac.revoke(READS)
    api.rbac.revoke(TELLS)
    cluster.upstream(server)
    cluster.route("app")
    front = serve()
    assert "status 403" in front.wait_event("objects.failed", kind="PostgresRoute")["message"]
    assert front.admin.json("/api/v1/objects")["kinds"][0]["problem"]
    api.rbac.grant(READS)
    wait_served(front, "app", timeout=20)
    assert "403" in front.wait_event("status.failed")["message"]
    assert not cluster.condition("PostgresRoute", "app")
    api.rbac.grant(TELLS)
    wait_condition(cluster, "PostgresRoute", "app", "Accepted")


# ---- several gateways ----


def test_one_of_two_writes_status(cluster, api, server, serve, config):
    cluster.upstream(server)
    config["kubernetes"]["events"] = True
    first = serve()
    wait_condition(cluster, "PostgresUpstream", "db", "Accepted")
    second = serve(listeners=[listener("primary")], admin={"address": f"127.0.0.1:{free_port()}"})
    cluster.route("app")
    wait_served(first, "app")
    wait_served(second, "app")
    wait_condition(cluster, "PostgresRoute", "app", "Accepted")
    writes = [each for each in api.asked("patch") if each.path.endswith("/app/status")]
    assert len(writes) == 1
    assert first.admin.json("/api/v1/objects")["leads"] and not second.admin.json("/api/v1/objects")["leads"]
    holder = cluster.lease()["holderIdentity"]
    first.gateway._process.kill()
    first.gateway._process.wait()
    first.gateway._checked = True
    # As long as it said; so that this need not take as long as it does, it said less.
    with api.store.changed:
        known = json.loads(json.dumps(api.store.get(LEASES, GATEWAYS, LEASE)))
        known["spec"]["leaseDurationSeconds"] = 2
        api.store.replace(LEASES, known)
    cluster.route("late")
    wait_served(second, "late")
    wait_condition(cluster, "PostgresRoute", "late", "Accepted")
    assert cluster.lease()["holderIdentity"] not in ("", holder) and cluster.lease()["leaseTransitions"] == 1
    second.gateway.stop()
    assert cluster.lease()["holderIdentity"] == "", "it is given back"


def test_a_status_is_written_once(cluster, api, server, serve):
    """Not because of what it wrote itself, and not against somebody who changes it again and again."""
    cluster.upstream(server)
    cluster.route("app")
    front = serve()
    wait_condition(cluster, "PostgresRoute", "app", "Accepted")
    path = f"/apis/{GROUP}/v1alpha1/namespaces/{NAMESPACE}/postgresroutes/app/status"

    def writes() -> int:
        return len([each for each in api.asked("patch") if each.path == path])
    cluster.route("more")
    wait_condition(cluster, "PostgresRoute", "more", "Accepted")
    assert writes() == 1
    reloads = len(front.events("config.reload"))
    api.store.patch(cluster.kinds["PostgresRoute"], NAMESPACE, "app", {"metadata": {"labels": {"a": "b"}}})
    time.sleep(0.3)
    assert len(front.events("config.reload")) == reloads, "what others note on it is no change"
    assert writes() == 1


# ---- as people do it ----


@pytest.fixture
def kubectl(api, cluster, authority, tmp_path):
    """As an administrator."""
    for_kubectl(api)
    return Kubectl(api, authority, tmp_path / "kubectl", api.token)


def test_with_kubectl(cluster, server, serve, kubectl):
    """Applied, shown in columns, described with its events, applied anew, deleted."""
    cluster.upstream(server)
    front = serve()
    manifest = {"apiVersion": f"{GROUP}/v1alpha1", "kind": "PostgresRoute", "metadata": {"name": "app", "namespace": NAMESPACE},
                "spec": {"match": {"database": ["app"]}, "upstream": "db", "database": "postgres", "auth": {"method": "server"}}}
    apply = lambda: kubectl("apply", "--validate=false", "-f", "-", given=json.dumps(manifest))  # noqa: E731
    assert "created" in apply()
    wait_served(front, "app")
    wait_condition(cluster, "PostgresRoute", "app", "Accepted")
    table = kubectl("get", "pgroute", "-n", NAMESPACE).splitlines()
    print("\n".join(table))
    assert "ACCEPTED" in table[0] and "True" in table[1] and table[1].startswith("app "), table
    manifest["spec"]["upstream"] = "nowhere"
    assert "configured" in apply()
    wait_condition(cluster, "PostgresRoute", "app", "RefNotFound")
    wait_until(lambda: cluster.events("RefNotFound"), 10, "an event")
    described = kubectl("describe", "postgresroute", "app", "-n", NAMESPACE)
    assert "Ref Not Found" in described or "RefNotFound" in described
    assert "trunkline.dev/main" in described and "Warning" in described, described
    assert "deleted" in kubectl("delete", "pgroute", "app", "-n", NAMESPACE)


ROUTES = 999  # and one of the file's


@pytest.fixture
def many(api, server, serve):
    """1,000 routes, 5,000 endpoints, and a gateway that knows all of them; `many-3` leads to a server."""
    cluster = Cluster(api, checks=False)  # that the objects are good is not what takes the time here
    upstreams, per_upstream = 100, 50
    for index in range(upstreams):
        cluster.apply("PostgresUpstream", f"many-{index}", {
            "endpoints": [f"127.{100 + index}.0.{host}:{server.port}" for host in range(1, per_upstream + 1)],
            "tls": {"mode": "disable"}})
    cluster.upstream(server, "live")
    for index in range(ROUTES):
        cluster.route(f"many-{index}", upstream="live" if index == 3 else f"many-{index % upstreams}")
    began = time.monotonic()
    front = serve()
    wait_until(lambda: front.metric("kubernetes_objects", kind="PostgresRoute", state="accepted") == ROUTES, 30, "all are known")
    print(f"ready after {time.monotonic() - began:.2f} s")
    return cluster, front


@pytest.mark.alone
def test_a_thousand_routes_and_five_thousand_endpoints(many, sanitized):
    """A change is in force in time, in memory that a pod has."""
    cluster, front = many
    assert answers(front, "many-3")
    lags = []
    with login(front, "many-3") as client:
        for turn in range(10, 18):
            mark = front.gateway.mark()
            told = time.time()
            cluster.route(f"many-{turn}", upstream=f"many-{turn}", limits={"maxSessions": 100 + turn})
            line = front.wait_event("config.reload", since=mark, reason="objects or Secrets changed")
            lags.append(_time_of(line) - told)
            assert client.simple("select 1") == [["1"]]
    memory = front.gateway.memory_kib() / 1024
    print(f"a change is in force after {sorted(lags)[len(lags) // 2] * 1e3:.1f} ms ({[round(each * 1e3) for each in lags]}); "
          f"{memory:.0f} MiB")
    if not sanitized:
        assert memory < 100
        assert sorted(lags)[len(lags) // 2] < 0.5, "with what the double needs, on a machine that has other things to do"


@pytest.mark.alone
def test_running_sessions_do_not_feel_changes(many, tmp_path, long, not_sanitized):
    """p99 of statements while objects change, and in turns while the same changes are in a namespace that is not the
    gateway's: the double, which needs more of the machine than the gateway does, has the same to do."""
    if not long:
        pytest.skip("measures, with --long")
    cluster, front = many
    script = tmp_path / "one.sql"
    script.write_text("select 1;\n")
    found: dict[bool, list[float]] = {False: [], True: []}
    for number in range(900):
        _change(cluster, number, "elsewhere")
    for turn in range(10):
        changing = turn % 2 == 1
        mark = front.gateway.mark()
        where = NAMESPACE if changing else "elsewhere"
        found[changing].append(_p99_of(front, script, tmp_path, functools.partial(_change, cluster, turn, where)))
        reloads = sum(each.get("event") == "config.reload" for each in front.gateway.log()[mark:])
        print(f"{'with' if changing else 'without'} changes: p99 {found[changing][-1]:.3f} ms, {reloads} times in force")
        assert not changing or reloads > 5
    without, beside = (sorted(found[each])[2] for each in (False, True))
    print(f"p99 {beside:.3f} ms beside changes, {without:.3f} ms without: x {beside / without:.2f}")
    assert beside < 3 * without, "a busy machine may have other reasons for twice as much"


def _change(cluster: Cluster, turn: int, namespace: str) -> None:
    number = int(time.monotonic() * 1000) % 900
    cluster.route(f"many-{50 + number}", upstream=f"many-{number % 100}", limits={"maxSessions": 1000 * turn + number + 1},
                  namespace=namespace)


def _p99_of(front: Front, script: Path, folder: Path, meanwhile) -> float:
    """In ms, of four clients in 4 s, the first of which does not count."""
    prefix = folder / f"log-{uuid.uuid4().hex}"
    command = ["nice", "-n", "-5", client_program("pgbench"), "-n", "-h", "127.0.0.1", "-p", str(front.port()), "-U", USER, "-c", "4", "-T", "4",
               "-f", str(script), "-l", f"--log-prefix={prefix}", "many-3"]
    with subprocess.Popen(command, env=os.environ | {"PGPASSWORD": PASSWORD}, stdout=subprocess.DEVNULL) as load:
        while load.poll() is None:
            meanwhile()
            time.sleep(0.05)
    assert load.returncode == 0
    lines = [line.split() for file in folder.glob(prefix.name + "*") for line in file.read_text().splitlines()]
    begin = min(int(each[4]) for each in lines) + 1
    took = sorted(int(each[2]) for each in lines if int(each[4]) >= begin)
    return took[len(took) * 99 // 100] / 1000


def _time_of(line: dict) -> float:
    return datetime.fromisoformat(line["time"]).timestamp()
