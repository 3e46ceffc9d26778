#!/bin/sh
# small_test.sh SOURCE PROGRAMS BUILD: libxrun for boards, built into BUILD without its CPU kernels: stripped it is below 1 MB,
# runs what needs none, and refuses the rest by name.
set -eu
source=$1 programs=$2 build=$3
cmake -S "$source" -B "$build" -G Ninja -DXRUN_RUNTIME_ONLY=ON -DXRUN_CPU_KERNELS=OFF -DBUILD_TESTING=OFF \
  -DXRUN_PYTHON=OFF -DCMAKE_BUILD_TYPE=MinSizeRel >/dev/null
cmake --build "$build" --target xrun >/dev/null
for component in libxrun libxrun-dev; do
  cmake --install "$build" --prefix "$build/prefix" --component $component --strip >/dev/null
done
library=$(find "$build/prefix" -name 'libxrun.so.0.*')
bytes=$(stat -c %s "$library")
echo "libxrun without CPU kernels, stripped: $bytes bytes"
[ "$bytes" -lt 1000000 ]
cmake -S "$source/tests/api/consumer" -B "$build/consumer" -G Ninja -DCMAKE_PREFIX_PATH="$build/prefix" >/dev/null
cmake --build "$build/consumer" >/dev/null
LD_LIBRARY_PATH=$(dirname "$library")
export LD_LIBRARY_PATH
"$build/consumer/consumer_c" "$programs/relu.xprog"
if "$build/consumer/consumer_c" "$programs/mixed.xprog" 2>"$build/refused"; then
  echo "a program with CPU steps must be refused"
  exit 1
fi
cat "$build/refused"
grep -q "mixed.xprog: node 'dequantize' (Dequantize): this libxrun was built without CPU kernels" "$build/refused"
