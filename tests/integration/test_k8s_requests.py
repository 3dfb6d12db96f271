"""Requests and grants as objects of Kubernetes: two gateways and one API server, people with kubectl, and what goes wrong."""

from __future__ import annotations

import json
import re
import shlex
import signal
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from harness import k8s_cel
from harness.access import ended
from harness.grants import Waiting, policy
from harness.k8s_kubectl import Kubectl
from harness.k8s_requests import RequestCluster
from harness.k8s_trunkline import for_kubectl
from harness.system import REPOSITORY, wait_until
from harness.wire import RawClient, Refused

pytestmark = [pytest.mark.needs_gateway,
              pytest.mark.skipif(not k8s_cel.available(), reason="needs scripts/setup-cel")]
DOCUMENT = (REPOSITORY / "docs/kubernetes-requests.md").read_text()
FAKETIME = next(iter(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")), None)


@pytest.fixture
def cluster(start_gateway, server, tmp_path, authority):
    made = RequestCluster(start_gateway, server, tmp_path, authority)
    yield made
    made.api.stop()


@pytest.fixture
def pair(cluster):
    """Two gateways of one name: (cluster, here, there), with their ports."""
    here, there = cluster.start(), cluster.start()
    return cluster, cluster.port(here), cluster.port(there)


def seconds_of(text: str) -> float:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def granted(cluster, port: int, user: str = "alice") -> RawClient:
    waiting = Waiting(port, user, timeout=20)
    cluster.answer("bob", cluster.wait_open(), "Approve")
    return waiting.client_in()


# ---- it works ----


def test_an_answer_counts_at_all_gateways_within_a_second_and_a_revocation_too(pair):
    cluster, here, there = pair
    waiting = Waiting(here, timeout=20, application_name="psql reason=incident 8")
    name = cluster.wait_open()
    waiting.told("waits for somebody of dba")
    spec = cluster.get(name)["spec"]
    assert (spec["principal"], spec["route"], spec["database"], spec["reason"]) == ("alice", "all", "app", "incident 8")
    assert spec["rule"]["anyOf"] == ["dba"] and spec["answers"] == []
    assert cluster.condition(name, "Approved")["message"] == "waits for somebody of dba"
    began = time.monotonic()
    cluster.answer("bob", name, "Approve", reason="seen", duration="30m")
    first = waiting.client_in()
    assert time.monotonic() - began < 1
    with RawClient(there, timeout=20) as second:
        second.login("alice")
        assert second.simple("select 1") == [["1"]] and not second.notices, "it did not wait"
        status = cluster.wait_state(name, "Active")
        assert [each["by"] for each in status["approvals"]] == ["bob"]
        assert seconds_of(status["until"]) - seconds_of(status["from"]) == 1800
        assert cluster.condition(name, "Active")["status"] == "True"
        began = time.monotonic()
        cluster.answer("carol", name, "Revoke", reason="done")
        for client in (first, second):
            assert ended(client)["C"] == "57P01"
        assert time.monotonic() - began < 1
    status = cluster.wait_state(name, "Revoked")
    assert (status["endedBy"], status["endReason"]) == ("carol", "done")
    cluster.wait_told(request=1, approve=1, grant=1, revoke=1)
    reasons = wait_until(lambda: len(found := {each["reason"] for each in cluster.events()}) >= 4 and found, 5, "events")
    assert reasons == {"Requested", "Approved", "Granted", "Revoked"}


def test_denied_and_withdrawn_by_kubectl(pair):
    cluster, here, _ = pair
    waiting = Waiting(here)
    name = cluster.wait_open()
    cluster.answer("bob", name, "Deny", reason="not on a Friday")
    assert "was denied by bob: not on a Friday" in waiting.refusal()["M"]
    waiting = Waiting(here)
    name = cluster.wait_open()
    cluster.answer("alice", name, "Withdraw")
    assert "withdrawn by alice" in waiting.refusal()["M"]
    assert cluster.state(name) == "Withdrawn"


def test_the_gateways_own_api_is_the_same_desk(pair):
    cluster, here, _ = pair
    desk = cluster.desk
    waiting = Waiting(here)
    cluster.wait_open()
    port = desk.gateways[1].admin_port
    number = desk.wait_request(port=port)["id"]
    assert desk.approve(number, port=port)["state"] == "active"
    waiting.client_in()
    assert cluster.requests("Active")[0]["status"]["number"] == number
    desk.answer("revoke", number, "root", port=desk.gateways[0].admin_port)
    assert cluster.requests("Revoked")


def test_the_end_of_a_grant(cluster):
    here, there = (cluster.port(cluster.start(policy(max_length="2s"))) for _ in range(2))
    first = granted(cluster, here)
    name = cluster.requests("Active")[0]["metadata"]["name"]
    with RawClient(there, timeout=20) as second:
        second.login("alice")
        until = seconds_of(cluster.get(name)["status"]["until"])
        for client in (first, second):
            assert ended(client)["C"] == "57P01"
            assert abs(time.time() - until) < 1
    cluster.wait_state(name, "Expired")
    cluster.wait_told(expire=1)


def test_a_rule_that_names_nobody_is_rbac_alone(cluster):
    port = cluster.port(cluster.start(policy(anyOf=None) | {"approval": {"reason": False, "wait": "1m"}}))
    waiting = Waiting(port, timeout=20)
    cluster.answer("carol", cluster.wait_open(), "Approve", groups=[])
    waiting.client_in()


# ---- requests of people ----


def test_somebody_asks_with_kubectl(pair):
    cluster, here, there = pair
    cluster.ask("alice", "mine", reason="incident 9", duration="10m", user="trustuser")
    status = cluster.wait_state("mine", "Open")
    assert status["request"]["policy"] == "prod" and status["request"]["duration"] == "10m"
    cluster.ask("alice", "again", user="trustuser")
    assert "is for the same" in cluster.wait_state("again", "Denied")["endReason"]
    cluster.ask("alice", "nowhere", route="nowhere")
    assert "no route" in cluster.wait_state("nowhere", "Denied")["endReason"]
    cluster.answer("bob", "mine", "Approve")
    cluster.wait_state("mine", "Active")
    for refused in ({"principal": "bob"}, {"policy": "prod"}, {"groups": ["dba"]},
                    {"answers": [{"by": "alice", "decision": "Withdraw"}]}):
        cluster.ask("alice", "forged", status=403, **refused)


@pytest.fixture
def kubectl(cluster, tmp_path):
    """`kubectl(who)`: theirs."""
    for_kubectl(cluster.api)
    return lambda who: Kubectl(cluster.api, cluster.authority, tmp_path / who, cluster.tokens[who])


def documented(verb: str, **instead: str) -> list[str]:
    """The words of the command that docs/kubernetes-requests.md shows for it, with other names."""
    found = next(each for each in re.findall(r"^\$ kubectl (.*?)(?=^\$|^```|^[A-Z])", DOCUMENT, re.M | re.S) if each.startswith(verb))
    words = shlex.split(found.replace("\n", " "), comments=True)
    for before, after in instead.items():
        assert any(before in each for each in words), words
        words = [each.replace(before, after) for each in words]
    return words


def documented_request(**instead) -> dict:
    text = next(each for each in re.findall(r"^```yaml\n(.*?)^```", DOCUMENT, re.M | re.S) if "kind: AccessRequest" in each)
    made = yaml.safe_load(text)
    assert set(instead) <= set(made["spec"])
    return made | {"spec": made["spec"] | instead}


def test_with_kubectl_as_the_documentation_says(pair, kubectl):
    """Asked for, looked at, approved and revoked."""
    cluster, here, there = pair
    alice, bob, carol = (kubectl(who) for who in ("alice", "bob", "carol"))
    asked = documented_request(principal="alice", groups=["dev"], user="alice")
    name = alice("create", "--validate=false", "-f", "-", given=json.dumps(asked)).split()[0].split("/")[1]
    assert name.startswith("app-")
    cluster.wait_state(name, "Open")
    table = bob(*documented("get")).splitlines()
    assert table[0].split() == ["NAME", "PRINCIPAL", "ROUTE", "DATABASE", "STATE", "UNTIL", "AGE"]
    assert table[1].split()[:5] == [name, "alice", "all", "app", "Open"], table
    example = "alice-3f1c…-1"
    described = bob(*documented("describe", **{example: name}))
    assert "incident 4711" in described and "waits for somebody of dba" in described, described
    approve = documented("patch", **{example: name, "bob@example.org": "bob"})
    assert "is forbidden" in kubectl("mallory")(*documented("patch", **{example: name, "bob@example.org": "mallory"}), fails=True)
    assert "patched" in bob(*approve)
    status = cluster.wait_state(name, "Active")
    assert [each["by"] for each in status["approvals"]] == ["bob"]
    with RawClient(there, timeout=20) as client:
        client.login("alice")
        assert client.simple("select 1") == [["1"]] and not client.notices, "it did not wait"
        revoke = documented("patch", **{example: name, "bob@example.org": "carol", "Approve": "Revoke", ', "duration": "1h"': ""})
        assert "patched" in carol(*revoke)
        assert ended(client)["C"] == "57P01"
    cluster.wait_state(name, "Revoked")
    assert bob(*documented("get")).splitlines()[1].split()[4] == "Revoked"
    assert re.search(r"Ended By: +carol\b", bob(*documented("describe", **{example: name})))


# ---- who may not ----


def test_the_policy_holds_who_answers_to_their_own_name_and_right(pair):
    cluster, here, _ = pair
    waiting = Waiting(here)
    name = cluster.wait_open()
    assert "accessrequests/approval" in cluster.answer("mallory", name, "Approve", status=403)["message"]
    cluster.answer("mallory", name, "Approve", by="bob", status=403)
    cluster.answer("alice", name, "Approve", groups=["dba"], status=403)
    cluster.answer("bob", name, "Withdraw", status=403)
    path = f"namespaces/gateways/accessrequests/{name}"
    merge = "application/merge-patch+json"
    assert cluster.call("bob", "PATCH", path + "/status", {"status": {"state": "Active"}}, kind=merge)[0] == 403
    cluster.answer("alice", name, "Approve")
    assert "nobody approves a request of their own" in cluster.judged(name)[0]["message"]
    assert cluster.call("alice", "PATCH", path, {"spec": {"answers": []}}, kind=merge)[0] == 403
    assert waiting.waits and cluster.state(name) == "Open"
    wait_until(lambda: any("nobody approves" in str(each) for each in cluster.told("refused")), 10, "it is on record")
    waiting.leave()


def test_what_gets_past_the_policy_is_not_believed(pair):
    cluster, here, _ = pair
    waiting = Waiting(here)
    name = cluster.wait_open()
    # As somebody does who can write to etcd, with a name that has no right; then with one that has, and no policy.
    cluster.write_past(name, lambda made: made["spec"]["answers"].append(
        {"by": "mallory", "groups": ["dba"], "decision": "Approve"}))
    assert "RBAC does not let mallory" in cluster.judged(name)[0]["message"]
    cluster.remove_admission()
    cluster.answer("mallory", name, "Approve", by="bob")
    assert "there is no validatingadmissionpolicybindings" in cluster.judged(name, 2)[1]["message"]
    cluster.install_admission(before=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ").replace("20", "21", 1))
    cluster.answer("carol", name, "Approve")
    assert "is younger than the request" in cluster.judged(name, 3)[2]["message"]
    assert waiting.waits and cluster.state(name) == "Open"
    cluster.ask("alice", "mine", user="trustuser")
    assert "do not count" in cluster.wait_state("mine", "Denied")["endReason"]
    cluster.install_admission()
    cluster.answer("bob", name, "Approve", reason="with the policy")
    waiting.client_in()


def test_nonsense_neither_crashes_nor_grants(pair):
    cluster, here, _ = pair
    waiting = Waiting(here)
    name = cluster.wait_open()
    waiting.told("request")
    whole = cluster.get(name)["status"]
    for status in ({"state": "Active"}, {"state": 7}, whole | {"state": "Active"}, whole | {"approvals": [1]},
                   whole | {"request": whole["request"] | {"route": "team/all"}, "state": "Active",
                            "from": whole["asked"], "until": "2099-01-01T00:00:00Z"}):
        cluster.write_past(name, lambda made, status=status: made.update(status=status))
    assert waiting.refusal()["C"] == "28000"
    gateway = cluster.desk.gateways[0]
    wait_until(lambda: any("its route is of another namespace" in str(line) for line in gateway.log()), 10, "it is told")
    assert not cluster.desk.grants(port=gateway.admin_port)


# ---- at once ----


def test_two_approvals_at_once_make_one_grant(cluster):
    here, there = (cluster.port(cluster.start(policy(count=2))) for _ in range(2))
    one, other = Waiting(here, timeout=20), Waiting(there, timeout=20)
    name = cluster.wait_open()
    wait_until(lambda: len(cluster.get(name)["status"]["waiting"]) == 2, 5, "both wait")
    cluster.api.refuse(409, reason="Conflict", times=3, path="/status")
    people = [threading.Thread(target=cluster.answer, args=(who, name, "Approve")) for who in ("bob", "carol")]
    for each in people:
        each.start()
    for each in people:
        each.join()
    one.client_in(), other.client_in()
    status = cluster.wait_state(name, "Active")
    assert sorted(each["by"] for each in status["approvals"]) == ["bob", "carol"]
    cluster.wait_told(approve=2, grant=1)


# ---- what fails ----


def test_a_gateway_that_is_killed_leaves_its_request_to_the_others(pair):
    cluster, here, there = pair
    lost = Waiting(here)
    name = cluster.wait_open()
    lost.told("request")
    killed = cluster.desk.gateways[0]
    killed.send(signal.SIGKILL)
    killed.wait(10)
    killed._checked = True
    again = Waiting(there, timeout=20)
    again.told(f"request {cluster.get(name)['status']['number']}")
    cluster.answer("bob", name, "Approve")
    again.client_in()
    assert len(cluster.requests()) == 1


def test_an_api_server_that_is_gone(pair):
    cluster, here, there = pair
    client = granted(cluster, here)
    waiting = Waiting(here, "dave", timeout=40)
    name = cluster.wait_open()
    waiting.told("request")
    cluster.api.go_down()
    assert client.simple("select 1") == [["1"]]
    with RawClient(there, timeout=20) as second:
        second.login("alice")
        assert second.simple("select 1") == [["1"]], "what is granted is known"
    with RawClient(there, timeout=20) as stranger, pytest.raises(Refused) as refused:
        stranger.login("erin")
    assert refused.value.code == "57P03"
    assert waiting.waits
    cluster.api.start()
    cluster.answer("bob", name, "Approve")
    waiting.client_in(40)


def test_a_grant_ends_while_the_api_server_is_gone(cluster):
    port = cluster.port(cluster.start(policy(max_length="3s")))
    client = granted(cluster, port)
    name = cluster.requests("Active")[0]["metadata"]["name"]
    until = seconds_of(cluster.get(name)["status"]["until"])
    cluster.api.go_down()
    assert ended(client)["C"] == "57P01" and abs(time.time() - until) < 1
    with RawClient(port, timeout=20) as late, pytest.raises(Refused) as refused:
        late.login("alice")
    assert refused.value.code == "57P03"
    cluster.api.start()
    cluster.wait_state(name, "Expired", 40)


def test_rights_that_are_taken_away(pair):
    cluster, here, there = pair
    client = granted(cluster, here)
    for rule in cluster.rules:
        cluster.api.rbac.revoke(rule)
    with RawClient(there, timeout=20) as other, pytest.raises(Refused) as refused:
        other.login("dave")
    assert refused.value.code == "57P03"
    assert client.simple("select 1") == [["1"]]
    gateway = cluster.desk.gateways[1]
    wait_until(lambda: any("forbidden" in str(line) for line in gateway.log()), 10, "the log says so")
    for rule in cluster.rules:
        cluster.api.rbac.grant(rule)
    waiting = Waiting(there, "dave", timeout=20)
    cluster.answer("bob", cluster.wait_open(), "Approve")
    waiting.client_in()


def test_a_request_that_is_deleted_ends_its_sessions(pair):
    cluster, here, there = pair
    first = granted(cluster, here)
    with RawClient(there, timeout=20) as second:
        second.login("alice")
        name = cluster.requests("Active")[0]["metadata"]["name"]
        cluster.api.store.delete(cluster.kind, "gateways", name)
        for client in (first, second):
            assert ended(client)["C"] == "57P01"
    cluster.wait_told(revoke=1)


@pytest.mark.skipif(FAKETIME is None, reason="needs the package faketime")
def test_a_gateway_whose_clock_is_wrong_ends_grants_when_the_others_do(cluster, not_sanitized):
    wrong = {"LD_PRELOAD": str(FAKETIME), "FAKETIME": "+15m", "FAKETIME_DONT_FAKE_MONOTONIC": "1", "NO_FAKE_STAT": "1"}
    right = cluster.port(cluster.start(policy(max_length="4s")))
    skewed = cluster.port(cluster.start(policy(max_length="4s"), environment=wrong))
    first = granted(cluster, skewed)
    with RawClient(right, timeout=20) as second:
        second.login("alice")
        status = cluster.requests("Active")[0]["status"]
        until = seconds_of(status["until"])
        assert abs(until - 4 - time.time()) < 2, "the API server's time is written"
        for client in (first, second):
            assert ended(client)["C"] == "57P01"
            assert abs(time.time() - until) < 1.2
