"""Few long-lived connections spread evenly over the workers."""

from __future__ import annotations

from collections import Counter

import pytest

from harness.wire import RawClient

pytestmark = pytest.mark.needs_gateway


@pytest.mark.parametrize("workers,count", [(2, 8), (4, 8), (3, 7)])
def test_spread(before, server, workers, count):
    gateway, port = before(server, workers=workers)
    clients = [RawClient(port).login() for _ in range(count)]
    for client in clients:
        client.close()
    spread = Counter(line["worker"] for line in gateway.wait_end(count=count))
    assert len(spread) == workers and max(spread.values()) - min(spread.values()) <= 1, spread


def test_a_gap_is_filled(before, server):
    """When one worker's sessions end, new ones go there."""
    gateway, port = before(server, workers=2)
    clients = [RawClient(port).login(application_name=f"c{i}") for i in range(8)]
    for client in clients[::2]:
        client.close()
    first = Counter(line["worker"] for line in gateway.wait_end(count=4))
    again = [RawClient(port).login() for _ in range(4)]
    for client in clients[1::2] + again:
        client.close()
    rest = Counter(line["worker"] for line in gateway.wait_end(count=12)[4:])
    assert abs(rest[0] - rest[1]) <= 1, (first, rest)
