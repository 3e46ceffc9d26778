#!/usr/bin/env python3
"""The Verilog beside the engines: Yosys reads every module, Verilator runs the activation bank against a model.

    verilog_check.py

The bank with a slot that answers in the wrong group's turn must be found. Exit code 77 when yosys and verilator are both
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


def simulate(source, group, folder):
    """The testbench's verdict on a bank: (reads checked, wrong)."""
    build = folder / f"obj_{source.parent.name}_{group}"
    done = run("verilator", "--cc", "--exe", "--build", "-Wno-fatal", "-Mdir", build, "-GWORDS=64", "-GADDRESS=6",
               "-GWIDTH=16", f"-GGROUP={group}", source, HERE / "bank_tb.cpp")
    if done.returncode != 0:
        sys.exit(done.stdout)
    log = run(build / "Vxrun_bank").stdout
    match = re.search(r"bank: (\d+) reads checked, (\d+) wrong", log)
    if not match:
        sys.exit(log)
    return int(match.group(1)), int(match.group(2)), log


def main():
    have = [tool for tool in ("yosys", "verilator") if shutil.which(tool)]
    if not have:
        print("SKIPPED: neither yosys nor verilator is installed")
        return 77
    wrong = 0
    if "yosys" in have:
        for source in sorted(RTL.glob("*.v")):
            done = run("yosys", "-q", "-p", f"read_verilog {source}; hierarchy -check -top {source.stem}; proc; "
                       "opt_clean; check -assert")
            if done.returncode != 0:
                wrong += 1
                print(f"{source.name}: {done.stdout[-1500:]}")
        print(f"{len(list(RTL.glob('*.v')))} modules read by yosys")
    else:
        print("skipped: yosys is not installed")
    if "verilator" in have:
        with tempfile.TemporaryDirectory() as temporary:
            folder = pathlib.Path(temporary)
            for group in (0, 5):
                checked, bad, log = simulate(RTL / "xrun_bank.v", group, folder)
                print(f"group {group}: {checked} reads, {bad} wrong")
                if bad or checked < 1000:
                    wrong += 1
                    print(log)
            text = (RTL / "xrun_bank.v").read_text(encoding="utf-8")
            changed = text.replace("if (read_valid) answer[read_slot] <= b_read;",
                                   "if (read_valid) answer[slot] <= b_read;")
            assert changed != text
            (folder / "wrong").mkdir()
            (folder / "wrong" / "xrun_bank.v").write_text(changed, encoding="utf-8")
            checked, bad, _ = simulate(folder / "wrong" / "xrun_bank.v", 0, folder)
            print(f"changed bank: {checked} reads, {bad} wrong")
            if bad == 0:
                wrong += 1
                print("the testbench does not notice answers in the wrong slot")
    else:
        print("skipped: verilator is not installed")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
