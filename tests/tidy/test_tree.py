"""What may and may not be in the tree."""

import json
import re
import socket

import tree


def test_headers_begin_with_pragma_once():
    problems = []
    for name in tree.cpp_files(""):
        if name.endswith(".h"):
            first = re.search(r"(?m)^\s*#.*$", tree.code(name))
            if not first or first.group().split() != ["#pragma", "once"]:
                problems.append(name)
    assert not problems, "headers without #pragma once as their first directive"


def test_files_say_what_they_are_for():
    problems = [name for name in tree.cpp_files() if name.endswith(".h") and not tree.read(name).startswith("//")]
    assert not problems, "headers that do not begin with a comment on their purpose"


def machine_traces(text):
    """Names of a machine, a user or a workplace in a text."""
    patterns = [r"/(?:ho" r"me|Us" r"ers)/\w+", r"(?<![\w.-])/ro" r"ot/\w+"]
    checkout = str(tree.ROOT)
    if checkout.count("/") > 1:
        patterns.append(re.escape(checkout) + r"\b")
    host = socket.gethostname()
    if len(host) > 5 and host not in ("localhost", "debian"):
        patterns.append(r"\b" + re.escape(host) + r"\b")
    return [match.group() for pattern in patterns for match in re.finditer(pattern, text)]


def test_no_trace_of_a_machine():
    problems = [f"{name}: {trace}" for name in tree.files() for trace in machine_traces(tree.read(name))]
    assert not problems, "\n" + "\n".join(problems)


def test_no_registry_host():
    problems = []
    for name in tree.files():
        if name.endswith("package-lock.json") or name.endswith(".npmrc"):
            problems.append(f"{name}: name exact versions in package.json instead")
        if name.endswith((".json", ".txt", ".bash")) or name.startswith(("scripts/", ".ci/")) or name == "dev":
            for match in re.finditer(r"https?://[^\s\"']*(?:registry|mirror|artifact|proxy|pypi|npm)[^\s\"']*", tree.read(name)):
                problems.append(f"{name}: {match.group()}")
    assert not problems, "\n" + "\n".join(problems)


def test_node_dependencies_are_exact():
    needed = {}
    for name in ("scripts/deps/package.json", "scripts/deps/kubernetes/package.json"):
        needed |= json.loads(tree.read(name))["dependencies"]
    loose = {k: v for k, v in needed.items() if not re.search(r"(^|@)\d+\.\d+\.\d+[\w.-]*$", v)}
    assert not loose


def test_fuzz_targets_and_corpora_match():
    targets = {name.rsplit("/", 1)[1][: -len(".cc")]: name for name in tree.cpp_files() if name.endswith("_fuzz.cc")}
    silent = [name for name in targets.values() if "LLVMFuzzerTestOneInput" not in tree.code(name)]
    assert not silent, "fuzz targets without LLVMFuzzerTestOneInput"
    corpora = {name.split("/")[3] for name in tree.files() if name.startswith("tests/fuzz/corpus/")}
    assert corpora - set(targets) == set(), "corpora without a fuzz target"


def test_large_files_stay_out():
    large = [name for name in tree.files() if (tree.ROOT / name).stat().st_size > 1_000_000]
    assert not large, "files above 1 MB"


def test_traces_are_found():
    assert machine_traces("see /ho" "me/someone/x") and machine_traces("cd /ro" "ot/checkout")
    assert not machine_traces("build/root/x, $root/build, tests/fresh-root/run")
