"""Faasm's examples, uploaded and called, each with Faasm's own condition; and the wasm one, built by clang where that is at hand."""
import os
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from support import ROOT, KraitTest, need_runtime

EXAMPLES = ROOT / "examples"


class Examples(KraitTest):
    def call(self, name, *words, **how):
        self.ok("upload", "demo", name, EXAMPLES / f"{name}.py")
        return self.ok("invoke", "demo", name, *words, **how)

    def test_hello(self):
        self.assertRegex(self.call("hello").stdout, rb"^Hello! Running Python version 3\.")

    def test_noop(self):
        self.assertEqual(self.call("noop").stdout, b"")

    def test_echo(self):
        for data in (b"text", b"a\0b\xff", b""):
            self.assertEqual(self.call("echo", "-", stdin=data).stdout, data)

    def test_chain(self):
        self.call("chain")

    def test_dict_state(self):
        self.call("dict_state")

    def test_state(self):
        if not (EXAMPLES / "state_test_write.py").exists():
            self.skipTest("the examples of state are not here")
        self.call("state_test_write")
        self.call("state_test_read")

    def test_those_that_check_themselves(self):
        for name in ("env_check", "lang_test", "hash_check", "pickle_check", "pyc_check", "ctypes_check"):
            with self.subTest(name):
                self.call(name)

    def test_dir(self):
        self.assertIn(b"lib", self.call("dir_test", "--input", "/").stdout)

    def test_wasm(self):
        clang = shutil.which("clang-19") or shutil.which("clang")
        module = self.folder / "chain.wasm"
        # As Debian installs wasi-libc.
        built = clang and subprocess.run([clang, "--target=wasm32-wasi", "-O2", "-o", module, EXAMPLES / "wasm" / "chain.c"], capture_output=True)
        if not built or built.returncode != 0:
            self.skipTest("clang does not build for wasm32-wasi here")
        self.ok("upload", "demo", "echo", EXAMPLES / "echo.py")
        self.ok("upload", "demo", "chain", module)
        self.assertEqual(self.ok("invoke", "demo", "chain", "--input", "10").stdout, b"the sum is 385")


class Invoke(KraitTest):
    def test_json(self):
        import json

        source = self.file("f.py", "def faasm_main():\n  print('said')\n  return b'\\xff'\ndef bad(data):\n  raise ValueError('no')\n")
        self.ok("upload", "demo", "f", source)
        report = json.loads(self.ok("invoke", "demo", "f", "--json").stdout)
        self.assertEqual((report["status"], report["end"], report["stdout"], report["output_base64"]), (0, "returned", "said\n", "/w=="))
        failed = self.krait("invoke", "demo", "f", "--json", "--entry", "bad")
        self.assertEqual(failed.returncode, 1)
        report = json.loads(failed.stdout)
        self.assertEqual((report["exception"]["type"], report["exception"]["message"]), ("ValueError", "no"))
        self.assertIn("in bad", report["exception"]["traceback"])

    def test_limits(self):
        source = self.file("f.py", "def faasm_main():\n  while True: pass\n")
        self.ok("upload", "demo", "f", source, "--limit", "wall_ms=200")
        result = self.krait("invoke", "demo", "f")
        self.assertEqual(result.returncode, 1)
        self.assertIn("TimeoutError: the call's wall time of 200 ms is over", result.stderr)
        result = self.krait("invoke", "demo", "f", "--limit", "wall_ms=100")
        self.assertIn("wall time of 100 ms", result.stderr)
        for wrong in ("wall=5", "wall_ms", "wall_ms=-1", "memory_bytes=0"):
            with self.subTest(wrong):
                self.fails(2, "limit", "invoke", "demo", "f", "--limit", wrong)


if __name__ == "__main__":
    need_runtime()
    unittest.main(verbosity=2)
