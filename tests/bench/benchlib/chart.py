"""The report as one SVG: small bar charts in two columns, the same colours everywhere, no outside parts."""

import re
from html import escape

from benchlib import summary, targets
from benchlib.cells import CLIENTS, PROTOCOLS

WIDTH, MARGIN, GAP = 1280, 40, 36
PANEL_HEIGHT, HEAD, FOOT = 250, 118, 56
COLOURS = {"direct": "#9aa3ad", "trunkline": "#0b6e4f", "trunkline+audit": "#3f9c78", "baseline": "#8fbfaa", "pgbouncer": "#c8553d", "haproxy": "#4a7bb7", "nginx": "#d9a441",
           "floor": "#555b66", "floor+walk": "#83799b", targets.TX: "#0b6e4f", targets.TX_REPLICAS: "#8fbfaa", targets.SESSION: "#3f9c78", targets.BOUNCER_TX: "#c8553d",
           targets.BOUNCER_SESSION: "#dd8f7d", targets.BOUNCER_PAIR: "#8f3422", targets.PGPOOL: "#4a7bb7"}
FONT = "font-family=\"'DejaVu Sans', Verdana, 'Segoe UI', sans-serif\""
OURS = ("trunkline", targets.TX)
INK, FAINT, GRID = "#1d2329", "#5b646e", "#dfe3e8"
KIB = 1024


class Panel:
    """Groups of bars: [(label, {target: value or None})]."""

    def __init__(self, title, note, groups, form="{:.0f}", line=None):
        self.title, self.note, self.form, self.line = title, note, form, line
        self.groups = [(label, bars) for label, bars in groups if any(v is not None for v in bars.values())]

    def top(self):
        values = [v for _, bars in self.groups for v in bars.values() if v is not None]
        return _nice(max([*values, self.line or 0]) * 1.08)


def draw(report):
    panels = [panel for panel in _panels(report["cells"]) if panel.groups]
    wide = [panel for panel in panels if len(panel.groups) > 4]
    narrow = [panel for panel in panels if len(panel.groups) <= 4]
    parts, top = [], HEAD
    for panel in wide:
        parts += _panel(panel, MARGIN, top, WIDTH - 2 * MARGIN)
        top += PANEL_HEIGHT + GAP
    half = (WIDTH - 2 * MARGIN - GAP) / 2
    for number, panel in enumerate(narrow):
        parts += _panel(panel, MARGIN + (number % 2) * (half + GAP), top, half)
        if number % 2 == 1 or number == len(narrow) - 1:
            top += PANEL_HEIGHT + GAP
    height = top + FOOT - GAP
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" {FONT}>',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>', *_head(report), *parts, *_foot(report, height), "</svg>\n"])


def _panels(cells):
    cpu, rate, p99 = [], [], []
    for protocol in PROTOCOLS:
        for clients in CLIENTS:
            cell = cells.get(f"{protocol}-{clients}")
            if not cell or not cell["summary"]:
                continue
            label = f"{protocol}, {clients}"
            cpu.append((label, _values(cell, "cpu_us")))
            rate.append((label, _ratios(cell, "per_second")))
            p99.append((label, _ratios(cell, "p99_ms")))
    yield Panel("Processor time of the proxy per transaction", "microseconds, less is better; protocol and number of clients", cpu)
    yield Panel("Throughput, direct connection = 1", "more is better", rate, "{:.2f}", 1.0)
    yield Panel("p99 latency, direct connection = 1", "less is better", p99, "{:.2f}", 1.0)
    yield Panel("Pipelines of 10 statements", "processor time in microseconds per pipeline, less is better",
                _some(cells, {"pipeline-1": "1 client", "pipeline-16": "16 clients"}, "cpu_us"))
    yield Panel("TLS on the client leg", "processor time in microseconds per transaction, less is better",
                _some(cells, {f"tls-{n}": "1 client" if n == 1 else f"{n} clients" for n in CLIENTS}, "cpu_us"))
    yield Panel("COPY out, megabytes a second", "more is better", _some(cells, {"copy": "1,000-byte rows"}, "per_second"), "{:,.0f}")
    yield Panel("COPY out, processor seconds per GiB", "less is better", _some(cells, {"copy": "1,000-byte rows"}, "cpu_s_per_gib"), "{:.2f}")
    yield Panel("Processor time per login", "microseconds, less is better",
                _some(cells, {"connect": "pgbench -C, SCRAM", "login": "SCRAM, PBKDF2 cached"}, "cpu_us"), "{:,.0f}")
    yield Panel("TLS logins a second", "more is better",
                _some(cells, {"tls-login": "1.3, full", "tls-resume": "1.3, resumed", "tls12-login": "1.2, full", "tls12-resume": "1.2, resumed"}, "per_second"), "{:,.0f}")
    yield from _pooled_panels(cells)
    yield Panel("Memory of an idle session", "KiB of process memory, less is better",
                _some(cells, {"idle-1000": "1,000 sessions", "idle-5000": "5,000 sessions"}, "bytes_per_session", 1 / KIB), "{:.1f}")
    yield Panel("Memory of an idle TLS session", "KiB of process memory, less is better",
                _some(cells, {"idle-tls-1000": "1,000 sessions", "idle-tls-5000": "5,000 sessions"}, "bytes_per_session", 1 / KIB), "{:.1f}")


def _pooled_panels(cells):
    """Of the pooled modes, where their cells were run."""
    few = {f"pool-{protocol}-{clients}": f"{protocol}, {clients}" for protocol in PROTOCOLS for clients in CLIENTS}
    many = {f"pool-{protocol}-{clients}": f"{protocol}, {clients:,}" for protocol in PROTOCOLS for clients in (500, 5000)}
    yield Panel("Pooled: processor time of the proxy per transaction", "microseconds, less is better; protocol and number of clients on 20 server connections",
                _some(cells, few, "cpu_us"))
    yield Panel("Pooled: transactions a second", "more is better; two workers, two PgBouncers; the direct connection has 20 clients",
                _some(cells, many, "per_second"), "{:,.0f}")
    yield Panel("Pooled: logins a second", "more is better",
                _some(cells, {"pool-login-scram": "SCRAM", "pool-login-tls": "SCRAM, TLS", "pool-login-trust": "trust"}, "per_second"), "{:,.0f}")
    yield Panel("Pooled: memory of an idle client", "KiB of process memory, less is better",
                _some(cells, {"pool-idle-5000": "5,000", "pool-idle-tls-1000": "1,000 with TLS"}, "bytes_per_session", 1 / KIB), "{:.1f}")


def _values(cell, figure, scale=1.0):
    found = {target: summary.figure(cell, target, figure) for target in targets.ORDER if target in cell["summary"]}
    return {target: None if value is None else max(0.0, value * scale) for target, value in found.items()}


def _ratios(cell, figure):
    found = {target: summary.ratio(cell, target, figure, "direct") for target in targets.ORDER if target in cell["summary"]}
    found.pop("direct", None)  # it is the line at 1
    return found


def _some(cells, names, figure, scale=1.0):
    return [(label, _values(cells[name], figure, scale)) for name, label in names.items() if cells.get(name, {}).get("summary")]


def _panel(panel, left, top, width):
    plot_top, plot_bottom = top + 50, top + PANEL_HEIGHT - 26
    plot_left = left + 44
    high = panel.top()
    scale = (plot_bottom - plot_top) / high
    parts = [_text(left, top + 14, panel.title, 15, INK, weight="bold"), _text(left, top + 32, panel.note, 11.5, FAINT)]
    for step in range(5):
        value = high * step / 4
        y = plot_bottom - value * scale
        parts.append(f'<line x1="{plot_left}" x2="{left + width:.1f}" y1="{y:.1f}" y2="{y:.1f}" stroke="{GRID}"/>')
        parts.append(_text(plot_left - 6, y + 4, _tick(value), 10.5, FAINT, "end"))
    group_width = (left + width - plot_left) / len(panel.groups)
    for number, (label, bars) in enumerate(panel.groups):
        begin = plot_left + number * group_width
        parts += _group(panel, bars, begin, group_width, plot_bottom, scale)
        parts.append(_text(begin + group_width / 2, plot_bottom + 17, label, 11.5, INK, "middle"))
    if panel.line is not None:
        y = plot_bottom - panel.line * scale
        parts.append(f'<line x1="{plot_left}" x2="{left + width:.1f}" y1="{y:.1f}" y2="{y:.1f}" stroke="{INK}" stroke-dasharray="4 3"/>')
    return parts


def _group(panel, bars, begin, width, bottom, scale):
    shown = [(target, value) for target, value in bars.items() if value is not None]
    bar = min(34.0, width * 0.86 / max(1, len(shown)))
    left = begin + (width - bar * len(shown)) / 2
    parts = []
    for number, (target, value) in enumerate(shown):
        x, tall = left + number * bar, value * scale
        parts.append(f'<rect x="{x:.1f}" y="{bottom - tall:.1f}" width="{bar - 1.5:.1f}" height="{tall:.1f}" fill="{COLOURS[target]}">'
                     f"<title>{escape(target)}: {panel.form.format(value)}</title></rect>")
        size = 8.0 if bar < 22 else 10.5
        weight = "bold" if target in OURS else "normal"
        parts.append(_text(x + (bar - 1.5) / 2, bottom - tall - 4, _label(panel, value), size, INK, "middle", weight))
    return parts


def _label(panel, value):
    return f"{value:.1f}" if panel.form == "{:.2f}" and value >= 10 else panel.form.format(value)


def _head(report):
    info = report["meta"]
    what = f"{info['cpus']} x {info['cpu']}, kernel {info['kernel']}, loopback, {info['rounds']} alternating round(s) of {info['seconds']} s, {info['date'][:10]}"
    parts = [_text(MARGIN, 40, "Trunkline beside other proxies for PostgreSQL", 22, INK, weight="bold"),
             _text(MARGIN, 62, what + (" (quick run: not for quoting)" if info["quick"] else ""), 12, FAINT)]
    names = [name for name in targets.ORDER if any(name in cell["summary"] for cell in report["cells"].values())]
    x, y = MARGIN, 76
    for name in names:
        wide = 44 + 8.2 * len(name)
        if x + wide > WIDTH - MARGIN:
            x, y = MARGIN, y + 19
        parts.append(f'<rect x="{x:.1f}" y="{y}" width="14" height="14" fill="{COLOURS[name]}"/>')
        parts.append(_text(x + 20, y + 12, name, 12.5, INK, weight="bold" if name in OURS else "normal"))
        x += wide
    return parts


def _foot(report, height):
    versions = report["meta"]["versions"]
    text = " · ".join(_short(name, versions[name]) for name in ("server", "trunkline", *targets.PEERS, targets.PGPOOL) if name in versions)
    return [_text(MARGIN, height - 34, "Medians of the rounds. The floor is a bare epoll relay; with the walk it also follows message headers. "
                  "Each proxy has one worker thread where nothing else is said.", 11, FAINT), _text(MARGIN, height - 16, text, 11, FAINT)]


def _short(name, text):
    number = re.search(r"\d+(\.\d+)+", text)
    return f"{'PostgreSQL' if name == 'server' else name} {number.group(0) if number else text}"


def _text(x, y, text, size, colour, anchor="start", weight="normal"):
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{colour}" text-anchor="{anchor}" font-weight="{weight}">{escape(text)}</text>'


def _tick(value):
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.2g}"


def _nice(value):
    """The next round number above, so that quarters of it read well."""
    if value <= 0:
        return 1.0
    power = 1.0
    while power * 10 <= value:
        power *= 10
    while power > value:
        power /= 10
    return next(step * power for step in (1, 1.2, 1.6, 2, 2.4, 3.2, 4, 6, 8, 10) if step * power >= value)
