"""Every check of `trunkline doctor` has its row in docs/doctor.md, a test that makes it fire and one that keeps it
silent; and every fault that the code names is named by a test."""

import re

import tree

CHECKS = [name for name in tree.files() if re.fullmatch(r"src/doctor/check_\w+\.cc", name)]
TESTS = "".join(tree.read(name) for name in tree.files() if re.fullmatch(r"tests/integration/test_doctor_\w+\.py", name))
UNIT_TESTS = "".join(tree.read(name) for name in tree.files() if re.fullmatch(r"src/doctor/\w+_test\.cc", name))


def checks():
    """id -> the source of each check."""
    sources = [tree.read(name) for name in CHECKS]
    return {re.search(r'\.id = "([\w-]+)"', source)[1]: source for source in sources}


def quick_checks():
    """The ids of those that run where nothing more is asked for: a healthy server's test has them all silent."""
    names = re.search(r"constexpr std::array quick\{(.*?)\};", tree.read("src/doctor/checks.cc"), re.DOTALL)[1]
    return {name for name in checks() if f"&{name.replace('-', '_')}_check" in names}


def rows(heading):
    """The cells of the table that follows a heading of docs/doctor.md."""
    text = tree.read("docs/doctor.md").split(f"## {heading}\n")[1].split("\n## ")[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.split("\n") if line.startswith("|")]


def named(cell):
    return set(re.findall(r"`([\w-]+)`", cell))


def test_each_check_has_a_row():
    listed = {re.match(r"`([\w-]+)`", first)[1] for first, *_ in rows("The checks") if first.startswith("`")}
    assert listed == set(checks())


def test_each_check_has_a_test_that_makes_it_fire():
    """A check that only tells, and finds nothing by itself, is read by one."""
    for name, source in checks().items():
        how = "finding" if "verdict::finding" in source or "judge_" in source else "check"
        assert f'{how}("{name}")' in TESTS, f"{name}: no test of doctor asks for its {how}"


def test_each_check_has_a_test_that_keeps_it_silent():
    for name in checks():
        assert name in quick_checks() or f'verdict("{name}") == "ok"' in TESTS, f"{name}: no test has it silent"


def test_each_fault_is_one_of_the_table_and_is_tested():
    table = {first.split()[0]: cell for first, cell, *_ in rows("Which fault is seen by which check") if first.startswith("P")}
    assert sorted(table) == [f"P{number:02}" for number in range(1, len(table) + 1)]
    for fault, cell in table.items():
        assert named(cell) <= set(checks()), f"{fault} names a check that there is not"
    sources = "".join(tree.read(name) for name in tree.files() if re.fullmatch(r"src/doctor/\w+(?<!_test)\.cc", name))
    for fault in sorted(set(re.findall(r'"(P\d\d)"', sources))):
        assert fault in table, f"{fault} is not in docs/doctor.md"
        assert f'"{fault}"' in TESTS + UNIT_TESTS, f"{fault}: no test of doctor has it"
