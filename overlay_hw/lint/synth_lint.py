#!/usr/bin/env python3
"""Finds what no HLS tool turns into hardware, with Debian's clang-16 and opt-16 alone.

    synth_lint.py --top NAME [--top NAME ...] FILE.cpp [-- compiler flags]

Only what the named tops reach counts, except for pointer casts, which are looked for in every function of the file.
One line a finding, `file:line: [rule] text`; exit code 0 clean, 1 findings, 77 clang-16 or opt-16 is missing.

The rules' names are in RULES.
A loop whose trip count cannot be computed when it begins is a finding unless the line of its `for` or `while`, or the
one above, has a comment `// unbounded: REASON`. Functions named xrun_lint_* stand for ports and count as hardware.
"""

import argparse
import collections
import os
import re
import shutil
import subprocess
import sys
import tempfile

SKIPPED = 77
RULES = ("compile", "system-call", "indirect-call", "recursion", "vla", "float", "wide-integer", "static-constructor",
         "pointer-cast", "loop")
CLANG, OPT = "clang++-16", "opt-16"

# Intrinsics that are wires, comparators, adders or copies of known size; all others count as calls to the system.
HARDWARE_INTRINSICS = re.compile(
    r"llvm\.(mem(cpy|move|set)|[su]m(ax|in)|abs|fsh[lr]|ct(pop|lz|tz)|bswap|bitreverse|assume|lifetime|dbg|donothing"
    r"|expect|experimental\.noalias|[us](add|sub|mul)\.(sat|with)|[us]shl\.sat|vector\.reduce|is\.constant|objectsize"
    r"|load\.relative|umul|invariant)\b")

Finding = collections.namedtuple("Finding", "where rule text")


def run(command):
    return subprocess.run(command, capture_output=True, text=True, check=False)


class Module:
    """The text of an LLVM module: functions, what they call, and where each instruction comes from."""

    def __init__(self, text):
        self.lines = text.splitlines()
        self.metadata = dict(re.findall(r"^(!\d+) = (.*)$", text, re.M))
        self.functions = {}  # name -> body lines
        self.declared = re.findall(r"^declare .*?@\"?([^\"(\s]+)\"?\(", text, re.M)
        self.subprogram = {}
        name, body = None, []
        for line in self.lines:
            match = re.match(r"define .*?@\"?([^\"(\s]+)\"?\(", line)
            if match:
                name, body = match.group(1), []
                attached = re.search(r"!dbg (!\d+)", line)
                self.subprogram[name] = attached.group(1) if attached else None
            elif line == "}" and name:
                self.functions[name] = body
                name = None
            elif name:
                body.append(line)

    def file_of(self, scope):
        """The file of a debug scope: follow `file:` and `scope:` references."""
        for _ in range(64):
            node = self.metadata.get(scope, "")
            match = re.search(r"\bfile: (!\d+)", node)
            if match:
                # clang splits a path where it parts from the working directory's.
                name = re.search(r'filename: "([^"]*)"(?:, directory: "([^"]*)")?', self.metadata.get(match.group(1), ""))
                return os.path.join(name.group(2) or "", name.group(1)) if name else None
            match = re.search(r"\bscope: (!\d+)", node)
            if not match:
                return None
            scope = match.group(1)
        return None

    def location(self, reference):
        """`file:line` of a DILocation or subprogram."""
        node = self.metadata.get(reference, "")
        line = re.search(r"\bline: (\d+)", node)
        return f"{self.file_of(reference)}:{line.group(1)}" if line else None

    def where(self, function, line=""):
        attached = re.search(r"!dbg (!\d+)", line)
        return (attached and self.location(attached.group(1))) or (
            self.subprogram.get(function) and self.location(self.subprogram[function])) or function

    def calls(self):
        """name -> set of functions of the module it calls."""
        graph = {}
        for name, body in self.functions.items():
            graph[name] = {callee for line in body if " call " in line or " invoke " in line or line.lstrip().startswith("call ")
                           for callee in re.findall(r"@\"?([\w.$]+)\"?\(", line)} & self.functions.keys()
        return graph


def demangle(name):
    filt = shutil.which("c++filt") or shutil.which("llvm-cxxfilt-16")
    return run([filt, name]).stdout.strip() if filt else name


def recursive_functions(graph):
    """Functions that can reach themselves."""
    found = []
    for start in graph:
        seen, todo = set(), list(graph[start])
        while todo:
            name = todo.pop()
            if name in seen:
                continue
            seen.add(name)
            todo.extend(graph[name])
        if start in seen:
            found.append(start)
    return found


def check_code(module, tops):
    """Everything that shows in the code as written, before any optimisation could hide it."""
    for top in tops:
        if top not in module.functions:
            yield Finding(top, "compile", f"no function {top} with C linkage is defined")
    for name in module.declared:
        if not name.startswith("xrun_lint_") and not HARDWARE_INTRINSICS.match(name):
            where = next((module.where(f, line) for f, body in module.functions.items() for line in body
                          if re.search(rf"@\"?{re.escape(name)}\"?\(", line)), name)
            yield Finding(where, "system-call", f"calls {demangle(name)}, which is not part of the hardware")
    for name, body in module.functions.items():
        for line in body:
            code = line.split(", !")[0]
            if re.search(r"\b(call|invoke)\b[^@\"]*?\s%[\w.]+\(", code):
                yield Finding(module.where(name, line), "indirect-call",
                              "calls through a pointer (function pointer or virtual function)")
            if re.search(r"= alloca [^,]+, i(32|64) %", code):
                yield Finding(module.where(name, line), "vla", "array whose length is not a constant")
            if re.search(r"\bi(6[5-9]|[7-9]\d|\d{3,})\b", re.sub(r'"[^"]*"', "", code)):
                yield Finding(module.where(name, line), "wide-integer", "an integer of more than 64 bits")
            if re.search(r"\b(half|float|double|x86_fp80|fp128)\b", re.sub(r'"[^"]*"', "", code)):
                yield Finding(module.where(name, line), "float", "floating point")
    for name in recursive_functions(module.calls()):
        yield Finding(module.where(name), "recursion", f"{demangle(name)} calls itself, directly or not")
    for line in module.lines:
        if re.match(r"@llvm\.global_ctors = .*\[[1-9]\d* x", line):
            yield Finding("module", "static-constructor", "an object with static lifetime is initialised by code")


def waived(location, cache={}):
    """Whether the loop at `file:line` says why it may run without a count."""
    name, _, line = location.rpartition(":")
    if name not in cache:
        try:
            with open(name, encoding="utf-8") as source:
                cache[name] = source.read().splitlines()
        except OSError:
            cache[name] = []
    number = int(line)
    # The line above, or the one below where the first instruction before the loop is what has a place.
    return any(re.search(r"// unbounded: \S", text) for text in cache[name][max(0, number - 2):number + 1])


def source_line(location):
    """The text at `file:line`."""
    name, _, line = location.rpartition(":")
    waived(location)  # fills the cache
    lines = waived.__defaults__[0].get(name, [])
    return lines[int(line) - 1] if line.isdigit() and int(line) <= len(lines) else ""


# A variable of its own, compared with an expression, counted by a constant or named step: its count is known when it
# begins, even where the bound is a field that the compiler cannot prove to stay the same (instructions do not change).
COUNTED_FOR = re.compile(r"for \((?:const )?[\w:]+ (\w+) = [^;]+; \1 (?:<|<=|>|>=|!=) [^;]+; "
                         r"(?:\+\+\1|--\1|\1 \+= \w+|\1 = \1 [-+] \w+)\)")


def check_loops(path, module):
    """Loops whose trip count scalar evolution cannot compute on entry."""
    # Only the loops: what it can also print of every expression takes a hundred times as long.
    text = run([OPT, "-disable-output", "-scalar-evolution-classify-expressions=false",
                "-passes=print<scalar-evolution>", path]).stderr
    function, counted, excused = None, 0, 0
    findings = []
    for line in text.splitlines():
        match = re.match(r"Determining loop execution counts for: @\"?([^\"\s]+)", line)
        if match:
            function = match.group(1)
        match = re.match(r"Loop %([^:]+): (<multiple exits> )?(Unpredictable )?backedge-taken count", line)
        if not match:
            continue
        counted += 1
        if not match.group(3):
            continue
        header = re.escape(match.group(1))
        location = None
        for body in module.functions.get(function, []):
            latch = re.search(rf"label %{header}\b.*!llvm\.loop (!\d+)", body)
            if latch:
                places = re.findall(r"!\d+", module.metadata.get(latch.group(1), ""))
                location = next((p for p in map(module.location, places) if p), None)
        if location is None:  # a loop that was cut out of another: where its first instruction comes from
            body = module.functions.get(function, [])
            begin = next((i for i, text in enumerate(body) if re.match(rf"{header}:", text)), len(body))
            debug = next((text for text in body[begin:] if "!dbg" in text), "")
            location = module.where(function, debug)
        if ":" in location and waived(location):
            excused += 1
        elif ":" in location and COUNTED_FOR.search(source_line(location)):
            continue
        else:
            findings.append(Finding(location, "loop", "trip count is not known when the loop begins; give it a bound, "
                                    "or say `// unbounded: REASON`"))
    return findings, counted, excused


CAST = re.compile(r"(CStyleCastExpr|CXXReinterpretCastExpr|CXXStaticCastExpr|CXXFunctionalCastExpr) .*"
                  r"<(BitCast|IntegralToPointer|PointerToIntegral|LValueBitCast)>")
PLACE = re.compile(r"line:(\d+):\d+|(?<![\w.])col:\d+|((?:[\w.+-]*/)*[\w.+-]+\.\w+):(\d+):\d+")


def check_casts(source, flags):
    """Explicit casts from, to or between pointers: opaque pointers hide them in the code, the syntax tree has them."""
    done = run([CLANG, *flags, "-fsyntax-only", "-Xclang", "-ast-dump", "-fno-color-diagnostics", source])
    name, number = None, 0
    for line in done.stdout.splitlines():
        head = line.split("'")[0]
        head = head[head.find("<"):]  # places stand in or behind <>
        begin = None
        for match in PLACE.finditer(head):
            if match.group(1):
                number = int(match.group(1))
            elif match.group(2):
                name, number = match.group(2), int(match.group(3))
            begin = begin or (name, number)
        cast = CAST.search(line)
        if cast and begin and begin[0] and not begin[0].startswith("/usr/"):
            yield Finding(f"{begin[0]}:{begin[1]}", "pointer-cast", f"cast of a pointer ({cast.group(2)})")


def lint(source, tops, flags):
    """All findings in one file, and what was looked at in words."""
    flags = ["-std=c++14", "-fno-exceptions", "-fno-rtti", "-fno-threadsafe-statics", "-Wno-unknown-pragmas",
             "-Werror=vla", "-gline-tables-only", *flags]
    findings, note = [], ""
    with tempfile.TemporaryDirectory() as folder:
        raw, reached = os.path.join(folder, "raw.ll"), os.path.join(folder, "reached.ll")
        done = run([CLANG, *flags, "-O1", "-Xclang", "-disable-llvm-passes", "-S", "-emit-llvm", "-o", raw, source])
        if done.returncode != 0:
            for match in re.finditer(r"^(\S+?:\d+):\d+: (?:fatal )?error: (.*)$", done.stderr, re.M):
                rule = "vla" if "-Wvla" in match.group(2) else "compile"
                findings.append(Finding(match.group(1), rule, match.group(2)))
            return findings or [Finding(source, "compile", done.stderr.strip())], ""
        keep = [f"-internalize-public-api-list={','.join(tops)}"]
        run([OPT, "-S", "-passes=internalize,globaldce", *keep, raw, "-o", reached])
        with open(reached, encoding="utf-8") as text:
            findings += check_code(Module(text.read()), tops)
        optimised = os.path.join(folder, "loops.ll")
        # Enough to see induction variables through references and small functions, and nothing that removes loops.
        run([OPT, "-S", "-passes=always-inline,inline,globaldce,function(sroa,mem2reg,instcombine,simplifycfg,early-cse,"
             "loop-simplify,loop-mssa(licm),gvn,indvars,instcombine,loop-simplify,indvars)", reached, "-o", optimised])
        with open(optimised, encoding="utf-8") as text:
            loops, counted, excused = check_loops(optimised, Module(text.read()))
        findings += loops
        note = f"{counted} loops, {excused} of them unbounded with a reason"
    findings += check_casts(source, flags)
    return list(dict.fromkeys(findings)), note


def main():
    arguments = sys.argv[1:]
    split = arguments.index("--") if "--" in arguments else len(arguments)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file")
    parser.add_argument("--top", action="append", required=True)
    options = parser.parse_args(arguments[:split])
    for tool in (CLANG, OPT):
        if not shutil.which(tool):
            print(f"SKIPPED: {tool} is not installed (Debian: clang-16, llvm-16)", file=sys.stderr)
            return SKIPPED
    findings, note = lint(options.file, options.top, arguments[split + 1:])
    for finding in findings:
        print(f"{finding.where}: [{finding.rule}] {finding.text}")
    print(f"{options.file}: {len(findings)} findings" + (f" ({note})" if note else ""))
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
