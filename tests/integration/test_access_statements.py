"""What an access policy holds a session to: its role, read-only, and classes of statements, with every way out of them
that we know tried on real servers, with each kind of pooling."""

from __future__ import annotations

import struct

import psycopg
import pytest

from harness import audit
from harness.access import POOLINGS, Access, policy
from harness.postgres import client_program
from harness.system import run
from harness.wire import RawClient, Refused, message, query

pytestmark = pytest.mark.needs_gateway

TABLE = "guarded"


@pytest.fixture(scope="module")
def prepared(servers):
    """Roles and a table on every server."""
    for server in servers.all():
        with server.admin() as admin:
            admin.execute("drop table if exists guarded; drop role if exists held; drop role if exists stronger")
            admin.execute("create role held; create role stronger; grant held, stronger to trustuser")
            admin.execute("create table guarded (a int); insert into guarded values (1), (2)")
            admin.execute("grant all on guarded to held, stronger, trustuser; grant create on schema public to trustuser")
            admin.execute("grant create on schema public to held")
            admin.execute("create or replace function public.own_set(text, text) returns text language plpgsql as "
                          "$$begin return set_config($1, $2, false); end$$")
    return servers


@pytest.fixture
def access(prepared, start_gateway, server, tmp_path) -> Access:
    return Access(start_gateway, server, tmp_path / "audit")


def parse(text: str, name: str = "") -> bytes:
    return message("P", name.encode() + b"\0" + text.encode() + b"\0\0\0")


def bind(name: str = "", portal: str = "") -> bytes:
    return message("B", portal.encode() + b"\0" + name.encode() + b"\0\0\0\0\0\0\0")


EXECUTE = message("E", b"\0\0\0\0\0")
SYNC = message("S")


def extended(client: RawClient, text: str, name: str = "") -> list:
    client.send(parse(text, name) + bind(name) + EXECUTE + SYNC)
    return client.result()


def denied(client: RawClient, text: str, run_it=None) -> Refused:
    with pytest.raises(Refused) as refused:
        (run_it or RawClient.simple)(client, text)
    assert refused.value.code == "42501", (text, refused.value)
    assert "access policy" in refused.value.fields["M"], (text, refused.value)
    return refused.value


def rows_left(server) -> int:
    return server.query("select count(*) from guarded")[0][0]


# ---- classes ----

CLASSES = {
    "ddl": ("create table made (a int)", "create temp table made (a int)", "select 1 as a into made", "drop table guarded",
            "alter table guarded add b int", "grant select on guarded to held", "comment on table guarded is 'x'",
            "create view v as select 1"),
    "copyProgram": ("copy guarded to program 'cat'", "copy guarded from program 'true'", "copy guarded to '/tmp/x'",
                    "copy (select 1) to program 'cat'", "select pg_read_file('/etc/passwd')", "load 'x'",
                    "select ('/etc/passwd'::text).pg_read_file"),
    "do": ("do $$begin perform 1; end$$", "do language plpgsql 'begin end'",
           "create function made() returns int language sql as 'select 1'"),
    "roles": ("create role made", "alter role trustuser superuser", "grant stronger to held", "drop role held",
              "alter user trustuser set role = 'stronger'"),
    "unqualifiedWrite": ("delete from guarded", "update guarded set a = 1", "truncate guarded",
                         "with x as (delete from guarded returning *) select * from x", "explain analyze delete from guarded",
                         "copy (delete from guarded returning *) to stdout", "prepare p as delete from guarded",
                         "select 1; delete from guarded", "delete/* */from guarded -- where a = 1"),
}


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("which", CLASSES)
def test_a_denied_class_is_refused_however_it_is_sent(access, which, pooling):
    port = access(policy("held", level="admin", denied=[which]), pooling=pooling)
    with RawClient(port) as client:
        client.login("a")
        for text in CLASSES[which]:
            told = denied(client, text)
            assert f"({which})" in told.fields["M"] and 'access policy "held"' in told.fields["M"]
            denied(client, text, extended)
            denied(client, text, lambda c, t: extended(c, t, "named"))
            assert client.simple("select count(*) from guarded") == [["2"]], "the session goes on"
        assert extended(client, "select a from guarded where a = 1") == [["1"]]
    assert rows_left(access.server) == 2
    assert access.server.query("select count(*) from pg_class where relname = 'made'")[0][0] == 0


@pytest.mark.parametrize("pooling", POOLINGS)
def test_what_is_not_denied_runs(access, pooling):
    port = access(policy(level="admin", denied="unqualifiedWrite"), pooling=pooling)
    with psycopg.connect(host="127.0.0.1", port=port, user="a", dbname="app", autocommit=True) as session:
        session.execute("create table if not exists free (a int); delete from free where true")
        for number in range(20):
            session.execute("insert into free values (%s)", (number,), prepare=True)
        with session.cursor().copy("copy free from stdin") as copy:
            copy.write("100\n101\n")
        session.execute("update free set a = a + 1 where a < 10")
        assert session.execute("select count(*) from free").fetchone() == (22,)
        session.execute("drop table free")


@pytest.mark.parametrize("pooling", POOLINGS)
def test_a_refused_statement_fails_its_transaction_as_a_servers_error_does(access, pooling):
    port = access(policy(level="admin", denied="unqualifiedWrite"), pooling=pooling)
    with psycopg.connect(host="127.0.0.1", port=port, user="a", dbname="app") as session:
        session.execute("insert into guarded values (77)")
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="unqualifiedWrite"):
            session.execute("delete from guarded")
        assert session.info.transaction_status == psycopg.pq.TransactionStatus.INERROR
        with pytest.raises(psycopg.errors.InFailedSqlTransaction):
            session.execute("select 1")
        session.rollback()
        session.execute("savepoint here")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute("truncate guarded")
        session.execute("rollback to savepoint here")
        assert session.execute("select count(*) from guarded").fetchone() == (2,)
        session.commit()
    assert rows_left(access.server) == 2


@pytest.mark.parametrize("pooling", POOLINGS)
def test_a_pipeline_skips_to_its_sync(access, pooling):
    port = access(policy(level="admin", denied="unqualifiedWrite"), pooling=pooling)
    with RawClient(port) as client:
        client.login("a")
        client.send(parse("select 1") + bind() + EXECUTE + parse("delete from guarded") + bind() + EXECUTE +
                    parse("insert into guarded values (5)") + bind() + EXECUTE + SYNC +
                    parse("select 2") + bind() + EXECUTE + SYNC + query("truncate guarded") + query("select 3"))
        with pytest.raises(Refused) as refused:
            client.result()
        assert refused.value.code == "42501"
        assert client.result() == [["2"]]
        with pytest.raises(Refused) as refused:
            client.result()
        assert refused.value.code == "42501"
        assert client.result() == [["3"]]
        # Two errors in one batch: the second is skipped, and its refusal is not mixed up with a later one.
        client.send(parse("select no_such") + parse("delete from guarded") + SYNC + query("select no_such_either"))
        codes = []
        for _ in range(2):
            with pytest.raises(Refused) as refused:
                client.result()
            codes.append(refused.value.code)
        assert codes == ["42703", "42703"]
        assert client.simple("select 4") == [["4"]]
    assert rows_left(access.server) == 2


@pytest.mark.parametrize("pooling", POOLINGS)
def test_messages_may_come_in_any_pieces(access, pooling):
    port = access(policy(level="admin", denied="unqualifiedWrite"), pooling=pooling)
    with RawClient(port) as client:
        client.login("a")
        for byte in query("delete from guarded"):
            client.send(bytes([byte]))
        with pytest.raises(Refused) as refused:
            client.result()
        assert refused.value.code == "42501"
        for byte in parse("select 7") + bind() + EXECUTE + SYNC:
            client.send(bytes([byte]))
        assert client.result() == [["7"]]


def test_function_calls_beside_sql_are_refused(access):
    port = access(policy(level="admin", denied="ddl"))
    with RawClient(port) as client:
        client.login("a")
        client.send(message("F", struct.pack("!ihhh", 1598, 0, 0, 1)))  # random()
        with pytest.raises(Refused) as refused:
            client.result()
        assert refused.value.code == "42501" and "fastpath" in refused.value.fields["M"]
        assert client.simple("select 1") == [["1"]]


@pytest.mark.parametrize("pooling", POOLINGS)
def test_long_texts(access, pooling):
    port = access(policy(level="admin", denied="ddl"), pooling=pooling)
    with RawClient(port, timeout=30) as client:
        client.login("a")
        values = ", ".join(str(n) for n in range(40_000))
        assert client.simple(f"select count(*) from guarded where a in ({values})") == [["2"]]
        rows = ", ".join(f"({n})" for n in range(20_000))
        client.simple("begin")
        client.simple(f"insert into guarded values {rows}")
        assert client.simple("select count(*) from guarded") == [["20002"]]
        client.simple("rollback")
        denied(client, f"select count(*) from guarded where a in ({values}); drop table guarded")
        denied(client, "select '" + "x" * (2 * 1024 * 1024) + "'")
        denied(client, "select '" + "x" * (2 * 1024 * 1024) + "'", extended)
        assert client.simple("select 1") == [["1"]]
    assert rows_left(access.server) == 2


def test_refusals_are_told_to_the_audit_and_counted(access):
    port = access(policy("held", level="admin", denied="unqualifiedWrite"))
    with RawClient(port) as client:
        client.login("a")
        denied(client, "delete from guarded")
        line = audit.wait_for(access.folder, "exchange", lambda each: each.get("outcome") == "error" or
                              "delete" in str(each.get("statements")))[0]
    assert "42501" in str(line) and "delete from guarded" in str(line), "the client's own text"


def test_the_servers_log_names_the_policy(access):
    port = access(policy("held-by-me", level="admin", denied="unqualifiedWrite"))
    with RawClient(port) as client:
        client.login("a")
        denied(client, "delete from guarded")
    assert "held-by-me" in access.server.log_text()


# ---- tricks with texts ----

TRICKS = (
    "DeLeTe FROM guarded",
    "/* where a = 1 */ delete from guarded",
    "delete from guarded -- where a = 1",
    "delete from \"guarded\"",
    "delete from public.guarded",
    "delete from only guarded",
    "delete from guarded returning *",
    "delete from U&\"gu\\0061rded\"",
    ";;; delete from guarded",
    "select 1;\n/* ; */ delete from guarded; select 2",
    "select '--'; delete from guarded",
    "select $$;$$; delete from guarded",
    "select $a$ $b$ $a$; delete from guarded",
    "select E'\\''; delete from guarded; --'",
    "begin; delete from guarded; commit",
    "\ufeffdelete from guarded",
    "delete\u00a0from guarded",
    "explain (analyze, verbose) delete from guarded",
    "create table x as with d as (delete from guarded returning *) select * from d",
)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_no_spelling_hides_a_statement(access, pooling):
    port = access(policy(level="admin", denied="unqualifiedWrite"), pooling=pooling)
    with RawClient(port) as client:
        client.login("a")
        for text in TRICKS:
            denied(client, text)
            denied(client, text, extended)
    assert rows_left(access.server) == 2


@pytest.mark.parametrize("pooling", POOLINGS)
def test_texts_mean_what_the_gateway_reads(access, pooling):
    """With standard_conforming_strings off, or in SJIS, a backslash would end a string elsewhere."""
    port = access(policy(level="admin", denied="unqualifiedWrite"), pooling=pooling)
    hidden = "select '\\', '; delete from guarded; --'"
    with RawClient(port) as client:
        client.login("a", standard_conforming_strings="off")
        assert client.parameters["standard_conforming_strings"] == "on"
        for text in ("set standard_conforming_strings = off", "select set_config('standard_conforming_strings', 'off', false)",
                     "set client_encoding = 'SJIS'", "set names 'GBK'"):
            denied(client, text)
        # The text behind it is on its way before the server can have said anything.
        client.send(query("set standard_conforming_strings = off") + query(hidden))
        with pytest.raises(Refused):
            client.result()
        assert client.result() == [["\\", "; delete from guarded; --"]]
        client.simple("set client_encoding = 'LATIN1'; set names 'utf8'")
    with RawClient(port) as client:
        client.login("a", client_encoding="SJIS")
        denied(client, hidden)
        assert client.simple("select 'plain'") == [["plain"]]
    assert rows_left(access.server) == 2


# ---- prepared statements ----


@pytest.mark.parametrize("pooling", POOLINGS)
def test_prepared_statements_launder_nothing(access, pooling):
    port = access(policy(level="admin", denied="unqualifiedWrite"), pooling=pooling)
    with RawClient(port) as client:
        client.login("a")
        denied(client, "prepare d as delete from guarded")
        with pytest.raises(Refused) as unknown:
            client.simple("execute d")
        assert unknown.value.code == "26000"
        # A name that is good is not made another statement's by a refused Parse.
        client.send(parse("select 41", "s") + SYNC)
        client.result()
        with pytest.raises(Refused):
            client.send(parse("delete from guarded", "s") + SYNC)
            client.result()
        client.send(bind("s") + EXECUTE + SYNC)
        assert client.result() == [["41"]]
        denied(client, "delete from guarded", lambda c, t: extended(c, t, "t"))
        client.send(bind("t") + EXECUTE + SYNC)
        with pytest.raises(Refused) as unknown:
            client.result()
        assert unknown.value.code == "26000"
        client.simple("prepare good as select $1::int")
        assert client.simple("execute good(5)") == [["5"]]
    assert rows_left(access.server) == 2


# ---- the role ----

WAYS_OUT_OF_A_ROLE = (
    "set role none", "reset role", "set role stronger", "set local role stronger", "set session role stronger",
    "SET \"role\" = 'stronger'", "set role to default", "set session authorization default", "reset session authorization",
    "set session authorization trustuser", "set session_authorization = 'trustuser'", "discard all",
    "select set_config('role', 'none', false)", "select pg_catalog.set_config('ROLE', 'stronger', true)",
    "select set_config('ro' || 'le', 'none', false)", "select set_config(E'ro\\x6ce', 'none', false)",
    "select U&\"set\\005fconfig\"('role', 'none', false)", "select set_config(n, 'none', false) from (values ('role')) v(n)",
    "update pg_settings set setting = 'none' where name = 'role'",
    "do $$begin execute 'reset role'; end$$", "select query_to_xml('select set_config(''role'', ''none'', false)', true, true, '')",
    "create function out_of_it() returns text language sql as $$select set_config('role', 'none', false)$$",
    "prepare p as select set_config('role', 'none', false)", "select 1; set role none; select current_user",
    "explain analyze select set_config('role', 'none', false)", "set/**/role/**/none",
    "alter role trustuser set role = 'stronger'",
)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_a_role_is_assumed_and_cannot_be_left(access, pooling):
    port = access(policy(level="write", role="held"), pooling=pooling)
    with RawClient(port) as client:
        client.login("a")
        assert client.simple("select current_user, session_user") == [["held", "trustuser"]]
        for text in WAYS_OUT_OF_A_ROLE:
            for way in (None, extended):
                denied(client, text, way)
            assert client.simple("select current_user") == [["held"]], text
        client.simple("reset all")
        client.simple("begin; set local work_mem = '1MB'; rollback")
        assert client.simple("select current_user") == [["held"]]
        with pytest.raises(Refused) as refused:
            client.send(parse("select set_config($1, 'none', false)") + SYNC)
            client.result()
        assert refused.value.code == "42501"


@pytest.mark.parametrize("pooling", POOLINGS)
def test_a_client_cannot_bring_another_role(access, pooling):
    port = access(policy(role="held"), pooling=pooling)
    for more in ({"role": "stronger"}, {"options": "-c role=stronger"}, {"role": "none"}):
        with RawClient(port) as client:
            client.login("a", **more)
            assert client.simple("select current_user") == [["held"]], more


@pytest.mark.parametrize("version", [15, 16, 17, 18])
def test_the_next_client_of_a_connection_has_the_role_too(prepared, start_gateway, tmp_path, version):
    server = next((each for each in prepared.all() if each.version == version), None)
    if server is None:
        pytest.skip(f"PostgreSQL {version} is not part of this run")
    access = Access(start_gateway, server, tmp_path / "audit")
    port = access(policy("one", "a", role="held"), policy("two", "b", level="admin"), pooling="session")
    for _ in range(3):
        with RawClient(port) as client:
            client.login("a")
            client.simple("set work_mem = '1MB'; create temp table own (a int)")
            assert client.simple("select current_user") == [["held"]]
        with RawClient(port) as other:
            other.login("b")
            assert other.simple("select current_user") == [["trustuser"]]


def test_a_role_that_the_user_may_not_assume_ends_the_login(access):
    port = access(policy(role="postgres"))
    with RawClient(port) as client, pytest.raises(Refused) as refused:
        client.login("a")
    assert refused.value.code == "42501"


# ---- read-only ----

WAYS_TO_WRITE = (
    "insert into guarded values (3)", "delete from guarded where a = 1", "create table made (a int)",
    "begin read write; insert into guarded values (3); commit", "start transaction read write",
    "begin; set transaction read write; insert into guarded values (3); commit",
    "set transaction_read_only = off; insert into guarded values (3)",
    "begin; set local transaction_read_only to off; insert into guarded values (3); commit",
    "set default_transaction_read_only = off", "set session characteristics as transaction read write",
    "set \"Default_Transaction_Read_Only\" = 'no'", "reset transaction_read_only",
    "select set_config('transaction_read_only', 'off', true)", "select set_config('default_transaction_read_only', 'off', false)",
    "select set_config('default_' || 'transaction_read_only', 'off', false)",
    "do $$begin perform set_config('default_transaction_read_only', 'off', false); end$$",
    "update pg_settings set setting = 'off' where name = 'default_transaction_read_only'",
    "reset all; insert into guarded values (3)", "discard all; insert into guarded values (3)",
    "reset default_transaction_read_only; insert into guarded values (3)",
    "select query_to_xml('select set_config(''default_transaction_read_only'', ''off'', false)', true, true, '')",
    "copy guarded from program 'echo 3'", "select nextval('no_such')", "select lo_from_bytea(0, 'x')", "select lo_create(0)",
)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_read_only_stays_read_only(access, pooling):
    port = access(policy(level="read"), pooling=pooling)
    with RawClient(port) as client:
        client.login("a", default_transaction_read_only="off", options="-c default_transaction_read_only=off")
        for text in WAYS_TO_WRITE:
            with pytest.raises(Refused):
                client.simple(text)
            try:
                client.simple("rollback")
            except Refused:
                pass
            with pytest.raises(Refused) as refused:
                client.simple("insert into guarded values (3)")
            assert refused.value.code == "25006", text
            assert client.simple("show default_transaction_read_only") == [["on"]], text
        client.simple("discard all") if pooling == "off" else client.simple("reset all")
        with pytest.raises(Refused) as refused:
            client.simple("insert into guarded values (3)")
        assert refused.value.code == "25006"
        assert client.simple("begin read only; select count(*) from guarded; commit") == [["2"]]
    assert rows_left(access.server) == 2


@pytest.mark.parametrize("pooling", POOLINGS)
def test_the_default_level_manages_no_roles(access, pooling):
    port = access(policy(), pooling=pooling)
    with RawClient(port) as client:
        client.login("a")
        for text in ("create role made", "copy guarded to program 'cat'", "do 'begin end'"):
            denied(client, text)
        client.simple("create table made (a int); drop table made; delete from guarded where false")


def test_admin_is_held_to_nothing(access):
    port = access(policy(level="admin"))
    with RawClient(port) as client:
        client.login("a")
        client.simple("do $$begin execute 'set role held'; end$$")
        assert client.simple("select current_user") == [["held"]]
        client.simple("reset role"), client.simple("discard all")


def test_a_function_of_ones_own_is_not_seen(access):
    """What docs/access.md says is not covered."""
    port = access(policy(level="read"))
    with RawClient(port) as client:
        client.login("a")
        client.simple("select own_set('default_transaction_read_only', 'off')")
        assert client.simple("show default_transaction_read_only") == [["off"]]


# ---- psql ----


@pytest.mark.parametrize("pooling", POOLINGS)
def test_psql(access, pooling):
    port = access(policy("held", role="held", denied="ddl"), pooling=pooling)
    made = run([client_program("psql"), "-X", "-At", "-v", "ON_ERROR_STOP=0",
                f"host=127.0.0.1 port={port} user=a dbname=app"], check=False, timeout=30,
               input="select current_user;\nset role none;\ncreate table made (a int);\n\\d guarded\n"
                     "\\copy guarded to stdout\nselect current_user;\n")
    assert made.stdout.splitlines()[0] == "held" and made.stdout.splitlines()[-1] == "held", made.stdout + made.stderr
    assert made.stderr.count('access policy "held"') == 2
    assert "a|integer" in made.stdout
