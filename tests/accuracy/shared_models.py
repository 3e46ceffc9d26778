#!/usr/bin/env python3
"""Where the real networks run: each compiles for B4096, without data, in as few launches and with as many of its
multiply-accumulates on the overlay as below, and runs on the simulator; formats that are not read yet are refused by
node and operator.

    shared_models.py --bin build/bin [--models DIR] [NAME...]

Exits 1 when one does not, 77, saying why, without models.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

SKIPPED = 77
# folder: (launches at most, --input-shape); others: 1 launch, shapes as in the file. Lowered QONNX compares and selects
# between layers, which runs on the CPU.
SPECIAL = {
    "qonnx_mnist_TFC_1W1A": (5, None),
    "qonnx_mnist_TFC_2W2A": (2, None),
    "ppocr_cls_v2": (1, "x:1x3x48x192"),
    "ppocr_det_v4": (1, "x:1x3x320x320"),
    "ppocr_rec_v4": (8, "x:1x3x48x320"),
}
LEAST_MACS = 0.99
# pattern of a path: the operator that the message must name
REFUSED = {"qoperator_*/*": "QLinearConv", "tree_*/*": "ai.onnx.ml.TreeEnsemble", "*.qonnx.onnx": "Quant"}


def refused(tools, model, operator):
    """What is wrong with how the model is refused, or nothing."""
    done = subprocess.run([tools / "xcompile", model, "--arch", "B4096", "-q", "-o", os.devnull], capture_output=True,
                          text=True)
    if done.returncode != 1:
        return f"exit code {done.returncode}, not 1"
    named = all(word in done.stderr for word in ("node '", "operator", operator, "hint:"))
    return "" if named else "the message does not name node, operator and a way out: " + done.stderr


def compiled(tools, model, folder, launches, shape):
    """What is wrong with how the model runs, and a line about it."""
    program, report = folder / "p.xprog", folder / "report.json"
    options = ["--input-shape", shape] if shape else []
    for command in ([tools / "xcompile", model, "--arch", "B4096", "-q", f"--json={report}", "-o", program, *options],
                    [tools / "xbench", program, "--requests", "1", "--warmup", "0", "--verify", "-q"]):
        done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
        if done.returncode != 0:
            return done.stderr, ""
    result = json.loads(report.read_text(encoding="utf-8"))
    macs = sum(node["macs"] for node in result["nodes"])
    share = result["overlay_macs"] / macs
    line = f"{result['modelled']['launches']} launches, {100 * share:.2f} % of {macs / 1e6:.1f} million MACs on the overlay"
    wrong = "" if result["modelled"]["launches"] <= launches and share >= LEAST_MACS else line
    return wrong, line


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--bin", required=True, type=pathlib.Path)
    parser.add_argument("--models", default=os.environ.get("XRUN_MODELS_DIR"))
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    if not arguments.models or not pathlib.Path(arguments.models).is_dir():
        print("skipped: no models: set XRUN_MODELS_DIR")
        return SKIPPED
    models = sorted(pathlib.Path(arguments.models).glob("*/model*.onnx"))
    if not models:
        print(f"{arguments.models} has no model")
        return 1
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for model in models:
            name = model.parent.name
            if arguments.names and not any(n in str(model) for n in arguments.names):
                continue
            operator = next((op for pattern, op in REFUSED.items() if model.match(pattern)), None)
            if operator is not None:
                wrong, line = refused(arguments.bin, model, operator), "refused"
            else:
                wrong, line = compiled(arguments.bin, model, pathlib.Path(folder), *SPECIAL.get(name, (1, None)))
            print(f"{name + '/' + model.name:50} " + (f"WRONG: {wrong}" if wrong else line), flush=True)
            failed += bool(wrong)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
