"""deploy/crds against the schema of their own kind: what an API server takes as a CustomResourceDefinition."""

from __future__ import annotations

import tools

FOLDER = tools.REPOSITORY / "deploy/crds"
KINDS = {"PostgresUpstream", "PostgresRoute", "AccessPolicy"}


def definitions() -> list[dict]:
    return [each for path in sorted(FOLDER.glob("*.yaml")) for each in tools.objects(path.read_text())]


def problems(some: list[dict]) -> list[str]:
    """But those keys of schemas within schemas that the package's own schema, which does not know itself, does not ask for."""
    found = tools.schema_problems(some)
    return [each for each in found if not each.endswith(("unknown field description", *(f"unknown field x-kubernetes-{key}" for key in (
        "validations", "list-type", "list-map-keys", "int-or-string"))))]


def test_they_are_definitions(with_helm):
    assert {each["spec"]["names"]["kind"] for each in definitions()} >= KINDS
    assert problems(definitions()) == []


def test_a_wrong_one_is_none(with_helm):
    wrong = definitions()[0]
    wrong["spec"]["scope"] = 5
    wrong["spec"]["names"]["short"] = ["x"]
    wrong["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["requires"] = []
    found = problems([wrong])
    for said in ("/spec/scope type", "unknown field short", "unknown field requires"):
        assert any(said in each for each in found), found


def test_names_belong_together():
    for each in definitions():
        spec = each["spec"]
        assert each["metadata"]["name"] == f"{spec['names']['plural']}.{spec['group']}"
        assert spec["names"]["singular"] == spec["names"]["kind"].lower() and spec["scope"] == "Namespaced"
        assert [version["name"] for version in spec["versions"] if version["storage"]] == ["v1alpha1"]
        assert all(version["subresources"] == {"status": {}} for version in spec["versions"])
