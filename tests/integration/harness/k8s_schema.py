"""The part of structural OpenAPI schemas that an API server holds custom resources to, validations by CEL among it."""

from __future__ import annotations

import copy
import datetime
import re

from harness import k8s_cel

_TYPES = {"object": dict, "array": list, "string": str, "boolean": bool}


def pruned(value, schema: dict):
    """Without the fields that the schema does not name, as an API server stores it; defaults filled in."""
    if isinstance(value, dict):
        if schema.get("x-kubernetes-preserve-unknown-fields"):
            return copy.deepcopy(value)
        known, more = schema.get("properties", {}), schema.get("additionalProperties")
        made = {}
        for key, each in value.items():
            if key in known:
                made[key] = pruned(each, known[key])
            elif more:
                made[key] = pruned(each, more) if isinstance(more, dict) else copy.deepcopy(each)
        for key, its in known.items():
            if "default" in its and key not in made:
                made[key] = copy.deepcopy(its["default"])
        return made
    if isinstance(value, list):
        return [pruned(each, schema.get("items", {"x-kubernetes-preserve-unknown-fields": True})) for each in value]
    return value


def problems(value, schema: dict, path: str = "") -> list[str]:
    """What is wrong with it, each as `spec.port: Invalid value: …`."""
    if value is None:
        return [] if schema.get("nullable") else [f"{path}: Invalid value: null"]
    wrong = _wrong_type(value, schema)
    if wrong:
        return [f"{path}: Invalid value: {wrong}"]
    found = [f"{path}: {text}" for text in _wrong_value(value, schema)]
    if isinstance(value, dict):
        found += [f"{_below(path, key)}: Required value" for key in schema.get("required", []) if key not in value]
        more = schema.get("additionalProperties")
        for key, each in value.items():
            its = schema.get("properties", {}).get(key, more if isinstance(more, dict) else None)
            found += problems(each, its, _below(path, key)) if its else []
    if isinstance(value, list):
        for index, each in enumerate(value):
            found += problems(each, schema.get("items", {}), f"{path}[{index}]")
    return found


def broken_rules(value, schema: dict, path: str = "", before=None) -> list[str]:
    """What x-kubernetes-validations say, of a value that fits the schema otherwise. `before`: what is to be replaced."""
    found = []
    for each in schema.get("x-kubernetes-validations", []):
        changes = "oldSelf" in each["rule"]
        if changes and before is None:
            continue
        try:
            good = k8s_cel.evaluate(each["rule"], {"self": value} | ({"oldSelf": before} if changes else {}))
        except k8s_cel.CelError as wrong:
            good, each = False, {"message": f"rule {each['rule']} cannot be evaluated: {wrong}"}
        if good is not True:
            kind = {dict: "object", list: "array"}.get(type(value), "string")
            found.append(f'{path}: Invalid value: "{kind}": {each.get("message", each.get("rule"))}')
    if isinstance(value, dict):
        more = schema.get("additionalProperties")
        for key, each in value.items():
            its = schema.get("properties", {}).get(key, more if isinstance(more, dict) else None)
            found += broken_rules(each, its, _below(path, key), (before or {}).get(key)) if its else []
    if isinstance(value, list):
        for index, each in enumerate(value):
            found += broken_rules(each, schema.get("items", {}), f"{path}[{index}]")
    return found


def _below(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _wrong_type(value, schema: dict) -> str:
    if schema.get("x-kubernetes-int-or-string"):
        good = isinstance(value, (int, str)) and not isinstance(value, bool)
    elif (wanted := schema.get("type")) is None:
        good = True
    elif wanted in ("integer", "number"):
        good = isinstance(value, int if wanted == "integer" else (int, float)) and not isinstance(value, bool)
    else:
        good = isinstance(value, _TYPES[wanted])
    return "" if good else f"{value!r}: must be of type {schema.get('type', 'integer or string')}"


def _wrong_value(value, schema: dict) -> list[str]:
    found = []
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"Unsupported value: {value!r}")
    if isinstance(value, str):
        if "pattern" in schema and not re.search(schema["pattern"], value):
            found.append(f"Invalid value: {value!r}: should match '{schema['pattern']}'")
        found += _wrong_size(len(value), schema.get("minLength"), schema.get("maxLength"), "characters")
        if schema.get("format") == "date-time" and not _is_time(value):
            found.append(f"Invalid value: {value!r}: must be of type date-time")
    if isinstance(value, list):
        found += _wrong_size(len(value), schema.get("minItems"), schema.get("maxItems"), "items")
        found += _twice(value, schema)
    if isinstance(value, dict):
        found += _wrong_size(len(value), schema.get("minProperties"), schema.get("maxProperties"), "properties")
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        found += _wrong_size(value, schema.get("minimum"), schema.get("maximum"), "")
    return found


def _is_time(text: str) -> bool:
    try:
        return "T" in text and datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).tzinfo is not None
    except ValueError:
        return False


def _twice(value: list, schema: dict) -> list[str]:
    """Of a list that is a map by some of its keys."""
    if schema.get("x-kubernetes-list-type") != "map":
        return []
    keys = [tuple(each.get(key) for key in schema["x-kubernetes-list-map-keys"]) for each in value]
    return [f"Duplicate value: {key!r}" for key in sorted(set(keys)) if keys.count(key) > 1]


def _wrong_size(size, least, most, unit: str) -> list[str]:
    found = []
    if least is not None and size < least:
        found.append(f"Invalid value: {size}: should be at least {least} {unit}".rstrip())
    if most is not None and size > most:
        found.append(f"Invalid value: {size}: should be at most {most} {unit}".rstrip())
    return found
