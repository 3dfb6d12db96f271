"""`trunkline import pgbouncer`: what comes out passes `check`, and what has no equal is told."""

from __future__ import annotations

import os
import re
import tempfile
import time
from pathlib import Path

import pytest

from harness import postgres
from harness.bouncer import Bouncer, documented_settings, userlist, write_ini
from harness.system import run
from harness.wire import RawClient, cancel_request, query

pytestmark = pytest.mark.needs_gateway


@pytest.fixture
def binary(pytestconfig) -> str:
    return pytestconfig.getoption("--bin")


@pytest.fixture
def replica_key(tmp_path) -> Path:
    file = tmp_path / "replicas.key"
    file.write_bytes(os.urandom(32))
    return file


def convert(binary, file, *options):
    return run([binary, "import", "pgbouncer", file, *options], check=False, timeout=20)


def check(binary, folder, text, environment=None):
    file = folder / "made.yaml"
    file.write_text(text, encoding="utf-8")
    return run([binary, "check", "-c", file], check=False, timeout=20, env=os.environ | (environment or {}))


MINIMAL = "[databases]\n* = host=127.0.0.1\n[pgbouncer]\nlisten_addr = *\nauth_file = {folder}/userlist.txt\n"
INIS = {
    "minimal": MINIMAL,
    "hosts": "[databases]\na = host=10.0.0.1,10.0.0.2 port=6000\nb = host=/run/postgresql\n\"c d\" = host=db dbname=c\n"
             "[pgbouncer]\nlisten_addr = 127.0.0.1, ::1\nauth_file = {folder}/userlist.txt\nlisten_port = 5433\n",
    "query": "[databases]\n* = host=db auth_user=app\n[pgbouncer]\nauth_type = md5\n"
             "auth_query = SELECT * FROM pgbouncer.get_auth($1)\n",
    "trust": "[databases]\n* = host=db user=app password=p\n[pgbouncer]\nauth_type = any\nlisten_addr = localhost\n",
    "timeouts": MINIMAL + "query_timeout = 30\nquery_wait_timeout = 0\nclient_idle_timeout = 3600\n"
                "idle_transaction_timeout = 60\ntransaction_timeout = 100\nserver_lifetime = 0\ntcp_keepidle = 60\n"
                "tcp_keepintvl = 5\ntcp_keepcnt = 3\ntcp_user_timeout = 30000\nclient_login_timeout = 0\n",
    "users": "[users]\napp = pool_mode=session max_user_connections=10\n" + MINIMAL + "max_client_conn = 5000\n",
}


@pytest.mark.parametrize("name", INIS)
def test_what_is_made_passes_check(binary, tmp_path, name):
    userlist(tmp_path)
    file = tmp_path / "pgbouncer.ini"
    file.write_text(INIS[name].replace("{folder}", str(tmp_path)))
    made = convert(binary, file)
    assert made.returncode in (0, 1), made.stderr
    assert (made.returncode == 1) == (": no equal: " in made.stderr), made.stderr
    for line in made.stderr.splitlines():
        if ": set this environment variable" not in line:
            assert f"# {line}" in made.stdout
    needed = dict.fromkeys(re.findall(r"\$\{(TRUNKLINE_PASSWORD_\w+)\}", made.stdout), "x")
    checked = check(binary, tmp_path, made.stdout, needed)
    assert checked.returncode == 0, checked.stderr + made.stdout


def test_with_certificates(binary, tmp_path, server, authority):
    certificate = authority.issue("server")
    file = write_ini(tmp_path, server, 6432, more=f"client_tls_sslmode = verify-full\nclient_tls_ca_file = {authority.cert}\n"
                     f"client_tls_cert_file = {certificate.cert}\nclient_tls_key_file = {certificate.key}\n"
                     f"server_tls_sslmode = verify-full\nserver_tls_ca_file = {authority.cert}\n")
    made = convert(binary, file)
    assert check(binary, tmp_path, made.stdout).returncode == 0, made.stderr


def test_passwords_are_named_and_not_shown(binary, tmp_path):
    userlist(tmp_path)
    file = tmp_path / "pgbouncer.ini"
    file.write_text(f"[databases]\napp = host=127.0.0.1 user=x password='very secret'\n[pgbouncer]\n"
                    f"auth_file = {tmp_path}/userlist.txt\n")
    made = convert(binary, file)
    assert "very secret" not in made.stdout + made.stderr
    assert "TRUNKLINE_PASSWORD_APP: set this environment variable" in made.stderr
    assert check(binary, tmp_path, made.stdout).returncode == 2
    assert check(binary, tmp_path, made.stdout, {"TRUNKLINE_PASSWORD_APP": "very secret"}).returncode == 0


def test_what_has_no_equal_is_told_and_the_rest_is_made(binary, tmp_path):
    userlist(tmp_path)
    file = tmp_path / "pgbouncer.ini"
    file.write_text(MINIMAL.replace("{folder}", str(tmp_path)) + "disable_pqexec = 1\n"
                    "ignore_startup_parameters = extra_float_digits,search_path\npeer_id = 2000\n")
    made = convert(binary, file)
    assert made.returncode == 1
    for place, key in ((6, "disable_pqexec"), (7, "ignore_startup_parameters"), (8, "peer_id")):
        assert f"{file}:{place}: {key}: no equal: " in made.stderr
    assert check(binary, tmp_path, made.stdout).returncode == 0


def test_peers(binary, tmp_path, replica_key):
    """They are replicas; the secret that PgBouncer has none of comes beside the ini, or a note says where it is missing."""
    userlist(tmp_path)
    file = tmp_path / "pgbouncer.ini"
    file.write_text(MINIMAL.replace("{folder}", str(tmp_path)) + "peer_id = 2\n[peers]\n1 = host=gw-1.example.org\n"
                    "2 = host=gw-2.example.org\n3 = host=10.0.0.3 port=6433\n")
    made = convert(binary, file)
    assert made.returncode == 0, made.stderr
    assert f"{file}:8: [peers]: elsewhere: " in made.stderr and "--replica-key FILE" in made.stderr
    assert "keyFile" not in re.sub(r"(?m)^#.*$", "", made.stdout)
    checked = check(binary, tmp_path, made.stdout)
    assert checked.returncode == 0 and "without a shared secret" in checked.stderr, checked.stderr
    with_key = convert(binary, file, "--replica-key", replica_key)
    assert with_key.returncode == 0 and "elsewhere" not in with_key.stderr, with_key.stderr
    shown = check(binary, tmp_path, with_key.stdout)
    assert shown.returncode == 0 and "without a shared secret" not in shown.stderr, shown.stderr
    for line in ("number: 2", f"keyFile: {replica_key}", "gw-1.example.org:6432", "10.0.0.3:6433"):
        assert line in shown.stdout.replace('"', "").replace("'", ""), shown.stdout
    assert "gw-2.example.org" not in shown.stdout, "it is this one"


@pytest.mark.parametrize("with_key", [True, False], ids=["key", "no key"])
def test_a_cancel_goes_through_a_peer(binary, server, workplace, replica_key, with_key):
    """Two that run from ini's: the one that has not the session passes the request on."""
    pair = []
    for _ in range(2):
        pair.append(Bouncer(binary, Path(tempfile.mkdtemp(prefix="p", dir=workplace)), server))
    ports = [each.port for each in pair]
    for number, each in enumerate(pair, 1):
        lines = "".join(f"{i} = host=127.0.0.1 port={port}\n" for i, port in enumerate(ports, 1))
        each.rewrite(more=f"peer_id = {number}\n[peers]\n{lines}")
    try:
        for each in pair:
            each.start(*(["--replica-key", str(replica_key)] if with_key else []))
        warned = ["--replica-key" in each.log_text() for each in pair]
        assert warned == [not with_key] * 2
        with RawClient(ports[0], timeout=20) as client:
            client.login(postgres.USER, postgres.PASSWORD)
            client.send(query("select pg_sleep(15)"))
            time.sleep(0.5)
            with RawClient(ports[1], timeout=20) as canceller:
                canceller.send(cancel_request(client.pid, client.key))
                assert canceller.receive_to_end() == (b"", "fin")
            assert client.read_error()["C"] == "57014"
    finally:
        for each in pair:
            each.stop()


def test_what_is_wrong_is_told_with_its_place(binary, tmp_path):
    file = tmp_path / "pgbouncer.ini"
    file.write_text("[pgbouncer]\nmax_client_con = 5\npool_mode = sessions\n")
    made = convert(binary, file)
    assert made.returncode == 2 and made.stdout == ""
    assert f"{file}:2:1: max_client_con: unknown setting, did you mean `max_client_conn`?" in made.stderr
    assert f"{file}:3:1: pool_mode: cannot be that (expected session, transaction or statement)" in made.stderr
    missing = convert(binary, tmp_path / "nothing.ini")
    assert missing.returncode == 2 and "nothing.ini: cannot be read: No such file" in missing.stderr


def test_includes_are_read(binary, tmp_path):
    userlist(tmp_path)
    (tmp_path / "more.ini").write_text("max_client_conn = 77\n")
    file = tmp_path / "pgbouncer.ini"
    file.write_text(MINIMAL.replace("{folder}", str(tmp_path)) + f"%include {tmp_path}/more.ini\n")
    assert "maxSessions: 77" in convert(binary, file).stdout


@pytest.mark.any_build
def test_the_document_names_every_setting(binary, tmp_path):
    named = documented_settings()
    assert len(named) == len(set(named)) and len(named) > 95
    file = tmp_path / "all.ini"
    file.write_text("[pgbouncer]\n" + "".join(f"{name} = 1\n{name}x = 1\n" for name in named))
    told = convert(binary, file).stderr
    for name in named:
        assert f"{name}x: unknown setting" in told and f"{name}: unknown setting" not in told
