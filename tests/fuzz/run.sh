#!/bin/sh
# tests/fuzz/run.sh SECONDS [TARGET...]: builds the targets with clang and fuzzes each for so long, one after another.
# What it finds stands in build-fuzz/found; move it to corpus/TARGET with the fix. Inputs worth keeping for the next run
# collect in build-fuzz/corpus. ONNX's own node tests are seeds too, where Debian's libonnx-testdata is installed.
set -eu
cd "$(dirname "$0")/../.."
seconds=${1:?usage: tests/fuzz/run.sh SECONDS [TARGET...]}
shift
[ $# -gt 0 ] || set -- onnx xprog array image assembly
CC=clang-14 CXX=clang++-14 cmake -S . -B build-fuzz -G Ninja -DXRUN_FUZZ=ON >/dev/null
for target in "$@"; do cmake --build build-fuzz --target "fuzz_$target"; done
mkdir -p build-fuzz/found
seeds=build-fuzz/seeds/onnx
if [ -d /usr/share/libonnx-testdata ] && [ ! -d "$seeds" ]; then
  mkdir -p "$seeds"
  find /usr/share/libonnx-testdata -name model.onnx -size -8k | while read -r file; do
    cp "$file" "$seeds/$(basename "$(dirname "$file")").onnx"
  done
fi
failed=0
for target in "$@"; do
  mkdir -p "build-fuzz/corpus/$target" "build-fuzz/seeds/$target"
  echo "== $target, $seconds s"
  build-fuzz/bin/fuzz_"$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=65536 \
    -print_final_stats=1 -artifact_prefix="build-fuzz/found/$target-" "build-fuzz/corpus/$target" \
    "tests/fuzz/corpus/$target" "build-fuzz/seeds/$target" >"build-fuzz/$target.log" 2>&1 || failed=1
  grep -E '^stat::number_of_executed_units|^stat::peak_rss|SUMMARY|broken promise|Assertion|Test unit written' \
    "build-fuzz/$target.log" || true
done
exit "$failed"
