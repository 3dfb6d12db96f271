"""What the chart lets a gateway do at the API server: as much as its values need, and nothing else."""

from __future__ import annotations

import pytest

import tools

pytestmark = pytest.mark.usefixtures("with_helm")

READS = {"get", "list", "watch"}
OURS = {"postgresupstreams", "postgresroutes", "accesspolicies"}


def rights(some: list[dict]) -> dict[str, dict[str, set[str]]]:
    """Namespace ("*": all of them) -> resource, or resource/NAME -> verbs, of what is bound to the gateway."""
    account = tools.of_kind(some, "ServiceAccount")["metadata"]
    made: dict[str, dict[str, set[str]]] = {}
    for binding in some:
        if binding["kind"] not in ("RoleBinding", "ClusterRoleBinding"):
            continue
        assert binding["subjects"] == [{"kind": "ServiceAccount", "name": account["name"], "namespace": account["namespace"]}]
        space = binding["metadata"].get("namespace")
        role = next(each for each in some if each["kind"] == binding["roleRef"]["kind"]
                    and each["metadata"]["name"] == binding["roleRef"]["name"] and each["metadata"].get("namespace") == space)
        at = made.setdefault(space or "*", {})
        for rule in role["rules"]:
            for resource in rule["resources"]:
                for name in rule.get("resourceNames", [""]):
                    at.setdefault(f"{resource}={name}" if name else resource, set()).update(rule["verbs"])
    return made


def ours(resource: str) -> bool:
    return resource.split("/")[0] in OURS


def test_a_gateway_that_asks_nothing_has_no_right(rendered):
    for case in ("minimal", "daemonset", "oldest", "kustomize"):
        some = tools.objects(rendered[case])
        assert not any(each["kind"].endswith(("Role", "Binding")) for each in some)
        assert tools.gateway_pod(some)["spec"]["automountServiceAccountToken"] is False


@pytest.mark.parametrize("case", tools.CASES)
def test_a_token_is_there_where_it_is_needed(case, rendered):
    some = tools.objects(rendered[case])
    if case == "sidecar":
        return
    assert tools.gateway_pod(some)["spec"]["automountServiceAccountToken"] is bool(rights(some))


@pytest.mark.parametrize("case", tools.CASES)
def test_rules_name_what_they_mean(case, rendered):
    """No wildcards; Secrets by their names and read only; nothing of others but statuses is written."""
    for each in tools.objects(rendered[case]):
        for rule in each.get("rules", []) if each["kind"] in ("Role", "ClusterRole") else []:
            assert "*" not in rule["apiGroups"] + rule["resources"] + rule["verbs"], rule
            assert "nonResourceURLs" not in rule
            gateway = each["metadata"]["name"].endswith("-trunkline")
            assert gateway or not any(resource.endswith("/status") for resource in rule["resources"]), "people write none"
            if "secrets" in rule["resources"]:
                assert each["kind"] == "Role" and rule["resourceNames"] and rule["verbs"] == ["list", "watch"], rule
    if case != "sidecar":
        for space, may in rights(tools.objects(rendered[case])).items():
            for resource, verbs in may.items():
                if ours(resource):
                    assert verbs == ({"patch"} if resource.endswith("/status") else READS), (space, resource)


def test_objects_of_two_namespaces(rendered):
    may = rights(tools.objects(rendered["kubernetes"]))
    assert set(may) == {"*", "prod", "shop", "billing"}
    assert may["*"] == {"tokenreviews": {"create"}, "subjectaccessreviews": {"create"},
                        "validatingadmissionpolicies=accessrequests.trunkline.dev": {"get"},
                        "validatingadmissionpolicybindings=accessrequests.trunkline.dev": {"get"}}
    assert may["billing"] == {"endpointslices": {"list", "watch"}}
    assert {name for name in may["prod"] if name.startswith("secrets=")} == {"secrets=app-db-app", "secrets=app-db-ca"}
    assert {name for name in may["shop"] if name.startswith("secrets")} == {"secrets=orders-app"}
    for space in ("prod", "shop"):
        assert may[space]["events"] == {"create"} and may[space]["endpointslices"] == {"list", "watch"}
        assert may[space]["accessrequests"] == READS | {"create", "delete"} and may[space]["accessrequests/status"] == {"update"}
        assert may[space]["postgresroutes/status"] == {"patch"}
    assert "leases" not in may["shop"] and "delete" in may["prod"]["leases"], "of its own namespace"


def test_objects_everywhere(rendered):
    may = rights(tools.objects(rendered["kubernetes-all"]))
    assert set(may["*"]) == {"endpointslices"} | OURS | {f"{each}/status" for each in OURS}
    assert may["shop"] == {"secrets=orders-app": {"list", "watch"}}
    assert may["prod"] == {"leases": {"create"}, "leases=trunkline-trunkline": {"get", "update"}}
    assert "CustomResourceDefinition" not in rendered["kubernetes-all"]


def test_people_get_what_their_role_says(rendered):
    some = [each for each in tools.objects(rendered["kubernetes"]) if each["kind"] == "ClusterRole"]
    by_end = {each["metadata"]["name"].removeprefix("prod-trunkline").lstrip("-"): each for each in some}
    assert set(by_end) == {"", "view", "edit", "admin", "connect", "approve"}
    for name in ("view", "edit", "admin"):
        added = [key for key in by_end[name]["metadata"]["labels"] if "aggregate" in key]
        assert added == [f"rbac.authorization.k8s.io/aggregate-to-{name}"]
    for name in ("view", "edit", "admin", "approve"):
        for rule in by_end[name]["rules"]:
            assert not {"connect", "write", "admin"} & set(rule["verbs"]), "a database is given by a binding of its own"
    assert by_end["connect"]["rules"] == [{"apiGroups": ["trunkline.dev"], "resources": ["postgresroutes"], "verbs": ["connect"]}]
    writes = [rule["resources"] for rule in by_end["edit"]["rules"]]
    assert writes == [["postgresupstreams", "postgresroutes"], ["accessrequests"]], "policies are for admins"


def test_what_somebody_else_binds_is_not_made():
    text = tools.render("kubernetes", "--set", "rbac.create=false").stdout
    assert "kind: Role" not in text and "automountServiceAccountToken: true" in text


REFUSED = {
    ("minimal", "kubernetes.objects.namespaces[0]=a/b"): "namespaces",
    ("minimal", "kubernetes.discovery[0].namespace=*"): "namespace",
    ("kubernetes", "kubernetes.objects.secrets.elsewhere[0]=x"): "is of no use",
    ("kubernetes", "kubernetes.objects.secrets.shop[0]=*"): "secrets",
    ("sidecar", "rbac.tokenReview=true"): "ServiceAccount",
    ("minimal", "rbac.secrets=true"): "secrets",
}


@pytest.mark.parametrize("case, setting", REFUSED)
def test_wrong_values_are_refused_with_words(case, setting):
    done = tools.render(case, "--set", setting, check=False)
    assert done.returncode != 0 and REFUSED[case, setting] in done.stderr, done.stderr


def definitions(*settings: str) -> list[str]:
    return [each["metadata"]["name"] for each in tools.objects(tools.render("kubernetes", *settings).stdout)
            if each["kind"] == "CustomResourceDefinition"]


def test_definitions_are_those_of_the_repository():
    text = tools.render("kubernetes", "--set", "crds.keep=false").stdout
    made = {each["metadata"]["name"]: each for each in tools.objects(text) if each["kind"] == "CustomResourceDefinition"}
    own = {}
    for path in sorted((tools.REPOSITORY / "deploy/crds").glob("*.yaml")):
        own |= {each["metadata"]["name"]: each for each in tools.objects(path.read_text())
                if each["kind"] == "CustomResourceDefinition"}
    assert made == own and set(own) == {f"{each}.trunkline.dev" for each in OURS | {"accessrequests"}}


def test_definitions_outlive_a_release_and_come_as_they_are_needed():
    kept = [each for each in tools.objects(tools.render("kubernetes").stdout) if each["kind"] == "CustomResourceDefinition"]
    assert len(kept) == 4
    assert all(each["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep" for each in kept)
    assert definitions("--set", "crds.install=false") == []
    assert definitions("--set", "kubernetes.requests=false") == sorted(f"{each}.trunkline.dev" for each in OURS)
    assert definitions("--set", "kubernetes.objects.enabled=false,config.routes[0].name=a,config.upstreams[0].name=a") == [
        "accessrequests.trunkline.dev"]


def test_answers_need_a_policy_where_the_cluster_has_such():
    text = tools.render("kubernetes").stdout
    assert text.count("kind: ValidatingAdmissionPolicy\n") == 1 and text.count("kind: ValidatingAdmissionPolicyBinding\n") == 1
    for settings in (("--kube-version", "1.29.0"), ("--set", "kubernetes.requests=false"), ("--set", "crds.install=false")):
        assert "ValidatingAdmissionPolicy\n" not in tools.render("kubernetes", *settings).stdout
