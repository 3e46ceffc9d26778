#!/bin/sh
# tools/build.sh DIR [CMAKE OPTION ...]: configures and builds into DIR, from the repository's root.
set -eu
cd "$(dirname "$0")/.."
dir=$1
shift
cmake -S . -B "$dir" -G Ninja "$@" >/dev/null
cmake --build "$dir"
