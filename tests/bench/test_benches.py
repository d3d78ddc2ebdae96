"""Every bench runs and its results are right; no time is asserted: `bench/run --smoke`, and what it writes."""
import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
BUILD = Path(os.environ["KRAIT_BUILD"])


class Smoke(unittest.TestCase):
    """One section a test, so that a failure names it. Peers in JavaScript take seconds to start: they are left out."""

    def section(self, name):
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "out.json"
            argv = [sys.executable, str(ROOT / "bench" / "run"), "--smoke", "--build", str(BUILD), "--json", str(out),
                    "--without", "V8", "--without", "JavaScriptCore", name]
            done = subprocess.run(argv, capture_output=True, text=True, timeout=600, check=False)
            self.assertEqual(done.returncode, 0, done.stdout[-2000:] + done.stderr[-2000:])
            results = json.loads(out.read_text(encoding="utf-8"))
        self.assertEqual([s["name"] for s in results["sections"]], [name])
        section = results["sections"][0]
        self.assertEqual(section["failures"], {})
        if section["left_out"] and not section["tables"]:
            self.skipTest(section["left_out"][0])
        self.assertTrue(section["tables"])
        for table in section["tables"]:
            self.assertTrue(table["rows"])
            for row in table["rows"]:
                self.assertEqual(len(row), len(table["header"]), row)
        return section

    def test_python(self):
        """The harness itself compares each program's check value with native Python's."""
        ratios = self.section("python")["figures"]["ratios"]
        self.assertTrue({"krait jit", "krait interp"} & set(ratios), ratios.keys())

    def test_wasm(self):
        self.section("wasm")

    def test_codegen(self):
        runs = self.section("codegen")["figures"]["runs"]
        self.assertEqual(runs["krait, 1 thread"][0]["code_bytes"], runs["krait, 2 threads"][0]["code_bytes"])
        self.assertEqual(runs["krait, 1 thread"][0]["declined"], 0)

    def test_starts(self):
        self.section("starts")

    def test_service(self):
        self.section("service")

    def test_chaining(self):
        for each in self.section("chaining")["figures"]["us_a_call"].values():
            self.assertEqual(set(each), {"krait, 1 shard", "krait, 2 shards", "python3, a fork a call"})

    def test_costs(self):
        figures = self.section("costs")["figures"]
        for heading in ("calls", "coroutines", "beside endless neighbours", "echo"):
            for line in figures[heading]:
                self.assertGreater(line["samples"], 0, line)


class Report(unittest.TestCase):
    """The page and its plots, of figures that are given."""

    def test_page(self):
        sys.path.insert(0, str(ROOT / "bench"))
        from harness import plot, report
        python = plot.find_python()
        if not python:
            self.skipTest("no python3 here has matplotlib (Debian: python3-matplotlib)")
        made = report.Report({"machine": report.machine(), "commit": "abc", "command": "run <x>", "date": "2000-01-01"})
        made.begin("one", "One & only")
        made.table(["a", "b"], [["<1>", 2]])
        made.bars("bars", "ms", {"": {"krait": 1.0, "other": 2000.0}}, log=True)
        made.bars("groups", "x", {"krait": {"p": 1.0, "q": 2.0}, "other": {"p": 2.0}})
        made.curve("curve", "load", "latency", {"krait": [[1, 2], [10, 3]], "other": [[1, 5], [10, 50]]})
        with tempfile.TemporaryDirectory() as folder:
            results = Path(folder) / "r.json"
            made.save(results)
            subprocess.run([python, plot.__file__, str(results), folder], check=True, capture_output=True, timeout=120)
            page = (Path(folder) / "report.html").read_text(encoding="utf-8")
            self.assertIn("One &amp; only", page)
            self.assertIn("&lt;1&gt;", page)
            for n in (1, 2, 3):
                self.assertIn("<svg", (Path(folder) / f"one-{n}.svg").read_text(encoding="utf-8"))
                self.assertIn(f"one-{n}.svg", page)


if __name__ == "__main__":
    unittest.main()
