"""SQLAlchemy on psycopg2, with its own pool, as most web applications have it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import sqlalchemy
from report import expect, expect_equal, main
from sqlalchemy import Column, Integer, MetaData, String, Table, create_engine, func, select, text


def engine(target, **more):
    words = {"sslmode": "disable", "connect_timeout": 10, "options": f"-c search_path={target.schema}"}
    words |= {"sslmode": "verify-full", "sslrootcert": target.ca} if target.tls else {}
    url = sqlalchemy.engine.URL.create("postgresql+psycopg2", target.user, target.password, target.host, target.port,
                                       target.database)
    return create_engine(url, future=True, connect_args=words, **more)


def session(target):
    with engine(target).connect() as connection:
        expect_equal(connection.scalar(text("select 6 * 7")), 42)
        expect_equal(connection.scalar(text("select current_schema()")), target.schema)
        expect_equal(connection.dialect.server_version_info[0], target.version)


def transactions(target):
    made = engine(target)
    accounts = Table("alchemy_accounts", MetaData(), Column("id", Integer, primary_key=True),
                     Column("amount", Integer), Column("owner", String(40)))
    accounts.metadata.create_all(made)
    try:
        with made.begin() as connection:
            connection.execute(accounts.insert(), [{"id": i, "amount": 10, "owner": f"o{i}"} for i in range(100)])
        with made.connect() as connection:
            connection.execute(accounts.delete())
            connection.rollback()
            with connection.begin_nested() as inner:
                connection.execute(accounts.delete())
                inner.rollback()
            expect_equal(connection.scalar(select(func.sum(accounts.c.amount))), 1000)
    finally:
        accounts.metadata.drop_all(made)
    made.dispose()


def shared(target):
    made = engine(target, pool_size=4, max_overflow=0, pool_pre_ping=True)

    def work(number: int) -> None:
        for turn in range(15):
            with made.begin() as connection:
                connection.execute(text(f"set local statement_timeout = '{100 + number}s'"))
                row = connection.execute(text("select :turn + 0, :who"), {"turn": turn, "who": f"w{number}"}).one()
                expect_equal(tuple(row), (turn, f"w{number}"))
                expect_equal(connection.scalar(text("show statement_timeout")), f"{100 + number}s")
            with made.connect() as connection:
                expect_equal(connection.scalar(text("show statement_timeout")), "0")

    with ThreadPoolExecutor(8) as workers:
        for done in [workers.submit(work, number) for number in range(8)]:
            done.result()
    made.dispose()


def failures(target):
    made = engine(target)
    with made.connect() as connection:
        for wrong, code in (("selec 1", "42601"), ("select 1/0", "22012")):
            try:
                connection.execute(text(wrong))
            except sqlalchemy.exc.DBAPIError as failure:
                expect_equal(failure.orig.pgcode, code)
                connection.rollback()
            else:
                raise AssertionError(f"no error: {wrong}")
        expect(connection.scalar(text("select true")))
    made.dispose()


if __name__ == "__main__":
    main([session, transactions, shared, failures])
