"""The real kubectl, and what it wants of an API server beside objects: discovery documents, tables with the columns of a
CustomResourceDefinition, and events by the object they are about."""

from __future__ import annotations

import re
import subprocess
import time
from datetime import datetime
from pathlib import Path

import pytest

from harness.k8s_api import KubernetesApi
from harness.k8s_objects import kubeconfig
from harness.k8s_store import ApiError, Resource
from harness.system import REPOSITORY

KUBECTL = REPOSITORY / "build/deps/kubernetes/bin/kubectl"
VERBS = ["create", "delete", "get", "list", "patch", "update", "watch"]


class ForKubectl:
    """`columns`: of a resource, as additionalPrinterColumns has them; `short`: its short names."""

    def __init__(self, api: KubernetesApi, *, columns: dict[Resource, list[dict]], short: dict[Resource, list[str]], events: Resource):
        self._api, self._columns, self._short, self._events = api, columns, short, events
        api.front = self.answer

    def answer(self, handler, method: str, path: str, query: dict) -> dict | None:
        """Nothing: the object's own answer is as good."""
        if method != "GET":
            return None
        parts = path.strip("/").split("/")
        if parts[0] == "openapi":  # what it would check with: the server checks anyway
            raise ApiError(404, "NotFound", "the server could not find the requested resource")
        if parts == ["api"]:
            return {"kind": "APIVersions", "versions": ["v1"]}
        if parts == ["apis"]:
            return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [
                {"name": group, "versions": [version], "preferredVersion": version}
                for group, version in self._groups().items()]}
        if parts in (["api", "v1"], *([["apis", *each["groupVersion"].split("/")] for each in self._groups().values()])):
            return self._resources(parts)
        if parts[:2] == ["api", "v1"] and parts[-1] == "events":
            return self._core_events(parts[3], query.get("fieldSelector", ""))
        if "as=Table" in (handler.headers["Accept"] or "") and "watch" not in query:
            return self._table(path)
        return None

    def _groups(self) -> dict[str, dict]:
        return {each.group: {"groupVersion": each.api_version, "version": each.version}
                for each in self._api.store.resources.values() if each.group}

    def _resources(self, parts: list[str]) -> dict:
        group, version = ("", parts[1]) if parts[0] == "api" else (parts[1], parts[2])
        found = [{"name": each.plural, "singularName": each.kind.lower(), "namespaced": True, "kind": each.kind, "verbs": VERBS,
                  "shortNames": self._short.get(each, [])}
                 for each in self._api.store.resources.values() if (each.group, each.version) == (group, version)]
        return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": f"{group}/{version}".strip("/"), "resources": found}

    def _core_events(self, namespace: str, selector: str) -> dict:
        """Events have one store, and two faces."""
        wanted = dict(term.split("=", 1) for term in selector.split(",") if term)
        items = []
        for each in self._api.store.list(self._events, lambda _: True, 0, "")["items"]:
            about = each["regarding"]
            facts = {"involvedObject.name": about["name"], "involvedObject.namespace": about["namespace"],
                     "involvedObject.kind": about["kind"], "involvedObject.uid": about["uid"]}
            if about["namespace"] == namespace and all(facts.get(key) == value for key, value in wanted.items()):
                items.append({"metadata": each["metadata"], "involvedObject": about, "reason": each["reason"], "type": each["type"],
                              "message": each["note"], "action": each["action"], "eventTime": each["eventTime"],
                              "reportingComponent": each["reportingController"], "reportingInstance": each["reportingInstance"],
                              "source": {}, "firstTimestamp": None, "lastTimestamp": None})
        return {"kind": "EventList", "apiVersion": "v1", "metadata": {"resourceVersion": "1"}, "items": items}

    def _table(self, path: str) -> dict | None:
        place = self._api.place_of(path)
        columns = self._columns.get(place.resource)
        if columns is None or place.part:
            return None
        objects = [self._api.store.get(place.resource, place.namespace, place.name)] if place.name else self._api.store.list(
            place.resource, lambda obj: place.namespace in ("", obj["metadata"]["namespace"]), 0, "")["items"]
        named = [{"name": "Name", "type": "string", "format": "name", "description": "", "priority": 0}]
        return {"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": {"resourceVersion": str(self._api.store.version)},
                "columnDefinitions": named + [{"name": each["name"], "type": each["type"], "format": "", "description": "",
                                               "priority": each.get("priority", 0)} for each in columns],
                "rows": [{"cells": [obj["metadata"]["name"], *(_cell(obj, each) for each in columns)],
                          "object": {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": obj["metadata"]}}
                         for obj in objects]}


class Kubectl:
    """`kubectl(words, given=…)` is what it says to whoever has the token, and what it complains of where it `fails`."""

    def __init__(self, api: KubernetesApi, authority, folder: Path, token: str):
        if not KUBECTL.exists():
            pytest.skip("no kubectl: scripts/setup-kubernetes")
        folder.mkdir(exist_ok=True)
        access = kubeconfig(folder / "kubeconfig", api.url, {"token": token}, cluster={"certificate-authority": str(authority.cert)})
        self._begin = [KUBECTL, "--kubeconfig", access, "--cache-dir", folder / "cache"]

    def __call__(self, *words: str, given: str = "", fails: bool = False) -> str:
        done = subprocess.run([*self._begin, *words], input=given, capture_output=True, text=True, timeout=60)
        assert (done.returncode != 0) == fails, done.stdout + done.stderr
        return done.stderr if fails else done.stdout


def _cell(obj, column: dict):
    value = _at(obj, column["jsonPath"])
    if column["type"] != "date" or not value:
        return value
    return f"{time.time() - datetime.fromisoformat(value).timestamp():.0f}s"


def _at(obj, path: str):
    """`.spec.a`, `.status.conditions[?(@.type=="Accepted")].status`: what JSONPath is needed for columns."""
    for name, key, value in re.findall(r'\.([\w]+)(?:\[\?\(@\.(\w+)==["\'](\w+)["\']\)\])?', path):
        obj = obj.get(name) if isinstance(obj, dict) else None
        if key:
            obj = next((each for each in obj or [] if each.get(key) == value), None)
    return obj
