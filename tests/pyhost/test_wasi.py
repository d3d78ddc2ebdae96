"""Compiles the programs of wasi/ and compares what they print with the comment at their head.

A head is one line that says what is tested, then any of
    // options: ...    of `krait run`; FOLDER is the scene's folder
    // args: ...
    // stdin: ...      a Python string literal
    // status: N
and `// prints:`, the expected output, each line behind `//   `. Runs without arguments: all programs; --update writes the
heads anew, to be read before they are committed. Skipped (77) where there is no compiler for WASI.
"""
import ast
import glob
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
KRAIT = os.environ.get("KRAIT", str(HERE.parents[1] / "build" / "tools" / "krait"))
SKIPPED = 77


def compiler():
    """The compiler's command line: Debian's wasi-libc, or the sysroot that the Python runtime was built with."""
    clang = shutil.which("clang-19") or shutil.which("clang")
    if not clang:
        return None
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    sysroots = [[]] + [["--sysroot=" + path] for path in sorted(glob.glob(cache + "/krait/toolchain-*[0-9a-f]/sysroot"))]
    for sysroot in sysroots:
        command = [clang, "--target=wasm32-wasi", "-O1", "-g", "-Wall", "-Wno-unused-result", *sysroot]
        with tempfile.TemporaryDirectory() as folder:
            probe = subprocess.run([*command, "-x", "c", "-", "-o", folder + "/probe"], capture_output=True,
                                   input=b"#include <stdio.h>\nint main(void) { return 0; }")
        if probe.returncode == 0:
            return command
    return None


class Program:
    """A program and what its head says of it."""

    def __init__(self, path):
        self.path, self.keys, self.prints = path, {}, ""
        lines = path.read_text().splitlines(keepends=True)
        end = next(i for i, line in enumerate(lines) if not line.startswith("//"))
        self.body = "".join(lines[end:])
        self.purpose, head, printing = lines[0] if end else "// \n", lines[1:end], False
        for line in head:
            text = line[2:].rstrip("\n")
            if printing:
                self.prints += text[3:] + "\n"
            elif text.strip() == "prints:":
                printing = True
            else:
                key, _, value = text.partition(":")
                self.keys[key.strip()] = value.strip()

    def update(self, output):
        keys = "".join(f"// {key}: {value}\n" for key, value in self.keys.items())
        prints = "".join(f"//   {line}".rstrip() + "\n" for line in output.splitlines())
        self.path.write_text(f"{self.purpose}{keys}// prints:\n{prints}{self.body}")


class Scene:
    """A folder shown as /, one shown read-only as /more, and a secret beside them that links in / point to."""

    def __enter__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="krait-wasi-"))
        (self.folder / "root").mkdir()
        (self.folder / "more").mkdir()
        (self.folder / "more" / "inside").write_text("inside")
        (self.folder / "secret").write_text("secret")
        (self.folder / "root" / "host-link").symlink_to(self.folder / "secret")
        (self.folder / "root" / "host-root").symlink_to("/")
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.folder)

    def intact(self):
        """Nothing outside of the mounted folders was made, changed or removed."""
        names = sorted(path.name for path in self.folder.iterdir())
        return names == ["more", "program.wasm", "root", "secret"] and (self.folder / "secret").read_text() == "secret"


def run(program, command):
    with Scene() as scene:
        wasm = scene.folder / "program.wasm"
        subprocess.run([*command, str(program.path), "-o", str(wasm)], check=True)
        options = shlex.split(program.keys.get("options", "").replace("FOLDER", str(scene.folder)))
        words = [KRAIT, "run", "--dir", f"{scene.folder}/root::/", *options, str(wasm), *shlex.split(program.keys.get("args", ""))]
        stdin = ast.literal_eval(program.keys.get("stdin", "''")).encode()
        result = subprocess.run(words, input=stdin, capture_output=True, timeout=120)
        return result.returncode, result.stdout.decode(), result.stderr.decode(), scene.intact()


class Wasi(unittest.TestCase):
    maxDiff = None


def add_test(program, command):
    def test(self):
        status, output, errors, intact = run(program, command)
        self.assertEqual(output, program.prints, errors)
        self.assertEqual(status, int(program.keys.get("status", "0")), errors)
        for words in filter(None, [program.keys.get("stderr")]):
            self.assertIn(words, errors)
        self.assertTrue(intact, "something outside of the mounted folders changed")

    setattr(Wasi, "test_" + program.path.stem, test)


if __name__ == "__main__":
    clang = compiler()
    if not clang:
        print("no compiler for WASI: install wasi-libc and libclang-rt-19-dev-wasm32")
        sys.exit(SKIPPED)
    update = "--update" in sys.argv
    chosen = [word for word in sys.argv[1:] if not word.startswith("-")]
    for path in sorted((HERE / "wasi").glob("*.c")):
        if chosen and path.stem not in chosen:
            continue
        if update:
            Program(path).update(run(Program(path), clang)[1])
        else:
            add_test(Program(path), clang)
    if not update:
        unittest.main(argv=sys.argv[:1])
