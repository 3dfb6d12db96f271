"""deploy/admission: who may write what into an AccessRequest. Its own CEL against a double of the API server; no gateway."""

from __future__ import annotations

import pytest

from harness import k8s_cel
from harness.k8s_requests import ACCOUNT, GROUP, NAMESPACE, RequestCluster, admission_objects
from harness.k8s_rbac import Rule

pytestmark = [pytest.mark.any_build, pytest.mark.skipif(not k8s_cel.available(), reason="needs scripts/setup-cel")]
PATH = f"namespaces/{NAMESPACE}/accessrequests"
MERGE, PATCH = "application/merge-patch+json", "application/json-patch+json"


@pytest.fixture(scope="module")
def shared(authority, tmp_path_factory):
    made = RequestCluster(None, None, tmp_path_factory.mktemp("admission"), authority)
    made.tokens["gateway"] = made.api.service_account(NAMESPACE, "trunkline")
    yield made
    made.api.stop()


@pytest.fixture
def cluster(shared):
    for each in shared.requests():
        shared.api.store.delete(shared.kind, NAMESPACE, each["metadata"]["name"])
    return shared


@pytest.fixture
def asked(cluster) -> str:
    cluster.ask("alice", "mine", groups=["dev"], reason="incident 9")
    return "mine"


def test_every_expression_is_one():
    policy, binding = admission_objects()
    for each in policy["spec"]["variables"] + policy["spec"]["validations"]:
        if "authorizer" not in each["expression"]:
            k8s_cel.check(each["expression"])
    assert binding["spec"]["policyName"] == policy["metadata"]["name"]


def test_people_ask_in_their_own_name_only(cluster, asked):
    assert cluster.get(asked)["spec"]["answers"] == []
    cluster.ask("alice", "b", status=403, principal="bob")
    cluster.ask("alice", "b", status=403, groups=["dba"])
    for field in ("policy", "terms", "role", "client"):
        cluster.ask("alice", "b", status=403, **{field: "x"})
    cluster.ask("alice", "b", status=403, rule={"count": 1})
    cluster.ask("alice", "b", status=403, answers=[{"by": "alice", "decision": "Withdraw"}])
    cluster.ask("alice", "b")


def test_a_gateway_asks_in_the_name_of_others(cluster):
    cluster.ask("gateway", "of-alice", principal="alice", policy="prod", terms="t", rule={"count": 1})
    cluster.ask("gateway", "answered", status=403, principal="alice", answers=[{"by": ACCOUNT, "decision": "Approve"}])


def test_only_those_with_the_right_answer_and_in_their_own_name(cluster, asked):
    cluster.answer("mallory", asked, "Approve", status=403)
    cluster.answer("mallory", asked, "Approve", by="bob", status=403)
    cluster.answer("bob", asked, "Approve", by="carol", status=403)
    cluster.answer("bob", asked, "Approve", groups=["dba", "leads"], status=403)
    cluster.answer("bob", asked, "Approve", groups=[])
    cluster.answer("carol", asked, "Deny")
    cluster.answer("bob", asked, "Withdraw", status=403)
    cluster.answer("alice", asked, "Withdraw")
    assert [each["by"] for each in cluster.get(asked)["spec"]["answers"]] == ["bob", "carol", "alice"]


def test_the_right_may_be_for_one_request_or_namespace(cluster, asked):
    rule = cluster.api.rbac.grant(Rule("mallory", ("update",), ("accessrequests/approval",), GROUP, "elsewhere"))
    cluster.answer("mallory", asked, "Approve", status=403)
    cluster.api.rbac.revoke(rule)
    rule = cluster.api.rbac.grant(Rule("mallory", ("update",), ("accessrequests/approval",), GROUP, NAMESPACE, ("mine",)))
    cluster.answer("mallory", asked, "Approve")
    cluster.ask("alice", "other")
    cluster.answer("mallory", "other", "Approve", status=403)
    cluster.api.rbac.revoke(rule)


def test_nobody_changes_or_removes_an_answer(cluster, asked):
    cluster.answer("bob", asked, "Approve", reason="seen")
    for who in ("bob", "carol", "alice"):
        for operation in ({"op": "remove", "path": "/spec/answers/0"},
                          {"op": "replace", "path": "/spec/answers/0/decision", "value": "Deny"},
                          {"op": "replace", "path": "/spec/answers/0", "value": {"by": who, "decision": "Deny"}},
                          {"op": "remove", "path": "/spec/answers"}):
            assert cluster.call(who, "PATCH", f"{PATH}/{asked}", [operation], kind=PATCH)[0] in (403, 422)
    assert cluster.get(asked)["spec"]["answers"] == [{"by": "bob", "groups": ["dba"], "decision": "Approve", "reason": "seen"}]


def test_what_was_asked_for_stays(cluster, asked):
    for change in ({"database": "other"}, {"principal": "bob"}, {"reason": None}, {"groups": []}, {"user": "postgres"},
                   {"policy": "prod"}, {"gateway": "a/b"}):
        for who in ("alice", "bob"):
            status, said = cluster.call(who, "PATCH", f"{PATH}/{asked}", {"spec": change}, kind=MERGE)
            assert status in (403, 422), (change, said)
    assert cluster.call("alice", "PATCH", f"{PATH}/{asked}/status", {"status": {"state": "Active"}}, kind=MERGE)[0] == 403


def test_an_answer_is_made_of_what_the_schema_knows(cluster, asked):
    cluster.answer("bob", asked, "Perhaps", status=422)
    cluster.answer("bob", asked, "Approve", status=422, duration="long")
    cluster.answer("bob", asked, "Approve", status=422, reason="x" * 1025)
