"""What the clients share: who has which lock, who hears which channel, and what has been seen to go wrong."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field

SHOWN = 25  # violations that are told in full


@dataclass
class Lock:
    """`sure` is lost when its owner's connection goes: nobody is told when the server gives it back."""
    owner: object = None
    sure: bool = True
    changes: int = 0  # begun: whoever looks before and after knows whether something happened in between
    trying: int = 0  # asked for and not answered: the server may have given it already, and nobody has read that


@dataclass
class Options:
    port: int
    user: str
    database: str
    clients: int
    seconds: float
    seed: int
    refuse: bool
    carried: bool  # sessions go from one server connection to another
    startup: str  # none, reported, any
    unsafe: float  # share of lives that have state which is tied to a server connection


@dataclass
class World:
    options: Options
    defaults: dict[str, str]
    actions: Counter = field(default_factory=Counter)
    refused: Counter = field(default_factory=Counter)
    violations: Counter = field(default_factory=Counter)
    told: list[str] = field(default_factory=list)
    locks: dict[int, Lock] = field(default_factory=lambda: defaultdict(Lock))
    listeners: dict[str, dict] = field(default_factory=lambda: defaultdict(dict))  # channel -> life -> since
    lives: int = 0
    serial: int = 0

    def next(self) -> int:
        """A number that nobody else gets."""
        self.serial += 1
        return self.serial

    def violation(self, action: str, text: str) -> None:
        self.violations[action] += 1
        if len(self.told) < SHOWN:
            self.told.append(text)

    def leave(self, life) -> None:
        """A connection has gone, or is about to."""
        for heard in self.listeners.values():
            heard.pop(life, None)
        for lock in self.locks.values():
            if lock.owner is life:
                lock.owner, lock.sure = None, False
                lock.changes += 1
