#!/bin/sh
# Makes the kept binaries of one release of the plugin API: see README.md. Run once per release, from anywhere in the repository:
#
#   tests/golden/make.sh VERSION COMMIT [VARIANT...]
#
# RUSTC_1_85 and RUSTC_1_96 name other compilers; a variant whose compiler is not named is left out.
set -eu
version=$1 commit=$2
shift 2
here=$(cd "$(dirname "$0")" && pwd)
to=$here/$version
tree=$(mktemp -d)
target=${CARGO_TARGET_DIR:-$tree/target}
trap 'git -C "$here" worktree remove --force "$tree"' EXIT
rmdir "$tree"
git -C "$here" worktree add --detach --quiet "$tree" "$commit"
mkdir -p "$to" "$tree/tests/golden"
for part in plugin host questions.rs; do
    rm -rf "$tree/tests/golden/$part"
    cp -R "$here/$part" "$tree/tests/golden/"
done
# The release's own versions of dependencies.
for part in plugin host; do
    cp "$tree/Cargo.lock" "$tree/tests/golden/$part/Cargo.lock"
done

grep -q "^version = \"$version\"" "$tree/plugin-api/Cargo.toml" || { echo "$commit has another plugin-api than $version" >&2; exit 1; }

# No paths of this machine in the binaries.
export CARGO_ENCODED_RUSTFLAGS="--remap-path-prefix=$tree=/hookport$(printf '\037')--remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo"
unset CARGO_TARGET_DIR RUSTFLAGS

# plugin NAME PROFILE COMPILER [CARGO FLAGS...]
plugin() {
    name=$1 profile=$2 compiler=$3
    shift 3
    case " $variants " in "  " | *" $name "*) ;; *) return 0 ;; esac
    [ ! -e "$to/$name.so" ] || { echo "$name: is there, and stays as it is" >&2; return 0; }
    [ -n "$compiler" ] || { echo "$name: no compiler named" >&2; return 0; }
    (cd "$tree/tests/golden/plugin" &&
        RUSTC=$compiler cargo build --quiet --profile "$profile" --target-dir "$target/$name" "$@")
    cp "$target/$name/$profile/libgolden.so" "$to/$name.so"
    ls -l "$to/$name.so"
}
variants="$*"
rustc=${RUSTC:-rustc}
plugin ordinary ordinary "$rustc"
plugin small release "$rustc"
plugin checked checked "$rustc"
plugin allocator release "$rustc" --features allocator
plugin decode-only release "$rustc" --features decode-only
case $version in
1.0.*) ;;
*) plugin canonicalize release "$rustc" --features canonicalize ;;
esac
plugin rustc-1.85 release "${RUSTC_1_85:-}"
plugin rustc-1.96 release "${RUSTC_1_96:-}"
case " $variants " in "  " | *" host "*)
    [ ! -e "$to/host" ] || { echo "host: is there, and stays as it is" >&2; exit 0; }
    (cd "$tree/tests/golden/host" && cargo build --quiet --release --target-dir "$target/host")
    cp "$target/host/release/golden-host" "$to/host"
    ls -l "$to/host"
    ;;
esac
