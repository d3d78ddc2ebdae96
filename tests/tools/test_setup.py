"""The set-up scripts on machines that lack something: fakes stand in for the system's commands, in a checkout whose path has a space."""
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

from support import ROOT

SCRIPTS = ("quickstart", "check", "setup.bash", "packages")
# What the scripts use of any system; all else is a fake or missing.
SYSTEM = ("bash", "basename", "cat", "cp", "date", "df", "awk", "dirname", "env", "flock", "grep", "head", "mkdir", "mktemp", "readlink",
          "rm", "sed", "tail", "touch", "tr", "wc")
DPKG_QUERY = 'cat "$STATE/installed" 2>/dev/null; exit 1'


class Setup(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="krait set up "))
        self.addCleanup(shutil.rmtree, self.folder)
        self.root = self.folder / "a checkout"
        (self.root / "tools").mkdir(parents=True)
        for script in SCRIPTS:
            shutil.copy(ROOT / "tools" / script, self.root / "tools" / script)
        self.bin = self.folder / "bin"
        self.bin.mkdir()
        for program in SYSTEM:
            os.symlink(shutil.which(program), self.bin / program)
        self.fake("id", "echo 0")
        self.fake("dpkg", "")
        self.fake("apt-get", "exit 1")
        self.fake("dpkg-query", DPKG_QUERY)
        self.packages = [line.split()[1] for line in (ROOT / "tools" / "packages").read_text().splitlines()
                         if line and not line.startswith("#")]

    def fake(self, name, script):
        path = self.bin / name
        path.write_text(f"#!{shutil.which('bash')}\n{script}\n")
        path.chmod(0o755)

    def installed(self, names):
        (self.folder / "installed").write_text("".join(f"{name} installed\n" for name in names))

    def run_script(self, name="quickstart", *words, **env):
        return subprocess.run([self.root / "tools" / name, *words], capture_output=True, text=True, timeout=60,
                              env={"PATH": str(self.bin), "STATE": str(self.folder), "HOME": str(self.folder), **env})

    def fails(self, text, **env):
        result = self.run_script(**env)
        self.assertEqual(result.returncode, 1, result.stderr)
        lines = result.stderr.splitlines()
        self.assertIn(text, lines[-1])
        self.assertTrue(lines[-1].startswith("quickstart: "), lines[-1])
        self.assertEqual(result.stdout, "")
        return result

    def test_help_and_wrong_usage(self):
        for script in ("quickstart", "check"):
            self.assertEqual(self.run_script(script, "--help").returncode, 0)
            self.assertEqual(self.run_script(script, "--fast").returncode, 2)

    def test_no_debian(self):
        (self.bin / "dpkg-query").unlink()
        result = self.fails("not Debian 12")
        for package in ("clang-19", "meson", "lld-19"):
            self.assertIn(package, result.stderr)

    def test_neither_root_nor_sudo(self):
        self.fake("id", "echo 1000")
        self.installed(name for name in self.packages if name not in ("meson", "tcl"))
        self.assertIn("apt-get install meson tcl", self.fails("as root, run").stderr)

    def test_no_network(self):
        self.fake("apt-get", 'echo "E: Failed to fetch some package  Temporary failure resolving host" >&2; exit 100')
        self.fails("check the network")

    def test_full_disk(self):
        self.fake("apt-get", 'echo "E: You don\'t have enough free space in /var/cache/apt/archives/." >&2; exit 100')
        self.fails("the disk is full")

    def test_unknown_package(self):
        self.fake("apt-get", 'case "$*" in *install*) echo "E: Unable to locate package clang-19" >&2; exit 100; esac')
        self.fails("apt does not know clang-19")

    def test_apt_that_lies(self):
        self.fake("apt-get", "exit 0")
        self.fails("apt-get did not install")

    def test_only_what_is_missing_is_installed_in_one_call(self):
        self.installed(name for name in self.packages if name not in ("meson", "tcl", "nodejs"))
        self.fake("apt-get", """case "$*" in
  *install*)
    echo "$*" >>"$STATE/calls"
    echo dlstatus:1:50.0:Retrieving; echo pmstatus:meson:25.0:Unpacking
    echo "meson installed" >>"$STATE/installed"; echo "tcl installed" >>"$STATE/installed" ;;
esac""")
        self.fake("meson", 'echo "meson.build:1:0: ERROR: no compiler" ; exit 1')
        result = self.fails("meson: meson.build:1:0: ERROR: no compiler")
        calls = (self.folder / "calls").read_text().splitlines()
        self.assertEqual(len(calls), 1)
        self.assertTrue(calls[0].endswith("install meson tcl"), calls)  # nodejs is for the tests only
        self.assertIn("50 % downloaded", result.stderr)
        again = self.fails("ERROR: no compiler")
        self.assertEqual((self.folder / "calls").read_text().splitlines(), calls)
        self.assertNotIn("packages:", again.stderr)

    def test_a_build_that_fails(self):
        self.installed(self.packages)
        self.fake("meson", 'touch build/build.ninja')
        self.fake("ninja", '[[ $* == *-n* ]] && { echo "[1/1] compile x"; exit; }; echo "FAILED: x"; exit 1')
        self.fails("the build failed")

    def test_little_disk(self):
        self.installed(self.packages)
        (self.bin / "df").unlink()
        self.fake("df", 'echo "Filesystem 1024-blocks Used Available"; echo "x 1 1 1000"')
        self.fails("less than 1 GB free")


class Guest(unittest.TestCase):
    def test_a_tarball_with_a_bad_checksum_is_refused_and_leaves_nothing(self):
        with tempfile.TemporaryDirectory() as folder:
            bad = pathlib.Path(folder) / "python.tar.xz"
            bad.write_bytes(b"not the tarball")
            done = subprocess.run([ROOT / "pyhost" / "guest" / "build"], capture_output=True, text=True, timeout=60,
                                  env={**os.environ, "XDG_CACHE_HOME": f"{folder}/cache", "KRAIT_PYTHON_TARBALL": str(bad)})
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertIn("sha256", done.stderr.splitlines()[-1])
            self.assertEqual([path for path in pathlib.Path(folder).rglob("*") if path.is_dir() and "runtime" in path.name], [])


if __name__ == "__main__":
    unittest.main()
