"""How a client program tells its results: `ok TARGET SCENARIO` or `not ok TARGET SCENARIO: why`, a line each.

Called as `PROGRAM FILE`, where FILE is JSON: a list of targets (harness/roads.py says what is in one).
A scenario is a function `def name(target)` or `async def name(target)`; it raises when something is wrong.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import sys
import traceback
from types import SimpleNamespace

SCENARIO_SECONDS = 60


def main(scenarios: list, prepare=None) -> None:
    for words in json.load(open(sys.argv[1], encoding="utf-8")):
        target = SimpleNamespace(**words)
        if prepare:
            run_one(target, prepare)
        for scenario in scenarios:
            run_one(target, scenario)


def run_one(target, scenario) -> None:
    try:
        if inspect.iscoroutinefunction(scenario):
            asyncio.run(asyncio.wait_for(scenario(target), SCENARIO_SECONDS))
        else:
            scenario(target)
        print(f"ok {target.name} {scenario.__name__}", flush=True)
    except Exception as failure:  # every kind is a result here
        traceback.print_exc()
        why = f"{type(failure).__name__}: {failure}".replace("\n", " | ")
        print(f"not ok {target.name} {scenario.__name__}: {why}", flush=True)


def expect(condition, what="") -> None:
    if not condition:
        raise AssertionError(what or "not as expected")


def expect_equal(seen, wanted) -> None:
    if seen != wanted:
        raise AssertionError(f"saw {_short(seen)}, wanted {_short(wanted)}")


def _short(value) -> str:
    text = repr(value)
    return text if len(text) < 300 else f"{text[:140]}...{text[-140:]} ({len(text)} characters)"
