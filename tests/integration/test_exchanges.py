"""What the exchange queue foresees is what PostgreSQL sends: random conversations, legal and illegal, with each version."""

from __future__ import annotations

import subprocess
import threading
from pathlib import Path

import pytest

from harness.wire import RawClient, query


@pytest.fixture(scope="session")
def conversations(pytestconfig) -> Path:
    """Built beside the gateway (tests/conformance)."""
    return Path(pytestconfig.getoption("--bin")).parent / "tests/conformance/exchange_conformance"


def test_every_answer_is_foreseen(conversations, servers, quick, long, capsys):
    # 100,000 conversations over all versions take a few minutes.
    each = 100_000 // len(servers.versions) if long else 500 if quick else 2_000
    for seed, server in enumerate(servers.all(), start=1):
        with server.admin("postgres") as admin:
            admin.execute("drop database if exists conversations")
            admin.execute("create database conversations")
        done = subprocess.run([conversations, "--socket", f"{server.socket_folder}/.s.PGSQL.{server.port}", "--database",
                               "conversations", "--scripts", str(each), "--seed", str(seed)],
                              capture_output=True, text=True, timeout=900)
        with capsys.disabled():
            print(f"\nPostgreSQL {server.version}: {done.stdout.strip()[-2000:]}")
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


@pytest.mark.needs_gateway
def test_a_pipeline_beyond_the_limit_is_carried_whole(before, server, quick):
    """More requests ahead of their answers than the gateway remembers: it reads on when some have come."""
    _gateway, port = before(server, workers=1)
    ahead = 300_000 if quick else 1_500_000
    ready = b"Z\0\0\0\x05I"
    with RawClient(port, timeout=60) as client:
        client.login()
        sender = threading.Thread(target=client.send, args=(query("do 'begin perform pg_sleep(0.5); end'") +
                                                            b"S\0\0\0\x04" * ahead,))
        sender.start()
        wanted = b"C\0\0\0\x07DO\0" + ready + ready * ahead
        assert client.receive(len(wanted)) == wanted
        sender.join()
        assert client.simple("select 1") == [["1"]]
