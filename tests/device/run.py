#!/usr/bin/env python3
"""The conformance suite on one device: compiles the test networks for its configuration, then runs device_test.

    tests/device/run.py --bin build/bin --device xrt:0,xclbin=overlay.xclbin

is all that a board needs. Where xcompile is not at hand (a board's own system), --programs names a folder of programs
that another machine compiled for the board's configuration:

    tests/device/run.py --bin build/bin --device sim:B4096 --programs DIR --compile-only     # there
    tests/device/run.py --bin build/bin --device xrt:0 --programs DIR                        # on the board

Networks: those of tests/models, and with XRUN_MODELS_DIR mlperf_dscnn_kws. Absent hardware is a skip (exit code 77),
hardware that does not work a failure. Arguments after -- go to device_test (--gtest_filter=...).
"""

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SKIPPED = 77


def networks():
    models = sorted((ROOT / "tests" / "models").glob("*.onnx"))
    extra = os.environ.get("XRUN_MODELS_DIR")
    if extra:
        kws = pathlib.Path(extra) / "mlperf_dscnn_kws" / "model_qdq.onnx"
        if kws.exists():
            return [(m.stem, m) for m in models] + [("mlperf_dscnn_kws", kws)]
        print(f"skipped: {kws} is not there", flush=True)
    else:
        print("skipped: mlperf_dscnn_kws, XRUN_MODELS_DIR is not set", flush=True)
    return [(m.stem, m) for m in models]


def compile_all(tools, device, folder):
    """Programs that are newer than compiler and model are kept."""
    xcompile = tools / "xcompile"
    for name, model in networks():
        for ending, flags in (("", []), ("_debug", ["--debug-tensors"])):
            target = folder / f"{name}{ending}.xprog"
            if target.exists() and target.stat().st_mtime > max(xcompile.stat().st_mtime, model.stat().st_mtime):
                continue
            command = [str(xcompile), str(model), "--arch", device, "-q", "-o", str(target), *flags]
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode != 0:
                sys.exit(f"{' '.join(command)}\n{done.stderr}")


def check(tools, environment):
    """One test first: where the device is absent nothing need be compiled."""
    first = subprocess.run([str(tools / "device_test"), "--gtest_filter=LimitsTest.TheFrameWorks"], env=environment,
                           capture_output=True, text=True)
    if "[  SKIPPED ] " in first.stdout:
        print(first.stdout)
        sys.exit(SKIPPED)
    if first.returncode != 0:
        sys.exit(first.stdout + first.stderr)


def option_parser(description):
    """The options that this script and processes.py share."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", required=True, type=pathlib.Path, help="folder of device_test and xcompile")
    parser.add_argument("--device", required=True, help="sim:B512, xrt:0,xclbin=FILE, ...")
    parser.add_argument("--programs", type=pathlib.Path, help="folder of the compiled networks [a temporary one]")
    return parser


def main():
    parser = option_parser(__doc__)
    parser.add_argument("--compile-only", action="store_true", help="fill --programs and stop")
    parser.add_argument("test_flags", nargs="*", help="for device_test, after --")
    options = parser.parse_args()
    tools = options.bin.resolve()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.programs or pathlib.Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        environment = dict(os.environ, XRUN_TEST_DEVICE=options.device, XRUN_TEST_PROGRAMS=str(folder))
        check(tools, environment)
        if (tools / "xcompile").exists():
            compile_all(tools, options.device, folder)
        elif not any(folder.glob("*.xprog")):
            sys.exit(f"there is no {tools / 'xcompile'}: give --programs, a folder of compiled networks")
        if options.compile_only:
            return
        sys.exit(subprocess.run([str(tools / "device_test"), *options.test_flags], env=environment).returncode)


if __name__ == "__main__":
    main()
