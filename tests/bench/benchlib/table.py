"""The report as text on stdout."""

from benchlib import summary, targets

KIB = 1024


def show(report, verdicts):
    meta = report["meta"]
    print(f"\n{meta['cpus']} x {meta['cpu']}, kernel {meta['kernel']}, {meta['rounds']} round(s) of {meta['seconds']} s, {meta['date']}")
    print(f"kernel settings: {meta['kernel_settings']}")
    for name, text in meta["versions"].items():
        print(f"{name}: {text}")
    if meta["quick"]:
        print("A quick run shows that everything works; its figures are too short to quote.")
    for name, cell in report["cells"].items():
        _cell(name, cell, meta["counters"])
    for text in meta["notes"]:
        print(f"note: {text}")
    print("\nMarks")
    for verdict in verdicts:
        print(f"  {verdict.outcome}  {verdict.mark}: {verdict.figure}")


def _cell(name, cell, counters):
    print(f"\n{name}: {cell['title']}")
    if not cell["summary"]:
        print("  nothing was measured")
        return
    columns = _columns(cell) + (_counters(cell) if counters else [])
    rows = [[title for title, _ in columns]]
    for target in (one for one in targets.ORDER if one in cell["summary"]):
        rows.append([write(target) for _, write in columns])
    widths = [max(len(row[i]) for row in rows) for i in range(len(columns))]
    for row in rows:
        print("  " + "  ".join(text.ljust(width) if i == 0 else text.rjust(width) for i, (text, width) in enumerate(zip(row, widths))))


def _value(cell, name, form, scale=1.0):
    return lambda target: _text(summary.figure(cell, target, name), form, scale)


def _counters(cell):
    """What the processor time was spent around, for each transaction of the proxy."""
    if not any("cpu_switches" in one for one in cell["summary"].values()):
        return []
    return [("switches", _value(cell, "cpu_switches", "{:.2f}")), ("page faults", _value(cell, "cpu_faults", "{:.2f}"))]


def _columns(cell):
    def value(name, form, scale=1.0):
        return _value(cell, name, form, scale)

    def ratio(name, other):
        return lambda target: _text(summary.ratio(cell, target, name, other), "{:.2f}")

    columns = [("target", lambda target: target)]
    have = {name for one in cell["summary"].values() for name in one}
    if "per_second" in have:
        columns += [(cell["unit"], value("per_second", "{:,.0f}")), ("x direct", ratio("per_second", "direct")),
                    ("x best peer", ratio("per_second", "peer"))]
    if "mean_ms" in have:
        columns += [("mean ms", value("mean_ms", "{:.3f}"))]
        columns += [("p50 ms", value("p50_ms", "{:.3f}"))] if "p50_ms" in have else []
        columns += [("p99 ms", value("p99_ms", "{:.3f}")), ("x best peer", ratio("p99_ms", "peer"))]
        columns += [("p99.9 ms", value("p999_ms", "{:.3f}"))] if "p999_ms" in have else []
    if "missed" in have:
        columns += [("missed", value("missed", "{:.0f}"))]
    if "p99_ratio" in have:
        columns += [("p99 ms without idle", value("p99_alone_ms", "{:.3f}")), ("x", value("p99_ratio", "{:.2f}"))]
    if "resumed" in have:
        columns += [("resumed", value("resumed", "{:.0%}"))]
    if "cpu_us" in have:
        columns += [("CPU us", value("cpu_us", "{:.1f}")), ("user us", value("cpu_user_us", "{:.1f}")),
                    ("x best peer", ratio("cpu_us", "peer"))]
        for other in ("floor", "baseline"):
            if any(summary.ratio(cell, target, "cpu_us", other) for target in cell["summary"]):
                columns += [(f"x {other}", ratio("cpu_us", other))]
    if "cpu_s_per_gib" in have:
        columns += [("CPU s/GiB", value("cpu_s_per_gib", "{:.2f}")), ("x best peer", ratio("cpu_s_per_gib", "peer"))]
    if "bytes_per_session" in have:
        columns += [("KiB/session", value("bytes_per_session", "{:.2f}", 1 / KIB)), ("x best peer", ratio("bytes_per_session", "peer")),
                    ("idle CPU us/s", value("idle_cpu_us_per_second", "{:.0f}")), ("CPU us/login", value("cpu_us_per_login", "{:.0f}"))]
    return columns


def _text(number, form, scale=1.0):
    return "-" if number is None else form.format(number * scale)
