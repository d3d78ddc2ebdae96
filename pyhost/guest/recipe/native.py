"""CPython's source tree, and a native build of it: cross-building CPython runs a CPython of the same version."""
import os
import shutil
from pathlib import Path

from .runner import Context, Source, Step

VERSION = "3.13.5"
SHORT = "3.13"
CHECKS = 755  # of configure, for its progress

PYTHON = Source(
    "CPython", f"python3.13_{VERSION}.orig.tar.xz",
    "93e583f243454e6e9e4588ca2c2662206ad961659863277afcdb96801647d640", "KRAIT_PYTHON_TARBALL",
    ("source", "--download-only", "--tar-only", "python3.13"),
    f"https://www.python.org/ftp/python/{VERSION}/Python-{VERSION}.tar.xz")


def ccache() -> str:
    return "ccache" if shutil.which("ccache") else ""


def configure_from(folder: Path) -> str:
    """configure's path as the build sees it: relative, so that no product holds the path of this machine's cache."""
    return os.path.relpath(SOURCE.path / "configure", folder)


def _unpack(context: Context, folder: Path) -> None:
    context.run("unpacking", ["tar", "--strip-components=1", "-xf", context.download(PYTHON)], folder)


def _build(context: Context, folder: Path) -> None:
    env = {"CC": f"{ccache()} gcc".strip(), "OPT": "-O1 -g0 -DNDEBUG"}
    context.run("configure: checks", [configure_from(folder), "--without-ensurepip", "--disable-test-modules"], folder, env,
                count="^checking", total=CHECKS)
    context.make("compile", ["python", "sharedmods"], folder, env)
    for path in folder.rglob("*.o"):
        path.unlink()


_HERE = (Path(__file__).resolve(),)
SOURCE = Step("source", "CPython's source", _unpack, inputs=(), sources=(PYTHON,), disk=250)
STEP = Step("native", "native CPython, for the cross build", _build, inputs=_HERE, after=(SOURCE,), disk=400)
