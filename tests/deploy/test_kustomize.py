"""deploy/kustomize: the chart for those without Helm, and what `kubectl kustomize` makes of it."""

from __future__ import annotations

import pytest
import yaml

import kustomize
import tools

pytestmark = pytest.mark.usefixtures("with_helm")


@pytest.fixture(scope="module")
def wanted() -> dict[str, str]:
    return kustomize.wanted()


def test_it_is_what_the_chart_makes(wanted, update):
    for name, content in wanted.items():
        if update:
            (kustomize.FOLDER / name).write_text(content)
        assert (kustomize.FOLDER / name).read_text() == content, f"{name}: pytest tests/deploy --update"


def test_base_and_monitoring_fit_the_schemas(tmp_path):
    for name in ("base", "monitoring"):
        (tmp_path / name).mkdir()
        for path in (kustomize.FOLDER / name).iterdir():
            (tmp_path / name / path.name).write_text(path.read_text())
    overlay = {"resources": ["base"], "components": ["monitoring"], "images": [{"name": "trunkline", "newName": "example.org/t"}]}
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(overlay))
    some = tools.kustomize(tmp_path)
    assert tools.schema_problems(some) == []
    assert {each["metadata"].get("namespace") for each in some} == {kustomize.NAMESPACE}
    kinds = sorted(each["kind"] for each in some)
    assert kinds == ["ConfigMap", "Deployment", "PodDisruptionBudget", "PrometheusRule", "Service", "Service",
                     "ServiceAccount", "ServiceMonitor"]
    assert tools.containers(tools.gateway_pod(some))[0]["image"].startswith("example.org/t:")
    assert "helm" not in yaml.safe_dump(some).lower()


def test_objects_bring_their_rights(tmp_path):
    for name in ("base", "objects"):
        (tmp_path / name).mkdir()
        for path in (kustomize.FOLDER / name).iterdir():
            (tmp_path / name / path.name).write_text(path.read_text())
    overlay = {"namespace": "db", "resources": ["base"], "components": ["objects"]}
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(overlay))
    some = tools.kustomize(tmp_path)
    assert tools.schema_problems(some) == []
    assert tools.gateway_pod(some)["spec"]["automountServiceAccountToken"] is True
    bindings = [each for each in some if each["kind"].endswith("RoleBinding")]
    assert {each["kind"] for each in bindings} == {"RoleBinding", "ClusterRoleBinding"}
    account = tools.of_kind(some, "ServiceAccount")["metadata"]
    assert all(each["subjects"] == [{"kind": "ServiceAccount", "name": account["name"], "namespace": "db"}] for each in bindings)


def test_the_sidecar_is_put_into_a_pod(tmp_path):
    (tmp_path / "sidecar").mkdir()
    for path in (kustomize.FOLDER / "sidecar").iterdir():
        (tmp_path / "sidecar" / path.name).write_text(path.read_text())
    app = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "shop"},
           "spec": {"selector": {"matchLabels": {"app": "shop"}},
                    "template": {"metadata": {"labels": {"app": "shop"}},
                                 "spec": {"containers": [{"name": "shop", "image": "shop"}],
                                          "initContainers": [{"name": "migrate", "image": "shop"}]}}}}
    (tmp_path / "app.yaml").write_text(yaml.safe_dump(app))
    (tmp_path / "kustomization.yaml").write_text("resources: [app.yaml]\ncomponents: [sidecar]\n")
    some = tools.kustomize(tmp_path)
    assert tools.schema_problems(some) == []
    spec = tools.of_kind(some, "Deployment")["spec"]["template"]["spec"]
    inits = {each["name"]: each for each in spec["initContainers"]}
    assert [each["name"] for each in spec["containers"]] == ["shop"]
    assert list(inits) == ["trunkline", "migrate"], "the gateway is there when the migration runs"
    assert inits["trunkline"]["restartPolicy"] == "Always"
    config = tools.of_kind(some, "ConfigMap")["metadata"]["name"]
    assert {"name": "trunkline-config", "configMap": {"name": config}} in spec["volumes"]
