#pragma once

#include <flux/detail/core/digest.hpp>
#include <flux/detail/core/json_object.hpp>
#include <flux/detail/core/permission.hpp>
#include <flux/detail/core/utf8.hpp>
#include <flux/detail/core/uuid.hpp>
#include <flux/detail/features/store_faults.hpp>
#include <flux/detail/gate/content.hpp>
#include <flux/detail/gate/grant_source.hpp>
#include <flux/detail/mode.hpp>
#include <flux/detail/server/auth_state.hpp>

#include <algorithm>
#include <utility>

namespace flux {

namespace detail {

// --- What a token says ---

/// The text at `path`, or the integer as text; none if there is neither.
FLUX_DECL std::optional<std::string> text_or_integer(const JsonText& claims, const std::string& path) {
  if (path.empty()) return std::nullopt;
  if (auto text = claims.get<std::string>(path)) return text;
  if (const auto number = claims.get<std::int64_t>(path)) return std::to_string(*number);
  return std::nullopt;
}

FLUX_DECL std::vector<std::string> permissions_at(const JsonText& claims, const std::string& path) {
  std::vector<std::string> permissions;
  if (path.empty()) return permissions;
  if (const auto text = claims.get<std::string>(path)) {
    for (std::string_view rest = *text; !rest.empty();) {
      const std::size_t end = std::min(rest.find(' '), rest.size());
      if (end != 0) permissions.emplace_back(rest.substr(0, end));
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    return permissions;
  }
  for (const JsonView each : claims.elements(path)) {
    if (auto permission = each.get<std::string>()) permissions.push_back(std::move(*permission));
  }
  return permissions;
}

/// `Grant::credential` of clients that have shown this API key.
FLUX_DECL std::string key_credential(std::string_view id) { return std::string("key:").append(id); }
/// Why access ends; also tells the module's own revocations from those of the application.
inline constexpr const char* key_ended = "the API key was revoked or changed";

/// The key that a client has shown.
class ShownKey final : public gate::GrantSource {
 public:
  ShownKey(std::weak_ptr<const gate::ApiKeys> keys, gate::ApiKeys::Record record)
      : keys_(std::move(keys)), record_(std::move(record)) {}
  std::optional<std::string> refusal() const override {
    const auto keys = keys_.lock();
    return !keys || keys->still_grants(*record_) ? std::nullopt : std::optional<std::string>(key_ended);
  }

 private:
  const std::weak_ptr<const gate::ApiKeys> keys_;
  const gate::ApiKeys::Record record_;
};

FLUX_DECL Grant granted_by(const std::shared_ptr<gate::ApiKeys>& keys, const gate::ApiKeys::Record& record) {
  Grant grant = gate::grant_of(*record);
  gate::GrantSource::set(grant, std::make_shared<const ShownKey>(keys, record));
  return grant;
}

/// The name of the member that a pointer of one step means. Errors: invalid_argument.
FLUX_DECL Result<std::string> member_at(const std::string& path) {
  const bool is_name = path.size() > 1 && path[0] == '/' && path.find_first_of("/~", 1) == std::string::npos;
  if (is_name) return path.substr(1);
  return Error(Errc::invalid_argument,
               "a token can only be issued for claims with a plain name, as \"/sub\" has; \"" + path + "\" has none");
}

/// What `AuthState::grant_of` would refuse, and what a token can't carry unchanged. Errors: invalid_argument.
FLUX_DECL Result<void> check_issued(const Identity& identity, const std::vector<std::string>& permissions,
                                    const ClaimPaths& paths) {
  if (identity.user_id.empty() && !paths.user_id.empty()) {
    return Error(Errc::invalid_argument, "a token must name its user: Identity::user_id is empty");
  }
  if (!identity.user_id.empty()) {
    const auto named = gate::Revocations::check({RevocationKind::user, identity.user_id, 0, std::string()});
    if (!named) {
      return Error(Errc::invalid_argument,
                   "a token with this Identity::user_id could not be revoked: " + named.error().message());
    }
  }
  const std::pair<const char*, const std::string*> texts[] = {
      {"name", &identity.name}, {"email", &identity.email}, {"provider", &identity.provider}};
  for (const auto& [member, text] : texts) {
    if (core::valid_utf8(*text)) continue;
    return Error(Errc::invalid_argument,
                 std::string("Identity::") + member + " must be UTF-8; \"" + core::shown(*text) + "\" is not");
  }
  for (const std::string& permission : permissions) {
    if (core::is_permission(permission)) continue;
    return Error(Errc::invalid_argument,
                 "a permission must be \"operation:scope\", such as \"read:*\", or \"admin\", in UTF-8 without control "
                 "characters, not \"" +
                     core::shown(permission) + "\"");
  }
  return {};
}

/// The application's log without the lines above its level. For threads that may outlive a stop of the server.
FLUX_DECL LogSink log_of(const Config& config) {
  return [sink = config.log, most = config.log_level](LogLevel level, std::string_view line) {
    if (sink && level <= most) sink(level, line);
  };
}

// --- AuthState ---

FLUX_DECL AuthState::AuthState(ServerState& server, AuthOptions options)
    : server_(server), options_(std::move(options)), rates_(gate::Pace(options_.rate)) {
  if (!core::has_digests()) throw Error(Errc::bad_config, "flux::Auth needs a build with OpenSSL (FLUX_WITH_TLS)");
  if (options_.keys.empty() && options_.jwks.empty() && !options_.api_keys) {
    throw Error(Errc::bad_config, "AuthOptions names no way to log in: set keys, jwks or api_keys");
  }
  for (const std::string* path : {&options_.claims.user_id, &options_.claims.name, &options_.claims.email,
                                  &options_.claims.provider, &options_.claims.permissions}) {
    if (path->empty() || path->front() == '/') continue;
    throw Error(Errc::bad_config, "AuthOptions::claims: \"" + core::shown(*path) +
                                      "\" is no JSON Pointer, which begins with \"/\", as \"/sub\" does");
  }
  const auto signing =
      std::find_if(options_.keys.begin(), options_.keys.end(), [](const jwt::Key& key) { return key.can_sign(); });
  if (signing != options_.keys.end()) signing_key_ = &*signing;
  const Config& config = server_.config();
  if (!options_.jwks.empty()) {
    source_ = std::make_unique<gate::JwksSource>(
        gate::JwksOptions{.source = options_.jwks, .ca_file = options_.jwks_ca_file}, config.clock, log_of(config));
  }
}

FLUX_DECL void AuthState::add_metrics(core::MetricSet& metrics) const {
  if (!api_keys_) return;
  features::add_store_errors(metrics, "keys", [keys = api_keys_] { return keys->store_errors(); });
}

FLUX_DECL void AuthState::open_api_keys() {
  if (!options_.api_keys) return;
  api_keys_ = gate::ApiKeys::open(
      *options_.api_keys, server_.config().clock,
      [weak = weak_from_this()](const std::vector<std::string>& ids) {
        if (const auto self = weak.lock()) self->end_clients(ids);
      },
      [log = log_of(server_.config())](std::string_view line) { log(LogLevel::error, line); });
}

/// Clients that are being let in at this moment can't be found yet: they are refused when their grant takes effect, by
/// its `ShownKey`. The credential of a removed key is revoked too, for grants that the application has made for it, but not
/// in place of a revocation of the application's own.
FLUX_DECL void AuthState::end_clients(const std::vector<std::string>& key_ids) const {
  Hub& hub = server_.hub();
  const std::int64_t now_ms = server_.config().clock->unix_ms();
  const std::int64_t until = now_ms + std::chrono::milliseconds(std::chrono::minutes(10)).count();
  const std::vector<ApiKeyRecord> valid = api_keys_->list();
  for (const std::string& id : key_ids) {
    const std::string credential = key_credential(id);
    const bool is_valid =
        std::any_of(valid.begin(), valid.end(), [&](const ApiKeyRecord& key) { return key.id == id; });
    const auto present = hub.revocations.find(RevocationKind::credential, credential);
    const bool is_of_application = present && present->until > now_ms && present->reason != key_ended;
    if (!is_valid && !is_of_application && hub.revoke({RevocationKind::credential, credential, until, key_ended}))
      continue;
    hub.end_access(RevocationKind::credential, credential, key_ended);
  }
}

FLUX_DECL std::chrono::system_clock::time_point AuthState::now() const {
  return std::chrono::system_clock::time_point(std::chrono::milliseconds(server_.config().clock->unix_ms()));
}

FLUX_DECL void AuthState::start(core::Loop& loop) {
  if (source_) source_->start();
  if (!api_keys_) return;
  loop.post([keys = api_keys_, loop = loop.shared_from_this()] { keys->watch(loop); });
}
FLUX_DECL void AuthState::begin_stop() {
  if (source_) source_->begin_stop();
}
FLUX_DECL void AuthState::stop() {
  if (source_) source_->stop();
  if (api_keys_) api_keys_->finish();
}

// --- Verifying ---

/// An application's own key may have any form, but only a token has three parts.
FLUX_DECL bool AuthState::is_api_key(std::string_view text) const {
  if (!api_keys_) return false;
  const bool takes_tokens = !options_.keys.empty() || source_;
  return !takes_tokens || std::count(text.begin(), text.end(), '.') != 2;
}

FLUX_DECL Result<Grant> AuthState::grant_of(const jwt::Token& token) const {
  const ClaimPaths& paths = options_.claims;
  Grant grant;
  if (auto user = text_or_integer(token.claims, paths.user_id)) grant.identity.user_id = std::move(*user);
  if (grant.identity.user_id.empty() && !paths.user_id.empty()) {
    return Error(Errc::unauthorized, "Invalid authentication token",
                 "the token names no user at \"" + paths.user_id + "\": see AuthOptions::claims");
  }
  grant.credential = token.id;
  for (const auto& [kind, name] : {std::pair(RevocationKind::user, &grant.identity.user_id),
                                   std::pair(RevocationKind::credential, &grant.credential)}) {
    if (name->empty()) continue;
    if (const auto named = gate::Revocations::check({kind, *name, 0, std::string()}); !named) {
      return Error(Errc::unauthorized, "Invalid authentication token",
                   "it could not be revoked: " + named.error().message());
    }
  }
  grant.identity.name = text_or_integer(token.claims, paths.name).value_or(std::string());
  if (token.claims.get<bool>("/email_verified").value_or(true)) {
    grant.identity.email = text_or_integer(token.claims, paths.email).value_or(std::string());
  }
  grant.identity.provider = text_or_integer(token.claims, paths.provider).value_or(options_.provider);
  grant.identity.verified = true;
  grant.permissions = permissions_at(token.claims, paths.permissions);
  // As `jwt::verify` understands it.
  const auto leeway =
      std::clamp<std::chrono::seconds>(options_.tokens.leeway, std::chrono::seconds(0), std::chrono::hours(24));
  if (token.expires_at) grant.expires_at = *token.expires_at + leeway;
  grant.claims = token.claims;
  if (!options_.on_token) return grant;
  try {
    if (const auto accepted = options_.on_token(token, grant); !accepted) {
      const Errc code = accepted.error().code() == Errc::unauthorized ? Errc::unauthorized : Errc::forbidden;
      return Error(code, core::repaired(accepted.error().message()), accepted.error().cause());
    }
  } catch (const std::exception& thrown) {
    return Error(Errc::server_error, "the server failed to check the login",
                 std::string("AuthOptions::on_token threw: ") + thrown.what());
  } catch (...) {
    return Error(Errc::server_error, "the server failed to check the login", "AuthOptions::on_token threw");
  }
  return grant;
}

FLUX_DECL AuthState::Checked AuthState::check_token(std::string_view token, const Keys& fetched) const {
  jwt::Refusal why = jwt::Refusal::unknown_key;
  Result<jwt::Token> verified = Error(Errc::unauthorized, "Invalid authentication token", "there is no key for tokens");
  if (!options_.keys.empty()) verified = jwt::verify(token, options_.keys, options_.tokens, now(), &why);
  const auto other_key_may_fit = [&] {
    return !verified &&
           (why == jwt::Refusal::unknown_key || why == jwt::Refusal::algorithm || why == jwt::Refusal::signature);
  };
  if (source_ && other_key_may_fit()) {
    if (!fetched) {
      return {Error(Errc::overloaded, "logging in is not possible yet; try again",
                    "the issuer's keys were not fetched yet"),
              true};
    }
    verified = jwt::verify(token, *fetched, options_.tokens, now(), &why);
  }
  if (!verified) return {verified.error(), source_ && why == jwt::Refusal::unknown_key};
  return {grant_of(*verified)};
}

FLUX_DECL void AuthState::verify(const gate::Credential& credential, std::shared_ptr<AnswerTarget<Grant>> answer) {
  const std::string& shown = credential.token.empty() ? credential.api_key : credential.token;
  if (credential.token.empty() || is_api_key(shown)) return verify_key(shown, answer);
  verify_token(shown, answer);
}

/// An unknown key of the issuer is fetched once, and the token checked again.
FLUX_DECL void AuthState::verify_token(std::string token, const std::shared_ptr<AnswerTarget<Grant>>& answer) {
  const Keys seen = source_ ? source_->keys() : nullptr;
  Checked checked = check_token(token, seen);
  if (!checked.needs_newer_keys) return answer->give(std::move(checked.grant));
  const auto again = [self = shared_from_this(), token = std::move(token), answer] {
    answer->give(self->check_token(token, self->source_->keys()).grant);
  };
  switch (source_->refresh(seen, again)) {
    case gate::JwksSource::Refresh::pending: return;
    case gate::JwksSource::Refresh::newer: return again();
    case gate::JwksSource::Refresh::not_now:  // newer keys may be fetched soon, so this must not be final
      return answer->give(Error(Errc::overloaded, "the token's key is not known yet; try again"));
  }
}

FLUX_DECL void AuthState::verify_key(const std::string& key, const std::shared_ptr<AnswerTarget<Grant>>& answer) {
  if (!api_keys_) {
    return answer->give(Error(Errc::unauthorized, "Invalid API key", "AuthOptions::api_keys is not set"));
  }
  api_keys_->check_later(key, [self = shared_from_this(), answer](const Result<gate::ApiKeys::Record>& record) {
    if (!record) return answer->give(record.error());
    self->allow_again((*record)->id);
    answer->give(granted_by(self->api_keys_, *record));
  });
}

/// A key that was removed, and is valid again.
FLUX_DECL void AuthState::allow_again(const std::string& key_id) const {
  gate::Revocations& revocations = server_.hub().revocations;
  const std::string credential = key_credential(key_id);
  const auto present = revocations.find(RevocationKind::credential, credential);
  if (present && present->reason == key_ended) revocations.remove(RevocationKind::credential, credential);
}

FLUX_DECL Result<Grant> AuthState::authenticate(std::string_view token) const {
  Result<Grant> grant = Error(Errc::unauthorized, "Invalid authentication token", "the token is empty");
  if (is_api_key(token)) {
    const auto record = api_keys_->check(token);
    if (!record) return record.error();
    grant = granted_by(api_keys_, *record);
  } else if (!token.empty()) {
    grant = check_token(token, source_ ? source_->keys() : nullptr).grant;
  }
  if (!grant) return grant;
  if (auto reason = server_.hub().revocations.refusal(*grant)) return Error(Errc::unauthorized, std::move(*reason));
  return grant;
}

// --- Issuing ---

FLUX_DECL Result<std::string> AuthState::issue(const JsonText& claims, std::chrono::seconds valid_for) const {
  if (!signing_key_) {
    return Error(Errc::invalid_argument, "no key of AuthOptions::keys can sign: add a secret or a private key");
  }
  if (claims.kind() != JsonText::Kind::object) {
    return Error(Errc::invalid_argument, "the claims of a token must be a JSON object");
  }
  if (valid_for < std::chrono::seconds(1) || valid_for > std::chrono::hours(24 * 36'525)) {
    return Error(Errc::invalid_argument, "a token must be valid for 1 s to 100 years");
  }
  const std::int64_t issued = server_.config().clock->unix_ms() / 1'000;
  std::vector<std::pair<std::string, JsonInput>> members;
  for (const auto& [name, value] : claims.members()) members.emplace_back(name, value);
  const auto add = [&](const char* name, const JsonInput& value) {
    const bool given = std::any_of(members.begin(), members.end(), [&](const auto& m) { return m.first == name; });
    if (!given) members.emplace_back(name, value);
  };
  add("iat", issued);
  add("exp", issued + valid_for.count());
  add("jti", core::random_uuid());
  if (!options_.tokens.issuers.empty()) add("iss", options_.tokens.issuers.front());
  if (!options_.tokens.audiences.empty()) add("aud", options_.tokens.audiences.front());
  auto token = jwt::sign(JsonText::object(members), *signing_key_);
  const std::size_t bytes_max = options_.tokens.token_bytes_max;
  if (token && token->size() > bytes_max) {
    return Error(Errc::invalid_argument, "the token would have " + std::to_string(token->size()) +
                                             " bytes, more than AuthOptions::tokens.token_bytes_max, " +
                                             std::to_string(bytes_max) + ": it would be refused");
  }
  return token;
}

FLUX_DECL Result<std::string> AuthState::issue(const Identity& identity, const std::vector<std::string>& permissions,
                                               std::chrono::seconds valid_for) const {
  const ClaimPaths& paths = options_.claims;
  if (const auto checked = check_issued(identity, permissions, paths); !checked) return checked.error();
  std::vector<std::pair<std::string, JsonInput>> members;
  const std::pair<const std::string*, const std::string*> texts[] = {{&paths.user_id, &identity.user_id},
                                                                     {&paths.name, &identity.name},
                                                                     {&paths.email, &identity.email},
                                                                     {&paths.provider, &identity.provider}};
  for (const auto& [path, text] : texts) {
    if (text->empty()) continue;
    const auto name = member_at(*path);
    if (!name) return name.error();
    members.emplace_back(*name, *text);
  }
  if (!permissions.empty()) {
    const auto name = member_at(paths.permissions);
    if (!name) return name.error();
    members.emplace_back(*name, JsonText::array(permissions));
  }
  return issue(JsonText::object(members), valid_for);
}

FLUX_DECL Result<gate::ApiKeys*> AuthState::api_keys() const {
  if (api_keys_) return api_keys_.get();
  return Error(Errc::bad_config, "AuthOptions::api_keys is not set: this server accepts no API keys");
}

FLUX_DECL Result<void> AuthState::count(std::string_view client) {
  if (!rates_.limits()) return {};
  const auto wait = rates_.take(client, server_.config().clock->now());
  if (wait.count() == 0) return {};
  return Error(Errc::rate_limited, "Rate limit exceeded: Too many messages sent")
      .with_retry_after(std::chrono::ceil<std::chrono::milliseconds>(wait));
}

}  // namespace detail

// --- Options ---

namespace detail {

/// Without it, tokens that an issuer gave to other applications would be accepted.
inline void check_client_id(const char* preset, const std::string& client_id) {
  if (!client_id.empty()) return;
  throw Error(Errc::bad_config, std::string("AuthOptions::") + preset +
                                    ": the client id is empty; it is the one that the issuer gave to this application");
}

}  // namespace detail

FLUX_DECL AuthOptions AuthOptions::google(std::string client_id) {
  detail::check_client_id("google", client_id);
  AuthOptions options;
  options.jwks = "https://www.googleapis.com/oauth2/v3/certs";
  options.tokens.issuers = {"https://accounts.google.com", "accounts.google.com"};
  options.tokens.audiences = {std::move(client_id)};
  options.provider = "google";
  return options;
}

FLUX_DECL AuthOptions AuthOptions::microsoft(const std::string& tenant, std::string client_id) {
  const auto is_hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  bool is_uuid = tenant.size() == 36;
  for (std::size_t i = 0; is_uuid && i < tenant.size(); ++i) {
    const bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;
    is_uuid = is_dash ? tenant[i] == '-' : is_hex(tenant[i]);
  }
  if (!is_uuid) {
    throw Error(Errc::bad_config, "AuthOptions::microsoft: the tenant must be its id, a UUID in lower case; \"" +
                                      core::shown(tenant) + "\" is none");
  }
  detail::check_client_id("microsoft", client_id);
  AuthOptions options;
  options.jwks = "https://login.microsoftonline.com/" + tenant + "/discovery/v2.0/keys";
  options.tokens.issuers = {"https://login.microsoftonline.com/" + tenant + "/v2.0"};
  options.tokens.audiences = {std::move(client_id)};
  options.claims.user_id = "/oid";
  options.claims.email = "";
  options.provider = "microsoft";
  return options;
}

// --- Auth ---

FLUX_DECL Auth::Auth(Server& server, AuthOptions options) {
  detail::ServerState& state = detail::ServerAccess::state(server);
  state.check_not_running("flux::Auth");
  state_ = std::make_shared<detail::AuthState>(state, std::move(options));
  state_->open_api_keys();
  state.hub().gate.set_authenticator(state_);
  state.add_service(state_);
}
FLUX_DECL Auth::~Auth() = default;

FLUX_DECL Result<Grant> Auth::authenticate(std::string_view token) const { return state_->authenticate(token); }
FLUX_DECL Result<std::string> Auth::issue(const JsonText& claims, std::chrono::seconds valid_for) const {
  return state_->issue(claims, valid_for);
}
FLUX_DECL Result<std::string> Auth::issue(const Identity& identity, const std::vector<std::string>& permissions,
                                          std::chrono::seconds valid_for) const {
  return state_->issue(identity, permissions, valid_for);
}

FLUX_DECL Result<NewApiKey> Auth::add_api_key(const ApiKeySpec& spec) {
  return state_->api_keys().and_then([&](gate::ApiKeys* keys) { return keys->add(spec); });
}
FLUX_DECL Result<std::string> Auth::add_api_key(std::string_view key, const ApiKeySpec& spec) {
  return state_->api_keys().and_then([&](gate::ApiKeys* keys) { return keys->add(key, spec); });
}
FLUX_DECL std::vector<ApiKeyRecord> Auth::api_keys() const {
  const auto keys = state_->api_keys();
  return keys ? (*keys)->list() : std::vector<ApiKeyRecord>();
}
FLUX_DECL Outcome<void> Auth::revoke_api_key(const std::string& id) {
  return core::noted(state_->faults(), "revoke_api_key", id,
                     state_->api_keys().and_then([&](gate::ApiKeys* keys) { return keys->revoke(id); }));
}

FLUX_DECL Result<void> Auth::check_channel_permission(const Grant& grant, std::string_view operation,
                                                      std::string_view channel) const {
  const bool is_valid = !channel.empty() && channel.find("..") == std::string_view::npos &&
                        channel.find('/') == std::string_view::npos && core::valid_utf8(channel);
  if (!is_valid) return Error(Errc::invalid_argument, "Invalid channel name format");
  if (grant.allows(operation, channel)) return {};
  if (channel == "system" || channel.substr(0, 7) == "system:") {
    return Error(Errc::forbidden, "System channels require admin permission");
  }
  return Error(Errc::forbidden, std::string("Insufficient permissions for channel: ").append(channel));
}

FLUX_DECL Result<void> Auth::enforce_rate_limit(std::string_view client) { return state_->count(client); }

FLUX_DECL Result<void> Auth::validate_message(std::string_view message) const {
  const AuthOptions& options = state_->options();
  if (message.size() > options.message_bytes_max) return Error(Errc::message_too_large, "Message too large");
  if (!core::valid_utf8(message) || (options.refuse_scripts && gate::has_script(message))) {
    return Error(Errc::invalid_argument, "Message contains invalid content");
  }
  return {};
}

}  // namespace flux
