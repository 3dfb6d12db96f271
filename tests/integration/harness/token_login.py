"""A client with a token in the place of its password, over TLS; the server's user is `trustuser`, whoever it is."""

from __future__ import annotations

import time

import pytest

from harness.wire import RawClient, Refused, trusting


def connect(port: int, authority) -> RawClient:
    client = RawClient(port, timeout=30)
    assert client.ssl_request() == b"S"
    return client.tls(trusting(authority.cert))


def login(port: int, authority, user: str, token: str) -> float:
    """How long it took; raises Refused."""
    with connect(port, authority) as client:
        began = time.monotonic()
        client.login(user, token)
        took = time.monotonic() - began
        assert client.simple("select current_user") == [["trustuser"]]
        return took


def refusal(port: int, authority, user: str, token: str) -> Refused:
    with pytest.raises(Refused) as refused:
        login(port, authority, user, token)
    return refused.value
