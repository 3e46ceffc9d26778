#!/usr/bin/env python3
"""SIGINT, SIGTERM and SIGKILL end a tool at work, and one that is writing, without leaving a file behind.

    interrupt_test.py --bin build/bin

A tool is stopped once while it works (its handlers are set, there is no output yet), and once while it writes: it has a
file without a name open in the folder, or a temporary one stands there. Each time it must have died of that signal (a
shell says 130, 143 and 137), have said so in one line unless it was killed outright, and the folder must hold what it held
before, or the whole output if the signal came too late.
"""

import argparse
import os
import pathlib
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
MODEL = ROOT / "tests/models/fmnist_resnet.onnx"
SAMPLES = 300
ATTEMPTS = 20  # to meet a tool while it writes, which takes it milliseconds


def write_samples(path):
    """So many pictures of 28x28 as .npy."""
    head = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({SAMPLES}, 1, 28, 28), }}"
    head += " " * (-(len(head) + 11) % 64) + "\n"
    picture = struct.pack("<784f", *[(i * 7 % 255) / 255 for i in range(784)])
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode() + picture * SAMPLES)


def handles(process, number):
    """Whether the process catches the signal by now."""
    try:
        status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    except OSError:
        return False
    caught = [line for line in status.splitlines() if line.startswith("SigCgt:")]
    return bool(caught) and int(caught[0].split()[1], 16) >> (number - 1) & 1 == 1


def writes(process, folder):
    """Whether the process has an output open that is not there yet."""
    if any(name.startswith(".xrun-") for name in os.listdir(folder)):
        return True
    try:
        descriptors = pathlib.Path(f"/proc/{process.pid}/fd")
        links = [os.readlink(entry) for entry in descriptors.iterdir()]
    except OSError:
        return False
    return any(link.startswith(f"{folder}/#") and link.endswith("(deleted)") for link in links)


def wait_until(condition, process):
    """False when the process ended first. Polls as fast as it can: writing is short."""
    end = time.monotonic() + 60
    while not condition():
        if process.poll() is not None:
            return False
        if time.monotonic() > end:
            process.kill()
            sys.exit("waited a minute for nothing")
    return True


def stop(command, folder, number, ready):
    """Runs the command, sends the signal when ready; None when it ended before, otherwise what is wrong."""
    before = set(os.listdir(folder))
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    caught = signal.SIGTERM if number == signal.SIGKILL else number
    if wait_until(lambda: handles(process, caught), process) and wait_until(lambda: ready(process), process):
        process.send_signal(number)
    _, said = process.communicate(timeout=60)
    left = set(os.listdir(folder)) - before
    for name in left:
        os.remove(folder / name)
    half = {name for name in left if name.endswith(".tmp")}
    if process.returncode == 0:
        return None
    problems = []
    if process.returncode != -number:
        problems.append(f"exit code {process.returncode}")
    last = f"{command[0].name}: error: interrupted; no file is half written\n"
    if number != signal.SIGKILL and not (said.endswith(last) and said.count("error") == 1):
        problems.append(f"said {said!r}")
    if half:
        problems.append(f"left behind {', '.join(sorted(half))}")
    return ", ".join(problems)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", required=True, help="folder of the built tools")
    tools = pathlib.Path(parser.parse_args().bin).resolve()
    failed = 0
    # In the build folder, on a disk: in memory a file is written too fast to be met.
    with tempfile.TemporaryDirectory(dir=tools.parent) as scratch:
        folder = pathlib.Path(scratch).resolve()
        shutil.copy(MODEL, folder / "model.onnx")
        write_samples(folder / "samples.npy")
        program = folder / "program.xprog"
        subprocess.run([tools / "xcompile", "model.onnx", "--arch", "B4096", "-q", "-o", program], cwd=folder, check=True)
        few = ["--input-range", "0,1"]
        work = {
            "xquantize": ["model.onnx", "-o", "out.onnx", "--calib", "samples.npy"],
            "xcompile": ["model.onnx", "--arch", "B4096", "-o", "out.xprog", "--calib", "samples.npy"],
            "xinfer": ["program.xprog", "-i", "samples.npy", "-o", "out.npz"],
        }
        write = {
            "xquantize": ["model.onnx", "-o", "out.onnx"] + few,
            "xcompile": ["model.onnx", "--arch", "B4096", "-o", "out.xprog"] + few,
            "xinfer": ["program.xprog", "-i", "samples.npy", "-o", "out.npy"],
        }
        writing = lambda process: writes(process, folder)
        for name in work:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
                cases = {
                    "working": lambda: stop([tools / name] + work[name], folder, number, lambda process: True),
                    "writing": lambda: next((found for found in (stop([tools / name] + write[name], folder, number, writing)
                                                                 for _ in range(ATTEMPTS)) if found is not None), None),
                }
                for case, run in cases.items():
                    problem = run()
                    if problem is None:
                        problem = "was never met at it"
                    print(f"{name} {case}, {number.name}: {problem or 'ok'}")
                    failed += bool(problem)
    if failed:
        sys.exit(1)


if __name__ == "__main__":
    main()
