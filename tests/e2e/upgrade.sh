#!/usr/bin/env bash
# Upgrades a cluster from the programs of another commit to those of BUILD and back, by docs/upgrade.md:
# upgrade.sh BUILD [REF], REF any commit of this clone, HEAD^ unless given. Its programs stay in
# BUILD/previous, where the next commit compiles only what differs.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=$(realpath "$1") ref=${2:-HEAD^}
commit=$(git rev-parse --quiet --verify "$ref^{commit}") || {
  echo "upgrade: $ref is no commit of this clone; allowed: one that it has (of a shallow one, 'git fetch --unshallow' brings more)" >&2
  exit 2
}
source=$build/previous
programs=$source/build  # there ccache knows the objects of other clones

git worktree prune
[ -e "$source/.git" ] || git worktree add --quiet --detach "$source" "$commit"
git -C "$source" checkout --quiet --detach "$commit"
ln -sfn "$PWD/.deps" "$source/.deps"
# Of the Rust library, what is not ours.
[ -e "$programs/cargo" ] || { mkdir -p "$programs" && cp -a "$build/cargo" "$programs"; }
cmake -S "$source" -B "$programs" -G Ninja >/dev/null
cmake --build "$programs" --parallel "${JOBS:-$(nproc)}" --target pmt pmt-coordinator pmt-worker pmt-rsh pmt-trainer
echo "upgrade: from $(git log -1 --format='%h (%s)' "$commit")"
PREFIXMEM_PREVIOUS=$programs ctest --test-dir "$build" --output-on-failure --no-tests=error -R '^e2e_upgrade$'
