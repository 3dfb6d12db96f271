"""How the gateway logs in to the server: passwords that change, users for principals, and what the server is told of who it is for."""

from __future__ import annotations

import json
import signal
import subprocess

import pytest

from harness.gateway import port_of, simple_config
from harness.system import wait_until
from harness.wire import RawClient, Refused

pytestmark = pytest.mark.needs_gateway

POOLING = ("off", "session", "transaction")


@pytest.fixture
def roles(server):
    """Users of the server that only the gateway knows the passwords of."""
    names = {"rotating": "first", "of_alice": "for alice", "of_all": "for all"}
    with server.admin("postgres") as admin:
        for name, password in names.items():
            admin.execute(f"create role {name} login password '{password}'")
    yield names
    with server.admin("postgres") as admin:
        for name in names:
            admin.execute(f"select pg_terminate_backend(pid) from pg_stat_activity where usename = '{name}'")
            admin.execute(f"drop role {name}")


def start(start_gateway, server, pooling: str, credentials: dict):
    config = simple_config(f"127.0.0.1:{server.port}", auth={"method": "trust"},
                           route={"pooling": pooling, "credentials": credentials})
    return start_gateway(config)


def login(gateway, user: str = "anybody", **more) -> RawClient:
    return RawClient(port_of(gateway.config, "main"), timeout=15).login(user=user, database="postgres", **more)


def served_as(gateway, user: str = "anybody") -> str:
    with login(gateway, user) as client:
        return client.simple("select current_user")[0][0]


def said(gateway) -> list[dict]:
    return [line for line in gateway.log() if line.get("event") == "credentials"]


def change(gateway, file, password: str) -> None:
    before = sum(line.get("event") == "config.reload" for line in gateway.log())
    file.write_text(password)
    gateway.send(signal.SIGHUP)
    wait_until(lambda: sum(line.get("event") == "config.reload" for line in gateway.log()) > before, 10, "it has reloaded")


@pytest.mark.parametrize("pooling", POOLING)
def test_a_password_changes(start_gateway, server, roles, tmp_path, pooling):
    """Here first, at the server later: for a while the one before is tried where the new one is refused."""
    file = tmp_path / "password"
    file.write_text("first")
    gateway = start(start_gateway, server, pooling, {"user": "rotating", "passwordFile": str(file)})
    assert served_as(gateway) == "rotating"

    def forget_connections():
        server.query("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'rotating'")
        wait_until(lambda: not server.query("select 1 from pg_stat_activity where usename = 'rotating'"), 10, "all gone")

    change(gateway, file, "second")
    for _ in range(2):
        forget_connections()
        assert served_as(gateway) == "rotating"
    assert [(line["upstream"], line["user"]) for line in said(gateway)] == [("db", "rotating")], "said once"
    assert all("first" not in str(line) and "second" not in str(line) for line in said(gateway))
    server.query("alter role rotating password 'second'")
    forget_connections()
    assert served_as(gateway) == "rotating"
    server.query("alter role rotating password 'third'")
    forget_connections()
    with pytest.raises(Refused) as refused:
        served_as(gateway)
    assert refused.value.code == "28P01"
    change(gateway, file, "third")
    assert served_as(gateway) == "rotating"


@pytest.mark.parametrize("pooling", POOLING)
def test_users_of_principals(start_gateway, server, roles, pooling, monkeypatch):
    for name, password in roles.items():
        monkeypatch.setenv(f"PASSWORD_{name.upper()}", password)
    gateway = start(start_gateway, server, pooling, {
        "user": "of_all", "password": "${PASSWORD_OF_ALL}",
        "principals": [{"principal": ["alice", "alice@*"], "user": "of_alice", "password": "${PASSWORD_OF_ALICE}"},
                       {"principal": "al*", "user": "rotating", "password": "${PASSWORD_ROTATING}"}]})
    assert [served_as(gateway, who) for who in ("alice", "alice@example.org", "albert", "bob", "alice")] == [
        "of_alice", "of_alice", "rotating", "of_all", "of_alice"]


@pytest.mark.parametrize("pooling", POOLING)
def test_the_server_is_told_who_it_is(start_gateway, server, roles, pooling, monkeypatch):
    monkeypatch.setenv("PASSWORD_OF_ALL", roles["of_all"])
    credentials = {"user": "of_all", "password": "${PASSWORD_OF_ALL}", "principalAs": "applicationName"}
    gateway = start(start_gateway, server, pooling, credentials)
    for own, wanted in (("app", "app [bob]"), ("", "[bob]"), ("x" * 80, "x" * 57 + " [bob]")):
        more = {"application_name": own} if own else {}
        with login(gateway, "bob", **more) as client:
            assert client.simple("show application_name") == [[wanted]]
    long = "l" * 80
    with login(gateway, long, application_name="app") as client:
        assert client.simple("show application_name") == [["[" + "l" * 61 + "]"]]


@pytest.mark.parametrize("pooling", POOLING)
def test_a_setting_says_who_it_is(start_gateway, server, roles, pooling, monkeypatch):
    monkeypatch.setenv("PASSWORD_OF_ALL", roles["of_all"])
    gateway = start(start_gateway, server, pooling, {
        "user": "of_all", "password": "${PASSWORD_OF_ALL}", "principalAs": "setting"})
    for who in ("bob", "carol", "bob"):
        with login(gateway, who, **{"trunkline.principal": "somebody else"}) as client:
            assert client.simple("select current_setting('trunkline.principal')") == [[who]]
            client.simple("set trunkline.principal = 'mine'")
    with login(gateway, "dave") as client:
        assert client.simple("select current_setting('trunkline.principal')") == [["dave"]]


def scram_keys(binary, server, role: str, password: str) -> subprocess.CompletedProcess:
    verifier = server.query(f"select rolpassword from pg_authid where rolname = '{role}'")[0][0]
    return subprocess.run([binary, "scram-keys", "--verifier", verifier], input=f"{password}\n", capture_output=True, text=True,
                          timeout=20)


@pytest.fixture
def binary(pytestconfig):
    return pytestconfig.getoption("--bin")


@pytest.mark.parametrize("pooling", POOLING)
def test_keys_in_the_place_of_a_password(start_gateway, server, roles, tmp_path, binary, pooling):
    """They log in, they are for one verifier only, and those from before count as a password from before does."""
    file = tmp_path / "keys"
    first = scram_keys(binary, server, "rotating", "first")
    assert first.returncode == 0 and first.stdout.startswith("SCRAM-SHA-256-KEYS$4096:") and "first" not in first.stdout
    file.write_text(first.stdout)
    gateway = start(start_gateway, server, pooling, {"user": "rotating", "passwordFile": str(file)})
    assert served_as(gateway) == "rotating"
    server.query("alter role rotating password 'second'")
    server.query("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'rotating'")
    wait_until(lambda: not server.query("select 1 from pg_stat_activity where usename = 'rotating'"), 10, "all gone")
    with pytest.raises(Refused) as refused:
        login(gateway)
    assert refused.value.code == "28P01", refused.value.fields
    second = scram_keys(binary, server, "rotating", "second").stdout
    change(gateway, file, second)
    assert served_as(gateway) == "rotating"
    change(gateway, file, first.stdout)  # the other way round: a server that does not know the newest yet
    server.query("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'rotating'")
    wait_until(lambda: not server.query("select 1 from pg_stat_activity where usename = 'rotating'"), 10, "all gone")
    assert served_as(gateway) == "rotating"
    assert len(said(gateway)) == 1
    keys = [part for text in (first.stdout, second) for part in text.strip().split("$")[2].split(":")]
    assert not any(key in str(line) for key in keys for line in gateway.log())


def test_keys_are_only_made_of_the_right_password(binary, server, roles):
    wrong = scram_keys(binary, server, "rotating", "guess")
    assert (wrong.returncode, wrong.stdout) == (1, "") and "another password" in wrong.stderr
    none = scram_keys(binary, server, "rotating", "")
    assert (none.returncode, none.stdout) == (2, "")
    nonsense = subprocess.run([binary, "scram-keys", "--verifier", "md5abc"], input="x\n", capture_output=True, text=True, timeout=20)
    assert (nonsense.returncode, nonsense.stdout) == (2, "") and "SCRAM-SHA-256$" in nonsense.stderr


def test_keys_that_are_none_are_refused(binary, tmp_path):
    file, config = tmp_path / "keys", tmp_path / "trunkline.yaml"
    file.write_text("SCRAM-SHA-256-KEYS$4096:c2FsdA==$nonsense")
    made = simple_config("127.0.0.1:1", auth={"method": "trust"}, route={"credentials": {"user": "app", "passwordFile": str(file)}})
    config.write_text(json.dumps(made))
    done = subprocess.run([binary, "check", "-c", str(config)], capture_output=True, text=True, timeout=20)
    assert done.returncode == 2 and 'route "all": credentials of user "app": invalid SCRAM keys' in done.stderr
    assert "nonsense" not in done.stderr
