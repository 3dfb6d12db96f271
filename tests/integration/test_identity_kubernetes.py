"""auth: kubernetes. A service account's token as the password, before an API server's TokenReview."""

from __future__ import annotations

import threading
import time

import pytest

from harness import audit
from harness.gateway import port_of, simple_config
from harness.issuer import ApiServer, Key
from harness.system import wait_until
from harness.token_login import login, refusal

pytestmark = pytest.mark.needs_gateway

APP = "system:serviceaccount:prod:app"


@pytest.fixture
def api_server(authority):
    made = ApiServer("own-token", authority.issue("gateway"))
    yield made
    made.stop()


@pytest.fixture
def route(start_gateway, server, authority, api_server, tmp_path):
    """`route(offline=False)` -> (gateway, port, audit folder)."""
    own = tmp_path / "own-token"
    own.write_text("own-token\n")

    def of(offline: bool = False, **more):
        certificate, folder = authority.issue("gateway"), tmp_path / "audit"
        said = {"apiServer": api_server.url, "tokenFile": str(own), "caFile": str(authority.cert), "audience": "db"} | more
        if offline:
            said["offline"] = {"issuer": api_server.issuer_url, "jwksUri": api_server.url + "/openid/v1/jwks",
                               "caFile": str(authority.cert)}
        gateway = start_gateway(simple_config(
            server.endpoint, tls={"mode": "require", "certificates": [
                {"certFile": str(certificate.cert), "keyFile": str(certificate.key)}]},
            audit=audit.to_folder(folder), route={"credentials": {"user": "trustuser"}, "auth": {
                "method": "kubernetes", "kubernetes": said, "userMap": [
                    {"principal": "system:serviceaccount:prod:*", "user": ["$1", "$1_ro"]}]}}))
        return gateway, port_of(gateway.config, "main"), folder
    of.own = own
    return of


def test_the_api_server_says_whose_it_is(route, api_server, authority):
    gateway, port, folder = route()
    token = api_server.token("prod", "app")
    for user in ("app", "app_ro", "app"):
        login(port, authority, user, token)
    assert len(api_server.reviewed) == 1, "its answer is believed for a while"
    assert api_server.reviewed[0]["spec"]["audiences"] == ["db"]
    good = audit.wait_for(folder, "session.login", count=3)[0]
    assert good["principal"] == APP and "system:serviceaccounts:prod" in good["groups"]
    assert audit.wait_for(folder, "exchange")[0]["principal"] == APP
    for user, wrong in (("postgres", token), ("app", api_server.token("test", "app")), ("app", "x"),
                        ("app", api_server.token("prod", "app", audience="other")),
                        ("app", api_server.token("prod", "app", lasts=-1)),
                        ("app", api_server.token("prod", "app", key=Key()))):
        assert refusal(port, authority, user, wrong).code == "28P01"
    assert token not in gateway.stderr_text()


def test_the_gateways_own_token_is_read_anew(route, api_server, authority):
    gateway, port, _folder = route()
    login(port, authority, "app", api_server.token("prod", "app"))
    api_server.own_token = "renewed"
    assert refusal(port, authority, "app", api_server.token("prod", "app")).code == "57P03"
    route.own.write_text("renewed")
    login(port, authority, "app", api_server.token("prod", "app"))


def test_a_hanging_api_server_holds_up_nobody(route, api_server, authority):
    gateway, port, folder = route()
    known = api_server.token("prod", "app")
    login(port, authority, "app", known)
    api_server.hanging.set()
    results = []

    def attempt():
        began = time.monotonic()
        refused = refusal(port, authority, "app", api_server.token("prod", "app"))
        results.append((refused.code, time.monotonic() - began))

    waiting = [threading.Thread(target=attempt) for _ in range(12)]  # more than ask at a time
    for each in waiting:
        each.start()
    wait_until(lambda: len(api_server.requests) > 4, 10, "the API server is asked")
    assert login(port, authority, "app", known) < 3
    for each in waiting:
        each.join(40)
    assert [code for code, _ in results] == ["57P03"] * 12
    assert max(took for _, took in results) < 25
    reason = audit.wait_for(folder, "session.login", lambda line: line["outcome"] == "refused")[0]["reason"]
    assert "tokenreviews" in reason
    api_server.hanging.clear()
    login(port, authority, "app", api_server.token("prod", "app"))


@pytest.mark.parametrize("fault", ["hangs", "broken"])
def test_without_the_api_server_the_signature_decides(route, api_server, authority, fault):
    gateway, port, folder = route(offline=True)
    wait_until(lambda: api_server.asked("/openid/v1/jwks") > 0, 10, "the keys are read")
    wait_until(lambda: [line for line in gateway.log() if line["event"] == "issuer"], 10, "the keys are known")
    if fault == "hangs":
        api_server.hanging.set()
    api_server.broken = fault == "broken"
    login(port, authority, "app", api_server.token("prod", "app"))
    good = audit.wait_for(folder, "session.login", lambda line: line["outcome"] == "ok")[0]
    assert good["principal"] == APP and "system:serviceaccounts:prod" in good["groups"]
    assert refusal(port, authority, "app", api_server.token("prod", "app", audience="other")).code == "28P01"
    assert refusal(port, authority, "app", api_server.token("prod", "app", lasts=-60)).code == "28P01"
    stranger = Key()
    stranger.id = api_server.key.id
    assert refusal(port, authority, "app", api_server.token("prod", "app", key=stranger)).code == "28P01"
    api_server.hanging.clear()
    api_server.broken = False


def test_no_means_no(route, api_server, authority):
    """A token that the API server does not know any more is not saved by its signature."""
    gateway, port, _folder = route(offline=True)
    token = api_server.token("prod", "app")
    api_server.revoked.add(token)
    assert refusal(port, authority, "app", token).code == "28P01"
