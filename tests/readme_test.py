#!/usr/bin/env python3
"""Runs the commands of the README files: each ```sh block, in a folder with the built tools and the files they name.

    readme_test.py --bin build/bin [README...]

The blocks of one README run in turn in one new folder, as somebody reading it from top to bottom would run them. There
build/bin is the folder of the tools, which are also first in PATH; model.onnx is a small network for pictures of 224x224,
beside pictures, arrays and labels for it. A block that cannot run there says why on the line above it:

    <!-- not run by tests: installs packages -->
"""

import argparse
import os
import pathlib
import re
import struct
import subprocess
import sys
import tempfile
import zlib

ROOT = pathlib.Path(__file__).resolve().parent.parent
BLOCK = re.compile(r"^(?:<!-- not run by tests: (?P<reason>[^\n]+) -->\n)?```sh\n(?P<text>.*?)^```$", re.M | re.S)
# Commands in an indented block would look the same to a reader and be missed here.
INDENTED = re.compile(r"^    (?:\./tools/|build/bin/|for |cmake |x(?:compile|quantize|infer|eval|objdump) ).*$", re.M)
SIZE = 224


def varint(value):
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def field(number, value):
    """One protobuf field: an integer, or text, bytes or a nested message."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def tensor_type(name, shape):
    dims = b"".join(field(1, field(1, size)) for size in shape)
    return field(1, name) + field(2, field(1, field(1, 1) + field(2, dims)))


def node(operator, inputs, output, attributes=b""):
    names = b"".join(field(1, name) for name in inputs)
    return field(1, names + field(2, output) + field(3, operator.lower()) + field(4, operator) + attributes)


def ints(name, values):
    return field(5, field(1, name) + b"".join(field(8, value) for value in values) + field(20, 7))


def model(size=SIZE):
    """Conv, Relu, GlobalAveragePool, Flatten: 1x3x224x224 to 1x8."""
    weights = [((i * 37) % 101 - 50) / 200 for i in range(8 * 3 * 3 * 3)]
    initializer = b"".join(field(1, size) for size in (8, 3, 3, 3)) + field(2, 1) + field(8, "weight")
    initializer += field(9, struct.pack(f"<{len(weights)}f", *weights))
    graph = node("Conv", ["input", "weight"], "c", ints("strides", [4, 4]) + ints("kernel_shape", [3, 3]))
    graph += node("Relu", ["c"], "r") + node("GlobalAveragePool", ["r"], "p") + node("Flatten", ["p"], "output")
    graph += field(2, "pictures") + field(5, initializer)
    graph += field(11, tensor_type("input", (1, 3, size, size))) + field(12, tensor_type("output", (1, 8)))
    return field(1, 8) + field(7, graph) + field(8, field(1, "") + field(2, 13))


def npy(kind, shape, data):
    head = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}"
    head += " " * (-(len(head) + 11) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode() + data


def pictures(count):
    """A .npy of so many pictures, each with its own brightness."""
    plane = [((i * 7) % 255) / 255 for i in range(3 * SIZE * SIZE)]
    data = b"".join(struct.pack(f"<{len(plane)}f", *[x * (n + 1) / count for x in plane]) for n in range(count))
    return npy("<f4", (count, 3, SIZE, SIZE), data)


def png(seed, width=300, height=260):
    rows = b"".join(b"\0" + bytes((x * seed + y * 3) % 256 for x in range(3 * width)) for y in range(height))
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def fill(folder, tools):
    """Every file that a README may name."""
    (folder / "build").mkdir()
    (folder / "build/bin").symlink_to(tools)
    (folder / "model.onnx").write_bytes(model())
    for name in ("images", "pictures"):
        (folder / name).mkdir()
        for seed in (1, 2, 3):
            (folder / name / f"{seed}.png").write_bytes(png(seed))
    (folder / "cat.jpg").write_bytes(png(5))  # formats are told apart by content
    for name in ("input.npy", "x.npy"):
        (folder / name).write_bytes(pictures(1))
    for name in ("data.npy", "test.npy"):
        (folder / name).write_bytes(pictures(2))
    (folder / "labels.npy").write_bytes(npy("<i8", (2,), struct.pack("<2q", 0, 1)))


def check(readme, tools):
    """How many blocks ran, were left out, and what is wrong."""
    text = readme.read_text()
    name = readme.relative_to(ROOT)
    problems = [f"{name}: commands belong into a ```sh block: {line.strip()}" for line in INDENTED.findall(text)]
    ran = left_out = 0
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        fill(folder, tools)
        environment = dict(os.environ, PATH=f"{tools}:{os.environ['PATH']}", LC_ALL="C.UTF-8")
        for block in BLOCK.finditer(text):
            if block["reason"]:
                left_out += 1
                print(f"{name}: left out, {block['reason']}: {block['text'].split('#')[0].splitlines()[0].strip()}")
                continue
            ran += 1
            done = subprocess.run(["sh", "-eux"], input=block["text"], cwd=folder, env=environment, capture_output=True,
                                  text=True, timeout=300)
            if done.returncode != 0:
                line = text.count("\n", 0, block.start("text")) + 1
                problems.append(f"{name}, block at line {line}: exit code {done.returncode}\n{done.stderr}")
    fences = len(re.findall(r"^```(?:sh|bash|console|shell)\b", text, re.M))
    if fences != ran + left_out:
        problems.append(f"{name}: {fences} blocks of commands, {ran + left_out} understood; they begin with ```sh")
    return ran, left_out, problems


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", required=True, help="folder of the built tools")
    parser.add_argument("readmes", nargs="*", type=pathlib.Path, help="files [every README.md of the repository]")
    options = parser.parse_args()
    tools = pathlib.Path(options.bin).resolve()
    ours = [file for file in ROOT.rglob("README.md") if not file.relative_to(ROOT).parts[0].startswith((".", "build"))]
    readmes = [file.resolve() for file in options.readmes] or sorted(ours)
    total, problems = 0, []
    for readme in readmes:
        ran, _, wrong = check(readme, tools)
        total += ran
        problems += wrong
    print(f"{total} blocks of commands ran, {len(problems)} problems")
    print("\n".join(problems))
    if problems or (total == 0 and not options.readmes):
        sys.exit(1)


if __name__ == "__main__":
    main()
