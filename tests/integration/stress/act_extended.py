"""The extended query protocol. All clients use the same few names, with texts of their own."""

from __future__ import annotations

from harness.wire_parts import FLUSH, SYNC, bind, close, describe, execute, parse
from stress.life import Life, action
from stress.model import Model

NAMES = ("s1", "s2", "s3")


def _has_parsed(model: Model) -> bool:
    return any(name in model.prepared for name in NAMES)


def _fresh(life: Life) -> str:
    """What a statement's rows begin with: nobody else's do."""
    return f"{life.who}/{life.world.next()}"


def _text(begins: str) -> str:
    return f"select '{begins}', $1::int * 2"


async def _answers(life: Life, data: bytes, what: str, **wanted):
    life.note(f"  {what}")
    life.connection.send(data)
    return life.check(await life.connection.collect(), **wanted)


@action(25)
async def unnamed_statement(life: Life) -> None:
    begins, value = _fresh(life), life.choice.randrange(1000)
    await _answers(life, parse("", _text(begins)) + bind("", "", (value,)) + describe("P", "") + execute() + SYNC,
                   f"unnamed {begins}", rows=[[begins, str(value * 2)]], tag="SELECT 1")
    life.done()


@action(20)
async def parse_named(life: Life) -> None:
    name, begins = life.choice.choice(NAMES), _fresh(life)
    known = name in life.model.prepared
    await _answers(life, parse(name, _text(begins)) + describe("S", name) + SYNC, f"Parse {name}: {begins}",
                   code="42P05" if known else "")
    if not known:
        life.model.prepared[name] = begins
    life.done()


@action(30)
async def bind_named(life: Life) -> None:
    """Perhaps never prepared, perhaps long ago, and on another server connection."""
    name, value = life.choice.choice(NAMES), life.choice.randrange(1000)
    data = bind("", name, (value,)) + execute() + SYNC
    if begins := life.model.prepared.get(name):
        await _answers(life, data, f"Bind {name}", rows=[[begins, str(value * 2)]])
    else:
        await _answers(life, data, f"Bind {name}, which is not there", code="26000")
    life.done()


@action(8)
async def describe_named(life: Life) -> None:
    name = life.choice.choice(NAMES)
    known = name in life.model.prepared
    reply = await _answers(life, describe("S", name) + SYNC, f"Describe {name}", code="" if known else "26000")
    life.expect(reply.kinds == ("tTZ" if known else "EZ"), f"messages {reply.kinds}")
    life.done()


@action(8)
async def close_named(life: Life) -> None:
    name = life.choice.choice(NAMES)
    reply = await _answers(life, close("S", name) + SYNC, f"Close {name}")
    life.expect(reply.kinds == "3Z", f"messages {reply.kinds}")
    life.model.prepared.pop(name, None)
    life.done()


@action(6)
async def deallocate(life: Life) -> None:
    name = life.choice.choice(NAMES)
    known = name in life.model.prepared
    await life.run(f"deallocate {name}", code="" if known else "26000")
    life.model.prepared.pop(name, None)
    life.done()


@action(3)
async def deallocate_all(life: Life) -> None:
    await life.run("deallocate all", tag="DEALLOCATE ALL")
    life.model.prepared.clear()
    life.done()


@action(3, unsafe=True, when=_has_parsed)
async def execute_of_a_parsed_statement(life: Life) -> None:
    """Statements of Parse and of PREPARE share their names."""
    name = life.choice.choice([name for name in NAMES if name in life.model.prepared])
    await life.run(f"execute {name}(21)", rows=[[life.model.prepared[name], "42"]])
    life.done()


@action(6)
async def parse_error(life: Life) -> None:
    name = life.choice.choice(("", "s9"))
    await _answers(life, parse(name, "selec $1") + bind("", name, (1,)) + execute() + SYNC, "Parse of a wrong text",
                   code="42601")
    life.done()


@action(5)
async def flush_in_the_middle(life: Life) -> None:
    begins, value = _fresh(life), life.choice.randrange(1000)
    life.note(f"  Parse, Flush, Bind {begins}")
    life.connection.send(parse("", _text(begins)) + FLUSH)
    first = await life.connection.collect(until="1EZ")
    life.expect(first.end == "1", f"messages {first.kinds}: {first.errors}")
    await _answers(life, bind("", "", (value,)) + execute() + SYNC, "the rest", rows=[[begins, str(value * 2)]])
    life.done()


@action(10, "T")
async def portal_in_pieces(life: Life) -> None:
    """It lives on over Sync, and other statements come between."""
    begins, size = _fresh(life), life.choice.randrange(1, 6)
    await _answers(life, parse("", f"select '{begins}', g from generate_series(1, 10) g") + bind("p1", "") + SYNC,
                   f"portal {begins}")
    number = 0
    while number < 10:
        rows = [[begins, str(g)] for g in range(number + 1, min(number + size, 10) + 1)]
        reply = await _answers(life, execute("p1", size) + SYNC, f"Execute {size}", rows=rows)
        number += len(rows)
        last = len(rows) < size
        life.expect(reply.kinds == ("CZ" if last else "sZ"), f"messages {reply.kinds}")
        if life.choice.random() < 0.3:
            await life.run(f"select '{life.who}'", rows=[[life.who]])
    await _answers(life, close("P", "p1") + SYNC, "Close p1")
    life.done()


@action(15)
async def pipeline(life: Life) -> None:
    """Batches that are sent before any answer is read, of which some fail."""
    batches = [_batch(life) for _ in range(life.choice.randrange(2, 7))]
    life.note(f"  pipeline of {[what for _, what in batches]}")
    life.connection.send(b"".join(data for data, _ in batches))
    for _, what in batches:
        reply = await life.connection.collect()
        if life.model.failed:
            life.check(reply, code="25P02")
        elif what == "fails":
            life.check(reply, code="22012")
        elif what.startswith("row "):
            life.check(reply, tag="INSERT 0 1")
            life.model.carried.rows.append(int(what[4:]))
        else:
            life.check(reply, rows=[[what, "8"], [what, "10"]])
        life.expect(life.connection.status == life.model.status, f"status {life.connection.status} after {what}")
    life.done()


def _batch(life: Life) -> tuple[bytes, str]:
    kind = life.choice.choice(("rows", "rows", "insert", "fails"))
    number = life.world.next()
    insert = parse("", f"insert into public.stress_log values ('{life.who}', {number})") + bind("", "") + execute()
    if kind == "insert":
        return insert + SYNC, f"row {number}"
    if kind == "fails":
        return insert + parse("", "select 1/0") + bind("", "") + execute() + insert + SYNC, "fails"
    begins = _fresh(life)
    run = execute() + bind("", "", (5,)) + execute()
    return parse("", _text(begins)) + bind("", "", (4,)) + run + SYNC, begins
