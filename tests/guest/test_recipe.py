"""The recipe's machinery: keys, stamps, interrupted and failing steps, downloads, apt sources. Nothing is built or fetched."""
import contextlib
import fcntl
import hashlib
import io
import os
import signal
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

GUEST = Path(__file__).resolve().parents[2] / "pyhost" / "guest"
sys.path.insert(0, str(GUEST))

from recipe import downloads, main, runner, runtime  # noqa: E402
from recipe.runner import Failure, Source, Step  # noqa: E402


class CacheCase(unittest.TestCase):
    """Each test has a cache of its own and a silent screen."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.environ = mock.patch.dict(os.environ, {"XDG_CACHE_HOME": folder.name})
        self.environ.start()
        self.addCleanup(self.environ.stop)
        self.lock = runner.take_lock()
        self.addCleanup(self.lock.close)
        self.screen = io.StringIO()
        silence = contextlib.redirect_stderr(self.screen)
        silence.__enter__()
        self.addCleanup(silence.__exit__, None, None, None)

    def run_steps(self, goal):
        for step in runner.ordered(goal):
            if not step.built:
                runner.run_step(step, "1/1", {}, self.lock.fileno())


class Steps(CacheCase):
    def step(self, build, name="probe", **fields):
        return Step(name, name, build, inputs=(), **fields)

    def test_a_finished_step_is_not_run_again(self):
        runs = []
        step = self.step(lambda context, folder: runs.append((folder / "product").write_text("x")))
        self.run_steps(step)
        self.run_steps(step)
        self.assertEqual(len(runs), 1)
        self.assertEqual((step.path / "product").read_text(), "x")

    def test_an_interrupted_step_leaves_no_product_and_starts_anew(self):
        def build(context, folder):
            self.assertEqual(list(folder.iterdir()), [])
            (folder / "half").write_text("x")
            if not done:
                raise KeyboardInterrupt
        done = []
        step = self.step(build)
        with self.assertRaises(KeyboardInterrupt):
            self.run_steps(step)
        self.assertFalse(step.built)
        done.append(True)
        self.run_steps(step)
        self.assertTrue(step.built)

    def test_a_command_that_outlives_its_build_keeps_the_lock(self):
        """The next build must not clear a folder into which an orphan still writes."""
        def build(context, folder):
            context.run("orphan", ["sh", "-c", f"sleep 60 >/dev/null 2>&1 & echo $! >{self.folder}/pid"], folder)
        self.run_steps(self.step(build))
        self.lock.close()
        with open(runner.cache_folder() / "build.lock", "w") as other, self.assertRaises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.kill(int((self.folder / "pid").read_text()), signal.SIGKILL)
        runner.take_lock().close()

    def test_a_failing_command_names_its_log(self):
        step = self.step(lambda context, folder: context.run("compile", ["sh", "-c", "echo wrong; exit 3"], folder))
        with self.assertRaises(Failure) as caught:
            self.run_steps(step)
        self.assertIn("compile failed with status 3", str(caught.exception))
        self.assertIn("wrong", caught.exception.log.read_text())
        self.assertFalse(step.built)

    def test_a_full_disk_says_so(self):
        step = self.step(lambda context, folder: context.run("compile", ["sh", "-c", "echo No space left on device; exit 1"], folder))
        with self.assertRaisesRegex(Failure, "the disk is full: free some space"):
            self.run_steps(step)

    def test_missing_space_is_seen_beforehand(self):
        with self.assertRaisesRegex(Failure, "the build needs 999999999 MB: free some space"):
            runner.check_space([self.step(None, disk=999_999_999)])

    def test_a_build_does_not_see_the_callers_flags(self):
        def build(context, folder):
            context.run("env", ["sh", "-c", "echo flags=$CFLAGS path=$PYTHONPATH"], folder)
        step = self.step(build)
        with mock.patch.dict(os.environ, {"CFLAGS": "-O0", "PYTHONPATH": "/x"}):
            self.run_steps(step)
        log = (runner.cache_folder() / "log" / f"probe-{step.key}.log").read_text()
        self.assertIn("flags= path=", log)


class Keys(CacheCase):
    def test_order_is_prerequisites_first(self):
        names = [step.name for step in runner.ordered(runtime.step())]
        self.assertEqual(len(names), len(set(names)))
        self.assertLess(names.index("native"), names.index("cpython"))
        self.assertEqual(names[-1], "runtime")

    def test_a_key_follows_its_own_inputs_only(self):
        """The text of a file, changed, changes the keys of the steps that read it and of those that build upon them."""
        def keys():
            return {step.name: step.key for step in runner.ordered(self.fresh_goal())}
        before = keys()
        for changed, expected in (("pyfaasm/pyfaasm/core.py", {"runtime"}), ("reactor.c", {"reactor", "runtime"}), ("ffi/ffi.c", {"extensions", "runtime"}),
                                  ("recipe/runner.py", set()), ("recipe/native.py", {"native", "cpython", "stdlib", "reactor", "extensions", "runtime"})):
            real = Path.read_bytes

            def read_bytes(path, name=changed):
                return real(path) + (b"\n" if path == GUEST / name else b"")
            with mock.patch.object(Path, "read_bytes", read_bytes):
                after = keys()
            self.assertEqual({name for name in before if before[name] != after[name]}, expected, changed)

    @staticmethod
    def fresh_goal():
        """The goal without the keys that its steps have kept."""
        goal = runtime.step()
        for step in runner.ordered(goal):
            step.__dict__.pop("key", None)
        return goal

    def test_nothing_built_is_one_line(self):
        self.assertEqual(main.main(["--print-paths"]), 1)
        self.assertEqual(self.screen.getvalue(), "the Python runtime is not built: run pyhost/guest/build\n")

    def test_prune_keeps_what_the_recipe_leads_to(self):
        goal = runtime.step()
        kept = goal.path
        gone = [kept.with_name("runtime-0123"), kept.with_name(kept.name + ".tmp")]
        other = kept.with_name("store")
        for path in (kept, other, *gone):
            path.mkdir(parents=True)
        self.lock.close()
        self.assertEqual(main.main(["--prune"]), 0)
        self.assertTrue(kept.is_dir() and other.is_dir())
        self.assertFalse(any(path.exists() for path in gone))


class Downloads(CacheCase):
    TEXT = b"contents"
    SUM = hashlib.sha256(TEXT).hexdigest()

    def source(self, url=None, digest=SUM):
        return Source("thing", "thing.tar", digest, "KRAIT_THING_TARBALL", ("download", "thing"), url)

    def fetch(self, source, environment={}):
        with mock.patch.dict(os.environ, environment), mock.patch.object(downloads, "_apt_options", return_value=(None, "no apt")):
            return downloads.fetch([source])["thing"]

    def file(self, name, data):
        path = self.folder / name
        path.write_bytes(data)
        return path

    def test_from_the_environment(self):
        path = self.file("given.tar", self.TEXT)
        self.assertEqual(self.fetch(self.source(), {"KRAIT_THING_TARBALL": str(path)}), path.resolve())

    def test_a_wrong_file_in_the_environment(self):
        path = self.file("given.tar", b"other")
        with self.assertRaisesRegex(Failure, f"KRAIT_THING_TARBALL=.*the recipe pins {self.SUM}"):
            self.fetch(self.source(), {"KRAIT_THING_TARBALL": str(path)})
        with self.assertRaisesRegex(Failure, "no such file"):
            self.fetch(self.source(), {"KRAIT_THING_TARBALL": str(path) + ".absent"})

    def test_from_a_url_once(self):
        origin = self.file("origin", self.TEXT)
        source = self.source(origin.as_uri())
        kept = self.fetch(source)
        self.assertEqual(kept.read_bytes(), self.TEXT)
        origin.unlink()
        self.assertEqual(self.fetch(source), kept)

    def test_a_bad_sum_is_not_kept(self):
        origin = self.file("origin", b"tampered")
        source = self.source(origin.as_uri())
        with self.assertRaisesRegex(Failure, "cannot get thing.tar .*sha256.*set KRAIT_THING_TARBALL to a copy"):
            self.fetch(source)
        self.file("origin", self.TEXT)
        self.assertEqual(self.fetch(source).read_bytes(), self.TEXT)

    def test_no_network_says_what_to_do(self):
        with self.assertRaisesRegex(Failure, "check the network, or set KRAIT_THING_TARBALL"):
            self.fetch(self.source((self.folder / "absent").as_uri()))


class AptSources(unittest.TestCase):
    def test_deb822(self):
        stanza = downloads._from_deb822("# comment\nTypes: deb\nURIs: http://x/debian\nSuites: bookworm bookworm-updates\n"
                                        "Components: main contrib\nSigned-By: /k.gpg\n")
        self.assertEqual(stanza, "types: deb deb-src\nuris: http://x/debian\nsuites: trixie\ncomponents: main\nsigned-by: /k.gpg\n")

    def test_deb822_key_in_the_stanza(self):
        stanza = downloads._from_deb822("Types: deb\nURIs: http://x\nSuites: bookworm\nComponents: main\nSigned-By:\n line one\n .\n two\n")
        self.assertTrue(stanza.endswith("signed-by: \n line one\n .\n two\n"), stanza)

    def test_deb822_that_does_not_serve(self):
        for suites, more in (("bookworm-security", ""), ("bookworm", "Enabled: no\n"), ("", "")):
            self.assertIsNone(downloads._from_deb822(f"Types: deb\nURIs: http://x\nSuites: {suites}\nComponents: main\n{more}"))
        self.assertIsNone(downloads._from_deb822("Types: deb-src\nURIs: http://x\nSuites: bookworm\nComponents: main\n"))
        self.assertIsNone(downloads._from_deb822("Types: deb\nURIs: http://x\nSuites: stable\nComponents: contrib\n"))

    def test_one_line(self):
        expected = "types: deb deb-src\nuris: http://x/debian\nsuites: trixie\ncomponents: main\n"
        self.assertEqual(downloads._from_line("deb http://x/debian bookworm main contrib # comment"), expected)
        self.assertEqual(downloads._from_line("deb [arch=amd64 signed-by=/k.gpg] http://x/debian bookworm main"),
                         expected + "signed-by: /k.gpg\n")
        for line in ("", "# deb http://x bookworm main", "deb-src http://x bookworm main", "deb http://x bookworm-security main",
                     "deb http://x ./", "deb http://x bookworm contrib"):
            self.assertIsNone(downloads._from_line(line), line)


class CommandLine(unittest.TestCase):
    def test_help(self):
        done = subprocess.run([GUEST / "build", "--help"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0)
        self.assertIn("--print-paths", done.stdout)


if __name__ == "__main__":
    unittest.main()
