"""Faasm's own commands over the krait tool, for Debian's python3-invoke: `inv --list`.

    inv func                          build the Python runtime
    inv func.upload                   make the runtime ready for calls
    inv func.uploadpy hello           keep examples/hello.py as the function python/hello
    inv func.upload-all               the same for every example
    inv func.invoke python hello      call it
"""
import os
import pathlib
import shutil
import subprocess
import sys

from invoke import Collection, Exit, task

ROOT = pathlib.Path(__file__).resolve().parent
FOLDERS = (ROOT / "func" / "python", ROOT / "examples")  # Faasm's place for functions, and ours
USER = "python"
ENTRY = "def faasm_main("


def krait():
    """The command: $KRAIT, else the build's, else the one on PATH."""
    built = ROOT / "build" / "tools" / "krait"
    found = os.environ.get("KRAIT") or (str(built) if built.exists() else shutil.which("krait"))
    if not found:
        raise Exit("krait is not built: run tools/quickstart", code=1)
    return found


def run(*command):
    """Runs a command with our own streams (functions' outputs are bytes, not text); its failure ends the task with its status."""
    sys.stdout.flush()
    status = subprocess.run([str(word) for word in command], cwd=ROOT).returncode
    if status:
        raise Exit(code=status)


def source_of(name):
    for folder in FOLDERS:
        path = folder / f"{name}.py"
        if path.is_file():
            return path
    raise Exit(f"no {name}.py in {' or '.join(str(folder) for folder in FOLDERS)}", code=1)


@task(default=True)
def build(context):
    """Build the Python runtime (CPython for wasm) into the cache; quick when it is there."""
    run(ROOT / "pyhost" / "guest" / "build")


@task
def upload(context):
    """Build the runtime where it is missing, and start it once, to see that it is whole and print its version.

    There is no server to upload it to: krait finds it in the cache.
    """
    build(context)
    run(krait(), "run", ROOT / "tools" / "python-version.py")


@task
def uploadpy(context, name):
    """Upload func/python/NAME.py or examples/NAME.py as the function python/NAME."""
    run(krait(), "upload", USER, name, source_of(name))


@task
def upload_all(context):
    """Upload every function of func/python and examples."""
    names = {path.stem for folder in FOLDERS for path in folder.glob("*.py") if ENTRY in path.read_text()}
    for name in sorted(names):
        uploadpy(context, name)


@task(help={"input-data": "The function's input, as text"})
def invoke(context, user, name, input_data=None):
    """Call a function: its output goes to stdout, its prints to stderr."""
    run(krait(), "invoke", user, name, *(["--input", input_data] if input_data is not None else []))


namespace = Collection(func=Collection(build, upload, uploadpy, upload_all, invoke))
