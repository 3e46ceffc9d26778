#!/bin/sh
# consumer_test.sh install|deb BUILD SOURCE PROGRAMS SCRATCH: a project outside the tree against what this build installs, found
# by CMake and by pkg-config. `install`: cmake --install; `deb`: the unpacked .debs, and what they say of themselves.
set -eu
kind=$1 build=$2 source=$3 programs=$4 scratch=$5
rm -rf "$scratch"
mkdir -p "$scratch"
case $kind in
  install)
    prefix=$scratch/prefix
    for component in libxrun libxrun-dev; do
      cmake --install "$build" --prefix "$prefix" --component "$component" >"$scratch/install.log"
    done
    # It must stand anywhere.
    mv "$prefix" "$scratch/moved"
    prefix=$scratch/moved
    ;;
  deb)
    command -v dpkg-shlibdeps >/dev/null || { echo "skipped: no dpkg-dev"; exit 77; }
    (cd "$build" && cpack -G DEB -B "$scratch/debs" >"$scratch/cpack.log" 2>&1) || { cat "$scratch/cpack.log"; exit 1; }
    for name in libxrun libxrun-dev xrun-tools; do
      deb=$(ls "$scratch"/debs/"$name"_*.deb)
      dpkg-deb -x "$deb" "$scratch/tree"
      dpkg-deb -I "$deb" | grep -q "^ Package: $name\$"
    done
    dpkg-deb -f "$scratch"/debs/libxrun_*.deb Depends | grep -q 'libc6'
    dpkg-deb -f "$scratch"/debs/libxrun-dev_*.deb Depends | grep -q '^libxrun (= '
    prefix=$scratch/tree/usr
    "$prefix/bin/xobjdump" "$programs/relu.xprog" -f | grep -q B512
    ;;
esac
libdir=$(dirname "$(find "$prefix" -name libxrun.so.0)")
objdump -p "$libdir/libxrun.so.0" | grep -q 'SONAME *libxrun.so.0$'
# Nothing leaves the library but the API.
leaks=$(nm -DC --defined-only "$libdir/libxrun.so.0" | grep -v -e ' xrun_' -e 'xrun::api::' -e 'xrun::internal::' -e ' A XRUN_' || true)
[ -z "$leaks" ] || { echo "symbols that must be hidden: $leaks"; exit 1; }
if [ "$kind" = deb ] && ls "$scratch"/debs/python3-xrun_*.deb >/dev/null 2>&1; then
  dpkg-deb -x "$scratch"/debs/python3-xrun_*.deb "$scratch/tree"
  dpkg-deb -f "$scratch"/debs/python3-xrun_*.deb Depends | grep -q 'python3-numpy'
  if /usr/bin/python3 -c 'import numpy' 2>/dev/null; then
    LD_LIBRARY_PATH=$libdir PYTHONPATH=$prefix/lib/python3/dist-packages PYTHONDONTWRITEBYTECODE=1 \
      /usr/bin/python3 "$source/tests/api/python_test.py" "$programs" 2>"$scratch/python.log" || { cat "$scratch/python.log"; exit 1; }
  fi
fi
for how in OFF ON; do
  PKG_CONFIG_PATH=$libdir/pkgconfig cmake -S "$source/tests/api/consumer" -B "$scratch/consumer_$how" -G Ninja \
    -DCMAKE_PREFIX_PATH="$prefix" -DWITH_PKG_CONFIG=$how -DCMAKE_BUILD_TYPE=Release >"$scratch/configure.log" 2>&1 ||
    { cat "$scratch/configure.log"; exit 1; }
  cmake --build "$scratch/consumer_$how" >"$scratch/build.log" || { cat "$scratch/build.log"; exit 1; }
  for program in consumer_cpp consumer_c; do
    LD_LIBRARY_PATH=$libdir "$scratch/consumer_$how/$program" "$programs/relu.xprog"
  done
done
# A version that is not there is refused.
if cmake -S "$source/tests/api/consumer" -B "$scratch/newer" -G Ninja -DCMAKE_PREFIX_PATH="$prefix" \
  -DCMAKE_PROJECT_INCLUDE="$source/tests/api/consumer/newer.cmake" >"$scratch/newer.log" 2>&1; then
  echo "find_package(xrun 0.99) must fail"
  exit 1
fi
grep -q 'version "0.99"' "$scratch/newer.log"
