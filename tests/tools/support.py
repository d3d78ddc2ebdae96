"""What the tests of the tools share. $KRAIT is the command under test; without a Python runtime a test that needs one exits with
77, which meson takes for skipped. $KRAIT_TEST_ENGINE is the engine that the tests run with.
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
KRAIT = os.path.abspath(os.environ.get("KRAIT", ROOT / "build" / "tools" / "krait"))
ENGINE = os.environ.get("KRAIT_TEST_ENGINE")
SKIPPED = 77


class KraitTest(unittest.TestCase):
    """A folder and a store of its own for each test."""

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="krait test "))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.home = self.folder / "home"
        self.environment = {**os.environ, "KRAIT_HOME": str(self.home)}

    def krait(self, *words, stdin=b"", env=None, cwd=None):
        """Runs krait; a result with bytes in stdout, and text in stderr."""
        if ENGINE and words and words[0] in ("upload", "invoke", "run"):
            words = (words[0], "--engine", ENGINE, *words[1:])
        result = subprocess.run([KRAIT, *map(str, words)], input=stdin, capture_output=True, timeout=300,
                                env={**self.environment, **(env or {})}, cwd=cwd or self.folder)
        result.stderr = result.stderr.decode(errors="replace")
        return result

    def ok(self, *words, **how):
        result = self.krait(*words, **how)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result

    def fails(self, status, text, *words, **how):
        """One line on stderr, with `text` in it, and nothing on stdout."""
        result = self.krait(*words, **how)
        self.assertEqual(result.returncode, status, result.stderr)
        self.assertIn(text, result.stderr)
        self.assertEqual(result.stderr.count("\n"), 1, result.stderr)
        self.assertEqual(result.stdout, b"")
        return result

    def file(self, name, contents):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(contents if isinstance(contents, bytes) else contents.encode())
        return path

    def module(self, name, text):
        """A wasm module from its text form."""
        source, path = self.file(name + ".wat", text), self.folder / (name + ".wasm")
        subprocess.run(["wat2wasm", "--enable-all", str(source), "-o", str(path)], check=True)
        return path


def need_runtime():
    if subprocess.run([KRAIT, "paths", "reactor"], capture_output=True).returncode != 0:
        print("skipped: the Python runtime is not built (pyhost/guest/build)")
        sys.exit(SKIPPED)


def need_programs(*programs):
    missing = [program for program in programs if not shutil.which(program)]
    if missing:
        print(f"skipped: not found: {' '.join(missing)}")
        sys.exit(SKIPPED)
