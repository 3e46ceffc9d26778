#!/usr/bin/env python3
"""Pipelined loops of the overlay: what II = 1 rests on as far as the source shows it.

    pipeline_lint.py [--table TABLE.md] FILE [FILE ...]

One line a finding, `file:line: [rule] text`; exit code 0 clean, 1 findings.

Rules
  inner-loop   a loop inside a pipelined loop, or in a function that it calls, is not unrolled: Vitis cannot pipeline the
               outer one then
  not-listed   a pipelined loop has no row `| file | function | ...` in the table that says why it takes a cycle
  stale-row    a row of the table whose function has no pipelined loop
"""

import argparse
import pathlib
import re
import sys

RULES = ("inner-loop", "not-listed", "stale-row")
LOOP = re.compile(r"^\s*(?:} )?(?:for|while|do)\b")
FUNCTION = re.compile(r"^(?:template <[^>]*>\s*)?(?:static |inline |constexpr )*[\w:<>,*& ]*?[\w>*&]\s+[*&]?(\w+)\(")
CALL = re.compile(r"\b([A-Z]\w+)(?:<[^;(){}]*>)?\(")
KEYWORDS = {"if", "for", "while", "switch", "return", "sizeof"}


def code_of(line):
    return re.sub(r'"(?:\\.|[^"\\])*"', '""', line.split("//")[0])


def functions(path):
    """(name, first line, lines) of every function that is defined at namespace level."""
    lines = path.read_text(encoding="utf-8").splitlines()
    number = 0
    while number < len(lines):
        line = lines[number]
        head = FUNCTION.match(line) if line[:1].strip() and not line.startswith(("#", "//", "}", "struct", "typedef", "enum")) else None
        if not head or head.group(1) in KEYWORDS:
            number += 1
            continue
        end, depth, opened = number, 0, False
        while end < len(lines):
            code = code_of(lines[end])
            if not opened and ";" in code and "{" not in code:
                break  # a declaration
            depth += code.count("{") - code.count("}")
            opened = opened or "{" in code
            end += 1
            if opened and depth == 0:
                break
        if opened:
            yield head.group(1), number + 1, lines[number:end]
        number = max(end, number + 1)


def body_after(lines, start):
    """Lines of the block that begins at or after `start`, up to its closing brace; one statement where there is none."""
    depth, opened = 0, False
    for end in range(start, len(lines)):
        code = code_of(lines[end])
        depth += code.count("{") - code.count("}")
        opened = opened or "{" in code
        if (opened and depth <= 0) or (not opened and end > start and ";" in code) or \
                (not opened and re.search(r"\)\s*[^{]*;\s*$", code)):
            return lines[start:end + 1]
    return lines[start:]


def loops(lines):
    """(index, pipelined, unrolled) of each loop."""
    for index, line in enumerate(lines):
        if not LOOP.match(code_of(line)):
            continue
        body = body_after(lines, index)
        opened = next((i for i, text in enumerate(body) if "{" in code_of(text)), 0)
        head = "\n".join(body[opened + 1:opened + 4])
        first = re.match(r"\s*(HW_\w+(?:\([^\n]*\))?;?\s*)*", head).group(0)
        yield index, "HW_PIPELINE" in first, "HW_VITIS(unroll)" in first


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", type=pathlib.Path)
    parser.add_argument("files", nargs="+", type=pathlib.Path)
    options = parser.parse_args()
    known = {}  # name -> [(path, line, lines)]
    for path in options.files:
        for name, line, lines in functions(path):
            known.setdefault(name, []).append((path, line, lines))
    findings, pipelined = set(), set()

    def check(path, line, lines, seen):
        for index, _, unrolled in loops(lines):
            if not unrolled:
                findings.add(f"{path}:{line + index}: [inner-loop] a loop in a pipelined one is not unrolled")
        for name in CALL.findall("\n".join(map(code_of, lines))):
            for place in known.get(name, []):
                if (name, place[1]) not in seen:
                    seen.add((name, place[1]))
                    check(*place, seen)

    for name, places in sorted(known.items()):
        for path, line, lines in places:
            for index, is_pipelined, _ in loops(lines):
                if not is_pipelined:
                    continue
                pipelined.add((path.name, name))
                body = body_after(lines, index)
                check(path, line + index + 1, body[1:], set())
    if options.table:
        rows = set(re.findall(r"^\| `([\w.]+)` \| `(\w+)` \|", options.table.read_text(encoding="utf-8"), re.M))
        findings |= {f"{path}: [not-listed] {name} has a pipelined loop and {options.table.name} no row for it"
                     for path, name in pipelined - rows}
        findings |= {f"{options.table}: [stale-row] {path} has no pipelined loop in {name}" for path, name in rows - pipelined}
    for finding in sorted(findings):
        print(finding)
    print(f"{len(pipelined)} functions with pipelined loops, {len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
