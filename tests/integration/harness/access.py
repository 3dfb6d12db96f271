"""Access policies: gateways that have some, and roads of all kinds to try them on."""

from __future__ import annotations

import pytest

from harness import audit
from harness.gateway import port_of, simple_config
from harness.wire import Closed, RawClient

POOLINGS = ("off", "session", "transaction")


def policy(name: str = "p", user="*", **more) -> dict:
    return {"name": name, "subjects": {"user": user}} | more


def trust_config(server, *policies: dict, pooling: str = "off", route: dict | None = None, **more) -> dict:
    """One route where the gateway takes the client's word, and logs in at the server as `trustuser`."""
    return simple_config(
        server.endpoint, auth={"method": "trust"},
        route={"pooling": pooling, "credentials": {"user": "trustuser"}} | (route or {}),
        access={"policies": list(policies)}, **more)


class Access:
    """`access(policy(...), pooling=...)` starts a gateway; `port` is that of its listener, `folder` its audit's."""

    def __init__(self, start_gateway, server, folder):
        self._start, self.server, self._folder = start_gateway, server, folder
        self._count = 0
        self.folder = folder
        self.gateway = None
        self.port = 0

    def __call__(self, *policies: dict, pooling: str = "off", route: dict | None = None, **more) -> int:
        self._count += 1
        self.folder = self._folder.with_name(f"audit{self._count}")
        config = trust_config(self.server, *policies, pooling=pooling, route=route,
                              **({"audit": audit.to_folder(self.folder)} | more))
        self.gateway = self._start(config)
        self.port = port_of(self.gateway.config, "main")
        return self.port


def ended(client: RawClient) -> dict:
    """The FATAL that ends it."""
    fields = client.read_error()
    assert fields["S"] == "FATAL", fields
    with pytest.raises((Closed, ConnectionError)):
        client.read()
    return fields
