"""Settings of the session and of the transaction, in every way there is to make them."""

from __future__ import annotations

from harness.wire_parts import SYNC, bind, execute, parse
from stress.life import Life, action
from stress.model import ROLE, SETTINGS, Model

VALUES = {
    "TimeZone": ("UTC", "Europe/Berlin", "America/New_York", "Asia/Tokyo"),
    "DateStyle": ("ISO, MDY", "German, DMY", "SQL, DMY", "Postgres, YMD"),
    "application_name": ("app-{who}", "another-{who}", "same for all"),
    "client_encoding": ("UTF8", "LATIN1", "SQL_ASCII"),
    "search_path": ("public", "stress, public", "pg_catalog, public"),
    "statement_timeout": ("61s", "62s", "10min"),
    "work_mem": ("5MB", "6MB", "7MB"),
    "app.user_id": ("{who}", "user of {who}"),
    "app.x": ("1", "x of {who}"),
}


def _some(life: Life) -> tuple[str, str]:
    name = life.choice.choice(SETTINGS)
    return name, life.choice.choice(VALUES[name]).format(who=life.who)


def _written(name: str, value: str) -> str:
    return value if name == "search_path" else f"'{value}'"


@action(25)
async def set_session(life: Life) -> None:
    name, value = _some(life)
    await life.run(f"set {life.choice.choice(('', 'session '))}{name} = {_written(name, value)}", tag="SET")
    life.model.set(name, value)
    life.done()


@action(10)
async def set_local(life: Life) -> None:
    name, value = _some(life)
    await life.run(f"set local {name} to {_written(name, value)}", tag="SET")
    life.model.set(name, value, local=True)
    life.done()


@action(12)
async def set_config(life: Life) -> None:
    name, value = _some(life)
    local = life.choice.random() < 0.4
    await life.run(f"select set_config('{name}', '{value}', {str(local).lower()})", rows=[[value]])
    life.model.set(name, value, local)
    life.done()


@action(10)
async def set_config_with_parameters(life: Life) -> None:
    name, value = _some(life)
    life.note(f"  set_config({name}, {value}) with Bind")
    life.connection.send(parse("", "select set_config($1, $2, false)") + bind("", "", (name, value)) + execute() + SYNC)
    life.check(await life.connection.collect(), rows=[[value]])
    life.model.set(name, value)
    life.done()


@action(8)
async def set_by_extended_query(life: Life) -> None:
    name, value = _some(life)
    life.note(f"  set {name} = {value} with Parse")
    life.connection.send(parse("", f"set {name} = {_written(name, value)}") + bind("", "") + execute() + SYNC)
    life.check(await life.connection.collect(), tag="SET")
    life.model.set(name, value)
    life.done()


@action(5, "I")
async def set_in_a_query_that_fails(life: Life) -> None:
    name, value = _some(life)
    await life.run(f"set {name} = {_written(name, value)}; select 1/0", code="22012")
    life.done()


@action(5, "I")
async def set_that_is_rolled_back(life: Life) -> None:
    name, value = _some(life)
    await life.run(f"begin; set {name} = {_written(name, value)}; rollback", tag="ROLLBACK")
    life.done()


@action(10)
async def reset_one(life: Life) -> None:
    name = life.choice.choice(SETTINGS)
    await life.run(life.choice.choice(("reset {}", "set {} to default")).format(name))
    life.model.reset(name)
    life.done()


@action(4)
async def reset_all(life: Life) -> None:
    await life.run("reset all", tag="RESET")
    life.model.reset_all()
    life.done()


@action(30)
async def settings_are_as_set(life: Life) -> None:
    await life.check_settings()
    life.done()


@action(6, unsafe=True)
async def set_role(life: Life) -> None:
    local = life.choice.random() < 0.3
    await life.run(f"set {'local ' if local else ''}role stress_role", tag="SET")
    life.model.set(ROLE, "stress_role", local)
    life.done()


@action(6, when=lambda model: model.value(ROLE) != "none")
async def reset_role(life: Life) -> None:
    await life.run("reset role", tag="RESET")
    life.model.reset(ROLE)
    life.done()


@action(10)
async def who_it_is(life: Life) -> None:
    user = _user(life.model, life.world.options.user)
    await life.run("select session_user, current_user", rows=[[life.world.options.user, user]])
    life.done()


def _user(model: Model, session_user: str) -> str:
    return session_user if model.value(ROLE) == "none" else model.value(ROLE)
