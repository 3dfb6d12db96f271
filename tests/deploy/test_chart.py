"""The Helm chart: what it makes of meaningful values, against golden files, schemas and what Kubernetes expects."""

from __future__ import annotations

import json
import re
import subprocess

import pytest
import yaml

import tools

pytestmark = pytest.mark.usefixtures("with_helm")
each_case = pytest.mark.parametrize("case", tools.CASES)


def without_secrets(text: str) -> str:
    """Keys and certificates that helm makes are others each time; what is in files of its own has its own tests."""
    text = re.sub(r"(?ms)^(# Source: \S+/crds\.yaml\n).*?(?=^---|\Z)", r"\1# (deploy/crds, deploy/admission)\n", text)
    text = re.sub(r"(?m)^(  (?:replicas\.key|tls\.crt|tls\.key): ).{20,}$", r"\1(made)", text)
    text = re.sub(r"(?ms)^(  trunkline\.json: \|\n).*?(?=^---|\Z)", r"\1    (deploy/monitoring/dashboard.json)\n", text)
    return re.sub(r"(?ms)^(  groups:\n).*?(?=^---|\Z)", r"\1    (deploy/monitoring/alerts.yaml)\n", text)


@each_case
def test_it_is_what_it_was(case, rendered, update):
    golden = tools.HERE / f"golden/{case}.yaml"
    text = without_secrets(rendered[case])
    if update:
        golden.write_text(text)
    assert text == golden.read_text(), "if that is meant: pytest tests/deploy --update, and look at the difference"


def test_every_golden_file_has_its_case():
    assert sorted(path.stem for path in (tools.HERE / "golden").glob("*.yaml")) == tools.CASES


def test_objects_fit_the_schemas_of_their_kinds(rendered):
    everything = [each for text in rendered.values() for each in tools.objects(text)]
    for each in everything:
        for version in each["spec"]["versions"] if each["kind"] == "CustomResourceDefinition" else []:
            version["schema"]["openAPIV3Schema"] = {"type": "object"}  # a schema has no end, and these are made
    assert tools.schema_problems(everything) == []
    kinds = {each["kind"] for each in everything}
    assert kinds >= {"Deployment", "DaemonSet", "Service", "ConfigMap", "Secret", "ServiceAccount", "ClusterRole", "Certificate",
                     "ClusterRoleBinding", "Role", "RoleBinding", "CustomResourceDefinition", "ValidatingAdmissionPolicy", "PodDisruptionBudget", "HorizontalPodAutoscaler", "NetworkPolicy", "ServiceMonitor",
                     "PrometheusRule", "Pod"}


def test_what_does_not_fit_is_seen(rendered):
    deployment = tools.of_kind(tools.objects(rendered["minimal"]), "Deployment")
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    container["livenesProbe"] = container.pop("livenessProbe")
    container["ports"][0]["containerPort"] = "many"
    del deployment["spec"]["selector"]
    problems = "\n".join(tools.schema_problems([deployment]))
    assert "unknown field livenesProbe" in problems and "containerPort" in problems and '"missingProperty":"selector"' in problems


@each_case
def test_patches_fit_too(case, rendered):
    """A patch is a part of a Deployment: with what makes it one it must fit the schema."""
    for each in tools.objects(rendered[case]):
        if "patch.yaml" not in each.get("data", {}):
            continue
        patch = yaml.safe_load(each["data"]["patch.yaml"])
        patch |= {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "app"}}
        patch["spec"]["selector"] = {"matchLabels": {"app": "app"}}
        patch["spec"]["template"]["spec"]["containers"] = [{"name": "app", "image": "app"}]
        assert tools.schema_problems([patch]) == []


@each_case
def test_helm_finds_nothing_to_complain_of(case):
    done = tools.helm_run("lint", tools.CHART, "--strict", "--values", tools.HERE / f"cases/{case}.yaml", "--kube-version", "1.31.0")
    assert "[WARNING]" not in done.stdout and "[ERROR]" not in done.stdout, done.stdout


@each_case
def test_pods_are_restricted(case, rendered):
    """Kubernetes' "restricted" pod security standard, and a root file system that nobody writes to."""
    found = tools.pods(tools.objects(rendered[case]))
    assert found
    for pod in found:
        spec = pod["spec"]
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec)
        assert all("hostPath" not in volume for volume in spec.get("volumes", []))
        if "serve" not in tools.containers(pod)[0]["args"]:
            assert not spec.get("automountServiceAccountToken", False)
        for container in tools.containers(pod):
            context = spec.get("securityContext", {}) | container["securityContext"]
            assert context["runAsNonRoot"] and context["runAsUser"] > 0 and context["readOnlyRootFilesystem"]
            assert context["seccompProfile"] == {"type": "RuntimeDefault"} and not context["allowPrivilegeEscalation"]
            assert context["capabilities"] == {"drop": ["ALL"]} and not context.get("privileged")
            resources = container["resources"]
            assert resources["limits"] == {"memory": resources["requests"]["memory"]}, "no CPU limit, memory as asked for"


@each_case
def test_names_lead_somewhere(case, rendered):
    some = tools.objects(rendered[case])
    pod = tools.gateway_pod(some)
    container = tools.containers(pod)[0]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container[probe]["httpGet"]["port"] in ports
    volumes = {volume["name"] for volume in pod["spec"]["volumes"]}
    assert volumes == {mount["name"] for mount in container["volumeMounts"]}
    for service in (each for each in some if each["kind"] == "Service"):
        assert service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
        for port in service["spec"]["ports"]:
            assert port["targetPort"] in set(ports) | set(ports.values())
            assert port["appProtocol"] == port["name"].split("-")[0]
    for each in some:
        selector = each.get("spec", {}).get("selector") or each.get("spec", {}).get("podSelector")
        if each["kind"] in ("Deployment", "DaemonSet", "PodDisruptionBudget", "NetworkPolicy"):
            assert selector["matchLabels"].items() <= pod["metadata"]["labels"].items()
        if each["kind"] == "ServiceMonitor":
            peers = tools.of_kind(some, "Service", "-peers")
            assert selector["matchLabels"].items() <= peers["metadata"]["labels"].items()
            assert each["spec"]["endpoints"][0]["port"] in [port["name"] for port in peers["spec"]["ports"]]


def check_settings(some: list[dict], binary, secrets, root) -> str:
    """`trunkline check` of the ConfigMap, with the Secrets where the pod has them; returns what was checked."""
    tools.stage(root, some, secrets)
    file = root / "etc/trunkline/trunkline.yaml"
    token = root / "var/run/secrets/kubernetes.io/serviceaccount"
    token.mkdir(parents=True)
    (token / "token").write_text("token")
    (token / "ca.crt").write_bytes(secrets["app-db-ca"]["ca.crt"])
    text = file.read_text()
    for folder in ("/run/secrets", "/var/run/secrets", "/var/lib/trunkline"):
        text = re.sub(rf"(?<=: ){folder}", f"{root}{folder}", text)
    file.write_text(text)
    done = subprocess.run([binary, "check", "-c", file], capture_output=True, text=True, timeout=20)
    assert done.returncode == 0, done.stderr
    return text


@each_case
def test_gateways_understand_their_configuration(case, rendered, binary, secrets, tmp_path):
    """And a pod outlives its drain."""
    some = tools.objects(rendered[case])
    grace = yaml.safe_load(check_settings(some, binary, secrets, tmp_path))["drain"]
    seconds = sum(int(str(grace[key]).removesuffix("s")) for key in ("delay", "grace"))
    pod = tools.gateway_pod(some)
    if case != "sidecar":
        stop = tools.containers(pod)[0].get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        assert pod["spec"]["terminationGracePeriodSeconds"] > seconds + stop


def test_the_guide_is_right(binary, secrets, tmp_path):
    """The quick start of docs/kubernetes.md, and its upstream with several servers in the place of the one."""
    guide = (tools.REPOSITORY / "docs/kubernetes.md").read_text()
    values = yaml.safe_load(re.search(r"(?s)<<'YAML'\n(.*?)\nYAML\n", guide)[1])
    upstream = yaml.safe_load(re.search(r"(?s)# config\.upstreams of the gateway\n(.*?)```", guide)[1])
    for number, upstreams in enumerate((values["config"]["upstreams"], upstream)):
        values["config"]["upstreams"] = upstreams
        values["secretMounts"] = [{"name": "app-db"}, {"name": "app-db-ca"}, {"name": "watch"}]
        file = tmp_path / f"values{number}.yaml"
        file.write_text(yaml.safe_dump(values))
        some = tools.objects(tools.helm_run("template", "trunkline", tools.CHART, "--values", file).stdout)
        assert tools.of_kind(some, "Service", "trunkline")["spec"]["ports"][0]["port"] == 5432
        check_settings(some, binary, secrets, tmp_path / str(number))


NEWER_THAN_126 = ("matchLabelKeys", "unhealthyPodEvictionPolicy", "trafficDistribution", "sleep:", "restartPolicy: Always")


def test_old_clusters_get_nothing_that_they_do_not_know(rendered):
    assert [word for word in NEWER_THAN_126 if word in rendered["oldest"]] == []
    assert "matchLabelKeys" in rendered["minimal"] and "unhealthyPodEvictionPolicy: AlwaysAllow" in rendered["minimal"]


def test_the_oldest_cluster_takes_what_it_gets(rendered):
    """By the schemas of its own version, which know nothing that came later."""
    old = [each for case in ("oldest", "kubernetes-all") for each in tools.objects(rendered[case])
           if each["kind"] not in ("ServiceMonitor", "CustomResourceDefinition")]
    assert {each["kind"] for each in old} >= {"Deployment", "Service", "Role", "ClusterRole", "NetworkPolicy", "PodDisruptionBudget"}
    assert tools.schema_problems(old, tools.OLDEST) == []
    new = tools.schema_problems([tools.of_kind(tools.objects(rendered["daemonset"]), "DaemonSet")], tools.OLDEST)
    assert "unknown field sleep" in "\n".join(new)


def test_monitoring_only_where_the_cluster_has_it(rendered):
    assert "monitoring.coreos.com" not in rendered["minimal"] and "monitoring.coreos.com" in rendered["production"]
    some = tools.objects(rendered["production"])
    rules = tools.of_kind(some, "PrometheusRule")["spec"]
    assert rules == yaml.safe_load((tools.REPOSITORY / "deploy/monitoring/alerts.yaml").read_text())
    dashboard = tools.of_kind(some, "ConfigMap", "-dashboard")
    assert dashboard["metadata"]["labels"]["grafana_dashboard"] == "1"
    own = json.loads((tools.REPOSITORY / "deploy/monitoring/dashboard.json").read_text())
    assert json.loads(dashboard["data"]["trunkline.json"]) == own


REFUSED = {
    "tls.mode=off": "tls.mode",
    "tls.generate=false": "needs a certificate",
    "tls.certManager.enabled=true": "issuerRef",
    "terminationGracePeriodSeconds=70": "must exceed",
    "config.routes=null": "config.routes and config.upstreams",
    "test.enabled=true": "test.user",
    "replicaCount=3": "replicaCount",
    "service.ports=1": "ports",
    "ports.postgres=80": "ports.postgres",
    "kubeVersion=1": "kubeVersion",
}


@pytest.mark.parametrize("setting", REFUSED)
def test_wrong_values_are_refused_with_words(setting):
    done = tools.render("minimal", "--set", setting, check=False)
    assert done.returncode != 0 and REFUSED[setting] in done.stderr, done.stderr


def test_sleep_needs_a_cluster_that_knows_it():
    done = tools.render("minimal", "--set", "preStop.sleepSeconds=5", "--kube-version", "1.29.4", check=False)
    assert done.returncode != 0 and "1.30" in done.stderr
    assert "sleep:" in tools.render("minimal", "--set", "preStop.sleepSeconds=5", "--kube-version", "1.30.0-gke.1").stdout


def test_only_what_needs_a_restart_replaces_pods():
    def sums(*settings):
        return re.findall(r"checksum/\S+ \w+", tools.render("minimal", *settings).stdout)

    usual = sums()
    assert usual and usual == sums("--set", "config.keepalive.idle=10s", "--set", "config.upstreams[0].name=x")
    assert usual != sums("--set", "config.workers=7") and usual != sums("--set", "resources.requests.cpu=9")


def keys_of(values: dict, schema: dict, path: str = "") -> list[str]:
    """Where values.yaml and values.schema.json do not know the same keys."""
    problems = []
    if schema.get("additionalProperties") is not False:
        return problems
    for key in sorted(set(values) ^ set(schema["properties"]) - {"global"}):
        problems.append(f"{path}{key}")
    for key, value in values.items():
        if isinstance(value, dict) and key in schema["properties"]:
            problems += keys_of(value, schema["properties"][key], f"{path}{key}.")
    return problems


def test_schema_and_defaults_know_the_same_keys():
    values = yaml.safe_load((tools.CHART / "values.yaml").read_text())
    schema = json.loads((tools.CHART / "values.schema.json").read_text())
    differing = set(keys_of(values, schema))
    assert differing == {f"tls.certManager.issuerRef.{key}" for key in ("name", "kind", "group")} | {"resources.claims"}


def test_the_package_has_the_monitoring_files(tmp_path):
    tools.helm_run("package", tools.CHART, "--destination", tmp_path)
    names = subprocess.run(["tar", "-tzvf", next(tmp_path.iterdir())], capture_output=True, text=True).stdout
    assert re.search(r"-rw\S+ .*trunkline/files/alerts\.yaml\n", names) and "files/dashboard.json" in names


def test_what_is_applied_as_it_stands_fits_too():
    """Manifests that are neither the chart's nor made of it."""
    job = tools.objects((tools.REPOSITORY / "deploy/doctor/job.yaml").read_text())
    assert [each["kind"] for each in job] == ["Job"] and tools.schema_problems(job) == []
