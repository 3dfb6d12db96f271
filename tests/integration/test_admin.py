"""The admin server beside real sessions: health, readiness, the API, and clients that mean no good."""

from __future__ import annotations

import signal
import socket

import pytest

from harness.admin import Admin
from harness.system import free_port, port_answers, wait_until
from harness.wire import RawClient

pytestmark = pytest.mark.needs_gateway


@pytest.fixture
def watched(before, server):
    """(gateway, port, admin)"""
    admin_port = free_port()
    gateway, port = before(server, admin={"address": f"127.0.0.1:{admin_port}"}, drain={"grace": "20s"})
    return gateway, port, Admin(admin_port)


def test_it_is_healthy_ready_and_not_ready_while_it_drains(watched):
    gateway, port, admin = watched
    wait_until(lambda: port_answers(admin.port), 10, "it listens")
    wait_until(lambda: admin.get("/healthz")[0] == 200, 10, "healthy")
    assert admin.get("/readyz")[0] == 200
    with RawClient(port) as client:
        client.login()
        client.simple("begin")
        gateway.send(signal.SIGTERM)
        wait_until(lambda: admin.get("/readyz")[0] == 503, 10, "not ready")
        assert "draining" in admin.get("/readyz")[2] and admin.get("/healthz")[0] == 200
        client.simple("commit")
    assert gateway.wait(15) == 0


def test_status_shows_figures_but_no_sessions_and_moves_with_a_reload(before, server):
    admin_port, status_port, other_port = free_port(), free_port(), free_port()
    places = {"address": f"127.0.0.1:{admin_port}", "status": f"0.0.0.0:{status_port}"}
    gateway, _ = before(server, admin=places)
    status = Admin(status_port)
    wait_until(lambda: port_answers(status_port) and status.get("/readyz")[0] == 200, 10, "ready")
    assert status.get("/healthz")[0] == 200 and "trunkline_sessions" in status.metrics()
    assert {status.get(path)[0] for path in ("/", "/api/v1/sessions", "/api/v1/config", "/api/v1/access")} == {404}
    assert Admin(admin_port).get("/api/v1/sessions")[0] == 200
    gateway.write_config(gateway.config | {"admin": places | {"status": f"127.0.0.1:{other_port}"}})
    gateway.send(signal.SIGHUP)
    wait_until(lambda: port_answers(other_port), 10, "it has moved")
    assert Admin(other_port).get("/readyz")[0] == 200 and not port_answers(status_port)


def test_sessions_and_exchanges_show_no_secret(watched):
    _, port, admin = watched
    with RawClient(port) as client:
        client.login()
        client.simple("select pg_sleep(0.3), 'hunter2'")
        listed = wait_until(lambda: admin.json("/api/v1/sessions")["sessions"], 10, "the session is listed")
        assert listed[0]["state"] == "idle"
        assert admin.json(f"/api/v1/sessions/{listed[0]['id']}")["id"] == listed[0]["id"]
    text = wait_until(lambda: (t := admin.get("/api/v1/exchanges")[2]) and "pg_sleep" in t and t, 10, "it is slow")
    assert "hunter2" not in text and '"phase": "server"' in text
    for page in ("upstreams", "audit", "access", "config", ""):
        admin.json(f"/api/v1/{page}")


@pytest.mark.alone
def test_hostile_clients_leave_queries_alone(watched, not_sanitized):
    gateway, port, admin = watched
    before_it = gateway.memory_kib()
    slow = [socket.create_connection(("127.0.0.1", admin.port)) for _ in range(300)]
    for each in slow:
        each.sendall(b"GET /me")
    with socket.create_connection(("127.0.0.1", admin.port)) as endless:
        endless.sendall(b"GET / HTTP/1.1\r\n")
        for _ in range(10_000):
            endless.sendall(b"X: " + b"a" * 4000 + b"\r\n")
        assert endless.recv(100).startswith(b"HTTP/1.1 431 ")
    assert gateway.memory_kib() < before_it + 10_000
    with RawClient(port) as client:
        client.login()
        client.simple("select 1")
    assert admin.get("/healthz")[0] == 200
    assert admin.get("/healthz", Host="evil.example")[0] == 421
    assert gateway.open_files() < 200
    for each in slow:
        each.close()
