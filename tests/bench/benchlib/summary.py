"""Medians over the rounds, and ratios to the direct connection, to the best peer and to the floor."""

from statistics import median

from benchlib import targets

# Where more is better; in every other figure less is.
RISING = ("per_second",)
COMPARED = ("per_second", "mean_ms", "p99_ms", "cpu_us", "cpu_s_per_gib", "bytes_per_session")


def add(report):
    """Puts `summary` into every cell: {target: {figure: median, "vs": {figure: {direct, peer, floor, …}}}}."""
    for cell in report["cells"].values():
        rounds = cell["rounds"]
        cell["best_peer"] = {figure: _best_peer(rounds, figure) for figure in COMPARED}
        cell["summary"] = {name: _summary(name, rounds, cell["best_peer"]) for name in rounds}


def figure(cell, target, name):
    """The median of one figure, or None."""
    return cell["summary"].get(target, {}).get(name)


def ratio(cell, target, name, other):
    """The median of per-round ratios of one figure to `direct`, `peer` (the best), `pgbouncer` (pooled), `floor` or
    `baseline`, or None."""
    return cell["summary"].get(target, {}).get("vs", {}).get(name, {}).get(other)


def _summary(target, rounds, best_peer):
    done = [one for one in rounds[target] if one]
    result = {name: median(one[name] for one in done) for name in done[0] if isinstance(done[0][name], (int, float))}
    if "cpu_user_us" in result:
        # The kernel's tick samples the user part; a single round has too few samples for a median.
        result["cpu_user_us"] = sum(one["cpu_user_us"] * one["count"] for one in done) / sum(one["count"] for one in done)
    result["vs"] = {}
    for name in COMPARED:
        if name not in result:
            continue
        others = {"direct": "direct", "peer": best_peer[name], "floor": "floor", "baseline": targets.BASELINE,
                  "pgbouncer": pgbouncer(rounds)}
        ratios = {kind: _ratio(rounds, target, other, name) for kind, other in others.items()}
        result["vs"][name] = {kind: value for kind, value in ratios.items() if value is not None}
    return result


def pgbouncer(names):
    """Which of its pooled forms a pooled cell is judged by: the one that is most like the gateway there."""
    forms = (targets.BOUNCER_PAIR, targets.BOUNCER_TX, targets.BOUNCER_SESSION)
    return next((form for form in forms if form in names), None)


def _ratio(rounds, target, other, name):
    pairs = zip(rounds[target], rounds.get(other, []))
    found = [mine[name] / theirs[name] for mine, theirs in pairs if mine and theirs and theirs.get(name)]
    return median(found) if found else None


def _best_peer(rounds, name):
    medians = {}
    for peer in (*targets.PEERS, *targets.POOL_PEERS):
        found = [one[name] for one in rounds.get(peer, []) if one and one.get(name)]
        if found:
            medians[peer] = median(found)
    if not medians:
        return None
    return (max if name in RISING else min)(medians, key=medians.get)
