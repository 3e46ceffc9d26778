#!/bin/sh
# Packages, build, all tests. Run again at any time; a second run builds only what changed.
#   XRUN_MODELS_DIR=DIR  also the tests on real models, if there is such a folder (skipped aloud otherwise)
set -eu
cd "$(dirname "$0")/.."
tools/install_packages.sh
tools/install_packages.sh tools/packages_test.txt
tools/build.sh build
ctest --test-dir build --output-on-failure --no-tests=error -j "$(nproc)" "$@"
