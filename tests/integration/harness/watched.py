"""A pooled gateway that is looked at as operators do: by its console, its metrics and its API."""

from __future__ import annotations

import psycopg
from psycopg.rows import dict_row

from harness.admin import Admin
from harness.console import dsn
from harness.gateway import port_of


class Watched:
    """A pooled gateway with a console and an admin address."""

    def __init__(self, gateway, admin_port: int):
        self.gateway, self.port = gateway, port_of(gateway.config, "main")
        self.admin = Admin(admin_port)

    def show(self, what: str) -> list[dict]:
        with psycopg.connect(dsn(self.port), autocommit=True, row_factory=dict_row) as session:
            return session.execute(f"show {what}").fetchall()

    def tell(self, command: str) -> None:
        with psycopg.connect(dsn(self.port), autocommit=True) as session:
            session.execute(command)

    def one(self, what: str, **facts) -> dict:
        rows = [row for row in self.show(what) if all(row[key] == value for key, value in facts.items())]
        assert len(rows) == 1, (what, facts, rows)
        return rows[0]

    def metric(self, name: str, **labels) -> float:
        """The sum of the samples that have these labels."""
        wanted = [f'{key}="{value}"' for key, value in labels.items()]
        return sum(float(line.split()[-1]) for line in self.admin.metrics().splitlines()
                   if line.startswith(name + "{") and all(each in line for each in wanted))
