#!/bin/sh
# The lints over the overlay: lint.sh [CONFIG | pragmas ...], by default every configuration of configs.def, and the
# pragmas, which are the same for all. Configurations of configs/ are judged in two forms: as engines of their own, and
# as the sequential top, which is what the open tool takes.
# Exit code 0 clean, 1 findings, 77 clang-16 or opt-16 is missing.
set -u
cd "$(dirname "$0")/../.." || exit 1
engines="--top xrun_fetch_load --top xrun_fetch_conv --top xrun_fetch_vector --top xrun_fetch_save --top xrun_load
  --top xrun_conv --top xrun_vector --top xrun_save --top xrun_ring"
sequential="--top xrun_overlay_sequential"
worst=0

# lint KIND arguments...: one of the lints.
lint() {
  kind=$1
  shift
  python3 "overlay_hw/lint/${kind}_lint.py" "$@"
  code=$?
  [ $code -le $worst ] || worst=$code
}

# forms CONFIG: the flags of the three forms of the source.
forms() {
  flags="-DXRUN_HW_CONFIG=$1 -I. -Ioverlay_hw/lint/include"
  vitis="-D__SYNTHESIS__ $flags"
  vitis_sequential="$vitis -DXRUN_HW_SEQUENTIAL"
  open="-D__BAMBU__ $flags"
}

# shellcheck disable=SC2086  # lists of words
configuration() {
  forms "$1"
  echo "$1"
  lint synth $engines --top xrun_control overlay_hw/lint/all.cpp -- $vitis
  [ -e "overlay_hw/configs/$1.json" ] || return
  lint synth $sequential overlay_hw/lint/all_sequential.cpp -- $open
  # Vitis is given the engines; this top has to stay one that it would take.
  lint synth $sequential overlay_hw/lint/all_sequential.cpp -- $vitis_sequential
}

# shellcheck disable=SC2086
pragmas() {
  forms B512
  lint pragma $engines overlay_hw/tops.cpp -- $vitis
  lint pragma --kind control --top xrun_control overlay_hw/tops.cpp -- $vitis
  for file in control conv fetch load save vector; do
    lint pragma overlay_hw/$file.cpp -- $vitis
  done
  lint pragma --kind control $sequential overlay_hw/sequential_top.cpp -- $vitis_sequential
  lint pragma --kind open $sequential overlay_hw/sequential_top.cpp -- $open
  for file in conv load save sequential vector; do
    lint pragma overlay_hw/$file.cpp -- $vitis_sequential
    lint pragma --kind open overlay_hw/$file.cpp -- $open
  done
  lint pipeline --table overlay_hw/README.md overlay_hw/*.h overlay_hw/*.cpp
}

# shellcheck disable=SC2046
[ $# -gt 0 ] || set -- $(sed -n 's/^XRUN_HW_CONFIGURATION(\([A-Za-z0-9_]*\),.*/\1/p' overlay_hw/configs.def) pragmas
for what in "$@"; do
  if [ "$what" = pragmas ]; then
    pragmas
  else
    configuration "$what"
  fi
done
exit $worst
