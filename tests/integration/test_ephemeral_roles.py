"""A role of its own for each grant: made with the grant, gone with it, whatever happens between."""

from __future__ import annotations

import signal
import time

import psycopg
import pytest

from harness.access import ended
from harness.gateway import simple_config
from harness.generations import Generations
from harness.grants import POOLINGS, Desk, Waiting, policy
from harness.system import free_port, wait_until
from harness.wire import RawClient, Refused

pytestmark = pytest.mark.needs_gateway

MAKER_PASSWORD = "makes and drops roles"
OURS = "starts_with(rolname, 'jit_')"


def pytest_generate_tests(metafunc):
    if "version" in metafunc.fixturenames:
        known = metafunc.config.trunkline_versions
        metafunc.parametrize("version", sorted({known[0], known[-1]}))


@pytest.fixture
def server(servers, version):
    """With a maker that has no more rights than docs/credentials.md says, and a table for its roles."""
    server = servers[version]
    server.query("""
        do $$ declare each name; begin
          for each in select rolname from pg_roles where starts_with(rolname, 'jit_') loop
            execute format('drop owned by %I', each); execute format('drop role %I', each);
          end loop; end $$""")
    for role in ("maker", "readers", "writers"):
        if server.query("select 1 from pg_roles where rolname = %s", (role,)):
            server.query(f"drop owned by {role}"), server.query(f"drop role {role}")
    server.query(f"create role maker login createrole password '{MAKER_PASSWORD}'")
    server.query("create role readers; create role writers")
    server.query("grant readers, writers to maker with admin option")
    server.query("drop table if exists things, made; create table things (n int); insert into things values (1)")
    server.query("grant select on things to readers; grant insert on things to writers; "
                 "grant create on schema public to writers")
    return server


@pytest.fixture
def desk(start_gateway, server, tmp_path) -> Desk:
    return Desk(start_gateway, server, tmp_path / "desk")


def ephemeral(desk: Desk, **more) -> dict:
    secret = desk.folder / "maker"
    secret.write_text(MAKER_PASSWORD)
    made = {"user": "maker", "passwordFile": str(secret), "memberOf": ["readers"]} | more
    return {key: value for key, value in made.items() if value is not None}


def start(desk: Desk, *policies: dict, usual: bool = True, route: dict | None = None, roles: dict | None = None, **words):
    credentials = ({"user": "trustuser"} if usual else {}) | {"ephemeral": ephemeral(desk, **(roles or {}))}
    return desk.start(*policies, route={"credentials": credentials} | (route or {}), **words)


def roles(server) -> list[str]:
    return [name for name, in server.query(f"select rolname from pg_roles where {OURS} order by 1")]


def wait_gone(server, seconds: float = 10) -> None:
    wait_until(lambda: not roles(server), seconds, "the role is dropped")


@pytest.mark.parametrize("pooling", POOLINGS)
def test_a_grant_has_a_role_that_shows_who_it_is(desk, server, pooling):
    start(desk, policy(max_length="5s"), pooling=pooling)
    began = time.monotonic()
    with desk.granted(timeout=20) as client:
        (name,) = roles(server)
        number = desk.grants()[0]["id"]
        assert name.startswith(f"jit_alice_{number}_")
        assert client.simple("select session_user, current_user, n from things") == [[name, name, "1"]]
        assert server.query("select 1 from pg_stat_activity where usename = %s", (name,))
        ((login, valid, superuser, creates),) = server.query(
            "select rolcanlogin, rolvaliduntil, rolsuper, rolcreaterole or rolcreatedb or rolreplication or rolbypassrls "
            "from pg_roles where rolname = %s", (name,))
        assert login and not superuser and not creates
        assert abs(valid.timestamp() - (time.time() + 5 - (time.monotonic() - began))) < 3
        with pytest.raises(Refused) as refused:
            client.simple("insert into things values (2)")
        assert refused.value.code == "42501", "it has no more than it was given"
        assert name in server.log_text(), "the server's own log shows it"
        with RawClient(desk.port) as second:
            second.login("alice")
            assert second.simple("select session_user") == [[name]], "the grant's sessions share it"
        assert ended(client)["C"] == "57P01"
    wait_gone(server)
    assert not server.query("select 1 from pg_stat_activity where usename = %s", (name,))
    (made,) = desk.events("role.create")
    assert (made["role"], made["principal"], made["request"]) == (name, "alice", number) and made["until"]
    (dropped,) = desk.events("role.drop")
    assert dropped["role"] == name
    assert desk.metric("trunkline_access_roles") == 0
    assert desk.metric('trunkline_access_role_changes_total{change="dropped"}') == 1


@pytest.mark.parametrize("pooling", POOLINGS)
def test_a_revocation_drops_it_with_all_its_traces(desk, server, pooling):
    """Objects, rights and sessions of it are gone; what it made belongs to the policy's role."""
    start(desk, pooling=pooling, roles={"memberOf": ["readers", "writers"], "reassignTo": "writers"})
    with desk.granted(timeout=20) as client:
        (name,) = roles(server)
        client.simple("create table made (n int); grant select on made to readers; insert into made values (7)")
        assert client.simple("select tableowner from pg_tables where tablename = 'made'") == [[name]]
        client.simple("alter default privileges grant select on tables to readers")
        desk.answer("revoke", desk.grants()[0]["id"], "root", reason="enough")
        assert ended(client)["C"] == "57P01"
    wait_gone(server)
    assert server.query("select tableowner from pg_tables where tablename = 'made'") == [("writers",)]
    assert server.query("select n from made") == [(7,)], "nothing of what it made is lost"


@pytest.mark.parametrize("pooling", ["off", "transaction"])
def test_the_policys_role_is_assumed_and_no_other_is_behind_it(desk, server, pooling):
    start(desk, policy() | {"role": "writers"}, pooling=pooling, roles={"memberOf": None})
    with desk.granted(timeout=20) as client:
        (name,) = roles(server)
        assert client.simple("select session_user, current_user") == [[name, "writers"]]
        with pytest.raises(Refused):
            client.simple("reset role")
        assert server.query("select r.rolname from pg_auth_members m join pg_roles r on r.oid = m.roleid "
                            "join pg_roles e on e.oid = m.member where e.rolname = %s", (name,)) == [("writers",)]


def test_a_session_that_stays_at_the_server_is_ended(desk, server):
    """Whatever still runs as that role when the grant is over, and past the gateway at that."""
    start(desk)
    with desk.granted(timeout=20):
        (name,) = roles(server)
        server.query(f"""alter role "{name}" password 'known'""")
        with psycopg.connect(host="127.0.0.1", port=server.port, user=name, password="known", dbname="app") as stays:
            assert stays.execute("select 1").fetchone()
            desk.answer("revoke", desk.grants()[0]["id"], "root")
            wait_gone(server)
            with pytest.raises(psycopg.OperationalError):
                stays.execute("select 1")
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(host="127.0.0.1", port=server.port, user=name, password="known", dbname="app")


def test_two_grants_have_two_roles(desk, server):
    start(desk)
    with desk.granted("alice"), desk.granted("dave") as other:
        one, two = roles(server)
        assert one.startswith("jit_alice_") and two.startswith("jit_dave_")
        assert other.simple("select session_user") == [[two]]


def test_who_needs_no_grant_has_the_usual_user(desk, server):
    free = {"name": "free", "subjects": {"user": ["bob"]}, "level": "admin"}
    start(desk, free, policy())
    with RawClient(desk.port) as client:
        client.login("bob")
        assert client.simple("select session_user") == [["trustuser"]]
    assert roles(server) == []


@pytest.mark.parametrize("pooling", ["off", "transaction"])
def test_without_a_usual_user_nobody_is_in_but_by_a_grant(desk, server, pooling):
    free = {"name": "free", "subjects": {"user": ["bob"]}, "level": "admin"}
    start(desk, free, policy(), usual=False, pooling=pooling)
    with RawClient(desk.port) as client, pytest.raises(Refused) as refused:
        client.login("bob")
    assert refused.value.code == "28000" and "by grants only" in str(refused.value)
    with desk.granted() as client:
        assert client.simple("select 1") == [["1"]]


def test_names_are_quoted_wherever_they_come_from(desk, server):
    server.query('drop role if exists "odd ""role\'s"'), server.query('create role "odd ""role\'s"')
    server.query('grant "odd ""role\'s" to maker with admin option')
    odd = 'o"x\'; drop role maker; --'
    start(desk, roles={"memberOf": ["readers", 'odd "role\'s'], "prefix": "t.m-p_"})
    with desk.granted(odd, timeout=20) as client:
        ((name,),) = client.simple("select session_user")
        assert name.startswith("t.m-p_" + odd)
        desk.answer("revoke", desk.grants()[0]["id"], "root")
    wait_until(lambda: not server.query("select 1 from pg_roles where rolname = %s", (name,)), 10, "it is dropped")
    assert server.query("select 1 from pg_roles where rolname = 'maker'")


# ---- ends of the gateway ----


def test_a_gateway_that_stops_takes_its_roles_with_it(desk, server):
    gateway = start(desk)
    desk.granted().close()
    assert len(roles(server)) == 1
    gateway.send(signal.SIGTERM)
    gateway.wait(30)
    assert roles(server) == []
    start(desk)
    with RawClient(desk.port) as client:
        client.login("alice")
        assert not client.notices and client.simple("select session_user") == [roles(server)], "the grant is still good"


def test_what_a_crash_leaves_behind_is_dropped_when_its_time_is_over(desk, server):
    """By any gateway that knows of the server, and nothing else that is called so."""
    gateway = start(desk)
    with desk.granted() as client:
        client.simple("select 1")
        (name,) = roles(server)
        gateway.send(signal.SIGKILL)
        gateway.wait(10)
        gateway._checked = True
    server.query("create role jit_somebody_elses valid until '2020-01-01'")
    server.query(f"""alter role "{name}" valid until '{time.strftime("%Y-%m-%d %H:%M:%S+00", time.gmtime(time.time() + 60))}'""")
    start(desk)
    time.sleep(1)
    assert name in roles(server), "its time is not over"
    server.query(f"""alter role "{name}" valid until '2020-01-01'""")
    server.query(f"""create table made (n int); alter table made owner to "{name}" """)
    desk.gateways.pop().stop()
    start(desk)
    wait_until(lambda: name not in roles(server), 10, "it is dropped")
    assert roles(server) == ["jit_somebody_elses"]
    assert server.query("select tableowner from pg_tables where tablename = 'made'") == [("readers",)]
    server.query("drop role jit_somebody_elses")


def test_two_gateways_with_one_grant_have_a_role_each(desk, server):
    start(desk)
    other = free_port()
    with desk.granted() as first:
        start(desk, admin_port=other, folder="audit-2")
        with RawClient(desk.port) as second:
            second.login("alice")
            (mine,), (its,) = first.simple("select session_user")[0], second.simple("select session_user")[0]
            assert mine != its and sorted((mine, its)) == roles(server)
            desk.answer("revoke", desk.grants()[0]["id"], "root")
            assert ended(first)["C"] == ended(second)["C"] == "57P01"
    wait_gone(server)


def test_a_gateway_that_is_replaced_takes_its_roles_with_its_last_session(desk, server):
    generations = Generations(start(desk))
    first = desk.granted(timeout=20)
    (old,) = roles(server)
    generations.hand_over()
    with RawClient(desk.port) as second:
        second.login("alice")
        ((new,),) = second.simple("select session_user")
        assert new != old and roles(server) == sorted((old, new))
        assert first.simple("select session_user") == [[old]]
        first.close()
        assert generations.all[0].ended(20)
        assert roles(server) == [new] and second.simple("select 1") == [["1"]]
    generations.end()
    assert roles(server) == []


def test_a_route_that_leads_elsewhere_has_the_grants_role_there_too(desk, server):
    gateway = start(desk)
    with desk.granted(timeout=20) as first:
        (name,) = roles(server)
        config = gateway.config
        config["upstreams"].append(config["upstreams"][0] | {"name": "other"})
        config["routes"][0]["upstream"] = "other"
        gateway.write_config()
        mark = len(gateway.log())
        gateway.send(signal.SIGHUP)
        wait_until(lambda: any(each.get("event") == "config.reload" for each in gateway.log()[mark:]), 10, "the reload")
        with RawClient(desk.port) as second:
            second.login("alice")
            assert second.simple("select session_user")[0][0] in set(roles(server)) - {name}
            assert first.simple("select session_user") == [[name]]
            desk.answer("revoke", desk.grants()[0]["id"], "root")
            assert ended(first)["C"] == ended(second)["C"] == "57P01"
    wait_gone(server)


# ---- what goes wrong ----


def test_a_maker_that_may_not_is_said_in_the_log_only(desk, server):
    start(desk, roles={"memberOf": ["pg_read_all_data", "nobody_such"]})
    waiting = Waiting(desk.port)
    desk.approve(desk.wait_request()["id"])
    fields = waiting.refusal()
    assert fields["C"] == "57P03" and "nobody_such" not in str(fields) and "pg_read" not in str(fields)
    # The client may hear of it before the log's own thread has written.
    (line,) = wait_until(lambda: [each for each in desk.gateway.log() if each.get("event") == "access.role"], 10,
                         "the line about the role")
    assert line["level"] == "warning" and ("nobody_such" in line["message"] or "permission denied" in line["message"]
                                            or "admin option" in line["message"].lower())
    assert roles(server) == [], "half a role is none"
    wait_until(lambda: desk.metric('trunkline_access_role_changes_total{change="failed"}') >= 1, 10, "the metric")


def test_a_wrong_password_of_the_maker(desk, server):
    server.query("alter role maker password 'another one'")
    start(desk)
    waiting = Waiting(desk.port)
    desk.approve(desk.wait_request()["id"])
    fields = waiting.refusal()
    assert fields["C"] == "57P03" and "password" not in str(fields)
    assert desk.grants(), "the grant stays"
    server.query(f"alter role maker password '{MAKER_PASSWORD}'")
    with RawClient(desk.port) as client:
        client.login("alice")
        assert client.simple("select session_user") == [roles(server)]


def test_the_makers_password_may_change(desk, server):
    """The one before is tried once, as for every credential."""
    gateway = start(desk)
    file = desk.folder / "maker"
    mark = len(gateway.log())
    file.write_text("the next one")
    gateway.send(signal.SIGHUP)
    wait_until(lambda: any(each.get("event") == "config.reload" for each in gateway.log()[mark:]), 10, "the reload")
    with desk.granted() as client:
        assert client.simple("select 1") == [["1"]], "the server still has the one before"
        server.query("alter role maker password 'the next one'")
        desk.answer("revoke", desk.grants()[0]["id"], "root")
    wait_gone(server)


def test_a_role_that_somebody_has_dropped_is_made_again(desk, server):
    """As after a failover to a server that had not heard of it."""
    start(desk)
    with desk.granted() as client:
        (name,) = roles(server)
        server.query(f'drop role "{name}"')
    with RawClient(desk.port) as client, pytest.raises(Refused):
        client.login("alice")

    def is_in():
        with RawClient(desk.port) as client:
            try:
                client.login("alice")
            except Refused:
                return False
            return client.simple("select session_user") == [[name]]

    wait_until(is_in, 5, "the next one is in")
    assert roles(server) == [name]


def test_what_cannot_be_dropped_is_tried_again(desk, server):
    """It owns something in another database, and somebody else has given it a right that is not the maker's to take."""
    start(desk)
    with desk.granted():
        (name,) = roles(server)
        server.query("drop table if exists elsewhere; create table elsewhere (n int)", database="postgres")
        server.query(f'alter table elsewhere owner to "{name}"', database="postgres")
        server.query(f'grant select on things to "{name}"')
        desk.answer("revoke", desk.grants()[0]["id"], "root")
    said = wait_until(lambda: [each for each in desk.gateway.log()
                               if each.get("event") == "access.role" and each["level"] == "warning"], 10, "it is said")
    assert "depend on it: " in said[0]["message"] and said[0]["role"] == name
    assert "privileges for table things" in said[0]["message"] and "in database postgres" in said[0]["message"]
    assert not server.query("select 1 from pg_roles where rolname = %s and rolcanlogin", (name,))
    server.query("drop table elsewhere", database="postgres")
    server.query(f'revoke select on things from "{name}"')
    wait_gone(server)


def test_a_server_that_is_away_meanwhile(desk, servers, server):
    """Its grant ends while nobody can reach the server; the role is dropped when it is back."""
    start(desk, policy(max_length="3s"))
    desk.granted().close()
    (name,) = roles(server)
    server.stop()
    try:
        time.sleep(6)
    finally:
        server.start()
    wait_gone(server, 30)
    assert desk.events("role.drop")[0]["role"] == name


def test_many_sessions_of_one_grant_make_one_role(desk, server):
    start(desk, pooling="transaction")
    with desk.granted():
        clients = [Waiting(desk.port) for _ in range(40)]
        for each in clients:
            each.client_in().close()
        assert len(roles(server)) == 1
    assert desk.metric('trunkline_access_role_changes_total{change="created"}') == 1


def test_only_with_the_primary(start_gateway, tmp_path):
    made = simple_config("127.0.0.1:1", auth={"method": "trust"}, route={
        "target": "replica", "credentials": {"ephemeral": {"user": "maker"}}})
    gateway = start_gateway(made, begin=False)
    said = gateway.check()
    assert said.returncode == 2 and "routes[0].credentials.ephemeral: needs `target: primary`" in said.stderr + said.stdout
