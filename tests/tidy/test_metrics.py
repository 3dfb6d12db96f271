"""Metrics: the table in the code, the document, the dashboard and the alert rules name the same."""

import json
import re

import tree

SUFFIXES = ("_bucket", "_sum", "_count")


def families():
    text = tree.read("src/telemetry/metric_families.h")
    return dict(re.findall(r'metric_family \w+\{\s*"(\w+)",\s*metric_kind::(\w+)', text))


def samples():
    names = set()
    for name, kind in families().items():
        names |= {name + suffix for suffix in SUFFIXES} if kind == "histogram" else {name}
    return names


def used(expression):
    plain = re.sub(r'"[^"]*"', "", expression)
    return set(re.findall(r"\b(?:trunkline|process)_\w+", plain))


def dashboard_expressions():
    panels = json.loads(tree.read("deploy/monitoring/dashboard.json"))["panels"]
    return [target["expr"] for panel in panels for target in panel.get("targets", ())]


def test_every_metric_is_documented():
    documented = set(re.findall(r"(?m)^\| `(\w+)` \|", tree.read("docs/metrics.md")))
    assert documented == set(families())


def test_dashboard_and_alerts_use_what_there_is():
    text = re.sub(r"(?m)^\s*#.*$|^\s*(?:summary|description):.*$", "", tree.read("deploy/monitoring/alerts.yaml"))
    asked = used(text).union(*map(used, dashboard_expressions()))
    assert len(asked) > 20
    assert asked - samples() == set()


def test_every_alert_is_documented():
    alerts = set(re.findall(r"- alert: (\w+)", tree.read("deploy/monitoring/alerts.yaml")))
    assert alerts == set(re.findall(r"(?m)^\| `(\w+)` \|", tree.read("docs/alerts.md")))


def test_a_foreign_metric_is_found():
    assert used('rate(trunkline_x_total{a="trunkline_y"}[5m]) > process_z') == {"trunkline_x_total", "process_z"}
