"""Runs under the native CPython of the recipe: bytecode must be of the version that will load it.

    image.py compile FOLDER     bytecode beside the sources of FOLDER, a part of a tree .../lib/python3.13
    image.py pack TREE IMAGE    TREE's modules as an uncompressed zip for zipimport
    image.py freeze LIB FOLDER  bytecode of the modules that boot.c freezes, as FOLDER/MODULE.bin

Bytecode is unchecked: the image is read-only, and nothing is gained by looking at a source's time for each import.
The image holds X.pyc and X.py side by side, and first its own directory in zipimport's form (boot.c). Entries are stored: the
host maps the file, and reads cost no inflate.
"""
import compileall
import importlib.util
import marshal
import os
import re
import sys
import types
import zipfile
import zipimport
from pathlib import Path
from py_compile import PycInvalidationMode

SCRIPT = Path(__file__).resolve()
GUEST_TREE = "/lib/python3.13"
GUEST_IMAGE = "/lib/python313.zip"
HEADER_BYTES = 16
# CPython's tests, among them files that are meant not to compile.
TESTS = re.compile(r"/(test|tests|idle_test)/")
FROZEN = ("encodings", "encodings.aliases", "encodings.utf_8", "linecache")
DIRECTORY_NAME = "zip-directory"
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


def write_zip(image: Path, entries: list[tuple[str, bytes]], directory: bytes) -> None:
    with zipfile.ZipFile(image, "w", zipfile.ZIP_STORED) as archive:
        for name, data in ((DIRECTORY_NAME, directory), *entries):
            archive.writestr(zipfile.ZipInfo(name, EPOCH), data)


def directory_of(image: Path) -> bytes:
    """What zipimport makes of the image's directory, under the path that the guest sees."""
    def seen_by_guest(entry: tuple) -> tuple:
        return (entry[0].replace(str(image), GUEST_IMAGE, 1), *entry[1:])

    found = zipimport._read_directory(str(image))
    return marshal.dumps({name: seen_by_guest(entry) for name, entry in found.items() if name != DIRECTORY_NAME})


def pack(tree: Path, image: Path) -> bool:
    entries = []
    for source, name in modules(tree):
        entries += [(name + "c", bytecode(source, name)), (name, source.read_bytes())]
    # The directory holds offsets that lie behind it: the first of the three passes finds its size, the second its contents.
    write_zip(image, entries, b"")
    size = len(directory_of(image))
    write_zip(image, entries, bytes(size))
    directory = directory_of(image)
    write_zip(image, entries, directory)
    return len(directory) == size


def freeze(lib: Path, folder: Path) -> bool:
    for module in FROZEN:
        source = lib / module.replace(".", "/")
        source = source / "__init__.py" if source.is_dir() else source.with_suffix(".py")
        code = compile(source.read_bytes(), f"{GUEST_IMAGE}/{source.relative_to(lib)}", "exec", dont_inherit=True, optimize=0)
        (folder / f"{module}.bin").write_bytes(marshal.dumps(code))
    return True


if __name__ == "__main__":
    verb, *paths = sys.argv[1:]
    done = {"compile": compile_folder, "pack": pack, "freeze": freeze}[verb](*map(Path, paths))
    sys.exit(0 if done else 1)
