"""Who may do what at an API server: rules as those of Roles, each bound to one subject."""

from __future__ import annotations

import threading
from dataclasses import dataclass


@dataclass(frozen=True)
class Rule:
    subject: str  # a user, or "group:NAME"
    verbs: tuple[str, ...]
    resources: tuple[str, ...]
    group: str = ""
    namespace: str = ""  # empty: all of them, as with a ClusterRoleBinding
    names: tuple[str, ...] = ()


def _in(word: str, allowed: tuple[str, ...]) -> bool:
    return "*" in allowed or word in allowed


class Rbac:
    """What no rule allows is refused; `system:masters` may do everything."""

    def __init__(self):
        self._lock = threading.Lock()
        self._rules: list[Rule] = []

    def grant(self, rule: Rule) -> Rule:
        with self._lock:
            self._rules.append(rule)
        return rule

    def revoke(self, rule: Rule) -> None:
        with self._lock:
            self._rules.remove(rule)

    def allows(self, user: str, groups: list[str], verb: str, group: str, resource: str, namespace: str, name: str) -> bool:
        if "system:masters" in groups:
            return True
        subjects = {user, *(f"group:{each}" for each in groups)}
        with self._lock:
            return any(rule.subject in subjects and _in(verb, rule.verbs) and _in(resource, rule.resources)
                       and rule.group in ("*", group) and rule.namespace in ("", namespace)
                       and (not rule.names or name in rule.names) for rule in self._rules)
