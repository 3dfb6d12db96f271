"""What an API server keeps: objects of some resources, their versions, and the history that watches are told."""

from __future__ import annotations

import copy
import itertools
import re
import threading
import time
import uuid
from dataclasses import dataclass, field

from harness import k8s_patch, k8s_schema


class ApiError(Exception):
    """A Status that is a failure."""

    def __init__(self, code: int, reason: str, message: str, retry_after: int | None = None):
        super().__init__(message)
        self.code, self.reason, self.message, self.retry_after = code, reason, message, retry_after

    def status(self) -> dict:
        made = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": self.message,
                "reason": self.reason, "code": self.code}
        return made | ({"details": {"retryAfterSeconds": self.retry_after}} if self.retry_after else {})


@dataclass(frozen=True)
class Resource:
    group: str  # "" for the core group
    version: str
    plural: str
    kind: str
    schema: dict | None = field(default=None, compare=False)  # of custom resources
    has_status: bool = False

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version


@dataclass(frozen=True)
class Change:
    version: int
    resource: Resource
    before: dict | None
    after: dict | None


@dataclass
class Page:
    """What is left of a list that was begun."""
    version: int
    items: list[dict]
    created: float = field(default_factory=time.monotonic)


ENDPOINT_SLICES = Resource("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice")
SECRETS = Resource("", "v1", "secrets", "Secret")
SERVICES = Resource("", "v1", "services", "Service")


def matches(labels: dict, selector: str) -> bool:
    """`a=b,c!=d,e,!f,g in (h,i)`."""
    for term in filter(None, (each.strip() for each in re.split(r",(?![^(]*\))", selector))):
        if found := re.fullmatch(r"(\S+) in \(([^)]*)\)", term):
            good = labels.get(found[1]) in [each.strip() for each in found[2].split(",")]
        elif "!=" in term:
            key, value = term.split("!=")
            good = labels.get(key) != value
        elif "=" in term:
            key, value = term.replace("==", "=").split("=")
            good = labels.get(key) == value
        else:
            good = (term[1:] not in labels) if term.startswith("!") else term in labels
        if not good:
            return False
    return True


class Store:
    def __init__(self):
        self.changed = threading.Condition()
        self.resources: dict[tuple[str, str, str], Resource] = {}
        self._objects: dict[Resource, dict[tuple[str, str], dict]] = {}
        self._history: list[Change] = []
        self._pages: dict[str, Page] = {}
        self._names = itertools.count(1)
        self.version = 1000
        self.oldest = 1000  # watches from before are told that it is gone
        for each in (ENDPOINT_SLICES, SECRETS, SERVICES):
            self.add_resource(each)

    def add_resource(self, resource: Resource) -> None:
        with self.changed:
            self.resources[resource.group, resource.version, resource.plural] = resource
            self._objects.setdefault(resource, {})

    # ---- writing ----

    def create(self, resource: Resource, obj: dict) -> dict:
        with self.changed:
            made = self._checked(resource, obj)
            key = made["metadata"].get("namespace", ""), made["metadata"]["name"]
            if key in self._objects[resource]:
                raise ApiError(409, "AlreadyExists", f'{resource.plural} "{key[1]}" already exists')
            if resource.has_status:
                made.pop("status", None)
            made["metadata"] |= {"uid": str(uuid.uuid4()), "generation": 1,
                                 "creationTimestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
            return self._keep(resource, key, None, made)

    def replace(self, resource: Resource, obj: dict, *, status: bool = False) -> dict:
        """`status`: through the subresource, which changes nothing else; and the object itself not that."""
        with self.changed:
            key = obj["metadata"].get("namespace", ""), obj["metadata"]["name"]
            before = self.get(resource, *key)
            asked = obj["metadata"].get("resourceVersion")
            if status:
                obj = {**before, "status": obj.get("status", {})}
            made = self._checked(resource, obj)
            if asked and asked != before["metadata"]["resourceVersion"]:
                raise ApiError(409, "Conflict", f'Operation cannot be fulfilled on {resource.plural} "{key[1]}": the '
                                                "object has been modified; please apply your changes to the latest version")
            if resource.has_status and not status:
                made = made | {"status": before["status"]} if "status" in before else {
                    name: value for name, value in made.items() if name != "status"}
            fixed = {name: before["metadata"][name] for name in ("uid", "generation", "creationTimestamp")}
            if made.get("spec") != before.get("spec"):
                fixed["generation"] += 1
            made["metadata"] = made["metadata"] | fixed
            same = {**made, "metadata": made["metadata"] | {"resourceVersion": before["metadata"]["resourceVersion"]}}
            return before if same == before else self._keep(resource, key, before, made)

    def patched(self, resource: Resource, namespace: str, name: str, patch: dict | list) -> dict:
        """What `patch`, or a list of operations, would make of it: for `replace`, at its version unless it names one."""
        with self.changed:
            before = self.get(resource, namespace, name)
            try:
                made = k8s_patch.patched(before, patch) if isinstance(patch, list) else k8s_patch.merged(before, patch)
            except k8s_patch.PatchError as problem:
                raise ApiError(422, "Invalid", str(problem)) from problem
            return made

    def patch(self, resource: Resource, namespace: str, name: str, patch: dict | list, *, status: bool = False) -> dict:
        with self.changed:
            return self.replace(resource, self.patched(resource, namespace, name, patch), status=status)

    def delete(self, resource: Resource, namespace: str, name: str) -> dict:
        with self.changed:
            before = self.get(resource, namespace, name)
            del self._objects[resource][namespace, name]
            self.version += 1
            last = copy.deepcopy(before)
            last["metadata"]["resourceVersion"] = str(self.version)
            self._history.append(Change(self.version, resource, last, None))
            self.changed.notify_all()
            return last

    def apply(self, resource: Resource, obj: dict) -> dict:
        """Created, or replaced whatever it was."""
        with self.changed:
            known = (obj["metadata"].get("namespace", ""), obj["metadata"]["name"]) in self._objects[resource]
            return self.replace(resource, obj) if known else self.create(resource, obj)

    def compact(self) -> None:
        """Only what is now is known; lists that were begun cannot go on."""
        with self.changed:
            self.version += 1
            self.oldest = self.version
            self._history.clear()
            self._pages.clear()
            self.changed.notify_all()

    def _checked(self, resource: Resource, obj: dict) -> dict:
        if obj.get("kind", resource.kind) != resource.kind or obj.get("apiVersion", resource.api_version) != resource.api_version:
            raise ApiError(400, "BadRequest", f"the object is no {resource.api_version} {resource.kind}")
        made = copy.deepcopy(obj) | {"kind": resource.kind, "apiVersion": resource.api_version}
        if resource.schema is not None:
            kept = {"kind", "apiVersion", "metadata"}
            made = {key: made[key] for key in kept} | k8s_schema.pruned(
                {key: value for key, value in made.items() if key not in kept}, resource.schema)
            found = k8s_schema.problems({key: value for key, value in made.items() if key not in kept}, resource.schema)
            key = made["metadata"].get("namespace", ""), made["metadata"]["name"]
            if not found:
                found = k8s_schema.broken_rules(made, resource.schema, before=self._objects[resource].get(key))
            if found:
                raise ApiError(422, "Invalid", f'{resource.kind} "{key[1]}" is invalid: {"; ".join(found)}')
        return made

    def _keep(self, resource: Resource, key, before: dict | None, after: dict) -> dict:
        self.version += 1
        after["metadata"]["resourceVersion"] = str(self.version)
        self._objects[resource][key] = after
        self._history.append(Change(self.version, resource, before, after))
        self.changed.notify_all()
        return after

    # ---- reading ----

    def get(self, resource: Resource, namespace: str, name: str) -> dict:
        with self.changed:
            if (namespace, name) not in self._objects[resource]:
                raise ApiError(404, "NotFound", f'{resource.plural} "{name}" not found')
            return self._objects[resource][namespace, name]

    def find(self, resource: Resource, namespace: str, name: str) -> dict | None:
        with self.changed:
            return self._objects[resource].get((namespace, name))

    def all(self, resource: Resource) -> list[dict]:
        with self.changed:
            return [each for _, each in sorted(self._objects[resource].items())]

    def list(self, resource: Resource, fits, limit: int, go_on: str) -> dict:
        """A page of them, in the order of their names; those that follow are as old as the first."""
        with self.changed:
            if go_on:
                page = self._pages.get(go_on)
                if page is None:
                    raise ApiError(410, "Expired", "The provided continue parameter is too old to display a consistent list "
                                                   "result. You can start a new list without the continue parameter.")
            else:
                found = [each for _, each in sorted(self._objects[resource].items()) if fits(each)]
                page = Page(self.version, found)
            items, rest = (page.items[:limit], page.items[limit:]) if limit else (page.items, [])
            metadata = {"resourceVersion": str(page.version)}
            if rest:
                metadata |= {"continue": f"page-{next(self._names)}", "remainingItemCount": len(rest)}
                self._pages[metadata["continue"]] = Page(page.version, rest)
            return {"kind": resource.kind + "List", "apiVersion": resource.api_version, "metadata": metadata,
                    "items": [{key: value for key, value in each.items() if key not in ("kind", "apiVersion")}
                              for each in items]}

    def events(self, resource: Resource, fits, since: int) -> tuple[list[dict], int]:
        """What a watch is told of what came after `since`, and up to which version that is. Raises 410."""
        if since < self.oldest:
            raise ApiError(410, "Expired", f"too old resource version: {since} ({self.oldest})")
        made = []
        for each in self._history:
            if each.version <= since or each.resource != resource:
                continue
            was = each.before is not None and fits(each.before)
            is_now = each.after is not None and fits(each.after)
            if is_now:
                made.append({"type": "MODIFIED" if was else "ADDED", "object": each.after})
            elif was:
                gone = copy.deepcopy(each.after or each.before)
                gone["metadata"]["resourceVersion"] = str(each.version)
                made.append({"type": "DELETED", "object": gone})
        return made, self.version

