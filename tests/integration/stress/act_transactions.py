"""Transactions: begin, commit, rollback, savepoints, and what a failed one refuses."""

from __future__ import annotations

from stress.life import Life, action
from stress.model import Model

SAVEPOINTS = ("a", "b", "c")


def has_savepoint(model: Model) -> bool:
    return bool(model.savepoints())


@action(25, "I")
async def begin(life: Life) -> None:
    await life.run(life.choice.choice(("begin", "start transaction", "begin isolation level repeatable read")))
    life.model.begin()
    life.done()


@action(20, "TE")
async def commit(life: Life) -> None:
    reply = await life.run("commit")
    tag = life.model.commit()
    life.expect(reply.tags == [tag], f"tags {reply.tags} instead of {tag}")
    life.done()


@action(15, "TE")
async def rollback(life: Life) -> None:
    await life.run("rollback", tag="ROLLBACK")
    life.model.rollback()
    life.done()


@action(15, "T")
async def savepoint(life: Life) -> None:
    name = life.choice.choice(SAVEPOINTS)
    await life.run(f"savepoint {name}", tag="SAVEPOINT")
    life.model.savepoint(name)
    life.done()


@action(20, "TE", when=has_savepoint)
async def rollback_to(life: Life) -> None:
    name = life.choice.choice(life.model.savepoints())
    await life.run(f"rollback to {name}", tag="ROLLBACK")
    life.model.rollback_to(name)
    life.done()


@action(10, "T", when=has_savepoint)
async def release(life: Life) -> None:
    name = life.choice.choice(life.model.savepoints())
    await life.run(f"release {name}", tag="RELEASE")
    life.model.release(name)
    life.done()


@action(10, "E")
async def query_in_a_failed_transaction(life: Life) -> None:
    await life.run("select 1", code="25P02")
    life.done()


@action(8, "I")
async def whole_transaction_in_one_query(life: Life) -> None:
    number = life.world.next()
    await life.run(f"begin; insert into public.stress_log values ('{life.who}', {number}); commit; select '{life.who}'",
                   rows=[[life.who]])
    life.model.carried.rows.append(number)
    life.done()
