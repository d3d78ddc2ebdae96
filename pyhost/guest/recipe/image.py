"""Runs under the native CPython of the recipe: bytecode must be of the version that will load it.

    image.py compile FOLDER     bytecode beside the sources of FOLDER, a part of a tree .../lib/python3.13
    image.py pack TREE IMAGE    TREE's modules as an uncompressed zip for zipimport

Bytecode is unchecked: the image is read-only, and nothing is gained by looking at a source's time for each import.
The image holds X.pyc and X.py side by side. Entries are stored: the host maps the file, and reads cost no inflate.
"""
import compileall
import importlib.util
import marshal
import os
import re
import sys
import types
import zipfile
from pathlib import Path
from py_compile import PycInvalidationMode

GUEST_TREE = "/lib/python3.13"
GUEST_IMAGE = "/lib/python313.zip"
HEADER_BYTES = 16
# CPython's tests, among them files that are meant not to compile.
TESTS = re.compile(r"/(test|tests|idle_test)/")
EPOCH = (2025, 1, 1, 0, 0, 0)


def compile_folder(folder: Path) -> bool:
    root = next(path for path in (folder, *folder.parents) if path.name == "python3.13")
    return compileall.compile_dir(folder, maxlevels=20, rx=TESTS, workers=len(os.sched_getaffinity(0)), stripdir=root,
                                  prependdir=GUEST_TREE, invalidation_mode=PycInvalidationMode.UNCHECKED_HASH)


def relocated(code: types.CodeType, filename: str) -> types.CodeType:
    """The code as if compiled from `filename`, its nested functions too."""
    consts = tuple(relocated(item, filename) if isinstance(item, types.CodeType) else item for item in code.co_consts)
    return code.replace(co_filename=filename, co_consts=consts)


def bytecode(source: Path, name: str) -> bytes:
    data = Path(importlib.util.cache_from_source(str(source))).read_bytes()
    code = marshal.loads(data[HEADER_BYTES:])
    return data[:HEADER_BYTES] + marshal.dumps(relocated(code, f"{GUEST_IMAGE}/{name}"))


def modules(tree: Path):
    """(file, its name in the image), site-packages at the top."""
    for source in sorted(tree.rglob("*.py")):
        name = source.relative_to(tree).as_posix()
        if not TESTS.search(f"/{name}"):
            yield source, name.removeprefix("site-packages/")


def pack(tree: Path, image: Path) -> bool:
    with zipfile.ZipFile(image, "w", zipfile.ZIP_STORED) as archive:
        for source, name in modules(tree):
            archive.writestr(zipfile.ZipInfo(name + "c", EPOCH), bytecode(source, name))
            archive.writestr(zipfile.ZipInfo(name, EPOCH), source.read_bytes())
    return True


if __name__ == "__main__":
    verb, *paths = sys.argv[1:]
    done = {"compile": compile_folder, "pack": pack}[verb](*map(Path, paths))
    sys.exit(0 if done else 1)
