"""The documents say what is there: the map, the limits, the links."""

import pathlib
import re

import rooms
import tree


def listed_folders(text):
    """The folders that the map in ARCHITECTURE.md names: lines like `src/session/   what it does` in its table."""
    return set(re.findall(r"(?m)^\| `((?:[\w.-]+/)+)` \|", text))


def test_the_map_has_a_line_per_folder_and_no_other():
    there = {f"src/{room}/" for room in rooms.ALLOWED}
    for name in tree.files():
        parts = name.split("/")
        if parts[0] == "tests" and len(parts) > 2:
            there.add(f"tests/{parts[1]}/")
        elif parts[0] not in ("src", "tests") and len(parts) > 1:
            there.add(f"{parts[0]}/")
    listed = listed_folders(tree.read("ARCHITECTURE.md"))
    assert there - listed == set(), "folders without a line in ARCHITECTURE.md"
    assert listed - there == set(), "lines in ARCHITECTURE.md without a folder"


# Limits -------------------------------------------------------------------------------------------------------

UNITS = {
    "ms": 1, "s": 1000, "min": 60_000, "h": 3_600_000,
    "B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3,
}


def code_limits(text):
    """name -> value in bytes, pieces or milliseconds, from a file such as base/limits.h."""
    values = {}
    for name, expression in re.findall(r"inline constexpr [\w:]+(?:<[^>]*>)? (\w+) =\s*([^;]+);", tree.blank_noise(text)):
        expression = expression.replace("'", "")
        expression = re.sub(r"\b(\d+)(ms|s|min|h)\b", lambda m: f"({m[1]} * {UNITS[m[2]]})", expression)
        expression = re.sub(r"\b(0x[0-9a-fA-F]+|\d+)[uUlLzZ]+\b", r"\1", expression)
        assert re.fullmatch(r"[\s\w+*()/-]+", expression), f"{name} = {expression}"
        values[name] = eval(expression, {"__builtins__": {}}, dict(values))  # only digits, names and signs
    return values


LIMITS = [name for name in tree.cpp_files() if name.startswith("src/base/limits")]


def all_limits():
    return {name: value for each in LIMITS for name, value in code_limits(tree.read(each)).items()}


def documented_limits(text):
    """name -> value, from the tables `| name | value | what happens |` of docs/limits.md."""
    values = {}
    for name, value, what in re.findall(r"(?m)^\| `(\w+)` \| ([^|]+) \| ([^|]+) \|", text):
        assert what.strip(), f"{name}: what happens at the limit?"
        match = re.fullmatch(r"([\d,]+)(?: (\w+))?", value.strip())
        assert match and (match[2] is None or match[2] in UNITS), f"{name}: cannot read the value {value!r}"
        assert name not in values, f"{name} stands twice"
        values[name] = int(match[1].replace(",", "")) * UNITS.get(match[2], 1)
    return values


def test_limits_are_documented_with_their_values():
    code = all_limits()
    documented = documented_limits(tree.read("docs/limits.md"))
    assert sorted(set(code) - set(documented)) == [], "limits that docs/limits.md does not name"
    assert sorted(set(documented) - set(code)) == [], "limits that only docs/limits.md knows"
    differing = {name: (code[name], documented[name]) for name in code if code[name] != documented[name]}
    assert not differing, "(code, document) differ"


def test_limits_are_read():
    code = "inline constexpr std::size_t a = 16 * 1'024;\ninline constexpr std::chrono::milliseconds b = 5s; // = 3;\n"
    code += "inline constexpr std::uint32_t c = 0x3fff'ffff + 4;\n"
    assert code_limits(code) == {"a": 16384, "b": 5000, "c": 0x40000003}
    assert documented_limits("| `a` | 16 KiB | x |\n| `b` | 5 s | y |\n| `c` | 1,073 | z |\n") == {"a": 16384, "b": 5000, "c": 1073}


# Links --------------------------------------------------------------------------------------------------------


def anchor(heading):
    """The anchor that a heading gets in rendered Markdown."""
    plain = re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
    return re.sub(r"\s", "-", re.sub(r"[^\w\s-]", "", plain))


def link_problems(name, text, exists, headings):
    problems = []
    prose = re.sub(r"(?ms)^```.*?^```", "", text)
    for target in re.findall(r"\]\(([^)\s]+)\)", prose):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, fragment = target.partition("#")
        resolved = str(pathlib.PurePosixPath(name).parent / path) if path else name
        parts = []
        for part in resolved.split("/"):
            if part == "..":
                parts = parts[:-1]
            elif part != ".":
                parts.append(part)
        resolved = "/".join(parts)
        if not exists(resolved):
            problems.append(f"{name}: {target} leads nowhere")
        elif fragment and resolved.endswith(".md") and fragment not in headings(resolved):
            problems.append(f"{name}: {target} has no such heading")
    return problems


def headings_of(name):
    return {anchor(heading) for heading in re.findall(r"(?m)^#+ (.*)$", tree.read(name))}


def test_links_resolve():
    problems = []
    for name in tree.files():
        if name.endswith(".md"):
            problems += link_problems(name, tree.read(name), lambda p: (tree.ROOT / p).exists(), headings_of)
    assert not problems, "\n" + "\n".join(problems)


def test_paths_named_in_documents_exist():
    problems = []
    for name in tree.files():
        if not name.endswith(".md"):
            continue
        for path in re.findall(r"`((?:src|tests|docs|scripts|cmake)/[\w./-]+)`", tree.read(name)):
            if not (tree.ROOT / path).exists():
                problems.append(f"{name}: `{path}` is not there")
    assert not problems, "\n" + "\n".join(problems)


def test_a_dead_link_is_found():
    assert link_problems("docs/a.md", "[x](b.md) [y](../c.md#d-e)", lambda p: p == "c.md", lambda p: {"d-e"}) == [
        "docs/a.md: b.md leads nowhere"
    ]
    assert link_problems("a.md", "[x](#gone)", lambda p: True, lambda p: set())
    assert anchor("The road, `step` by step") == "the-road-step-by-step"


def test_every_limit_is_used():
    code = "\n".join(tree.code(name) for name in tree.cpp_files() if name not in LIMITS)
    unused = [name for name in all_limits() if f"limits::{name}" not in code]
    assert not unused, "limits that nothing enforces"
