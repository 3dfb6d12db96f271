"""Access that somebody has to approve: the client waits in place, and goes on, or hears why not."""

from __future__ import annotations

import os
import subprocess
import time

import pytest

from harness.grants import POOLINGS, Desk, Waiting, policy
from harness.system import wait_until
from harness.wire import RawClient, Refused, startup

pytestmark = pytest.mark.needs_gateway


@pytest.fixture
def desk(start_gateway, server, tmp_path) -> Desk:
    return Desk(start_gateway, server, tmp_path / "desk")


@pytest.mark.parametrize("pooling", POOLINGS)
def test_a_client_waits_in_place_and_goes_on(desk, pooling):
    desk.start(pooling=pooling)
    waiting = Waiting(desk.port, options=r"-c trunkline.reason=incident\ 7")
    request = desk.wait_request()
    assert (request["principal"], request["database"], request["policy"]) == ("alice", "app", "prod")
    assert request["reason"] == "incident 7" and request["needs"] == "somebody of dba"
    notice = waiting.told(f"request {request['id']}")
    assert notice["S"] == "NOTICE" and "somebody of dba" in notice["M"]
    assert waiting.waits
    desk.approve(request["id"], reason="go on")
    with waiting.client_in() as client:
        assert client.simple("select current_user") == [["trustuser"]]
        assert client.pid and client.parameters["server_version"]
    assert desk.events("request")[0]["reason"] == "incident 7"
    approved = desk.events("approve")[0]
    assert (approved["by"], approved["principal"], approved["reason"]) == ("bob", "alice", "go on")
    assert desk.events("grant")[0]["until"]


def test_the_server_may_have_authenticated_it(desk):
    desk.start(auth={"method": "server"})
    waiting = Waiting(desk.port, "trustuser")
    request = desk.wait_request()
    waiting.told("somebody of dba")
    assert waiting.client.parameters, "the server's settings come before the wait"
    desk.approve(request["id"])
    with waiting.client_in() as client:
        assert client.simple("select 1") == [["1"]]
    again = Waiting(desk.port, "trustuser", database="postgres")
    desk.answer("deny", desk.wait_request()["id"], "bob", reason="no")
    assert again.refusal()["C"] == "28000"


@pytest.mark.parametrize("pooling", ["off", "transaction"])
def test_who_comes_again_is_in_by_the_same_grant(desk, pooling):
    desk.start(pooling=pooling)
    with desk.granted(), RawClient(desk.port) as second:
        second.login("alice")
        assert second.simple("select 1") == [["1"]] and not second.notices
        other = Waiting(desk.port, "alice", database="postgres")
        desk.wait_request()
        assert other.waits, "another database is another question"
        other.leave()
    assert len(desk.grants()) == 1


def test_two_connections_share_a_request_and_one_may_leave(desk):
    desk.start()
    one, other = Waiting(desk.port), Waiting(desk.port)
    request = desk.wait_request()
    one.told("request"), other.told("request")
    one.leave()
    time.sleep(0.5)
    assert desk.one(request["id"])["state"] == "open"
    desk.approve(request["id"])
    other.client_in().close()


@pytest.mark.parametrize("how", ["fin", "reset"])
def test_the_last_who_leaves_withdraws_it(desk, how):
    desk.start()
    client = RawClient(desk.port)
    client.send(startup({"user": "alice", "database": "app"}))
    request = desk.wait_request()
    client.reset() if how == "reset" else client.close()
    wait_until(lambda: desk.one(request["id"])["state"] == "withdrawn", 5, "withdrawn")
    assert desk.events("withdraw")[0]["by"] == "alice"


def test_a_denial_ends_it_with_the_reason(desk):
    desk.start()
    waiting = Waiting(desk.port)
    desk.answer("deny", desk.wait_request()["id"], "bob", reason="not on\na Friday")
    fields = waiting.refusal()
    assert fields["S"] == "FATAL" and fields["C"] == "28000"
    assert "was denied by bob: not on a Friday" in fields["M"]
    desk.gateway.wait_end(cause="policy_denied")
    assert desk.events("deny")[0]["reason"] == "not on\na Friday"


def test_nobody_answers_in_time(desk):
    desk.start(policy(wait="2s"))
    began = time.monotonic()
    waiting = Waiting(desk.port)
    fields = waiting.refusal()
    assert fields["C"] == "28000" and "in time" in fields["M"]
    assert 1.5 < time.monotonic() - began < 6
    assert "by" not in desk.events("timeout")[0] or not desk.events("timeout")[0]["by"]


def test_a_withdrawal_ends_it(desk):
    desk.start()
    waiting = Waiting(desk.port)
    desk.answer("withdraw", desk.wait_request()["id"], "alice")
    fields = waiting.refusal()
    assert fields["C"] == "28000" and "withdrawn by alice" in fields["M"]


def test_a_reason_where_the_policy_wants_one(desk):
    desk.start(policy(reason=True))
    with RawClient(desk.port) as client, pytest.raises(Refused) as refused:
        client.login("alice")
    assert refused.value.code == "28000" and "trunkline.reason" in refused.value.fields["H"]
    assert not desk.requests()
    waiting = Waiting(desk.port, application_name="psql reason=incident 8")
    assert desk.wait_request()["reason"] == "incident 8"
    waiting.leave()
    done = desk.command("alice", "request", "--route", "all", "--database", "app", "--reason", "incident 9")
    assert done.returncode == 0, done.stderr
    silent = Waiting(desk.port)
    silent.told("request")
    desk.approve(desk.wait_request()["id"])
    silent.client_in().close()


def test_the_login_timeout_does_not_end_a_wait(desk):
    config = desk.config()
    config["listeners"][0]["loginTimeout"] = "1s"
    desk.gateways.append(desk._start(config))
    waiting = Waiting(desk.port)
    request = desk.wait_request()
    time.sleep(2.5)
    assert waiting.waits
    desk.approve(request["id"])
    waiting.client_in().close()


def test_nothing_of_the_server_is_held_while_it_waits(desk, server):
    desk.start(pooling="off")
    before = int(server.query("select count(*) from pg_stat_activity where usename = 'trustuser'")[0][0])
    waits = [Waiting(desk.port, f"user{i}") for i in range(10)]
    desk.wait_request(10)
    assert int(server.query("select count(*) from pg_stat_activity where usename = 'trustuser'")[0][0]) <= before
    for each in waits:
        each.leave()


def test_waits_take_no_place_from_logins(desk):
    config = desk.config()
    config["listeners"][0]["maxHalfOpenLogins"] = 3
    desk.gateways.append(desk._start(config))
    waits = []
    for i in range(8):
        waits.append(Waiting(desk.port, f"user{i}"))
        desk.wait_request(i + 1)
    for each in waits:
        each.leave()


def test_psql_shows_what_it_waits_for(desk):
    desk.start()
    psql = subprocess.Popen(["psql", "-XAt", f"host=127.0.0.1 port={desk.port} user=alice dbname=app", "-c", "select 41 + 1"],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ)
    desk.approve(desk.wait_request()["id"])
    out, said = psql.communicate(timeout=20)
    assert out == "42\n" and "waits for somebody of dba" in said


def test_a_reload_that_denies_ends_the_wait(desk):
    gateway = desk.start()
    waiting = Waiting(desk.port)
    desk.wait_request()
    gateway.config["access"]["policies"] = [{"name": "no", "effect": "deny", "subjects": {"user": ["*"]}}]
    gateway.write_config()
    gateway.send(1)
    fields = waiting.refusal()
    assert fields["C"] == "28000" and "have changed" in fields["M"]


def test_a_grant_does_not_follow_a_policy_that_gives_more(desk):
    read = policy() | {"level": "read"}
    gateway = desk.start(read)
    desk.granted().close()
    gateway.config["access"]["policies"] = [policy()]
    gateway.write_config()
    gateway.send(1)
    wait_until(lambda: any(line["event"] == "config.reload" for line in gateway.log()), 10, "a reload")
    waiting = Waiting(desk.port)
    desk.wait_request()
    assert waiting.waits
    waiting.leave()
