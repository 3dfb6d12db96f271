"""G5: a cancel request reaches its session whichever replica of the gateway it comes to (docs/cancel.md)."""

from __future__ import annotations

import os
import signal
import socket
import struct
import threading
import time

import pytest

from harness.certs import Authority
from harness.dns import FakeDns
from harness.fakeserver import FakeServer, authentication_ok, discard
from harness.replicas import Replica, replica_config, running, secret_file, send_cancel, start_replicas
from harness.system import free_port, wait_until
from harness.wire import RawClient, Refused, cancel_request, query, startup, trusting

pytestmark = pytest.mark.needs_gateway

PROMPT = 0.05  # seconds


@pytest.fixture
def key_file(tmp_path):
    return secret_file(tmp_path)


@pytest.fixture
def target(server):
    return f"127.0.0.1:{server.port}"


def counted(replica: Replica, result: str, count: int) -> None:
    wait_until(lambda: replica.cancels(result) == count, 3, f"{result} is {count}, not {replica.cancels(result)}")


@pytest.fixture
def fake_target():
    """A server that speaks 3.2 and remembers the cancel requests it gets."""
    with FakeServer(discard, greeting=authentication_ok(77, b"k" * 32)) as fake:
        yield fake


@pytest.mark.parametrize("secret", [True, False], ids=["shared secret", "no secret"])
def test_any_replica_of_three_forwards_3_0(start_gateway, target, key_file, secret):
    replicas = start_replicas(start_gateway, target, 3, key_file=key_file if secret else None)
    with replicas[1].login() as client:
        assert len(client.key) == 4 and client.pid >> 21 == 2
        for through in (replicas[0], replicas[2], replicas[1]):
            with running(client):
                send_cancel(through.port, client.pid, client.key)
    counted(replicas[0], "forwarded_to_peer", 1)
    counted(replicas[2], "forwarded_to_peer", 1)
    counted(replicas[1], "forwarded", 3)


@pytest.mark.parametrize("secret", [True, False], ids=["shared secret", "no secret"])
def test_any_replica_forwards_3_2(start_gateway, fake_target, key_file, secret):
    replicas = start_replicas(start_gateway, fake_target.endpoint, 3, key_file=key_file if secret else None)
    with replicas[2].login((3, 2)) as client:
        assert len(client.key) == 35
        for through in replicas:
            send_cancel(through.port, client.pid, client.key)
    assert fake_target.cancels == [cancel_request(77, b"k" * 32)] * 3
    counted(replicas[0], "forwarded_to_peer", 1)


@pytest.mark.parametrize("mode", ["allow", "require"])
def test_over_tls(start_gateway, target, key_file, authority, mode):
    """Both legs: the client's to the wrong replica, and that replica's to the right one, whose name it checks."""
    certificate = authority.issue("gateway")
    tls = {"mode": mode, "certificates": [{"certFile": str(certificate.cert), "keyFile": str(certificate.key)}]}
    ports = [free_port(), free_port()]
    replicas = [Replica(start_gateway(replica_config(target, port, {
        "number": 7 - i, "keyFile": key_file,
        "peers": {"endpoints": [f"localhost:{each}" for each in ports]},
        "tls": {"mode": "verify-full", "caFile": str(authority.cert)}}, tls=tls))) for i, port in enumerate(ports)]
    context = trusting(authority.cert)
    with RawClient(replicas[0].port) as client:
        client.ssl_request()
        client.tls(context)
        client.login()
        with running(client):
            send_cancel(replicas[1].port, client.pid, client.key, tls=context)
    counted(replicas[1], "forwarded_to_peer", 1)


def test_a_peer_with_another_authority_gets_nothing(start_gateway, target, key_file, authority, tmp_path):
    certificate = authority.issue("gateway")
    other = Authority(tmp_path / "other")
    tls = {"mode": "allow", "certificates": [{"certFile": str(certificate.cert), "keyFile": str(certificate.key)}]}
    replicas = start_replicas(start_gateway, target, 2, key_file=key_file, tls=tls,
                              own={1: {"tls": {"mode": "verify-ca", "caFile": str(other.cert)}}})
    with replicas[0].login() as client:
        client.send(query("select pg_sleep(1), 'undisturbed'"))
        send_cancel(replicas[1].port, client.pid, client.key)
        assert client.result() == [["", "undisturbed"]]
    counted(replicas[1], "peer_unreachable", 1)


def test_while_the_owner_drains(start_gateway, target, key_file):
    owner, other = start_replicas(start_gateway, target, 2, key_file=key_file, drain={"grace": "15s"})
    with owner.login() as client:
        client.simple("begin")
        client.send(query("select pg_sleep(30)"))
        time.sleep(0.2)
        owner.gateway.send(signal.SIGTERM)
        time.sleep(0.5)
        send_cancel(other.port, client.pid, client.key)
        with pytest.raises(Refused) as refused:
            client.result()
        assert refused.value.code == "57014"
    assert owner.gateway.wait(10) == 0


def test_while_the_server_takes_no_more_logins(start_gateway, key_file):
    """The one turn to log in is taken by a login that hangs, and others wait behind it: a cancel needs none."""
    def serve(connection, server):
        packet = connection.recv(1000)
        if struct.unpack("!i", packet[4:8])[0] == 80877102:
            server.cancels.append(packet)
            return connection.close()
        server.startups.append(packet)
        if len(server.startups) == 1:
            connection.sendall(authentication_ok())
        discard(connection, server)
    with FakeServer(serve, login=False) as fake:
        owner, other = start_replicas(start_gateway, fake.endpoint, 2, key_file=key_file,
                                      upstream={"pool": {"maxLogins": 1}})
        with owner.login() as client, RawClient(owner.port) as hangs, RawClient(owner.port) as waits:
            for each in (hangs, waits):
                each.send(startup({"user": "trustuser", "database": "app"}))
            wait_until(lambda: len(fake.startups) == 2, 5, "one hangs in its login")
            assert send_cancel(other.port, client.pid, client.key) < 1
            assert send_cancel(owner.port, client.pid, client.key) < 1
            assert len(fake.cancels) == 2 and len(fake.startups) == 2


def test_after_a_hand_over_of_the_owner(start_gateway, target, key_file):
    """The owner's session lives on in the process before; the replica asks the one that listens."""
    owner, other = start_replicas(start_gateway, target, 2, key_file=key_file, drain={"grace": "20s"})
    with owner.login() as client:
        client.simple("select 1")
        owner.gateway.send(signal.SIGUSR2)
        wait_until(lambda: any(line.get("event") == "handover" and "taken over" in line.get("message", line.get("msg", ""))
                               for line in owner.gateway.log()), 15, "the hand-over")
        successor = next(line["pid"] for line in owner.gateway.log()
                         if line.get("event") == "handover" and "pid" in line)
        try:
            with running(client):
                send_cancel(other.port, client.pid, client.key)
        finally:
            client.close()
            os.kill(successor, signal.SIGINT)
    assert owner.gateway.wait(20) == 0


def test_headless_dns(start_gateway, target, key_file):
    """Replicas come and go behind a name; all of its addresses are one port."""
    with FakeDns() as dns:
        port = free_port()
        hosts = ["127.0.0.1", "127.0.0.2", "127.0.0.3"]
        dns.set("gw.test", a=hosts[:1])
        replicas = []
        for i, host in enumerate(hosts):
            config = replica_config(target, port, {"number": i + 1, "keyFile": key_file, "peers": {
                "dns": {"name": "gw.test", "port": port}, "resolver": dns.address}})
            config["listeners"][0]["address"] = f"{host}:{port}"
            start_gateway(config)
            replicas.append(config)
        dns.set("gw.test", a=hosts)
        with RawClient(port, host=hosts[2]) as client:
            client.login()

            def cancelled():
                client.send(query("select pg_sleep(1)"))
                time.sleep(0.1)
                send_cancel(port, client.pid, client.key)  # 127.0.0.1
                try:
                    client.result()
                except Refused as refused:
                    return refused.code == "57014"
                return False
            wait_until(cancelled, 15, "the new replica is found")


def test_a_peer_that_is_a_black_hole(start_gateway, target, key_file):
    """Its backlog is full: a connect hangs. A cancel for another replica is as quick as ever, also the first one."""
    with socket.socket() as hole:
        hole.bind(("127.0.0.1", 0))
        hole.listen(0)
        fillers = [socket.socket() for _ in range(4)]
        for each in fillers:
            each.setblocking(False)
            each.connect_ex(hole.getsockname())
        dark = f"127.0.0.1:{hole.getsockname()[1]}"
        owner, other = start_replicas(start_gateway, target, 2, key_file=key_file, extra_peers=[dark])
        with owner.login() as client:
            for _ in range(3):
                with running(client):
                    took = send_cancel(other.port, client.pid, client.key)
                assert took < 0.5, took
        # A key that nobody has is held for the deadline of the connect, and meanwhile nobody else is.
        results = []
        lost = threading.Thread(target=lambda: results.append(send_cancel(other.port, (55 << 21) | 3, b"none")))
        lost.start()
        time.sleep(0.1)
        with owner.login() as client, running(client):
            assert send_cancel(other.port, client.pid, client.key) < 0.5
        lost.join(10)
        assert 0.5 < results[0] < 5, results
        counted(other, "peer_unreachable", 1)
        for each in fillers:
            each.close()


@pytest.mark.parametrize("lie", ["garbage", "silence", "forged yes"])
def test_a_peer_that_lies(start_gateway, target, key_file, lie):
    """It accepts, says what is no answer of a replica, and never closes. It delays nobody whose session is known."""
    asked = []

    def serve(connection, _server):
        packet = connection.recv(1000)
        if packet[4:8] == struct.pack("!i", 80877103):
            connection.sendall(b"N")
            packet = connection.recv(1000)
        asked.append(packet)
        if lie == "garbage":
            connection.sendall(b"\0" * 4000)
        if lie == "forged yes":
            connection.sendall(b"!" + struct.pack("!H", 1) + b"i" * 8 + b"m" * 16)
        discard(connection, None)
        time.sleep(30)
    with FakeServer(serve, login=False) as liar:
        owner, other = start_replicas(start_gateway, target, 2, key_file=key_file, extra_peers=[liar.endpoint])
        with owner.login() as client:
            for _ in range(3):
                with running(client):
                    assert send_cancel(other.port, client.pid, client.key) < 0.5
        if lie != "silence":
            assert send_cancel(other.port, (1 << 21) | 99, b"none") < 2
            counted(other, "peer_unreachable", 1)
            assert b"none" in asked[-1]


def test_a_wrong_secret_cancels_nothing(start_gateway, target, tmp_path, key_file):
    replicas = start_replicas(start_gateway, target, 2, key_file=key_file,
                              own={1: {"keyFile": secret_file(tmp_path, "wrong.key", b"w")}})
    with replicas[0].login() as client:
        client.send(query("select pg_sleep(1), 'undisturbed'"))
        send_cancel(replicas[1].port, client.pid, client.key)
        assert client.result() == [["", "undisturbed"]]
    counted(replicas[1], "peer_unreachable", 1)
    wait_until(lambda: replicas[0].cancels("not_a_peer") >= 1, 3, "it is counted")
    assert replicas[0].cancels("forwarded") == 0


def ask_as_a_replica(port: int, pid: int, key: bytes) -> bytes:
    """A question without a signature (src/session/peer_message.h); what comes back."""
    with RawClient(port) as asker:
        asker.send(cancel_request(pid, b"\2\0" + os.urandom(16) + bytes([len(key)]) + key))
        return asker.receive_to_end()[0]


def test_what_a_replica_asks_is_not_passed_on(start_gateway, target):
    """The bound of loops; without a secret, whoever asks is believed to be a replica."""
    owner, other = start_replicas(start_gateway, target, 2)
    with owner.login() as client:
        client.send(query("select pg_sleep(1), 'undisturbed'"))
        time.sleep(0.1)
        answer = ask_as_a_replica(other.port, client.pid, client.key)
        assert len(answer) == 27 and answer[:3] == b"?\0\2"
        assert client.result() == [["", "undisturbed"]]
        with running(client):
            assert ask_as_a_replica(owner.port, client.pid, client.key)[:3] == b"!\0\1"
    assert owner.cancels("no_such_session") == 0 and other.cancels("no_such_session") == 1


def test_a_question_of_a_stranger_is_not_answered(start_gateway, target, key_file):
    owner, _other = start_replicas(start_gateway, target, 2, key_file=key_file)
    with owner.login() as client:
        client.send(query("select pg_sleep(1), 'undisturbed'"))
        time.sleep(0.1)
        assert ask_as_a_replica(owner.port, client.pid, client.key) == b""
        assert client.result() == [["", "undisturbed"]]
    counted(owner, "not_a_peer", 1)


def test_another_secret_is_rolled_out(start_gateway, fake_target, tmp_path):
    """One replica after the other gets it; nothing that was cancellable before ceases to be."""
    files = [secret_file(tmp_path, f"{i}.key") for i in range(2)]
    owner, other = start_replicas(start_gateway, fake_target.endpoint, 2,
                                  own={i: {"keyFile": each} for i, each in enumerate(files)})
    with owner.login((3, 2)) as old:
        for step, replica in enumerate((owner, other)):
            secret_file(tmp_path, f"{step}.key", b"n")
            mark = len(replica.gateway.log())
            replica.gateway.send(signal.SIGHUP)
            wait_until(lambda: any(line.get("event") == "config.reload" for line in replica.gateway.log()[mark:]), 5,
                       "the reload")
            with owner.login((3, 2)) as new:
                for client in (old, new):
                    before = len(fake_target.cancels)
                    send_cancel(other.port, client.pid, client.key)
                    assert len(fake_target.cancels) == before + 1


def test_two_replicas_of_one_number(start_gateway, target, key_file):
    """Not as it should be, and it works all the same."""
    replicas = start_replicas(start_gateway, target, 3, key_file=key_file, own={1: {"number": 9}, 2: {"number": 9}})
    with replicas[1].login() as one, replicas[2].login() as two:
        assert one.pid == two.pid
        for client in (one, two):
            for through in replicas:
                with running(client):
                    send_cancel(through.port, client.pid, client.key)


def test_never_another_clients_statement(start_gateway, target, key_file):
    """The same slot at every replica: only the key's own session is cancelled."""
    replicas = start_replicas(start_gateway, target, 3, key_file=key_file)
    clients = [replica.login() for replica in replicas for _ in range(4)]
    for i, client in enumerate(clients):
        client.send(query(f"select pg_sleep(2), {i}"))
    time.sleep(0.2)
    victims = clients[::3]
    threads = [threading.Thread(target=send_cancel, args=(replicas[i % 3].port, client.pid, client.key))
               for i, client in enumerate(victims)]
    # A key with one bit changed, and one of another session's pid, through each replica.
    for i, client in enumerate(clients):
        wrong = client.key[:3] + bytes([client.key[3] ^ 1])
        threads.append(threading.Thread(target=send_cancel, args=(replicas[i % 3].port, client.pid, wrong)))
        threads.append(threading.Thread(target=send_cancel,
                                        args=(replicas[i % 3].port, client.pid, clients[i - 1].key)))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    for i, client in enumerate(clients):
        if client in victims:
            with pytest.raises(Refused) as refused:
                client.result()
            assert refused.value.code == "57014"
        else:
            assert client.result() == [["", str(i)]]
        client.close()


def test_the_client_is_closed_when_the_server_has_closed(start_gateway, key_file):
    """wire.md 1, over two replicas."""
    closed_at = []

    def serve(connection, server):
        packet = connection.recv(1000)
        if struct.unpack("!i", packet[4:8])[0] == 80877102:
            time.sleep(0.5)
            closed_at.append(time.monotonic())
            connection.close()
            return
        connection.sendall(authentication_ok())
        discard(connection, server)
    with FakeServer(serve, login=False) as fake:
        owner, other = start_replicas(start_gateway, fake.endpoint, 2, key_file=key_file)
        with owner.login() as client:
            send_cancel(other.port, client.pid, client.key)
            assert closed_at and time.monotonic() >= closed_at[0]


def flood(port: int, count: int, source: str, stop: threading.Event | None = None) -> int:
    """Random keys from one source, one connection each, as fast as they are taken."""
    sent = 0
    for _ in range(count):
        if stop is not None and stop.is_set():
            break
        with socket.socket() as one:
            one.bind((source, 0))
            one.connect(("127.0.0.1", port))
            random = os.urandom(8)
            one.sendall(cancel_request(struct.unpack("!I", random[:4])[0] & 0x7fffffff, random[4:]))
            one.settimeout(20)
            assert one.recv(1) == b""
        sent += 1
    return sent


def test_a_flood_of_random_keys(start_gateway, target, key_file, fake_target, not_sanitized):
    """10,000 keys that belong to nobody, to the replica through which genuine ones come meanwhile."""
    count = 10_000
    owner, other = start_replicas(start_gateway, fake_target.endpoint, 2, key_file=key_file)
    with owner.login((3, 2)) as long, owner.login() as short:
        send_cancel(other.port, long.pid, long.key)
        threads = [threading.Thread(target=flood, args=(other.port, count // 4, f"127.0.0.{i + 10}")) for i in range(4)]
        started = time.monotonic()
        for thread in threads:
            thread.start()
        took = []
        while any(thread.is_alive() for thread in threads):
            for client in (long, short):
                took.append(send_cancel(other.port, client.pid, client.key))
            time.sleep(0.02)
        flooded = time.monotonic() - started
    took.sort()
    middle = took[len(took) // 2]
    print(f"\n{count} random keys in {flooded:.1f} s; {len(took)} genuine ones meanwhile: "
          f"median {middle * 1000:.1f} ms, 99 of 100 {took[int(len(took) * 0.99)] * 1000:.1f} ms, "
          f"slowest {took[-1] * 1000:.1f} ms")
    assert len(fake_target.cancels) == len(took) + 1
    assert middle < PROMPT  # the rest is the machine's: other tests run beside this one
    refused = other.cancels("rate_limited") + other.cancels("unknown_key")
    assert refused == count and other.cancels("rate_limited") > count // 2
    assert owner.cancels("no_such_session") < count // 4  # what was passed on


def test_two_hundred_through_another_replica(start_gateway, fake_target, key_file, not_sanitized):
    owner, other = start_replicas(start_gateway, fake_target.endpoint, 2, key_file=key_file)
    for version in ((3, 0), (3, 2)):
        with owner.login(version) as client:
            took = sorted(send_cancel(other.port, client.pid, client.key) for _ in range(200))
        print(f"\n200 cancels of {version[0]}.{version[1]} through another replica: median {took[100] * 1000:.1f} ms, "
              f"p99 {took[197] * 1000:.1f} ms, slowest {took[-1] * 1000:.1f} ms")
        assert took[100] < PROMPT
    assert len(fake_target.cancels) == 400
    counted(other, "forwarded_to_peer", 400)


def test_while_no_more_logins_are_taken(before, server):
    """Connections that say nothing have taken all places of half-open logins: a cancel is served, a login is not."""
    gateway, port = before(server)
    gateway.config["listeners"][0] |= {"maxHalfOpenLogins": 3}
    gateway.write_config()
    mark = len(gateway.log())
    gateway.send(signal.SIGHUP)
    wait_until(lambda: any(line.get("event") == "config.reload" for line in gateway.log()[mark:]), 5, "the reload")
    time.sleep(0.5)  # the workers hear of it one by one
    with RawClient(port) as client:
        client.login()
        silent = [RawClient(port) for _ in range(3)]
        time.sleep(0.2)
        with RawClient(port) as late, pytest.raises(Refused) as refused:
            late.login()
        assert refused.value.code == "53300"
        with running(client):
            send_cancel(port, client.pid, client.key)
        # One that says nothing in the reserve is not waited for.
        with RawClient(port) as mute:
            started = time.monotonic()
            assert mute.read_error()["C"] == "53300"
            assert 1 < time.monotonic() - started < 5
        for each in silent:
            each.close()
