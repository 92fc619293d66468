#!/usr/bin/env bash
# Tries what `make dist` packed where nothing but a bare system is: the tarball and the Debian package each fine-tune the quickstart's model
# for some steps and export the adapter, in a root that debootstrap makes.
#
#   sudo Scripts/check-dist.sh [SUITE [MIRROR]]       # bookworm, from the mirror that apt uses
set -euo pipefail
cd "$(dirname "$0")/.."
suite=${1:-bookworm}
mirror=${2:-$(sed -nE 's/^(URIs: |deb (\[[^]]*\] )?)([^ ]+).*/\3/p' /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | head -1)}
archive=$(ls .build-dist/graft-*.tar.gz) package=$(ls .build-dist/graft_*.deb)
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
debootstrap --variant=minbase --include=libstdc++6 "$suite" "$root" "$mirror" >/dev/null

try() { # the program, the folder of its recipes
  chroot "$root" sh -c "set -e; rm -rf /tmp/try; cp -r $2 /tmp/try; cd /tmp/try
    $1 train Recipes/quickstart.yaml training.max_steps=20 --quiet
    $1 export runs/quickstart --format peft --output exported
    test -s exported/adapter_model.safetensors"
  echo "$1: trains and exports in a bare $suite"
}

mkdir "$root/opt/graft"
tar -xzf "$archive" -C "$root/opt/graft" --strip-components=1
try /opt/graft/bin/graft /opt/graft/share/graft

cp "$package" "$root/tmp/graft.deb"
chroot "$root" dpkg -i /tmp/graft.deb >/dev/null
try graft /usr/share/graft
chroot "$root" dpkg -r graft >/dev/null
! chroot "$root" sh -c 'command -v graft' || { echo "error: removing the package left the program" >&2; exit 1; }
