"""Files of at most 800 lines and functions of at most 70: a ratchet. exceptions.json lists what is longer, with
its length; an entry may shrink or go, never grow."""

import json

import tree

FILE_LINES = 800
FUNCTION_LINES = 70


def measured():
    """Everything that is too long: what -> lines."""
    long = {}
    for name in tree.files():
        if not name.endswith((".h", ".cc", ".py", ".bash", "/dev", ".cmake")) and name != "dev":
            continue
        text = tree.read(name)
        lines = text.count("\n")
        if lines > FILE_LINES:
            long[name] = lines
        functions = tree.cpp_functions(text) if name.endswith(tree.CPP) else ()
        if name.endswith(".py"):
            functions = tree.python_functions(text)
        for head, _, count in functions:
            if count > FUNCTION_LINES:
                long[f"{name}: {head}"] = count
    return long


def ratchet_problems(long, exceptions):
    problems = []
    for what, lines in sorted(long.items()):
        if what not in exceptions:
            limit = FILE_LINES if ": " not in what else FUNCTION_LINES
            problems.append(f"{what} has {lines} lines, {limit} are allowed: split it by purpose")
        elif lines > exceptions[what]:
            problems.append(f"{what} grew from {exceptions[what]} to {lines} lines")
    for what in sorted(set(exceptions) - set(long)):
        problems.append(f"{what} is short enough now: take it out of exceptions.json")
    return problems


def test_files_and_functions_are_short():
    exceptions = json.loads(tree.read("tests/tidy/exceptions.json"))
    problems = ratchet_problems(measured(), exceptions)
    assert not problems, "\n" + "\n".join(problems)


def test_the_ratchet_only_turns_one_way():
    assert not ratchet_problems({"a.cc": 900}, {"a.cc": 900})
    assert not ratchet_problems({"a.cc": 850}, {"a.cc": 900})
    assert ratchet_problems({"a.cc": 901}, {"a.cc": 900})
    assert ratchet_problems({"a.cc": 801}, {})
    assert ratchet_problems({}, {"a.cc": 900})


SAMPLE = """\
namespace x {
class y : public z {
  y(int a) : a_{a}, b_(a) {
    go();
  }
  int size() const { return 1; }
  int a_{0};
};
int table[] = {
    1,
};
const auto list = make({1, 2});
// void comment() {
std::vector<int> long_one(const char* text = "{(") {
  if (text) {
  }

  auto f = [&](int x) {
  };
}
}
"""


def test_functions_are_found():
    found = [(head.split("(")[0].split()[-1], lines) for head, _, lines in tree.cpp_functions(SAMPLE)]
    assert found == [("y", 3), ("size", 1), ("long_one", 7)]
    python = "def f():\n  def g():\n    pass\n  return g\n"
    assert [(n, c) for n, _, c in tree.python_functions(python)] == [("f", 4), ("g", 2)]
