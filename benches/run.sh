#!/bin/sh
# Prints every table as Markdown on standard output: the token, requests, the wire, the stores beside their peers. With
# `--scale` also the stores with a million sessions, which takes half an hour. The pictures of the guide "performance"
# are drawn on the way.
# Needs redis-server, PostgreSQL, MariaDB, wrk and taskset. TMPDIR says where the servers keep their data.
set -e
cd "$(dirname "$0")"
export TMPDIR="${TMPDIR:-/dev/shm}"
guides=../session-core/guides
cargo build --release --workspace --bins
run() { cargo run --quiet --release "$@"; }

run --bin allocations
echo
run --bin table -- "$guides/performance-requests.svg"
echo
taskset -c 0 cargo run --quiet --release -p session-benches-scale --bin wire
echo
reports="$(mktemp)"
run -p session-benches-scale --bin peers | tee "$reports"
run --bin draw -- "$guides/performance-stores.svg" < "$reports"
rm "$reports"
if [ "$1" = --scale ]; then
    run -p session-benches-scale --bin scale
fi
