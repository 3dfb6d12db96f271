"""Statements that carry a sampled traceparent become spans of a collector; a collector never disturbs a session."""

from __future__ import annotations

import time

import pytest

from harness import audit
from harness.gateway import simple_config
from harness.system import free_port
from harness.tracing import Collector, Parent, attributes
from harness.wire import SYNC, RawClient, Refused
from test_audit import bind, execute, parse, read_to_ready

pytestmark = pytest.mark.needs_gateway


@pytest.fixture
def collect():
    running = []

    def start(*args, **more) -> Collector:
        running.append(Collector(*args, **more))
        return running[-1]
    yield start
    for each in running:
        each.stop()


@pytest.fixture
def traced(before, server):
    """port of a collector -> (gateway, port)."""
    def of(port: int, scheme: str = "http", ca_file=None, **config):
        trusted = {"caFile": str(ca_file)} if ca_file else {}
        return before(server, tracing={"endpoint": f"{scheme}://127.0.0.1:{port}/v1/traces"} | trusted, **config)
    return of


def test_a_span_says_whose_what_and_when(traced, collect, server):
    collector, parent, unsampled = collect(), Parent(), Parent("00")
    _, port = traced(collector.port)
    with RawClient(port) as client:
        client.login()
        client.simple("select 'no traceparent'")
        client.simple("select 'not sampled'" + unsampled.comment)
        begun = time.time_ns()
        client.simple("select pg_sleep(0.2), 'a-literal'" + parent.comment)
        ended = time.time_ns()
        client.simple("select 'no traceparent either'")
    (span,) = collector.wait_for(parent)
    assert collector.spans() == [span], "the others carry none"
    path, kind, body = collector.requests[0]
    assert path == "/v1/traces" and kind == "application/json" and b"a-literal" not in body
    assert span["parentSpanId"] == parent.span and len(bytes.fromhex(span["spanId"])) == 8
    assert span["name"] == "SELECT app" and span["kind"] == 3 and span["status"].get("code", 0) == 0
    start, end, slack = int(span["startTimeUnixNano"]), int(span["endTimeUnixNano"]), 5_000_000
    assert begun - slack <= start and start + 200_000_000 <= end <= ended + slack, (begun, start, end, ended)
    told = attributes(span)
    assert told["db.system.name"] == "postgresql" and told["db.namespace"] == "app"
    assert told["db.query.text"].startswith("select pg_sleep($1), $2")
    assert told["server.address"] == f"127.0.0.1:{server.port}" and told["trunkline.session"]
    assert 0.19 <= float(told["trunkline.seconds.server"]) <= (end - start) / 1e9


def test_application_name_prepared_statements_and_errors(traced, collect):
    collector, of_session, of_statement, of_failed = collect(), Parent(), Parent(), Parent()
    _, port = traced(collector.port)
    with RawClient(port) as client:
        client.login(application_name="tests " + of_session.text)
        client.simple("select 1")
        client.send(parse("s1", "insert into there_is_none values ($1)" + of_failed.comment) + SYNC)
        read_to_ready(client)
        client.send(parse("s2", "select $1::int" + of_statement.comment) + bind("s2", b"1") + execute() + SYNC)
        read_to_ready(client)
        client.send(bind("s2", b"2") + execute() + SYNC)
        read_to_ready(client)
    first, second = collector.wait_for(of_statement, count=2)
    assert first["spanId"] != second["spanId"] and first["parentSpanId"] == second["parentSpanId"] == of_statement.span
    assert int(first["endTimeUnixNano"]) <= int(second["startTimeUnixNano"])
    (failed,) = collector.wait_for(of_failed)
    assert failed["status"]["code"] == 2 and attributes(failed)["db.response.status_code"] == "42P01"
    assert failed["name"] == "INSERT app"
    (of_name,) = collector.wait_for(of_session)
    assert of_name["parentSpanId"] == of_session.span and attributes(of_name)["db.query.text"] == "select $1"


@pytest.mark.parametrize("shown", [True, False])
def test_texts_are_shown_where_the_audit_may_and_secrets_never(traced, collect, tmp_path, shown):
    collector, parent = collect(), Parent()
    _, port = traced(collector.port, audit=audit.to_folder(tmp_path / "audit", queryText=shown))
    with RawClient(port) as client:
        client.login(application_name=parent.text)
        client.simple("select 'marker-literal' as marker_column")
        for text in ("alter role there_is_none password 'marker-secret'", "select marker_word from from 'marker-secret'"):
            with pytest.raises(Refused):
                client.simple(text)
    spans = collector.wait_for(parent, count=3)
    sent = b"".join(body for _, _, body in collector.requests)
    assert b"marker-secret" not in sent and b"marker-literal" not in sent
    assert (b"marker_column" in sent) == shown and b"SELECT app" in sent
    assert ("db.query.text" in attributes(spans[0])) == shown


@pytest.mark.parametrize("how", ["503", "down"])
def test_a_collector_that_fails_for_a_while(traced, collect, how):
    refused, later, place = Parent(), Parent(), free_port()
    collector = collect(place, refusals=(503, 503)) if how == "503" else None
    _, port = traced(place)
    with RawClient(port) as client:
        client.login()
        begun = time.monotonic()
        client.simple("select 1" + refused.comment)
        while time.monotonic() < begun + 1.5:  # the first batch has been tried
            asked = time.monotonic()
            client.simple("select 2")
            assert time.monotonic() - asked < 1
        collector = collector or collect(place)
        client.simple("select 3" + later.comment)
        collector.wait_for(refused, count=3 if how == "503" else 1)
        collector.wait_for(later)
        client.simple("select 4")


def test_a_collector_that_is_silent_holds_up_nothing(traced, collect):
    collector, parent = collect(silent=True), Parent()
    gateway, port = traced(collector.port)
    with RawClient(port) as client:
        client.login()
        client.simple("select 1" + parent.comment)
        collector.wait_for(parent)
        for _ in range(100):
            client.simple("select 2" + parent.comment)
    asked = time.monotonic()
    gateway.stop()
    assert time.monotonic() - asked < 5


def test_a_collector_behind_https(traced, collect, authority):
    collector, parent = collect(certificate=authority.issue("server")), Parent()
    _, port = traced(collector.port, "https", ca_file=authority.cert)
    with RawClient(port) as client:
        client.login()
        client.simple("select 1" + parent.comment)
    assert collector.wait_for(parent)


def test_authorities_that_are_none_are_refused(start_gateway, tmp_path):
    (tmp_path / "ca.crt").write_text("not a certificate\n")
    gateway = start_gateway(simple_config("127.0.0.1:1", tracing={"endpoint": "https://127.0.0.1:1/",
                                                                  "caFile": str(tmp_path / "ca.crt")}), begin=False)
    refused = gateway.check()
    assert refused.returncode == 2 and "ca.crt" in refused.stderr, refused.stderr


def test_a_collector_that_nobody_vouches_for_gets_nothing(traced, collect, authority):
    collector, parent = collect(certificate=authority.issue("server")), Parent()
    gateway, port = traced(collector.port, "https")
    with RawClient(port) as client:
        client.login()
        client.simple("select 1" + parent.comment)
        time.sleep(2)  # tried at least once
        client.simple("select 2")
    gateway.stop()
    assert not collector.requests
