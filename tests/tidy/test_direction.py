"""The direction of the dependencies, read from the #includes and from the CMake targets."""

import re

import rooms
import tree


def edge_problems(name, text):
    """The offending edges of one file of src/, as sentences."""
    room = name.split("/")[1]
    problems = []
    for line, header, is_system in tree.includes(text):
        target = header.split("/")[0] if "/" in header else None
        if is_system or target not in rooms.ALLOWED:
            if not is_system:
                problems.append(f'{name}:{line}: "{header}" is not in a room; write the path from src/')
            continue
        if target != room and target not in rooms.ALLOWED[room]:
            allowed = ", ".join(sorted(rooms.ALLOWED[room])) or "nothing"
            problems.append(f"{name}:{line}: {room} -> {target} ({header}); {room} may include: {allowed}")
    return problems


def sans_io_problems(name, text):
    room = name.split("/")[1]
    pure_file = re.match(rooms.SANS_IO_FILES, name)
    if tree.is_test_code(name) or not (room in rooms.SANS_IO_ROOMS or pure_file):
        return []
    problems = []
    for line, header, is_system in tree.includes(text):
        if is_system and re.fullmatch(rooms.SANS_IO_FORBIDDEN_HEADERS, header):
            problems.append(f"{name}:{line}: <{header}> in a sans-IO file; make it a parameter or move it to a driver")
        if pure_file and header.split("/")[0] in rooms.SANS_IO_FORBIDDEN_ROOMS and not is_system:
            problems.append(f"{name}:{line}: the session machine -> {header}; that belongs to the driver")
    code = tree.blank_noise(text)
    for match in re.finditer(rooms.SANS_IO_FORBIDDEN_CODE, code):
        line = code.count("\n", 0, match.start()) + 1
        problems.append(f"{name}:{line}: {match.group().strip()} in a sans-IO file; take time and randomness as parameters")
    return problems


def test_every_include_follows_the_direction():
    problems = [p for name in tree.cpp_files() for p in edge_problems(name, tree.read(name))]
    assert not problems, "\n" + "\n".join(problems)


def test_sans_io_rooms_know_no_socket_clock_thread_or_coroutine():
    problems = [p for name in tree.cpp_files() for p in sans_io_problems(name, tree.read(name))]
    assert not problems, "\n" + "\n".join(problems)


def test_every_room_is_in_the_list():
    folders = {name.split("/")[1] for name in tree.files() if name.startswith("src/") and name.count("/") > 1}
    assert folders == set(rooms.ALLOWED)


def test_the_list_has_no_cycle():
    def reaches(room, seen):
        for target in rooms.ALLOWED[room] - {room}:
            assert target not in seen, " -> ".join([*seen, target])
            reaches(target, [*seen, target])

    for room in set(rooms.ALLOWED) - {"main"}:
        reaches(room, [room])


def test_cmake_targets_follow_the_direction():
    for room in set(rooms.ALLOWED) - {"main"}:
        listing = tree.read(f"src/{room}/CMakeLists.txt")
        match = re.search(r"trunkline_room\(\s*(\w+)(?:\s+DEPS\s+([\w\s]*?))?(?:\s+LIBS\b[^)]*)?\s*\)", listing)
        assert match and match.group(1) == room, f"src/{room}/CMakeLists.txt: no trunkline_room({room} ...)"
        extra = set((match.group(2) or "").split()) - rooms.ALLOWED[room]
        assert not extra, f"src/{room}/CMakeLists.txt: {room} -> {', '.join(sorted(extra))}"


# The checks themselves can fail.


def test_a_wrong_edge_is_named():
    assert edge_problems("src/protocol/frame.h", '#include "net/socket.h"\n') == [
        "src/protocol/frame.h:1: protocol -> net (net/socket.h); protocol may include: base"
    ]
    assert edge_problems("src/net/socket.cc", '#include "socket.h"\n')
    assert not edge_problems("src/session/driver.cc", '#include "net/socket.h"\n#include <sys/socket.h>\n')


def test_a_clock_in_a_pure_file_is_named():
    assert sans_io_problems("src/auth/scram.cc", "#include <thread>\n")
    assert sans_io_problems("src/session/relay_machine.cc", '#include "net/socket.h"\n')
    assert sans_io_problems("src/protocol/frame.cc", "auto now = std::chrono::steady_clock::now();\n")
    assert not sans_io_problems("src/protocol/frame.cc", "// steady_clock::now\n#include <chrono>\n")
    assert not sans_io_problems("src/session/driver.cc", '#include <thread>\n#include "net/socket.h"\n')
