"""What must be true for one session, whatever server connection it is on: PostgreSQL's rules, in the small."""

from __future__ import annotations

from collections import Counter
from copy import deepcopy
from dataclasses import dataclass, field

REPORTED = ("TimeZone", "DateStyle", "application_name", "client_encoding")  # by every version, with ParameterStatus
CUSTOM = ("app.user_id", "app.x")
SETTINGS = REPORTED + ("search_path", "statement_timeout", "work_mem") + CUSTOM
ROLE = "role"


@dataclass
class Carried:
    """What the end of a transaction that fails takes back."""
    settings: dict[str, list[str | None]]  # name -> [the session's value, the transaction's own or None]
    temp: dict[str, list[int]] = field(default_factory=dict)  # table -> its rows
    rows: list[int] = field(default_factory=list)             # this client's rows in the table of all


class Model:
    def __init__(self, defaults: dict[str, str], startup: dict[str, str]):
        """`startup` is what RESET goes back to, where the client's start-up message named it."""
        self.base = {name: startup.get(name, defaults.get(name, "")) for name in SETTINGS} | {ROLE: "none"}
        self.carried = Carried({name: [value, None] for name, value in self.base.items()})
        self.marks: list[tuple[str, Carried]] = []  # the transaction's start, then its savepoints
        self.failed = False
        self.prepared: dict[str, str] = {}          # name -> what its row begins with
        self.held: dict[str, int] = {}              # cursor WITH HOLD -> the next row
        self.sequence: int | None = None            # what nextval gave last
        self.locks: Counter[int] = Counter()
        self.channels: set[str] = set()
        self.unsafe = False                         # has state that is tied to a server connection

    # ---- transactions ----

    @property
    def status(self) -> str:
        return "E" if self.failed else "T" if self.marks else "I"

    def begin(self) -> None:
        self.marks = [("", deepcopy(self.carried))]

    def fail(self) -> None:
        """An error takes everything back at once, up to the last savepoint; outside of a transaction there is nothing."""
        if self.marks:
            self.failed = True
            self.carried = deepcopy(self.marks[-1][1])

    def commit(self) -> str:
        """The command's tag."""
        if self.failed:
            return self.rollback()
        self.marks = []
        for values in self.carried.settings.values():
            values[1] = None
        return "COMMIT"

    def rollback(self) -> str:
        self.carried, self.marks, self.failed = self.marks[0][1], [], False
        return "ROLLBACK"

    def savepoint(self, name: str) -> None:
        self.marks.append((name, deepcopy(self.carried)))

    def savepoints(self) -> list[str]:
        return [name for name, _ in self.marks[1:]]

    def rollback_to(self, name: str) -> None:
        place = self._place(name)
        self.carried, self.failed = deepcopy(self.marks[place][1]), False
        del self.marks[place + 1:]

    def release(self, name: str) -> None:
        del self.marks[self._place(name):]

    def _place(self, name: str) -> int:
        return max(place for place, (other, _) in enumerate(self.marks) if other == name)

    # ---- settings ----

    def value(self, name: str) -> str:
        session, local = self.carried.settings[name]
        return session if local is None else local

    def set(self, name: str, value: str, local: bool = False) -> None:
        if not local:
            self.carried.settings[name] = [value, None]
        elif self.marks:  # outside of a transaction it lasts for the statement only
            self.carried.settings[name][1] = value

    def reset(self, name: str) -> None:
        self.set(name, self.base[name])

    def reset_all(self) -> None:
        for name in SETTINGS:
            self.reset(name)

    def discard_all(self) -> None:
        self.reset_all()
        self.reset(ROLE)
        self.prepared.clear(), self.held.clear(), self.locks.clear(), self.channels.clear()
        self.carried.temp.clear()
        self.sequence, self.unsafe = None, False
