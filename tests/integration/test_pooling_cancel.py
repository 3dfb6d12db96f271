"""Cancel in a saturated pool: it hits the statement that it is for, and never another client's."""

from __future__ import annotations

import asyncio
import random

import pytest

from harness.pooled import MODES, TRUNKLINE, TRUSTED, stop_backends, wait_quiet
from stress import cancels

pytestmark = pytest.mark.needs_gateway

# In session mode a client keeps its server connection: with more clients than connections, some would only wait.
CLIENTS = {"session": 12, "transaction": 60}
SIZES = {"session": 12, "transaction": 10}


@pytest.mark.random
@pytest.mark.parametrize("mode", MODES)
def test_a_cancel_has_no_victims(pooled, servers, mode, quick, long):
    server = servers[servers.versions[-1]]
    stop_backends(server)
    _gateway, port = pooled(mode, size=SIZES[mode], server=server, maxWait="2m")
    seed, wanted = random.randrange(1 << 30), 100_000 if long else 500 if quick else 2_000
    count = asyncio.run(cancels.run(port, TRUSTED, "app", clients=CLIENTS[mode], cancels=wanted, seed=seed))
    print(f"seed {seed}: {count.statements} statements, {count.cancels} cancels: {count.hit} had to hit and did, "
          f"{count.waiting} hit what still waited, {count.either} came when a statement began or ended; victims {len(count.victims)}, "
          f"missed {len(count.missed)}")
    assert not count.victims, f"seed {seed}: {len(count.victims)} were cancelled by others: {count.victims[:20]}"
    assert not count.missed, f"seed {seed}: {len(count.missed)} cancels did nothing: {count.missed[:20]}"
    assert not count.wrong, f"seed {seed}: {len(count.wrong)} wrong answers: {count.wrong[:20]}"
    assert count.hit > count.cancels / 10, "the test has cancelled too few running statements to say anything"
    assert count.waiting > 0 or mode == "session" or pooled.kind != TRUNKLINE, "nobody has waited"
    wait_quiet(server, SIZES[mode] if pooled.limited else None)
