#!/bin/sh
# Installs packages of this bundle with what they need, out of the bundle alone, once every file of it is
# as SHA256SUMS says: install.sh PACKAGE..., of pmt, pmt-coordinator and pmt-worker. As root.
set -eu

fail() {
  echo "install.sh: $*" >&2
  exit 1
}

cd "$(dirname "$0")"
[ $# -gt 0 ] || fail "no package is named; allowed: pmt, pmt-coordinator, pmt-worker"
for package; do
  case $package in
    pmt | pmt-coordinator | pmt-worker) ;;
    *) fail "package is $package; allowed: pmt, pmt-coordinator, pmt-worker" ;;
  esac
done
[ "$(id -u)" = 0 ] || fail "packages are installed as root"

if ! checked=$(sha256sum --strict --check SHA256SUMS 2>/dev/null); then
  damaged=$(echo "$checked" | sed -n 's/: FAILED.*//p' | paste --serial --delimiters=,)
  fail "nothing was installed, for of the bundle's files these are damaged or missing: ${damaged:-SHA256SUMS}"
fi

state=$(mktemp -d)
trap 'rm -rf "$state"' EXIT
mkdir -p "$state/lists/partial" "$state/cache/archives/partial"
echo "deb [trusted=yes] file:$(pwd | sed 's/ /%20/g')/packages ./" >"$state/bundle.list"
apt() {
  DEBIAN_FRONTEND=noninteractive apt-get --quiet=2 -o Dir::Etc::SourceList="$state/bundle.list" \
    -o Dir::Etc::SourceParts=/dev/null -o Dir::State::Lists="$state/lists" -o Dir::Cache="$state/cache" \
    -o APT::Sandbox::User=root -o Dpkg::Use-Pty=0 "$@"
}
apt update
# As they are in the bundle, whether what is there is of that version, older or newer; LibTorch only
# where it is of another version or not there: it takes gigabytes.
in_bundle() { dpkg-deb --field packages/"$1"_*.deb Version; }
there() { dpkg-query --show --showformat='${Version}' "$1" 2>/dev/null || true; }
wanted=
for package; do
  wanted="$wanted $package=$(in_bundle "$package")"
  if [ "$package" = pmt-worker ] && [ "$(there pmt-libtorch)" != "$(in_bundle pmt-libtorch)" ]; then
    wanted="$wanted pmt-libtorch=$(in_bundle pmt-libtorch)"
  fi
done
# shellcheck disable=SC2086 # words without spaces
apt install --yes --no-install-recommends --reinstall --allow-downgrades $wanted
