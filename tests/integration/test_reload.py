"""Reload: SIGHUP and file changes make a new snapshot; a bad file changes nothing; certificates come and go under sessions."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import ssl

import pytest

from harness.certs import Authority
from harness.gateway import port_of, settle, simple_config
from harness.postgres import USER
from harness.system import free_port, wait_until
from harness.wire import Closed, RawClient, Refused, Scram, startup, trusting

pytestmark = pytest.mark.needs_gateway


def reloads(gateway) -> list[dict]:
    return [line for line in gateway.log() if line["event"] == "config.reload"]


def wait_for_reload(gateway, count: int, level: str = "info") -> dict:
    found = wait_until(lambda: [line for line in reloads(gateway) if line["level"] == level][count - 1:], 10,
                       f"reload number {count}, level {level}")
    return found[0]


def refused_route(port: int) -> bool:
    try:
        with RawClient(port) as client:
            client.login()
        return False
    except Refused as refused:
        assert "no route" in refused.fields["M"]
        return True


@pytest.mark.parametrize("how", ["SIGHUP", "file"])
def test_new_sessions_see_the_new_routes(before, server, how):
    gateway, port = before(server)
    with RawClient(port) as old:
        old.login()
        config = gateway.config
        config["routes"][0]["match"] = {"user": "somebody-else"}
        gateway.write_config(config)
        if how == "SIGHUP":
            gateway.send(signal.SIGHUP)
        wait_for_reload(gateway, 1)
        assert refused_route(port)
        assert old.simple("select 1") == [["1"]], "a session goes on with the snapshot it began with"
        config["routes"][0]["match"] = {}
        gateway.write_config(config)
        gateway.send(signal.SIGHUP)
        assert wait_for_reload(gateway, 2)["generation"] == 3
        with RawClient(port) as new:
            new.login()


@pytest.mark.parametrize("wrong,place", [
    ("listeners: [", "trunkline.yaml:"),
    (json.dumps({"listeners": [], "surprise": 1}), "surprise"),
    ("", "trunkline.yaml"),
], ids=["no YAML", "unknown key", "empty"])
@pytest.mark.parametrize("how", ["SIGHUP", "file"])
def test_a_bad_file_keeps_the_old_one(before, server, how, wrong, place):
    gateway, port = before(server)
    with RawClient(port) as old:
        old.login()
        gateway.file.write_text(wrong)
        if how == "SIGHUP":
            gateway.send(signal.SIGHUP)
        wait_for_reload(gateway, 1, "error")
        settle(0.2)
        said = " ".join(line["message"] for line in reloads(gateway))
        assert place in said and "old" in said, said
        assert old.simple("select 1") == [["1"]]
        with RawClient(port) as new:
            new.login()
        gateway.write_config()
        gateway.send(signal.SIGHUP)
        wait_for_reload(gateway, 1)


def test_a_listener_is_added_and_another_removed(before, server):
    gateway, port = before(server)
    more = simple_config(f"127.0.0.1:{server.port}")["listeners"][0] | {"name": "second"}
    gateway.config["listeners"].append(more)
    gateway.write_config()
    gateway.send(signal.SIGHUP)
    wait_for_reload(gateway, 1)
    second = port_of(gateway.config, "second")
    with RawClient(second) as client:
        client.login()
        gateway.config["listeners"] = gateway.config["listeners"][:1]
        gateway.write_config()
        gateway.send(signal.SIGHUP)
        wait_for_reload(gateway, 2)
        settle(0.2)
        assert client.simple("select 1") == [["1"]], "its sessions go on"
        with pytest.raises((OSError, Closed)), RawClient(second) as late:
            late.login()
    with RawClient(port) as client:
        client.login()


def test_an_address_that_cannot_be_had_keeps_the_old_configuration(before, server):
    gateway, port = before(server)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        gateway.config["listeners"].append(
            {"name": "second", "address": f"127.0.0.1:{taken.getsockname()[1]}", "tls": {"mode": "disable"}})
        gateway.write_config()
        gateway.send(signal.SIGHUP)
        wait_for_reload(gateway, 1, "error")
        with RawClient(port) as client:
            client.login()
        gateway.config["listeners"].pop()


def serial(port: int, authority, resume=None) -> str:
    with RawClient(port) as client:
        assert client.ssl_request() == b"S"
        client.tls(trusting(authority.cert))
        seen = client.socket.getpeercert()["serialNumber"]
        client.login()
        return seen


def test_certificates_through_a_symlink_swap(before, server, authority, tmp_path):
    """As Kubernetes does it: ..data is a symlink to a folder, and is replaced by another."""
    versions = [authority.issue(f"rotated-{i}", common_name=f"rotated {i}") for i in (1, 2)]
    for i, certificate in enumerate(versions):
        (tmp_path / f"v{i}").mkdir()
        shutil.copy(certificate.cert, tmp_path / f"v{i}" / "tls.crt")
        shutil.copy(certificate.key, tmp_path / f"v{i}" / "tls.key")
    (tmp_path / "..data").symlink_to("v0")
    for name in ("tls.crt", "tls.key"):
        (tmp_path / name).symlink_to(f"..data/{name}")
    gateway, port = before(server, tls={"mode": "require", "certificates": [
        {"certFile": str(tmp_path / "tls.crt"), "keyFile": str(tmp_path / "tls.key")}]})
    first = serial(port, authority)
    with RawClient(port) as old:
        old.ssl_request()
        old.tls(trusting(authority.cert))
        old.login()
        (tmp_path / "..data_tmp").symlink_to("v1")
        os.replace(tmp_path / "..data_tmp", tmp_path / "..data")
        wait_for_reload(gateway, 1)
        second = serial(port, authority)
        assert second != first
        assert old.simple("select 1") == [["1"]]
        # A key that does not fit its certificate is refused, and the good pair stays.
        shutil.copy(versions[0].key, tmp_path / "v1" / "tls.key")
        wait_for_reload(gateway, 1, "error")
        assert serial(port, authority) == second
        assert old.simple("select 1") == [["1"]]


def test_new_authority_for_the_server_leg(before, server, authority, tmp_path):
    ca = tmp_path / "ca.crt"
    shutil.copy(authority.cert, ca)
    gateway, port = before(f"localhost:{server.port}", upstream_tls={"mode": "verify-full", "caFile": str(ca)})
    with RawClient(port) as client:
        client.login()
        other = Authority(tmp_path / "other", "another CA")
        shutil.copy(other.cert, ca)
        wait_for_reload(gateway, 1)
        with RawClient(port) as late, pytest.raises(Refused):
            late.login()
        assert gateway.wait_end()[0]["cause"] == "tls_server"
        assert client.simple("select 1") == [["1"]]


def test_verifier_file(before, server, tmp_path):
    verifiers = tmp_path / "verifiers"
    verifiers.write_text('"nobody" "SCRAM-SHA-256$4096:AAAAAAAAAAAAAAAAAAAAAA==$AAAA:AAAA"\n'.replace(
        "AAAA:AAAA", "A" * 43 + "=:" + "A" * 43 + "="))
    gateway, port = before(server, auth={"method": "scram", "verifierFile": str(verifiers)})
    from harness.postgres import PASSWORD
    with RawClient(port) as client, pytest.raises(Refused):
        client.login(USER, scram=Scram(PASSWORD))
    verifiers.write_text("".join(f'"{role}" "{verifier}"\n' for role, verifier in server.verifiers()))
    wait_for_reload(gateway, 1)
    with RawClient(port) as client:
        client.login(USER, scram=Scram(PASSWORD))


def test_reload_under_load_drops_nothing(before, server):
    gateway, port = before(server)
    clients = [RawClient(port).login() for _ in range(20)]
    for i in range(10):
        gateway.config["keepalive"] = {"probes": i + 2}
        gateway.write_config()
        gateway.send(signal.SIGHUP)
        for client in clients:
            assert client.simple("select 7") == [["7"]]
        with RawClient(port) as new:
            new.login()
    wait_until(lambda: len([line for line in reloads(gateway) if line["level"] == "info"]) >= 1, 10, "a reload")
    for client in clients:
        client.close()


def test_wrong_file_at_the_start(start_gateway, server):
    """`serve` and `check` say file, line, column, key and what was expected, and exit with 2."""
    config = simple_config(f"127.0.0.1:{server.port}")
    config["routes"][0]["pooling"] = "sometimes"
    gateway = start_gateway(config, begin=False)
    done = gateway.check()
    assert done.returncode == 2
    said = done.stdout + done.stderr
    assert f"{gateway.file}:" in said and "routes[0].pooling" in said and "expected" in said, said
    gateway.start(wait=False)
    assert gateway.wait(10) == 2
    assert "routes[0].pooling" in gateway.stderr_text()
    gateway._checked = True


def test_certificate_context_is_not_weak(before, server, authority):
    """The client's default context, which refuses weak things, is content; TLS 1.1 is not to be had."""
    certificate = authority.issue("gateway")
    _gateway, port = before(server, tls={"mode": "require", "certificates": [
        {"certFile": str(certificate.cert), "keyFile": str(certificate.key)}]})
    context = trusting(authority.cert)
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with RawClient(port) as client:
        assert client.ssl_request() == b"S"
        with pytest.raises((ssl.SSLError, OSError)):
            client.tls(context)


def test_who_waits_for_a_server_goes_where_the_second_reload_leads(start_gateway, server, authority):
    """Its TLS is that of the first configuration: it must outlive every one that comes between."""
    shown = authority.issue("gateway")
    config = simple_config(
        f"127.0.0.1:{free_port()}", upstream={"failover": {"hold": "30s"}},
        tls={"mode": "require", "certificates": [{"certFile": str(shown.cert), "keyFile": str(shown.key)}]})
    one = config["upstreams"][0]
    config["upstreams"] += [one | {"name": "neither", "endpoints": [f"127.0.0.1:{free_port()}"]},
                            one | {"name": "there", "endpoints": [server.endpoint]}]
    gateway = start_gateway(config)
    with RawClient(port_of(config, "main"), timeout=30) as client:
        assert client.ssl_request() == b"S"
        client.tls(trusting(authority.cert))
        client.send(startup({"user": "trustuser", "database": "app"}))
        settle(0.3)
        for count, upstream in enumerate(("neither", "there"), start=1):
            config["routes"][0]["upstream"] = upstream
            gateway.write_config(config)
            gateway.send(signal.SIGHUP)
            wait_for_reload(gateway, count)
            settle(0.3)
        client.authenticate("trustuser", "")
        assert client.simple("select 1") == [["1"]]
