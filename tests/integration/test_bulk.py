"""COPY of 1 GiB out and in, once in each mode."""

from __future__ import annotations

import hashlib
import os

import psycopg
import pytest

pytestmark = pytest.mark.long

SIZE = int(os.environ.get("TRUNKLINE_BULK_BYTES", 1 << 30))
LINE = ("0123456789abcdef" * 64)[:1023]


def pytest_generate_tests(metafunc):
    metafunc.parametrize("mode", metafunc.config.trunkline_modes)


def test_copy_out_and_in(road, server, mode):
    """Rows of 1 KiB: the bytes that come out are known, and go in again until the server has counted them."""
    target = road(mode, server.version)
    rows, block = SIZE // 1024, (LINE + "\n").encode() * 1024
    wanted = hashlib.sha256()
    for _ in range(rows // 1024):
        wanted.update(block)
    with psycopg.connect(**target.libpq()) as session, session.cursor() as cursor:
        seen, size = hashlib.sha256(), 0
        with cursor.copy(f"copy (select '{LINE}' from generate_series(1, {rows})) to stdout") as copying:
            for data in copying:
                seen.update(data)
                size += len(data)
        assert size == rows * 1024 and seen.hexdigest() == wanted.hexdigest()
        # The server reads and parses every line, and rejects all of them: nothing is stored.
        cursor.execute("create temp table bulk (line text)")
        cursor.execute("create function pg_temp.refuse() returns trigger language plpgsql as 'begin return null; end'")
        cursor.execute("create trigger refuse before insert on bulk for each row execute function pg_temp.refuse()")
        with cursor.copy("copy bulk from stdin") as copying:
            for _ in range(rows // 1024):
                copying.write(block)
        # A trigger that returns null leaves the row out, so the tag counts none of them.
        assert cursor.statusmessage == "COPY 0"
        assert cursor.execute("select 1").fetchone() == (1,)
