"""psycopg 3 on Debian's libpq."""

from __future__ import annotations

import hashlib
import os
import threading
import time

import psycopg
from psycopg import errors
from report import expect, expect_equal, main


def connect(target, **more) -> psycopg.Connection:
    words = {"host": target.host, "port": target.port, "user": target.user, "password": target.password,
             "dbname": target.database, "connect_timeout": 10, "gssencmode": "disable",
             "options": f"-c search_path={target.schema}"}
    words |= {"sslmode": "verify-full", "sslrootcert": target.ca} if target.tls else {"sslmode": "disable"}
    if target.binding:
        words["channel_binding"] = "require"
    return psycopg.connect(**(words | more))


def session(target):
    with connect(target) as connection:
        expect_equal(connection.execute("select 6 * 7").fetchone(), (42,))
        expect_equal(connection.info.server_version // 10000, target.version)
        expect_equal(connection.info.parameter_status("client_encoding"), "UTF8")
        expect_equal(connection.execute("select current_user::text, current_database()::text").fetchone(),
                     (target.user, target.database))
        expect_equal(bool(connection.pgconn.ssl_in_use), target.tls)
        expect_equal(connection.execute("select 'späß ☃'::text").fetchone(), ("späß ☃",))


def wrong_password(target):
    for words, code in (({"password": "wrong"}, "28P01"), ({"dbname": "no_such_database"}, "3D000")):
        try:
            connect(target, **words).close()
        except psycopg.OperationalError as refused:
            wanted = {"28P01": "password authentication failed", "3D000": 'database "no_such_database" does not exist'}
            expect(wanted[code] in str(refused), str(refused))
        else:
            raise AssertionError(f"no {code}")


def transactions(target):
    with connect(target) as one, connect(target) as two:
        one.execute("create table psycopg_accounts (id int primary key, amount int)")
        one.commit()
        one.execute("insert into psycopg_accounts values (1, 10)")
        expect_equal(two.execute("select count(*) from psycopg_accounts").fetchone(), (0,))
        two.rollback()
        one.commit()
        with one.transaction():
            one.execute("insert into psycopg_accounts values (2, 20)")
            try:
                with one.transaction():
                    one.execute("insert into psycopg_accounts values (1, 99)")
            except errors.UniqueViolation as twice:
                expect_equal(twice.diag.constraint_name, "psycopg_accounts_pkey")
            one.execute("insert into psycopg_accounts values (3, 30)")
        expect_equal(two.execute("select sum(amount) from psycopg_accounts").fetchone(), (60,))
        two.rollback()
        one.execute("drop table psycopg_accounts")


def prepared(target):
    with connect(target) as connection:
        for i in range(200):
            row = connection.execute("select %s::int + 1, %s::text, %s::bytea", (i, f"t{i}", bytes([i % 256]) * i),
                                     prepare=True, binary=i % 2 == 0).fetchone()
            expect_equal(row, (i + 1, f"t{i}", bytes([i % 256]) * i))
        names = connection.execute("select name from pg_prepared_statements where not from_sql").fetchall()
        expect_equal(len(names), 1)


def shared(target):
    """Several at once, past the 5 executions after which statements are prepared: on a pool each must find its own."""
    sessions = [connect(target, autocommit=True) for _ in range(4)]
    for number, connection in enumerate(sessions):
        connection.execute(f"set statement_timeout = '{100 + number}s'")
    for turn in range(15):
        for number, connection in enumerate(sessions):
            row = connection.execute(f"select %s::int, '{target.schema} {number}'", (turn,)).fetchone()
            expect_equal(row, (turn, f"{target.schema} {number}"))
            with connection.transaction():
                row = connection.execute("select %s::int + %s, current_schema()::text", (number, turn)).fetchone()
                expect_equal(row, (number + turn, target.schema))
    for number, connection in enumerate(sessions):
        expect_equal(connection.execute("select current_setting('statement_timeout')").fetchone(), (f"{100 + number}s",))
        connection.close()


def pipeline(target):
    with connect(target, autocommit=True) as connection:
        with connection.pipeline() as pipe:
            cursors = [connection.execute("select %s::int, repeat('x', %s)", (i, i * 10)) for i in range(500)]
            pipe.sync()
            for i, cursor in enumerate(cursors):
                expect_equal(cursor.fetchone(), (i, "x" * (i * 10)))
        try:
            with connection.pipeline():
                connection.execute("create table psycopg_skipped ()")
                connection.execute("select 1/0")
                connection.execute("select 'is skipped'")
        except errors.DivisionByZero:
            pass
        else:
            raise AssertionError("no error in the pipeline")
        expect_equal(connection.execute("select to_regclass('psycopg_skipped')").fetchone(), (None,))


def copy(target):
    rows, line = 40_000, os.urandom(100).hex()
    wanted, seen = hashlib.sha256(), hashlib.sha256()
    with connect(target) as connection:
        connection.execute("create temp table psycopg_copy (id int, line text)")
        with connection.cursor().copy("copy psycopg_copy from stdin") as copying:
            for i in range(rows):
                data = f"{i}\t{line}{i}\n".encode()
                wanted.update(data)
                copying.write(data)
        expect_equal(connection.execute("select count(*) from psycopg_copy").fetchone(), (rows,))
        with connection.cursor().copy("copy (select * from psycopg_copy order by id) to stdout") as copying:
            for data in copying:
                seen.update(data)
        expect_equal(seen.hexdigest(), wanted.hexdigest())
        try:
            with connection.cursor().copy("copy psycopg_copy from stdin") as copying:
                copying.write("not a number\n")
        except errors.InvalidTextRepresentation:
            connection.rollback()
        try:
            with connection.cursor().copy("copy (values (1)) to stdout") as copying:
                raise RuntimeError("the client gives up")
        except RuntimeError:
            connection.rollback()
        expect_equal(connection.execute("select 1").fetchone(), (1,))


def notify(target):
    with connect(target, autocommit=True) as listener, connect(target, autocommit=True) as speaker:
        channel = f"psycopg {target.mode}"
        listener.execute(f'listen "{channel}"')
        texts = [f"payload {i}" + "y" * i * 10 for i in range(50)]
        for text in texts:
            speaker.execute("select pg_notify(%s, %s)", (channel, text))
        heard = []
        for note in listener.notifies():
            heard.append(note.payload)
            if len(heard) == len(texts):
                break
        expect_equal(heard, texts)


def cancel(target):
    with connect(target) as connection:
        for _ in range(2):
            timer = threading.Timer(0.25, connection.cancel)
            timer.start()
            started = time.monotonic()
            try:
                connection.execute("select pg_sleep(30)")
            except errors.QueryCanceled:
                expect(time.monotonic() - started < 15, "the cancel was late")
            else:
                raise AssertionError("not cancelled")
            finally:
                timer.join()
            connection.rollback()
        expect_equal(connection.execute("select 1").fetchone(), (1,))


def failures(target):
    with connect(target, autocommit=True) as connection:
        for text, code in (("selec 1", "42601"), ("select 1/0", "22012"), ("select * from no_such_table", "42P01"),
                           ("select 100 / (2000 - g) from generate_series(1, 3000) g", "22012")):
            try:
                connection.execute(text)
            except psycopg.Error as failure:
                expect_equal(failure.sqlstate, code)
            else:
                raise AssertionError(f"no error: {text}")
        try:
            connection.execute("""do $$ begin raise exception 'first' using errcode = 'TL001', detail = 'second',
                                  hint = 'third', schema = 's', table = 't', column = 'c', constraint = 'k'; end $$""")
        except psycopg.Error as failure:
            d = failure.diag
            expect_equal((d.sqlstate, d.message_primary, d.message_detail, d.message_hint, d.schema_name,
                          d.table_name, d.column_name, d.constraint_name),
                         ("TL001", "first", "second", "third", "s", "t", "c", "k"))
        with connect(target, autocommit=True) as other:
            pid = connection.info.backend_pid
            (real,) = connection.execute("select pg_backend_pid()").fetchone()
            expect_equal(other.execute("select pg_terminate_backend(%s)", (real,)).fetchone(), (True,))
            expect(pid != 0)
        try:
            connection.execute("select 1")
        except psycopg.OperationalError as failure:
            expect("terminating connection due to administrator command" in str(failure), str(failure))
        else:
            raise AssertionError("terminated, and yet it answers")


def notices(target):
    with connect(target, autocommit=True) as connection:
        heard = []
        connection.add_notice_handler(lambda notice: heard.append((notice.severity, notice.message_primary)))
        connection.execute("""do $$ begin for i in 1..300 loop raise notice 'number %', i; end loop;
                              raise warning 'the end'; end $$""")
        expect_equal(heard, [("NOTICE", f"number {i}") for i in range(1, 301)] + [("WARNING", "the end")])
        connection.execute("set application_name = 'renamed'")
        expect_equal(connection.info.parameter_status("application_name"), "renamed")


def large(target):
    size = 24 << 20
    with connect(target, autocommit=True) as connection:
        (back,) = connection.execute("select repeat(%s, %s)", ("0123456789abcdef", size // 16)).fetchone()
        expect_equal(hashlib.sha256(back.encode()).hexdigest(),
                     hashlib.sha256(b"0123456789abcdef" * (size // 16)).hexdigest())
        blob = os.urandom(size)
        (digest,) = connection.execute("select encode(sha256(%b), 'hex')", (blob,)).fetchone()
        expect_equal(digest, hashlib.sha256(blob).hexdigest())
        count = sum(1 for _ in connection.execute("select g, md5(g::text) from generate_series(1, 60000) g"))
        expect_equal(count, 60000)


def objects(target):
    """Large objects through FunctionCall, as libpq's lo_ functions do it (here: the raw lo functions)."""
    with connect(target) as connection:
        data = os.urandom(300_000)
        (oid,) = connection.execute("select lo_from_bytea(0, %b)", (data,)).fetchone()
        (back,) = connection.execute("select lo_get(%s)", (oid,)).fetchone()
        expect_equal(hashlib.sha256(back).hexdigest(), hashlib.sha256(data).hexdigest())
        connection.execute("select lo_unlink(%s)", (oid,))


if __name__ == "__main__":
    main([session, wrong_password, transactions, prepared, shared, pipeline, copy, notify, cancel, failures, notices, large,
          objects])
