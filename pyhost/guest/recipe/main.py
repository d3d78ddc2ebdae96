"""The command line of the recipe."""
import argparse
import os
import shutil
import signal
import sys

from . import downloads, runtime, toolchain
from .runner import Failure, LOG_TAIL_LINES, Step, cache_folder, check_space, ordered, run_step, tail, take_lock

TOOLS = {"clang-19": "clang-19", "wasm-ld-19": "lld-19", "llvm-ar-19": "llvm-19", "make": "make", "gcc": "gcc", "tar": "tar",
         "xz": "xz-utils", "dpkg-deb": "dpkg", "tclsh": "tcl"}

PATHS = {"python.wasm": "python.wasm", "reactor": "python-reactor.wasm", "stdlib": "stdlib", "image": "python313.zip", "cc": "bin/wasm-cc"}


def check_tools() -> None:
    packages = [package for tool, package in TOOLS.items() if not shutil.which(tool)]
    if shutil.which("clang-19") and not toolchain.builtins(toolchain.compiler_resources()).is_file():
        packages.append("libclang-rt-19-dev-wasm32")
    if packages:
        raise Failure(f"missing packages: sudo apt-get install {' '.join(packages)}")


def point_current(goal: Step) -> None:
    """CACHE/current leads to the runtime that was built or asked for last."""
    current = cache_folder() / "current"
    if current.is_symlink() and os.readlink(current) == goal.path.name:
        return
    fresh = cache_folder() / f"current.{os.getpid()}"
    fresh.symlink_to(goal.path.name)
    fresh.rename(current)


def build(goal: Step) -> None:
    if not goal.built:
        lock = take_lock()
        steps = ordered(goal)
        missing = [step for step in steps if not step.built]
        if missing:
            check_tools()
            check_space(missing)
        files = downloads.fetch([source for step in missing for source in step.sources])
        for step in missing:
            run_step(step, f"{steps.index(step) + 1}/{len(steps)}", files, lock.fileno())
        lock.close()
    point_current(goal)


def print_paths(goal: Step) -> int:
    if not goal.built:
        print("the Python runtime is not built: run pyhost/guest/build", file=sys.stderr)
        return 1
    for name, file in PATHS.items():
        print(name, goal.path / file)
    return 0


def prune(goal: Step) -> None:
    """Removes what this recipe does not lead to: products of other keys, and what interrupted runs left."""
    lock = take_lock()
    steps = ordered(goal)
    names = {step.name for step in steps}
    kept = {step.path for step in steps}
    for path in cache_folder().iterdir():
        if path.is_dir() and path not in kept and path.name.rpartition("-")[0] in names:
            print(f"removing {path}", file=sys.stderr)
            shutil.rmtree(path)
    lock.close()


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="pyhost/guest/build",
        description="Builds CPython for krait's sandboxes into the cache: $XDG_CACHE_HOME/krait, or ~/.cache/krait. "
                    "Finished steps are kept, and an interrupted build goes on where it stopped.")
    only = parser.add_mutually_exclusive_group()
    only.add_argument("--print-paths", action="store_true", help="print where the built parts lie, a name and a path a line; "
                      "build nothing, exit 1 if they are not built")
    only.add_argument("--print-key", action="store_true", help="print the key of the runtime: its folder is CACHE/runtime-KEY")
    only.add_argument("--prune", action="store_true", help="remove from the cache what this recipe does not use")
    return parser.parse_args(arguments)


def interrupt(*_) -> None:
    raise KeyboardInterrupt


def main(arguments: list[str]) -> int:
    options = parse(arguments)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, interrupt)  # a command that runs is ended with us
    try:
        goal = runtime.step()
        if options.print_paths:
            return print_paths(goal)
        if options.print_key:
            print(goal.key)
        elif options.prune:
            prune(goal)
        else:
            build(goal)
    except Failure as failure:
        if failure.log:
            print(tail(failure.log, LOG_TAIL_LINES), file=sys.stderr)
        print(f"pyhost/guest/build: {failure}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"pyhost/guest/build: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted: what is finished is kept, run this again to go on", file=sys.stderr)
        return 130
    return 0
