#!/bin/sh
# What a user installs, from a finished build in build/: the Python package by pip into a virtual environment, and the
# small libxrun for boards. Both build the runtime once more, so this is no part of ctest. (The .debs and cmake --install
# are: consumer_deb, consumer_install.)
set -eu
cd "$(dirname "$0")/.."
tools/install_packages.sh tools/packages_test.txt
source=$PWD
mkdir -p build/tests/programs
build/bin/make_programs build/tests/programs
tests/api/small_test.sh "$source" "$source/build/tests/programs" "$source/build-small"
status=0
tests/api/pip_test.sh /usr/bin/python3 "$source" "$source/build/tests/programs" "$source/build-pip" || status=$?
[ "$status" -eq 0 ] || [ "$status" -eq 77 ]
