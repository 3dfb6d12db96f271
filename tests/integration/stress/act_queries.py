"""Simple queries, COPY, large rows, errors, and the cancel of one's own statement."""

from __future__ import annotations

import asyncio

from harness.wire import message, query
from harness.wire_parts import COPY_DONE, copy_data, copy_fail
from stress.life import Life, action

LARGE = 300_000  # bytes of one row
FAILURES = (("select 1/0", "22012"), ("selec 1", "42601"), ("select * from no_such_table", "42P01"),
            ("select 100 / (30 - g) from generate_series(1, 50) g", "22012"))


@action(40)
async def simple_query(life: Life) -> None:
    number = life.world.next()
    await life.run(f"select '{life.who}', {number}", rows=[[life.who, str(number)]], tag="SELECT 1")
    life.done()


@action(10)
async def several_statements(life: Life) -> None:
    one, two = life.world.next(), life.world.next()
    reply = await life.run(f"select '{life.who}', {one}; insert into public.stress_log values ('{life.who}', {two}); "
                           f"select '{life.who}', {two}", rows=[[life.who, str(one)], [life.who, str(two)]])
    life.expect(reply.tags == ["SELECT 1", "INSERT 0 1", "SELECT 1"], f"tags {reply.tags}")
    life.model.carried.rows.append(two)
    life.done()


@action(6)
async def several_statements_that_fail(life: Life) -> None:
    await life.run(f"insert into public.stress_log values ('{life.who}', {life.world.next()}); select 1/0; select 2",
                   code="22012")
    life.done()


@action(8)
async def failure(life: Life) -> None:
    text, code = life.choice.choice(FAILURES)
    await life.run(text, code=code)
    life.done()


@action(3)
async def empty_query(life: Life) -> None:
    reply = await life.run(";")
    life.expect(reply.kinds == "IZ", f"messages {reply.kinds}")
    life.done()


@action(15)
async def insert_row(life: Life) -> None:
    number = life.world.next()
    await life.run(f"insert into public.stress_log values ('{life.who}', {number})", tag="INSERT 0 1")
    life.model.carried.rows.append(number)
    life.done()


@action(15)
async def own_rows(life: Life) -> None:
    rows = life.model.carried.rows
    await life.run(f"select count(*), coalesce(sum(n), 0) from public.stress_log where who = '{life.who}'",
                   rows=[[str(len(rows)), str(sum(rows))]])
    life.done()


@action(3)
async def large_row(life: Life) -> None:
    times = LARGE // len(life.who)
    await life.run(f"select repeat('{life.who}', {times})", rows=[[life.who * times]])
    life.done()


@action(3)
async def many_rows(life: Life) -> None:
    count = life.choice.randrange(1, 2000)
    await life.run(f"select '{life.who}', g from generate_series(1, {count}) g",
                   rows=[[life.who, str(g)] for g in range(1, count + 1)])
    life.done()


@action(8)
async def copy_in(life: Life) -> None:
    numbers = [life.world.next() for _ in range(life.choice.randrange(1, 50))]
    await _start_copy(life, "copy public.stress_log from stdin")
    for number in numbers:
        life.connection.send(copy_data(f"{life.who}\t{number}\n".encode()))
        if life.choice.random() < 0.05:
            await asyncio.sleep(0.01)
    life.connection.send(COPY_DONE)
    life.check(await life.connection.collect(), tag=f"COPY {len(numbers)}")
    life.model.carried.rows += numbers
    life.done()


@action(4)
async def copy_in_that_fails(life: Life) -> None:
    await _start_copy(life, "copy public.stress_log from stdin")
    bad_line = life.choice.random() < 0.5
    life.connection.send(copy_data(f"{life.who}\t1\n".encode()) +
                         (copy_data(b"not two columns\n") + COPY_DONE if bad_line else copy_fail("changed its mind")))
    life.check(await life.connection.collect(), code="22P04" if bad_line else "57014")
    life.done()


@action(8)
async def copy_out(life: Life) -> None:
    reply = await life.run(f"copy (select who, n from public.stress_log where who = '{life.who}' order by n) to stdout")
    wanted = "".join(f"{life.who}\t{number}\n" for number in sorted(life.model.carried.rows))
    life.expect(reply.copied.decode() == wanted, f"copied {reply.copied[:200]!r} instead of {wanted[:200]!r}")
    life.done()


async def _start_copy(life: Life, text: str) -> None:
    life.note(f"  {text}")
    life.connection.send(query(text))
    reply = await life.connection.collect(until="GZ")
    life.expect(reply.end == "G", f"no CopyInResponse but {reply.errors or reply.kinds}")


@action(3)
async def cancel_itself(life: Life) -> None:
    """A notice tells that the statement runs: from then on the cancel must hit."""
    life.note("  a statement that is cancelled")
    life.connection.notices.clear()
    life.connection.send(query(f"do $$ begin raise notice '{life.who}'; perform pg_sleep(20); end $$"))
    reply = await life.connection.collect(until="NZ")
    life.expect(reply.end == "N" and life.connection.notices == [life.who],
                f"no notice of its own, but {reply.errors} {life.connection.notices}")
    await asyncio.sleep(life.choice.choice((0, 0.01, 0.1)))
    await life.connection.cancel()
    life.check(await life.connection.collect(), code="57014")
    life.done()


@action(2)
async def function_call_of_a_function_that_is_not(life: Life) -> None:
    """The old message for calling a function: a pool must know that its answer ends with ReadyForQuery too."""
    life.note("  FunctionCall")
    life.connection.send(message("F", b"\0\0\0\1" + b"\0\0" + b"\0\0" + b"\0\0"))
    life.check(await life.connection.collect(), code="42883")
    life.done()
