// Logs clients in: with JSON Web Tokens and API keys, over every protocol. A module: programs that don't include this
// header don't link it.
//
//     flux::Server server;
//     flux::Auth auth(server, {.keys = {flux::jwt::Key::read_file(flux::jwt::Algorithm::hs256, "secret.key")}});
//     server.run();
//
// A client shows its token or key where `AccessRequest::token` and `AccessRequest::api_key` read them: as `?access_token=`
// or `Authorization: Bearer` of a handshake or request, as `token` of Socket.IO's auth object, as `accessToken` of a
// `join_room` or `refresh`; a key as `X-API-Key`, `?api_key=` or `apiKey` of the auth object. A key that flux made may also
// be sent in place of a token, as in `Authorization: Bearer`. If a client sends both, only the token is checked. A client
// whose token or key is not accepted is refused, whatever the application's handlers would say. They are asked about clients that show
// neither:
//
//     client shows       | with a connect handler    | without one
//     -------------------|---------------------------|--------------------------------------------------------------
//     token or API key   | accepted if it is valid   | accepted if it is valid
//     neither            | the handler decides       | refused; if `AuthOptions::required` is false, accepted with an
//                        |                           | empty grant
//
// A file handler is asked afterwards, with what was verified in `FileRequest::grant`. A token verifier (`Server::on_token`)
// is not asked any more. What a client may do is decided by the permissions of its grant (`RoomsOptions::demands` and the
// like). To end access before a token or key ends: `Server::revoke_user`, `Server::revoke_credential`, `revoke_api_key`.
#pragma once

#include <flux/config.hpp>
#include <flux/grant.hpp>
#include <flux/jwt.hpp>
#include <flux/server.hpp>
#include <flux/storage/key_store.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace flux {

namespace detail {
class AuthState;
}

/// Where a token says who its client is and what it may do: JSON Pointers (RFC 6901) into its claims. Empty: nowhere.
struct ClaimPaths {
  std::string user_id = "/sub";              ///< a text or an integer. A token without it is refused
  std::string name = "/name";                ///< a text; as all that follow, it may be absent
  std::string email = "/email";              ///< a text; left out if the token has `email_verified: false`
  std::string provider = "/provider";        ///< a text; see also `AuthOptions::provider`
  std::string permissions = "/permissions";  ///< an array of texts, or one text with spaces between them, as in `scope`
};

/// Options of an `Auth`. At least one of `keys`, `jwks` and `api_keys` is needed.
struct AuthOptions {
  /// Keys that verify tokens. The first that can sign is the one of `Auth::issue`.
  std::vector<jwt::Key> keys{};
  /// The keys of an issuer, as a JSON Web Key Set: an https URL (http on this machine), which is fetched when the server
  /// starts, when the response's lifetime ends, and when a token names a key that is missing; or the path of a file. As
  /// long as an issuer can't be reached, its last keys are used; before the first were fetched, tokens are refused with
  /// `overloaded`, which tells clients to try again.
  std::string jwks{};
  std::string jwks_ca_file{};  ///< authorities to trust for that URL, in PEM; empty: the system's
  jwt::Rules tokens{};         ///< what tokens must fulfil. A grant ends at the token's `exp` plus the leeway
  ClaimPaths claims{};         ///< where tokens say what
  std::string provider{};      ///< `Identity::provider` of tokens that name none
  /// Called for every token that was verified, with the grant that its client will get, which it may change: to map roles
  /// to permissions, for example. An error refuses the client, and its message is sent; an exception does, too.
  /// Threading: on any loop or on a thread of the module; must not block.
  std::function<Result<void>(const jwt::Token&, Grant&)> on_token{};
  /// Set it, if only to `ApiKeysOptions{}`, to accept API keys.
  std::optional<ApiKeysOptions> api_keys{};
  /// Whether clients that show neither a token nor a key are refused if there is no connect handler.
  bool required = true;

  /// For `Auth::validate_message`: the longest message.
  std::size_t message_bytes_max = 1'048'576;
  /// For `Auth::validate_message`: whether messages with script tags, `javascript:` or `on…=` are refused. What renders
  /// a text must escape it all the same. What clients write in rooms is checked by `RoomsOptions::content`.
  bool refuse_scripts = false;
  /// For `Auth::enforce_rate_limit`: how often each client may do something. What clients request of the server itself is
  /// limited by `Limits::operations`.
  Rate rate{};

  /// Accepts the ID tokens of Google accounts that were issued for this OAuth client.
  /// Errors: throws `Error` (bad_config) if `client_id` is empty.
  static AuthOptions google(std::string client_id);
  /// Accepts the tokens of a Microsoft Entra tenant (its id, a UUID) that were issued for this application. The user id is
  /// the claim `oid`; there is no e-mail, because a tenant can write any into its tokens.
  /// Errors: throws `Error` (bad_config) for a `tenant` that is no UUID: with "common" anybody's tenant could sign; or if
  /// `client_id` is empty.
  static AuthOptions microsoft(const std::string& tenant, std::string client_id);
};

/// Logs clients in. One for each server, created before its start; the server keeps what it needs of it.
/// Threading: every method from any thread. Those that change API keys wait for the store, so they must not be called
/// inside a handler if the store may block. The object must not be used after the server's end.
class Auth {
 public:
  /// Reads the API keys; fetches nothing yet.
  /// Errors: throws `Error`: bad_config for an option that can't be used, if there is no way to log in, if the server has
  /// an Auth already, and in a build without OpenSSL; already_running.
  Auth(Server& server, AuthOptions options);
  ~Auth();
  Auth(const Auth&) = delete;
  Auth& operator=(const Auth&) = delete;

  // --- Tokens ---

  /// What a client that shows this token, or this API key, would be granted now. Asks no issuer for newer keys.
  /// Errors: unauthorized ("Invalid authentication token", "Authentication token expired", "Invalid API key", or the
  /// reason of a revocation); that of `AuthOptions::on_token`; overloaded if the issuer's keys were not fetched yet, or
  /// the API key is unknown and the store of keys can't be read.
  Result<Grant> authenticate(std::string_view token) const;
  /// Signs a token with these claims, an object. Added are `iat`, `exp`, a random `jti` (the `Grant::credential` with which
  /// it can be revoked), and `iss` and `aud`, the first ones of `AuthOptions::tokens`; claims that are given stay.
  /// `valid_for`: 1 s to 100 years.
  /// Errors: invalid_argument, also if no key can sign, or if the token would be longer than
  /// `jwt::Rules::token_bytes_max` of `AuthOptions::tokens`, so that it would be refused.
  Result<std::string> issue(const JsonText& claims, std::chrono::seconds valid_for) const;
  /// The same for this user, written where `AuthOptions::claims` reads it.
  /// `permissions`: each an "operation:scope", as "read:*", or "admin".
  /// Errors: also invalid_argument if the user id is empty or can't be revoked (`Revocation::name`), a text is not UTF-8,
  /// a permission has another form, or a path that is needed is not a single name, as "/sub" is.
  Result<std::string> issue(const Identity& identity, const std::vector<std::string>& permissions,
                            std::chrono::seconds valid_for) const;

  // --- API keys ---

  /// Generates an API key. Its text is returned once and not stored.
  /// Errors: invalid_argument; limit_exceeded; store_failed; bad_config without `AuthOptions::api_keys`, as for all below.
  Result<NewApiKey> add_api_key(const ApiKeySpec& spec);
  /// Accepts a key of the application's own from now on; see `ApiKeysOptions`. Returns its id.
  /// Errors: as above.
  Result<std::string> add_api_key(std::string_view key, const ApiKeySpec& spec);
  /// All keys that are not revoked, in the order of their names.
  std::vector<ApiKeyRecord> api_keys() const;
  /// Revokes a key: from now on it is refused, and clients that are connected with it are disconnected with 4401.
  /// Errors: invalid_argument if there is no such key; store_failed: this server refuses it, and tries again to remove it.
  Outcome<void> revoke_api_key(const std::string& id);

  // --- Checks for the application ---

  /// Whether the grant allows `operation` ("read", "write", …) on a channel or room.
  /// Errors: invalid_argument "Invalid channel name format" (empty, with ".." or "/", not UTF-8); forbidden "System channels
  /// require admin permission" or "Insufficient permissions for channel: C".
  Result<void> check_channel_permission(const Grant& grant, std::string_view operation, std::string_view channel) const;
  /// Counts one action of `client`, any text that names it, against `AuthOptions::rate`.
  /// Errors: rate_limited "Rate limit exceeded: Too many messages sent", with `Error::retry_after`.
  Result<void> enforce_rate_limit(std::string_view client);
  /// Errors: message_too_large "Message too large"; invalid_argument "Message contains invalid content" (not UTF-8, or what
  /// `AuthOptions::refuse_scripts` says).
  Result<void> validate_message(std::string_view message) const;

 private:
  std::shared_ptr<detail::AuthState> state_;
};

}  // namespace flux

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/server/auth.ipp>
#endif
