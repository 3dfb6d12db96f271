"""Who is hit by a cancel: many clients run short statements on a small pool, and are cancelled at random moments with
their own keys. A client that nobody cancelled must never see 57014; one that was cancelled while its statement ran
must."""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass, field

from harness.wire import query
from stress.connection import Connection

CANCELED = "57014"
SHORT = 0.1         # seconds that a statement sleeps whose end a cancel races with
LONG = 3.0          # one that must be hit: a server may need a while to take a cancel
MARGIN = 0.03       # a cancel so near to a statement's end may come too late
CALM_EVERY = 3      # of so many clients, one is never cancelled

_STATEMENT = """do $$ begin raise notice '%', extract(epoch from clock_timestamp()); perform pg_sleep({sleeps}); end $$;
select '{name}'"""


@dataclass
class Count:
    statements: int = 0
    cancels: int = 0
    hit: int = 0          # cancelled, and it had to be
    waiting: int = 0      # cancelled before the statement had begun
    either: int = 0       # the cancel came about when the statement began or ended
    victims: list[str] = field(default_factory=list)   # 57014 without a cancel
    missed: list[str] = field(default_factory=list)    # a cancel without 57014
    wrong: list[str] = field(default_factory=list)     # something else altogether


class Worker:
    """One client: statement after statement, with a cancel for some of them."""

    def __init__(self, number: int, port: int, user: str, database: str, seed: int, count: Count):
        self._number, self._port, self._user, self._database = number, port, user, database
        self._choice = random.Random(f"{seed}/{number}")
        self._count = count
        self._turn = 0

    async def work(self, enough) -> None:
        """Until `enough()`."""
        connection = await Connection(self._port).open(self._user, self._database, {})
        while not enough():
            self._turn += 1
            if self._number % CALM_EVERY and self._choice.random() < 0.6:
                await self._cancelled(connection)
            else:
                await self._undisturbed(connection)
        await connection.leave()

    async def _undisturbed(self, connection: Connection) -> None:
        """The same kind of statement on the same server connections, and fast ones, which a late cancel would hit."""
        name = f"{self._number}/{self._turn}"
        wait = self._choice.choice((0, 0.005, 0.02, 0.05))
        reply = await connection.simple(f"select '{name}' from pg_sleep({wait})")
        self._count.statements += 1
        if reply.code == CANCELED:
            self._count.victims.append(name)
        elif reply.errors or reply.rows != [[name]]:
            self._count.wrong.append(f"{name}: {reply.errors or reply.rows}")

    async def _cancelled(self, connection: Connection) -> None:
        """A notice tells when the statement runs: on a small pool it may wait long for its turn before. The time in it
        is the server's, which is on this machine: this process may be late to read it."""
        name = f"{self._number}/{self._turn}"
        race = self._choice.random() < 0.6
        sleeps = self._choice.uniform(0.01, SHORT) if race else LONG
        connection.notices.clear()
        connection.send(query(_STATEMENT.format(sleeps=sleeps, name=name)))
        at_once = self._choice.random() < 0.2
        if not at_once:
            await connection.collect(until="N")
            await asyncio.sleep(self._choice.uniform(0, sleeps * 1.5 if race else SHORT))
        cancelling = asyncio.create_task(_timed(connection.cancel()))
        reply = await connection.collect()
        taken = await cancelling
        running = not at_once and bool(connection.notices)
        must = running and taken < float(connection.notices[0]) + sleeps - MARGIN
        self._judge(name, reply, must, begun=bool(connection.notices))

    def _judge(self, name: str, reply, must: bool, begun: bool) -> None:
        self._count.statements += 1
        self._count.cancels += 1
        if reply.code not in ("", CANCELED):
            self._count.wrong.append(f"{name}: {reply.errors}")
        elif must and reply.code != CANCELED:
            self._count.missed.append(name)
        elif reply.code != CANCELED and reply.rows != [[name]]:
            self._count.wrong.append(f"{name}: {reply.rows}")
        elif must:
            self._count.hit += 1
        elif reply.code == CANCELED and not begun:
            self._count.waiting += 1
        else:
            self._count.either += 1


async def _timed(what) -> float:
    """When it was over."""
    await what
    return time.time()


async def run(port: int, user: str, database: str, *, clients: int, cancels: int, seed: int) -> Count:
    """Until so many cancels have been sent."""
    count = Count()
    await asyncio.gather(*(Worker(number, port, user, database, seed, count).work(lambda: count.cancels >= cancels)
                           for number in range(clients)))
    return count
