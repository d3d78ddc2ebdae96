"""Pinned downloads: from the environment, from Debian through a private apt configuration, or from a release URL.

The private configuration takes the server from the machine's own sources and changes only the suite, so the system's own
packages and lists stay as they are.
"""
import hashlib
import os
import shutil
import subprocess
import urllib.request
from pathlib import Path
from typing import Optional

from .console import Progress
from .runner import Failure, Source, cache_folder, clean_environment, tail

SUITE = "trixie"


def fetch(sources: list[Source]) -> dict[str, Path]:
    """Returns each source's local file, its sum verified; downloads what is missing."""
    folder = cache_folder() / "downloads"
    folder.mkdir(parents=True, exist_ok=True)
    files = {}
    missing = []
    for source in sources:
        given = os.environ.get(source.env)
        kept = folder / f"{source.sha256[:16]}-{source.filename}"
        if given:
            files[source.name] = _given(source, Path(given))
        elif kept.is_file():
            files[source.name] = kept
        else:
            missing.append((source, kept))
    if missing:
        progress = Progress("downloads")
        try:
            apt, why_not = _apt_options(folder / "apt")
            for number, (source, kept) in enumerate(missing, 1):
                progress.update(f"{source.filename}, {number}/{len(missing)}")
                files[source.name] = _download(source, kept, apt, why_not)
        except BaseException:
            progress.abandon()
            raise
        progress.done()
    return files


def sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _given(source: Source, path: Path) -> Path:
    if not path.is_file():
        raise Failure(f"{source.env}={path}: no such file: give the path of {source.name}'s tarball, or unset {source.env}")
    found = sha256(path)
    if found != source.sha256:
        raise Failure(f"{source.env}={path}: its sha256 is {found}, the recipe pins {source.sha256} ({source.filename}): "
                      "give that file")
    return path.resolve()


def _download(source: Source, kept: Path, apt: Optional[list[str]], why_not: str) -> Path:
    work = kept.parent / "incoming"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    tried = []
    ways = (lambda: _by_apt(source, work, apt) if apt else why_not, lambda: _by_url(source, work))
    for way in ways:
        reason = way()
        path = work / source.filename
        if reason is None and path.is_file():
            found = sha256(path)
            if found == source.sha256:
                path.rename(kept)
                shutil.rmtree(work, ignore_errors=True)
                return kept
            reason = f"sha256 {found}"
        tried.append(reason or "no such file")
    raise Failure(f"cannot get {source.filename} ({'; '.join(tried)}): check the network, or set {source.env} to a copy with "
                  f"sha256 {source.sha256}")


def _by_apt(source: Source, work: Path, apt: list[str]) -> Optional[str]:
    """None if apt ran. Its status is not asked: a missing side file is an error to apt, and the sum decides."""
    with open(cache_folder() / "log" / "apt.log", "ab") as log:
        subprocess.run(["apt-get", *apt, *source.apt], cwd=work, env=clean_environment({}), stdin=subprocess.DEVNULL,
                       stdout=log, stderr=log)
    return None if (work / source.filename).is_file() else "apt-get has no such version or no network"


def _by_url(source: Source, work: Path) -> Optional[str]:
    if source.url is None:
        return "no other place known"
    try:
        with urllib.request.urlopen(source.url, timeout=60) as reply, open(work / source.filename, "wb") as file:
            shutil.copyfileobj(reply, file)
    except OSError as error:
        return f"{source.url}: {getattr(error, 'reason', error)}"
    return None


def _apt_options(folder: Path) -> tuple[Optional[list[str]], str]:
    """apt-get's options for SUITE, its lists updated; or None and why."""
    stanza = _own_stanza() if shutil.which("apt-get") else None
    if stanza is None:
        return None, "this is no Debian with apt sources"
    shutil.rmtree(folder, ignore_errors=True)
    for name in ("parts", "lists/partial", "cache/archives/partial"):
        (folder / name).mkdir(parents=True)
    (folder / "parts" / "suite.sources").write_text(stanza)
    options = [f"Dir::Etc::sourceparts={folder}/parts", f"Dir::State::lists={folder}/lists", f"Dir::Cache={folder}/cache",
               "Dir::Etc::sourcelist=/dev/null", "Dir::Etc::preferences=/dev/null", "Dir::Etc::preferencesparts=/dev/null",
               "APT::Get::List-Cleanup=0", "APT::Sandbox::User=root"]
    apt = [word for option in options for word in ("-o", option)]
    log_path = cache_folder() / "log" / "apt.log"
    log_path.parent.mkdir(parents=True, exist_ok=True)
    with open(log_path, "wb") as log:
        status = subprocess.run(["apt-get", *apt, "-q", "update"], env=clean_environment({}), stdin=subprocess.DEVNULL, stdout=log,
                                stderr=log).returncode
    if status != 0 or "Failed to fetch" in tail(log_path, 20):
        return None, f"apt-get cannot reach {SUITE}, see {log_path}"
    return apt, ""


def _own_stanza() -> Optional[str]:
    """The machine's first Debian source as one deb822 stanza, for SUITE and its sources."""
    try:
        release = Path("/etc/os-release").read_text()
    except OSError:
        return None
    if "\nID=debian\n" not in "\n" + release:
        return None
    parts = Path("/etc/apt/sources.list.d")
    for path in sorted(parts.glob("*.sources")):
        for paragraph in path.read_text().split("\n\n"):
            if stanza := _from_deb822(paragraph):
                return stanza
    for path in (Path("/etc/apt/sources.list"), *sorted(parts.glob("*.list"))):
        for line in path.read_text().splitlines() if path.is_file() else []:
            if stanza := _from_line(line):
                return stanza
    return None


def _is_release(suite: str, components: list[str]) -> bool:
    return "main" in components and not any(mark in suite for mark in ("-", "/"))


def _from_deb822(paragraph: str) -> Optional[str]:
    fields: dict[str, str] = {}
    name = ""
    for line in paragraph.splitlines():
        if line.startswith("#") or not line.strip():
            continue
        if line[0] in " \t":
            fields[name] += "\n" + line
        else:
            name, _, value = line.partition(":")
            name = name.strip().lower()
            fields[name] = value.strip()
    suites = fields.get("suites", "").split()
    enabled = fields.get("enabled", "yes").lower() != "no"
    if not enabled or "deb" not in fields.get("types", "").split() or not suites:
        return None
    if not _is_release(suites[0], fields.get("components", "").split()):
        return None
    fields.update({"types": "deb deb-src", "suites": SUITE, "components": "main"})
    return "".join(f"{name}: {value}\n" for name, value in fields.items())


def _from_line(line: str) -> Optional[str]:
    """`deb [signed-by=... arch=...] URI SUITE COMPONENTS...`"""
    words = line.partition("#")[0].split(None, 1)
    if len(words) < 2 or words[0] != "deb":
        return None
    rest, options = words[1], ""
    if rest.startswith("["):
        options, _, rest = rest[1:].partition("]")
    uri, *suite = rest.split()
    if not suite or not _is_release(suite[0], suite[1:]):
        return None
    fields = {"types": "deb deb-src", "uris": uri, "suites": SUITE, "components": "main"}
    for option in options.split():
        name, _, value = option.partition("=")
        if name in ("signed-by", "trusted"):
            fields[name] = value
    return "".join(f"{name}: {value}\n" for name, value in fields.items())
