"""Objects as their controllers make them: EndpointSlices of services and of operators' clusters, Secrets, kubeconfigs."""

from __future__ import annotations

import base64
import json
from pathlib import Path

NAMESPACE = "prod"
SERVICE_LABEL = "kubernetes.io/service-name"


def endpoint(address: str, *, ready: bool = True, serving: bool | None = None, terminating: bool = False, zone: str = "",
             pod: str = "") -> dict:
    made = {"addresses": [address], "conditions": {"ready": ready and not terminating,
                                                   "serving": ready if serving is None else serving,
                                                   "terminating": terminating}}
    made |= {"zone": zone} if zone else {}
    return made | ({"targetRef": {"kind": "Pod", "namespace": NAMESPACE, "name": pod}} if pod else {})


def endpoint_slice(service: str, endpoints: list, *, ports: dict[str, int], suffix: str = "x7k2p", labels: dict | None = None,
                   namespace: str = NAMESPACE, family: str = "IPv4") -> dict:
    """`endpoints`: addresses, or what `endpoint` makes. The slice has its service's labels."""
    return {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": family,
            "metadata": {"name": f"{service}-{suffix}", "namespace": namespace, "labels": {
                SERVICE_LABEL: service, "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io"} | (labels or {})},
            "ports": [{"name": name, "port": port, "protocol": "TCP"} for name, port in ports.items()],
            "endpoints": [endpoint(each) if isinstance(each, str) else each for each in endpoints]}


def secret(name: str, data: dict[str, bytes], *, namespace: str = NAMESPACE, labels: dict | None = None) -> dict:
    return {"apiVersion": "v1", "kind": "Secret", "type": "Opaque",
            "metadata": {"name": name, "namespace": namespace, "labels": labels or {}},
            "data": {key: base64.b64encode(value).decode() for key, value in data.items()}}


def kubeconfig(file: Path, server: str, user: dict, *, cluster: dict) -> Path:
    """JSON is YAML."""
    file.write_text(json.dumps({
        "apiVersion": "v1", "kind": "Config", "current-context": "here",
        "clusters": [{"name": "k", "cluster": {"server": server} | cluster}], "users": [{"name": "gateway", "user": user}],
        "contexts": [{"name": "here", "context": {"cluster": "k", "user": "gateway", "namespace": NAMESPACE}}]}))
    return file
