"""Builds the extension with the repository's CMake, libxrun inside, so that the package stands alone."""

import os
import pathlib
import re
import shlex
import subprocess
import sys

import setuptools
from setuptools.command.build_ext import build_ext

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
VERSION = re.search(r"project\(xrun VERSION ([0-9.]+)", (ROOT / "CMakeLists.txt").read_text()).group(1)


class CMakeBuild(build_ext):

    def build_extension(self, ext: setuptools.Extension) -> None:
        build = ROOT / "build-python"  # beside the project's own: the compiler cache knows the command lines
        subprocess.run([
            "cmake", "-S", ROOT, "-B", build, "-G", "Ninja", "-DXRUN_RUNTIME_ONLY=ON", "-DXRUN_PYTHON=ON",
            "-DXRUN_PYTHON_STATIC=ON", "-DBUILD_TESTING=OFF", f"-DPython_EXECUTABLE={sys.executable}",
            *shlex.split(os.environ.get("CMAKE_ARGS", ""))
        ], check=True, stdout=subprocess.DEVNULL)
        subprocess.run(["cmake", "--build", build, "--target", "_xrun"], check=True, env=os.environ)
        target = pathlib.Path(self.get_ext_fullpath(ext.name))
        target.parent.mkdir(parents=True, exist_ok=True)
        self.copy_file(str(build / "python" / "xrun" / target.name), str(target))


setuptools.setup(version=VERSION,
                 ext_modules=[setuptools.Extension("xrun._xrun", sources=[])],
                 cmdclass={"build_ext": CMakeBuild})
