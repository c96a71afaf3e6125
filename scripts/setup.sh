#!/bin/sh
# Brings what Logweir needs and is not there yet, saying what it does. Safe to run twice, and twice at once.
#
#   setup.sh packages   npm packages and the pinned Node.js, into node_modules/
#   setup.sh servers    nats-server and redis-server, through apt-get or brew
#   setup.sh chromium   a browser for the dashboard's tests; not having one is no failure
#   setup.sh test       all of these
#
# Ends 0 when what was asked for is there, 1 after one sentence that says what to do otherwise.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd -P)
lock=$root/.setup.lock
log=$(mktemp "${TMPDIR:-/tmp}/logweir-setup.XXXXXX")
trap 'rm -f "$log"' EXIT

say() { printf 'logweir: %s\n' "$*" >&2; }

fail() {
  say "$1"
  printf '  %s\n' "$2" >&2
  exit 1
}

# Runs a command quietly with a dot every few seconds; shows what it printed only when it fails.
quietly() {
  "$@" >"$log" 2>&1 &
  pid=$!
  trap 'kill "$pid" 2>/dev/null; rm -f "$log"; exit 130' INT TERM
  waited=0
  while kill -0 "$pid" 2>/dev/null; do
    sleep 0.2 2>/dev/null || sleep 1
    waited=$((waited + 1))
    if [ -t 2 ] && [ $((waited % 10)) -eq 0 ]; then printf '.' >&2; fi
  done
  status=0
  wait "$pid" || status=$?
  trap - INT TERM
  if [ -t 2 ] && [ "$waited" -ge 10 ]; then printf '\n' >&2; fi
  if [ "$status" -ne 0 ]; then tail -n 15 "$log" | sed 's/^/    /' >&2; fi
  return "$status"
}

# Removes the lock of an owner that was killed. Another waiter may have done so and hold a new one by now: it goes back.
break_lock() {
  mv "$lock" "$lock.stale.$$" 2>/dev/null || return 0
  if [ "$(cat "$lock.stale.$$/pid" 2>/dev/null || true)" = "$1" ]; then
    rm -rf "$lock.stale.$$"
  else
    mv "$lock.stale.$$" "$lock"
  fi
}

# One set-up at a time: the others wait, and find the work done.
with_lock() {
  said=
  nameless=0
  while ! mkdir "$lock" 2>/dev/null; do
    [ -w "$root" ] || fail "$root cannot be written." 'Run Logweir from a directory that is yours, or as its owner.'
    owner=$(cat "$lock/pid" 2>/dev/null || true)
    if [ -z "$owner" ]; then nameless=$((nameless + 1)); else nameless=0; fi
    if [ "$nameless" -ge 10 ] || { [ -n "$owner" ] && ! kill -0 "$owner" 2>/dev/null; }; then
      break_lock "$owner"
      continue
    fi
    [ -n "$said" ] || say "Waiting for another set-up (process ${owner:-unknown}) …"
    said=yes
    sleep 1
  done
  echo $$ >"$lock/pid"
  trap 'rm -f "$log"; rm -rf "$lock"' EXIT
  "$@"
  rm -rf "$lock"
  trap 'rm -f "$log"' EXIT
}

packages_ready() {
  [ -x "$root/node_modules/.bin/node" ] && cmp -s "$root/package-lock.json" "$root/node_modules/.logweir-lock"
}

# npm install, not npm ci: some optional packages of other platforms cannot be had everywhere, and ci insists.
install_packages() {
  if packages_ready; then return 0; fi
  command -v npm >/dev/null 2>&1 || fail 'Logweir needs npm to set itself up, and found none.' \
    'Install Node.js 20 or newer with npm (Debian: apt-get install nodejs npm), then run this again.'
  say 'Installing npm packages and Node.js 24 into node_modules/ (about a minute) …'
  (cd "$root" && quietly npm install --no-audit --no-fund --no-progress --loglevel=error --include=dev) ||
    fail 'npm install failed.' 'See the lines above; with a working network, run this again.'
  if ! [ -x "$root/node_modules/.bin/node" ]; then link_system_node; fi
  cp "$root/package-lock.json" "$root/node_modules/.logweir-lock"
}

# The pinned Node has no build for every platform; a new enough one that is installed does as well.
link_system_node() {
  node=$(command -v node || true)
  major=$([ -n "$node" ] && "$node" -p 'process.versions.node.split(".")[0]' || echo 0)
  [ "$major" -ge 24 ] || fail 'The pinned Node.js 24 could not be installed for this platform.' \
    'Install Node.js 24 or newer yourself, then run this again.'
  mkdir -p "$root/node_modules/.bin"
  ln -sf "$node" "$root/node_modules/.bin/node"
}

find_program() {
  PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/opt/homebrew/bin" command -v "$1" 2>/dev/null
}

# Runs a command as root where that needs no password.
as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo -n "$@"; fi
}

can_be_root() {
  [ "$(id -u)" -eq 0 ] || { command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; }
}

# Installs Debian packages without letting them start services: those would take Logweir's default ports.
apt_install() {
  policy=/usr/sbin/policy-rc.d
  mine=
  if ! [ -e "$policy" ]; then
    mine=yes
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null && as_root chmod +x "$policy"
  fi
  status=0
  as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -q --no-install-recommends \
    -o DPkg::Lock::Timeout=180 "$@" || status=$?
  if [ -n "$mine" ]; then as_root rm -f "$policy"; fi
  if [ -d /run/systemd/system ]; then
    for unit in "$@"; do as_root systemctl disable --quiet "$unit" 2>/dev/null || true; done
  fi
  return "$status"
}

apt_update() {
  as_root apt-get update -q -o DPkg::Lock::Timeout=180
}

# Installs packages by the system's package manager. Arguments: apt names, then "--", then brew names.
install_system() {
  apt_names=
  while [ "$1" != -- ]; do
    apt_names="$apt_names $1"
    shift
  done
  shift
  if command -v apt-get >/dev/null 2>&1 && can_be_root; then
    say 'Updating the list of system packages …'
    quietly apt_update || say 'That did not work; trying with the list that is there.'
    say "Installing$apt_names through apt-get (they are not started as services) …"
    # shellcheck disable=SC2086  # a list of names on purpose
    quietly apt_install $apt_names
  elif command -v brew >/dev/null 2>&1; then
    say "Installing $* through brew …"
    quietly brew install "$@"
  else
    return 1
  fi
}

servers_ready() {
  find_program nats-server >/dev/null && find_program redis-server >/dev/null
}

install_servers() {
  if servers_ready; then return 0; fi
  missing=
  brew_missing=
  if ! find_program nats-server >/dev/null; then missing="$missing nats-server" brew_missing="$brew_missing nats-server"; fi
  if ! find_program redis-server >/dev/null; then missing="$missing redis-server" brew_missing="$brew_missing redis"; fi
  # shellcheck disable=SC2086
  install_system $missing -- $brew_missing || true
  # `logweir` itself says it in its own words.
  if ! servers_ready && [ "$what" = servers ]; then exit 1; fi
  servers_ready || fail "Missing and not installable from here:$missing." \
    "Install with: sudo apt-get update && sudo apt-get install$missing (macOS: brew install$brew_missing), or name running servers by NATS_URL and REDIS_URL."
}

chromium_ready() {
  for name in chromium chromium-browser google-chrome google-chrome-stable; do
    if find_program "$name" >/dev/null; then return 0; fi
  done
  [ -x '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome' ]
}

install_chromium() {
  if chromium_ready; then return 0; fi
  install_system chromium -- --cask chromium || true
  chromium_ready || say 'NOTICE: no Chromium could be installed; the tests in a browser will be left out.'
}

what=${1:-}
case $what in
  packages) packages_ready || with_lock install_packages ;;
  servers)
    # Without the right to write here there is no lock; apt-get's own keeps two installations apart.
    servers_ready || if [ -w "$root" ]; then with_lock install_servers; else install_servers; fi
    ;;
  chromium) chromium_ready || with_lock install_chromium ;;
  test)
    packages_ready || with_lock install_packages
    servers_ready || with_lock install_servers
    chromium_ready || with_lock install_chromium
    ;;
  *) fail "setup.sh does not know \"$what\"." 'Give it packages, servers, chromium or test.' ;;
esac
