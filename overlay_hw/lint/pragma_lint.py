#!/usr/bin/env python3
"""Checks HLS pragmas and the interfaces of tops against what Vitis HLS documents (UG1399), without Vitis.

    pragma_lint.py --kind engine|control|open --top NAME [--top NAME ...] FILE.cpp [-- compiler flags]

Looks at the preprocessed file, as Vitis (or the open tool, --kind open) would see it, so pragmas that come out of macros count. One line a finding,
`file:line: [rule] text`; exit code 0 clean, 1 findings, 77 clang-16 is missing.

Rules
  unknown-pragma     a name that UG1399 does not have
  retired-pragma     RESOURCE, DATA_PACK, ARRAY_MAP: gone since 2020.1
  unknown-option     an option the pragma does not have
  unknown-variable   variable= or port= names nothing of the file
  interface-macro    an interface pragma that comes out of a macro: the open tool reads only literal lines
  interface-form     an interface pragma over more than one line, or with blanks around `=`: the open tool reads
                     `key=value` on one line only. Judged in the source, in every branch of #if
  top-linkage        a top that is not extern "C", or is not there
  port-interface     a port of a top, or its return, without an interface
  port-mode          a mode the kind of IP may not have: engines m_axi, axis, memories and plain wires; s_axilite only
                     on the control IP; the open tool's top m_axi with offset=direct
  open-tool          --kind open: an HLS pragma other than interface, which the open tool rejects inside a loop
"""

import argparse
import collections
import re
import shutil
import subprocess
import sys

SKIPPED = 77
RULES = ("unknown-pragma", "retired-pragma", "unknown-option", "unknown-variable", "interface-macro",
         "interface-form", "top-linkage", "port-interface", "port-mode", "open-tool")
CLANG = "clang++-16"

Finding = collections.namedtuple("Finding", "where rule text")
Pragma = collections.namedtuple("Pragma", "where name words options position literal")

# Pragma -> options it has. Options are `key=value` or a bare word.
PRAGMAS = {
    "aggregate": {"variable", "compact"},
    "alias": {"ports", "distance", "offset"},
    "allocation": {"operation", "function", "instances", "limit"},
    "array_partition": {"variable", "type", "factor", "dim", "off", "complete", "cyclic", "block"},
    "array_reshape": {"variable", "type", "factor", "dim", "object", "off", "complete", "cyclic", "block"},
    "bind_op": {"variable", "op", "impl", "latency"},
    "bind_storage": {"variable", "type", "impl", "latency"},
    "cache": {"port", "lines", "depth", "ways", "users", "burst_factor"},
    "dataflow": {"disable_start_propagation"},
    "dependence": {"variable", "class", "type", "direction", "distance", "dependent", "true", "false", "inter", "intra"},
    "disaggregate": {"variable"},
    "expression_balance": {"off"},
    "function_instantiate": {"variable"},
    "inline": {"off", "recursive"},
    "interface": {"mode", "port", "bundle", "register", "register_mode", "depth", "offset", "latency", "clock", "name",
                  "num_read_outstanding", "num_write_outstanding", "max_read_burst_length", "max_write_burst_length",
                  "max_widen_bitwidth", "storage_type", "storage_impl", "channel", "direct_io", "interrupt"},
    "latency": {"min", "max"},
    "loop_flatten": {"off"},
    "loop_merge": {"force"},
    "loop_tripcount": {"min", "max", "avg"},
    "occurrence": {"cycle", "off"},
    "performance": {"target_ti", "target_tl", "assume_ti", "assume_tl"},
    "pipeline": {"ii", "off", "rewind", "style"},
    "protocol": {"mode", "floating", "fixed"},
    "reset": {"variable", "off"},
    "stable": {"variable"},
    "stream": {"variable", "type", "depth", "off"},
    "top": {"name"},
    "unroll": {"factor", "off", "region", "skip_exit_check"},
}
RETIRED = {
    "resource": "use bind_storage or bind_op",
    "data_pack": "use aggregate",
    "array_map": "use array_reshape or bind_storage",
}
MODES = {
    "engine": {"m_axi", "axis", "ap_memory", "bram", "ap_none", "ap_vld", "ap_stable", "ap_ovld", "ap_ctrl_hs",
               "ap_ctrl_none", "ap_fifo"},
    "control": {"m_axi", "axis", "ap_memory", "bram", "ap_none", "ap_vld", "ap_stable", "ap_ovld", "ap_ctrl_hs",
                "ap_ctrl_none", "ap_fifo", "s_axilite"},
    "open": {"m_axi"},
}
NOT_THAT_MODE = {
    "engine": "an engine has none such",
    "control": "a control IP has none such",
    "open": "the open tool takes m_axi only",
}


def preprocess(source, flags):
    """Text after macros with its line markers, and what the compiler said when it failed."""
    done = subprocess.run([CLANG, "-std=c++14", "-E", *flags, source], capture_output=True, text=True, check=False)
    return done.stdout, done.stderr if done.returncode else ""


def strip_markers(text):
    """(code without line markers and pragmas, pragmas): positions of pragmas refer to the code."""
    code, pragmas, length = [], [], 0
    name, number = "", 0
    sources = {}
    for line in text.splitlines():
        marker = re.match(r'# (\d+) "([^"]*)"', line)
        if marker:
            number, name = int(marker.group(1)), marker.group(2)
            continue
        pragma = re.match(r"\s*#\s*pragma\s+HLS\s+(\w+)\s*(.*)$", line, re.I)
        if pragma and not name.startswith("/usr/"):
            if name not in sources:
                try:
                    with open(name, encoding="utf-8") as source:
                        sources[name] = source.read().splitlines()
                except OSError:
                    sources[name] = []
            written = sources[name][number - 1] if number <= len(sources[name]) else ""
            # Values may be expressions with blanks: "max = kMost / 4 + 2".
            text = re.sub(r"\s*=\s*", "=", pragma.group(2).strip())
            text = re.sub(r"\s*([-+*/])\s*", r"\1", text)
            words = text.split()
            options = {w.split("=")[0].lower(): w.split("=", 1)[1] if "=" in w else "" for w in words}
            pragmas.append(Pragma(f"{name}:{number}", pragma.group(1).lower(), words, options, length,
                                  bool(re.match(r"\s*#\s*pragma\s+HLS\b", written))))
        elif not line.startswith("#"):
            code.append(line)
            length += len(line) + 1
        number += 1
    return "\n".join(code), pragmas


def matching(text, start, opening, closing):
    """Position of the bracket that closes the one at `start`."""
    depth = 0
    for i in range(start, len(text)):
        depth += (text[i] == opening) - (text[i] == closing)
        if depth == 0:
            return i
    return len(text)


def split_parameters(text):
    """(name, whether it is a pointer, reference or array) of the parameters of a list, at the commas outside brackets."""
    parts, depth, part = [], 0, ""
    for c in text:
        depth += (c in "<([{") - (c in ">)]}")
        if c == "," and depth == 0:
            parts.append(part)
            part = ""
        else:
            part += c
    parts.append(part)
    names = []
    for part in parts:
        memory = bool(re.search(r"[*&\[]", part))
        part = re.sub(r"\[[^\]]*\]", "", part).strip()
        if part and part != "void":
            names.append((re.search(r"(\w+)\s*\)?\s*$", part).group(1), memory))  # T name, T name[N], T (&name)[N]
    return names


def find_top(code, top):
    """(parameters, body begin, body end, is extern "C") of the definition of a top; None without one."""
    for match in re.finditer(rf"\bvoid\s+{re.escape(top)}\s*\(", code):
        close = matching(code, match.end() - 1, "(", ")")
        after = re.match(r"\s*\{", code[close + 1:])
        if not after:
            continue
        begin = close + after.end()
        before = code[:match.start()]
        linkage = bool(re.search(r'extern\s+"C"\s*$', before))
        for block in re.finditer(r'extern\s+"C"\s*\{', before):
            linkage = linkage or matching(code, block.end() - 1, "{", "}") > match.start()
        return split_parameters(code[match.end():close]), begin, matching(code, begin, "{", "}"), linkage
    return None


def check_pragmas(code, pragmas, kind):
    for p in pragmas:
        if kind == "open" and p.name != "interface":
            yield Finding(p.where, "open-tool", f"the open tool takes no HLS {p.name}")
        if p.name in RETIRED:
            yield Finding(p.where, "retired-pragma", f"HLS {p.name} is gone: {RETIRED[p.name]}")
            continue
        if p.name not in PRAGMAS:
            yield Finding(p.where, "unknown-pragma", f"UG1399 has no HLS {p.name}")
            continue
        bare_interface_mode = p.name == "interface" and p.words and "=" not in p.words[0]
        for word in p.words[1:] if bare_interface_mode else p.words:
            key = word.split("=")[0].lower()
            if key not in PRAGMAS[p.name]:
                yield Finding(p.where, "unknown-option", f"HLS {p.name} has no option '{key}'")
        for key in ("variable", "port"):
            target = re.split(r"[.\[]", p.options.get(key, ""))[0]
            if target and target != "return" and not re.search(rf"\b{re.escape(target)}\b", code):
                yield Finding(p.where, "unknown-variable", f"HLS {p.name}: nothing here is named '{target}'")
        if p.name == "interface" and not p.literal:
            yield Finding(p.where, "interface-macro", "an interface pragma has to stand as a literal #pragma HLS line")


def source_files(text):
    """Ours among the files that a preprocessed text comes from."""
    names = set(re.findall(r'^# \d+ "([^"<]+)"', text, re.M))
    return sorted(name for name in names if not name.startswith("/usr/"))


def check_form(source):
    """Interface pragmas as they are written; the preprocessor joins lines and drops branches."""
    with open(source, encoding="utf-8") as file:
        lines = file.read().splitlines()
    for number, line in enumerate(lines, 1):
        if not re.match(r"\s*#\s*pragma\s+HLS\s+interface\b", line, re.I):
            continue
        where = f"{source}:{number}"
        if line.rstrip().endswith("\\"):
            yield Finding(where, "interface-form", "an interface pragma has to stand on one line")
        if re.search(r"\s=|=\s", line):
            yield Finding(where, "interface-form", "an interface pragma has to have `key=value` without blanks")


def check_top(code, pragmas, top, kind, source):
    found = find_top(code, top)
    if found is None:
        yield Finding(source, "top-linkage", f"no function {top} is defined")
        return
    parameters, begin, end, linkage = found
    if not linkage:
        yield Finding(source, "top-linkage", f'{top} is not extern "C"')
    stated = collections.defaultdict(set)
    for p in pragmas:
        if p.name != "interface" or not begin <= p.position <= end:
            continue
        mode = p.options.get("mode") or (p.words[0].lower() if p.words and "=" not in p.words[0] else "")
        port = re.split(r"[.\[]", p.options.get("port", ""))[0]
        if mode not in MODES[kind]:
            reason = "only the control IP has s_axilite" if mode == "s_axilite" else NOT_THAT_MODE[kind]
            yield Finding(p.where, "port-mode", f"port '{port}' of {top} is {mode or 'without a mode'}: {reason}")
        if kind == "engine" and mode == "m_axi" and p.options.get("offset", "") == "slave":
            yield Finding(p.where, "port-mode", f"port '{port}' of {top} has offset=slave, which is an s_axilite register")
        if kind == "open" and mode == "m_axi" and p.options.get("offset", "") != "direct":
            yield Finding(p.where, "port-mode", f"port '{port}' of {top}: the open tool takes offset=direct only")
        stated[port].add(mode)
    # The open tool has plain wires for numbers and for the end of a run.
    needed = [name for name, memory in parameters if memory or kind != "open"] + (["return"] if kind != "open" else [])
    for name in needed:
        if name not in stated:
            yield Finding(source, "port-interface", f"port '{name}' of {top} has no interface pragma")


def main():
    arguments = sys.argv[1:]
    split = arguments.index("--") if "--" in arguments else len(arguments)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file")
    parser.add_argument("--top", action="append", default=[])
    parser.add_argument("--kind", choices=sorted(MODES), default="engine")
    options = parser.parse_args(arguments[:split])
    if not shutil.which(CLANG):
        print(f"SKIPPED: {CLANG} is not installed (Debian: clang-16)", file=sys.stderr)
        return SKIPPED
    text, errors = preprocess(options.file, arguments[split + 1:])
    if errors:
        print(errors, file=sys.stderr)
        return 1
    code, pragmas = strip_markers(text)
    findings = list(check_pragmas(code, pragmas, options.kind))
    for source in source_files(text):
        findings += check_form(source)
    for top in options.top:
        findings += check_top(code, pragmas, top, options.kind, options.file)
    for finding in findings:
        print(f"{finding.where}: [{finding.rule}] {finding.text}")
    print(f"{options.file}: {len(findings)} findings ({len(pragmas)} pragmas, {len(options.top)} tops)")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
