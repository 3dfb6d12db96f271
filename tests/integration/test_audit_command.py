"""`trunkline audit` on folders made by harness/audit_folder.py: no gateway runs."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
import subprocess
import time
from pathlib import Path

import pytest

from harness.audit_folder import AuditFolder

pytestmark = pytest.mark.needs_gateway


@pytest.fixture
def audit(pytestconfig, tmp_path):
    def run(*arguments: str, code: int = 0, folder: Path = tmp_path) -> str:
        done = subprocess.run([pytestconfig.getoption("--bin"), "audit", arguments[0], "--path", str(folder), *arguments[1:]],
                              capture_output=True, text=True, timeout=60)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout
    return run


@pytest.fixture
def folder(tmp_path) -> AuditFolder:
    """Three segments: 120 sessions, one slow statement, one that failed."""
    made = AuditFolder(tmp_path, segment_bytes=150_000)
    for number in range(20):
        made.session(f"aa-{number}", f"user{number % 3}", 48)
    made.exchange("aa-99", "eve", "select * from Secrets\x1b[2J where x = 1", "f" * 16, seconds=3.25, sqlstate="42501",
                  parameters='["7",null]')
    made.end()
    return made


def lines_of(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


def test_ls_filters(audit, folder):
    newest = lines_of(audit("ls", "--output", "json"))
    assert len(newest) == 100 and newest[0]["event"] == "segment.end"
    assert [line["seq"] for line in newest] == list(range(folder.seq, folder.seq - 100, -1))
    for chosen in (["--principal", "eve"], ["--sqlstate", "42501"], ["--fingerprint", "f" * 16], ["--slower-than", "3s"],
                   ["--text", "FROM secrets"], ["--session", "aa-99"]):
        assert [line["session"] for line in lines_of(audit("ls", "--output", "json", *chosen))] == ["aa-99"], chosen
        assert audit("ls", "--output", "json", "--database", "other", *chosen) == ""
    assert len(lines_of(audit("ls", "--output", "json", "--event", "session.end", "--limit", "7"))) == 7
    since = lines_of(audit("ls", "--output", "json", "--since", "2026-01-01T00:00:00.500000Z", "--until", "2026-01-01T00:00:00.510Z"))
    assert len(since) == 10
    assert audit("ls", "--output", "json", "--since", "5m") == "" or newest[0]["time"] > "2027"
    assert len(audit("ls", "--sessions").splitlines()) == 21


def test_terminals_are_safe(audit, folder):
    shown = audit("ls", "--principal", "eve") + audit("show", "aa-99") + audit("replay", "aa-99", "--speed", "100")
    assert "\x1b" not in shown and "\\x1b[2J" in shown and "42501" in shown


def test_show_and_export(audit, folder):
    story = lines_of(audit("show", "aa-7", "--output", "json"))
    assert [line["event"] for line in story] == ["session.start", *["exchange"] * 48, "session.end"]
    one = lines_of(audit("show", str(story[3]["seq"]), "--output", "json"))
    assert one == [story[3]]
    audit("show", "nobody-1", code=1)
    everything = lines_of(audit("export"))
    assert [line["seq"] for line in everything] == list(range(1, folder.seq + 1))
    table = list(csv.DictReader(io.StringIO(audit("export", "--format", "csv", "--session", "aa-99"), newline="")))
    assert table[0]["principal"] == "eve" and table[0]["result"] == "ERROR 42501"


def test_usage(audit, folder, tmp_path):
    audit("ls", "--since", "yesterday", code=2)
    audit("ls", "--slower-than", "quick", code=2)
    empty = tmp_path / "empty"
    empty.mkdir()
    audit("ls", code=2, folder=empty)
    audit("verify", code=2, folder=empty)


def test_tail_follows(pytestconfig, tmp_path):
    made = AuditFolder(tmp_path)
    made.session("aa-1", "bob", 3)
    made.file.flush()
    process = subprocess.Popen([pytestconfig.getoption("--bin"), "audit", "tail", "-f", "--path", str(tmp_path), "--limit", "2",
                                "--output", "json"], stdout=subprocess.PIPE, text=True)
    try:
        assert [json.loads(process.stdout.readline())["seq"] for _ in range(2)] == [made.seq - 1, made.seq]
        made.exchange("aa-2", "eve", "select 1", "0" * 16)
        made.end()
        made.begin("rotated")
        made.file.flush()
        assert [json.loads(process.stdout.readline())["seq"] for _ in range(3)] == [made.seq - 2, made.seq - 1, made.seq]
    finally:
        process.kill()
        process.wait()


# The chain -----------------------------------------------------------------------------------------------------


def segments(folder: AuditFolder) -> list[Path]:
    return sorted(folder.folder.glob("audit-*.jsonl"))


def changed(lines: list[bytes]) -> None:
    lines[40] = lines[40].replace(b"SELECT 1", b"SELECT 2")


def removed(lines: list[bytes]) -> None:
    del lines[40]


def reordered(lines: list[bytes]) -> None:
    lines[40], lines[41] = lines[41], lines[40]


def repeated(lines: list[bytes]) -> None:
    lines.insert(41, lines[40])


def cut(lines: list[bytes]) -> None:
    lines[-1] = lines[-1][:-20]


def end_removed(lines: list[bytes]) -> None:
    del lines[-3:]


@pytest.mark.parametrize("tamper", [changed, removed, reordered, repeated, cut, end_removed])
@pytest.mark.parametrize("which", [0, 1])
def test_verify_finds(audit, folder, tamper, which):
    assert "clean" in audit("verify")
    path = segments(folder)[which]
    lines = path.read_bytes().splitlines(keepends=True)
    tamper(lines)
    path.write_bytes(b"".join(lines))
    told = audit("verify", code=1)
    assert "FINDING" in told and path.name in told or tamper is end_removed
    if tamper in (changed, removed, reordered, repeated):
        assert any(f"{path.name}:{number}:" in told for number in (41, 42)), told


def test_verify_finds_missing_segments(audit, folder):
    paths = segments(folder)
    paths[1].unlink()
    assert paths[1].name in audit("verify", code=1)
    paths[0].unlink()
    audit("verify", code=1)
    assert "clean" in audit("verify", "--removed-before")


def test_verify_tells_of_recovered_ends(audit, tmp_path):
    made = AuditFolder(tmp_path)
    made.session("aa-1", "bob", 3)
    made.end(clean=False)
    made.time = made.time.replace(year=2027)
    made.begin("recovered")
    made.event('"event":"gap","replica":"host","from":"2026-01-01T00:00:00.000000Z","to":"2026-01-01T00:00:01.000000Z","events":7')
    made.file.flush()
    told = audit("verify")
    assert "10 ms" in told and "7 events" in told and "no segment.end" in told
    made.file.write(b'{"v":1,"seq":9,"ti')
    made.file.flush()
    assert "middle of it" in audit("verify")


# The index -----------------------------------------------------------------------------------------------------


def large(tmp_path, events: int) -> AuditFolder:
    made = AuditFolder(tmp_path, segment_bytes=16 << 20).fill(events)
    made.end()
    return made


@pytest.mark.parametrize("damage", ["none", "garbage", "version", "inside"])
def test_the_index_is_made_again(audit, tmp_path, damage):
    large(tmp_path, 60_000)
    index = tmp_path / "index.sqlite"
    expected = audit("ls", "--output", "json", "--session", "1a2b3c4d-3")
    assert len(expected.splitlines()) == 50
    with sqlite3.connect(index) as db:
        assert db.execute("select count(*) from blocks").fetchone()[0] > 10
        assert db.execute("select normalised from statements limit 1").fetchone()[0] == "select * from orders where id = $1"
    db.close()
    if damage == "garbage":
        index.write_bytes(b"no database at all" * 1000)
    elif damage == "version":
        with sqlite3.connect(index) as db:
            db.execute("pragma user_version = 99")
        db.close()
    elif damage == "inside":
        bytes_there = bytearray(index.read_bytes())
        bytes_there[8192:40000] = b"\xff" * (40000 - 8192)
        index.write_bytes(bytes_there)
    assert audit("ls", "--output", "json", "--session", "1a2b3c4d-3") == expected
    assert audit("ls", "--output", "json", "--statement", "from ORDERS", "--session", "1a2b3c4d-3", "--event", "exchange").count("\n") == 48


@pytest.mark.alone
def test_ls_is_quick(audit, tmp_path, not_sanitized):
    """A small folder, in CI: an index that does not prune would be seen here already."""
    large(tmp_path, 100_000)
    audit("ls")
    for chosen in ([], ["--session", "1a2b3c4d-3"], ["--sqlstate", "99999"], ["--slower-than", "2s"]):
        began = time.monotonic()
        audit("ls", *chosen)
        assert time.monotonic() - began < 1
