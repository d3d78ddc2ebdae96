"""Faasm's commands (tasks.py)."""
import subprocess
import unittest

from support import KRAIT, ROOT, KraitTest, need_programs, need_runtime


class Tasks(KraitTest):
    def inv(self, *words):
        return subprocess.run(["inv", *words], cwd=ROOT, env={**self.environment, "KRAIT": KRAIT}, capture_output=True, text=True,
                              timeout=600)

    def test_the_documented_commands(self):
        built = self.inv("func")
        self.assertEqual(built.returncode, 0, built.stderr)
        ready = self.inv("func.upload")
        self.assertEqual(ready.returncode, 0, ready.stderr)
        self.assertIn("Python 3.13.5", ready.stdout)
        uploaded = self.inv("func.uploadpy", "hello")
        self.assertEqual(uploaded.returncode, 0, uploaded.stderr)
        called = self.inv("func.invoke", "python", "hello")
        self.assertEqual(called.returncode, 0, called.stderr)
        self.assertTrue(called.stdout.startswith("Hello! Running Python version 3.13.5"), called.stdout)

    def test_failures_keep_their_status_and_say_why(self):
        missing = self.inv("func.uploadpy", "nothing")
        self.assertEqual(missing.returncode, 1)
        self.assertIn("no nothing.py in", missing.stderr)
        unknown = self.inv("func.invoke", "python", "nothing", "--input-data", "x")
        self.assertEqual(unknown.returncode, 1)
        self.assertIn("no function python/nothing", unknown.stderr)


if __name__ == "__main__":
    need_programs("inv")
    need_runtime()
    unittest.main()
