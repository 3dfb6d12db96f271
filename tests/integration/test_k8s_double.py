"""The double of the API server, asked with nothing but Python: it answers as the API's documentation says."""

from __future__ import annotations

import http.client
import json
import ssl
import threading
import time

import pytest

from harness.k8s_api import ACCESS_REVIEWS, TOKEN_REVIEWS, KubernetesApi
from harness.k8s_objects import NAMESPACE, SERVICE_LABEL, endpoint_slice
from harness.k8s_rbac import Rule
from harness.k8s_store import ENDPOINT_SLICES, Resource
from harness.system import wait_until

pytestmark = pytest.mark.any_build

SLICES = f"/apis/discovery.k8s.io/v1/namespaces/{NAMESPACE}/endpointslices"
PORTS = {"postgres": 5432}


@pytest.fixture
def api(authority):
    made = KubernetesApi(authority.issue("gateway"), authority.cert)
    yield made
    made.stop()


class Client:
    def __init__(self, api: KubernetesApi, authority, token: str | None = None, certificate=None):
        self.context = ssl.create_default_context(cafile=str(authority.cert))
        if certificate:
            self.context.load_cert_chain(certificate.cert, certificate.key)
        self.port, self.token = api.port, api.token if token is None else token

    def send(self, method: str, path: str, body=None) -> http.client.HTTPResponse:
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=10, context=self.context)
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        return connection.getresponse()

    def ask(self, method: str, path: str, body=None) -> tuple[int, dict]:
        answer = self.send(method, path, body)
        return answer.status, json.loads(answer.read())

    def watch(self, query: str):
        """Its events, as they come; ends with the stream."""
        answer = self.send("GET", f"{SLICES}?watch=1&{query}")
        assert answer.status == 200, answer.read()
        while line := answer.readline():
            yield json.loads(line)


@pytest.fixture
def client(api, authority):
    return Client(api, authority)


def slice_of(name: str, *addresses: str, **more) -> dict:
    return endpoint_slice(name, list(addresses), ports=PORTS, **more)


def test_lists_have_pages_of_one_version(api, client):
    for index in range(5):
        api.store.create(ENDPOINT_SLICES, slice_of("db", "10.0.0.1", suffix=f"s{index}"))
    _, first = client.ask("GET", SLICES + "?limit=2")
    assert len(first["items"]) == 2 and first["metadata"]["remainingItemCount"] == 3
    api.store.create(ENDPOINT_SLICES, slice_of("db", "10.0.0.9", suffix="s9"))
    _, second = client.ask("GET", f"{SLICES}?limit=9&continue={first['metadata']['continue']}")
    assert len(second["items"]) == 3 and second["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    assert "continue" not in second["metadata"]
    api.store.compact()
    status, gone = client.ask("GET", f"{SLICES}?limit=2&continue={first['metadata']['continue']}")
    assert status == 410 and gone["reason"] == "Expired"


def test_a_watch_tells_what_came_after_its_list(api, client):
    api.store.create(ENDPOINT_SLICES, slice_of("db", "10.0.0.1"))
    api.store.create(ENDPOINT_SLICES, slice_of("other", "10.0.0.7"))
    selector = f"labelSelector={SERVICE_LABEL}%3Ddb"
    _, listed = client.ask("GET", f"{SLICES}?{selector}")
    assert [each["metadata"]["name"] for each in listed["items"]] == ["db-x7k2p"]
    events = client.watch(f"{selector}&allowWatchBookmarks=true&timeoutSeconds=2&resourceVersion={listed['metadata']['resourceVersion']}")
    api.store.apply(ENDPOINT_SLICES, slice_of("db", "10.0.0.1", "10.0.0.2"))
    api.store.apply(ENDPOINT_SLICES, slice_of("other", "10.0.0.8"))
    seen = next(events)
    assert (seen["type"], len(seen["object"]["endpoints"])) == ("MODIFIED", 2)
    moved = slice_of("db", "10.0.0.1")
    moved["metadata"]["labels"][SERVICE_LABEL] = "elsewhere"
    api.store.apply(ENDPOINT_SLICES, moved)
    assert next(each for each in events if each["type"] != "BOOKMARK")["type"] == "DELETED", "it fits no more"
    rest = list(events)
    assert rest and {each["type"] for each in rest} == {"BOOKMARK"}, "it ends in time, after a last bookmark"
    assert int(rest[-1]["object"]["metadata"]["resourceVersion"]) == api.store.version


@pytest.mark.parametrize("by_status", [False, True])
def test_what_is_too_old_is_gone(api, client, by_status):
    api.gone_by_status = by_status
    old = api.store.version
    api.store.compact()
    if by_status:
        assert client.ask("GET", f"{SLICES}?watch=1&resourceVersion={old}")[0] == 410
        return
    seen = list(client.watch(f"resourceVersion={old}"))
    assert [each["type"] for each in seen] == ["ERROR"] and seen[0]["object"]["code"] == 410


def test_conflicts(api, client):
    made = client.ask("POST", SLICES, slice_of("db", "10.0.0.1"))
    assert made[0] == 201 and client.ask("POST", SLICES, slice_of("db", "10.0.0.1"))[0] == 409
    path = SLICES + "/db-x7k2p"
    assert client.ask("PUT", path, made[1] | {"endpoints": []})[0] == 200
    status, told = client.ask("PUT", path, made[1])
    assert (status, told["reason"]) == (409, "Conflict")
    assert client.ask("DELETE", path)[0] == 200 and client.ask("GET", path)[0] == 404


def test_who_may(api, authority):
    token = api.service_account("prod", "gateway")
    asked = Client(api, authority, token)
    assert asked.ask("GET", SLICES)[0] == 403
    rule = api.rbac.grant(Rule("system:serviceaccount:prod:gateway", ("list",), ("endpointslices",), "discovery.k8s.io", "prod"))
    assert asked.ask("GET", SLICES)[0] == 200
    assert asked.ask("GET", SLICES + "?watch=1")[0] == 403
    assert asked.ask("GET", SLICES.replace("prod", "test"))[0] == 403
    api.rbac.revoke(rule)
    assert asked.ask("GET", SLICES)[0] == 403
    api.expire(token)
    assert asked.ask("GET", SLICES)[0] == 401
    shown = Client(api, authority, "", authority.issue("k8s-client", common_name="kube-admin"))
    assert shown.ask("GET", SLICES)[0] == 200 and api.requests[-1].user == "kube-admin"
    assert Client(api, authority, "").ask("GET", SLICES)[0] == 401


def test_it_can_fail(api, client):
    api.refuse(429, retry_after=7)
    answer = client.send("GET", SLICES)
    assert (answer.status, answer.headers["Retry-After"]) == (429, "7")
    assert client.ask("GET", SLICES)[0] == 200
    events = client.watch(f"resourceVersion={api.store.version}")
    threading.Timer(0.05, api.say, [b'{"type":"}\n']).start()
    with pytest.raises(ValueError):
        next(events)
    events = client.watch(f"resourceVersion={api.store.version}")
    threading.Timer(0.05, api.drop_connections).start()
    with pytest.raises((http.client.HTTPException, OSError)):
        list(events)
        raise ConnectionError("a stream that was cut looks like one that has ended")
    api.go_down()
    with pytest.raises(OSError):
        client.ask("GET", SLICES)
    api.start()
    assert client.ask("GET", SLICES)[0] == 200


def test_it_can_be_half_dead(api, client):
    events = client.watch(f"resourceVersion={api.store.version}&allowWatchBookmarks=true&timeoutSeconds=30")
    assert next(events)["type"] == "BOOKMARK"
    api.frozen.set()
    api.store.apply(ENDPOINT_SLICES, slice_of("db", "10.0.0.1"))
    came = []
    waiting = threading.Thread(target=lambda: came.append(next(each for each in events if each["type"] != "BOOKMARK")))
    waiting.start()
    time.sleep(0.7)
    assert not came and api.watches() == 1
    api.frozen.clear()
    waiting.join(5)
    assert came[0]["type"] == "ADDED"
    api.hanging.set()
    began = time.monotonic()
    threading.Timer(0.3, api.hanging.clear).start()
    client.ask("GET", SLICES)
    assert time.monotonic() - began > 0.25


def test_custom_resources_are_held_to_their_schema(api, client):
    schema = {"type": "object", "properties": {
        "spec": {"type": "object", "required": ["upstream"], "properties": {
            "upstream": {"type": "string", "minLength": 1}, "mode": {"type": "string", "enum": ["a", "b"], "default": "a"},
            "weights": {"type": "array", "items": {"type": "integer", "minimum": 0}}}},
        "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}}
    api.store.add_resource(Resource("trunkline.dev", "v1", "postgresroutes", "PostgresRoute", schema, has_status=True))
    path = f"/apis/trunkline.dev/v1/namespaces/{NAMESPACE}/postgresroutes"
    good = {"apiVersion": "trunkline.dev/v1", "kind": "PostgresRoute", "metadata": {"name": "app"},
            "spec": {"upstream": "db", "weights": [1], "unknown": 5}, "status": {"ready": True}}
    status, made = client.ask("POST", path, good)
    assert status == 201 and made["spec"] == {"upstream": "db", "weights": [1], "mode": "a"} and "status" not in made
    for spec in ({}, {"upstream": ""}, {"upstream": "db", "mode": "c"}, {"upstream": "db", "weights": [-1]}, {"upstream": 5}):
        status, told = client.ask("POST", path, good | {"metadata": {"name": "bad"}, "spec": spec})
        assert (status, told["reason"]) == (422, "Invalid"), spec
    _, made = client.ask("PUT", f"{path}/app/status", made | {"status": {"ready": False}, "spec": {"upstream": "other"}})
    assert made["status"] == {"ready": False} and made["spec"]["upstream"] == "db" and made["metadata"]["generation"] == 1
    _, made = client.ask("PATCH", f"{path}/app", {"spec": {"upstream": "new"}})
    assert made["spec"]["upstream"] == "new" and made["metadata"]["generation"] == 2 and made["status"] == {"ready": False}


def test_reviews(api, client):
    token = api.service_account("prod", "app", audiences=["db"])
    ask = lambda spec: client.ask("POST", TOKEN_REVIEWS, {"kind": "TokenReview", "spec": spec})[1]["status"]  # noqa: E731
    assert ask({"token": token, "audiences": ["db", "x"]})["user"]["username"] == "system:serviceaccount:prod:app"
    assert not ask({"token": token})["authenticated"] and not ask({"token": "x", "audiences": ["db"]})["authenticated"]
    api.rbac.grant(Rule("group:dba", ("connect", "write"), ("postgresroutes",), "trunkline.dev", "prod", ("app",)))
    review = lambda **more: client.ask("POST", ACCESS_REVIEWS, {"spec": {"user": "a", "groups": ["dba"], "resourceAttributes": {  # noqa: E731
        "verb": "connect", "group": "trunkline.dev", "resource": "postgresroutes", "namespace": "prod", "name": "app"} | more}})
    assert review()[1]["status"]["allowed"] and not review(verb="admin")[1]["status"]["allowed"]
    assert not review(name="other")[1]["status"]["allowed"]
    assert client.ask("POST", ACCESS_REVIEWS, {"spec": {"user": "a"}})[0] == 422
    wait_until(lambda: api.asked("create", "subjectaccessreviews"), 1, "they are on record")
