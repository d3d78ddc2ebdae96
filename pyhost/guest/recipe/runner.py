"""Steps, their keys and their products.

A step's product is the folder CACHE/NAME-KEY. It is built as CACHE/NAME-KEY.tmp and renamed when whole, so the folder's
existence is the stamp: what an interrupted run leaves behind is never taken for a product. The key is a hash of the files
that define the step, the sums of the downloads it uses, and the keys of the steps it builds upon. Console and runner
are not part of any key: they decide how steps run, not what comes out.
"""
import dataclasses
import fcntl
import functools
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Callable, Iterable, Mapping, Optional

from .console import Progress

GUEST = Path(__file__).resolve().parent.parent
LOG_TAIL_LINES = 15


class Failure(Exception):
    """Ends the run with one line that says what to do, and the end of a log where there is one."""

    def __init__(self, message: str, log: Optional[Path] = None):
        super().__init__(message)
        self.log = log


@dataclasses.dataclass(frozen=True)
class Source:
    """A pinned download. `env` names the variable that gives a local copy; `apt` is the argument list for apt-get."""
    name: str
    filename: str
    sha256: str
    env: str
    apt: tuple[str, ...]
    url: Optional[str] = None


@dataclasses.dataclass(frozen=True)
class Step:
    """`build(context, folder)` fills the empty `folder`. `disk` is the space it needs, in MB, intermediate files included."""
    name: str
    title: str
    build: Callable[["Context", Path], None]
    inputs: tuple[Path, ...]
    after: tuple["Step", ...] = ()
    sources: tuple[Source, ...] = ()
    disk: int = 10

    @functools.cached_property
    def key(self) -> str:
        digest = hashlib.sha256(self.name.encode())
        for path in self.inputs:
            digest.update(f"\0{path.relative_to(GUEST)}\0".encode())
            digest.update(path.read_bytes())
        for item in (*self.sources, *self.after):
            digest.update(f"\0{item.sha256 if isinstance(item, Source) else item.key}".encode())
        return digest.hexdigest()[:16]

    @property
    def path(self) -> Path:
        return cache_folder() / f"{self.name}-{self.key}"

    @property
    def built(self) -> bool:
        return self.path.is_dir()


def cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return Path(base) / "krait"


def ordered(goal: Step) -> list[Step]:
    """The goal and all that it builds upon, each after its own prerequisites."""
    found: list[Step] = []

    def visit(step: Step) -> None:
        for earlier in step.after:
            visit(earlier)
        if step not in found:
            found.append(step)

    visit(goal)
    return found


def clean_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """What a build may see: a caller's CFLAGS or PYTHONPATH must not change what comes out under one key."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "CCACHE_DIR", "http_proxy", "https_proxy", "no_proxy")
            if name in os.environ}
    return {**kept, "LC_ALL": "C.UTF-8", "SOURCE_DATE_EPOCH": "1735689600", **extra}


class Context:
    """What a step's build function works with: commands under a log, and the screen."""

    def __init__(self, step: Step, progress: Progress, downloads: Mapping[str, Path], lock: int):
        self.progress = progress
        self._downloads = downloads
        self._lock = lock
        logs = cache_folder() / "log"
        logs.mkdir(parents=True, exist_ok=True)
        self.log = logs / f"{step.name}-{step.key}.log"
        self.log.write_bytes(b"")

    @property
    def jobs(self) -> str:
        return f"-j{len(os.sched_getaffinity(0))}"

    def download(self, source: Source) -> Path:
        return self._downloads[source.name]

    def run(self, what: str, command: Iterable[object], cwd: Path, env: Mapping[str, str] = {},
            count: Optional[str] = None, total: int = 0) -> None:
        """Runs a command with its output in the log. Progress: lines matching `count`, of `total` where it is known."""
        argv = [str(word) for word in command]
        pattern = re.compile(count) if count else None
        seen = 0
        with open(self.log, "ab") as log:
            log.write(f"\n$ cd {cwd} && {' '.join(argv)}\n".encode())
            log.flush()
            process = subprocess.Popen(argv, cwd=cwd, env=clean_environment(env), stdin=subprocess.DEVNULL,
                                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
                                       pass_fds=(self._lock,))
            try:
                for line in process.stdout:
                    log.write(line)
                    if pattern and pattern.search(line.decode(errors="replace")):
                        seen += 1
                    far = f" {min(seen, total)}/{total}" if total else f" {seen}" if pattern else ""
                    self.progress.update(what + far)
                status = process.wait()
            except BaseException:
                os.killpg(process.pid, signal.SIGTERM)
                process.wait()
                raise
        if status:
            raise Failure(self._explain(what, status), self.log)

    def _explain(self, what: str, status: int) -> str:
        if "No space left on device" in tail(self.log, 200):
            return f"{what}: the disk is full: free some space in {cache_folder()} or set XDG_CACHE_HOME, then run this again"
        return f"{what} failed with status {status}: see {self.log}"

    def make(self, what: str, targets: Iterable[str], cwd: Path, env: Mapping[str, str] = {}) -> None:
        """Runs make and shows compiled files of all that a dry run announces."""
        compiled = r"(^|\s)-c\s.*\.c\b"
        command = ["make", *targets]
        dry = subprocess.run([*command, "-n"], cwd=cwd, env=clean_environment(env), stdin=subprocess.DEVNULL,
                             capture_output=True, text=True)
        total = sum(1 for line in dry.stdout.splitlines() if re.search(compiled, line))
        self.run(what + ": files", [*command, self.jobs], cwd, env, count=compiled, total=total)


def tail(log: Path, lines: int) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


def take_lock():
    """One build at a time in a cache. Commands inherit the lock: it ends with the last of them, even if this process is killed."""
    cache_folder().mkdir(parents=True, exist_ok=True)
    handle = open(cache_folder() / "build.lock", "w")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print("another build is running: waiting for it to end", file=sys.stderr, flush=True)
        fcntl.flock(handle, fcntl.LOCK_EX)
    return handle


def check_space(steps: list[Step]) -> None:
    need = sum(step.disk for step in steps)
    free = shutil.disk_usage(cache_folder()).free // 1_000_000
    if free < need:
        raise Failure(f"{cache_folder()} has {free} MB free and the build needs {need} MB: free some space, "
                      "or set XDG_CACHE_HOME to a folder on another disk")


def run_step(step: Step, position: str, downloads: Mapping[str, Path], lock: int) -> None:
    progress = Progress(f"[{position}] {step.title}")
    work = step.path.with_name(step.path.name + ".tmp")
    shutil.rmtree(work, ignore_errors=True)
    try:
        work.mkdir(parents=True)
        step.build(Context(step, progress, downloads, lock), work)
        work.rename(step.path)
    except BaseException:
        progress.abandon()
        raise
    progress.done()
