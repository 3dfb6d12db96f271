"""/metrics as Prometheus and its tools see it, and the rules of deploy/monitoring."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.parse
import urllib.request

import pytest

from harness.admin import Admin
from harness.postgres import PASSWORD, USER, DATABASE, client_program
from harness.system import REPOSITORY, free_port, run, stop, wait_until

MONITORING = REPOSITORY / "deploy" / "monitoring"


def test_rules_are_right():
    run(["promtool", "check", "rules", MONITORING / "alerts.yaml"])
    run(["promtool", "test", "rules", "alerts_test.yaml"], cwd=MONITORING)


@pytest.fixture
def watched(before, server):
    admin_port = free_port()
    _, port = before(server, admin={"address": f"127.0.0.1:{admin_port}"})
    return port, Admin(admin_port)


@pytest.mark.needs_gateway
def test_scraping_under_load(watched):
    port, admin = watched
    environment = {"PGPASSWORD": PASSWORD, "PATH": "/usr/bin:/bin"}
    script = ["-h", "127.0.0.1", "-p", str(port), "-U", USER, "-n", "-c", "16", "-T", "4", "-f", "-", DATABASE]
    load = subprocess.Popen([client_program("pgbench"), *script], env=environment, text=True, stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    load.stdin.write("select 1;\n")
    load.stdin.close()
    load.stdin = None
    scrapes = 0
    while load.poll() is None:
        status, kind, body = admin.get("/metrics", Accept="application/openmetrics-text")
        assert status == 200 and kind.startswith("application/openmetrics-text") and body.endswith("# EOF\n")
        scrapes += 1
        time.sleep(0.01)
    said = load.communicate()[0]
    assert load.returncode == 0 and scrapes > 5, said
    text = admin.metrics()
    assert run(["promtool", "check", "metrics"], input=text).returncode == 0
    done = sum(int(line.split()[-1]) for line in text.splitlines() if line.startswith("trunkline_exchanges_total{"))
    assert done >= 16, text


@pytest.mark.needs_gateway
@pytest.mark.long
def test_prometheus_scrapes_it(watched, tmp_path):
    _, admin = watched
    config = {"scrape_configs": [{"job_name": "trunkline", "scrape_interval": "1s", "scrape_timeout": "1s",
                                  "static_configs": [{"targets": [f"127.0.0.1:{admin.port}"]}]}],
              "rule_files": [str(MONITORING / "alerts.yaml")]}
    (tmp_path / "prometheus.yaml").write_text(json.dumps(config))
    port = free_port()
    with open(tmp_path / "log", "wb") as log:
        process = subprocess.Popen(
            ["prometheus", f"--config.file={tmp_path}/prometheus.yaml", f"--storage.tsdb.path={tmp_path}/data",
             f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log)

    def ask(query: str) -> list:
        url = f"http://127.0.0.1:{port}/api/v1/query?" + urllib.parse.urlencode({"query": query})
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return json.load(answer)["data"]["result"]
        except OSError:
            return []

    try:
        wait_until(lambda: ask('trunkline_config_generation{job="trunkline"} == 1'), 40, "prometheus has scraped")
        assert ask("up == 1") and ask("trunkline_build_info")
    finally:
        stop(process)
