"""The image: what is in it, and a gateway that runs from it as in the pod that the chart describes."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import tarfile
import tempfile
import urllib.request
from pathlib import Path

import pytest

import tools
from harness.certs import Authority
from harness.postgres import DATABASE, PASSWORD, USER, Server, client_program
from harness.system import IS_ROOT, free_port, wait_until

pytestmark = pytest.mark.skipif(not IS_ROOT, reason="only root may enter another root file system as another user")


@pytest.fixture(scope="module")
def layout(binary, tmp_path_factory) -> Path:
    made = tmp_path_factory.mktemp("image") / "layout"
    done = subprocess.run([tools.REPOSITORY / "scripts/image", binary, made], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    print(done.stdout)
    return made


def blob(layout: Path, descriptor: dict) -> Path:
    path = layout / "blobs" / descriptor["digest"].replace(":", "/")
    assert hashlib.sha256(path.read_bytes()).hexdigest() == path.name
    return path


@pytest.fixture(scope="module")
def manifest(layout) -> dict:
    index = json.loads((layout / "index.json").read_text())
    assert len(index["manifests"]) == 1
    return json.loads(blob(layout, index["manifests"][0]).read_text())


def test_it_runs_as_nobody_in_particular(layout, manifest):
    config = json.loads(blob(layout, manifest["config"]).read_text())
    assert config["os"] == "linux" and config["architecture"] in ("amd64", "arm64")
    made = config["config"]
    assert made["User"] == "65532:65532" and made["StopSignal"] == "SIGTERM"
    assert made["Entrypoint"] == ["/usr/bin/trunkline"] and made["Cmd"] == ["serve", "-c", "/etc/trunkline/trunkline.yaml"]
    docker = (tools.REPOSITORY / "deploy/image/Dockerfile").read_text()
    for line in (f"USER {made['User']}", f"ENTRYPOINT {json.dumps(made['Entrypoint'])}", f"CMD {json.dumps(made['Cmd'])}"):
        assert line in docker, "the Dockerfile makes the same image"


def test_it_holds_a_gateway_and_no_shell(layout, manifest):
    assert len(manifest["layers"]) == 1
    with tarfile.open(blob(layout, manifest["layers"][0])) as layer:
        files = {member.name.removeprefix("./"): member for member in layer}
    programs = [name for name, member in files.items() if "/bin/" in f"/{name}" and member.isfile()]
    assert programs == ["usr/bin/trunkline"]
    assert {member.uid for member in files.values()} == {0} and not any(member.mode & 0o6000 for member in files.values())
    assert "etc/ssl/certs/ca-certificates.crt" in files and "usr/share/zoneinfo/Europe/Berlin" in files
    assert any(name.startswith("var/lib/dpkg/status.d/libssl3") for name in files), "scanners see what is in it"
    libraries = [name for name in files if ".so" in name and files[name].isfile()]
    assert all(f"usr/share/doc/{Path(name).name}/copyright" in files for name in files if "status.d/" in name) and libraries


class Pod:
    """The container of a rendered pod: its image's root file system, read-only, its mounts, its user, its arguments."""

    def __init__(self, layout: Path, folder: Path, some: list[dict], secrets: dict):
        subprocess.run(["umoci", "unpack", "--rootless", "--image", f"{layout}:0.1.0", folder / "bundle"], check=True,
                       capture_output=True, timeout=120)
        self.root = folder / "bundle/rootfs"
        tools.stage(self.root, some, secrets)
        pod = tools.gateway_pod(some)
        security, self.container = pod["spec"]["securityContext"], tools.containers(pod)[0]
        user, group = security["runAsUser"], security["fsGroup"]
        state = self.root / "var/lib/trunkline"
        os.chown(state, 0, group)
        state.chmod(0o2775)
        for path in (self.root / "run/secrets").rglob("*"):
            os.chown(path, 0, group)
            path.chmod(0o440 if path.is_file() else 0o755)
        inside = """
            mount --bind "$1" "$1" && mount -t proc proc "$1/proc" && mount --bind "$1/var/lib/trunkline" "$1/var/lib/trunkline" &&
            mount -o remount,bind,ro "$1" && root=$1 && shift && exec chroot --userspec="$0" "$root" /usr/bin/trunkline "$@" """
        self.log = folder / "log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                ["unshare", "--mount", "sh", "-c", inside, f"{user}:{group}", self.root, *self.container["args"]],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={"HOSTNAME": "gateway-trunkline-7d9c6b8f5-x2k4j"})

    def probe(self, name: str) -> bool:
        wanted = self.container[name]["httpGet"]
        port = next(port["containerPort"] for port in self.container["ports"] if port["name"] == wanted["port"])
        assert self.process.poll() is None, self.log.read_text()
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{wanted['path']}", timeout=2) as answer:
                return answer.status == 200
        except OSError:
            return False


@pytest.fixture(scope="module")
def server():
    folder = Path(tempfile.mkdtemp(prefix="trunkline-"))
    folder.chmod(0o755)  # for the user who runs PostgreSQL
    authority = Authority(folder / "ca")
    made = Server(15, folder / "pg", authority.issue("server"), authority.cert).create()
    yield made
    made.stop()
    shutil.rmtree(folder)


def psql(port: int, root_certificate: Path, statement: str) -> subprocess.CompletedProcess:
    dsn = (f"host=gateway-trunkline.prod.svc.cluster.local hostaddr=127.0.0.1 port={port} user={USER} dbname={DATABASE} "
           f"sslmode=verify-full sslrootcert={root_certificate}")
    return subprocess.run([client_program("psql"), "-XAtc", statement, dsn], capture_output=True, text=True, timeout=30,
                          env={"PGPASSWORD": PASSWORD, "PATH": "/usr/bin:/bin"})


def test_a_rendered_pod_carries_sessions(layout, with_helm, server, tmp_path):
    """The minimal case as `helm install` makes it, certificate and replicas' key included; only addresses are this machine's."""
    port, status, admin = free_port(), free_port(), free_port()
    upstreams = [{"name": "app-db", "endpoints": [server.endpoint], "tls": {"mode": "require"}}]
    some = tools.objects(tools.render("minimal", "--set", f"ports.postgres={port},ports.status={status}",
                                      "--set", f"config.admin.address=127.0.0.1:{admin}",
                                      "--set-json", f"config.upstreams={json.dumps(upstreams)}").stdout)
    users = "".join(f'"{name}" "{verifier}"\n' for name, verifier in server.verifiers()).encode()
    pod = Pod(layout, tmp_path, some, {"app-db": {"users.txt": users}})
    try:
        wait_until(lambda: pod.probe("startupProbe"), 20, "it is ready")
        assert pod.probe("readinessProbe") and pod.probe("livenessProbe")
        certificate = pod.root / "run/secrets/trunkline-tls/tls.crt"
        done = psql(port, certificate, "select 6 * 7, ssl from pg_stat_ssl where pid = pg_backend_pid()")
        assert done.stdout == "42|t\n", done.stderr + pod.log.read_text()
        assert os.stat(f"/proc/{pod.process.pid}").st_uid == 65532
        mounts = Path(f"/proc/{pod.process.pid}/mountinfo").read_text()
        assert " / ro," in mounts and " /var/lib/trunkline rw," in mounts, "nothing but the state's folder can be written"
    finally:
        pod.process.send_signal(signal.SIGTERM)
        assert pod.process.wait(60) == 0, pod.log.read_text()
    assert '"level":"error"' not in pod.log.read_text().replace('": "', '":"')
