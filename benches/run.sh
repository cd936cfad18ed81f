#!/bin/sh
# Prints every table as Markdown on standard output: the token, requests, the wire, the stores beside their peers. With
# `--scale` also the stores with a million sessions, which takes half an hour. The pictures of the guide "performance"
# are drawn on the way.
# Needs redis-server, PostgreSQL, MariaDB, wrk and taskset. TMPDIR says where the servers keep their data.
set -e
cd "$(dirname "$0")"
export TMPDIR="${TMPDIR:-/dev/shm}"
guides=../session-core/guides
for program in redis-server psql mariadb wrk taskset; do
    command -v "$program" > /dev/null || missing="$missing $program"
done
if [ -n "$missing" ]; then
    echo "not installed:$missing" >&2
    exit 1
fi
# One build for all: `cargo run` of one package would be another.
cargo build --release --workspace --bins
programs="${CARGO_TARGET_DIR:-target}/release"

"$programs/allocations"
echo
"$programs/table" "$guides/performance-requests.svg"
echo
taskset -c 0 "$programs/wire"
echo
reports="$(mktemp)"
"$programs/peers" | tee "$reports"
"$programs/draw" "$guides/performance-stores.svg" < "$reports"
rm "$reports"
if [ "$1" = --scale ]; then
    "$programs/scale"
fi
