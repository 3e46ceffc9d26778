#!/usr/bin/env python3
"""Large structures on the C-sim against the simulator: MobileNetV2 and ResNet-18 at their published size.

    tests/overlay_hw/structures.py --bin build/bin [--device csim:B1152] [NAME ...]

Needs make_structure (tests/structures; --list names all), xcompile, xinfer and C-sim's library of the configuration
(xrun_csim_<configuration>): `cmake --build build --target make_structure xcompile xinfer xrun_csim_B1152`. Weights and
input are random; outputs must be equal byte for byte, and differ within themselves and from input to input: a network
whose signal has died away shows nothing. Exit codes: 0 equal, 1 not, or a tool failed.
"""

import argparse
import pathlib
import random
import struct
import subprocess
import sys
import tempfile
import time


def npy(path, shape, seed):
    """float32 values in -1…1 as .npy; numpy is not needed."""
    numbers = random.Random(seed)
    count = 1
    for extent in shape:
        count *= extent
    head = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {tuple(shape)}, }}"
    head += " " * (63 - (10 + len(head)) % 64) + "\n"
    data = struct.pack(f"<{count}f", *(numbers.uniform(-1, 1) for _ in range(count)))
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode() + data)


LEAST_VALUES = 20  # different ones in an output of 1000


def values(npy_bytes):
    """How many different float32 values an .npy file has."""
    begin = 10 + struct.unpack_from("<H", npy_bytes, 8)[0]
    return len({npy_bytes[i:i + 4] for i in range(begin, len(npy_bytes), 4)})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    parser.add_argument("--device", default="csim:B1152")
    parser.add_argument("names", nargs="*", default=["mobilenet_v2", "resnet18"])
    options = parser.parse_args()
    tools = options.bin.resolve()
    configuration = options.device.partition(":")[2].partition(",")[0]
    if not configuration:
        parser.error(f"--device {options.device}: the configuration is wanted, as in csim:B1152")

    def run(*command):
        done = subprocess.run([str(c) for c in command], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")

    wrong = 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        for name in options.names:
            model, program = folder / f"{name}.onnx", folder / f"{name}.xprog"
            start = time.monotonic()
            run(tools / "make_structure", name, model)
            run(tools / "xcompile", model, "--arch", configuration, "-q", "-o", program)
            print(f"{name}: made and compiled in {time.monotonic() - start:.1f} s", flush=True)
            outputs = {"sim": [], options.device: []}
            for seed in (1, 2):
                npy(folder / "x.npy", [1, 3, 224, 224], seed)
                for device, results in outputs.items():
                    start = time.monotonic()
                    run(tools / "xinfer", program, "-i", folder / "x.npy", "-o", folder / "y.npy", "-q", "--device", device)
                    results.append((folder / "y.npy").read_bytes())
                    print(f"{name}, input {seed} on {device}: {time.monotonic() - start:.1f} s", flush=True)
            first, second = outputs["sim"]
            verdict = "equal"
            if outputs["sim"] != outputs[options.device]:
                verdict = "DIFFERENT"
            elif first == second or values(first) < LEAST_VALUES:
                verdict = f"equal, but WITHOUT A SIGNAL: {values(first)} values in an output"
            wrong += verdict != "equal"
            print(f"{name}: {verdict}", flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
