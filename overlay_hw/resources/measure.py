#!/usr/bin/env python3
"""Measures the unit circuits of units.v with Yosys (synth_xilinx, UltraScale+, no DSP inference) and prints LUT and FF.

    measure.py [--check RESOURCES.cpp]

The figures stand in tools/driver/resources.cpp, as the model's constants; --check compares the two (Yosys differs from
release to release: 10 % are allowed) and proves that round_saturate is what reference.v says, and that the proof would
notice ties rounded the other way. Exit code 77 when Yosys is missing.
"""

import argparse
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
UNITS = HERE / "units.v"
# Of rtl/, as it stands, at 256 bits and two bursts a port.
ROUTERS = ("reader", "writer")


def measure(unit):
    """(LUT, FF) of one module; `reference` is what reference.v says."""
    source, top, bursts = HERE / "reference.v" if unit == "reference" else UNITS, unit, ""
    if unit in ROUTERS:
        rtl = HERE.parent / "rtl"
        source, top = f"{rtl}/*.v", f"xrun_{unit}"
        bursts = f"chparam -set BURSTS 2 {top}; "
    script = (f"read_verilog -defer {source}; {bursts}synth_xilinx -family xcup -top {top} -nodsp -noiopad -noclkbuf -flatten; "
              "tee -o /dev/stdout stat")
    done = subprocess.run(["yosys", "-q", "-p", script], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"yosys failed on {unit}:\n{done.stderr}")
    cells = {name: int(count) for name, count in re.findall(r"^\s+(\w+)\s+(\d+)$", done.stdout, re.M)}
    lut = sum(count for name, count in cells.items() if re.fullmatch(r"LUT\d", name))  # an INV is absorbed
    lut += sum(4 * count for name, count in cells.items() if name == "RAM256X1S" or name == "RAM256X1D")
    lut += sum(count for name, count in cells.items() if name in ("RAM64X1S",))
    lut += sum(2 * count for name, count in cells.items() if name in ("RAM128X1S", "RAM64X1D"))
    lut += sum(4 * count for name, count in cells.items() if name in ("RAM128X1D", "RAM64M"))
    lut += sum(8 * count for name, count in cells.items() if name in ("RAM64M8", "RAM32M16"))
    ff = sum(count for name, count in cells.items() if name.startswith("FD"))
    return lut, ff


def proved_equal(reference):
    """Whether SAT finds no input for which round_saturate and the given reference differ once the pipeline is full."""
    with tempfile.NamedTemporaryFile("w", suffix=".v") as file:
        file.write(reference)
        file.flush()
        script = (f"read_verilog {file.name} {UNITS}; hierarchy -top miter; proc; flatten; opt -full; "
                  "sat -seq 6 -prove bad 0 -prove-skip 5 miter")
        done = subprocess.run(["yosys", "-p", script], capture_output=True, text=True, check=False)
    if "SAT proof finished" not in done.stdout:
        sys.exit(f"yosys could not decide:\n{done.stdout[-2000:]}{done.stderr}")
    return "no model found: SUCCESS" in done.stdout


def check_rounding():
    """Number of mistakes found, each printed."""
    reference = (HERE / "reference.v").read_text(encoding="utf-8")
    odd = reference.replace("sticky | kept[0]", "sticky | ~kept[0]")
    assert odd != reference
    if not proved_equal(reference):
        print("round_saturate differs from reference.v")
        return 1
    if proved_equal(odd):
        print("the proof does not notice ties rounded to odd")
        return 1
    print("round_saturate is what reference.v says, for every input")
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", type=pathlib.Path)
    options = parser.parse_args()
    if not shutil.which("yosys"):
        print("SKIPPED: yosys is not installed", file=sys.stderr)
        return 77
    text = UNITS.read_text(encoding="utf-8")
    units = [unit for unit in re.findall(r"^module (\w+)", text, re.M) if unit != "window"] + ["reference", *ROUTERS]
    measured = {unit: measure(unit) for unit in units}
    wrong = 0
    stated = {}
    if options.check:
        stated = {name: (int(lut), int(ff)) for name, lut, ff in
                  re.findall(r"// unit (\w+)\s*\n?.*?\{(\d+), (\d+)\}", options.check.read_text(encoding="utf-8"))}
    for unit, (lut, ff) in measured.items():
        note = ""
        if options.check:
            if unit not in stated:
                note, wrong = "  not in the model", wrong + 1
            elif any(abs(a - b) > max(2, 0.1 * b) for a, b in zip(stated[unit], (lut, ff))):
                note, wrong = "  the model has {} LUT, {} FF".format(*stated[unit]), wrong + 1
        print(f"{unit:16} {lut:5} LUT {ff:5} FF{note}")
    if options.check:
        wrong += check_rounding()
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
