#!/bin/sh
# PostgreSQL and MariaDB servers for tests, in their own folder, on sockets inside it. Both offer TLS; PostgreSQL does
# so only on a port of 127.0.0.1. Existing installations are not touched. When run as root, the servers run as the users
# created by Debian's packages. They do not sync: what may die here is their process, not the machine.
#
# usage: sh tests/databases.sh start FOLDER     creates and starts them, and prints lines for `eval`:
#                                               FLUX_TEST_POSTGRES and FLUX_TEST_MYSQL, the URLs of empty databases.
#                                               FOLDER/tls has ca.pem, which signed their certificate (of "localhost"),
#                                               server.pem, and other-ca.pem
#        sh tests/databases.sh pause|resume FOLDER postgres|mysql     shuts one down cleanly; starts it again
#        sh tests/databases.sh stop FOLDER      stops them and removes the folder
# Debian packages: postgresql, mariadb-server, openssl
set -eu

die() {
  printf 'databases: %s\n' "$*" >&2
  exit 1
}

# as USER COMMAND...: as that user if we are root, otherwise as ourselves.
as() {
  (become "$@")
}

# The same, replacing this shell.
become() {
  user=$1
  shift
  [ "$(id -u)" -ne 0 ] || exec setpriv --reuid="$user" --regid="$user" --clear-groups "$@"
  exec "$@"
}

# until_up FILE COMMAND...: waits until the command succeeds; if it does not, prints FILE.
until_up() {
  log=$1
  shift
  tries=0
  until "$@" >/dev/null 2>&1; do
    tries=$((tries + 1))
    [ "$tries" -lt 300 ] || {
      cat "$log" >&2
      die "a server did not start"
    }
    sleep 0.1
  done
}

make_certificates() {
  command -v openssl >/dev/null 2>&1 || die "openssl is not installed"
  mkdir "$folder/tls"
  (
    cd "$folder/tls"
    new="openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30"
    $new -subj "/CN=tests" -keyout ca.key -out ca.pem
    $new -subj "/CN=others" -keyout other-ca.key -out other-ca.pem
    $new -subj "/CN=localhost" -addext "subjectAltName=DNS:localhost" -addext "basicConstraints=critical,CA:FALSE" \
      -CA ca.pem -CAkey ca.key -keyout server.key -out server.pem
  ) </dev/null >"$folder/tls.log" 2>&1 || {
    cat "$folder/tls.log" >&2
    die "there are no certificates"
  }
}

postgres_tools() {
  if command -v pg_config >/dev/null 2>&1 && [ -x "$(pg_config --bindir)/initdb" ]; then
    pg_config --bindir
    return
  fi
  for folder in /usr/lib/postgresql/*/bin; do
    [ -x "$folder/initdb" ] && found=$folder
  done
  [ -n "${found:-}" ] || die "PostgreSQL's server is not installed"
  printf '%s\n' "$found"
}

# On the port read from a file, which is also part of the sockets' names.
start_postgres() {
  port=$(cat "$folder/postgres/port")
  as postgres "$(postgres_tools)/pg_ctl" --pgdata="$folder/postgres/data" --log="$folder/postgres/log" --wait --silent \
    --options="-c listen_addresses=127.0.0.1 -c port=$port -c unix_socket_directories='$folder/postgres' \
      -c max_connections=200 -c fsync=off -c ssl=on -c ssl_cert_file='$folder/postgres/server.pem' \
      -c ssl_key_file='$folder/postgres/server.key'" start </dev/null >/dev/null
}

# If the port is taken, tries another one.
start_postgres_somewhere() {
  tries=0
  while [ "$tries" -lt 5 ]; do
    tries=$((tries + 1))
    printf '%s\n' "$((10000 + $(od -An -N2 -tu2 /dev/urandom) % 20000))" >"$folder/postgres/port"
    ! start_postgres || return 0
  done
  cat "$folder/postgres/log" >&2
  die "PostgreSQL did not start"
}

make_postgres() {
  tools=$(postgres_tools)
  mkdir "$folder/postgres"
  cp "$folder/tls/server.pem" "$folder/tls/server.key" "$folder/postgres"
  printf 'secret\n' >"$folder/postgres/password"
  [ "$(id -u)" -ne 0 ] || chown -R postgres: "$folder/postgres"
  as postgres "$tools/initdb" --pgdata="$folder/postgres/data" --username=flux --pwfile="$folder/postgres/password" \
    --auth=scram-sha-256 --encoding=UTF8 --locale=C </dev/null >"$folder/postgres.log" 2>&1 || {
    cat "$folder/postgres.log" >&2
    die "initdb failed"
  }
  start_postgres_somewhere
  PGPASSWORD=secret "$tools/psql" --host="$folder/postgres" --port="$port" --username=flux --dbname=postgres --quiet \
    --command='CREATE DATABASE flux' </dev/null >&2
}

stop_postgres() {
  as postgres "$(postgres_tools)/pg_ctl" --pgdata="$folder/postgres/data" --mode="${1:-fast}" --wait --silent stop </dev/null
}

start_mysql() {
  # In a subshell that it replaces: no process that outlives this script inherits its standard output.
  (become mysql mariadbd --no-defaults --datadir="$folder/mysql/data" --socket="$folder/mysql/socket" --skip-networking \
    --pid-file="$folder/mysql/pid" --init-file="$folder/mysql/init.sql" --max-connections=200 \
    --innodb-flush-log-at-trx-commit=2 --innodb-flush-method=nosync \
    --ssl-ca="$folder/tls/ca.pem" --ssl-cert="$folder/mysql/server.pem" --ssl-key="$folder/mysql/server.key") \
    </dev/null >>"$folder/mysql/log" 2>&1 &
  until_up "$folder/mysql/log" mariadb --no-defaults --socket="$folder/mysql/socket" --user=flux --password=secret \
    --execute='SELECT 1' flux
}

make_mysql() {
  command -v mariadbd >/dev/null 2>&1 || die "MariaDB's server is not installed"
  mkdir "$folder/mysql"
  cp "$folder/tls/server.pem" "$folder/tls/server.key" "$folder/mysql"
  cat >"$folder/mysql/init.sql" <<'SQL'
CREATE DATABASE IF NOT EXISTS flux;
CREATE USER IF NOT EXISTS 'flux'@'localhost' IDENTIFIED BY 'secret';
GRANT ALL ON *.* TO 'flux'@'localhost' WITH GRANT OPTION;
SQL
  [ "$(id -u)" -ne 0 ] || chown -R mysql: "$folder/mysql"
  as mysql mariadb-install-db --no-defaults --datadir="$folder/mysql/data" --auth-root-authentication-method=normal \
    --skip-test-db </dev/null >"$folder/mysql.log" 2>&1 || {
    cat "$folder/mysql.log" >&2
    die "mariadb-install-db failed"
  }
  start_mysql
}

# Shuts it down cleanly, and waits until it has exited.
stop_mysql() {
  [ -f "$folder/mysql/pid" ] || return 0
  pid=$(cat "$folder/mysql/pid")
  kill "$pid" 2>/dev/null || return 0
  while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
}

[ $# -ge 2 ] || {
  sed -n '/^# usage/,/^# Debian/s/^# \{0,1\}//p' "$0" >&2
  exit 2
}
folder=$2
case $1 in
  start)
    mkdir "$folder"
    chmod 755 "$folder"
    make_certificates
    make_postgres
    make_mysql
    printf 'FLUX_TEST_POSTGRES=%s\n' "'postgresql://flux:secret@/flux?host=$folder/postgres&port=$port'"
    printf 'FLUX_TEST_MYSQL=%s\n' "'mysql://flux:secret@localhost/flux?socket=$folder/mysql/socket'"
    printf 'export FLUX_TEST_POSTGRES FLUX_TEST_MYSQL\n'
    ;;
  pause | resume)
    case $1-${3:-} in
      pause-postgres) stop_postgres ;;
      pause-mysql) stop_mysql ;;
      resume-postgres) start_postgres || die "PostgreSQL did not start" ;;
      resume-mysql) start_mysql ;;
      *) die "no such server: ${3:-}" ;;
    esac
    ;;
  stop)
    [ ! -f "$folder/postgres/data/postmaster.pid" ] || stop_postgres immediate || true
    stop_mysql
    rm -rf "$folder"
    ;;
  *) die "no such command: $1" ;;
esac
