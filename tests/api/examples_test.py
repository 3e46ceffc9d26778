"""Compiles networks, runs each example of runtime/examples on them, and checks what they print.
examples_test.py BIN PYTHON_PACKAGE DETECTOR.onnx ('-' for a package that is not built)."""

import gzip
import os
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest
import zlib

BIN, PACKAGE, DETECTOR = (pathlib.Path(p) for p in sys.argv[1:4])
del sys.argv[1:4]
ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
DATA = pathlib.Path("/usr/share/datasets/fashion-mnist")
PHOTOGRAPH = pathlib.Path("/usr/share/matplotlib/mpl-data/sample_data/grace_hopper.jpg")  # a woman with a tie
FOUND = re.compile(r"class (\d+)  (\d\.\d\d)  ([-\d.]+),([-\d.]+) to ([-\d.]+),([-\d.]+)$")


def png(path, width, height, pixels, channels):
    """Eight bits, gray or RGB."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    row = width * channels
    lines = b"".join(b"\0" + pixels[y * row:(y + 1) * row] for y in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 0 if channels == 1 else 2, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines)) +
                     chunk(b"IEND", b""))


def run(*command, **keywords):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, **keywords)
    if done.returncode != 0:
        raise AssertionError(f"{command} gave {done.returncode}: {done.stderr}{done.stdout}")
    return done.stdout


class Examples(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.path = pathlib.Path(cls.folder.name)
        cls.program = cls.path / "cnn.xprog"
        run(BIN / "xcompile", ROOT / "tests/models/fmnist_cnn.onnx", "--arch", "B1024", "-o", cls.program, "--calib",
            DATA / "train-images-idx3-ubyte.gz", "--calib-samples", "50", "--scale", "1/255", "--mean", "0.2860",
            "--std", "0.3530", "--channel-order", "gray")

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def picture(self, index):
        with gzip.open(DATA / "t10k-images-idx3-ubyte.gz") as file:
            pixels = file.read(16 + 784 * (index + 1))[-784:]
        path = self.path / f"picture{index}.png"
        png(path, 28, 28, pixels, 1)
        return path

    def test_classify_says_the_same_in_every_language(self):
        with gzip.open(DATA / "t10k-labels-idx1-ubyte.gz") as file:
            labels = file.read()[8:]
        right = 0
        for index in range(10):
            picture = self.picture(index)
            text = run(BIN / "example_classify", self.program, picture)
            self.assertRegex(text, r"^(class \d  -?\d+\.\d{4}\n){5}$")
            self.assertEqual(run(BIN / "example_classify_c", self.program, picture), text)
            if str(PACKAGE) != "-" and index < 2:
                self.assertEqual(
                    run("/usr/bin/python3", ROOT / "runtime/examples/classify.py", self.program, picture,
                        env={**os.environ, "PYTHONPATH": str(PACKAGE)}), text)
            right += text.startswith(f"class {labels[index]} ")
        self.assertGreaterEqual(right, 8)

    def test_mistakes_end_with_a_message(self):
        for command in ([BIN / "example_classify"], [BIN / "example_classify_c"], [BIN / "example_detect"],
                        [BIN / "example_stream"]):
            self.assertEqual(subprocess.run(command, capture_output=True).returncode, 2)
            done = subprocess.run([*command, "none.xprog", "none.png"], capture_output=True, text=True)
            self.assertEqual(done.returncode, 1)
            self.assertIn("none.xprog", done.stderr)
        done = subprocess.run([BIN / "example_detect", self.program, self.picture(0)], capture_output=True, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertIn("is not [1, cells, 5 + classes]", done.stderr)

    def test_stream_keeps_order_and_counts_what_it_drops(self):
        text = run(BIN / "example_stream", self.program, 40, 0)
        frames = [int(n) for n in re.findall(r"^frame (\d+): class \d", text, re.M)]
        self.assertEqual(frames, list(range(40)))
        self.assertIn("40 frames, 40 done, 0 dropped", text)
        # One result, whatever is in flight: the same frame gives the same line.
        again = run(BIN / "example_stream", self.program, 40, 0)
        self.assertEqual(text.splitlines()[:40], again.splitlines()[:40])
        # Far faster than the reference interpreter: some frames must go, in order and counted.
        text = run(BIN / "example_stream", self.program, 300, 1e6, "sim:check,reference")
        frames = [int(n) for n in re.findall(r"^frame (\d+): class \d", text, re.M)]
        self.assertEqual(frames, sorted(set(frames)))
        done, dropped = map(int, re.search(r"300 frames, (\d+) done, (\d+) dropped", text).groups())
        self.assertEqual((done, done + dropped), (len(frames), 300))
        self.assertGreater(dropped, 0)

    def test_detect_decodes_and_suppresses(self):
        pixels = bytearray(64 * 64 * 3)
        # Red in one cell; blue in three in a row. Boxes are three cells wide: the middle one's overlaps its neighbours'
        # by half and goes, theirs overlap by a fifth and stay.
        for (row, column), colour in {(2, 5): 0, (6, 1): 2, (6, 2): 2, (6, 3): 2}.items():
            for y in range(row * 8, row * 8 + 8):
                for x in range(column * 8, column * 8 + 8):
                    pixels[(y * 64 + x) * 3 + colour] = 255
        picture = self.path / "scene.png"
        png(picture, 64, 64, bytes(pixels), 3)
        program = self.path / "detector.xprog"
        calibration = self.path / "calibration"
        calibration.mkdir()
        png(calibration / "scene.png", 64, 64, bytes(pixels), 3)
        run(BIN / "xcompile", DETECTOR, "--arch", "B512", "-o", program, "--calib", calibration, "--scale", "1/255")
        lines = run(BIN / "example_detect", program, picture).splitlines()
        found = [FOUND.match(line).groups() for line in lines]
        boxes = sorted((int(f[0]), *(round(float(v) / 8) for v in f[2:])) for f in found)
        self.assertEqual(boxes, [(0, 4, 2, 7, 3), (1, 0, 6, 3, 7), (1, 2, 6, 5, 7)])
        self.assertTrue(all(float(f[1]) > 0.8 for f in found))

    def test_detect_on_a_real_network(self):
        """Boxes, in pixels of the input, and scores of the float network: those of ONNX Runtime."""
        model = pathlib.Path(os.environ.get("XRUN_MODELS_DIR", "")) / "yolox_nano" / "model.onnx"
        for needed in (model, PHOTOGRAPH):
            if not needed.is_file():
                self.skipTest(f"{needed} is not there (XRUN_MODELS_DIR, python-matplotlib-data)")
        calibration = self.path / "photographs"
        calibration.mkdir()
        shutil.copy(PHOTOGRAPH, calibration)
        program = self.path / "yolox.xprog"
        run(BIN / "xcompile", model, "--arch", "B4096", "-o", program, "--calib", calibration, "--resize",
            "416x416:letterbox=114", "--scale", "1", "--channel-order", "bgr", "-O1")
        found = [FOUND.match(line).groups() for line in run(BIN / "example_detect", program, PHOTOGRAPH).splitlines()]
        person, tie = 0, 27  # COCO's numbers
        self.assertEqual([int(f[0]) for f in found], [person, tie])
        floats = ((0.933, 31.7, 30.9, 386.4, 402.5), (0.865, 183.1, 283.2, 235.7, 367.3))
        for box, (score, *sides) in zip(found, floats):
            self.assertAlmostEqual(float(box[1]), score, delta=0.1)
            for value, side in zip(box[2:], sides):
                self.assertAlmostEqual(float(value), side, delta=15)


if __name__ == "__main__":
    if not DATA.is_dir():
        print("skipped: no", DATA)
        sys.exit(77)
    unittest.main(verbosity=2)  # says why a test is skipped
