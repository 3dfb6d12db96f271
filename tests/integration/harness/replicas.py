"""Several gateways before one server, as the replicas of one deployment."""

from __future__ import annotations

import re
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.admin import Admin
from harness.gateway import Gateway, port_of, simple_config
from harness.system import free_port
from harness.wire import RawClient, Refused, cancel_request, query


class Replica:
    def __init__(self, gateway: Gateway):
        self.gateway = gateway
        self.port = port_of(gateway.config, "main")
        self.endpoint = f"127.0.0.1:{self.port}"
        self.admin = Admin(int(gateway.config["admin"]["address"].rsplit(":", 1)[1]))

    def cancels(self, result: str) -> int:
        found = re.search(rf'^trunkline_cancels_total{{result="{result}"}} (\d+)$', self.admin.metrics(), re.M)
        return int(found[1])

    def login(self, version: tuple[int, int] = (3, 0), **more) -> RawClient:
        client = RawClient(self.port)
        client.login(version=version, **more)
        return client


def replica_config(endpoint: str, port: int, replicas: dict, **more) -> dict:
    config = simple_config(endpoint, **more)
    config["listeners"][0]["address"] = f"127.0.0.1:{port}"
    return config | {"admin": {"address": f"127.0.0.1:{free_port()}"}, "replicas": replicas}


def secret_file(folder: Path, name: str = "replicas.key", fill: bytes = b"s") -> str:
    path = folder / name
    path.write_bytes(b"\0\n" + fill * 40)
    return str(path)


def start_replicas(start_gateway, endpoint: str, count: int, *, extra_peers=(), key_file: str | None = None,
                   own: dict | None = None, **more) -> list[Replica]:
    """`own`: by number of the replica, what its own `replicas` has beside the common part."""
    ports = [free_port() for _ in range(count)]
    peers = {"endpoints": [f"127.0.0.1:{port}" for port in ports] + list(extra_peers)}
    made = []
    for i, port in enumerate(ports):
        replicas = {"number": i + 1, "peers": peers} | ({"keyFile": key_file} if key_file else {})
        replicas |= (own or {}).get(i, {})
        made.append(Replica(start_gateway(replica_config(endpoint, port, replicas, **more))))
    return made


def send_cancel(port: int, pid: int, key: bytes, *, tls=None, source: str | None = None, host: str = "127.0.0.1") -> float:
    """As libpq does: no answer, and an orderly end. How long that took."""
    with RawClient(port, host) as canceller:
        started = time.monotonic()
        if tls:
            assert canceller.ssl_request() == b"S"
            canceller.tls(tls)
        canceller.send(cancel_request(pid, key))
        data, how = canceller.receive_to_end()
        assert data == b"" and how == "fin", (data, how)
        return time.monotonic() - started


@contextmanager
def running(client: RawClient, seconds: float = 30):
    """A statement that the body cancels: it must end with 57014 and the session live on."""
    client.send(query(f"select pg_sleep({seconds})"))
    time.sleep(0.15)
    yield
    with pytest.raises(Refused) as refused:
        client.result()
    assert refused.value.code == "57014"
    assert client.simple("select 'alive'") == [["alive"]]
