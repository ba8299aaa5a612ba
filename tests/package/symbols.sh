#!/bin/sh
# Usage: symbols.sh NM PROGRAM
# Fails if the program, which uses rooms alone, holds code of Engine.IO, Socket.IO, data sharing or a database.
set -eu
names=$("$1" -C "$2")
case $names in
  *flux::features::Rooms::*) ;;
  *) echo "no symbol of flux in $2: was it stripped?"; exit 1 ;;
esac
found=$(printf '%s\n' "$names" | grep -E \
  'flux::(engineio|socketio|sql)::|[Ee]ngine_?[Ii][Oo]|[Ss]ocket_?[Ii][Oo][A-Z_:]|Sharing|sqlite3_|mysql_|PQ(exec|connect)' || true)
if [ -n "$found" ]; then
  echo "$2 uses rooms alone, and links:"
  printf '%s\n' "$found" | head -40
  exit 1
fi
"$2"
