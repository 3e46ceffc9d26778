#!/usr/bin/env python3
"""The lints judge every sample as its first line says: `// expect: RULE`, or nothing at all for good ones. A line
`// kind: KIND` is given to the pragma lint as --kind.

    lint_test.py --lint overlay_hw/lint --kind synth|pragma|pipeline

A bad sample must be refused with its rule; a good one must pass. Exit code 77 when the lint says its tools are missing.
"""

import argparse
import importlib
import pathlib
import re
import subprocess
import sys


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lint", type=pathlib.Path, required=True)
    parser.add_argument("--kind", choices=["synth", "pragma", "pipeline"], required=True)
    options = parser.parse_args()
    lint = options.lint / f"{options.kind}_lint.py"
    samples = sorted((options.lint / f"bad_{options.kind}").glob("*.cpp"))
    good = sorted((options.lint / f"good_{options.kind}").glob("*.cpp"))
    assert samples and good
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(options.lint))
    rules = set(importlib.import_module(lint.stem).RULES)
    covered, wrong = set(), 0
    for sample in samples + good:
        table = sample.with_suffix(".md")
        arguments = ["--top", "top"] if options.kind != "pipeline" else ["--table", str(table)] if table.exists() else []
        text = sample.read_text(encoding="utf-8")
        kind = re.search(r"^// kind: (\w+)$", text, re.M)
        if kind:
            arguments += ["--kind", kind.group(1)]
        done = subprocess.run([sys.executable, str(lint), *arguments, str(sample)], capture_output=True, text=True,
                              check=False)
        if done.returncode == 77:
            print(done.stderr.strip())
            return 77
        expect = re.match(r"// expect: (\S+)", text)
        found = set(re.findall(r"\[([\w-]+)\]", done.stdout))
        if expect is None:
            ok = sample in good and done.returncode == 0 and not found
        else:
            ok = sample in samples and done.returncode == 1 and expect.group(1) in found
            covered.add(expect.group(1))
            ok = ok and found <= rules
        if not ok:
            wrong += 1
            print(f"{sample.name}: expected {expect.group(1) if expect else 'no finding'}, exit code {done.returncode}")
            print(done.stdout + done.stderr)
    for rule in sorted(rules - covered):
        wrong += 1
        print(f"no bad sample for rule {rule}")
    print(f"{len(samples)} bad and {len(good)} good samples, {len(covered)} rules: {wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
