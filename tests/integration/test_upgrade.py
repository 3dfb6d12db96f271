"""SIGUSR2: a new process takes over the sockets, no client is refused, and the old one's sessions finish there."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import threading
import time
from pathlib import Path

import pytest

from harness import audit
from harness.admin import Admin
from harness.gateway import listener, port_of, simple_config
from harness.generations import Generations, Process
from harness.system import free_port, port_answers, run, wait_until
from harness.wire import Closed, RawClient, Refused, cancel_request, query, startup

pytestmark = pytest.mark.needs_gateway


@pytest.fixture
def generations(start_gateway, server):
    started: list[Generations] = []

    def of(binary: Path | None = None, environment: dict | None = None, **config) -> Generations:
        whole = simple_config(f"127.0.0.1:{server.port}", **config)
        gateway = start_gateway(whole, begin=False, environment=environment)
        gateway.binary = binary or gateway.binary
        started.append(Generations(gateway.start()))
        return started[-1]

    yield of
    for each in started:
        each.end()


@pytest.fixture
def replaceable(pytestconfig, tmp_path) -> Path:
    return Path(shutil.copy(pytestconfig.getoption("--bin"), tmp_path / "trunkline"))


def replace(binary: Path, by: str | Path) -> None:
    """As a package manager does it: another file under the same name."""
    new = binary.with_suffix(".new")
    if isinstance(by, Path):
        shutil.copy(by, new)
    else:
        new.write_text(by)
        new.chmod(0o755)
    os.replace(new, binary)


class Connecting:
    """Threads that log in, ask and leave, again and again."""

    def __init__(self, port: int, threads: int = 4):
        self.served = 0
        self.failures: list[str] = []
        self._port = port
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(threads)]

    def _run(self) -> None:
        while not self._over.is_set():
            try:
                with RawClient(self._port, timeout=10) as client:
                    client.login()
                    assert client.simple("select 1") == [["1"]]
                self.served += 1
            except (OSError, Closed, Refused, AssertionError) as failure:
                self.failures.append(repr(failure))

    def __enter__(self) -> "Connecting":
        for each in self._threads:
            each.start()
        return self

    def __exit__(self, *_) -> None:
        self._over.set()
        for each in self._threads:
            each.join()


def test_no_connection_is_refused(generations):
    some = generations()
    with Connecting(some.port) as clients:
        for _ in range(3):
            before = clients.served
            some.hand_over()
            wait_until(lambda: clients.served > before + 50, 20, "clients go on")
    assert not clients.failures
    assert some.gateway.wait(10) == 0, "its last session is over, and so is it"


def test_what_is_on_disk_takes_over(generations, replaceable, pytestconfig):
    some = generations(replaceable)
    replace(replaceable, Path(pytestconfig.getoption("--bin")))
    new = some.hand_over()
    assert os.stat(f"/proc/{new.pid}/exe").st_ino == replaceable.stat().st_ino
    arguments = Path(f"/proc/{new.pid}/cmdline").read_bytes().split(b"\0")
    assert arguments[1:4] == [b"serve", b"-c", str(some.gateway.file).encode()]
    assert some.gateway.wait(10) == 0


def test_sessions_go_on_in_the_old_process(generations):
    some = generations(drain={"grace": "60s"})
    with RawClient(some.port) as idle, RawClient(some.port) as within:
        idle.login()
        within.login()
        within.simple("begin; create temp table t (a int)")
        some.hand_over()
        time.sleep(1)
        assert idle.simple("select 1") == [["1"]]
        assert within.simple("insert into t values (7); select a from t; commit")[-1:] == [["7"]]
        with RawClient(some.port) as new:
            new.login()
        assert some.gateway.running
    assert some.gateway.wait(10) == 0
    assert {line["cause"] for line in some.gateway.ends()} <= {"client_eof", "client_terminate", "client_reset"}


def test_pooled_sessions_go_on_in_the_old_process(generations):
    """With its pool; new ones have a pool of their own."""
    some = generations(auth={"method": "trust"}, route={"pooling": "transaction"},
                       upstream={"pool": {"size": 1, "maxWait": "20s"}})
    with RawClient(some.port).login() as first, RawClient(some.port).login() as second:
        first.simple("set work_mem = '7MB'")
        some.hand_over()
        with RawClient(some.port).login() as new:
            new.simple("begin")
            for _ in range(3):
                assert first.simple("show work_mem") == [["7MB"]]
                assert second.simple("select 1") == [["1"]]
            new.simple("commit")
            assert new.simple("show work_mem") != [["7MB"]]


def test_a_login_that_has_begun_is_finished(generations):
    some = generations(drain={"grace": "20s"})
    packet = startup({"user": "trustuser", "database": "app"})
    with RawClient(some.port) as slow:
        slow.send(packet[:2])
        time.sleep(0.2)
        some.hand_over()
        time.sleep(0.2)
        slow.send(packet[2:])
        slow.authenticate("trustuser", "")
        assert slow.simple("select 1") == [["1"]]


def test_the_grace_time_ends_in_order(generations):
    """Undisturbed for three quarters of it; then idle sessions end, and transactions may finish."""
    some = generations(drain={"grace": "4s"})
    with RawClient(some.port) as idle, RawClient(some.port) as within, RawClient(some.port) as endless:
        for each in (idle, within, endless):
            each.login()
        within.simple("begin")
        endless.simple("begin")
        some.hand_over()
        started = time.monotonic()
        assert idle.read_error()["C"] == "57P01"
        assert 2 < time.monotonic() - started < 3.7
        assert within.simple("commit") == []
        assert within.read_error()["C"] == "57P01"
        assert endless.read_error()["C"] == "57P01"
        assert 3.3 < time.monotonic() - started < 8
    assert some.gateway.wait(10) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_signals_to_the_old_process(generations, number):
    some = generations(drain={"grace": "60s"})
    with RawClient(some.port) as idle, RawClient(some.port) as within:
        idle.login()
        within.login()
        within.simple("begin")
        some.hand_over()
        some.gateway.send(number)
        assert idle.read_error()["C"] == "57P01"
        if number == signal.SIGTERM:
            within.simple("commit")
        assert within.read_error()["C"] == "57P01"
    assert some.gateway.wait(10) == 0
    with RawClient(some.port) as new:
        new.login()


# ---- cancel requests ----


def cancel(port: int, client: RawClient) -> None:
    with RawClient(port) as canceller:
        canceller.send(cancel_request(client.pid, client.key))
        assert canceller.receive_to_end()[0] == b""
    with pytest.raises(Refused) as refused:
        client.result()
    assert refused.value.code == "57014"


def test_cancel_requests_find_the_process_of_their_session(generations):
    some = generations(drain={"grace": "60s"})
    clients = []
    for generation in range(3):
        if generation > 0:
            some.hand_over()
        clients.append(RawClient(some.port).login())
    for _ in range(2):
        for client in clients:
            client.send(query("select pg_sleep(30)"))
            time.sleep(0.1)
            cancel(some.port, client)
    # Keys that nobody knows, and one of a session that is over.
    clients[0].close()
    for key in (b"none", bytes(35)):
        with RawClient(some.port) as canceller:
            canceller.send(cancel_request(clients[0].pid, key))
            assert canceller.receive_to_end()[0] == b""
    for client in clients[1:]:
        assert client.simple("select 1") == [["1"]]
        client.close()


def test_a_process_without_sessions_still_passes_cancel_requests_on(generations):
    some = generations(drain={"grace": "60s"})
    with RawClient(some.port) as client:
        client.login()
        between = some.hand_over()
        some.hand_over()
        assert not between.ended(1)
        client.send(query("select pg_sleep(30)"))
        time.sleep(0.2)
        cancel(some.port, client)
    assert some.gateway.wait(10) == 0
    assert between.ended(10)


def test_a_cancel_request_is_on_record_once(generations, tmp_path):
    some = generations(drain={"grace": "60s"}, audit=audit.to_folder(tmp_path / "audit"))
    with RawClient(some.port) as client:
        client.login()
        some.hand_over()
        client.send(query("select pg_sleep(30)"))
        time.sleep(0.2)
        cancel(some.port, client)
        (told,) = audit.wait_for(tmp_path / "audit", "cancel")
        assert told["result"] == "forwarded" and told["client"].startswith("127.0.0.1:")
        assert told["session"] == audit.events(tmp_path / "audit", "session.start")[0]["session"]
    some.end()
    assert some.gateway.wait(10) == 0
    assert len(audit.events(tmp_path / "audit", "cancel")) == 1


# ---- when it does not work ----


def add_unix_listener(some: Generations, path: Path) -> None:
    some.gateway.config["listeners"].append(
        {"name": "local", "address": f"unix:{path}", "tls": {"mode": "disable"}})
    some.gateway.write_config()
    some.gateway.send(signal.SIGHUP)
    wait_until(path.exists, 10, "the socket is there")


def goes_on(some: Generations, reason: str) -> None:
    failed = wait_until(lambda: some.said("did not start"), 40, "the hand-over is given up")
    assert reason in failed[-1]["message"] and failed[-1]["level"] == "error", failed
    with RawClient(some.port) as client:
        client.login()
        assert client.simple("select 1") == [["1"]]
    some.gateway.check_alive()


def test_a_wrong_configuration_keeps_the_old_process(generations):
    some = generations()
    with RawClient(some.port) as client:
        client.login()
        some.gateway.file.write_text("listeners: [")
        some.gateway.send(signal.SIGUSR2)
        goes_on(some, "trunkline.yaml:")
        assert client.simple("select 1") == [["1"]]
        some.gateway.write_config()
    some.hand_over()


def test_an_address_that_cannot_be_had_keeps_the_old_process(generations, tmp_path):
    """And the files of its sockets."""
    path, admin = tmp_path / ".s.PGSQL.5432", tmp_path / "admin"
    some = generations(admin={"address": f"unix:{admin}"})
    add_unix_listener(some, path)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        some.gateway.config["listeners"].append(listener("taken", taken.getsockname()[1]))
        some.gateway.write_config()
        some.gateway.send(signal.SIGUSR2)
        goes_on(some, "taken")
    assert path.exists() and admin.exists()
    some.gateway.config["listeners"].pop()


@pytest.mark.long
def test_a_process_that_is_never_ready_is_given_up(generations, replaceable):
    some = generations(replaceable)
    replace(replaceable, "#!/bin/sh\nexec sleep 600\n")
    some.gateway.send(signal.SIGUSR2)
    goes_on(some, "not ready in time")
    assert not Path(f"/proc/{some.said('a new process starts')[0]['pid']}").exists()


@pytest.mark.parametrize("program,reason", [("#!/bin/sh\nexit 3\n", "exit code 3"),
                                            ("#!/bin/sh\nkill -9 $$\n", "signal 9"), ("", "cannot start")])
def test_a_program_that_fails_keeps_the_old_process(generations, replaceable, program, reason):
    some = generations(replaceable)
    replace(replaceable, program)
    if not program:
        replaceable.unlink()
        some.gateway.send(signal.SIGUSR2)
        wait_until(lambda: some.said(reason), 10, "it cannot be started")
        some.gateway.check_alive()
        return
    some.gateway.send(signal.SIGUSR2)
    goes_on(some, reason)


def test_sigterm_ends_a_hand_over_that_hangs(generations, replaceable):
    some = generations(replaceable)
    replace(replaceable, "#!/bin/sh\nexec sleep 600\n")
    some.gateway.send(signal.SIGUSR2)
    (told,) = wait_until(lambda: some.said("a new process starts"), 10, "it is started")
    hanging = Process(told["pid"])
    some.gateway.send(signal.SIGTERM)
    assert some.gateway.wait(10) == 0
    assert hanging.ended(5)


# ---- sockets ----


def test_unix_sockets_stay(generations, tmp_path):
    path, admin = tmp_path / ".s.PGSQL.5432", tmp_path / "admin"
    some = generations(admin={"address": f"unix:{admin}"})
    add_unix_listener(some, path)
    inodes = [each.stat().st_ino for each in (path, admin)]
    some.hand_over()
    some.hand_over()
    assert some.gateway.wait(10) == 0 and some.all[1].ended(10)
    assert [each.stat().st_ino for each in (path, admin)] == inodes
    for each, request in ((path, b"\x00\x00\x00\x08\x04\xd2\x16\x2f"), (admin, b"GET /readyz HTTP/1.0\r\n\r\n")):
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(each))
            client.sendall(request)
            answer = client.recv(100)
            assert answer == b"N" or b" 200 " in answer, answer
    some.end()
    assert not path.exists() and not admin.exists()


def test_the_new_configuration_is_in_force(generations):
    """A listener more, one less, one renamed; the admin address is taken over."""
    admin = Admin(free_port())
    some = generations(admin={"address": f"127.0.0.1:{admin.port}"})
    config = some.gateway.config
    config["listeners"].append(listener("second"))
    second = port_of(config, "second")
    some.gateway.write_config()
    some.gateway.send(signal.SIGHUP)
    wait_until(lambda: port_answers(second), 10, "the second listener is there")
    config["listeners"][0]["name"] = "renamed"
    config["listeners"][1] = listener("third")
    some.gateway.write_config()
    some.hand_over()
    for port in (some.port, port_of(config, "third")):
        with RawClient(port) as client:
            client.login()
    wait_until(lambda: not port_answers(second), 10, "the second is gone")
    assert admin.get("/readyz")[0] == 200


def test_nothing_else_is_inherited(generations):
    some = generations(admin={"address": f"127.0.0.1:{free_port()}"})
    for client in [RawClient(some.port).login() for _ in range(8)]:  # a worker opens some of its files when it is used
        client.close()
    first = some.all[0].open_files()
    for _ in range(3):
        client = RawClient(some.port).login()
        new = some.hand_over()
        client.close()
        assert some.all[-2].ended(10)
        wait_until(lambda: new.open_files() <= first + 1, 5, "no more than the link to the process before")
    environment = Path(f"/proc/{new.pid}/environ").read_bytes()
    assert environment.count(b"TRUNKLINE_HANDOVER=") == 1


def test_systemd_is_told(generations, tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(10)
        some = generations(environment={"NOTIFY_SOCKET": str(tmp_path / "notify")})
        assert manager.recv(1000) == b"READY=1"
        new = some.hand_over()
        told = {manager.recv(1000) for _ in range(2)}
        assert told == {b"READY=1", b"MAINPID=%d\nREADY=1" % new.pid}
        new.send(signal.SIGTERM)
        assert manager.recv(1000) == b"STOPPING=1"


# ---- the audit ----


def verify(some: Generations, folder: Path):
    return run([some.gateway.binary, "audit", "verify", "--path", folder], check=False, timeout=60)


def test_the_audit_is_whole(generations, tmp_path):
    folder = tmp_path / "audit"
    some = generations(drain={"grace": "60s"}, audit=audit.to_folder(folder))
    with RawClient(some.port) as old:
        old.login(application_name="old")
        old.simple("select 'before'")
        with Connecting(some.port, 2) as clients:
            some.hand_over()
            served = clients.served
            wait_until(lambda: clients.served > served + 20, 20, "the new process serves")
            for i in range(20):
                old.simple(f"select 'in the old process', {i}")
        assert not clients.failures
        assert "clean" in verify(some, folder).stdout
    assert some.gateway.wait(10) == 0
    # Lane 0 is free again, and its chain goes on.
    some.hand_over()
    assert some.all[1].ended(10)
    with RawClient(some.port) as client:
        client.login(application_name="third")
        client.simple("select 'in the third'")
    some.end()
    done = verify(some, folder)
    assert done.returncode == 0 and "0 recovered ends, 0 gaps" in done.stdout, done.stdout + done.stderr
    assert "of lane 1: number" in done.stdout
    assert {line.get("lane", 0) for line in audit.events(folder, "segment.start")} == {0, 1}
    told = [text for line in audit.events(folder, "exchange") for text in audit.statements(line)]
    assert told.count("select 'before'") == told.count("select 'in the third'") == 1
    assert [f"select 'in the old process', {i}" for i in range(20)] == [each for each in told if "old process" in each]
    # Each connection is there from its start to its end; those that only looked whether it listens are none.
    for kind in ("session.start", "session.end"):
        assert len({line["session"] for line in audit.events(folder, kind)}) == clients.served + 2
    assert told.count("select 1") == clients.served
    listed = run([some.gateway.binary, "audit", "ls", "--path", folder, "--limit", "100000", "--output", "json"])
    assert len(listed.stdout.splitlines()) == len(audit.lines(folder))
    shown = run([some.gateway.binary, "audit", "show", "3", "--path", folder, "--output", "json"])
    assert len(shown.stdout.splitlines()) == 2, "one of each lane"


def test_a_folder_of_somebody_else_s_is_still_refused(generations, start_gateway, server, tmp_path):
    some = generations(audit=audit.to_folder(tmp_path / "audit"))
    other = start_gateway(simple_config(f"127.0.0.1:{server.port}", audit=audit.to_folder(tmp_path / "audit")),
                          wait=False)
    assert other.wait(10) == 2
    assert "in use" in other.stderr_text()
    other._checked = True
    some.hand_over()
