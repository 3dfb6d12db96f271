"""COPY of 1 GiB out and in, once in each mode, by psql."""

from __future__ import annotations

import hashlib
import os
import subprocess

import pytest

from harness.postgres import client_program

pytestmark = pytest.mark.long

SIZE = int(os.environ.get("TRUNKLINE_BULK_BYTES", 1 << 30))
BLOCK = (("0123456789abcdef" * 64)[:1023] + "\n").encode() * 1024
SECONDS = 120


def pytest_generate_tests(metafunc):
    metafunc.parametrize("mode", metafunc.config.trunkline_modes)


@pytest.fixture(scope="module")
def digest() -> str:
    wanted = hashlib.sha256()
    for _ in range(SIZE // len(BLOCK)):
        wanted.update(BLOCK)
    return wanted.hexdigest()


def psql(target, text: str, **more) -> subprocess.Popen:
    conninfo = " ".join("{}='{}'".format(key, value.replace("\\", "\\\\").replace("'", "\\'"))
                        for key, value in target.libpq().items())
    return subprocess.Popen([client_program("psql"), "-XAt", "-v", "ON_ERROR_STOP=1", "-c", text, conninfo],
                            stderr=subprocess.PIPE, **more)


def test_copy_out(road, server, mode, digest):
    target = road(mode, server.version)
    line, rows = BLOCK[:1023].decode(), SIZE // 1024
    seen, size = hashlib.sha256(), 0
    with psql(target, f"copy (select '{line}' from generate_series(1, {rows})) to stdout", stdin=subprocess.DEVNULL,
              stdout=subprocess.PIPE) as process:
        while data := process.stdout.read(1 << 20):
            seen.update(data)
            size += len(data)
        _, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, err
    assert size == rows * 1024 and seen.hexdigest() == digest


def test_copy_in(road, server, mode):
    """The server reads and checks every line and keeps those that are not as they were sent: none."""
    target = road(mode, server.version)
    server.query("create table if not exists bulk (line text); grant all on bulk to app")
    with psql(target, "copy bulk from stdin where line is distinct from '{}'".format(BLOCK[:1023].decode()),
              stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            for _ in range(SIZE // len(BLOCK)):
                process.stdin.write(BLOCK)
        except BrokenPipeError:
            pass  # psql says why
        out, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, err
    assert out == b"COPY 0\n"
