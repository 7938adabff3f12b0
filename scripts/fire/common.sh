# What the fault scripts have in common; sourced, not run. A script says in `break_it` what breaks half-way, and calls `fire` at its end.
# shellcheck shell=bash
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

# Variables: FIRE_BIN, where `livedrop` and `livedrop-bench` are (default: target/release, built first); CASSANDRA, the script that starts the
# database; FIRE_LOGS, where the output is kept.
target=${CARGO_TARGET_DIR:-$PWD/target}
cassandra=${CASSANDRA:-$PWD/scripts/cassandra/cassandra}
logs=${FIRE_LOGS:-$target/fire}

# Seconds that a rush may take, from the first sign-up to the verdict; with the database's start a script takes a minute more.
rush_seconds=600
rush=()

node() { "$cassandra" pid "$1"; }

# Waits until a line like PATTERN is in a server's log since LINE, for ten seconds at most.
wait_for_log() {
  local pattern=$1 since=$2 until=$((SECONDS + 10))
  # Without quotes: paths of the rush have no blanks, and there may be several.
  # shellcheck disable=SC2086
  until tail -qn "+$since" $RUSH_SERVER_LOGS | grep -q "$pattern"; do
    ((SECONDS < until)) || { echo "no server has said \"$pattern\"" && return 1; }
    sleep 0.02
  done
}

# The number in the table's row NAME.
row() { awk -v name="$1" 'index($0, name) { split(substr($0, index($0, name) + length(name)), words, " "); print words[1]; exit }' "$output"; }

stop() {
  [[ -z ${rush[0]:-} ]] || kill -TERM "${rush[0]}" 2>/dev/null || true
  "$cassandra" stop
}

# fire NAME OPTION...: starts three nodes, sends a rush with these options at them, and answers with its verdict.
fire() {
  local name=$1 status=0 nodes
  shift
  if [[ -z ${FIRE_BIN:-} ]]; then
    cargo build --release --locked -p livedrop-server -p livedrop-bench
    FIRE_BIN=$target/release
  fi
  mkdir -p "$logs"
  output=$logs/$name.out
  export CASSANDRA_HOME=$target/cassandra-fire-$name
  trap stop EXIT
  nodes=$("$cassandra" start 3 | tail -n 1)
  echo "$name: a rush on three nodes, $nodes"
  "$FIRE_BIN/livedrop-bench" rush --store cql --cql "$nodes" --buyers 600 --stock 800 --arrive 30 --connections 32 --timeout "$rush_seconds" \
    "$@" >"$output" 2> >(tee "$logs/$name.err" >&2) &
  rush=($!)
  wait "${rush[0]}" || status=$?
  rush=()
  cat "$output"
  return "$status"
}

# expect ROW: its number in the table has to be above zero, or nothing was tested.
expect() {
  local number
  number=$(row "$1")
  [[ $number =~ ^[0-9]+$ ]] && ((number > 0)) && return
  echo "nothing was tested: \"$1\" is ${number:-missing}" >&2
  return 1
}

if [[ ${1:-} == --break ]]; then
  break_it
  exit
fi
