#!/bin/sh
# The runtime for a board's processor: cross-compiled with Debian's compiler and arm64 packages into build-aarch64, and its
# tests run under qemu-user. First time: adds the architecture arm64 to dpkg and installs tools/packages_aarch64.txt (root
# or sudo). 77 where the machine is no Debian for amd64 or has no arm64 packages.
#   tools/test_aarch64.sh [CTEST OPTION ...]
set -eu
cd "$(dirname "$0")/.."
if [ "$(dpkg --print-architecture 2>/dev/null)" != amd64 ]; then
  echo "skipped: cross-compiling is set up for Debian on amd64 only"
  exit 77
fi
root=
[ "$(id -u)" -eq 0 ] || root=sudo
if ! dpkg --print-foreign-architectures | grep -qx arm64; then
  $root dpkg --add-architecture arm64
fi
tools/install_packages.sh
if ! tools/install_packages.sh tools/packages_aarch64.txt; then
  echo "skipped: Debian's arm64 packages cannot be installed here"
  exit 77
fi
cmake -S . -B build-aarch64 -G Ninja -DCMAKE_TOOLCHAIN_FILE=tools/aarch64.cmake -DXRUN_RUNTIME_ONLY=ON -DXRUN_PYTHON=OFF >/dev/null
cmake --build build-aarch64
file=build-aarch64/runtime/libxrun.so.0
readelf -h "$file" | grep -q AArch64 || { echo "$file is not for aarch64"; exit 1; }
# Slower than the processor by far: the interpreter's largest odd shapes, which repeat the same code, are left to amd64.
ctest --test-dir build-aarch64 --output-on-failure --no-tests=error -j "$(nproc)" \
  -E 'ExecuteTest.*/odd(64x32|16x20|5x24)' "$@"
