"""Calls that we do not use, each with what to use instead."""

import re

import tree

# (pattern, what to use instead, where it is allowed)
BANNED = [
    (r"\b(?:strcpy|strncpy|strcat|strncat|stpcpy|gets)\s*\(", "std::string, std::copy or a span", None),
    (r"\b(?:sprintf|vsprintf)\s*\(", "fmt::format or fmt::format_to_n", None),
    (r"\b(?:atoi|atol|atoll|atof|strtol|strtoul|strtoll|strtoull|stoi|stol|stoul|stoll|stoull)\s*\(", "std::from_chars, with its error looked at", None),
    (r"\b(?:rand|srand|random|drand48|mrand48)\s*\(", "randomness passed in as a parameter", None),
    (r"\b(?:strtok|localtime|gmtime|ctime|asctime|inet_ntoa|gethostbyname)\s*\(", "the re-entrant variant, std::error_code or fmt", None),
    (r"(?<![\w:.>])(?:std::)?system\s*\(|\bpopen\s*\(", "posix_spawn with an argument vector", None),
    (r"\balloca\s*\(", "a buffer with a named limit", None),
    (r"\bsetjmp\s*\(|\blongjmp\s*\(", "result<T>", None),
    (r"\bstd::j?thread\s*[({\w]", "session/worker or the off-loop pool of runtime/", r"^src/(runtime|main)/|^src/session/worker\."),
    (r"\bstd::async\b|\.detach\s*\(\)", "an owner that joins: runtime/'s pool or task<T>", r"^src/runtime/"),
    (r"\bstd::(?:cout|cerr)\b|(?<![\w:.])(?:std::)?f?printf\s*\(", "fmt::print in main/, the log of telemetry/ elsewhere", r"^src/main/"),
    (r"\bstd::endl\b", "'\\n'", None),
    (r"\bstd::regex\b", "a hand-written match: std::regex recurses over its input", None),
    (r"\bstd::shared_mutex\b|\brecursive_mutex\b", "one owner, or a snapshot that is swapped", None),
    (r"\bsleep_for\s*\(|\busleep\s*\(|(?<![\w.:>])sleep\s*\(", "a timer of the loop", None),
    (r"(?m)^\s*#\s*define\s+(?!OPENSSL_|_GNU_SOURCE)", "a constexpr, an inline function or an enum", None),
    (r"(?<!CRYPTO_)\bmemcmp\s*\([^;]*(?:proof|password|secret|signature|mac\b)", "CRYPTO_memcmp: constant time", None),
]

WORDS = re.compile(r"\b(?:TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b")


def banned_problems(name, text):
    problems = []
    code = tree.blank_noise(text)
    for pattern, instead, allowed in BANNED:
        if allowed and re.search(allowed, name):
            continue
        for match in re.finditer(pattern, code):
            line = code.count("\n", 0, match.start()) + 1
            call = match.group().strip().rstrip("(").strip()
            problems.append(f"{name}:{line}: {call}: use {instead}")
    return problems


def test_no_banned_call():
    problems = [
        problem
        for name in tree.cpp_files()
        if not tree.is_test_code(name)
        for problem in banned_problems(name, tree.read(name))
    ]
    assert not problems, "\n" + "\n".join(problems)


def test_no_unfinished_marks():
    problems = []
    for name in tree.files():
        for number, line in enumerate(tree.read(name).splitlines(), 1):
            if WORDS.search(line):
                problems.append(f"{name}:{number}: do it, or say in the issue that it is left: {line.strip()[:80]}")
    assert not problems, "\n" + "\n".join(problems)


def test_the_bans_bite():
    for bad in ("strcpy(a, b);", "std::thread t(f);", "int x = atoi(s);", "system(cmd);", "#define X 1\n", "std::cerr << x;", "if (memcmp(a, proof, 32))"):
        assert banned_problems("src/session/a.cc", bad), bad
    for good in ("// strcpy(a, b)", 'log("system(");', "std::thread t(f);", "error_source::system (x)", "snprintf(a, 1, b);"):
        name = "src/runtime/a.cc" if "thread" in good else "src/session/a.cc"
        assert not banned_problems(name, good), good
