// Every options type takes designated initializers for all that it has. Compiled with all warnings as errors.
#include "catch.hpp"

#include <flux/auth.hpp>
#include <flux/flux.hpp>
#include <flux/sharing.hpp>
#include <flux/signals.hpp>
#include <flux/storage/disk_file_store.hpp>
#include <flux/storage/sql.hpp>
#include <flux/storage/sqlite.hpp>

#include <type_traits>

namespace options_test {

namespace {

template <class... Options>
constexpr bool all_aggregates = (std::is_aggregate_v<Options> && ...);

static_assert(all_aggregates<flux::Config, flux::Limits, flux::ListenAddress, flux::TlsOptions, flux::DeflateOptions,
                             flux::ChatOptions, flux::FilesOptions, flux::RoomsOptions, flux::RoomOptions,
                             flux::RouteOptions, flux::StaticOptions, flux::AdoptOptions, flux::WebSocketEndpoint>);
static_assert(all_aggregates<flux::engineio::Options, flux::engineio::Endpoint, flux::engineio::PollingLimits,
                             flux::socketio::Options, flux::socketio::PacketLimits, flux::socketio::SharingOptions,
                             flux::SignalOptions, flux::DiskFileStoreOptions, flux::SqlOptions, flux::SqlChatOptions,
                             flux::SqlRoomOptions, flux::SqlFileIndexOptions, flux::SqliteOptions, flux::SqlKeyOptions,
                             flux::SqlRevocationOptions, flux::SqlChannelOptions>);
static_assert(
    all_aggregates<flux::AuthOptions, flux::ClaimPaths, flux::jwt::Rules, flux::ApiKeysOptions, flux::ApiKeySpec,
                   flux::Demands, flux::FileDemands, flux::ContentRules, flux::RevocationsOptions, flux::CallOptions,
                   flux::Rate, flux::OperationRates, flux::ChatPost, flux::NewFile, flux::FileQuery>);

}  // namespace

TEST_CASE("options: every type takes designated initializers, of any member alone") {
  const flux::Config config{.listen = {{.host = "::1", .port = 1}},
                            .threads = 2,
                            .tls = {.private_key_file = "key.pem"},
                            .deflate = {.level = 9},
                            .chat = {.join_history = 1},
                            .files = {.sha256 = true},
                            .rooms = {.worker_threads = 3},
                            .limits = {.rooms_max = 4},
                            .slow_handler = std::chrono::seconds(5)};
  CHECK(config.limits.rooms_max == 4);
  const flux::Limits limits{
      .operations = {{"send_chat", {.user = {.count = 5}}}, {"share", {.address = {.count = 6}}}}};
  flux::RatesByOperation rates = limits.operations;
  CHECK(rates["send_chat"].user.count == 5);
  CHECK(rates["share"].address.count == 6);
  CHECK(rates.end() - rates.begin() == 2);
  CHECK(flux::RoomOptions{.permanent = true}.permanent);
  CHECK(flux::RouteOptions{.body_bytes_max = 1}.body_bytes_max == 1);
  CHECK(flux::StaticOptions{.cache_control = "a"}.cache_control == "a");
  CHECK(flux::AdoptOptions{.keep_alive = true}.keep_alive);
  CHECK_FALSE(flux::WebSocketEndpoint{.authenticated = false}.authenticated);
  CHECK_FALSE(flux::engineio::Options{.authenticated = false}.authenticated);
  CHECK(flux::engineio::Endpoint{.on_close = [](const auto&, auto) {}}.on_close);
  CHECK(flux::engineio::PollingLimits{.unused_max = 1}.unused_max == 1);
  CHECK(flux::socketio::Options{.client_file = "a"}.client_file == "a");
  CHECK(flux::socketio::PacketLimits{.arguments_max = 1}.arguments_max == 1);
  CHECK(flux::socketio::SharingOptions{.uploads_bytes_max = 1}.uploads_bytes_max == 1);
  CHECK(flux::SignalOptions{.reload_certificates = true}.reload_certificates);
  CHECK(flux::DiskFileStoreOptions{.files_max = 1}.files_max == 1);
  CHECK(flux::SqlChatOptions{.batch_max = 1}.batch_max == 1);
}

}  // namespace options_test
