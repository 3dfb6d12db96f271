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
    ("begin", "set DateStyle = 'ISO, MDY'", "deallocate all", "reset TimeZone", "commit"),
    ("set TimeZone = 'GMT'; set work_mem = '4MB'; create temp table t (n int); drop table t; reset DateStyle",),
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


# To who reads the text by other rules than the server, all of it is one string.
HIDDEN = {"old strings": rb"select length('\'')::text || set_config($$work_mem$$, $$7MB$$, false) -- '",
          "two bytes": b"select length(E'\x83\x5c')::text || set_config($$work_mem$$, $$7MB$$, false) -- '"}
OLD, NEW = {"standard_conforming_strings": "off"}, {"client_encoding": "SJIS"}


@pytest.mark.parametrize("hidden, start, before", [
    ("old strings", OLD, ()),
    ("old strings", {"options": "-c standard_conforming_strings=off"}, ()),
    ("old strings", {}, ("set standard_conforming_strings = off",)),
    ("old strings", OLD, ("set standard_conforming_strings = on", "reset all")),
    ("old strings", OLD, ("set standard_conforming_strings = on", "discard all")),
    ("two bytes", NEW, ()),
    ("two bytes", {}, ("set client_encoding = 'SJIS'",)),
    ("two bytes", NEW, ("set client_encoding = 'UTF8'", "reset client_encoding")),
])
def test_texts_are_read_by_the_rules_of_their_session(pooled, hidden, start, before):
    _gateway, port = pooled("transaction", size=1)
    with RawClient(port).login(**start) as one, RawClient(port).login() as other:
        for text in before:
            one.simple(text)
            other.simple("select 1")
        one.send(message("Q", HIDDEN[hidden] + b"\0"))
        assert one.result() == [["17MB"]]
        assert other.simple("show work_mem") != [["7MB"]]
        assert one.simple("show work_mem") == [["7MB"]]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("before, within", [("SQL, DMY", "ISO, MDY"), ("ISO, MDY", "German, DMY"), ("SQL, DMY", "German, DMY")])
def test_a_transaction_that_nobody_ends_takes_its_settings_along(pooled, servers, mode, before, within):
    """SET LOCAL, and the client is gone: what the server takes back the gateway takes back too."""
    _gateway, port = pooled(mode, size=1, server=servers[servers.versions[-1]])
    for number in range(3):
        gone = RawClient(port).login()
        gone.simple(f"set DateStyle = '{before}'")
        for text in ("begin", f"set local DateStyle = '{within}'", "select 1"):
            gone.simple(text)
        gone.close()
        for start in ({}, {"work_mem": f"{5 + number}MB"}):
            with RawClient(port).login(**start) as other:
                assert other.parameters["DateStyle"] == "ISO, MDY"
                assert other.simple("show DateStyle") == [["ISO, MDY"]]
