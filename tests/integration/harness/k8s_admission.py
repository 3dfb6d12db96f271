"""ValidatingAdmissionPolicies, as an API server holds writes to them: their own CEL, with an authorizer that asks RBAC."""

from __future__ import annotations

import re

from harness import k8s_cel
from harness.k8s_rbac import Rbac
from harness.k8s_store import ApiError, Resource, Store

ADMISSION = ("admissionregistration.k8s.io", "v1")
POLICIES = Resource(*ADMISSION, "validatingadmissionpolicies", "ValidatingAdmissionPolicy")
BINDINGS = Resource(*ADMISSION, "validatingadmissionpolicybindings", "ValidatingAdmissionPolicyBinding")

_CHECK = re.compile(r"authorizer((?:\s*\.\s*(?:group|resource|subresource|namespace|name|check)\([^()]*\))+)\s*\.\s*allowed\(\)")
_STEP = re.compile(r"\.\s*(\w+)\(([^()]*)\)")


class Admission:
    """`review` raises what the API server would answer."""

    def __init__(self, store: Store, rbac: Rbac):
        self._store, self._rbac = store, rbac
        for each in (POLICIES, BINDINGS):
            store.add_resource(each)

    def review(self, verb: str, resource: Resource, user: str, groups: list[str], before: dict | None, after: dict) -> None:
        for binding in self._store.all(BINDINGS):
            spec = binding["spec"]
            policy = self._store.find(POLICIES, "", spec["policyName"])
            if policy is not None and "Deny" in spec["validationActions"] and self._is_for(policy, verb, resource):
                self._hold(policy, binding, verb, resource, (user, groups), before, after)

    @staticmethod
    def _is_for(policy: dict, verb: str, resource: Resource) -> bool:
        return any(resource.group in rule["apiGroups"] and resource.plural in rule["resources"] and verb in rule["operations"]
                   for rule in policy["spec"]["matchConstraints"]["resourceRules"])

    def _hold(self, policy, binding, verb, resource, who, before, after) -> None:
        meta = after["metadata"]
        known = {"object": after, "oldObject": before, "variables": {},
                 "request": {"operation": verb, "namespace": meta.get("namespace", ""), "name": meta["name"],
                             "userInfo": {"username": who[0], "groups": who[1]}}}
        for each in policy["spec"].get("variables", []):
            known["variables"][each["name"]] = self._value(each["expression"], known, who)
        for each in policy["spec"]["validations"]:
            if self._value(each["expression"], known, who) is not True:
                reason = each.get("reason", "Invalid")
                raise ApiError({"Forbidden": 403, "Unauthorized": 401}.get(reason, 422), reason,
                               f'{resource.plural}.{resource.group} "{meta["name"]}" is forbidden: ValidatingAdmissionPolicy '
                               f"'{policy['metadata']['name']}' with binding '{binding['metadata']['name']}' denied request: "
                               f"{each['message']}")

    def _value(self, expression: str, known: dict, who):
        """What the authorizer says becomes a variable of its own."""
        allowed = {}

        def asked(found: re.Match) -> str:
            steps = {step[1]: k8s_cel.evaluate(step[2], known) for step in _STEP.finditer(found[1])}
            resource = steps["resource"] + (f"/{steps['subresource']}" if "subresource" in steps else "")
            name = f"allowed{len(allowed)}"
            allowed[name] = self._rbac.allows(who[0], who[1], steps["check"], steps["group"], resource,
                                              steps.get("namespace", ""), steps.get("name", ""))
            return name

        plain = _CHECK.sub(asked, expression)
        assert "authorizer" not in plain, f"this double cannot read {expression!r}"
        return k8s_cel.evaluate(plain, known | allowed)
