#!/bin/sh
# sanitized.sh thread|address [REQUESTS]: 8 threads with 4 requests in flight each, REQUESTS in all [10000], under a
# sanitizer: on the simulator, on the overlay's own source (a fiftieth of the requests: it is slow) and through XRT on the
# stand-in board with one unit and with four. Every output is compared. Takes build/ for xcompile and make_xclbin, and
# builds build-tsan/ or build-asan/. 10,000 requests take minutes each.
set -eu
cd "$(dirname "$0")/../.."
requests=${2:-10000}
case ${1:-} in
  thread) build=build-tsan sanitizers=thread ;;
  address) build=build-asan sanitizers=address,undefined ;;
  *)
    echo "usage: $0 thread|address [REQUESTS]" >&2
    exit 2
    ;;
esac
if ! [ -x build/bin/xcompile ]; then tools/build.sh build; fi
cmake -S . -B "$build" -G Ninja -DXRUN_SANITIZE=$sanitizers >/dev/null
programs=$build/device_programs/many
tests/device/run.py --bin build/bin --device sim:B512 --programs "$programs" --compile-only
targets="device_test xrun_csim_B512" devices="sim:B512 csim:B512"
if [ -x build/bin/make_xclbin ]; then
  targets="$targets xrun_stand_in"
  for units in 1 4; do
    xclbin=$PWD/$programs/B512_$units.xclbin
    build/bin/make_xclbin --arch B512 --units $units --bank-bytes 134217728 -o "$xclbin"
    devices="$devices xrt:0,xclbin=$xclbin"
  done
else
  echo "skipped: XRT and the stand-in board, build/bin/make_xclbin is not there"
fi
# shellcheck disable=SC2086  # lists of words
cmake --build "$build" --target $targets
XILINX_XRT=$PWD/$build/stand_in_board
export XILINX_XRT
for device in $devices; do
  count=$requests
  case $device in csim*) count=$((requests / 50 > 64 ? requests / 50 : 64)) ;; esac
  start=$(date +%s)
  XRUN_TEST_REQUESTS=$count tests/device/run.py --bin $build/bin --device "$device" --programs "$programs" \
    -- --gtest_brief=1 --gtest_filter='NetworkTest.ManyRequestsAtATime'
  echo "$device: $count requests, clean, $(($(date +%s) - start)) s"
done
