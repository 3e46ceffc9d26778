#!/usr/bin/env python3
"""Golden text tests: a command and what it must print, in one file.

    ### what is tested, free text
    # cmd: xobjdump --arch-json B512        one line a command; several run in turn in one empty directory
    # exit: 0                               of the last command; 0 when left out
    ### stdout
    ...
    ### stderr
    ...

Commands are run by the shell with the tools first in PATH. $ROOT is the repository; in outputs its path is written as
$ROOT again. Lines of the expected output may hold {*} for text that may differ (host times, versions).

    run.py --bin build/bin [--update] [FILE...]

--update writes what the commands print now into the files; look at `git diff` afterwards.
"""

import argparse
import os
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent


def parse(text):
    """The head (comments, commands) and the two expected outputs."""
    head, _, rest = text.partition("### stdout\n")
    stdout, _, stderr = rest.partition("### stderr\n")
    commands = re.findall(r"^# cmd: (.+)$", head, re.M)
    code = re.search(r"^# exit: (\d+)$", head, re.M)
    return head, commands, int(code.group(1)) if code else 0, stdout, stderr


def run(commands, tools):
    """Exit code of the last command, and the outputs of all."""
    environment = dict(os.environ, PATH=f"{tools}:{os.environ['PATH']}", ROOT=str(ROOT), LC_ALL="C.UTF-8")
    stdout, stderr, code = "", "", 0
    with tempfile.TemporaryDirectory() as folder:
        for command in commands:
            done = subprocess.run(command, shell=True, cwd=folder, env=environment, capture_output=True, text=True,
                                  timeout=300)
            stdout += done.stdout
            stderr += done.stderr
            code = done.returncode
            if code != 0:
                break
    hide = lambda text: text.replace(str(ROOT), "$ROOT")
    return code, hide(stdout), hide(stderr)


def matches(expected, actual):
    """Equal but for {*}; the first line that is not, otherwise None."""
    want, have = expected.splitlines(), actual.splitlines()
    for number in range(max(len(want), len(have))):
        a = want[number] if number < len(want) else "(nothing)"
        b = have[number] if number < len(have) else "(nothing)"
        pattern = ".*".join(re.escape(part) for part in a.split("{*}"))
        if not re.fullmatch(pattern, b):
            return f"line {number + 1}\n    expected {a}\n    printed  {b}"
    return None


def keep_wildcards(expected, actual):
    """What was printed, with the lines of the old text that still match it."""
    old = [line for line in expected.splitlines() if "{*}" in line]
    lines = []
    for line in actual.splitlines():
        for pattern in old:
            if re.fullmatch(".*".join(re.escape(part) for part in pattern.split("{*}")), line):
                line = pattern
                break
        lines.append(line + "\n")
    return "".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", required=True, help="folder of the built tools")
    parser.add_argument("--update", action="store_true", help="write what is printed now into the files")
    parser.add_argument("files", nargs="*", type=pathlib.Path, help="tests [all of this folder]")
    options = parser.parse_args()
    tools = pathlib.Path(options.bin).resolve()
    failed = 0
    files = options.files or sorted(HERE.glob("*.txt"))
    if not files:
        sys.exit("no golden tests found")
    for file in files:
        head, commands, want_code, want_out, want_err = parse(file.read_text())
        if not commands:
            sys.exit(f"{file}: no '# cmd:' line")
        code, out, err = run(commands, tools)
        if options.update:
            head = re.sub(r"^# exit: \d+\n", "", head, flags=re.M)
            if code != 0:
                head += f"# exit: {code}\n"
            text = head + "### stdout\n" + keep_wildcards(want_out, out) + "### stderr\n" + keep_wildcards(want_err, err)
            if text != file.read_text():
                file.write_text(text)
                print(f"updated {file.name}")
            continue
        problems = [] if code == want_code else [f"exit code {code}, expected {want_code}\n{err}"]
        for name, want, have in (("stdout", want_out, out), ("stderr", want_err, err)):
            difference = matches(want, have)
            if difference:
                problems.append(f"{name}, {difference}")
        if problems:
            failed += 1
            print(f"FAILED {file.name}: " + "\n  ".join(problems))
    if failed:
        print(f"{failed} of {len(files)} golden tests failed; run.py --update accepts what is printed now")
        sys.exit(1)


if __name__ == "__main__":
    main()
