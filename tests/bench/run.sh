#!/bin/sh
# Compares flux-server with a minimal Asio server and prints a table: sh tests/bench/run.sh [--help]
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)

if ! command -v node >/dev/null 2>&1; then
  echo "tests/bench/run.sh needs Node 18 or newer: apt-get install nodejs" >&2
  exit 2
fi

# 10,000 connections need as many open files, in this process and in the server.
ulimit -n "$(ulimit -H -n)" 2>/dev/null || true

exec node "$here/run.mjs" "$@"
