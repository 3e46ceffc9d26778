#!/usr/bin/env python3
"""The Verilog beside the engines: Yosys reads every module, Verilator runs activation bank, DRAM reader and writer
against models.

    verilog_check.py [--all]   --all: every change and parameter, not only the first few

Changes to either that must be found: a bank that answers in the wrong slot; a reader or writer that forgets a port, a
boundary, the order of answers, the room for them. Exit code 77 when yosys and verilator are both
missing; a missing one is said aloud.
"""

import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
RTL = HERE.parent.parent.parent / "overlay_hw" / "rtl"


def run(*command):
    return subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False)


# Testbenches: the module's parameters, runs with other parameters, changes (to that module or one in it) that must be found.
BENCHES = {
    "bank": (("-GWORDS=64", "-GADDRESS=6", "-GWIDTH=16"), (("-GGROUP=0",), ("-GGROUP=5",)), (
        ("xrun_bank", "if (read_valid) answer[read_slot] <= b_read;", "if (read_valid) answer[slot] <= b_read;"),)),
    "reader": (("-GWIDTH=64", "-GBURST=64"), (("-GBURSTS=8",), ("-GBURSTS=4",), ("-GBURSTS=8", "-GPORTS=1")), (
        ("xrun_reader", ">= {7'd0, ask_beats}", "> 16'd0"),
        ("xrun_cutter", "assign ends = left <= {23'd0, fit};", "assign ends = left <= {23'd0, fit + 9'd1};"),
        ("xrun_cutter", "assign port = PORTS == 2 && address[CUT];", "assign port = PORTS == 2 && address[CUT+1];"),
        ("xrun_reader", "assign m_data_tvalid = order_valid && (order_port ? valid1 : valid0);",
         "assign m_data_tvalid = order_valid && (valid1 || valid0);"))),
    "writer": (("-GWIDTH=64", "-GBURST=64"), (("-GBURSTS=2",), ("-GBURSTS=4",), ("-GBURSTS=2", "-GPORTS=1")), (
        ("xrun_writer", "worst <= !wait_ends && (worst || error);", "worst <= 1'b0;"),
        ("xrun_cutter", "assign ends = left <= {23'd0, fit};", "assign ends = left <= {23'd0, fit + 9'd1};"),
        ("xrun_writer", ".s_piece_valid(piece_came && !put_port)", ".s_piece_valid(came && put_done == 9'd0 && !put_port)"),
        ("xrun_writer", "assign m_done_tvalid = done && wait_ends;", "assign m_done_tvalid = done;"),
        ("xrun_write_port", "assign wlast = left == 8'd0;", "assign wlast = left == 8'd1;"))),
}


def simulate(name, parameters, folder, module=None, old="", new=""):
    """The testbench's verdict, with a change to one module if named: (checks, wrong, log). One folder a bench: its runtime
    is compiled once."""
    changed = folder / "changed"
    shutil.rmtree(changed, ignore_errors=True)
    changed.mkdir()
    if module is not None:
        text = (RTL / f"{module}.v").read_text(encoding="utf-8")
        assert text.count(old) == 1, old
        (changed / f"{module}.v").write_text(text.replace(old, new), encoding="utf-8")
    # Verilator skips a run whose command and earlier sources are the same; a module that now stands in `changed` is not
    # among those.
    done = run("verilator", "--cc", "--exe", "--build", "--no-skip-identical", "-Wno-fatal", "-CFLAGS", "-O1", "-Mdir",
               folder / "obj", *parameters, "-y", changed, "-y", RTL, "--top-module", f"xrun_{name}", f"xrun_{name}.v",
               HERE / f"{name}_tb.cpp")
    if done.returncode != 0:
        sys.exit(done.stdout)
    ports = [p[len("-GPORTS="):] for p in parameters if p.startswith("-GPORTS=")]
    log = run(folder / "obj" / f"Vxrun_{name}", *ports).stdout
    match = re.search(rf"^{name}: (\d+) (?:reads )?checked, (\d+) wrong", log, re.M)
    if not match:
        sys.exit(log)
    return int(match.group(1)), int(match.group(2)), log


def bench(name, every, folder):
    """Mistakes seen in a testbench's verdicts."""
    parameters, runs, changes = BENCHES[name]
    folder = folder / name
    folder.mkdir()
    wrong = 0
    for extra in runs if every else runs[:1]:
        checked, bad, log = simulate(name, parameters + extra, folder)
        print(f"{name} {' '.join(p[2:] for p in extra)}: {checked} checked, {bad} wrong")
        if bad or checked < 1000:
            wrong += 1
            print(log)
    for module, old, new in changes if every else changes[:2]:
        _, bad, _ = simulate(name, parameters + runs[0], folder, module, old, new)
        print(f"{name} changed, '{new[:60]}': {bad} wrong")
        if bad == 0:
            wrong += 1
            print("the testbench does not notice")
    return wrong


def main():
    have = [tool for tool in ("yosys", "verilator") if shutil.which(tool)]
    if not have:
        print("SKIPPED: neither yosys nor verilator is installed")
        return 77
    wrong = 0
    if "yosys" in have:
        for source in sorted(RTL.glob("*.v")):
            done = run("yosys", "-q", "-p", f"read_verilog {RTL}/*.v; hierarchy -check -top {source.stem}; proc; "
                       "opt_clean; check -assert")
            if done.returncode != 0:
                wrong += 1
                print(f"{source.name}: {done.stdout[-1500:]}")
        print(f"{len(list(RTL.glob('*.v')))} modules read by yosys")
    else:
        print("skipped: yosys is not installed")
    if "verilator" in have:
        with tempfile.TemporaryDirectory() as temporary:
            wrong += sum(bench(name, "--all" in sys.argv[1:], pathlib.Path(temporary)) for name in BENCHES)
    else:
        print("skipped: verilator is not installed")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
