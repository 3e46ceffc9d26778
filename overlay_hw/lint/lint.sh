#!/bin/sh
# The lints over the overlay: lint.sh [CONFIG]. Exit code 0 clean, 1 findings, 77 clang-16 or opt-16 is missing.
set -u
cd "$(dirname "$0")/../.." || exit 1
config=${1:-B512}
flags="-D__SYNTHESIS__ -DXRUN_HW_CONFIG=$config -I. -Ioverlay_hw/lint/include"
engines="--top xrun_fetch_load --top xrun_fetch_conv --top xrun_fetch_vector --top xrun_fetch_save --top xrun_load
  --top xrun_conv --top xrun_vector --top xrun_save --top xrun_ring"
worst=0
run() {
  "$@"
  code=$?
  [ $code -gt $worst ] && worst=$code
}
# shellcheck disable=SC2086  # lists of words
run python3 overlay_hw/lint/synth_lint.py $engines --top xrun_control overlay_hw/lint/all.cpp -- $flags
# shellcheck disable=SC2086
run python3 overlay_hw/lint/pragma_lint.py $engines overlay_hw/tops.cpp -- $flags
# shellcheck disable=SC2086
run python3 overlay_hw/lint/pragma_lint.py --kind control --top xrun_control overlay_hw/tops.cpp -- $flags
# The open tool's top: its other form is no branch for Vitis, but how its interface pragmas are written is judged in all.
# shellcheck disable=SC2086
run python3 overlay_hw/lint/pragma_lint.py --kind control --top xrun_overlay_sequential overlay_hw/sequential_top.cpp -- $flags -DXRUN_HW_SEQUENTIAL
# shellcheck disable=SC2086
run python3 overlay_hw/lint/pragma_lint.py overlay_hw/sequential.cpp -- $flags -DXRUN_HW_SEQUENTIAL
for file in control conv fetch load save vector; do
  # shellcheck disable=SC2086
  run python3 overlay_hw/lint/pragma_lint.py overlay_hw/$file.cpp -- $flags
done
run python3 overlay_hw/lint/pipeline_lint.py --table overlay_hw/README.md overlay_hw/*.h overlay_hw/*.cpp
exit $worst
