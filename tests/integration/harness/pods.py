"""Pods as a cluster has them: processes with addresses of their own (network namespaces on one bridge), that find each
other by the DNS, and a Service in front of them. Everything of it is in 198.18.0.0/15, which RFC 2544 keeps for tests."""

from __future__ import annotations

import contextlib
import os
import random
import re
import shutil
import signal
import threading
import time
import urllib.request
from pathlib import Path

from harness.dns import FakeDns
from harness.gateway import Gateway
from harness.system import run

CHART = Path(__file__).resolve().parents[3] / "deploy/kustomize/base"  # what the chart makes, as a file
PEERS = "trunkline-peers.trunkline.svc.cluster.local"
POSTGRES, STATUS = 6432, 9631


class Pod:
    """`prefix` starts a program there; `address` is its own."""

    def __init__(self, net: "PodNetwork", number: int):
        self.address = f"{net.prefix}.{number}"
        self.name = f"tl-{net.number}-{number}"
        self.prefix = ["ip", "netns", "exec", self.name]
        self._link = f"tlp{net.number}-{number}"
        run(["ip", "netns", "add", self.name])
        run(["ip", "link", "add", self._link, "type", "veth", "peer", "name", "eth0", "netns", self.name])
        run(["ip", "link", "set", self._link, "master", net.bridge, "up"])
        for words in (["address", "add", f"{self.address}/24", "dev", "eth0"], ["link", "set", "lo", "up"],
                      ["link", "set", "eth0", "up"]):
            run([*self.prefix, "ip", *words])
        # `ip netns exec` puts it where programs look for it.
        self._etc = Path("/etc/netns") / self.name
        self._etc.mkdir(parents=True)
        (self._etc / "resolv.conf").write_text(f"nameserver {net.host}\noptions ndots:5 timeout:1\n")

    def remove(self) -> None:
        run(["ip", "link", "delete", self._link], check=False)
        run(["ip", "netns", "delete", self.name], check=False)
        shutil.rmtree(self._etc, ignore_errors=True)


class PodNetwork:
    """`host` is the address of the tests' own programs in it; there is its name server."""

    def __init__(self):
        self.number = random.randrange(1 << 8)
        self.prefix = f"198.19.{self.number}"
        self.host = f"{self.prefix}.1"
        self.bridge = f"tlb{self.number}"
        self._pods: list[Pod] = []

    def __enter__(self) -> "PodNetwork":
        run(["ip", "link", "add", self.bridge, "type", "bridge"])
        run(["ip", "address", "add", f"{self.host}/24", "dev", self.bridge])
        run(["ip", "link", "set", self.bridge, "up"])
        self.dns = FakeDns(self.host, 53)
        return self

    def __exit__(self, *_):
        self.dns.close()
        for each in self._pods:
            each.remove()
        run(["ip", "link", "delete", self.bridge], check=False)

    def pod(self) -> Pod:
        self._pods.append(Pod(self, len(self._pods) + 2))
        return self._pods[-1]


class PodGateway(Gateway):
    """A gateway in a pod of its own, with the configuration that the chart makes."""

    def __init__(self, binary: Path, folder: Path, text: str, pod: Pod):
        super().__init__(binary, folder, {})
        self.pod, self.text, self._prefix = pod, text, pod.prefix

    def write_config(self, config: dict | None = None) -> None:
        self.file.write_text(self.text)

    def _listens(self) -> bool:
        self.check_alive()
        return self.ready()

    def ready(self) -> bool:
        with contextlib.suppress(OSError):
            return urllib.request.urlopen(f"http://{self.pod.address}:{STATUS}/readyz", timeout=2).status == 200
        return False

    def metrics(self) -> str:
        return urllib.request.urlopen(f"http://{self.pod.address}:{STATUS}/metrics", timeout=5).read().decode()

    def cancels(self, result: str) -> int:
        return int(re.search(rf'^trunkline_cancels_total{{result="{result}"}} (\d+)$', self.metrics(), re.M)[1])


class Deployment:
    """The chart's: `replicas` gateways, replaced one by one, the new one first. What a kubelet and kube-proxy do is done
    here: who is ready is in `endpoints`, and who is told to end leaves them `lag` seconds later."""

    def __init__(self, net: PodNetwork, binary: Path, folder: Path, text: str, *, replicas: int = 2, lag: float = 0.5):
        self._net, self._binary, self._folder, self._text, self._lag = net, binary, folder, text, lag
        self.endpoints: list[str] = []
        self.gateways: list[PodGateway] = []
        self._all: list[PodGateway] = []
        self.grace = int(re.search(r"terminationGracePeriodSeconds: (\d+)", (CHART / "gateway.yaml").read_text())[1])
        for _ in range(replicas):
            self.add()

    def add(self) -> PodGateway:
        made = PodGateway(self._binary, self._folder / f"pod{len(self._all)}", self._text, self._net.pod())
        self._all.append(made)
        self.gateways.append(made)
        self._publish()  # publishNotReadyAddresses
        made.start()
        self.endpoints.append(made.pod.address)
        return made

    def end(self, which: PodGateway) -> float:
        """SIGTERM, and how long that took; it must be within the grace of its pod."""
        began = time.monotonic()
        which.send(signal.SIGTERM)
        late = threading.Timer(self._lag, self.endpoints.remove, [which.pod.address])
        late.start()
        assert which.wait(self.grace) == 0
        late.join()
        self.gateways.remove(which)
        self._publish()
        return time.monotonic() - began

    def roll(self) -> list[float]:
        """`rollingUpdate: {maxUnavailable: 0, maxSurge: 1}`."""
        took = []
        for old in list(self.gateways):
            self.add()
            took.append(self.end(old))
        return took

    def stop(self) -> None:
        for each in self._all:
            each.stop()

    def _publish(self) -> None:
        self._net.dns.set(PEERS, a=[each.pod.address for each in self.gateways], ttl=1)


def chart_config(endpoint: str, secrets: Path, *, delay: str = "", upstream_tls: str = "require") -> str:
    """trunkline.yaml as it is in the pod, but for where its Secrets are, its server, and a drain that is shorter."""
    text = (CHART / "trunkline.yaml").read_text()
    text = text.replace("/run/secrets", str(secrets)).replace("app-db-rw.prod.svc.cluster.local.:5432", endpoint)
    front, back = text.rsplit("mode: require", 1)
    text = f"{front}mode: {upstream_tls}{back}"
    return text.replace("delay: 10s", f"delay: {delay}") if delay else text


def lay_secrets(folder: Path, certificate, users: str) -> Path:
    """As they are mounted."""
    for name, content in (("trunkline-tls/tls.crt", certificate.cert.read_bytes()),
                          ("trunkline-tls/tls.key", certificate.key.read_bytes()),
                          ("trunkline-replicas/replicas.key", os.urandom(48)), ("trunkline/app-db/users.txt", users.encode())):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
        (folder / name).chmod(0o600)
    return folder

