"""The standard library, as a tree and as one image, and the folder that holds everything which krait needs.

RUNTIME/python.wasm          CPython as a WASI command; wants stdlib/ as /lib
RUNTIME/python-reactor.wasm  CPython as a reactor; wants python313.zip as /lib/python313.zip
RUNTIME/stdlib/python3.13/   sources, bytecode and CPython's own tests; pyfaasm in its site-packages
RUNTIME/python313.zip        the image: bytecode and sources, without the tests, pyfaasm included
RUNTIME/lib-dynload/         the library's C extensions; krait shows them as /lib/python3.13/lib-dynload
RUNTIME/bin, include         what builds others (extensions.py)
"""
import os
import shutil
from pathlib import Path

from . import cpython, extensions, image, native, reactor
from .runner import Context, GUEST, Step

PYFAASM = GUEST / "pyfaasm" / "pyfaasm"
ASYNCIO = GUEST / "asyncio" / "wasi_events.py"
# They need tk, a terminal or pip's wheel.
LEFT_OUT = ("idlelib", "tkinter", "turtledemo", "ensurepip", "__phello__", "turtle.py", "__pycache__")


def _python(context: Context, what: str, *arguments: object, cwd: Path, total: int = 0) -> None:
    context.run(what, [native.STEP.path / "python", "-E", image.SCRIPT, *arguments], cwd, count="^Compiling", total=total)


def _stdlib(context: Context, folder: Path) -> None:
    tree = folder / "python3.13"
    shutil.copytree(native.SOURCE.path / "Lib", tree, ignore=shutil.ignore_patterns(*LEFT_OUT))
    build = (cpython.STEP.path / "pybuilddir.txt").read_text().strip()
    for data in (cpython.STEP.path / build).glob("_sysconfigdata*.py"):
        shutil.copy(data, tree)
    (tree / "lib-dynload").mkdir()
    (tree / "site-packages").mkdir(exist_ok=True)
    total = sum(1 for path in tree.rglob("*.py") if "test" not in path.parts)
    _python(context, "bytecode: files", "compile", tree, cwd=folder, total=total)


def _hardlink(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _asyncio(folder: Path) -> None:
    """Makes our event loop the default one: asyncio picks its own by the platform's name."""
    shutil.copy(ASYNCIO, folder)
    init = folder / "__init__.py"
    text = init.read_text()
    changed = text.replace("from .unix_events import *", "from .wasi_events import *").replace("unix_events.__all__", "wasi_events.__all__")
    if changed.count("wasi_events") != 2:
        raise RuntimeError(f"{init} does not choose its event loop as it used to: see pyhost/guest/recipe/runtime.py")
    init.unlink()  # a hard link to another step's
    init.write_text(changed)


def _runtime(context: Context, folder: Path) -> None:
    _hardlink(cpython.STEP.path / "python.wasm", folder / "python.wasm")
    _hardlink(reactor.STEP.path / "python-reactor.wasm", folder / "python-reactor.wasm")
    tree = folder / "stdlib" / "python3.13"
    shutil.copytree(STDLIB.path / "python3.13", tree, copy_function=_hardlink)
    for part in ("lib-dynload", "bin", "include"):
        shutil.copytree(extensions.STEP.path / part, folder / part, copy_function=_hardlink)
    package = tree / "site-packages" / "pyfaasm"
    shutil.copytree(PYFAASM, package, ignore=shutil.ignore_patterns("__pycache__"))
    _asyncio(tree / "asyncio")
    for changed in (package, tree / "asyncio"):
        _python(context, "bytecode", "compile", changed, cwd=folder)
    _python(context, "image", "pack", tree, folder / "python313.zip", cwd=folder)


_INPUTS = (Path(__file__).resolve(), image.SCRIPT)
STDLIB = Step("stdlib", "standard library", _stdlib, inputs=_INPUTS, after=(native.SOURCE, native.STEP, cpython.STEP), disk=150)


def step() -> Step:
    """The goal. Its inputs include pyfaasm's files as they are now."""
    package = tuple(sorted(path for path in PYFAASM.rglob("*") if path.is_file() and "__pycache__" not in path.parts))
    return Step("runtime", "runtime", _runtime, inputs=(*_INPUTS, *package, ASYNCIO), after=(STDLIB, cpython.STEP, reactor.STEP, extensions.STEP), disk=50)
