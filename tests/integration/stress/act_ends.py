"""Ends in the middle of things. What the server makes of them is seen afterwards, by whoever comes next."""

from __future__ import annotations

import asyncio

from harness.wire import query
from harness.wire_parts import SYNC, bind, copy_data, execute, parse
from stress.life import Life, Over, action


async def _leave(life: Life, how: str = "") -> None:
    life.world.leave(life)
    await life.connection.leave(how or life.choice.choice(("terminate", "fin", "rst")))
    raise Over


@action(2)
async def leave_as_it_is(life: Life) -> None:
    """In a transaction, perhaps, and with all that it has."""
    await _leave(life)


@action(1)
async def leave_in_a_query(life: Life) -> None:
    life.connection.send(query("select pg_sleep(0.2)"))
    await asyncio.sleep(life.choice.choice((0, 0.05)))
    await _leave(life)


@action(1)
async def leave_in_a_message(life: Life) -> None:
    life.connection.send(query(f"insert into public.stress_log values ('{life.who} half', 1)")[:-9])
    await asyncio.sleep(life.choice.choice((0, 0.02)))
    await _leave(life, life.choice.choice(("fin", "rst")))


@action(1)
async def leave_before_sync(life: Life) -> None:
    life.connection.send(parse("s7", "select 1") + bind("", "s7") + execute())
    await asyncio.sleep(life.choice.choice((0, 0.02)))
    await _leave(life, life.choice.choice(("fin", "rst")))


@action(1)
async def leave_with_unread_rows(life: Life) -> None:
    life.connection.send(parse("", "select repeat('x', 1000) from generate_series(1, 20000)") + bind("", "") +
                         execute() + SYNC)
    await asyncio.sleep(life.choice.choice((0, 0.02)))
    await _leave(life)


@action(1)
async def leave_in_copy(life: Life) -> None:
    life.connection.send(query("copy public.stress_log from stdin"))
    reply = await life.connection.collect(until="GZ")
    life.expect(reply.end == "G", f"no CopyInResponse but {reply.errors or reply.kinds}")
    life.connection.send(copy_data(f"{life.who} half\t1\n".encode()))
    await _leave(life)
