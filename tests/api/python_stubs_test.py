"""Type stubs: they have the names that the built module has and no others, and mypy --strict accepts the package and its use.
python_stubs_test.py PACKAGE_DIR; exit code 77 where mypy is not installed for the second part."""

import ast
import os
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
# What pybind11 gives to every enumeration beyond its values.
ENUM_EXTRAS = {"name", "value"}


def stub_names(path):
    """Classes of a stub with their members, and its other names under ''."""
    names = {"": set()}
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ClassDef):
            members = names[node.name] = set()
            for item in node.body:
                if isinstance(item, ast.FunctionDef):
                    members.add(item.name)
                elif isinstance(item, ast.AnnAssign):
                    members.add(item.target.id)
        elif isinstance(node, ast.AnnAssign):
            names[""].add(node.target.id)
    return names


def differences(stub, module):
    for name, members in stub.items():
        there = vars(module) if name == "" else vars(getattr(module, name, object))
        for member in sorted(members):
            if member not in there:
                yield f"the stub has {name}.{member}, the module has not"
        if name:
            for member in sorted(there):
                if not member.startswith("_") and member not in members | ENUM_EXTRAS:
                    yield f"the module has {name}.{member}, the stub has not"
    for name in vars(module):
        if not name.startswith("_") and name not in stub and name != "Error":
            yield f"the module has {name}, the stub has not"


def main():
    package = pathlib.Path(sys.argv[1]).resolve()
    sys.path.insert(0, str(package))
    import xrun._xrun
    wrong = list(differences(stub_names(package / "xrun" / "_xrun.pyi"), xrun._xrun))
    print("\n".join(wrong))
    if wrong:
        return 1
    try:
        import mypy  # noqa: F401
    except ImportError:
        print("skipped: mypy is not installed for", sys.executable)
        return 77
    with tempfile.TemporaryDirectory() as cache:
        env = {**os.environ, "MYPYPATH": str(package), "MYPY_CACHE_DIR": cache}
        mypy = [sys.executable, "-m", "mypy", "--strict"]
        for what in (["-p", "xrun"], [str(HERE / "python_typed.py")]):
            if subprocess.run(mypy + what, env=env, cwd=cache).returncode != 0:
                return 1
        # A mistake in use must be found, or the above says nothing.
        mistakes = pathlib.Path(cache) / "mistakes.py"
        mistakes.write_text("import xrun\nxrun.Session('x').run(None, 5)\nxrun.Session('x', in_flight='4')\n")
        found = subprocess.run(mypy + [str(mistakes)], env=env, cwd=cache, capture_output=True, text=True)
        if found.stdout.count("error:") != 2:
            print("mypy must find both mistakes:", found.stdout)
            return 1
    return 0


sys.exit(main())
