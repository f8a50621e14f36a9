#!/usr/bin/env bash
# Installs what is missing and nothing else: Debian packages, a virtual environment in .deps/venv
# (LibTorch, test and lint tools), three Go programs in .deps/bin. Where all is there it does nothing, offline too.
# `setup.sh fuzz` installs what `make fuzz` needs besides.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
stamps=$root/.deps/stamps
uv_version=0.13.9
grpcurl_version=v1.9.1
min_rust=1.85

say() { echo "setup: $*"; }
fail() {
  echo "setup: $*" >&2
  exit 1
}

# retry COMMAND…: three tries, for a network that hiccups.
retry() {
  local try
  for try in 1 2 3; do
    "$@" && return 0
    [ "$try" = 3 ] || sleep $((try * 5))
  done
  return 1
}

as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    fail "Debian packages are missing and neither root nor sudo is at hand; as root run: $*"
  fi
}

listed() { sed 's/#.*//' "$@" | xargs -n1; }

apt_quiet() {
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -y -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300 "$@" \
    </dev/null >>"$root/.deps/log/apt.log" 2>&1
}

debian_lists() {
  echo requirements/debian.txt
  has_rust || echo requirements/debian-rust.txt
  has_go_programs || command -v go >/dev/null || echo requirements/debian-go.txt
}

# install_debian LIST…: the packages that those files name.
install_debian() {
  local files=("$@") packages missing
  packages=$(listed "${files[@]}")
  # shellcheck disable=SC2086
  missing=$(comm -23 <(sort -u <<<"$packages") \
    <(dpkg-query -W -f='${db:Status-Status} ${Package}\n' $packages 2>/dev/null | sed -n 's/^installed //p' | sort -u))
  [ -n "$missing" ] || return 0
  command -v apt-get >/dev/null || fail "this system has no apt-get; install these packages' like by hand: ${missing//$'\n'/ }"
  say "installing Debian packages: ${missing//$'\n'/ }"
  mkdir -p .deps/log
  retry apt_quiet update || fail "'apt-get update' failed three times; see .deps/log/apt.log."
  # shellcheck disable=SC2086
  retry apt_quiet install --no-install-recommends $missing ||
    fail "apt-get could not install ${missing//$'\n'/ }; see .deps/log/apt.log."
}

has_rust() {
  local have
  command -v cargo rustc rustfmt cargo-clippy >/dev/null 2>&1 || return 1
  have=$(rustc --version 2>/dev/null | cut -d' ' -f2) || return 1
  [ "$(printf '%s\n' "$min_rust" "$have" | sort -V | head -n1)" = "$min_rust" ]
}

# fresh NAME TEXT: whether the step NAME was last done for exactly TEXT.
fresh() { [ -f "$stamps/$1" ] && [ "$(<"$stamps/$1")" = "$2" ]; }
done_with() {
  mkdir -p "$stamps"
  printf '%s' "$2" >"$stamps/$1"
}

install_python() {
  local want
  want="uv $uv_version, lock $(sha256sum <requirements/lock.txt | cut -d' ' -f1)"
  [ -x .deps/venv/bin/python ] && fresh venv "$want" && return 0
  mkdir -p .deps/log
  if [ ! -x .deps/venv/bin/python ]; then
    say "making the virtual environment .deps/venv"
    python3 -m venv .deps/venv >.deps/log/venv.log 2>&1 || fail "python3 -m venv failed; see .deps/log/venv.log."
  fi
  say "installing LibTorch and the Python packages of requirements/lock.txt"
  retry .deps/venv/bin/python -m pip install --quiet --disable-pip-version-check "uv==$uv_version" \
    >.deps/log/uv.log 2>&1 || fail "pip could not install uv $uv_version; see .deps/log/uv.log."
  retry install_locked || fail "the packages of requirements/lock.txt could not be installed; see .deps/log/python.log."
  done_with venv "$want"
}

# uv is much faster; pip knows machine-wide settings (mirrors, certificates) that uv does not read.
install_locked() {
  .deps/venv/bin/uv pip install --quiet --python .deps/venv/bin/python -r requirements/lock.txt >.deps/log/python.log 2>&1 ||
    .deps/venv/bin/python -m pip install --quiet --disable-pip-version-check -r requirements/lock.txt >>.deps/log/python.log 2>&1
}

decoder_version() { sha256sum tests/deploy/manifests/{main.go,go.mod,go.sum} | sha256sum | cut -d' ' -f1; }
has_grpcurl() { [ -x .deps/bin/grpcurl ] && fresh grpcurl "$grpcurl_version"; }
has_decoder() { [ -x .deps/bin/decode-manifests ] && fresh decode-manifests "$(decoder_version)"; }
s3_server_version() { sha256sum tests/s3/{main.go,go.mod,go.sum} | sha256sum | cut -d' ' -f1; }
has_s3_server() { [ -x .deps/bin/s3-server ] && fresh s3-server "$(s3_server_version)"; }
has_go_programs() { has_grpcurl && has_decoder && has_s3_server; }

go_here() {
  env GOBIN="$root/.deps/bin" GOPATH="$root/.deps/go" GOFLAGS=-modcacherw CGO_ENABLED=0 go "$@"
}

install_grpcurl() {
  say "building grpcurl $grpcurl_version"
  retry go_here install "github.com/fullstorydev/grpcurl/cmd/grpcurl@$grpcurl_version" >.deps/log/grpcurl.log 2>&1 ||
    fail "grpcurl $grpcurl_version could not be built; see .deps/log/grpcurl.log."
  done_with grpcurl "$grpcurl_version"
}

build_decoder() { (cd tests/deploy/manifests && go_here build -ldflags='-s -w' -o "$root/.deps/bin/decode-manifests" .); }
install_decoder() {
  say "building decode-manifests, which checks deploy/kubernetes"
  retry build_decoder >.deps/log/decode-manifests.log 2>&1 ||
    fail "tests/deploy/manifests could not be built; see .deps/log/decode-manifests.log."
  done_with decode-manifests "$(decoder_version)"
}

build_s3_server() { (cd tests/s3 && go_here build -ldflags='-s -w' -o "$root/.deps/bin/s3-server" .); }
install_s3_server() {
  say "building s3-server, which tests keep files in"
  retry build_s3_server >.deps/log/s3-server.log 2>&1 ||
    fail "tests/s3 could not be built; see .deps/log/s3-server.log."
  done_with s3-server "$(s3_server_version)"
}

install_go_programs() {
  has_go_programs && return 0
  mkdir -p .deps/bin .deps/log
  has_grpcurl || install_grpcurl
  has_decoder || install_decoder
  has_s3_server || install_s3_server
  rm -rf .deps/go
}

mkdir -p .deps
exec 9>.deps/setup.lock
flock 9  # two set-ups at once take turns
if [ "${1:-}" = fuzz ]; then
  install_debian requirements/debian-fuzz.txt
  exit
fi
mapfile -t lists < <(debian_lists)
install_debian "${lists[@]}"
install_python
install_go_programs
