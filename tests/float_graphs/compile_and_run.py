#!/usr/bin/env python3
"""Random float models through the whole compiler, without data, and one run on the simulator.

    compile_and_run.py --bin build/bin [--seeds N] [--first S] [--also SEED...] [--arch NAME...] [--keep DIR]

Models as against_onnxruntime.py compares them. xcompile must end with a program, or with exit code 1 and a message that
names a node, an input or an output; every program must run in xinfer, those for all configurations (each at an
optimization level of its own) to the same results. Prints a line for each seed that fails, and at the end how many
compiled and why the others were refused; exits 1 when any failed.
"""

import argparse
import collections
import pathlib
import re
import subprocess
import sys
import tempfile
import zipfile

NAMED = re.compile(r"\b(node|input|output) '[^']+'")


def run(command):
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=600)
    except subprocess.TimeoutExpired:
        return None, "took more than ten minutes"
    return done.returncode, done.stderr.strip()


def compile_and_run(arguments, folder, seed):
    """("", refusal or "") where all is well, else (what is wrong, "")."""
    inputs, results = [], {}
    with zipfile.ZipFile(folder / f"{seed}.npz") as arrays:
        for entry in arrays.namelist():
            if not entry.startswith("input/"):
                continue
            file = folder / f"{seed}.{entry.removeprefix('input/')}"
            file.write_bytes(arrays.read(entry))
            inputs += ["-i", f"{entry.removeprefix('input/').removesuffix('.npy')}={file}"]
    for index, arch in enumerate(arguments.arch):
        program, out = folder / f"{seed}.{arch}.xprog", folder / f"{seed}.{arch}.npz"
        command = [arguments.bin / "xcompile", folder / f"{seed}.onnx", "--arch", arch, f"-O{(2, 0, 1)[index % 3]}", "-q"]
        command += ["-o", program]
        # Inside of every input's bounds, for which the models keep their functions defined.
        code, said = run(command + ["--input-range", "-1,1"])
        if "quantized already" in said:
            code, said = run(command)
        if code == 1 and NAMED.search(said):
            return "", said
        if code != 0:
            return f"{arch}: xcompile ended with {code}: {said[-300:]}", ""
        code, said = run([arguments.bin / "xinfer", program, *inputs, "-o", out, "-q"])
        if code != 0:
            return f"{arch}: xinfer ended with {code}: {said[-300:]}", ""
        results[arch] = out.read_bytes()  # .npz without times: equal arrays are equal bytes
        if results[arch] != results[arguments.arch[0]]:
            return f"{arch}: results differ from {arguments.arch[0]}'s", ""
    return "", ""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", required=True, type=pathlib.Path, help="folder of make_float_graphs and the tools")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--also", type=int, nargs="*", default=[], help="seeds besides")
    parser.add_argument("--arch", nargs="+", default=["B4096", "B512", "K26"])
    parser.add_argument("--keep", type=pathlib.Path, help="leave models and programs in this folder")
    arguments = parser.parse_args()
    failed, refusals = 0, collections.Counter()
    seeds = [*range(arguments.first, arguments.first + arguments.seeds), *arguments.also]
    for seed in seeds:
        with tempfile.TemporaryDirectory() as temporary:
            folder = arguments.keep or pathlib.Path(temporary)
            folder.mkdir(parents=True, exist_ok=True)
            code, said = run([arguments.bin / "make_float_graphs", folder, "--first", str(seed), "--seeds", "1"])
            wrong, refusal = (said or f"make_float_graphs ended with {code}", "") if code != 0 else compile_and_run(
                arguments, folder, seed)
        if wrong:
            failed += 1
            print(f"seed {seed}: {wrong}", flush=True)
        if refusal:
            refusals[re.sub(r"'[^']*'", "'…'", refusal.splitlines()[0])[:160]] += 1
            print(f"seed {seed} refused: {refusal.splitlines()[0][:300]}", flush=True)
    compiled = len(seeds) - failed - sum(refusals.values())
    print(f"{len(seeds)} seeds from {arguments.first}: {compiled} compiled and ran, {sum(refusals.values())} refused, "
          f"{failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
