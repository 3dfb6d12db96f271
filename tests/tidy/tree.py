"""What the tidy tests know of the tree: its files, its C++ text, its functions."""

import ast
import functools
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
CPP = (".h", ".cc")


@functools.cache
def files():
    """Tracked and new files that git does not ignore, as paths relative to the root, sorted."""
    command = ["git", "-c", "safe.directory=*", "-C", str(ROOT), "ls-files", "-co", "--exclude-standard", "-z"]
    listed = subprocess.run(command, check=True, capture_output=True).stdout.decode().split("\0")
    return sorted(name for name in set(listed) if name and (ROOT / name).is_file())


def cpp_files(under="src/"):
    return [name for name in files() if name.startswith(under) and name.endswith(CPP)]


@functools.cache
def read(name):
    return (ROOT / name).read_text(encoding="utf-8", errors="replace")


def is_test_code(name):
    return re.search(r"_(test|fuzz|bench)\.cc$|(^|/)test_|/testing/|_testing\.h$", name) is not None


_CPP_NOISE = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"(?P<tag>[^()\s\\]{0,16})\(.*?\)(?P=tag)"|"(?:\\.|[^"\\\n])*"'
    r"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'",
    re.DOTALL,
)


def blank_noise(text):
    """The same text with comments and literals blanked out; lines keep their numbers."""

    def blank(match):
        return re.sub(r"[^\n]", " ", match.group())

    return _CPP_NOISE.sub(blank, text)


@functools.cache
def code(name):
    return blank_noise(read(name))


_NOT_A_FUNCTION = re.compile(r"^\s*(?:template\s*<.*>\s*)?(?:namespace|class|struct|enum|union|extern)\b", re.DOTALL)
_INITIALISERS = re.compile(r"\)[^()]*(?<!:):(?!:)")


def cpp_functions(text):
    """Yields (head, first line, number of lines) of each outermost function in C++ text.

    A heuristic on braces: good enough for our style, and a function that it misses is seen by clang-tidy.
    """
    text = re.sub(r"(?m)^\s*#(?:[^\n\\]|\\.|\\\n)*", lambda m: re.sub(r"[^\n]", " ", m.group()), blank_noise(text))
    head_start, index, skip_to = 0, 0, None
    while index < len(text):
        char = text[index]
        if char == "(":
            index = _closing(text, index, "(", ")")
        elif char in ";}":
            head_start = index + 1
        elif char == "{":
            head = text[head_start:index]
            before = head.rstrip()
            if _INITIALISERS.search(head) and re.search(r"[\w>]$", before):
                index = _closing(text, index, "{", "}")  # a member's initialiser, not yet the body
            elif "(" in head and not _NOT_A_FUNCTION.match(head) and not re.search(r"=\s*$", before):
                end = _closing(text, index, "{", "}")
                start = head_start + len(head) - len(head.lstrip())
                first = text.count("\n", 0, start) + 1
                yield " ".join(head.split()), first, text.count("\n", start, end) + 1
                index = end
                head_start = index + 1
            else:
                head_start = index + 1
        index += 1


def _closing(text, start, opening, closing):
    depth = 0
    for index in range(start, len(text)):
        if text[index] == opening:
            depth += 1
        elif text[index] == closing:
            depth -= 1
            if depth == 0:
                return index
    return len(text)


def python_functions(text):
    """Yields (name, first line, number of lines) of each function in Python text."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.name, node.lineno, node.end_lineno - node.lineno + 1


def includes(text):
    """Yields (line number, header, is a system header) for each #include."""
    for number, line in enumerate(text.splitlines(), 1):
        match = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
        if match:
            yield number, match.group(2), match.group(1) == "<"
