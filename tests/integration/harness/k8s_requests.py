"""A cluster where requests for access are objects: its API server, people with kubectl, and gateways that share it."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from pathlib import Path

import yaml

from harness import audit
from harness.gateway import Gateway, port_of
from harness.grants import Desk, policy
from harness.k8s_admission import BINDINGS, POLICIES, Admission
from harness.k8s_api import KubernetesApi
from harness.k8s_rbac import Rule
from harness.k8s_store import Resource
from harness.system import REPOSITORY, free_port, wait_until

GROUP = "trunkline.dev"
NAMESPACE = "gateways"
ACCOUNT = f"system:serviceaccount:{NAMESPACE}:trunkline"
LEASES = Resource("coordination.k8s.io", "v1", "leases", "Lease")
EVENTS = Resource("events.k8s.io", "v1", "events", "Event")
PEOPLE = {"alice": ["dev"], "bob": ["dba"], "carol": ["dba", "leads"], "mallory": ["dba"]}
APPROVE = ("accessrequests/approval",)
# What a gateway needs; docs/kubernetes-requests.md has the same.
NEEDS = (
    Rule(ACCOUNT, ("list", "watch", "get", "create", "delete"), ("accessrequests",), GROUP),
    Rule(ACCOUNT, ("update",), ("accessrequests/status",), GROUP),
    Rule(ACCOUNT, ("list", "create", "patch", "delete"), ("leases",), "coordination.k8s.io", NAMESPACE),
    Rule(ACCOUNT, ("create",), ("subjectaccessreviews",), "authorization.k8s.io"),
    Rule(ACCOUNT, ("get",), ("validatingadmissionpolicies", "validatingadmissionpolicybindings"),
         "admissionregistration.k8s.io", "", ("accessrequests.trunkline.dev",)),
    Rule(ACCOUNT, ("create",), ("events",), "events.k8s.io"),
)


def request_kind() -> Resource:
    spec = yaml.safe_load((REPOSITORY / "deploy/crds/accessrequests.yaml").read_text())["spec"]
    version = spec["versions"][0]
    return Resource(spec["group"], version["name"], spec["names"]["plural"], spec["names"]["kind"],
                    version["schema"]["openAPIV3Schema"], has_status=True)


def admission_objects() -> list[dict]:
    return list(yaml.safe_load_all((REPOSITORY / "deploy/admission/accessrequests.yaml").read_text()))


class RequestCluster:
    """`start(…)` begins a gateway; all of them have one name, and each its own address."""

    def __init__(self, start_gateway, server, folder: Path, authority):
        self.authority, self.folder = authority, folder
        self.desk = Desk(start_gateway, server, folder / "desk")
        self._start = start_gateway
        self.kind = request_kind()
        self.api = KubernetesApi(authority.issue("gateway"), authority.cert)
        self.api.admission = Admission(self.api.store, self.api.rbac)
        for each in (self.kind, LEASES, EVENTS):
            self.api.store.add_resource(each)
        self.install_admission()
        self.rules = [self.api.rbac.grant(rule) for rule in NEEDS]
        self.tokens = {name: self.api.issue(name, groups=[*groups, "system:authenticated"]) for name, groups in PEOPLE.items()}
        for name in ("alice", "bob", "carol", "mallory"):
            self.api.rbac.grant(Rule(name, ("get", "list", "create", "patch", "update", "delete"), ("accessrequests",), GROUP))
        for name in ("alice", "bob", "carol"):
            self.api.rbac.grant(Rule(name, ("update",), APPROVE, GROUP))
        self._context = ssl.create_default_context(cafile=str(authority.cert))
        self.token_file = folder / "token"
        self.token_file.write_text(self.api.service_account(NAMESPACE, "trunkline"))

    def install_admission(self, *, before: str = "2020-01-01T00:00:00Z") -> None:
        for each, resource in zip(admission_objects(), (POLICIES, BINDINGS)):
            made = self.api.store.apply(resource, each)
            made["metadata"]["creationTimestamp"] = before

    def remove_admission(self) -> None:
        self.api.store.delete(BINDINGS, "", "accessrequests.trunkline.dev")

    # ---- gateways ----

    def start(self, *policies: dict, wait: bool = True, environment: dict | None = None, kubernetes: dict | None = None,
              **words) -> Gateway:
        port, number = free_port(), len(self.desk.gateways) + 1
        config = self.desk.config(*(policies or (policy(),)), admin_port=port, folder=f"audit-{number}", **words)
        del config["access"]["store"]
        config["kubernetes"] = {"apiServer": self.api.url, "tokenFile": str(self.token_file),
                                "caFile": str(self.authority.cert), "gateway": "main", "namespace": NAMESPACE,
                                "requests": True} | (kubernetes or {})
        gateway = self._start(config, wait=wait, **({"environment": environment} if environment else {}))
        gateway.admin_port, gateway.audit_folder = port, self.desk.folder / f"audit-{number}"
        self.desk.gateways.append(gateway)
        return gateway

    @staticmethod
    def port(gateway: Gateway) -> int:
        return port_of(gateway.config, "main")

    def told(self, kind: str) -> list[dict]:
        """By all gateways, in their audits."""
        return [each for gateway in self.desk.gateways for each in audit.events(gateway.audit_folder, f"access.{kind}")]

    def wait_told(self, **counts: int) -> None:
        """Exactly so often, in all; audits are written a moment later."""
        for kind, count in counts.items():
            wait_until(lambda kind=kind, count=count: len(self.told(kind)) >= count, 10, f"{kind} is on record")
            assert len(self.told(kind)) == count, kind

    # ---- what people do ----

    def call(self, who: str, method: str, path: str, body=None, *, kind: str = "application/json") -> tuple[int, dict]:
        request = urllib.request.Request(
            f"{self.api.url}/apis/{GROUP}/v1alpha1/{path}", None if body is None else json.dumps(body).encode(),
            {"Authorization": f"Bearer {self.tokens[who]}", "Content-Type": kind}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=20, context=self._context) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as refused:
            return refused.code, json.loads(refused.read())

    def answer(self, who: str, name: str, decision: str, *, status: int = 200, by: str = "", groups=None, **more) -> dict:
        """As `kubectl patch accessrequest NAME --type=json` does it."""
        added = {"by": by or who, "groups": PEOPLE[who] if groups is None else groups, "decision": decision} | more
        got, said = self.call(who, "PATCH", f"namespaces/{NAMESPACE}/accessrequests/{name}",
                              [{"op": "add", "path": "/spec/answers/-", "value": added}],
                              kind="application/json-patch+json")
        assert got == status, said
        return said

    def ask(self, who: str, name: str = "mine", *, status: int = 201, **spec) -> dict:
        got, said = self.call(who, "POST", f"namespaces/{NAMESPACE}/accessrequests", {
            "apiVersion": f"{GROUP}/v1alpha1", "kind": "AccessRequest", "metadata": {"name": name, "namespace": NAMESPACE},
            "spec": {"principal": who, "route": "all", "database": "app"} | spec})
        assert got == status, said
        return said

    # ---- what is there ----

    def requests(self, *states: str) -> list[dict]:
        return [each for each in self.api.store.all(self.kind)
                if not states or each.get("status", {}).get("state") in states]

    def get(self, name: str) -> dict:
        return self.api.store.get(self.kind, NAMESPACE, name)

    def state(self, name: str) -> str:
        return self.get(name).get("status", {}).get("state", "")

    def wait_open(self, count: int = 1) -> str:
        """The name of the only one, or of one of so many."""
        found = wait_until(lambda: len(found := self.requests("Open")) == count and found, 10, "open requests")
        return found[0]["metadata"]["name"]

    def wait_state(self, name: str, state: str, timeout: float = 10) -> dict:
        wait_until(lambda: self.state(name) == state, timeout, f"{name} is {state}")
        return self.get(name)["status"]

    def condition(self, name: str, kind: str) -> dict:
        return next(each for each in self.get(name)["status"]["conditions"] if each["type"] == kind)

    def judged(self, name: str, count: int = 1) -> list[dict]:
        return wait_until(lambda: len(found := self.get(name)["status"].get("answers", [])) >= count and found, 10,
                          "the answers are judged")

    def write_past(self, name: str, change) -> None:
        """Into the store itself, where no policy and no schema is asked."""
        made = json.loads(json.dumps(self.get(name)))
        change(made)
        with self.api.store.changed:
            known = self.api.store._objects[self.kind]
            self.api.store._keep(self.kind, (NAMESPACE, name), known[NAMESPACE, name], made)

    def events(self) -> list[dict]:
        return self.api.store.all(EVENTS)
