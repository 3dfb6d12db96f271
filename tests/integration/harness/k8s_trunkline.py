"""What of an API server is the gateway's: its own kinds as deploy/crds has them, Leases and Events; and objects of those kinds."""

from __future__ import annotations

import functools
from dataclasses import replace

import pytest

from harness import k8s_cel, k8s_crds
from harness.k8s_api import KubernetesApi
from harness.k8s_kubectl import ForKubectl
from harness.k8s_objects import NAMESPACE
from harness.k8s_rbac import Rule
from harness.k8s_store import Resource, Store

GROUP, VERSION = "trunkline.dev", "v1alpha1"
LEASES = Resource("coordination.k8s.io", "v1", "leases", "Lease")
EVENTS = Resource("events.k8s.io", "v1", "events", "Event")
GATEWAYS = "gateways"  # the namespace of the gateway itself
GATEWAY = f"system:serviceaccount:{GATEWAYS}:trunkline"
LEASE = "trunkline-main"
KINDS = {"PostgresUpstream": "postgresupstreams", "PostgresRoute": "postgresroutes", "AccessPolicy": "accesspolicies"}

READS = Rule(GATEWAY, ("list", "watch"), tuple(KINDS.values()), GROUP)
TELLS = Rule(GATEWAY, ("patch",), tuple(f"{each}/status" for each in KINDS.values()), GROUP)
READS_SECRETS = Rule(GATEWAY, ("list", "watch"), ("secrets",), "", NAMESPACE)
LEADS = (Rule(GATEWAY, ("create",), ("leases",), "coordination.k8s.io", GATEWAYS),
         Rule(GATEWAY, ("get", "update"), ("leases",), "coordination.k8s.io", GATEWAYS, (LEASE,)))
POSTS = Rule(GATEWAY, ("create",), ("events",), "events.k8s.io")


@functools.cache
def custom_resources() -> dict[str, Resource]:
    """By kind. Their rules are checked: without an evaluator of CEL the test is skipped."""
    if not k8s_cel.available():
        pytest.skip("needs scripts/setup-cel")
    return k8s_crds.install(Store())


def for_kubectl(api: KubernetesApi) -> None:
    """It shows what the definitions say."""
    known = {custom_resources()[each["spec"]["names"]["kind"]]: each["spec"] for each in k8s_crds.definitions()}
    ForKubectl(api, columns={which: spec["versions"][0].get("additionalPrinterColumns", []) for which, spec in known.items()},
               short={which: spec["names"].get("shortNames", []) for which, spec in known.items()}, events=EVENTS)


class Cluster:
    """An API server with them, and what somebody with kubectl does there."""

    def __init__(self, api: KubernetesApi, *, install: bool = True, checks: bool = True):
        """Without `checks` it takes whatever it is given, as with older definitions."""
        self.api, self.kinds = api, dict(custom_resources())
        if not checks:
            self.kinds = {name: replace(each, schema=None) for name, each in self.kinds.items()}
        for each in (LEASES, EVENTS):
            api.store.add_resource(each)
        if install:
            self.install()
        for rule in (READS, TELLS, READS_SECRETS, *LEADS, POSTS):
            api.rbac.grant(rule)

    def install(self) -> None:
        for each in self.kinds.values():
            self.api.store.add_resource(each)

    def apply(self, kind: str, name: str, spec: dict, *, namespace: str = NAMESPACE, labels: dict | None = None) -> dict:
        return self.api.store.apply(self.kinds[kind], {
            "apiVersion": f"{GROUP}/{VERSION}", "kind": kind, "spec": spec,
            "metadata": {"name": name, "namespace": namespace, "labels": labels or {}}})

    def delete(self, kind: str, name: str, *, namespace: str = NAMESPACE) -> None:
        self.api.store.delete(self.kinds[kind], namespace, name)

    def get(self, kind: str, name: str, *, namespace: str = NAMESPACE) -> dict:
        return self.api.store.get(self.kinds[kind], namespace, name)

    def condition(self, kind: str, name: str, *, of: str = "Accepted", namespace: str = NAMESPACE) -> dict:
        """Nothing where it is not there, or not about what the object is now."""
        obj = self.get(kind, name, namespace=namespace)
        for each in obj.get("status", {}).get("conditions", []):
            if each["type"] == of and each["observedGeneration"] == obj["metadata"]["generation"]:
                return each
        return {}

    def upstream(self, server, name: str = "db", *, namespace: str = NAMESPACE, **more) -> dict:
        return self.apply("PostgresUpstream", name, {
            "endpoints": [f"127.0.0.1:{server.port}"], "tls": {"mode": "disable"}} | more, namespace=namespace)

    def route(self, name: str, *, upstream: str = "db", namespace: str = NAMESPACE, database: str = "", **more) -> dict:
        return self.apply("PostgresRoute", name, {
            "match": {"database": [database or name]}, "upstream": upstream, "database": "postgres",
            "auth": {"method": "server"}} | more, namespace=namespace)

    def events(self, reason: str = "") -> list[dict]:
        with self.api.store.changed:
            known = list(self.api.store._objects[EVENTS].values())
        return [each for each in known if reason in ("", each["reason"])]

    def lease(self) -> dict:
        return self.api.store.get(LEASES, GATEWAYS, LEASE)["spec"]
