"""asyncpg: its own protocol implementation, binary results, extended protocol throughout."""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
import ssl
import time

import asyncpg
from report import expect, expect_equal, main


def connect(target, **more):
    tls = ssl.create_default_context(cafile=target.ca) if target.tls else False
    words = dict(host=target.host, port=target.port, user=target.user, password=target.password,
                 database=target.database, ssl=tls, timeout=10, server_settings={"search_path": target.schema})
    return asyncpg.connect(**(words | more))


class session_of:
    """A connection for the length of an `async with`."""

    def __init__(self, target, **more):
        self._coming = connect(target, **more)

    async def __aenter__(self):
        self._connection = await self._coming
        return self._connection

    async def __aexit__(self, *_):
        await self._connection.close(timeout=10)


async def session(target):
    async with session_of(target) as connection:
        expect_equal(await connection.fetchval("select 6 * 7"), 42)
        expect_equal(connection.get_server_version().major, target.version)
        expect_equal(await connection.fetchval("select 'späß ☃'::text"), "späß ☃")
        expect_equal(await connection.fetchval("select ssl from pg_stat_ssl where pid = pg_backend_pid()"),
                     target.mode in ("direct", "tls-scram", "tls-same", "tls-server", "passthrough", "pooled",
                                     "pooled-session") and (
                         target.tls or target.mode == "tls-server"))


async def wrong_password(target):
    try:
        await connect(target, password="wrong")
    except asyncpg.InvalidPasswordError:
        pass
    else:
        raise AssertionError("no 28P01")
    try:
        await connect(target, database="no_such_database")
    except asyncpg.InvalidCatalogNameError:
        pass
    else:
        raise AssertionError("no 3D000")


async def transactions(target):
    async with session_of(target) as one, session_of(target) as two:
        await one.execute("create table asyncpg_accounts (id int primary key, amount int)")
        try:
            async with one.transaction(isolation="serializable"):
                await one.execute("insert into asyncpg_accounts values ($1, $2)", 1, 10)
                expect_equal(await two.fetchval("select count(*) from asyncpg_accounts"), 0)
                try:
                    async with one.transaction():
                        await one.execute("insert into asyncpg_accounts values (1, 1)")
                except asyncpg.UniqueViolationError as twice:
                    expect_equal(twice.constraint_name, "asyncpg_accounts_pkey")
            expect_equal(await two.fetchval("select sum(amount) from asyncpg_accounts"), 10)
            try:
                async with one.transaction():
                    await one.execute("delete from asyncpg_accounts")
                    raise RuntimeError("roll back")
            except RuntimeError:
                pass
            expect_equal(await two.fetchval("select count(*) from asyncpg_accounts"), 1)
            async with one.transaction():
                rows = [row[0] async for row in one.cursor("select g from generate_series(1, 1000) g", prefetch=70)]
                expect_equal(rows, list(range(1, 1001)))
        finally:
            await one.execute("drop table asyncpg_accounts")


async def prepared(target):
    async with session_of(target) as connection:
        statement = await connection.prepare("select $1::int + 1, $2::text, $3::bytea, $4::numeric, $5::timestamptz")
        now = await connection.fetchval("select now()")
        for i in range(200):
            row = await statement.fetchrow(i, f"t{i}", bytes([i % 256]) * i, i, now)
            expect_equal(tuple(row), (i + 1, f"t{i}", bytes([i % 256]) * i, i, now))
        expect_equal(await connection.fetchval("select count(*) >= 1 from pg_prepared_statements"), True)


async def shared(target):
    """Its own pool, which resets a connection when it is given back, and its cache of statements."""
    async def work(pool, number):
        for turn in range(15):
            async with pool.acquire() as connection:
                row = await connection.fetchrow(f"select $1::int, '{target.schema} {number}'", turn)
                expect_equal(tuple(row), (turn, f"{target.schema} {number}"))
                async with connection.transaction():
                    await connection.execute(f"set local statement_timeout = '{100 + number}s'")
                    expect_equal(await connection.fetchval("show statement_timeout"), f"{100 + number}s")
                await connection.execute("set work_mem = '7MB'")
                expect_equal(await connection.fetchval("select current_setting('statement_timeout')"), "0")

    async with asyncpg.create_pool(min_size=4, max_size=4, host=target.host, port=target.port, user=target.user,
                                   password=target.password, database=target.database, timeout=30,
                                   ssl=ssl.create_default_context(cafile=target.ca) if target.tls else False) as pool:
        await asyncio.gather(*(work(pool, number) for number in range(8)))


async def pipeline(target):
    """executemany sends all Binds and Executes with one Sync."""
    async with session_of(target) as connection:
        await connection.execute("create temp table asyncpg_many (id int, line text)")
        rows = [(i, f"line {i}" * (i % 50)) for i in range(5000)]
        await connection.executemany("insert into asyncpg_many values ($1, $2)", rows)
        back = await connection.fetch("select id, line from asyncpg_many order by id")
        expect_equal([tuple(row) for row in back], rows)
        try:
            await connection.executemany("select 1 / $1::int", [(1,), (0,), (2,)])
        except asyncpg.DivisionByZeroError:
            pass
        else:
            raise AssertionError("no error in the pipeline")
        expect_equal(await connection.fetchval("select 3"), 3)


async def copy(target):
    data = os.urandom(4 << 20)
    text = b"".join(b"%d\t%s\n" % (i, data[i * 100:i * 100 + 100].hex().encode()) for i in range(len(data) // 100))
    async with session_of(target) as connection:
        await connection.execute("create temp table asyncpg_copy (id int, line text)")
        await connection.copy_to_table("asyncpg_copy", source=io.BytesIO(text))
        seen = io.BytesIO()
        await connection.copy_from_query("select * from asyncpg_copy order by id", output=seen)
        expect_equal(hashlib.sha256(seen.getvalue()).hexdigest(), hashlib.sha256(text).hexdigest())
        records = [(i, f"record {i}") for i in range(5000)]
        await connection.execute("truncate asyncpg_copy")
        await connection.copy_records_to_table("asyncpg_copy", records=records)
        expect_equal(await connection.fetchval("select count(*) from asyncpg_copy"), 5000)


async def notify(target):
    async with session_of(target) as listener, session_of(target) as speaker:
        channel, heard, done = f"asyncpg {target.mode}", [], asyncio.Event()

        def hear(_connection, _pid, _channel, payload):
            heard.append(payload)
            if len(heard) == 50:
                done.set()

        await listener.add_listener(channel, hear)
        for i in range(50):
            await speaker.execute("select pg_notify($1, $2)", channel, f"payload {i}" + "y" * i * 10)
        await asyncio.wait_for(done.wait(), 10)
        expect_equal(heard, [f"payload {i}" + "y" * i * 10 for i in range(50)])


async def cancel(target):
    async with session_of(target) as connection:
        for _ in range(2):
            started = time.monotonic()
            try:
                await connection.execute("select pg_sleep(30)", timeout=0.25)
            except (asyncio.TimeoutError, asyncpg.QueryCanceledError):
                expect(time.monotonic() - started < 15, "the cancel was late")
            else:
                raise AssertionError("not cancelled")
            expect_equal(await connection.fetchval("select 1"), 1)


async def failures(target):
    async with session_of(target) as connection:
        for text, kind in (("selec 1", asyncpg.PostgresSyntaxError), ("select 1/0", asyncpg.DivisionByZeroError),
                           ("select * from no_such_table", asyncpg.UndefinedTableError),
                           ("select 100 / (2000 - g) from generate_series(1, 3000) g", asyncpg.DivisionByZeroError)):
            try:
                await connection.fetch(text)
            except kind:
                pass
            else:
                raise AssertionError(f"no error: {text}")
        expect_equal(await connection.fetchval("select 1"), 1)
    victim = await connect(target)
    async with session_of(target) as other:
        await other.execute("select pg_terminate_backend($1)", await victim.fetchval("select pg_backend_pid()"))
    await asyncio.sleep(0.05)
    try:
        await victim.fetchval("select 1")
    except (asyncpg.AdminShutdownError, asyncpg.ConnectionDoesNotExistError, asyncpg.InterfaceError):
        pass
    else:
        raise AssertionError("terminated, and yet it answers")
    victim.terminate()


async def notices(target):
    async with session_of(target) as connection:
        heard = []
        connection.add_log_listener(lambda _connection, message: heard.append(message.message))
        await connection.execute("do $$ begin for i in 1..300 loop raise notice 'number %', i; end loop; end $$")
        await asyncio.sleep(0)
        expect_equal(heard, [f"number {i}" for i in range(1, 301)])
        await connection.execute("set application_name = 'renamed'")
        expect_equal(connection.get_settings().application_name, "renamed")


async def large(target):
    size = 24 << 20
    async with session_of(target) as connection:
        blob = os.urandom(size)
        digest, back = await connection.fetchrow("select encode(sha256($1), 'hex'), $1", blob)
        expect_equal(digest, hashlib.sha256(blob).hexdigest())
        expect_equal(hashlib.sha256(back).hexdigest(), digest)
        rows = await connection.fetch("select g, md5(g::text) from generate_series(1, 60000) g")
        expect_equal(len(rows), 60000)


if __name__ == "__main__":
    main([session, wrong_password, transactions, prepared, shared, pipeline, copy, notify, cancel, failures, notices, large])
