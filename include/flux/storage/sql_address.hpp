// Where a database server is, and who we are there.
#pragma once

#include <cstdint>
#include <string>

namespace flux {

/// What else there is to say of a connection, such as TLS, is said in a URL instead.
struct SqlAddress {
  std::string host =
      "127.0.0.1";         ///< or the path of a UNIX socket (MySQL) or of its folder (PostgreSQL), with a `/` first
  std::uint16_t port = 0;  ///< 0: the database's usual one
  std::string database{};
  std::string user{};
  std::string password{};
};

}  // namespace flux
