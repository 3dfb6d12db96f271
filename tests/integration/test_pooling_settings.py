"""Settings of the start-up message are what RESET goes back to, behind a pool too: after every statement a session shows
and has been told what it would at a server of its own."""

from __future__ import annotations

from contextlib import suppress

import pytest

from harness.pooled import MODES
from harness.wire import RawClient, Refused, message, query
from harness.wire_parts import bind, execute, parse

pytestmark = pytest.mark.needs_gateway

START = {"TimeZone": "Asia/Tokyo", "application_name": "at the start", "work_mem": "9MB",
         "options": "-c statement_timeout=77s -c DateStyle=German"}
SHOWN = ("TimeZone", "application_name", "work_mem", "statement_timeout", "DateStyle", "lock_timeout", "IntervalStyle")
REPORTED = ("TimeZone", "application_name", "DateStyle", "IntervalStyle")
STATEMENTS = (
    ("set TimeZone = 'UTC'", "reset TimeZone"),
    ("set TimeZone = 'Europe/Berlin'; set work_mem = '5MB'", "reset all"),
    ("set TimeZone to default", "set work_mem to default", "set lock_timeout = '3s'", "reset lock_timeout"),
    ("set IntervalStyle = 'iso_8601'", "set TimeZone = 'UTC'", "discard all"),
    ("begin", "set TimeZone = 'UTC'", "reset all", "select 1", "commit"),
    ("begin", "set TimeZone = 'UTC'", "reset TimeZone", "rollback"),
    ("set TimeZone = 'UTC'", "begin", "reset all", "rollback"),
    ("set TimeZone = 'UTC'", "begin", "reset TimeZone", "select 1 / 0", "rollback"),
    ("begin; set local TimeZone = 'UTC'; commit", "reset all"),
    ("reset nothing_of_this_name", "reset TimeZone"),
    ("set DateStyle = 'ISO, DMY'; reset DateStyle; set TimeZone = 'UTC'",),
    ("set application_name = 'own'", "reset application_name"),
    ("set session characteristics as transaction isolation level serializable", "reset all",
     "show default_transaction_isolation"),
)


def state(client: RawClient) -> list[str]:
    """In a failed transaction nothing can be asked."""
    with suppress(Refused):
        return client.simple("select " + ", ".join(f"current_setting('{name}')" for name in SHOWN))[0]
    return ["failed"]


def lived(client: RawClient, statements) -> list[tuple]:
    seen = []
    for text in statements:
        with suppress(Refused):
            client.simple(text)
        told = {name: client.parameters[name] for name in REPORTED}
        seen.append((text, told, state(client)))
    return seen


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("statements", STATEMENTS, ids=lambda texts: texts[-1])
def test_reset_is_as_at_a_server(pooled, servers, mode, statements):
    server = servers[servers.versions[-1]]
    _gateway, port = pooled(mode, size=2, server=server)
    with RawClient(server.port).login(**START) as direct:
        wanted = lived(direct, statements)
    # The connections have been somebody else's, with other settings.
    for zone in ("America/Lima", "Africa/Cairo"):
        with RawClient(port).login(TimeZone=zone) as before:
            before.simple("set work_mem = '3MB'")
    with RawClient(port).login(**START) as client, RawClient(port).login(TimeZone="Europe/Rome") as other:
        assert lived(client, statements) == wanted
        assert other.simple("show TimeZone") == [["Europe/Rome"]]


@pytest.mark.parametrize("mode", MODES)
def test_reset_in_the_extended_protocol(pooled, mode):
    """And with further queries behind it, that do not wait for its answer."""
    _gateway, port = pooled(mode, size=1)
    with RawClient(port).login(**START) as client:
        for _ in range(3):
            client.simple("set TimeZone = 'UTC'")
            client.send(parse("", "reset TimeZone") + bind("", "") + execute() + message("S"))
            client.send(query("show TimeZone"))
            client.result()
            client.result()
            assert client.simple("show TimeZone") == [[START["TimeZone"]]]
            assert client.parameters["TimeZone"] == START["TimeZone"]
