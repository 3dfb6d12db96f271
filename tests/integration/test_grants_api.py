"""Who may ask, answer and revoke, over the API, the command line and webhooks; and stores that are no good."""

from __future__ import annotations

import hashlib
import hmac
import json
import resource
import sqlite3
import subprocess
import threading
import time

import pytest

from harness.admin import Admin
from harness.issuer import Issuer, Key
from harness.grants import Desk, Receiver, Waiting, policy, token_of
from harness.system import wait_until
from harness.wire import RawClient, Refused

pytestmark = pytest.mark.needs_gateway


@pytest.fixture
def desk(start_gateway, server, tmp_path) -> Desk:
    return Desk(start_gateway, server, tmp_path / "desk")


@pytest.fixture
def receiver():
    made: list[Receiver] = []

    def of(*statuses: int) -> Receiver:
        made.append(Receiver(*statuses))
        return made[-1]
    yield of
    for each in made:
        each.close()


# ---- who may do what ----


def test_nobody_is_anybody_without_a_token(desk):
    desk.start()
    waiting = Waiting(desk.port)
    number = desk.wait_request()["id"]
    for who, path, body in ((None, "access", None), (None, "whoami", None), (None, f"access/requests/{number}/approve", {}),
                            (None, "access/requests", {"route": "all"}), ("mallory", "access", None),
                            ("mallory", f"access/requests/{number}/approve", {})):
        assert desk.call(who, path, body)[0] == 401, path
    assert waiting.waits and desk.one(number)["state"] == "open"
    for name in ("alice", "bob"):
        assert token_of(name) not in desk.gateway.stderr_text()
    waiting.leave()


def test_the_command_line_says_who_one_is_and_does_what_one_may(desk):
    desk.start()
    assert desk.command("root", "whoami").stdout == "root\ngroup admins\nadministrator\n"
    asked = desk.command("alice", "request", "--route", "all", "--database", "app", "--reason", "incident", "--for", "10m",
                         "--output", "json")
    assert asked.returncode == 0, asked.stderr
    request = json.loads(asked.stdout)
    assert request["state"] == "open" and request["seconds"] == 600 and request["reason"] == "incident"
    listed = desk.command("bob", "ls").stdout
    assert "alice" in listed and "incident" in listed and "open" in listed
    assert "alice" not in desk.command("dave", "ls").stdout, "nobody need know what others ask for"
    assert desk.command("dave", "approve", str(request["id"])).returncode == 1
    approved = desk.command("bob", "approve", str(request["id"]), "--reason", "fine")
    assert approved.returncode == 0 and "granted until" in approved.stdout
    with RawClient(desk.port) as client:
        client.login("alice")
    revoked = desk.command("root", "revoke", str(request["id"]), "--reason", "over")
    assert revoked.returncode == 0 and "revoked" in revoked.stdout
    assert "revoked" in desk.command("root", "ls", "--all").stdout
    again = json.loads(desk.command("alice", "request", "--route", "all", "--database", "app", "--output", "json").stdout)
    assert "withdrawn" in desk.command("alice", "withdraw", str(again["id"])).stdout
    denied = json.loads(desk.command("alice", "request", "--route", "all", "--database", "app", "--output", "json").stdout)
    assert "denied" in desk.command("bob", "deny", str(denied["id"]), "--reason", "no").stdout
    wrong = desk.command("bob", "approve", "99")
    assert wrong.returncode == 1 and "there is no request 99" in wrong.stderr
    assert desk.command("bob", "approve", "many").returncode == 2


def test_nobody_approves_their_own_request(desk):
    desk.start(policy(anyOf=["oncall", "dba"]))
    waiting = Waiting(desk.port)
    number = desk.wait_request()["id"]
    refused = desk.approve(number, "alice", status=403, reason="please")
    assert "of their own" in refused["error"]["message"]
    desk.approve(number, "root", status=403)
    assert waiting.waits
    desk.approve(number, "bob")
    waiting.client_in().close()


def test_break_glass_is_loud(desk, receiver):
    told = receiver()
    desk.start(policy(breakGlass=["oncall"]), access={"webhooks": [{"url": told.url, "format": "slack"}]})
    waiting = Waiting(desk.port)
    number = desk.wait_request()["id"]
    desk.approve(number, "alice", status=422)
    assert desk.approve(number, "alice", reason="the site is down")["breakGlass"] is True
    waiting.client_in().close()
    line = desk.events("approve")[0]
    assert line["breakGlass"] is True and line["by"] == line["principal"] == "alice" and line["reason"] == "the site is down"
    assert any(line["event"] == "access.approve" and line["level"] in ("warn", "warning") and "BREAK-GLASS" in line["message"]
               for line in desk.gateway.log()), desk.gateway.log()[-5:]
    wait_until(lambda: any(b"BREAK-GLASS" in body for _, body in told.got), 5, "the channel hears of it")


def test_as_many_as_the_policy_wants(desk):
    desk.start(policy(anyOf=["dba"], allOf=["leads"], count=2))
    waiting = Waiting(desk.port)
    number = desk.wait_request()["id"]
    for _ in range(2):
        assert desk.approve(number, "bob")["state"] == "open"
    assert desk.one(number)["needs"] == "somebody of leads"
    assert desk.approve(number, "carol")["state"] == "active"
    waiting.client_in().close()
    assert [line["by"] for line in desk.events("approve", count=2)] == ["bob", "carol"]


def test_answers_at_once_come_to_one_end(desk):
    desk.start()
    for _ in range(10):
        waiting = Waiting(desk.port)
        number = desk.wait_request()["id"]
        got: list[int] = []
        threads = [threading.Thread(target=lambda verb=verb, who=who: got.append(
            desk.call(who, f"access/requests/{number}/{verb}", {})[0])) for verb, who in
            (("approve", "bob"), ("deny", "carol"), ("approve", "carol"), ("deny", "bob"))]
        [each.start() for each in threads], [each.join() for each in threads]
        assert sorted(got) == [200, 409, 409, 409]
        if desk.one(number)["state"] == "active":
            waiting.client_in().close()
            desk.answer("revoke", number, "root")
        else:
            assert waiting.refusal()["C"] == "28000"


# ---- what makes no sense ----


@pytest.mark.parametrize("body,status", [
    ({"route": "no such", "database": "app"}, 404), ({"route": "all"}, 422), ({}, 404), ({"route": 7}, 400),
    ({"route": "all", "database": "app", "principal": "bob"}, 400), ({"route": "all", "database": "app", "seconds": -1}, 400),
    ({"route": "all", "database": "app", "seconds": 1 << 62}, 400), ([], 400)])
def test_requests_that_make_no_sense(desk, body, status):
    desk.start()
    assert desk.call("alice", "access/requests", body)[0] == status
    assert desk.requests() == []


def test_pages_that_are_not_there(desk):
    desk.start()
    for path, body, status in (("access/requests/7", None, 404), ("access/requests/7/approve", {}, 404),
                               ("access/requests/0/approve", {}, 404), ("access/requests/x/approve", {}, 404),
                               ("access/requests/7/bless", {}, 404), ("access/grants/7/approve", {}, 404),
                               ("access/requests/7/approve", None, 405), ("access/nothing", {}, 404),
                               ("access/requests/99999999999999999999/deny", {}, 404)):
        assert desk.call("root", path, body)[0] == status, path
    big = {"reason": "x" * 9000}
    assert desk.call("root", "access/requests/7/deny", big)[0] == 413


def test_too_many_requests_of_one_are_refused(desk):
    desk.start()
    for i in range(20):
        assert desk.call("alice", "access/requests", {"route": "all", "database": f"d{i}"})[0] == 201
    assert desk.call("alice", "access/requests", {"route": "all", "database": "one more"})[0] == 429
    with RawClient(desk.port) as client, pytest.raises(Refused) as refused:
        client.login("alice")
    assert refused.value.code == "53400"
    Waiting(desk.port, "dave")
    desk.wait_request(21)


def test_what_others_write_stays_text(desk):
    desk.start()
    waiting = Waiting(desk.port, options="-c trunkline.reason=\x1b[31m\\ red")
    number = desk.wait_request()["id"]
    listed = desk.command("bob", "ls").stdout
    assert "\x1b" not in listed and "red" in listed
    desk.answer("deny", number, "bob", reason="\x1b]0;owned\x07 no")
    assert "\x1b" not in waiting.refusal()["M"]


def test_tokens_that_are_taken_away_are_worth_nothing(desk):
    gateway = desk.start()
    assert desk.call("bob", "whoami")[0] == 200
    desk.tokens.write_text("".join(line + "\n" for line in desk.tokens.read_text().splitlines() if not line.startswith("bob")))
    gateway.send(1)
    wait_until(lambda: desk.call("bob", "whoami")[0] == 401, 10, "it is nobody's")
    assert desk.call("carol", "whoami")[0] == 200


# ---- stores ----


def test_a_store_that_is_none_is_refused_at_the_start(desk):
    desk.store.write_bytes(b"this is no database at all, and long enough to be seen as such" * 100)
    desk.store.chmod(0o600)
    gateway = desk.start(wait=False)
    assert gateway.wait(20) == 2
    gateway._checked = True
    assert "access.db" in gateway.stderr_text() and "not a database" in gateway.stderr_text()


def test_a_damaged_store_is_refused_at_the_start(desk):
    gateway = desk.start()
    for i in range(20):
        desk.call("alice", "access/requests", {"route": "all", "database": f"d{i}", "reason": "x" * 900})
    gateway.stop()
    data = bytearray(desk.store.read_bytes())
    assert len(data) > 5 * 4096
    data[3 * 4096:5 * 4096] = b"\x5a" * (2 * 4096)
    desk.store.write_bytes(data)
    again = desk.start(wait=False)
    assert again.wait(20) == 2
    again._checked = True
    assert "damaged" in again.stderr_text()


def test_a_store_that_others_may_write_is_refused(desk):
    desk.start().stop()
    desk.store.chmod(0o666)
    again = desk.start(wait=False)
    assert again.wait(20) == 2
    again._checked = True
    assert "chmod go-w" in again.stderr_text()


def test_another_store_needs_a_restart(desk):
    gateway = desk.start()
    gateway.config["access"]["store"] = str(desk.folder / "other.db")
    gateway.write_config()
    gateway.send(1)
    wait_until(lambda: any("another file needs a restart" in line.get("message", "") for line in gateway.log()), 10, "refused")
    waiting = Waiting(desk.port)
    desk.approve(desk.wait_request()["id"])
    waiting.client_in().close()
    assert not (desk.folder / "other.db").exists()


def test_a_full_store_refuses_requests_and_nothing_else(desk):
    """Full as a disk is: its log has no room to grow. Files that the gateway writes may have a megabyte."""
    gateway = desk.start()
    with desk.granted() as client:
        reader, filler = (sqlite3.connect(desk.store, isolation_level=None) for _ in range(2))
        reader.execute("begin")
        reader.execute("select count(*) from records").fetchall()  # the log cannot begin anew while it looks
        filler.execute("create table filler (bytes blob)")
        filler.execute("insert into filler values (zeroblob(2000000))")
        resource.prlimit(gateway.pid, resource.RLIMIT_FSIZE, (1 << 20, resource.RLIM_INFINITY))
        wait_until(lambda: any("does not work" in line.get("message", "") for line in gateway.log()), 10, "it is noticed")
        with RawClient(desk.port) as other, pytest.raises(Refused) as refused:
            other.login("dave")
        assert refused.value.code == "57P03" and "full" in refused.value.fields["M"]
        assert desk.call("alice", "access/requests", {"route": "all", "database": "more"})[0] == 503
        assert client.simple("select 1") == [["1"]]
        with RawClient(desk.port) as second:
            second.login("alice")
            assert second.simple("select 1") == [["1"]], "what was granted goes on"
        assert "trunkline_access_store_up 0" in Admin(desk.admin_port).metrics()
        resource.prlimit(gateway.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        reader.close(), filler.close()
        wait_until(lambda: any("works again" in line.get("message", "") for line in gateway.log()), 10, "it works again")
        waiting = Waiting(desk.port, "dave")
        desk.wait_request()
        waiting.leave()


def test_a_store_that_somebody_holds_for_long(desk):
    desk.start()
    holder = sqlite3.connect(desk.store, isolation_level=None)
    holder.execute("begin immediate")
    with RawClient(desk.port, timeout=20) as client, pytest.raises(Refused) as refused:
        client.login("alice")
    assert refused.value.code == "57P03"
    holder.execute("rollback")
    holder.close()
    waiting = Waiting(desk.port)
    desk.wait_request()
    waiting.leave()


# ---- tokens of an issuer ----


def of_issuer(issuer, authority) -> dict:
    return {"jwt": {"issuer": issuer.url, "audience": "gateway", "groupsClaim": "groups", "caFile": str(authority.cert)}}


def test_an_issuers_token_does_what_one_of_the_file_does(desk, issuer, authority):
    desk.start(admin=of_issuer(issuer, authority))
    erin = issuer.token("erin", aud="gateway", groups=["dba"])
    assert desk.call_with(erin, "whoami") == (200, {"principal": "erin", "groups": ["dba"], "administrator": False})
    chief = issuer.token("frank", aud="gateway", groups=["admins"])
    assert desk.call_with(chief, "whoami")[1]["administrator"] is True
    waiting = Waiting(desk.port)
    number = desk.wait_request()["id"]
    assert desk.call_with(erin, f"access/requests/{number}/approve", {"reason": "seen"})[0] == 200
    waiting.client_in().close()
    assert desk.events("approve", by="erin")[0]["reason"] == "seen"
    assert desk.call("bob", "whoami")[0] == 200, "the file counts as well"
    assert erin.split(".")[2] not in desk.gateway.stderr_text()
    # As `--token-file` of the command line, which knows no difference.
    file = desk.folder / "jwt"
    file.write_text(erin + "\n")
    told = subprocess.run([str(desk.gateway.binary), "access", "whoami", "--admin-url", f"http://127.0.0.1:{desk.admin_port}",
                           "--token-file", str(file)], capture_output=True, text=True, timeout=30)
    assert told.stdout == "erin\ngroup dba\n"


def test_a_token_that_is_not_for_the_gateway_is_nobodys(desk, issuer, authority):
    desk.start(admin=of_issuer(issuer, authority))
    good = issuer.token("erin", aud="gateway")
    assert desk.call_with(good, "whoami")[0] == 200
    forged = good.rsplit(".", 1)[0] + "." + issuer.token("erin", aud="gateway", groups=["dba"]).rsplit(".", 1)[1]
    stranger = Issuer(authority.issue("gateway"))
    try:
        for token in (issuer.token("erin", aud="db"), issuer.token("erin", aud="gateway", exp=int(time.time()) - 600),
                      forged, stranger.token("erin", aud="gateway"), good[:-3], "x" * 4000):
            assert desk.call_with(token, "whoami")[0] == 401, token[:40]
    finally:
        stranger.stop()


def test_new_keys_of_the_issuer_are_asked_for(desk, issuer, authority):
    desk.start(admin=of_issuer(issuer, authority))
    assert desk.call_with(issuer.token("erin", aud="gateway"), "whoami")[0] == 200
    issuer.keys = [Key("ES256")]
    assert desk.call_with(issuer.token("erin", aud="gateway"), "whoami")[0] == 200


def test_an_issuer_that_hangs_holds_nobody_else_up(desk, issuer, authority):
    issuer.hanging.set()
    desk.start(admin=of_issuer(issuer, authority))
    asked = threading.Thread(target=lambda: desk.call_with(issuer.token("erin", aud="gateway"), "whoami"))
    asked.start()
    assert Admin(desk.admin_port).get("/healthz")[0] == 200 and "trunkline_sessions" in Admin(desk.admin_port).metrics()
    assert asked.is_alive(), "it still waits for the issuer"
    waiting = Waiting(desk.port)
    number = desk.wait_request()["id"]  # by the file's tokens, behind the one that waits
    desk.approve(number)
    waiting.client_in().close()
    asked.join(15)
    issuer.hanging.clear()


# ---- what is told ----


def test_what_is_refused_is_on_record(desk):
    desk.start(policy(anyOf=["oncall", "dba"]))
    waiting = Waiting(desk.port)
    number = desk.wait_request()["id"]
    desk.approve(number, "alice", status=403, reason="please")
    desk.answer("deny", 999, "bob", status=404)
    told = desk.events("refused", by="alice")[0]
    assert told["command"] == f"approve {number}" and told["outcome"] == "refused" and "403" in told["problem"]
    assert desk.events("refused", by="bob")[0]["command"] == "deny 999"
    for _ in range(50):
        assert desk.call("mallory", f"access/requests/{number}/approve", {})[0] == 401
    wait_until(lambda: desk.call("mallory", f"access/requests/{number}/approve", {})[0] == 401
               and sum(line.get("times", 1) for line in desk.events("refused", command=f"approve {number}")
                       if "by" not in line) >= 50, 10, "all of them are counted")
    strangers = [line for line in desk.events("refused", command=f"approve {number}") if "by" not in line]
    assert len(strangers) < 25, "a flood leaves its number, not a record for each"
    waiting.leave()


def test_a_webhooks_url_is_shown_to_nobody(desk, receiver, tmp_path):
    told, refuses = receiver(), receiver(*[404] * 20)
    file = tmp_path / "url"
    file.write_text(told.url + "/T0/very-secret\n")
    desk.start(access={"webhooks": [{"urlFile": str(file)}, {"url": told.url + "/T1/very-secret"},
                                    {"url": refuses.url + "/very-secret"}]})
    waiting = Waiting(desk.port)
    desk.approve(desk.wait_request()["id"])
    waiting.client_in().close()
    wait_until(lambda: len(told.got) >= 6, 10, "two are told")
    wait_until(lambda: any(line["event"] == "webhook" for line in desk.gateway.log()), 20, "the third is not")
    assert "very-secret" not in json.dumps(Admin(desk.admin_port).json("/api/v1/config"))
    checked = subprocess.run([str(desk.gateway.binary), "check", "-c", str(desk.gateway.file)], capture_output=True,
                             text=True, timeout=30)
    assert checked.returncode == 0 and "very-secret" not in checked.stdout + checked.stderr
    assert refuses.url.replace("/hook", "/<redacted>") in checked.stdout
    assert "very-secret" not in desk.gateway.stderr_text()


def test_webhooks_are_signed_and_tried_again(desk, receiver, tmp_path):
    secret = "a secret of more than thirty-two bytes, for webhooks"
    file = tmp_path / "hook"
    file.write_text(secret)
    told, slack = receiver(503, 500), receiver()
    desk.start(access={"webhooks": [{"url": told.url, "secretFile": str(file)}, {"url": slack.url, "format": "slack"}]})
    waiting = Waiting(desk.port, options=r"-c trunkline.reason=<!channel>")
    number = desk.wait_request()["id"]
    wait_until(lambda: len(told.got) >= 3, 15, "the third attempt is taken")
    for fields, body in told.got:
        stamp, mac = (part.split("=", 1)[1] for part in fields["Trunkline-Signature"].split(","))
        assert hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest() == mac
        assert abs(int(stamp) - time.time()) < 30
    first = json.loads(told.got[0][1])
    assert first["event"] == told.got[0][0]["Trunkline-Event"] == "access.request" and first["request"]["id"] == number
    assert len({json.loads(body)["id"] for _, body in told.got[:3]}) == 1, "one delivery, three attempts"
    desk.approve(number)
    waiting.client_in().close()
    wait_until(lambda: {json.loads(body)["event"] for _, body in told.got} >= {"access.approve", "access.grant"}, 10, "answers")
    text = json.loads(slack.got[0][1])["text"]
    assert "&lt;!channel&gt;" in text and "alice" in text and "Trunkline-Signature" not in slack.got[0][0]
    wait_until(lambda: "trunkline_webhooks_delivered_total 6" in Admin(desk.admin_port).metrics(), 5, "counted")


def test_a_receiver_that_refuses_holds_nothing_up(desk, receiver):
    told = receiver(*[404] * 20)
    desk.start(access={"webhooks": [{"url": told.url}, {"url": "http://127.0.0.1:1/nobody"}]})
    waiting = Waiting(desk.port)
    desk.approve(desk.wait_request()["id"])
    waiting.client_in().close()
    wait_until(lambda: "trunkline_webhooks_lost_total 0" not in Admin(desk.admin_port).metrics(), 10, "lost and counted")


def test_metrics_count_what_happens(desk):
    desk.start()
    waiting = Waiting(desk.port)
    number = desk.wait_request()["id"]
    metrics = wait_until(lambda: (m := Admin(desk.admin_port).metrics()) and "trunkline_access_requests 1" in m and m, 5, "one")
    assert "trunkline_access_waiting_sessions 1" in metrics and "trunkline_access_store_up 1" in metrics
    desk.approve(number)
    waiting.client_in().close()
    wait_until(lambda: 'trunkline_access_changes_total{change="grant"} 1' in Admin(desk.admin_port).metrics(), 5, "granted")
    assert "trunkline_access_grants 1" in Admin(desk.admin_port).metrics()
