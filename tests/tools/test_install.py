"""`meson install`, and a program that embeds the engine, built against what it installed: test_install.py BUILD_FOLDER"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest
from concurrent.futures import ThreadPoolExecutor

from support import ROOT, need_programs

BUILD = pathlib.Path(sys.argv.pop(1))


class Install(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="krait-install-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        subprocess.run(["meson", "install", "-C", BUILD, "--no-rebuild", "--quiet", "--destdir", cls.folder], check=True)
        pc = next(cls.folder.rglob("krait.pc"))
        prefix = next(line for line in pc.read_text().splitlines() if line.startswith("prefix="))[len("prefix="):]
        flags = subprocess.run(["pkg-config", f"--define-variable=prefix={cls.folder}{prefix}", "--cflags", "--libs", "krait"],
                               env={**os.environ, "PKG_CONFIG_PATH": str(pc.parent)}, check=True, capture_output=True, text=True)
        cls.flags = flags.stdout.split()
        cls.include = next(path.parent for path in cls.folder.rglob("krait") if path.parent.name == "include")

    def compile(self, *words):
        done = subprocess.run(["c++", *map(str, words)], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_the_embedding_example(self):
        program = self.folder / "embed"
        self.compile(ROOT / "examples" / "embed" / "embed.cpp", *self.flags, "-o", program)
        ran = subprocess.run([program], capture_output=True, text=True, timeout=60)
        self.assertEqual(ran.returncode, 0, ran.stderr)
        lines = ran.stdout.splitlines()
        self.assertEqual(lines[:3], ["guest says 252", "average: 42", "guest says 252"])
        self.assertIn("trap: integer divide by zero", lines[3])
        self.assertIn("average", "\n".join(lines[3:]))  # the backtrace

    def test_every_header_compiles_alone(self):
        headers = sorted((self.include / "krait").rglob("*.hpp"))
        self.assertGreater(len(headers), 8)
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda header: self.compile("-fsyntax-only", "-Wall", "-x", "c++", header, *self.flags[:-1]), headers))

    def test_the_command_runs_from_there(self):
        krait = next(path for path in self.folder.rglob("krait") if path.is_file() and os.access(path, os.X_OK))
        self.assertIn("krait", subprocess.run([krait, "--version"], capture_output=True, text=True, check=True).stdout)


if __name__ == "__main__":
    need_programs("c++", "pkg-config", "meson")
    unittest.main()
