#!/usr/bin/env python3
"""Checks of the tree that no ready-made tool does: sizes, layers, circles, leftovers.

Prints one line a fault, "path:line: what is wrong", and exits with 1 if there is any.
Runs from the root of the tree. Called by script/lint.
"""

import os
import re
import sys

FUNCTION_LINES = 60
FILE_LINES = 800
LINE_CHARACTERS = 100

EXCEPTIONS = "script/lint.exceptions"
SOURCE_DIRECTORIES = ("include", "src", "tests", "fuzz", "bench", "examples")
OTHER_DIRECTORIES = ("cmake", "script", ".ci", "tests")

# Which rooms a room may include from, itself left out. "public" is include/handfast without host.h,
# which belongs to the host; "root" is src/*.c, the core's hosted end.
USES = {
    "public": set(),
    "core": {"public"},
    "root": {"public", "core"},
    "show": {"public", "core"},
    "sockets": {"public", "core"},
    "lab": {"public", "core", "show", "sockets"},
    "host": {"public", "core", "show", "sockets"},
    "gateway": {"public", "core", "show", "host"},
    "bench": {"public", "core", "show"},
    "cli": {"public", "core", "show", "sockets", "lab", "host", "gateway", "bench"},
}
# The core has no C library: these come with the compiler and define types only.
FREESTANDING = {"stdbool.h", "stddef.h", "stdint.h"}

LEFTOVER = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X|HA" + r"CK)\b")
EMPTY_COMMENT = re.compile(r"/\*\*?<?[\s*]*\*/")
INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]')
FUNCTION_NAME = re.compile(r"(\w+)\s*\(")


class Report:
    """Collects faults, minus those that are excepted."""

    def __init__(self):
        self.faults = 0
        self.excepted = {}
        self.used = set()

    def fault(self, path, line, text):
        print(f"{path}:{line}: {text}", file=sys.stderr)
        self.faults += 1

    def size_fault(self, key, path, line, text):
        if key in self.excepted:
            self.used.add(key)
        else:
            self.fault(path, line, text)

    def read_exceptions(self):
        with open(EXCEPTIONS, encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                line = line.strip()
                if not line or line.startswith("#"):
                    continue
                what, colon, reason = line.partition(":")
                key = tuple(what.split())
                kind = key[0]
                words = 3 if kind == "function" else 2
                known = kind in ("function", "file", "line") and len(key) == words
                if not known or not colon or not reason.strip():
                    self.fault(EXCEPTIONS, number, "not 'kind path [name]: reason'")
                self.excepted[key] = number

    def check_exceptions_used(self):
        for key, number in self.excepted.items():
            if key not in self.used:
                self.fault(EXCEPTIONS, number, f"no longer needed: {' '.join(key)}")


def walk(directories, wanted):
    found = set()
    for top in directories:
        for directory, below, names in os.walk(top):
            below[:] = [d for d in below if d not in ("corpus", "__pycache__")]
            for name in names:
                path = os.path.join(directory, name)
                if wanted(path) and not os.path.islink(path):
                    found.add(path)
    return sorted(found)


def is_script(path):
    """Scripts carry no ending here."""
    return path.endswith((".cmake", ".txt", ".py", ".in")) or "." not in os.path.basename(path)


def read_lines(path):
    with open(path, encoding="utf-8") as file:
        return file.read().splitlines()


def name_of_function(lines, brace):
    """The name of the function whose body opens at lines[brace]: its head may be of many lines."""
    head = brace
    while head > 0 and lines[head - 1].strip() and not lines[head - 1].startswith(("}", "#", "/")):
        head -= 1
    text = re.sub(r"__attribute__\s*\(\(.*?\)\)", "", " ".join(lines[head:brace]))
    match = FUNCTION_NAME.search(text)
    return match.group(1) if match else "?"


def check_sizes(report, path, lines):
    if len(lines) > FILE_LINES:
        report.size_fault(("file", path), path, len(lines),
                          f"{len(lines)} lines, of {FILE_LINES} at most")
    for number, line in enumerate(lines, 1):
        if len(line) > LINE_CHARACTERS:
            report.size_fault(("line", path), path, number,
                              f"{len(line)} characters, of {LINE_CHARACTERS} at most")
    # A brace alone in the first column opens a function, and nothing else does in our layout.
    brace = None
    for index, line in enumerate(lines):
        if line == "{":
            brace = index
        elif line == "}" and brace is not None:
            length = index - brace + 1
            if length > FUNCTION_LINES:
                name = name_of_function(lines, brace)
                report.size_fault(("function", path, name), path, brace + 1,
                                  f"{name}: {length} lines, of {FUNCTION_LINES} at most")
            brace = None


def check_leftovers(report, path, lines):
    for number, line in enumerate(lines, 1):
        match = LEFTOVER.search(line)
        if match:
            report.fault(path, number, f"'{match.group(0)}': finish it, or open an issue")
    if path.endswith((".c", ".h")):
        text = "\n".join(lines)
        for match in EMPTY_COMMENT.finditer(text):
            report.fault(path, text.count("\n", 0, match.start()) + 1, "empty comment")


def check_file_form(report, path, lines):
    """Every header is guarded; no `#if` inside a function."""
    if path.endswith(".h"):
        guard = next((line.split()[1] for line in lines if line.startswith("#ifndef ")), None)
        if guard is None or f"#define {guard}" not in lines:
            report.fault(path, 1, "no include guard")
    inside = False
    for number, line in enumerate(lines, 1):
        if line in ("{", "}"):
            inside = line == "{"
        elif inside and re.match(r"\s*#\s*(if|ifdef|ifndef|else|elif)\b", line):
            report.fault(path, number, "'#if' inside a function")


def room_of(path):
    if path.startswith("include/handfast/"):
        return "host" if path.endswith("/host.h") else "public"
    parts = path.split("/")
    if parts[0] != "src":
        return None
    return parts[1] if len(parts) > 2 else "root"


def find_included(path, quote, name):
    """The path in the tree that an #include means; None for a header of the system."""
    places = [os.path.dirname(path)] if quote == '"' else []
    for place in places + ["src", "include"]:
        candidate = os.path.normpath(os.path.join(place, name))
        if os.path.isfile(candidate):
            return candidate
    return None


def check_layers(report, path, lines, graph):
    room = room_of(path)
    if room is None:
        return
    if room not in USES:
        report.fault(path, 1, f"src/{room} is no room of the house: see USES in {sys.argv[0]}")
        return
    for number, line in enumerate(lines, 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        quote, name = match.groups()
        included = find_included(path, quote, name)
        if included is None:
            # A header of our own that is missing is the compiler's to tell.
            if quote == "<" and room in ("core", "public") and name not in FREESTANDING:
                report.fault(path, number, f"{name}: the core includes no header of the system")
            continue
        graph.setdefault(path, []).append((included, number))
        below = room_of(included)
        if below != room and below not in USES[room]:
            report.fault(path, number, f"{name}: {room} may not use {below}")


def check_rooms(report):
    """The table of rooms names those that there are: another would let through what nobody sees."""
    for room in sorted(set(USES) - {"public", "root"}):
        if not os.path.isdir(os.path.join("src", room)):
            report.fault(__file__, 1, f"USES names src/{room}, which there is not")
    for room, used in USES.items():
        for other in sorted(used - set(USES)):
            report.fault(__file__, 1, f"USES lets {room} use {other}, which it does not name")


def check_circles(report, graph):
    """Depth first; an include of a file that is still being visited closes a circle."""
    done, stack = set(), []

    def visit(path):
        stack.append(path)
        for included, number in graph.get(path, []):
            if included in stack:
                circle = stack[stack.index(included):] + [included]
                report.fault(path, number, "includes in a circle: " + " -> ".join(circle))
            elif included not in done:
                visit(included)
        stack.pop()
        done.add(path)

    for path in sorted(graph):
        if path not in done:
            visit(path)


def main():
    report = Report()
    report.read_exceptions()
    graph = {}
    for path in walk(SOURCE_DIRECTORIES, lambda p: p.endswith((".c", ".h"))):
        lines = read_lines(path)
        check_sizes(report, path, lines)
        check_leftovers(report, path, lines)
        check_file_form(report, path, lines)
        check_layers(report, path, lines, graph)
    check_rooms(report)
    check_circles(report, graph)
    for path in walk(OTHER_DIRECTORIES, is_script):
        check_leftovers(report, path, read_lines(path))
    report.check_exceptions_used()
    return 1 if report.faults else 0


if __name__ == "__main__":
    sys.exit(main())
