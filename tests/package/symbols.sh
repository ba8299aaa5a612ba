#!/bin/sh
# Usage: symbols.sh NM PROGRAM
# Fails if the program, which uses only rooms, contains code of Engine.IO, Socket.IO, data sharing, files, tokens, API
# keys or a database.
set -eu
names=$("$1" -C "$2")
case $names in
  *flux::features::Rooms::*) ;;
  *) echo "no symbol of flux in $2: was it stripped?"; exit 1 ;;
esac
found=$(printf '%s\n' "$names" | grep -E \
  -e 'flux::features::(Files|FilesService|FilePlace|FileWriter|GuardedFileStore|UnfinishedUploads)::' \
  -e 'flux::gate::(FileLinks|UploadTickets)::|flux::storage::(DiskFiles|FileIndexLog|Journal|RawFile|detail::SystemFiles)::' \
  -e 'flux::jwt::|flux::gate::(ApiKeys|JwksSource)::|flux::detail::AuthState::|flux::(Memory|File)KeyStore::|flux::storage::Key(File|Lines)::' \
  -e 'flux::detail::(File[A-Z][A-Za-z]*|Tus[A-Za-z]*|Upload[A-Z][A-Za-z]*)::|flux::DiskFileStore::|vtable for flux::[A-Za-z:]*FileStore' \
  -e 'flux::(engineio|socketio|sql)::|[Ee]ngine_?[Ii][Oo]|[Ss]ocket_?[Ii][Oo][A-Z_:]|Sharing|sqlite3_|mysql_|PQ(exec|connect)' || true)
if [ -n "$found" ]; then
  echo "$2 uses only rooms, but links:"
  printf '%s\n' "$found" | head -40
  exit 1
fi
"$2"
