"""CustomResourceDefinitions, as an API server takes them: it refuses those whose schema is not structural."""

from __future__ import annotations

from pathlib import Path

import yaml

from harness import k8s_cel
from harness.k8s_store import Resource, Store

FOLDER = Path(__file__).resolve().parents[3] / "deploy/crds"

# apiextensions.k8s.io/v1, "Specifying a structural schema".
_FORBIDDEN = {"definitions", "dependencies", "deprecated", "discriminator", "id", "patternProperties", "readOnly", "writeOnly", "xml",
              "$ref", "uniqueItems"}
_LOGIC = ("allOf", "anyOf", "oneOf", "not")


def definitions(folder: Path = FOLDER) -> list[dict]:
    return [each for path in sorted(folder.glob("*.yaml")) for each in yaml.safe_load_all(path.read_text()) if each]


def install(store: Store, folder: Path = FOLDER) -> dict[str, Resource]:
    """All that the folder defines, by kind."""
    made = {}
    for each in definitions(folder):
        spec = each["spec"]
        for version in spec["versions"]:
            schema = version["schema"]["openAPIV3Schema"]
            if wrong := structural_problems(schema):
                raise ValueError(f"{each['metadata']['name']} is no structural schema: {wrong}")
            resource = Resource(spec["group"], version["name"], spec["names"]["plural"], spec["names"]["kind"], schema,
                                has_status="status" in version.get("subresources", {}))
            store.add_resource(resource)
            made[resource.kind] = resource
    return made


def structural_problems(schema: dict, path: str = "", *, root: bool = True) -> list[str]:
    found = [f"{path}: {key} is forbidden" for key in sorted(_FORBIDDEN & set(schema))]
    found += [f"{path}: {key} is not understood here" for key in _LOGIC if key in schema]
    free = schema.get("x-kubernetes-int-or-string") or schema.get("x-kubernetes-preserve-unknown-fields")
    if not schema.get("type") and (root or not free):
        found.append(f"{path}: has no type")
    if schema.get("x-kubernetes-int-or-string") and "type" in schema:
        found.append(f"{path}: int-or-string beside a type")
    if root and schema.get("type") != "object":
        found.append(f"{path}: the root is no object")
    if schema.get("type") == "array" and not isinstance(schema.get("items"), dict):
        found.append(f"{path}: an array without items")
    if "properties" in schema and "additionalProperties" in schema:
        found.append(f"{path}: properties beside additionalProperties")
    if schema.get("additionalProperties") is False:
        found.append(f"{path}: additionalProperties false")
    for key in schema.get("required", []):
        if key not in schema.get("properties", {}):
            found.append(f"{path}: requires {key}, which it does not specify")
    found += _rule_problems(schema, path) + _map_problems(schema, path)
    for key, its in schema.get("properties", {}).items():
        below = f"{path}.{key}"
        if root and key == "metadata":
            restricted = set(its) - {"type", "properties"} or set(its.get("properties", {})) - {"name", "generateName"}
            found += [f"{below}: only the name can be restricted"] if restricted else []
        found += structural_problems(its, below, root=False)
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            found += structural_problems(schema[key], f"{path}[{key}]", root=False)
    return found


def _map_problems(schema: dict, path: str) -> list[str]:
    keys = schema.get("x-kubernetes-list-map-keys", [])
    if bool(keys) != (schema.get("x-kubernetes-list-type") == "map"):
        return [f"{path}: a list that is a map needs its keys"]
    items = schema.get("items", {})
    return [f"{path}: key {key} of the map may be left out" for key in keys
            if key not in items.get("required", []) and "default" not in items.get("properties", {}).get(key, {})]


def _rule_problems(schema: dict, path: str) -> list[str]:
    found = []
    for each in schema.get("x-kubernetes-validations", []):
        if not each.get("rule", "").strip() or "\n" in each.get("message", "\n"):
            found.append(f"{path}: a rule needs a text and a message of one line")
        try:
            k8s_cel.check(each["rule"])
        except k8s_cel.CelError as wrong:
            found.append(f"{path}: rule {each['rule']}: {wrong}")
    return found
