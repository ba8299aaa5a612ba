# Shared by the run scripts, which source it with $root set to the project's folder. Each function prints a line about
# what it does, and exits the script on failure.

say() {
  printf '%s: %s\n' "$name" "$*"
}

die() {
  printf '%s: %s\n' "$name" "$*" >&2
  exit 1
}

have() {
  command -v "$1" >/dev/null 2>&1
}

node_is_recent() {
  have node && have npm && [ "$(node -p 'process.versions.node.split(".")[0]' 2>/dev/null || echo 0)" -ge 18 ]
}

# Whether a Debian package's content is installed: found by its command, which may come from elsewhere, or by the
# package.
is_there() {
  case $1 in
    cmake | ccache | make | clang-format | clang-tidy) have "$1" ;;
    g++) have "${CXX:-c++}" ;;
    ninja-build) have ninja ;;
    clang) have clang++ ;;
    nodejs | npm) node_is_recent ;;
    chromium) have chromium || have chromium-browser || have google-chrome ;;
    *) [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ] ;;
  esac
}

# need PACKAGE...: installs the Debian packages that are missing.
need() {
  missing=
  for package in "$@"; do
    is_there "$package" || missing="$missing $package"
  done
  [ -n "$missing" ] || return 0
  have apt-get || die "this machine has no apt-get; install what Debian calls$missing, then run this again"
  if [ "$(id -u)" -eq 0 ]; then
    as_root=
  elif have sudo && sudo -n true 2>/dev/null; then
    as_root='sudo -n'
  else
    die "packages are missing, and this is neither root nor a user of sudo without a password. Run this, then try again:
  sudo apt-get update && sudo apt-get install --no-install-recommends$missing"
  fi
  say "installing$missing"
  # A machine of CI need not survive a loss of power, and syncing every file takes most of an installation.
  unsynced=
  [ -z "${CI:-}" ] || unsynced='-o Dpkg::Options::=--force-unsafe-io'
  # Word splitting is intended: $as_root, $unsynced and $missing are lists.
  install_packages() {
    # shellcheck disable=SC2086
    $as_root env DEBIAN_FRONTEND=noninteractive \
      apt-get install -qq -y --no-install-recommends $unsynced $missing </dev/null >/dev/null
  }
  # The package lists may be missing, or older than the archive; the first attempt shows that.
  install_packages 2>/dev/null || {
    $as_root apt-get update -qq </dev/null && install_packages
  } || die "apt-get could not install$missing"
}

# need_to_build PACKAGE...: the packages that every build needs, and the given ones.
need_to_build() {
  need g++ cmake ninja-build ccache libasio-dev libwebsocketpp-dev rapidjson-dev zlib1g-dev libssl-dev "$@"
  # A build folder keeps the generator that it was created with.
  export CMAKE_GENERATOR="${CMAKE_GENERATOR:-Ninja}"
}

# configure PRESET CMAKE_ARGUMENT...
configure() {
  preset=$1
  shift
  say "configuring build/$preset"
  (cd "$root" && cmake --preset "$preset" "$@" >"$root/build/$preset.log" 2>&1 </dev/null) || {
    cat "$root/build/$preset.log" >&2
    die "configuring build/$preset failed"
  }
}

# build PRESET TARGET...: builds the targets, or everything.
build() {
  preset=$1
  shift
  say "building build/$preset"
  [ $# -eq 0 ] || set -- --target "$@"
  (cd "$root" && cmake --build --preset "$preset" --parallel "$(nproc)" "$@" </dev/null) ||
    die "building build/$preset failed"
}
