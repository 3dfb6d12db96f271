"""State that is tied to a server connection: temporary tables, held cursors, advisory locks, channels, PREPARE,
sequences. Sessions in transaction mode are pinned for it, or it is refused."""

from __future__ import annotations

import time

from stress.life import Life, action, plain_user
from stress.model import Model

LOCKS = range(1000, 1024)
CHANNELS = tuple(f"ch{number}" for number in range(6))
PREPARED = ("p1", "p2")
TABLES = ("t1", "t2")


def _free(model: Model) -> bool:
    return plain_user(model) and not model.carried.temp


# ---- temporary tables ----


@action(8, unsafe=True, when=_free)
async def create_temp(life: Life) -> None:
    name, number = life.choice.choice(TABLES), life.world.next()
    await life.run(f"create temp table {name} as select '{life.who}' as who, {number} as n", tag="SELECT 1")
    life.model.carried.temp[name] = [number]
    life.done()


@action(8, when=lambda model: plain_user(model) and bool(model.carried.temp))
async def use_temp(life: Life) -> None:
    name, number = life.choice.choice(sorted(life.model.carried.temp)), life.world.next()
    await life.run(f"insert into {name} values ('{life.who}', {number})", tag="INSERT 0 1")
    rows = life.model.carried.temp[name]
    rows.append(number)
    await life.run(f"select who, n from {name} order by n", rows=[[life.who, str(n)] for n in sorted(rows)])
    life.done()


@action(4, when=lambda model: plain_user(model) and bool(model.carried.temp))
async def drop_temp(life: Life) -> None:
    name = life.choice.choice(sorted(life.model.carried.temp))
    await life.run(f"drop table {name}", tag="DROP TABLE")
    del life.model.carried.temp[name]
    life.done()


@action(4, "I", when=lambda model: not model.carried.temp)
async def no_temp(life: Life) -> None:
    """Nobody else's is there."""
    await life.run(f"select * from {life.choice.choice(TABLES)}", code="42P01")
    life.done()


# ---- cursors that outlive their transaction ----


@action(6, "I", unsafe=True, when=lambda model: plain_user(model) and not model.held)
async def declare_held(life: Life) -> None:
    await life.run(f"declare h1 cursor with hold for select '{life.who}', g from generate_series(1, 1000) g",
                   tag="DECLARE CURSOR")
    life.model.held["h1"] = 1
    life.done()


@action(8, "I", when=lambda model: bool(model.held))
async def fetch_held(life: Life) -> None:
    first, count = life.model.held["h1"], life.choice.randrange(1, 5)
    await life.run(f"fetch {count} from h1", rows=[[life.who, str(g)] for g in range(first, first + count)])
    life.model.held["h1"] = first + count
    life.done()


@action(3, "I", when=lambda model: bool(model.held))
async def close_held(life: Life) -> None:
    await life.run("close h1", tag="CLOSE CURSOR")
    life.model.held.clear()
    life.done()


# ---- advisory locks ----


@action(10, unsafe=True)
async def try_lock(life: Life) -> None:
    key = life.choice.choice(LOCKS)
    lock = life.world.locks[key]
    lock.changes += 1
    before = (lock.owner, lock.sure, lock.changes)
    alone = lock.trying == 0
    reply = await _while_trying(life, lock, f"select pg_try_advisory_lock({key})")
    got = reply.rows == [["t"]]
    settled = alone and (lock.owner, lock.sure, lock.changes) == before and lock.sure
    if life.model.locks[key]:
        life.expect(got, f"lock {key} is its own, yet it was denied")
    elif settled and lock.owner is not None:
        life.expect(not got, f"lock {key} was given to it, though {lock.owner.who} has it")
    elif settled:
        life.expect(got, f"lock {key} was denied, though nobody has it")
    if got:
        life.model.locks[key] += 1
        lock.owner, lock.sure = life, True
    life.done()


async def _while_trying(life: Life, lock, statement: str):
    lock.trying += 1
    try:
        return await life.run(statement)
    except BaseException:
        lock.sure, lock.changes = False, lock.changes + 1  # the server may have given it before the connection went
        raise
    finally:
        lock.trying -= 1


@action(8, when=lambda model: bool(+model.locks))
async def unlock(life: Life) -> None:
    key = life.choice.choice(sorted(+life.model.locks))
    lock = life.world.locks[key]
    lock.changes += 1
    lock.sure = life.model.locks[key] > 1
    await life.run(f"select pg_advisory_unlock({key})", rows=[["t"]])
    life.model.locks[key] -= 1
    _settle(life, [key])
    life.done()


@action(3, "I", unsafe=True)
async def unlock_what_it_has_not(life: Life) -> None:
    key = life.choice.choice(LOCKS)
    if not life.model.locks[key]:
        await life.run(f"select pg_advisory_unlock({key})", rows=[["f"]])
    life.done()


def _settle(life: Life, keys) -> None:
    """The server has given them back; another may have taken one before we read that."""
    for key in keys:
        lock = life.world.locks[key]
        if lock.owner is life and not life.model.locks[key]:
            lock.owner, lock.sure = None, True
            lock.changes += 1


# ---- channels ----


@action(8, "I", unsafe=True)
async def listen(life: Life) -> None:
    channel = life.choice.choice(CHANNELS)
    life.coming.add(channel)
    await life.run(f"listen {channel}", tag="LISTEN")
    life.coming.discard(channel)
    life.model.channels.add(channel)
    life.world.listeners[channel].setdefault(life, life.world.next())
    life.done()


@action(2, "I", unsafe=True)
async def listen_that_is_rolled_back(life: Life) -> None:
    await life.run(f"begin; listen {life.choice.choice(CHANNELS)}; rollback", tag="ROLLBACK")
    life.done()


@action(4, "I", when=lambda model: bool(model.channels))
async def unlisten(life: Life) -> None:
    everything = life.choice.random() < 0.3
    channels = list(life.model.channels) if everything else [life.choice.choice(sorted(life.model.channels))]
    for channel in channels:
        life.stop_hearing(channel)
    await life.run("unlisten *" if everything else f"unlisten {channels[0]}", tag="UNLISTEN")
    life.hear_what_came()
    life.model.channels -= set(channels)
    life.done()


@action(12, "I")
async def notify(life: Life) -> None:
    channel, payload = life.choice.choice(CHANNELS), f"{life.who}/{life.world.next()}"
    before = dict(life.world.listeners[channel])
    await life.run(f"notify {channel}, '{payload}'", tag="NOTIFY")
    for other, since in life.world.listeners[channel].items():
        if before.get(other) == since and payload not in other.heard:
            other.expected[payload] = (channel, time.monotonic())
    life.done()


@action(8, "I", when=lambda model: bool(model.channels))
async def hear(life: Life) -> None:
    await life.hear_all()
    life.done()


# ---- PREPARE, sequences, DISCARD ----


@action(6, unsafe=True, when=plain_user)
async def prepare(life: Life) -> None:
    name = life.choice.choice(PREPARED)
    known, begins = name in life.model.prepared, f"{life.who}/{life.world.next()}"
    await life.run(f"prepare {name} as select '{begins}'", code="42P05" if known else "")
    if not known:
        life.model.prepared[name] = begins
    life.done()


@action(6, when=lambda model: any(name in model.prepared for name in PREPARED))
async def execute_prepared(life: Life) -> None:
    name = life.choice.choice([name for name in PREPARED if name in life.model.prepared])
    await life.run(f"execute {name}", rows=[[life.model.prepared[name]]])
    life.done()


@action(2, when=lambda model: not any(name in model.prepared for name in PREPARED))
async def execute_what_is_not_prepared(life: Life) -> None:
    await life.run(f"execute {life.choice.choice(PREPARED)}", code="26000")
    life.done()


@action(5, unsafe=True)
async def nextval(life: Life) -> None:
    reply = await life.run("select nextval('public.stress_sequence')")
    life.model.sequence = int(reply.rows[0][0])
    life.done()


@action(6, when=lambda model: model.sequence is not None)
async def currval(life: Life) -> None:
    text = life.choice.choice(("lastval()", "currval('public.stress_sequence')"))
    reply = await life.connection.simple(f"select {text}")
    life.note(f"  select {text}")
    if reply.code == "55000" and life.world.options.carried:
        # Asked for in a later transaction: what nextval() said stayed behind, which is an error, and nobody else's value.
        life.model.fail()
        life.model.sequence = None
    else:
        life.check(reply, rows=[[str(life.model.sequence)]])
    life.done()


@action(3, when=lambda model: model.sequence is None)
async def lastval_of_nobody(life: Life) -> None:
    await life.run("select lastval()", code="55000")
    life.done()


@action(3, "I")
async def discard_all(life: Life) -> None:
    keys = list(+life.model.locks)
    for key in keys:
        life.world.locks[key].changes += 1
        life.world.locks[key].sure = False
    for channel in list(life.model.channels):
        life.stop_hearing(channel)
    await life.run("discard all", tag="DISCARD ALL")
    life.hear_what_came()
    life.model.discard_all()
    _settle(life, keys)
    life.done()
