#!/bin/sh
# Prints both reports as Markdown: the stores with a million sessions, and beside the peers' stores.
# TMPDIR says where the servers keep their data; on a tmpfs the disk's syncs do not hide everything else.
set -e
cd "$(dirname "$0")"
cargo run --release --bin scale -- "$@"
cargo run --release --bin peers
