#!/bin/sh
# tools/tidy.sh [REGEX]: clang-tidy with .clang-tidy over our sources, or over those whose path matches. Needs a build in
# build/ for the compile commands. Opt-in: the whole takes far longer than a build.
set -eu
cd "$(dirname "$0")/.."
run-clang-tidy-14 -p build -quiet -j "$(nproc)" "${1:-/(compiler|isa|runtime|simulator|tools)/[^.]*\.cpp}"
