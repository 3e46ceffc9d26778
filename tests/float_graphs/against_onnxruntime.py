#!/usr/bin/env python3
"""Random float models: import, passes and float executor against ONNX Runtime.

    against_onnxruntime.py --bin build/bin [--seeds N] [--first S] [--keep DIR] [--every-tensor]

make_float_graphs writes the models and runs them in our float executor, right after import and after all passes over
float graphs. Both must be close to ONNX Runtime without its own optimizations: |difference| at most 1e-4 of the
output's largest magnitude (at least 0.1); integers and bools equal. Prints a line for each seed that fails, naming
output and first difference, and exits 1; exits 77, saying why, without Python's packages.
"""

import argparse
import pathlib
import subprocess
import sys
import tempfile

SKIPPED = 77
try:
    import numpy as np
    import onnxruntime as ort
except ImportError as missing:
    print(f"skipped: {missing} (pip install numpy onnxruntime)")
    sys.exit(SKIPPED)

TOLERANCE, LEAST = 1e-4, 0.1
BATCH = 100  # models on disk at a time


def difference(ours, theirs):
    """"" when close, else the first difference."""
    if ours.shape != theirs.shape or ours.dtype != theirs.dtype:
        return f"{ours.dtype} {ours.shape}, ONNX Runtime {theirs.dtype} {theirs.shape}"
    if ours.dtype == np.float32:
        both_nan = np.isnan(ours) & np.isnan(theirs)
        finite = theirs[np.isfinite(theirs)]
        bound = TOLERANCE * max(np.abs(finite).max(initial=0), LEAST)
        with np.errstate(invalid="ignore"):
            wrong = ~((np.abs(ours - theirs) <= bound) | both_nan | (ours == theirs))
    else:
        wrong = ours != theirs
    if not wrong.any():
        return ""
    at = np.argwhere(wrong)[0]
    index = tuple(int(i) for i in at)
    return (f"element {list(index)} is {ours[index]}, ONNX Runtime {theirs[index]} "
            f"({int(wrong.sum())} of {wrong.size} differ)")


def compare(folder, seed):
    """What is wrong with one seed; "" when nothing is."""
    arrays = np.load(folder / f"{seed}.npz")
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    # Its planner trusts shapes that are one too large where ceil_mode has no last window, and then refuses its own buffer.
    options.enable_mem_reuse = False
    try:
        session = ort.InferenceSession(str(folder / f"{seed}.onnx"), options, providers=["CPUExecutionProvider"])
        results = session.run(None, {i.name: arrays[f"input/{i.name}"] for i in session.get_inputs()})
    except Exception as error:  # every kind that ONNX Runtime throws
        return f"ONNX Runtime refuses: {error}"
    names = [o.name for o in session.get_outputs()]
    for stage in ("imported", "passed"):
        for i, (name, theirs) in enumerate(zip(names, results)):
            if f"{stage}/{i}" not in arrays:
                continue
            wrong = difference(arrays[f"{stage}/{i}"], np.asarray(theirs))
            if wrong:
                return f"output '{name}' ({stage}): {wrong}"
    return ""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", required=True, type=pathlib.Path, help="folder of make_float_graphs")
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--keep", type=pathlib.Path, help="leave models and arrays in this folder")
    parser.add_argument("--every-tensor", action="store_true", help="each an output: finds the node where results part")
    arguments = parser.parse_args()
    failed = []
    last = arguments.first + arguments.seeds
    for first in range(arguments.first, last, BATCH):
        count = min(BATCH, last - first)
        with tempfile.TemporaryDirectory() as temporary:
            folder = arguments.keep or pathlib.Path(temporary)
            folder.mkdir(parents=True, exist_ok=True)
            made = subprocess.run([arguments.bin / "make_float_graphs", folder, "--first", str(first), "--seeds",
                                   str(count)] + ["--every-tensor"] * arguments.every_tensor, stdout=subprocess.PIPE, text=True)
            lines = dict(line.split(" ", 1) for line in made.stdout.splitlines())
            for seed in range(first, first + count):
                said = lines.get(str(seed), f"failed: make_float_graphs ended with code {made.returncode}")
                problems = [said] if said != "ok" else []
                if (folder / f"{seed}.npz").exists():
                    problems += [p for p in [compare(folder, seed)] if p]
                for problem in problems:
                    print(f"seed {seed}: {problem}", flush=True)
                failed += [seed] if problems else []
                if str(seed) not in lines:
                    break
    print(f"{arguments.seeds} seeds from {arguments.first}: {len(failed)} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
