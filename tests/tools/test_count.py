"""tools/count-tests: what it reads out of a test log."""
import json
import pathlib
import subprocess
import tempfile
import unittest

from support import ROOT

DOCTEST = "[doctest] test cases:  17 |  15 passed |  2 failed | 1 skipped\n[doctest] assertions: 99 | 97 passed | 2 failed |\n"


class Count(unittest.TestCase):
    def count(self, *tests):
        with tempfile.TemporaryDirectory() as folder:
            log = pathlib.Path(folder) / "testlog.json"
            log.write_text("".join(json.dumps({"name": "t", **test}) + "\n" for test in tests))
            done = subprocess.run([ROOT / "tools" / "count-tests", log], capture_output=True, text=True)
            return done.stdout.splitlines()[-1], done.returncode

    def test_what_programs_count(self):
        self.assertEqual(self.count({"result": "FAIL", "stdout": DOCTEST}), ("15 passed, 2 failed, 1 skipped", 1))
        self.assertEqual(self.count({"result": "OK", "stdout": "x\n60000 passed, 0 failed, 12 skipped\n"}), ("60000 passed, 0 failed, 12 skipped", 0))
        self.assertEqual(self.count({"result": "OK", "stdout": "7 passed, 0 failed\n"}), ("7 passed, 0 failed, 0 skipped", 0))
        ran = "..s\n------\nRan 9 tests in 0.100s\n\n"
        self.assertEqual(self.count({"result": "OK", "stderr": ran + "OK (skipped=2)\n"}), ("7 passed, 0 failed, 2 skipped", 0))
        self.assertEqual(self.count({"result": "FAIL", "stderr": ran + "FAILED (failures=1, errors=2, skipped=3)\n"}),
                         ("3 passed, 3 failed, 3 skipped", 1))

    def test_programs_that_count_nothing(self):
        self.assertEqual(self.count({"result": "OK"}, {"result": "SKIP"}), ("1 passed, 0 failed, 1 skipped", 0))
        self.assertEqual(self.count({"result": "OK"}, {"result": "TIMEOUT"}), ("1 passed, 1 failed, 0 skipped", 1))

    def test_a_crash_after_good_cases_is_a_failure(self):
        self.assertEqual(self.count({"result": "ERROR", "stdout": "5 passed, 0 failed\n"}), ("5 passed, 1 failed, 0 skipped", 1))

    def test_nothing_is_no_success(self):
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run([ROOT / "tools" / "count-tests", pathlib.Path(folder) / "none"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 1)


if __name__ == "__main__":
    unittest.main()
