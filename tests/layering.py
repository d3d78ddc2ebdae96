#!/usr/bin/env python3
"""Checks that includes follow the layout's arrows: tests/layering.py [ROOT].

    tools -> pyhost -> {engine, io, store};  jit -> engine;  all -> base
    tools may include every layer; only jit/ includes asmjit, only io/ liburing and Boost.Context, only store/ zstd;
    tests/, bench/ and examples/ may include anything.

A planted arrow of every forbidden kind is looked for first: a checker that misses it fails.
"""
import pathlib
import re
import sys
import tempfile

ARROWS = {
    "base": set(),
    "engine": {"base"},
    "jit": {"base", "engine"},
    "io": {"base"},
    "store": {"base"},
    "pyhost": {"base", "engine", "io", "store"},
    "tools": {"base", "engine", "jit", "io", "store", "pyhost"},
}
FREE = {"tests", "bench", "examples"}
# Outside headers that belong to one layer.
OWNED = {"asmjit": "jit", "liburing": "io", "boost/context": "io", "zstd": "store", "zdict": "store", "lmdb": "store"}

INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]', re.MULTILINE)
SOURCES = {".cpp", ".hpp", ".h", ".c", ".cc", ".def", ".inc"}


def faults_of(folder, path, text):
    """The forbidden includes of one file, as (line, included, why)."""
    for match in INCLUDE.finditer(text):
        quote, target = match.groups()
        line = text.count("\n", 0, match.start(2)) + 1
        layer = target.split("/")[0]
        if quote == '"' and "/" in target and (layer in ARROWS or layer in FREE):
            if layer != folder and layer not in ARROWS[folder]:
                yield line, target, f"{folder}/ may not include {layer}/"
        elif quote == '"' and not target.startswith("../") and "/" not in target:
            if (path.parent / target).exists():
                yield line, target, "includes are written from the root of the tree"
        elif target.startswith("../"):
            yield line, target, "includes are written from the root of the tree"
        for prefix, owner in OWNED.items():
            if target == prefix or target.startswith((prefix + "/", prefix + ".", prefix + "_")):
                if folder != owner:
                    yield line, target, f"only {owner}/ may include {prefix}"


def check(root):
    """Every fault below root, as printable lines."""
    faults, files = [], 0
    for folder in ARROWS:
        for path in sorted((root / folder).rglob("*")):
            if path.suffix not in SOURCES or "guest" in path.relative_to(root).parts:
                continue  # pyhost/guest is compiled to wasm, against other headers
            files += 1
            text = path.read_text(encoding="utf-8", errors="replace")
            for line, target, why in faults_of(folder, path, text):
                faults.append(f"{path.relative_to(root)}:{line}: #include of {target}: {why}")
    return faults, files


def self_test():
    """Plants one include of every kind in a tree of its own; returns the kinds that check() got wrong."""
    planted = {
        ("engine", '"io/ring.hpp"'): False,
        ("engine", '"jit/jit.hpp"'): False,
        ("pyhost", '"jit/jit.hpp"'): False,
        ("pyhost", '"tests/support/file.hpp"'): False,
        ("jit", '"store/blob.hpp"'): False,
        ("base", '"engine/types.hpp"'): False,
        ("tools", "<asmjit/x86.h>"): False,
        ("pyhost", "<liburing.h>"): False,
        ("engine", "<boost/context/fiber.hpp>"): False,
        ("io", "<zstd.h>"): False,
        ("pyhost", "<lmdb.h>"): False,
        ("engine", '"../base/result.hpp"'): False,
        ("engine", '"engine/types.hpp"'): True,
        ("jit", "<asmjit/core.h>"): True,
        ("io", "<liburing.h>"): True,
        ("store", "<zstd.h>"): True,
        ("pyhost", '"store/blob.hpp"'): True,
        ("tools", '"jit/jit.hpp"'): True,
    }
    wrong = []
    for (folder, include), allowed in planted.items():
        with tempfile.TemporaryDirectory() as name:
            root = pathlib.Path(name)
            (root / folder).mkdir()
            (root / folder / "planted.cpp").write_text(f"// why\n#  include {include}\n")
            faults, _ = check(root)
            if (not faults) != allowed:
                wrong.append(f"self-test: {folder}/ includes {include}: allowed {allowed}, reported {faults}")
    return wrong


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent).resolve()
    faults = self_test()
    found, files = check(root)
    faults += found
    if not files:
        faults.append(f"no sources below {root}")
    print("\n".join(faults + [f"{files} files, {len(faults)} faults"]))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
