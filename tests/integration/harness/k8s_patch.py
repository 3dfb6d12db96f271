"""Patches of objects: RFC 7386 (merge), RFC 6902 (JSON patch)."""

from __future__ import annotations

import copy


class PatchError(Exception):
    pass


def merged(target, patch):
    """RFC 7386."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    made = copy.deepcopy(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            made.pop(key, None)
        else:
            made[key] = merged(made.get(key), value)
    return made


def patched(target, operations: list[dict]):
    """RFC 6902: add, remove, replace and test."""
    made = copy.deepcopy(target)
    for each in operations:
        *way, last = [part.replace("~1", "/").replace("~0", "~") for part in each["path"].split("/")[1:]]
        try:
            place = made
            for part in way:
                place = place[int(part) if isinstance(place, list) else part]
            _apply(each, place, last)
        except (KeyError, IndexError, TypeError, ValueError) as problem:
            raise PatchError(f"{each['op']} of {each['path']} cannot be done: {problem!r}") from problem
    return made


def _apply(operation: dict, place, last: str) -> None:
    what, key = operation["op"], last
    if isinstance(place, list):
        key = len(place) if last == "-" else int(last)
    if what == "add" and isinstance(place, list):
        place.insert(key, copy.deepcopy(operation["value"]))
    elif what in ("add", "replace"):
        if what == "replace":
            place[key]  # has to be there
        place[key] = copy.deepcopy(operation["value"])
    elif what == "remove":
        del place[key]
    elif what == "test" and place[key] == operation["value"]:
        return
    else:
        raise ValueError(what)
