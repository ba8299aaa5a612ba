// The options of flux-server that say who may connect.
#pragma once

#include <flux/auth.hpp>
#include <flux/config.hpp>

#include <optional>
#include <set>
#include <string>
#include <vector>

/// What the command line says about logging in. Secrets come from files or the environment only: every user of a machine
/// can read the arguments of its processes.
struct Login {
  std::string secret_file;             // of HS256 tokens
  std::string jwks;                    // the keys of an issuer: an https URL or a file
  std::string jwks_ca_file;            // authorities to trust for that URL; empty: the system's
  std::vector<std::string> issuers;    // accepted; empty: any
  std::vector<std::string> audiences;  // names of this server; empty: tokens must have no audience
  std::string api_keys_file;           // a flux::FileKeyStore
  bool required = false;               // clients that show nothing are refused
};

/// The options of a flux::Auth; none if there is no way to log in. Reads files, and the environment variable
/// FLUX_JWT_SECRET, which `secret_file` overrides.
/// Errors: throws std::invalid_argument for options that have no effect together; flux::Error for files.
std::optional<flux::AuthOptions> auth_options(const Login& login);

/// Reads WHAT=OPERATION, and demands a permission for that operation on the room (files: on "files") of clients that do
/// this. Errors: throws std::invalid_argument.
void add_demand(flux::Config& config, const std::string& text);

/// Reads OPERATION=COUNT/SECONDS, and sets that rate for each connection, and for each client's address for what is done
/// over HTTP. Errors: throws std::invalid_argument.
void add_rate_limit(flux::Limits& limits, const std::string& text);
