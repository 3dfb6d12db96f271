"""Clients that wait for a server connection: each gets its turn, whatever settings the one before has left."""

from __future__ import annotations

import pytest

from harness.wire import RawClient, query

pytestmark = pytest.mark.needs_gateway

ROUNDS = 10


def work_mem(client: RawClient, number: int) -> None:
    client.login()
    client.simple(f"set work_mem = '{5 + number % 3}MB'")


def start_up(client: RawClient, number: int) -> None:
    client.login(application_name=f"turns {number}", TimeZone=("UTC", "Europe/Berlin", "Asia/Tokyo")[number % 3])


def nothing(client: RawClient, number: int) -> None:
    client.login()


@pytest.mark.parametrize("size,clients", [(1, 3), (2, 8), (4, 40)])
@pytest.mark.parametrize("settings", [nothing, work_mem, start_up], ids=lambda settings: settings.__name__)
def test_everybody_gets_a_turn(pooled, size, clients, settings):
    """All ask at once, again and again."""
    _gateway, port = pooled("transaction", size=size)
    sessions = [RawClient(port, timeout=15) for _ in range(clients)]
    for number, session in enumerate(sessions):
        settings(session, number)
    for _ in range(ROUNDS):
        for number, session in enumerate(sessions):
            session.send(query(f"select {number}, current_setting('work_mem'), current_setting('TimeZone')"))
        answers = [session.result() for session in sessions]
        for number, ((own, memory, zone),) in enumerate(answers):
            assert own == str(number)
            assert settings is not work_mem or memory == f"{5 + number % 3}MB"
            assert settings is not start_up or zone == ("UTC", "Europe/Berlin", "Asia/Tokyo")[number % 3]
    for session in sessions:
        session.close()
