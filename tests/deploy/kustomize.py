"""deploy/kustomize is the chart without Helm: made of what it renders, so that there is one source."""

from __future__ import annotations

import re

import tools

FOLDER = tools.REPOSITORY / "deploy/kustomize"
NAMESPACE = "trunkline"
MADE = "# Made of deploy/helm/trunkline by `pytest tests/deploy --update`; change it there, or in an overlay of yours.\n"


def plain(text: str) -> str:
    """One object of the chart, without what only Helm makes of it."""
    text = re.sub(r"(?m)^ *helm\.sh/chart: .*\n", "", text)
    text = text.replace("app.kubernetes.io/managed-by: Helm", "app.kubernetes.io/managed-by: kustomize")
    return re.sub(r"(?m)^# Source: .*\n", "", text).strip("\n") + "\n"


def documents(case: str) -> list[str]:
    text = tools.render(case, namespace=NAMESPACE).stdout
    return [plain(each) for each in re.split(r"(?m)^---\n", text) if re.search(r"(?m)^kind: ", each)]


def kind(document: str) -> str:
    return re.search(r"(?m)^kind: (\w+)$", document)[1]


def wanted() -> dict[str, str]:
    """File -> content."""
    base = documents("kustomize")
    settings = tools.settings_text([each for text in base for each in tools.objects(text)])
    monitoring = [each for each in base if kind(each) in ("ServiceMonitor", "PrometheusRule")]
    rest = [each for each in base if each not in monitoring and kind(each) != "ConfigMap"]
    rights = [each for each in documents("kustomize-objects") if kind(each).removeprefix("Cluster") in ("Role", "RoleBinding")]
    side = [tools.objects(each)[0] for each in documents("sidecar")]
    patch = next(each["data"]["patch.yaml"] for each in side if "patch.yaml" in each["data"])
    return {
        "base/gateway.yaml": MADE + "---\n".join(rest),
        "base/trunkline.yaml": settings + "\n",
        "objects/rights.yaml": MADE + "---\n".join(rights),
        "monitoring/monitoring.yaml": MADE + "---\n".join(monitoring),
        "sidecar/patch.yaml": MADE + "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: any}\n" + patch + "\n",
        "sidecar/trunkline.yaml": tools.settings_text(side) + "\n",
    }
