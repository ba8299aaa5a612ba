// The implementation of `flux::Auth`: verifies what clients present.
#pragma once

#include <flux/auth.hpp>
#include <flux/detail/features/service.hpp>
#include <flux/detail/gate/api_keys.hpp>
#include <flux/detail/gate/authenticator.hpp>
#include <flux/detail/gate/jwks_source.hpp>
#include <flux/detail/gate/shared_rates.hpp>
#include <flux/detail/mode.hpp>
#include <flux/detail/server/server_state.hpp>

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace flux::detail {

/// The server holds it as its authenticator and as a service. Threading: any thread.
class AuthState final : public gate::Authenticator,
                        public features::Service,
                        public std::enable_shared_from_this<AuthState> {
 public:
  /// `server` must outlive every call. Errors: throws `Error` (bad_config).
  AuthState(ServerState& server, AuthOptions options);
  /// After the constructor: the keys hold a pointer to this object. Errors: as above.
  void open_api_keys();

  // Authenticator
  FLUX_DECL void verify(const gate::Credential& credential, std::shared_ptr<AnswerTarget<Grant>> answer) override;
  bool required() const override { return options_.required; }

  // Service
  FLUX_DECL void add_metrics(core::MetricSet& metrics) const override;
  FLUX_DECL void start(core::Loop& loop) override;
  FLUX_DECL void begin_stop() override;
  FLUX_DECL void stop() override;

  Result<Grant> authenticate(std::string_view token) const;
  Result<std::string> issue(const JsonText& claims, std::chrono::seconds valid_for) const;
  Result<std::string> issue(const Identity& identity, const std::vector<std::string>& permissions,
                            std::chrono::seconds valid_for) const;
  const AuthOptions& options() const noexcept { return options_; }
  /// Errors: bad_config without `AuthOptions::api_keys`.
  Result<gate::ApiKeys*> api_keys() const;
  Result<void> count(std::string_view client);
  core::CallFaults& faults() const { return *server_.hub().call_faults; }

 private:
  using Keys = gate::JwksSource::Keys;

  /// A token that was checked with the keys that are known.
  struct Checked {
    Result<Grant> grant;
    bool needs_newer_keys = false;
  };

  bool is_api_key(std::string_view text) const;
  Checked check_token(std::string_view token, const Keys& fetched) const;
  Result<Grant> grant_of(const jwt::Token& token) const;
  void verify_token(std::string token, const std::shared_ptr<AnswerTarget<Grant>>& answer);
  void verify_key(const std::string& key, const std::shared_ptr<AnswerTarget<Grant>>& answer);
  void allow_again(const std::string& key_id) const;
  void end_clients(const std::vector<std::string>& key_ids) const;
  std::chrono::system_clock::time_point now() const;

  ServerState& server_;
  const AuthOptions options_;
  const jwt::Key* signing_key_ = nullptr;  // one of the options' keys; null: none can sign
  std::unique_ptr<gate::JwksSource> source_;
  std::shared_ptr<gate::ApiKeys> api_keys_;
  gate::SharedRates rates_;
};

}  // namespace flux::detail
