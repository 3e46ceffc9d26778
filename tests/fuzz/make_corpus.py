#!/usr/bin/env python3
"""Writes the seeds of the corpus: small valid files of every kind, from the tools and a few lines here.

    tests/fuzz/make_corpus.py build/bin

Files named crash-*, timeout-* and oom-* in the same folders were found by fuzzing and stay.
"""

import pathlib
import struct
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import readme_test as make


def jpeg():
    """8x8 gray pixels: one code for "no difference", one for "end of block"."""
    segment = lambda marker, data: bytes([0xFF, marker]) + struct.pack(">H", len(data) + 2) + data
    code = lambda kind: segment(0xC4, bytes([kind, 1] + [0] * 15 + [0]))
    frame = segment(0xC0, struct.pack(">BHHB", 8, 8, 8, 1) + bytes([1, 0x11, 0]))
    quantization = segment(0xDB, bytes([0] + [1] * 64))
    scan = segment(0xDA, bytes([1, 1, 0, 0, 63, 0])) + b"\x3f"
    return b"\xff\xd8" + quantization + frame + code(0x00) + code(0x10) + scan + b"\xff\xd9"


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    tools = pathlib.Path(sys.argv[1]).resolve()
    corpus = {name: HERE / "corpus" / name for name in ("onnx", "xprog", "array", "image", "assembly")}
    for folder in corpus.values():
        folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        run = lambda tool, *arguments: subprocess.run([tools / tool, *arguments, "-q"], check=True, cwd=scratch)
        model, quantized = corpus["onnx"] / "float.onnx", corpus["onnx"] / "quantized.onnx"
        model.write_bytes(make.model(8))
        # A fixed name, as it stands in the files.
        pathlib.Path(scratch, "model.onnx").write_bytes(model.read_bytes())
        run("xquantize", "model.onnx", "-o", quantized)
        for arch in ("B512", "B4096"):
            program = corpus["xprog"] / f"{arch}.xprog"
            run("xcompile", "model.onnx", "--arch", arch, "-o", program)
            text = subprocess.run([tools / "xobjdump", "-d", program], check=True, capture_output=True).stdout
            (corpus["assembly"] / f"{arch}.txt").write_bytes(text)
        picture = struct.pack("<192f", *[i / 192 for i in range(192)])
        array = corpus["array"] / "float32.npy"
        array.write_bytes(make.npy("<f4", (1, 3, 8, 8), picture))
        (corpus["array"] / "int64.npy").write_bytes(make.npy(">i8", (2,), struct.pack(">2q", 1, -1)))
        run("xinfer", corpus["xprog"] / "B512.xprog", "-i", array, "-o", corpus["array"] / "output.npz")
    (corpus["image"] / "rgb.png").write_bytes(make.png(5, 8, 8))
    (corpus["image"] / "gray.jpg").write_bytes(jpeg())


if __name__ == "__main__":
    main()
