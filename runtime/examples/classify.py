#!/usr/bin/env python3
"""classify.py PROGRAM.xprog PICTURE [DEVICE]: the five likeliest classes of a picture, in Python."""

import sys

import xrun


def main() -> int:
    if len(sys.argv) < 3:
        print(f"usage: {sys.argv[0]} PROGRAM.xprog PICTURE [DEVICE]", file=sys.stderr)
        return 2
    try:
        session = xrun.Session(sys.argv[1], device=sys.argv[3] if len(sys.argv) > 3 else "sim")
        x = session.preprocess(sys.argv[2])
        scores = session.run(None, {session.inputs[0].name: x})[0].ravel()
    except xrun.Error as error:
        print(error, file=sys.stderr)
        return 1
    for i in (-scores).argsort(kind="stable")[:5]:
        print(f"class {i}  {scores[i]:.4f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
