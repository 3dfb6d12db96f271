"""The programs that the tests of deploy/ run, and what they make of its files."""

from __future__ import annotations

import base64
import json
import re
import subprocess
from pathlib import Path

import yaml

REPOSITORY = Path(__file__).resolve().parents[2]
DEPS = REPOSITORY / "build/deps/kubernetes"
CHART = REPOSITORY / "deploy/helm/trunkline"
HERE = Path(__file__).resolve().parent
OLDEST = "kubernetes-models-1.26"
CASES = sorted(path.stem for path in (HERE / "cases").glob("*.yaml"))


def installed() -> bool:
    return (DEPS / "bin/helm").exists()


def helm_run(*arguments, check: bool = True) -> subprocess.CompletedProcess:
    done = subprocess.run([DEPS / "bin/helm", *map(str, arguments)], capture_output=True, text=True, timeout=60,
                          env={"HOME": "/nonexistent", "PATH": "/usr/bin:/bin"})
    # Symlinks into deploy/monitoring, which helm tells of and follows.
    done.stderr = "".join(line for line in done.stderr.splitlines(True) if "found symbolic link" not in line)
    assert not check or done.returncode == 0, done.stderr
    return done


def render(case: str, *arguments, check: bool = True, namespace: str = "prod") -> subprocess.CompletedProcess:
    """`helm template` with the values of a case, and the arguments that its comment names."""
    values = HERE / f"cases/{case}.yaml"
    own = re.search(r"(?m)^# helm: (.*)$", values.read_text())[1].split()
    return helm_run("template", "gateway", CHART, "--namespace", namespace, "--values", values, *own, *arguments, check=check)


def objects(text: str) -> list[dict]:
    return [each for each in yaml.safe_load_all(text) if each]


def kustomize(folder: Path) -> list[dict]:
    done = subprocess.run([DEPS / "bin/kubectl", "kustomize", folder], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return objects(done.stdout)


def of_kind(all_of_them: list[dict], kind: str, ending: str = "") -> dict:
    found = [each for each in all_of_them if each["kind"] == kind and each["metadata"]["name"].endswith(ending)]
    assert len(found) == 1, [(each["kind"], each["metadata"]["name"]) for each in all_of_them]
    return found[0]


def schema_problems(some: list[dict], package: str = "kubernetes-models") -> list[str]:
    """By the schemas of Kubernetes 1.33; with `OLDEST` of 1.26."""
    done = subprocess.run(["node", HERE / "schemas.mjs", DEPS / "node_modules", package], input=json.dumps(some), capture_output=True,
                          text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    named = zip(some, json.loads(done.stdout))
    return [f"{each['kind']} {each['metadata']['name']}: {problem}" for each, problems in named for problem in problems]


def pods(some: list[dict]) -> list[dict]:
    """Every pod: specs with the metadata beside them."""
    found = []
    for each in some:
        if each["kind"] == "Pod":
            found.append(each)
        elif each["kind"] in ("Deployment", "DaemonSet", "StatefulSet", "Job"):
            found.append(each["spec"]["template"])
        elif each["kind"] == "ConfigMap" and "patch.yaml" in each["data"]:
            found.append(yaml.safe_load(each["data"]["patch.yaml"])["spec"]["template"])
    return found


def containers(pod: dict) -> list[dict]:
    return pod["spec"].get("containers", []) + pod["spec"].get("initContainers", [])


def gateway_pod(some: list[dict]) -> dict:
    return next(pod for pod in pods(some) if "serve" in containers(pod)[0]["args"])


def settings_text(some: list[dict]) -> str:
    return next(each["data"]["trunkline.yaml"] for each in some
                if each["kind"] == "ConfigMap" and "trunkline.yaml" in each["data"])


def stage(root: Path, some: list[dict], secrets: dict[str, dict[str, bytes]]) -> None:
    """Lays out below `root` what the kubelet would: the ConfigMap and the Secrets that the pod mounts, by their names."""
    pod = gateway_pod(some)
    made = {each["metadata"]["name"]: {key: base64.b64decode(value) for key, value in each["data"].items()}
            for each in some if each["kind"] == "Secret"}
    volumes = {volume["name"]: volume for volume in pod["spec"]["volumes"]}
    for mount in containers(pod)[0]["volumeMounts"]:
        folder = root / mount["mountPath"].lstrip("/")
        folder.mkdir(parents=True, exist_ok=True)
        volume = volumes[mount["name"]]
        content = {}
        if "configMap" in volume:
            content = {"trunkline.yaml": settings_text(some).encode()}
        elif "secret" in volume:
            name = volume["secret"]["secretName"]
            content = secrets.get(name) or made[name]
        for key, value in content.items():
            (folder / key).write_bytes(value)
