# What tools/quickstart and tools/check share; sourced by both, with the root of the checkout as working directory.
#
# 1. Every step finds out for itself whether it is done: so a run that was interrupted goes on, and a second one takes seconds.
# 2. Progress and errors go to stderr. An error is one line that says what to do.

say() { printf '%s\n' "$*" >&2; }
die() {
  if [ "$open_line" ]; then say; fi
  say "$(basename "$0"): $*"
  exit 1
}

# "12 s", "3 min 5 s"
duration() {
  if (($1 < 60)); then printf '%d s' "$1"; else printf '%d min %d s' $(($1 / 60)) $(($1 % 60)); fi
}

# show TITLE TEXT: on a terminal one line that is redrawn; elsewhere a line.
open_line=
show() {
  if [ -t 2 ]; then
    printf '\r\033[K%s: %s' "$1" "$2" >&2
    open_line=yes
  else
    say "$1: $2"
  fi
}
shown() {
  show "$1" "$2"
  if [ "$open_line" ]; then say; fi
  open_line=
}

as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  else
    sudo "$@"
  fi
}

# packages SET...: the names in tools/packages.
packages() {
  local set
  for set in "$@"; do sed -n "s/^$set //p" tools/packages; done
}

missing_packages() {
  local wanted installed
  mapfile -t wanted < <(packages "$@")
  # dpkg-query fails where a name is unknown to it, and still prints the others.
  installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "${wanted[@]}" 2>/dev/null | sed -n 's/ installed$//p') || true
  printf '%s\n' "${wanted[@]}" | grep -vxF -e "$installed" || true
}

# Reads what apt-get prints with its status lines, shows how far it is, and hands the rest on to LOG.
apt_progress() {
  local log=$1 start=$SECONDS last=-60 every=10 line kind percent
  if [ -t 2 ]; then every=1; fi
  while IFS= read -r line; do
    kind=${line%%:*}
    case $kind in
      dlstatus) kind=downloaded ;;
      pmstatus) kind=installed ;;
      *) printf '%s\n' "$line" >>"$log" && continue ;;
    esac
    if ((SECONDS - last >= every)); then
      last=$SECONDS
      percent=${line#*:*:}
      show packages "${percent%%[.:]*} % $kind, $(duration $((SECONDS - start)))"
    fi
  done
}

# The one line for an apt-get that failed.
apt_failure() {
  local log=$1
  if grep -qiE 'no space left|enough free space' "$log"; then
    echo "the disk is full: free some space, then run this again"
  elif grep -qiE 'could not resolve|temporary failure|could not connect|network is unreachable|unable to connect|failed to fetch|connection (failed|timed out)' "$log"; then
    echo "Debian's packages cannot be downloaded: check the network, then run this again"
  elif grep -qi 'unable to locate package\|has no installation candidate' "$log"; then
    echo "apt does not know $(sed -n "s/.*[Uu]nable to locate package \([^ ]*\).*/\1/p; s/.*Package '\([^']*\)' has no.*/\1/p" "$log" | head -n 1): Debian 12 with its main component is needed, and a network for apt-get update"
  else
    echo "apt-get failed: $(grep -m 1 '^E: ' "$log" || tail -n 1 "$log")"
  fi
}

install_packages() {
  local missing log start=$SECONDS
  local apt=(env DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 apt-get -o DPkg::Lock::Timeout=600 -o Acquire::Retries=2)
  if [ "${KRAIT_PACKAGES:-}" = skip ]; then return; fi
  if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    die "this is not Debian 12: install what these Debian packages hold, then run this again with KRAIT_PACKAGES=skip:" \
      "$(packages "$@" | tr '\n' ' ')"
  fi
  mapfile -t missing < <(missing_packages "$@")
  if ((${#missing[@]} == 0)); then return; fi
  if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; then
    die "packages are missing, and there is no sudo: as root, run: apt-get install ${missing[*]}"
  fi
  say "packages: ${#missing[@]} missing: ${missing[*]}"
  log=$(mktemp)
  # A dpkg that was killed before has to be brought to an end first.
  if [ -n "$(dpkg --audit 2>/dev/null)" ]; then as_root dpkg --configure -a >"$log" 2>&1 || die "$(apt_failure "$log")"; fi
  show packages "reading Debian's lists"
  # Its failure alone is none: a foreign source may be down, or the lists may be there already.
  as_root "${apt[@]}" -q update >"$log" 2>&1 || true
  # shellcheck disable=SC2094  # both append
  if ! as_root "${apt[@]}" -o APT::Status-Fd=1 -q -y --no-install-recommends install "${missing[@]}" 2>>"$log" | apt_progress "$log"; then
    die "$(apt_failure "$log")"
  fi
  rm -f "$log"
  mapfile -t missing < <(missing_packages "$@")
  if ((${#missing[@]})); then die "apt-get did not install ${missing[*]}"; fi
  shown packages "done in $(duration $((SECONDS - start)))"
}

# The release build, in build/. Warnings are errors with the compiler that we know, clang 19.
build_krait() {
  local start=$SECONDS log=build/setup.log werror=false
  mkdir -p build
  exec 9>build/setup.lock
  if ! flock -n 9; then
    say "build: another run is building here: waiting for it"
    flock 9
  fi
  if [ -z "${CXX:-}" ]; then
    export CXX=clang++-19
    werror=true
  fi
  if [ "$(df -Pk build | awk 'NR == 2 { print $4 }')" -lt 1000000 ] && [ ! -x build/tools/krait ]; then
    die "$PWD/build has less than 1 GB free: free some space, then run this again"
  fi
  # build.ninja is what a configuration ends with.
  if [ ! -f build/build.ninja ]; then
    show configure started
    rm -rf build/meson-private build/meson-info
    meson setup build --buildtype=release -Dwerror=$werror >"$log" 2>&1 9>&- ||
      die "meson: $(grep -m 1 'ERROR' "$log" || tail -n 1 "$log") (see $PWD/$log)"
    shown configure "done in $(duration $((SECONDS - start)))"
  fi
  start=$SECONDS
  if [ -n "$(ninja -C build -n 9>&- | grep -v -e '^ninja: ' | head -n 1)" ]; then
    NINJA_STATUS='build: %f of %t, %e s: ' ninja -C build 1>&2 9>&- || die "the build failed: its first error stands above"
    say "build: done in $(duration $((SECONDS - start)))"
  fi
  exec 9>&-
}

build_python() {
  pyhost/guest/build 1>&2 || exit 1
}
