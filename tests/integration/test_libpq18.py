"""libpq 18, the newest: direct TLS, protocol 3.2, encrypted cancels. Debian's psql, started on the newer library."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time

import pytest

from harness.postgres import client_program
from harness.system import DEPENDENCIES

LIBRARY = (DEPENDENCIES / "postgres" / "18" / "lib").resolve()


def pytest_generate_tests(metafunc):
    if "mode" in metafunc.fixturenames:
        metafunc.parametrize("mode", metafunc.config.trunkline_modes)


@pytest.fixture(autouse=True)
def _needs_18(servers):
    if 18 not in servers.versions or not (LIBRARY / "libpq.so.5").exists():
        pytest.skip("needs PostgreSQL 18 from npm")


def conninfo(target, **more) -> str:
    return " ".join("{}='{}'".format(key, value.replace("\\", "\\\\").replace("'", "\\'"))
                    for key, value in target.libpq(**more).items())


def start(target, **more) -> subprocess.Popen:
    return subprocess.Popen([client_program("psql"), "-XqAt", conninfo(target, **more)], text=True,
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            env=os.environ | {"LD_LIBRARY_PATH": str(LIBRARY)})


def psql(target, script: str, **more) -> tuple[str, str]:
    process = start(target, **more)
    try:
        return process.communicate(script, timeout=30)
    finally:
        process.kill()


def test_it_is_libpq_18(road, mode, servers):
    """A connection option that older versions do not know is the proof."""
    out, err = psql(road(mode, 18), "select 1;\n", ssl_min_protocol_version="TLSv1.2", min_protocol_version="3.0")
    assert out == "1\n", err


@pytest.mark.parametrize("protocol", ["3.0", "3.2", "latest"])
def test_protocol_versions(road, mode, protocol):
    least = "3.2" if protocol == "latest" else protocol
    out, err = psql(road(mode, 18), "select 6 * 7;\n", min_protocol_version=least, max_protocol_version=protocol)
    assert out == "42\n", err


def test_3_2_against_an_older_server_is_negotiated_down(road, mode, servers):
    out, err = psql(road(mode, servers.versions[0]), "select 1;\n", max_protocol_version="3.2")
    assert out == "1\n", err
    out, err = psql(road(mode, servers.versions[0]), "select 1;\n", min_protocol_version="3.2",
                    max_protocol_version="3.2")
    if mode.startswith("pooled"):
        assert out == "1\n", err  # what the gateway speaks with a client of a pool is its own
    elif servers.versions[0] < 18:
        assert out == "" and "protocol" in err, (out, err)


def test_direct_tls(road, mode):
    target = road(mode, 18)
    if not target.tls:
        pytest.skip("no TLS on the client leg")
    out, err = psql(target, "select 1;\n\\conninfo\n", sslnegotiation="direct", min_protocol_version="3.2",
                    max_protocol_version="3.2", **({"channel_binding": "require"} if target.binding else {}))
    assert out.startswith("1\n") and "SSL connection" in out, (out, err)


def test_direct_tls_to_a_server_that_does_not_speak_it(road, mode, servers):
    """The legs are negotiated separately: direct TLS with the client, SSLRequest with an old server."""
    target = road(mode, servers.versions[0])
    if not target.tls or mode in ("direct", "passthrough"):
        pytest.skip("the same TLS on the whole road")
    out, err = psql(target, "select 1;\n", sslnegotiation="direct")
    assert out == "1\n", err


@pytest.mark.parametrize("negotiation", ["postgres", "direct"])
@pytest.mark.parametrize("protocol", ["3.0", "3.2"])
def test_cancel(road, mode, protocol, negotiation):
    """Ctrl-C: psql 15 calls PQcancel, which in libpq 18 is still the plain one; the key is the point here."""
    target = road(mode, 18)
    if negotiation == "direct" and not target.tls:
        pytest.skip("no TLS on the client leg")
    process = start(target, min_protocol_version=protocol, max_protocol_version=protocol,
                    **({"sslnegotiation": "direct"} if negotiation == "direct" else {}))
    guard = threading.Timer(40, process.kill)
    guard.start()
    try:
        process.stdin.write("select 'started';\nselect pg_sleep(30);\n")
        process.stdin.flush()
        assert process.stdout.readline() == "started\n", process.stderr.read()
        time.sleep(0.4)
        started = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=35)
        assert "canceling statement due to user request" in err and time.monotonic() - started < 15, err
    finally:
        guard.cancel()
        process.kill()


CANCELLER = """
import ctypes, sys, threading, time
lib = ctypes.CDLL(sys.argv[1] + "/libpq.so.5")
for name in ("PQconnectdb", "PQcancelCreate", "PQexec"):
    getattr(lib, name).restype = ctypes.c_void_p
lib.PQerrorMessage.restype = lib.PQcancelErrorMessage.restype = lib.PQresultErrorField.restype = ctypes.c_char_p
connection = ctypes.c_void_p(lib.PQconnectdb(sys.argv[2].encode()))
assert lib.PQstatus(connection) == 0, lib.PQerrorMessage(connection)
assert lib.PQsendQuery(connection, b"select pg_sleep(30)")
time.sleep(0.3)
cancel = ctypes.c_void_p(lib.PQcancelCreate(connection))
assert lib.PQcancelBlocking(cancel) == 1, lib.PQcancelErrorMessage(cancel)
lib.PQgetResult.restype = ctypes.c_void_p
result = ctypes.c_void_p(lib.PQgetResult(connection))
print(lib.PQresultErrorField(result, ord("C")).decode())
"""


@pytest.mark.parametrize("negotiation", ["postgres", "direct"])
@pytest.mark.parametrize("protocol", ["3.0", "3.2"])
def test_encrypted_cancel(road, mode, protocol, negotiation, tmp_path):
    """PQcancelBlocking opens its connection exactly as the session's: TLS, verified, direct or not."""
    target = road(mode, 18)
    if negotiation == "direct" and not target.tls:
        pytest.skip("no TLS on the client leg")
    script = tmp_path / "canceller.py"
    script.write_text(CANCELLER)
    more = {"sslnegotiation": "direct"} if negotiation == "direct" else {}
    done = subprocess.run(["/usr/bin/python3", str(script), str(LIBRARY), conninfo(
        target, min_protocol_version=protocol, max_protocol_version=protocol, **more)], text=True, timeout=45,
        capture_output=True, env=os.environ | {"LD_LIBRARY_PATH": str(LIBRARY)})
    assert done.stdout == "57014\n", done.stdout + done.stderr


def test_grease(road, mode):
    """What a later libpq asks for: a version that nobody speaks. 18 asks for it on demand only."""
    out, err = psql(road(mode, 18), "select 1;\n", max_protocol_version="latest")
    assert out == "1\n", err
