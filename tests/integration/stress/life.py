"""One connection's life: a random walk over the actions, with the model beside it."""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from dataclasses import dataclass
from typing import Awaitable, Callable

from stress.connection import Connection, Lost, Reply
from stress.model import REPORTED, ROLE, SETTINGS, Model
from stress.world import World

HISTORY = 60          # actions that a violation shows
HEARD_WITHIN = 10.0   # seconds in which a notification must have come


class Violation(Exception):
    def __init__(self, text: str, what: str = ""):
        super().__init__(text)
        self.what = what  # it is counted as; else as the action that met it


NOTIFICATIONS = "notifications"


class Refused(Exception):
    """0A000 for something unsafe, where the gateway is told to refuse it."""


class Over(Exception):
    """The client has gone, as it wanted to."""


@dataclass(frozen=True)
class Action:
    name: str
    run: Callable[["Life"], Awaitable[None]]
    weight: int
    states: str                        # of I, T and E: where the action makes sense
    unsafe: bool                       # needs state that is tied to a server connection
    when: Callable[[Model], bool]


ACTIONS: list[Action] = []


def action(weight: int = 10, states: str = "IT", unsafe: bool = False, when: Callable[[Model], bool] = lambda _: True):
    """Makes a coroutine function an action, called after itself."""
    def register(function):
        ACTIONS.append(Action(function.__name__, function, weight, states, unsafe, when))
        return function
    return register


def plain_user(model: Model) -> bool:
    """What a role has no right to is left alone while it is set."""
    return model.value(ROLE) == "none"


class Life:
    def __init__(self, world: World, client: int, number: int):
        self.world = world
        self.who = f"c{client}.{number}"
        self.choice = random.Random(f"{world.options.seed}/{client}/{number}")
        self.unsafe = self.choice.random() < world.options.unsafe
        self.expected: dict[str, tuple[str, float]] = {}  # payload -> (channel, since when)
        self.heard: set[str] = set()
        self.coming: set[str] = set()                     # channels that a LISTEN under way is for
        self._history: deque[str] = deque(maxlen=HISTORY)
        self._action: Action | None = None
        self._now = "start"

    # ---- the walk ----

    async def live(self, until: float) -> None:
        """Ends by itself after some actions; a violation ends it early."""
        self.world.lives += 1
        startup = start_parameters(self.world.options.startup, self.choice, self.who)
        self.model = Model(self.world.defaults, startup)
        try:
            self.connection = Connection(self.world.options.port)
            self.note(f"start {startup}")
            await self.connection.open(self.world.options.user, self.world.options.database, startup)
            self._check_state()
            for _ in range(self.choice.randrange(5, 80)):
                if time.monotonic() > until:
                    break
                await asyncio.sleep(self.choice.choice((0, 0, 0.002, 0.02)))
                self._action = self._choose()
                self._now = self._action.name
                self.note(self._now)
                await self._act(self._action)
            await self._end()
        except Over:
            pass
        except (Violation, Lost) as problem:
            self._report(self._now, problem)
            await asyncio.sleep(0.2)  # where nothing works at all, it is not tried thousands of times
        finally:
            self.world.leave(self)
            if hasattr(self.connection, "_writer"):
                await self.connection.leave("fin")

    def _choose(self) -> Action:
        possible = [each for each in ACTIONS if self.model.status in each.states and (self.unsafe or not each.unsafe)
                    and each.when(self.model)]
        return self.choice.choices(possible, [each.weight for each in possible])[0]

    async def _act(self, action: Action) -> None:
        try:
            await action.run(self)
            self.world.actions[action.name] += 1
        except Refused:
            self.world.refused[action.name] += 1

    async def _end(self) -> None:
        if self.model.status == "I":
            await self.hear_all()
        self.world.leave(self)
        await self.connection.leave(self.choice.choice(("terminate", "terminate", "fin", "rst")))
        raise Over

    def _report(self, name: str, problem: Exception) -> None:
        name = getattr(problem, "what", "") or name
        kind = "" if isinstance(problem, Violation) else "lost: "
        self.world.violation(name, f"{name}: {kind}{problem}\n  seed {self.world.options.seed}, client {self.who}, "
                                   f"status {self.model.status}; it did: {' | '.join(self._history)}")

    def report_stuck(self) -> None:
        self._report(f"stuck_in_{self._now}", Lost("no answer, long after the end"))

    def note(self, text: str) -> None:
        self._history.append(text[:200])

    # ---- checks ----

    def expect(self, truth, text: str, what: str = "") -> None:
        if not truth:
            raise Violation(text, what)

    async def run(self, text: str, *, code: str = "", rows: list | None = None, tag: str = "") -> Reply:
        """A simple query, which must end with this SQLSTATE, these rows, this tag."""
        self.note(f"  {text}")
        return self.check(await self.connection.simple(text), code=code, rows=rows, tag=tag)

    def check(self, reply: Reply, *, code: str = "", rows: list | None = None, tag: str = "") -> Reply:
        if reply.code == "0A000" and code != "0A000" and self._refusable():
            if self.connection.status == "E":
                self.model.fail()
            self._check_state()
            raise Refused
        self.expect(reply.code == code, f"SQLSTATE {reply.code or 'none'} instead of {code or 'none'}: {reply.errors}")
        if code:
            self.model.fail()
        if rows is not None:
            self.expect(reply.rows == rows, f"rows {_short(reply.rows)} instead of {_short(rows)}")
        if tag:
            self.expect(reply.tags[-1:] == [tag], f"tags {reply.tags}, the last should be {tag}")
        return reply

    def done(self) -> None:
        """After the model has followed what was done."""
        self._check_state()
        self.hear_what_came()

    def _refusable(self) -> bool:
        return self.world.options.refuse and self._action is not None and self._action.unsafe

    def _check_state(self) -> None:
        said = self.connection.status
        self.expect(said == self.model.status, f"status {said} instead of {self.model.status}")
        for name in REPORTED:
            reported, value = self.connection.parameters.get(name), self.model.value(name)
            self.expect(reported == value, f"{name} was reported as {reported!r}, it is {value!r}")

    async def check_settings(self) -> None:
        words = ", ".join(f"coalesce(current_setting('{name}', true), '')" for name in SETTINGS + (ROLE,))
        wanted = [self.model.value(name) for name in SETTINGS + (ROLE,)]
        reply = await self.run(f"select {words}")
        wrong = [f"{name} is {found!r} instead of {value!r}" for name, found, value in
                 zip(SETTINGS + (ROLE,), reply.rows[0], wanted) if found != value]
        self.expect(not wrong, "; ".join(wrong))

    # ---- notifications ----

    def hear_what_came(self) -> None:
        for channel, payload in self.connection.notifications:
            self.expect(channel in self.model.channels | self.coming, f"{payload} on {channel}, which it does not hear",
                        NOTIFICATIONS)
            self.expect(payload not in self.heard, f"{payload} came twice", NOTIFICATIONS)
            self.heard.add(payload)
            self.expected.pop(payload, None)
        self.connection.notifications.clear()

    def stop_hearing(self, channel: str) -> None:
        """From now on its notifications may come or not, until the server has said that it is over."""
        self.world.listeners[channel].pop(self, None)
        self.expected = {payload: each for payload, each in self.expected.items() if each[0] != channel}

    async def hear_all(self) -> None:
        """Outside of a transaction: what has been sent before now must come."""
        waiting, deadline = set(self.expected), time.monotonic() + HEARD_WITHIN
        while waiting := waiting & set(self.expected):
            self.expect(time.monotonic() < deadline, f"not heard: {sorted(waiting)[:5]}", NOTIFICATIONS)
            await self.run("select 1", rows=[["1"]])
            self.hear_what_came()
            if waiting & set(self.expected):
                await asyncio.sleep(0.1)


def start_parameters(which: str, choice: random.Random, who: str) -> dict[str, str]:
    """A start-up message's settings; `which`: none, reported or any."""
    from stress.act_settings import VALUES
    names = {"none": (), "reported": ("TimeZone", "DateStyle", "application_name"),
             "any": ("TimeZone", "DateStyle", "application_name", "client_encoding", "search_path", "work_mem",
                     "app.user_id")}[which]
    return {name: choice.choice(VALUES[name]).format(who=who) for name in names if choice.random() < 0.4}


def _short(rows) -> str:
    text = repr(rows)
    return text if len(text) < 400 else text[:400] + f"... ({len(rows)} rows)"
