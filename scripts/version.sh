#!/usr/bin/env bash
# Prints the version of what is built here. PREFIXMEM_VERSION where that is set, else the release (CMakeLists.txt),
# and in a git checkout when its last commit was made (UTC) and which one it is: 0.1.0+20261130204507.g5a1ea7c, with
# .modified behind it where files that git knows were changed since. To SemVer and Python that is the same release,
# to dpkg one that follows those of commits made in an earlier second; a shallow clone says the same.
set -euo pipefail
cd "$(dirname "$0")/.."

version=${PREFIXMEM_VERSION:-}
if [ -z "$version" ]; then
  version=$(sed -n 's/^project(prefixmem VERSION \([^ ]*\) .*/\1/p' CMakeLists.txt)
  if [ -e .git ]; then
    if commit=$(TZ=UTC git log -1 --abbrev=7 --date=format-local:%Y%m%d%H%M%S --format=%cd.g%h); then
      version+=+$commit
      [ -z "$(git --no-optional-locks status --porcelain --untracked-files=no)" ] || version+=.modified
    else
      echo "version: git does not say what commit this is, so that programs know the release alone" >&2
    fi
  fi
fi
if ! [[ $version =~ ^[0-9][0-9A-Za-z.+~]*$ ]]; then
  echo "version: PREFIXMEM_VERSION is \"$version\"; allowed: a digit, then digits, letters and . + ~" >&2
  exit 2
fi
echo "$version"
