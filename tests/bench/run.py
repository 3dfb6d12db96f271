#!/usr/bin/env python3
"""Trunkline beside what people use today: one run, one PostgreSQL, targets taken in turns.

Prints a table, checks the marks that trunkline has to reach, and leaves DIR/bench.json and DIR/bench.svg.
Figures of a busy or virtual machine move from minute to minute; only ratios inside one run mean something:
every round measures all targets, in an order that rotates, and medians of per-round ratios are quoted.
"""

import argparse
import datetime
import json
import platform
import signal
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from benchlib import (cells, chart, kernel, loads, machine, marks, pool_cells, pool_marks, pool_targets,  # noqa: E402
                      postgres, summary, table, targets)

ROOT = Path(__file__).resolve().parents[2]


class Bench:
    """What the cells share: settings, servers, programs."""

    def __init__(self, options, scratch):
        self.scratch = scratch
        self.trunkline = Path(options.trunkline)
        self.baseline = Path(options.baseline) if options.baseline else None
        self.rounds = options.rounds or (1 if options.quick else 5)
        self.seconds = options.seconds or (1 if options.quick else 3)
        self.idle_seconds = 1.5 if options.quick else 10
        self.file_limit = machine.raise_file_limit()
        self.tools = machine.tools(options.tools, scratch)
        self.postgres = postgres.Postgres(scratch, 200_000 if options.quick else 1_000_000)
        self.fake = None
        self.pipeline = loads.pipeline_script(scratch)
        self.targets = {kind.name: kind(self) for kind in (*targets.KINDS, *pool_targets.KINDS)}
        self.notes = []

    def leg(self, cell):
        if not cell.fake:
            return targets.Leg(self.postgres.port, cell.tls, trust=cell.trust, certificates=cell.certificates, workers=cell.workers)
        if self.fake is None:
            self.fake = postgres.FakePostgres(self.scratch, self.tools)
        return targets.Leg(self.fake.port, cell.tls, True, cell.trust, workers=cell.workers)

    def note(self, text):
        if text not in self.notes:
            self.notes.append(text)
            print(f"  note: {text}", file=sys.stderr, flush=True)


def measure(bench, cell, wanted):
    """All rounds of one cell: {target: [figures of each round, or None]}."""
    names = [name for name in cell.targets if name in wanted]
    leg = bench.leg(cell)
    running, results = {}, {}
    try:
        for name in names:
            try:
                running[name] = bench.targets[name].start(leg)
                results[name] = []
            except machine.Unavailable as why:
                bench.note(f"{name} skipped: {why}")
        for number in range(bench.rounds):
            order = list(results)
            turn = number % max(1, len(order))
            for name in order[turn:] + order[:turn]:
                results[name].append(measure_once(bench, cell, name, running, leg))
    finally:
        for name, instance in running.items():
            bench.targets[name].stop(instance)
    return {name: rounds for name, rounds in results.items() if any(rounds)}


def measure_once(bench, cell, name, running, leg):
    try:
        if cell.fresh and running[name] is None:
            running[name] = bench.targets[name].start(leg)
        figures = cell.run(bench, running[name])
        own_process = running[name].child is not None
        return {key: value for key, value in figures.items() if own_process or not key.startswith("cpu")}
    except (loads.Failed, machine.Unavailable, TimeoutError) as why:
        bench.note(f"{cell.name}, {name}: {why}")
        return None
    finally:
        if cell.fresh and running[name] is not None:
            bench.targets[name].stop(running[name])
            running[name] = None


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one short round of every cell (up to 7 minutes): shows that it works")
    parser.add_argument("--only", metavar="CELLS", default="", help="cells by name or shell pattern, separated by commas")
    parser.add_argument("--targets", metavar="NAMES", default=",".join(targets.ORDER), help="default: %(default)s")
    parser.add_argument("--rounds", type=int, metavar="N", help="default 5, quick 1")
    parser.add_argument("--seconds", type=int, metavar="S", help="length of one measurement, default 3, quick 1")
    parser.add_argument("--trunkline", metavar="PATH", default=str(ROOT / "build/release/trunkline"))
    parser.add_argument("--baseline", metavar="PATH", help="another trunkline, to measure beside this one: an older build, or one without a feature")
    parser.add_argument("--tools", metavar="DIR", default=str(ROOT / "build/bench/tests/bench"), help="where the bench's programs were built")
    parser.add_argument("--out", metavar="DIR", default=str(ROOT / "build/bench-results"))
    parser.add_argument("--compile-time", action="store_true", help="also build the release binary from nothing and time it")
    parser.add_argument("--no-kernel", action="store_true", help="leave the kernel's settings (haltpoll, huge pages) alone")
    parser.add_argument("--strict", action="store_true", help="exit 1 when a mark is missed")
    parser.add_argument("--counters", action="store_true", help="also show context switches and page faults of the proxy for each transaction")
    parser.add_argument("--list", action="store_true", help="name the cells and end")
    return parser.parse_args()


def all_cells():
    return cells.all_cells() + pool_cells.all_cells()


def run(options):
    chosen = cells.chosen(all_cells(), [one for one in options.only.split(",") if one])
    if options.quick and not options.only:
        chosen = [cell for cell in chosen if not cell.long]
    if not chosen:
        sys.exit(f"no cell matches {options.only}; --list names them")
    scratch = machine.Scratch(tempfile.mkdtemp(prefix="trunkline-bench-"))
    begin = time.monotonic()
    report = {"cells": {}}
    try:
        with kernel.settings(not options.no_kernel) as kernel_settings:
            bench = Bench(options, scratch)
            bench.postgres.start()
            for cell in chosen:
                print(f"{time.monotonic() - begin:6.0f} s  {cell.name}", file=sys.stderr, flush=True)
                rounds = measure(bench, cell, options.targets.split(","))
                report["cells"][cell.name] = {"title": cell.title, "unit": cell.unit, "rounds": rounds}
        if options.compile_time:
            report["compile"] = loads.compile_seconds(bench)
        report["meta"] = meta(bench, options, kernel_settings, time.monotonic() - begin)
    finally:
        scratch.close()
    return report


def meta(bench, options, kernel_settings, seconds):
    versions = {"server": bench.postgres.version()}
    for name, target in bench.targets.items():
        try:
            versions[name] = target.version()
        except (machine.Unavailable, OSError):
            continue
    model = next((line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line), "")
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"), "quick": options.quick, "counters": options.counters,
        "rounds": bench.rounds, "seconds": bench.seconds, "idle_seconds": bench.idle_seconds, "kernel": platform.release(),
        "cpu": model, "cpus": len([p for p in Path("/sys/devices/system/cpu").glob("cpu[0-9]*")]), "kernel_settings": kernel_settings,
        "versions": {name: text for name, text in versions.items() if text}, "notes": bench.notes, "took_seconds": round(seconds)}


def main():
    options = arguments()
    if options.list:
        for cell in all_cells():
            print(f"{cell.name:19} {cell.title}")
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # runs every clean-up on the way out
    report = run(options)
    summary.add(report)
    verdicts = marks.check(report) + pool_marks.check(report["cells"])
    report["marks"] = [verdict.as_dict() for verdict in verdicts]
    table.show(report, verdicts)
    out = Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    (out / "bench.json").write_text(json.dumps(report, indent=1) + "\n")
    (out / "bench.svg").write_text(chart.draw(report))
    print(f"\n{out / 'bench.json'}\n{out / 'bench.svg'}")
    return 1 if options.strict and any(verdict.outcome == "FAIL" for verdict in verdicts) else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
    except machine.Unavailable as missing:
        sys.exit(f"bench: {missing}")
