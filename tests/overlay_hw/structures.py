#!/usr/bin/env python3
"""Large structures on the C-sim against the simulator: MobileNetV2 and ResNet-18 on B512. Minutes; not part of ctest.

    tests/overlay_hw/structures.py --bin build/bin [--device csim:B512] [NAME ...]

Needs make_structure (tests/structures), xcompile and xinfer. Weights and input are random; outputs must be equal byte
for byte.
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


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    parser.add_argument("--device", default="csim:B512")
    parser.add_argument("names", nargs="*", default=["mobilenet_v2", "resnet18"])
    options = parser.parse_args()
    tools = options.bin.resolve()

    def run(*command):
        done = subprocess.run([str(c) for c in command], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")

    wrong = 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        for name in options.names:
            model, program, x = folder / f"{name}.onnx", folder / f"{name}.xprog", folder / "x.npy"
            run(tools / "make_structure", name, model)
            run(tools / "xcompile", model, "--arch", options.device.partition(":")[2], "-q", "-o", program)
            npy(x, [1, 3, 224, 224], 1)
            outputs = []
            for device in ("sim", options.device):
                start = time.monotonic()
                y = folder / f"y{len(outputs)}.npy"
                run(tools / "xinfer", program, "-i", x, "-o", y, "-q", "--device", device)
                outputs.append(y.read_bytes())
                print(f"{name} on {device}: {time.monotonic() - start:.1f} s", flush=True)
            same = outputs[0] == outputs[1]
            wrong += not same
            print(f"{name}: {'equal' if same else 'DIFFERENT'}", flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
