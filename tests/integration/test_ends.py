"""G6: every end has a cause, is logged once with its facts, and reaches the client where the protocol allows it."""

from __future__ import annotations

import signal
import socket
import struct
import threading
import time

import pytest
from psycopg import sql

from harness.fakeserver import FakeServer, discard, reset
from harness.gateway import settle
from harness.postgres import PASSWORD, USER, Server
from harness.system import free_port
from harness.wire import SSL_REQUEST, TERMINATE, Closed, RawClient, Refused, Scram, message, query, startup

pytestmark = pytest.mark.needs_gateway


def one_end(gateway, cause: str, **facts) -> dict:
    """Waits for the only session's end, and checks it."""
    line = gateway.wait_end()[0]
    settle()
    assert len(gateway.ends()) == 1, f"one session, and these ends: {gateway.ends()}"
    assert line["cause"] == cause, line
    for key, value in facts.items():
        assert line.get(key) == value, f"{key} of {line}"
    return line


# ---- the client's doing ----


def test_client_terminate_with_all_facts(before, server):
    gateway, port = before(server)
    with RawClient(port) as client:
        client.login(USER, PASSWORD, application_name="facts")
        client.simple("begin")
        sent = query("select repeat('x', 100000)")
        client.send(sent)
        client.result()
        client.simple("commit")
        settle(0.3)
        client.send(TERMINATE)
        assert client.receive_to_end() == (b"", "fin")
    line = one_end(gateway, "client_terminate", leg="client", listener="main", route="all", upstream="db", user=USER,
                   database="app", applicationName="facts", txState="I", loggedIn=True)
    assert line["client"].startswith("127.0.0.1:")
    assert line["endpoint"] == f"127.0.0.1:{server.port}"
    assert line["bytesOut"] > 100_000 and 100 < line["bytesIn"] < 2_000
    assert 0.2 < line["idleSeconds"] < 5 and line["seconds"] >= line["idleSeconds"]
    for leg in ("client", "server"):
        assert line[f"{leg}RttMicros"] > 0 and line[f"{leg}Retransmits"] == 0 and line[f"{leg}Unacked"] >= 0


def test_bytes_are_counted_exactly(before):
    def serve(connection, _server):
        connection.sendall(message("N", b"x" * 5000))
        discard(connection, _server)
    with FakeServer(serve) as server:
        gateway, port = before(server.endpoint)
        with RawClient(port) as client:
            packet = startup({"user": "u", "database": "d"})
            client.send(packet)
            seen = client.receive(len(_greeting()) + 5005)
            client.send(message("f", b"y" * 3000) + TERMINATE)
            client.socket.shutdown(socket.SHUT_WR)
            client.receive_to_end()
        line = one_end(gateway, "client_terminate")
        assert line["bytesIn"] == len(packet) + 3005 + len(TERMINATE)
        assert line["bytesOut"] == len(seen)


def _greeting() -> bytes:
    from harness.fakeserver import authentication_ok
    return authentication_ok()


@pytest.mark.parametrize("state,text", [("I", "select 1"), ("T", "begin"), ("E", "begin; select 1/0")])
def test_client_eof_in_each_transaction_state(before, server, state, text):
    gateway, port = before(server)
    with RawClient(port) as client:
        client.login()
        try:
            client.simple(text)
        except Refused as failure:
            assert failure.code == "22012"
    one_end(gateway, "client_eof", leg="client", txState=state)


def test_client_reset(before, server):
    gateway, port = before(server)
    client = RawClient(port)
    client.login()
    client.reset()
    one_end(gateway, "client_reset", leg="client")


def test_client_leaves_during_login(before, server):
    gateway, port = before(server)
    with RawClient(port) as client:
        client.send(startup({"user": USER, "database": "app"}))
        client.read()
    one_end(gateway, "client_eof", loggedIn=False)


# ---- the server's doing ----


def test_server_eof(before):
    with FakeServer(lambda connection, _: connection.close()) as server:
        gateway, port = before(server.endpoint)
        with RawClient(port) as client:
            client.login()
            assert client.receive_to_end()[1] == "fin"
        one_end(gateway, "server_eof", leg="server")


def test_server_reset(before):
    """RST as RST, after a word that says what happened."""
    with FakeServer(lambda connection, _: reset(connection)) as server:
        gateway, port = before(server.endpoint)
        with RawClient(port) as client:
            client.login()
            told = client.read_error()
            assert told["S"] == told["V"] == "FATAL" and told["C"] == "08006" and told["M"] and told["H"], told
            assert client.receive_to_end() == (b"", "reset")
        one_end(gateway, "server_reset", leg="server")


def test_server_reset_within_a_message(before):
    """In the middle of a message an ErrorResponse would be read as part of it, so there is none."""
    def serve(connection, _server):
        connection.sendall(message("D", b"x" * 1000)[:500])
        time.sleep(0.2)
        reset(connection)
    with FakeServer(serve) as server:
        gateway, port = before(server.endpoint)
        with RawClient(port) as client:
            client.login()
            data, how = client.receive_to_end()
            assert (data, how) == (message("D", b"x" * 1000)[:500], "reset")
        one_end(gateway, "server_reset")


def test_server_fatal(before, server):
    gateway, port = before(server)
    with RawClient(port) as client:
        client.login()
        pid = client.simple("select pg_backend_pid()")[0][0]
        server.query(f"select pg_terminate_backend({pid})")
        told = client.read_error()
        assert (told["C"], told["V"]) == ("57P01", "FATAL")
        assert client.receive_to_end() == (b"", "fin")
    one_end(gateway, "server_fatal:57P01", leg="server")


@pytest.fixture
def doomed(workplace, authority, servers, tmp_path_factory):
    """A server of one's own, to be stopped in bad ways."""
    folder = workplace / f"doomed-{free_port()}"
    server = Server(servers.versions[-1], folder, authority.issue("server"), authority.cert).create()
    yield server
    server.stop(signal.SIGQUIT)


def test_immediate_stop_of_the_server(before, doomed):
    gateway, port = before(doomed)
    with RawClient(port) as client:
        client.login()
        doomed.stop(signal.SIGQUIT)
        data, how = client.receive_to_end()
        # A backend that sees the end of the postmaster before the signal leaves without a word: the gateway says it.
        assert (b"immediate shutdown" in data or b"closed it without a word" in data) and how == "fin", data
    line = gateway.wait_end()[0]
    assert line["cause"] in ("server_eof", "server_fatal:57P01"), line
    with RawClient(port) as client, pytest.raises(Refused) as refused:
        client.login()
    assert refused.value.code in ("08001", "08006"), refused.value
    assert gateway.wait_end(count=2)[1]["cause"] == "server_unreachable"


def test_server_unreachable(before):
    gateway, port = before(f"127.0.0.1:{free_port()}")
    with RawClient(port) as client, pytest.raises(Refused) as refused:
        client.login()
    assert refused.value.code in ("08001", "08006") and refused.value.fields["V"] == "FATAL"
    one_end(gateway, "server_unreachable", leg="server", loggedIn=False)


def test_server_unreachable_because_it_never_answers(before):
    """The address takes connections into its backlog and says nothing: connectTimeout ends it where TLS is to begin."""
    with FakeServer(lambda connection, _: time.sleep(30), login=False) as server:
        gateway, port = before(server.endpoint, upstream_tls={"mode": "require"},
                               upstream={"connectTimeout": "300ms"})
        with RawClient(port) as client, pytest.raises(Refused) as refused:
            started = time.monotonic()
            client.login()
        assert time.monotonic() - started < 3 and refused.value.code in ("08001", "08006")
        assert gateway.wait_end()[0]["cause"] in ("server_unreachable", "server_timeout")


def test_server_is_starting_up(before):
    """A FATAL during the login is the server's word, passed on as it is."""
    word = message("E", b"SFATAL\0VFATAL\0C57P03\0Mthe database system is starting up\0\0")
    def serve(connection, _server):
        connection.recv(1000)
        connection.sendall(word)
        connection.close()
    with FakeServer(serve, login=False) as server:
        gateway, port = before(server.endpoint)
        with RawClient(port) as client:
            client.send(startup({"user": "u"}))
            assert client.receive_to_end() == (word, "fin")
        one_end(gateway, "login_failed:57P03", loggedIn=False)


# ---- login ----


def test_login_failed(before, server):
    gateway, port = before(server)
    with RawClient(port) as client, pytest.raises(Refused) as refused:
        client.login(USER, "wrong")
    assert refused.value.code == "28P01"
    one_end(gateway, "login_failed:28P01", loggedIn=False, user=USER)


def test_login_failed_at_the_gateway(before, server, tmp_path):
    verifiers = tmp_path / "verifiers"
    verifiers.write_text("".join(f'"{role}" "{verifier}"\n' for role, verifier in server.verifiers()))
    gateway, port = before(server, auth={"method": "scram", "verifierFile": str(verifiers)})
    with RawClient(port) as client, pytest.raises(Refused) as refused:
        client.login(USER, scram=Scram("wrong"))
    assert refused.value.code == "28P01" and refused.value.fields["V"] == "FATAL"
    assert "password authentication failed" in refused.value.fields["M"]
    one_end(gateway, "login_failed:28P01", loggedIn=False)


@pytest.mark.parametrize("said", [b"", b"\0\0", startup({"user": USER})[:20], SSL_REQUEST, startup({"user": USER})],
                         ids=["nothing", "two bytes", "half a packet", "SSLRequest", "all but the password"])
def test_login_timeout(before, server, said):
    gateway, port = before(server)
    gateway.stop()
    config = gateway.config
    config["listeners"][0]["loginTimeout"] = "400ms"
    gateway, port = before(server, listeners=config["listeners"])
    with RawClient(port) as client:
        started = time.monotonic()
        client.send(said)
        data, how = client.receive_to_end()
        assert 0.3 < time.monotonic() - started < 3 and how == "fin"
        assert b"timeout" in data and b"FATAL" in data, data
    one_end(gateway, "login_timeout", loggedIn=False)


# ---- TLS ----


def _tls(authority) -> dict:
    certificate = authority.issue("gateway")
    return {"mode": "require",
            "certificates": [{"certFile": str(certificate.cert), "keyFile": str(certificate.key)}]}


def test_tls_client(before, server, authority):
    gateway, port = before(server, tls=_tls(authority))
    with RawClient(port) as client:
        assert client.ssl_request() == b"S"
        client.send(b"\x16\x03\x01\x00\x05hello")
        data, _how = client.receive_to_end()
        assert data[:1] == b"\x15", f"wanted a TLS alert, saw {data!r}"
    one_end(gateway, "tls_client", leg="client", loggedIn=False)


@pytest.mark.parametrize("answer", [b"N", b"Snonsense", b"Q"])
def test_tls_server(before, answer):
    def serve(connection, _server):
        connection.recv(8)
        connection.sendall(answer)
        time.sleep(0.5)
    with FakeServer(serve, login=False) as server:
        gateway, port = before(server.endpoint, upstream_tls={"mode": "require"})
        with RawClient(port) as client, pytest.raises(Refused) as refused:
            client.login()
        assert refused.value.code in ("08001", "08006"), refused.value
        one_end(gateway, "tls_server", leg="server", loggedIn=False)


# ---- nonsense ----


@pytest.mark.parametrize("length", [0, 3, -1, 0x40000004])
def test_protocol_client(before, server, length):
    gateway, port = before(server)
    with RawClient(port) as client:
        client.login()
        client.send(b"Q" + struct.pack("!i", length) + b"rest")
        told = client.read_error()
        assert (told["C"], told["V"]) == ("08P01", "FATAL")
        client.receive_to_end()
    one_end(gateway, "protocol_client", leg="client", loggedIn=True)


@pytest.mark.parametrize("length", [0, 3, -1, 0x7fffffff])
def test_protocol_server(before, length):
    with FakeServer(lambda connection, _: (connection.sendall(b"D" + struct.pack("!i", length)),
                                           time.sleep(3))) as server:
        gateway, port = before(server.endpoint)
        with RawClient(port) as client:
            client.login()
            told = client.read_error()
            assert told["V"] == "FATAL" and told["C"] in ("08P01", "08006"), told
            client.receive_to_end()
        one_end(gateway, "protocol_server", leg="server")


@pytest.mark.parametrize("word", [b"HTTP/1.1 200 OK\r\n\r\n", b"R\0\0\0\4", b"\0" * 100,
                                  message("Z", b"I"), b"R\x7f\xff\xff\xff"])
def test_protocol_server_during_login(before, word):
    def serve(connection, _server):
        connection.recv(1000)
        connection.sendall(word)
        time.sleep(3)
    with FakeServer(serve, login=False) as server:
        gateway, port = before(server.endpoint)
        with RawClient(port) as client, pytest.raises((Refused, Closed)) as ended:
            client.login()
        assert isinstance(ended.value, Refused), ended.value
        one_end(gateway, "protocol_server", leg="server", loggedIn=False)


@pytest.mark.parametrize("said", [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\xff" * 64, b"SSH-2.0-x\r\n"])
def test_not_postgres(before, server, said):
    gateway, port = before(server)
    with RawClient(port) as client:
        client.send(said)
        assert client.receive_to_end()[0] == b""
    settle(0.2)
    assert gateway.ends() == [], "no log line for each port scan"
    gateway.stop()
    assert gateway.log()[-1]["notPostgres"] == 1


# ---- limits ----


def test_limit_of_the_route(before, server):
    gateway, port = before(server, route={"limits": {"maxSessions": 2}})
    first, second = RawClient(port).login(), RawClient(port).login()
    with RawClient(port) as client, pytest.raises(Refused) as refused:
        client.login()
    assert (refused.value.code, refused.value.fields["V"]) == ("53300", "FATAL")
    one_end(gateway, "limit", loggedIn=False)
    first.close()
    gateway.wait_end(count=2)
    with RawClient(port) as client:
        client.login()
    second.close()


@pytest.fixture
def another(server):
    """A second user, with the password of the first."""
    name = "it's another"
    with server.admin("postgres") as admin:
        admin.execute(sql.SQL("create role {} login password {}").format(sql.Identifier(name), PASSWORD))
    yield name
    with server.admin("postgres") as admin:
        admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where usename = %s", [name])
        admin.execute(sql.SQL("drop role {}").format(sql.Identifier(name)))


@pytest.mark.parametrize("method, pooling", [("server", "off"), ("scram", "off"), ("scram", "session"), ("scram", "transaction")])
def test_limit_of_a_principal(before, server, another, tmp_path, method, pooling):
    """It counts who has proved to be somebody, and not who says so."""
    auth = {"method": method}
    if method == "scram":
        auth["verifierFile"] = str(tmp_path / "verifiers")
        (tmp_path / "verifiers").write_text("".join(f'"{role}" "{verifier}"\n' for role, verifier in server.verifiers()))
    gateway, port = before(server, auth=auth, route={"limits": {"maxSessionsPerPrincipal": 2}, "pooling": pooling})
    first, second = (RawClient(port).login(USER, PASSWORD) for _ in range(2))
    for _ in range(3):
        with RawClient(port) as client, pytest.raises(Refused) as refused:
            client.login(USER, PASSWORD)
        assert (refused.value.code, refused.value.fields["V"]) == ("53300", "FATAL")
        assert USER in refused.value.fields["M"]
    gateway.wait_end(count=3, cause="limit")
    with RawClient(port) as stranger, pytest.raises(Refused) as refused:
        stranger.login(USER, "wrong")
    assert refused.value.code == "28P01", "whoever cannot prove it learns nothing"
    with RawClient(port) as other:
        other.login(another, PASSWORD)
    first.close()
    gateway.wait_end(count=1, cause="client_eof")
    with RawClient(port) as third:
        third.login(USER, PASSWORD)
    second.close()


def test_limit_of_the_listener(before, server):
    gateway, port = before(server)
    config = gateway.config["listeners"]
    gateway.stop()
    config[0]["maxSessions"] = 1
    gateway, port = before(server, listeners=config)
    with RawClient(port) as first:
        first.login()
        with RawClient(port) as client, pytest.raises(Refused) as refused:
            client.login()
        assert refused.value.code == "53300"
        one_end(gateway, "limit")
        assert first.simple("select 1") == [["1"]]


def test_idle_timeout(before, server):
    gateway, port = before(server, route={"limits": {"idleTimeout": "400ms"}})
    with RawClient(port) as client:
        client.login()
        client.simple("select pg_sleep(0.8)")  # a running statement is not idle
        client.simple("begin")
        settle(0.8)  # nor is an open transaction
        client.simple("commit")
        started = time.monotonic()
        told = client.read_error()
        assert (told["C"], told["V"]) == ("57P05", "FATAL") and told["M"] and told["H"]
        assert 0.25 < time.monotonic() - started < 3
        assert client.receive_to_end() == (b"", "fin")
    line = one_end(gateway, "idle_timeout", leg="gateway", txState="I")
    assert line["idleSeconds"] >= 0.35


def test_transaction_timeout(before, server):
    gateway, port = before(server, route={"limits": {"transactionTimeout": "400ms"}})
    with RawClient(port) as client:
        client.login()
        settle(0.6)
        client.simple("begin")
        told = client.read_error()
        assert (told["C"], told["V"]) == ("25P04", "FATAL")
        assert client.receive_to_end() == (b"", "fin")
    one_end(gateway, "transaction_timeout", leg="gateway", txState="T")


def test_session_timeout(before, server):
    gateway, port = before(server, route={"limits": {"sessionTimeout": "600ms"}})
    with RawClient(port) as client:
        client.login()
        told = client.read_error()
        assert (told["C"], told["V"]) == ("57P01", "FATAL")
    one_end(gateway, "session_timeout", leg="gateway")


def test_no_secret_is_logged(before, server, tmp_path):
    """G12."""
    verifiers = tmp_path / "verifiers"
    verifiers.write_text("".join(f'"{role}" "{verifier}"\n' for role, verifier in server.verifiers()))
    gateway, port = before(server, auth={"method": "scram", "verifierFile": str(verifiers)})
    with RawClient(port) as client:
        client.login(USER, scram=Scram(PASSWORD))
    with RawClient(port) as client, pytest.raises(Refused):
        client.login(USER, scram=Scram("a wrong secret"))
    gateway.wait_end(count=2)
    gateway.stop()
    text = gateway.stderr_text()
    secrets = [PASSWORD, "a wrong secret"] + [part for _role, verifier in server.verifiers()
                                              for part in verifier.split("$")[-1].split(":")]
    assert not [secret for secret in secrets if secret in text]


# ---- ends that pass through as they are ----


def test_half_close_lets_the_answer_through(before):
    """The client sends its last request and FIN; the answer still comes, then the server's FIN."""
    def serve(connection, _server):
        data = b""
        while part := connection.recv(65536):
            data += part
        connection.sendall(message("D", b"got %d" % len(data)))
        connection.close()
    with FakeServer(serve) as server:
        gateway, port = before(server.endpoint)
        with RawClient(port) as client:
            client.login()
            client.send(message("d", b"x" * 95))
            client.finish()
            assert client.receive_to_end() == (message("D", b"got 100"), "fin")
        one_end(gateway, "client_eof")


def test_client_reset_reaches_the_server_as_reset(before):
    ends = []
    heard = threading.Event()

    def serve(connection, _server):
        try:
            while connection.recv(65536):
                pass
            ends.append("fin")
        except ConnectionResetError:
            ends.append("reset")
        heard.set()
    with FakeServer(serve) as server:
        gateway, port = before(server.endpoint)
        client = RawClient(port)
        client.login()
        client.reset()
        assert heard.wait(5)
        assert ends == ["reset"]
        one_end(gateway, "client_reset")
