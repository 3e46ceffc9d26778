#!/bin/sh
# pip_test.sh PYTHON SOURCE PROGRAMS SCRATCH: `pip install` of the package into a fresh virtual environment, offline, and
# its test from there. 77 where the environment cannot be made.
set -eu
python=$1 source=$2 programs=$3 scratch=$4
if ! "$python" -c 'import ensurepip, setuptools, wheel, numpy' 2>/dev/null; then
  echo "skipped: $python lacks venv, setuptools, wheel or numpy"
  exit 77
fi
rm -rf "$scratch"
"$python" -m venv --system-site-packages "$scratch/venv"
"$scratch/venv/bin/pip" install --quiet --no-index --no-build-isolation --disable-pip-version-check "$source/runtime/python"
cd "$scratch"
"$scratch/venv/bin/python" -c 'import xrun; assert xrun.__file__.startswith("'"$scratch"'"), xrun.__file__'
if ldd "$scratch"/venv/lib/python3*/site-packages/xrun/_xrun*.so | grep -q libxrun; then
  echo "the module must stand alone"
  exit 1
fi
"$scratch/venv/bin/python" "$source/tests/api/python_test.py" "$programs"
