"""The client programs: how each is built and started, and which scenarios it reports."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from harness.roads import Target
from harness.system import DEPENDENCIES, REPOSITORY

CLIENTS = Path(__file__).resolve().parents[1] / "clients"
BUILT = REPOSITORY / "build" / "integration-clients"
NODE_MODULES = DEPENDENCIES / "node" / "node_modules"

_ALL = ("session", "wrong_password", "transactions", "prepared", "pipeline", "copy", "notify", "cancel", "failures",
        "notices", "large")
_OWN = _ALL + ("shared",)  # several sessions in one program


@dataclass(frozen=True)
class Client:
    name: str
    scenarios: tuple[str, ...]
    needs: tuple[str, ...]  # programs and files without which it cannot run

    def missing(self) -> list[str]:
        return [each for each in self.needs if not (os.path.exists(each) if "/" in each else shutil.which(each))]


MATRIX = (
    Client("psql", _ALL + ("objects",), ("psql", "pgbench")),
    Client("psycopg", _OWN + ("objects",), ()),
    Client("asyncpg", _OWN, ()),
    Client("node", _OWN, ("node", str(NODE_MODULES / "pg"))),
    Client("jdbc", _OWN + ("objects",), ("javac", "/usr/share/java/postgresql.jar")),
)

SMOKE = (
    Client("pgx", ("session", "wrong_password", "transactions", "prepared", "pipeline", "copy", "notify", "cancel",
                   "failures", "shared"), ("go", "/usr/share/gocode/src/github.com/jackc/pgx")),
    Client("libpq-go", ("session", "wrong_password", "transactions", "prepared", "copy", "notify", "cancel",
                        "failures", "shared"), ("go", "/usr/share/gocode/src/github.com/lib/pq")),
    Client("perl", ("session", "wrong_password", "transactions", "prepared", "copy", "notify", "cancel", "failures",
                    "objects", "shared"), ("perl", "/usr/share/doc/libdbd-pg-perl")),
    Client("ruby", ("session", "wrong_password", "transactions", "prepared", "copy", "notify", "cancel", "failures",
                    "shared"), ("ruby", "/usr/lib/ruby/vendor_ruby/pg.rb")),
    Client("sqlalchemy", ("session", "transactions", "shared", "failures"),
           ("/usr/lib/python3/dist-packages/sqlalchemy", "/usr/lib/python3/dist-packages/psycopg2")),
    Client("odbc", ("session", "wrong_password", "statements", "failures"), ("isql", "odbcinst")),
)


def command(client: Client, file: Path) -> tuple[list[str], dict[str, str]]:
    """What starts the client on a file of targets, and what its environment needs besides."""
    if client.name in ("psql", "psycopg", "asyncpg", "sqlalchemy", "odbc"):
        return [sys.executable, str(CLIENTS / f"{client.name}_suite.py"), str(file)], {}
    if client.name == "node":
        return ["node", str(CLIENTS / "node" / "suite.js"), str(file)], {"NODE_MODULES": str(NODE_MODULES)}
    if client.name == "jdbc":
        classes = _java()
        return ["java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx512m", "-cp",
                f"{classes}:/usr/share/java/*", "Suite", str(_for_java(file))], {}
    if client.name in ("pgx", "libpq-go"):
        return [str(_go(client.name)), str(file)], {}
    if client.name == "perl":
        return ["perl", str(CLIENTS / "perl" / "suite.pl"), str(file)], {}
    if client.name == "ruby":
        return ["ruby", str(CLIENTS / "ruby" / "suite.rb"), str(file)], {}
    raise ValueError(client.name)


def run(client: Client, targets: list[Target], folder: Path, timeout: float) -> dict[tuple[str, str], str]:
    """Runs the program; answers (target, scenario) -> "" where it was well, else what was wrong."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{client.name}.json"
    file.write_text(json.dumps([target.as_dict() for target in targets]))
    words, environment = command(client, file)
    with open(folder / f"{client.name}.out", "w+") as out, open(folder / f"{client.name}.err", "w+") as err:
        try:
            code = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=out, stderr=err, timeout=timeout,
                                  env=os.environ | environment).returncode
            end = f"the program ended with {code}"
        except subprocess.TimeoutExpired:
            end = f"the program was stopped after {timeout:g} s"
        out.seek(0), err.seek(0)
        results = parse(out.read())
        errors = err.read()
    for target in targets:
        for scenario in client.scenarios:
            results.setdefault((target.name, scenario), f"no result; {end}; it said: {errors[-1500:]}")
    return results


def parse(text: str) -> dict[tuple[str, str], str]:
    results = {}
    for line in text.splitlines():
        if found := re.match(r"(ok|not ok) (\S+) (\w+)(?:: (.*))?$", line):
            results[found[2], found[3]] = "" if found[1] == "ok" else (found[4] or "no reason given")
    return results


def _java() -> Path:
    source, classes = CLIENTS / "jdbc" / "Suite.java", BUILT / "jdbc"
    if _older(classes / "Suite.class", source):
        _build(["javac", "-d", str(classes), "-cp", "/usr/share/java/postgresql.jar", str(source)])
    return classes


def _go(name: str) -> Path:
    """Debian's Go libraries live in one GOPATH, so modules are off and nothing is fetched."""
    source, program = CLIENTS / "go" / name, BUILT / name
    files = list(source.glob("*.go"))
    if any(_older(program, each) for each in files):
        _build(["go", "build", "-o", str(program)] + [str(each) for each in files],
               {"GO111MODULE": "off", "GOPATH": "/usr/share/gocode", "GOFLAGS": "", "CGO_ENABLED": "0",
                "GOCACHE": str(BUILT / "go-cache")})
    return program


def _build(words: list[str], environment: dict | None = None) -> None:
    BUILT.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(words, capture_output=True, text=True, timeout=300, env=os.environ | (environment or {}))
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(words)}: {done.stdout}{done.stderr}")


def _older(made: Path, source: Path) -> bool:
    return not made.exists() or made.stat().st_mtime < source.stat().st_mtime


def _for_java(file: Path) -> Path:
    def text(value) -> str:
        return str(value).lower() if isinstance(value, bool) else str(value)
    blocks = ["".join(f"{key}={text(value)}\n" for key, value in target.items()) for target in
              json.loads(file.read_text())]
    made = file.with_suffix(".txt")
    made.write_text("\n".join(blocks), encoding="utf-8")
    return made
