#!/usr/bin/env python3
"""The sequential top against the simulator, word by word: as RTL where bambu and Verilator are in the PATH, or as C++.

    rtl_check.py --bin build/bin            RTL: a random program for each engine, one whole network, one mutation
    rtl_check.py --bin build/bin --native   the same testbench compiled by g++: what ctest runs

The tool's exit code says nothing (bambu exits 0 on a mismatch): what counts is the testbench's line in its log, and that
it compared something. A mutation of an engine must be found. Exit code 77 when bambu or verilator is missing.
"""

import argparse
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent.parent
HERE = pathlib.Path(__file__).resolve().parent
SKIPPED = 77
SOURCES = ("sequential_top", "sequential", "load", "conv", "vector", "save")


def run(*command, **options):
    return subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False, **options)


def verdict(log):
    """(words compared, words that differ) as the testbench printed them; None when it did not get so far."""
    match = re.search(r"xrun rtl: (\d+) words compared, (\d+) differ", log)
    return (int(match.group(1)), int(match.group(2))) if match else None


def native(config, case, folder, mutation):
    program = folder / "tb"
    flags = [f"-DXRUN_HW_CONFIG={config}", "-DXRUN_HW_BARE", "-DXRUN_HW_BARE_CSIM", "-DXRUN_HW_SEQUENTIAL", f'-DXRUN_RTL_CASE="{case}"']
    if mutation:
        flags.append(f"-DXRUN_HW_MUTATION={mutation}")
    done = run("g++", "-std=c++14", "-O1", f"-I{ROOT}", *flags, HERE / "tb.cpp",
               *(ROOT / "overlay_hw" / f"{s}.cpp" for s in SOURCES), "-o", program)
    return run(program).stdout if done.returncode == 0 else done.stdout


def rtl(config, case, folder, mutation):
    flags = [f"-DXRUN_HW_CONFIG={config}", "-D__BAMBU__", f'-DXRUN_RTL_CASE="{case}"', f"-I{ROOT}"]
    if mutation:
        flags.append(f"-DXRUN_HW_MUTATION={mutation}")
    return run("bambu", *(ROOT / "overlay_hw" / f"{s}.cpp" for s in SOURCES), "--top-fname=xrun_overlay_sequential",
               "--compiler=I386_CLANG16", "-std=c++14", "--generate-interface=INFER", f"--generate-tb={HERE / 'tb.cpp'}",
               "--simulator=VERILATOR", "--simulate", "-v2", *flags, cwd=folder).stdout


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=pathlib.Path, required=True, help="folder of rtl_vectors and xcompile")
    parser.add_argument("--config", default="Small2x4", help="a configuration of overlay_hw/configs [Small2x4]")
    parser.add_argument("--native", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--network", type=pathlib.Path, default=ROOT / "tests" / "models" / "fmnist_cnn.onnx")
    parser.add_argument("--mutation", type=int, default=14, help="which HW_MUTATE of the engines [14]")
    options = parser.parse_args()
    if not options.native:
        for tool in ("bambu", "verilator"):
            if not shutil.which(tool):
                print(f"SKIPPED: {tool} is not in the PATH; RTL is not checked here")
                return SKIPPED
    tools = options.bin.resolve()
    arch = ROOT / "overlay_hw" / "configs" / f"{options.config}.json"
    check = native if options.native else rtl
    wrong = 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        case = folder / "case.h"

        def one(name, arguments, mutation=0):
            nonlocal wrong
            done = run(tools / "rtl_vectors", arch, case, *arguments)
            if done.returncode != 0:
                sys.exit(f"{name}: {done.stdout}")
            log = check(options.config, case, folder, mutation)
            found = verdict(log)
            ok = found is not None and found[0] > 0 and (found[1] > 0) == (mutation != 0)
            print(f"{name}: " + ("no verdict" if found is None else f"{found[0]} words, {found[1]} differ") +
                  ("" if ok else "  WRONG"), flush=True)
            if not ok:
                wrong += 1
                print(log[-3000:])

        for engine in ("load", "conv", "vector", "save"):
            one(f"{engine}, seed {options.seed}", [engine, options.seed])
        program = folder / "network.xprog"
        done = run(tools / "xcompile", options.network, "--arch", arch, "-q", "-o", program)
        if done.returncode != 0:
            sys.exit(done.stdout)
        one(options.network.stem, [program])
        one(f"{options.network.stem} with mutation {options.mutation}", [program], options.mutation)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
