"""python3 -m stress: many clients on a pool, each with a model of what must be true for it.

    cd tests/integration && python3 -m stress --port 6432 --server "host=/tmp port=5432 user=postgres dbname=app" \\
        --mode transaction --size 20 --clients 200 --seconds 60

`--server` is the database itself, past the gateway: the tables are made there, and it is asked afterwards what is
left. Ends with 1 where something was wrong. A life (one connection of one client) is repeated by its seed; how the
lives of several clients meet is not.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import time

import psycopg

from stress import act_ends, act_extended, act_queries, act_settings, act_state, act_transactions  # noqa: F401
from stress.life import Life
from stress.model import SETTINGS
from stress.world import Options, World

STUCK_AFTER = 60.0   # seconds after the end: a client that still waits would wait for ever
QUIET_WITHIN = 20.0  # seconds after the last client
_BACKENDS = "from pg_stat_activity where backend_type = 'client backend' and usename = %s"


def main() -> int:
    given = arguments()
    options = Options(given.port, given.user, given.database, given.clients, given.seconds,
                      random.randrange(1 << 30) if given.seed is None else given.seed, given.allow == "refuse", given.mode == "transaction",
                      given.startup, given.unsafe)
    size = None if given.mode == "direct" else given.size
    print(f"seed {options.seed}: {options.clients} clients, {options.seconds:g} s, mode {given.mode}, size {size}, "
          f"{given.allow}", flush=True)
    with psycopg.connect(given.server, autocommit=True) as server:
        world = World(options, prepare(server, options.user))
        ask_for_a_sequence(options)
        most = asyncio.run(run(world, server))
        after(world, server, size)
    report(world, most)
    return 1 if world.violations else 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python3 -m stress", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, required=True, help="of what is tried, on 127.0.0.1")
    parser.add_argument("--server", required=True, help="a superuser's connection string, past the gateway")
    parser.add_argument("--user", default="trustuser", help="logs in without a password")
    parser.add_argument("--database", default="app")
    parser.add_argument("--mode", choices=("transaction", "session", "direct"), default="transaction")
    parser.add_argument("--size", type=int, default=20, help="of the pool: there must not be more server connections")
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--allow", choices=("pin", "refuse"), default="pin",
                        help="what is unsafe in transaction mode must work (pin), or may be refused with 0A000")
    parser.add_argument("--startup", choices=("none", "reported", "any"), default="any",
                        help="which settings a start-up message may have")
    parser.add_argument("--unsafe", type=float, default=0.3,
                        help="the share of connections that use what is tied to a server connection")
    return parser.parse_args()


def prepare(server: psycopg.Connection, user: str) -> dict[str, str]:
    """The tables; answers the values of settings that nobody has set."""
    server.execute(f"""
        set client_min_messages = error;
        drop table if exists public.stress_log; create table public.stress_log (who text, n bigint);
        create index on public.stress_log (who);
        create sequence if not exists public.stress_sequence; create schema if not exists stress;
        do $$ begin create role stress_role; exception when duplicate_object then null; end $$;
        grant stress_role to {user}; grant all on public.stress_log to {user}, stress_role;
        grant all on sequence public.stress_sequence to {user}, stress_role; grant usage on schema stress to public""")
    known = {name: server.execute("select coalesce(current_setting(%s, true), '')", (name,)).fetchone()[0]
             for name in SETTINGS}
    return known | {"application_name": ""}


def ask_for_a_sequence(options: Options) -> None:
    """The first who does is answered what the connection knows (docs/pooling.md), which no model can tell."""
    with psycopg.connect(host="127.0.0.1", port=options.port, user=options.user, dbname=options.database,
                         autocommit=True) as first:
        try:
            first.execute("select lastval()")
        except psycopg.errors.ObjectNotInPrerequisiteState:
            pass


async def run(world: World, server: psycopg.Connection) -> int:
    """Answers how many server connections there were at most."""
    until, most = time.monotonic() + world.options.seconds, 0
    living: dict[int, Life] = {}

    async def client(number: int) -> None:
        count = 0
        while time.monotonic() < until:
            living[number] = Life(world, number, count)
            await living[number].live(until)
            count += 1
        del living[number]

    everybody = [asyncio.create_task(client(number)) for number in range(world.options.clients)]
    while not all(each.done() for each in everybody):
        if time.monotonic() > until + STUCK_AFTER:
            for life in living.values():
                life.report_stuck()
            break
        await asyncio.sleep(0.5)
        found = server.execute(f"select count(*) {_BACKENDS}", (world.options.user,)).fetchone()[0]
        most = max(most, found)
    for each in everybody:
        each.cancel()
    for end in await asyncio.gather(*everybody, return_exceptions=True):
        if isinstance(end, Exception):  # a fault of this program, which must not look like silence
            raise end
    return most


def after(world: World, server: psycopg.Connection, size: int | None) -> None:
    """What the server still has of clients that are gone."""
    user, deadline = world.options.user, time.monotonic() + QUIET_WITHIN
    while True:
        left = server.execute(f"select pid, state, left(query, 60) {_BACKENDS} and state <> 'idle'", (user,)).fetchall()
        locks = server.execute("select pid, objid::bigint from pg_locks where locktype = 'advisory'").fetchall()
        count = server.execute(f"select count(*) {_BACKENDS}", (user,)).fetchone()[0]
        many = count > (0 if size is None else size)
        if not left and not locks and not many or time.monotonic() > deadline:
            break
        time.sleep(0.1)
    for what, wrong in (("left working or in a transaction", left), ("left locked", locks),
                        ("server connections", many and [count])):
        if wrong:
            world.violation("afterwards", f"afterwards: {what}: {wrong[:5]}")
    half = server.execute("select count(*) from public.stress_log where who like '%half'").fetchone()[0]
    if half:
        world.violation("afterwards", f"afterwards: {half} rows of statements that were never sent in full")


def report(world: World, most: int) -> None:
    for name, count in sorted(world.actions.items(), key=lambda each: -each[1]):
        refused = f", refused {world.refused[name]}" if world.refused[name] else ""
        print(f"{count:8} {name}{refused}")
    for name in sorted(set(world.refused) - set(world.actions)):
        print(f"{0:8} {name}, refused {world.refused[name]}")
    print(f"{world.lives} connections, {sum(world.actions.values())} actions, at most {most} server connections")
    for text in world.told:
        print(f"VIOLATION {text}")
    for name, count in world.violations.most_common():
        print(f"violations: {count:6} {name}")
    print(f"seed {world.options.seed}: {sum(world.violations.values())} violations")


if __name__ == "__main__":
    sys.exit(main())
