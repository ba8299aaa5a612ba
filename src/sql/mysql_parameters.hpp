// The parameters of a connection to a MySQL or MariaDB server.
#pragma once

#include <map>
#include <string>

namespace flux::storage::sql {

/// By name: host, port, unix_socket, db, user, password, and the paths of PEM files: sslca, sslcert, sslkey. With sslca
/// the connection is encrypted, and the server's certificate must be valid for `host`.
using MysqlParameters = std::map<std::string, std::string>;

/// Parses "mysql://user:password@host:port/database?socket=PATH&sslca=PATH". Errors: throws `Error` (bad_config).
MysqlParameters mysql_parameters(const std::string& url);

}  // namespace flux::storage::sql
