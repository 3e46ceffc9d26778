#!/bin/sh
# tools/tidy.sh [REGEX]: clang-tidy as .clang-tidy says over our sources, or those whose path matches (tools/tidy.sh isa/).
# Needs a build in build/ for the compile commands. By hand, not in .ci/run: about ten seconds a file and core.
set -eu
cd "$(dirname "$0")/.."
run-clang-tidy-14 -p build -quiet -j "$(nproc)" "${1:-^$PWD/(compiler|isa|runtime|simulator|tools)/}"
