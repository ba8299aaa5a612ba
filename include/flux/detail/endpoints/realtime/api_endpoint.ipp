#pragma once

#include <flux/detail/core/json_object.hpp>
#include <flux/detail/endpoints/handshake.hpp>
#include <flux/detail/endpoints/realtime/api_endpoint.hpp>
#include <flux/detail/endpoints/realtime/realtime_codec.hpp>
#include <flux/detail/features/channel_acts.hpp>
#include <flux/detail/features/channel_payloads.hpp>
#include <flux/detail/features/channel_requests.hpp>
#include <flux/detail/features/channel_subscriber.hpp>
#include <flux/detail/gate/content.hpp>
#include <flux/detail/gate/permits.hpp>
#include <flux/detail/mode.hpp>
#include <flux/detail/transport/http_exchange.hpp>

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace flux::detail {

namespace api_detail {

using core::Member;
using Kind = Member::Kind;

FLUX_DECL int status_of(Errc code) noexcept {
  switch (code) {
    case Errc::invalid_json:
    case Errc::invalid_message:
    case Errc::invalid_argument: return 400;
    case Errc::unauthorized: return 401;
    case Errc::forbidden: return 403;
    case Errc::unknown_type:
    case Errc::session_not_found: return 404;
    case Errc::message_too_large: return 413;
    case Errc::rate_limited:
    case Errc::limit_exceeded: return 429;
    case Errc::overloaded:
    case Errc::stopped:
    case Errc::store_failed: return 503;
    case Errc::quota_exceeded: return 507;
    default: return 500;
  }
}

FLUX_DECL void respond_error(HttpExchangeState& exchange, const Error& error) {
  std::string body;
  protocol::append_realtime_error_object(body, error);
  transport::HttpFields fields;
  if (error.code() == Errc::unauthorized) fields.emplace_back("WWW-Authenticate", "Bearer");
  exchange.respond(status_of(error.code()), std::move(body), "application/json", std::move(fields));
}

inline constexpr std::size_t batch_max = 1'000;
FLUX_DECL Error too_many(std::size_t given) {
  return {Errc::invalid_message,
          "at most " + std::to_string(batch_max) + " at once, not " + std::to_string(given) + ": send them in parts"};
}

/// The answers to a list of items, in its order; a failed item has an error instead of a result. Threading: its loop.
class ApiAnswers : public std::enable_shared_from_this<ApiAnswers> {
 public:
  using Done = std::function<void(Result<std::string>)>;
  /// Gets the answers as a JSON array, when all are there.
  using Complete = std::function<void(std::string)>;

  ApiAnswers(std::shared_ptr<core::Loop> loop, std::size_t count, Complete complete)
      : loop_(std::move(loop)), list_(count), missing_(count), complete_(std::move(complete)) {
    if (count == 0) complete_("[]");
  }

  /// Of those that are there.
  std::size_t bytes() const noexcept { return bytes_; }
  /// Takes the answer to an item, on any thread.
  Done of(std::size_t item) {
    return [self = shared_from_this(), item](Result<std::string> result) {
      self->loop_->dispatch([self, item, result = std::move(result)] { self->set(item, result); });
    };
  }

 private:
  void set(std::size_t item, const Result<std::string>& result) {
    std::string& answer = list_[item];
    if (result) {
      answer = *result;
    } else {
      protocol::append_realtime_error_object(answer, result.error());
    }
    bytes_ += answer.size();
    if (--missing_ != 0) return;
    std::string array;
    append_json_array(array, list_, [&](const std::string& one) { array += one; });
    complete_(std::move(array));
  }

  const std::shared_ptr<core::Loop> loop_;
  std::vector<std::string> list_;
  std::size_t missing_;
  std::size_t bytes_ = 0;
  const Complete complete_;
};

/// What administers channels, as system channels do. Errors: forbidden, unauthorized.
FLUX_DECL Result<void> is_admin(const ApiCaller& caller) {
  const auto& permissions = caller.granted->permissions;
  if (std::find(permissions.begin(), permissions.end(), "admin") != permissions.end()) return {};
  return Error(Errc::forbidden, "this needs the permission \"admin\"");
}

/// The elements of an array, as JSON. Errors: invalid_json.
FLUX_DECL Result<std::vector<std::string_view>> elements_of(std::string_view array, std::size_t depth_max) {
  struct Visitor {
    std::string_view text;
    std::vector<std::string_view> elements{};
    bool key(std::size_t, std::string_view) { return true; }
    bool open(std::size_t, JsonText::Kind, std::size_t) { return true; }
    bool value(std::size_t depth, JsonText::Kind, std::size_t begin, std::size_t end) {
      if (depth == 1) elements.push_back(text.substr(begin, end - begin));
      return true;
    }
  } visitor{array};
  if (const auto scanned = scan_json(array, depth_max, visitor); !scanned) return scanned.error();
  return std::move(visitor.elements);
}

FLUX_DECL void put_stats(std::string& out, const ChannelStats& stats) {
  JsonObject object(out);
  object.string("channel", stats.channel)
      .number("subscriberCount", std::uint64_t{stats.subscribers})
      .number("clients", std::uint64_t{stats.present_clients})
      .number("users", std::uint64_t{stats.present_users})
      .number("messageCount", stats.messages)
      .number("createdAt", stats.created_at);
  if (stats.last_message_at != 0) object.number("lastMessageAt", stats.last_message_at);
  object.end();
}

}  // namespace api_detail

/// To add a method, add an entry.
struct ApiEndpoint::Methods {
  using Member = core::Member;
  using Kind = Member::Kind;
  using Api = ApiEndpoint;
  using Members = core::Members;

  static constexpr Member channel = Member{"channel", Kind::name}.required();
  static constexpr Member some_channel{"channel", Kind::name};
  static constexpr Member channels = Member{"channels", Kind::any, &Limits::message_bytes_max}.required();
  static constexpr Member data = Member{"data", Kind::any, &Limits::message_bytes_max}.required();
  static constexpr Member presence = Member{"data", Kind::any, &Limits::presence_bytes_max}.required();
  static constexpr Member key{"key", Kind::name, nullptr, nullptr, 0, features::channel_key_bytes_max};
  static constexpr Member client = Member{"client", Kind::name, nullptr, nullptr, 0, 255}.required();
  static constexpr Member some_client{"client", Kind::name, nullptr, nullptr, 0, 255};
  static constexpr Member user{"user", Kind::name, nullptr, nullptr, 0, 1024};
  static constexpr Member reason{"reason", Kind::text, nullptr, nullptr, 0, 100};
  static constexpr Member epoch{"epoch", Kind::name, nullptr, nullptr, 0, 64};
  static constexpr Member offset{"offset", Kind::number};
  static constexpr Member limit{"limit", Kind::number, nullptr, nullptr, 1, 1000};
  static constexpr Member after{"after", Kind::number};
  static constexpr Member counts{"counts", Kind::flag};

  static void publish(Api& api, const ApiCaller& caller, const Members& members, const Done& done) {
    api.publish(caller, members.text("channel"), members, done);
  }
  static void broadcast(Api& api, const ApiCaller& caller, const Members& members, const Done& done) {
    const auto list = api_detail::elements_of(*members.json("channels"), api.server_.config.limits.json_depth_max);
    if (!list) return done(list.error());
    if (list->size() > api_detail::batch_max) return done(api_detail::too_many(list->size()));
    const auto answers = std::make_shared<api_detail::ApiAnswers>(
        caller.loop, list->size(), [done](const std::string& array) { done("{\"results\":" + array + "}"); });
    for (std::size_t i = 0; i < list->size(); ++i) {
      const std::string_view element = (*list)[i];
      const auto name = element.starts_with('"') ? decode_json_string(element) : std::nullopt;
      if (name) {
        api.publish(caller, *name, members, answers->of(i));
      } else {
        answers->of(i)(Error(Errc::invalid_message, "channels must be an array of names"));
      }
    }
  }
  static void history(Api& api, const ApiCaller& caller, const Members& members, const Done& done) {
    const std::string& name = members.text("channel");
    if (const auto allowed = api.may(caller, &ChannelDemands::history, name); !allowed) return done(allowed.error());
    const auto since = features::position_in(members);
    if (!since) return done(since.error());
    const auto part =
        api.channels_->history(name, *since, static_cast<std::size_t>(members.number("limit", features::usual_history)),
                               api.server_.config.limits.answer_bytes_max);
    if (!part) return done(part.error());
    done(features::history_payload(name, *part));
  }
  static void list_present(Api& api, const ApiCaller& caller, const Members& members, const Done& done) {
    const std::string& name = members.text("channel");
    if (const auto allowed = api.may(caller, &ChannelDemands::presence, name); !allowed) return done(allowed.error());
    const bool counts_only = members.flag("counts");
    const auto most = static_cast<std::size_t>(members.number("limit", features::no_limit));
    const auto present = api.channels_->present(name, counts_only ? 0 : most, members.number("after"),
                                                api.server_.config.limits.answer_bytes_max);
    done(features::present_payload(name, present, counts_only));
  }
  static void be_present(Api& api, const ApiCaller& caller, const Members& members, const Done& done) {
    if (const auto allowed = api_detail::is_admin(caller); !allowed) return done(allowed.error());
    const auto updated = features::update_presence(api.channels_, members.text("client"), members.text("channel"),
                                                   *members.copy("data"));
    done(updated ? Result<std::string>("{}") : updated.error());
  }
  static void be_absent(Api& api, const ApiCaller& caller, const Members& members, const Done& done) {
    if (const auto allowed = api_detail::is_admin(caller); !allowed) return done(allowed.error());
    const bool was = features::leave_presence(api.channels_, members.text("client"), members.text("channel"));
    done(std::string(was ? "{\"left\":true}" : "{\"left\":false}"));
  }
  static void subscribe(Api& api, const ApiCaller& caller, const Members& members, const Done& done) {
    if (const auto allowed = api_detail::is_admin(caller); !allowed) return done(allowed.error());
    const auto act = [hub = api.channels_, name = members.text("channel")](features::Participant& who) {
      return features::subscribe_unasked(hub, who, name).transform([] { return std::string("{}"); });
    };
    api.with_client(members.text("client"), act, done);
  }
  static void unsubscribe(Api& api, const ApiCaller& caller, const Members& members, const Done& done) {
    if (const auto allowed = api_detail::is_admin(caller); !allowed) return done(allowed.error());
    const auto act = [hub = api.channels_, name = members.text("channel"),
                      why = members.text("reason")](features::Participant& who) -> Result<std::string> {
      auto* const subscriber = features::ChannelSubscriber::find(*hub, who);
      const bool was = subscriber != nullptr && subscriber->unsubscribe(name, why);
      return std::string(was ? "{\"unsubscribed\":true}" : "{\"unsubscribed\":false}");
    };
    api.with_client(members.text("client"), act, done);
  }
  static void disconnect(Api& api, const ApiCaller& caller, const Members& members, const Done& done) {
    if (const auto allowed = api_detail::is_admin(caller); !allowed) return done(allowed.error());
    if (members.has("client") == members.has("user")) {
      return done(Error(Errc::invalid_message, "one of client and user is needed: who is to be disconnected?"));
    }
    std::vector<core::SessionDirectory::SessionPtr> found;
    if (members.has("client")) {
      const auto key_of = core::key_from_text(members.text("client"));
      if (auto session = key_of ? api.server_.sessions.find(*key_of) : nullptr) found.push_back(std::move(session));
    } else {
      api.server_.sessions.by_user().visit(members.text("user"),
                                           [&](const auto& session) { found.push_back(session); });
    }
    for (const auto& session : found) session->close_session(CloseCode::normal, members.text("reason"));
    done("{\"disconnected\":" + std::to_string(found.size()) + "}");
  }
  static void stats(Api& api, const ApiCaller& caller, const Members& members, const Done& done) {
    std::string text;
    if (members.has("channel")) {
      const std::string& name = members.text("channel");
      if (const auto allowed = api.channels_->may_subscribe(caller.granted.get(), name); !allowed) {
        return done(allowed.error());
      }
      const auto found = api.channels_->stats(name);
      if (!found) return done(std::string("{}"));
      api_detail::put_stats(text, *found);
      return done(text);
    }
    if (const auto allowed = api_detail::is_admin(caller); !allowed) return done(allowed.error());
    const std::size_t most = api.server_.config.limits.answer_bytes_max;
    const auto all = api.channels_->stats();
    std::string list;
    std::size_t listed = 0;
    for (; listed < all.size() && list.size() < most; ++listed) {
      if (listed != 0) list += ',';
      api_detail::put_stats(list, all[listed]);
    }
    JsonObject object(text);
    object.json("channels", "[" + list + "]");
    if (listed < all.size()) object.json("more", "true");
    object.end();
    done(text);
  }
  static void info(Api& api, const ApiCaller& caller, const Members& members, const Done& done) {
    if (const auto allowed = api_detail::is_admin(caller); !allowed) return done(allowed.error());
    const auto act = [hub = api.channels_](features::Participant& who) -> Result<std::string> {
      const auto* const subscriber = features::ChannelSubscriber::find(*hub, who);
      const ChannelClient of = subscriber != nullptr ? subscriber->info() : ChannelClient{who.id(), {}, {}};
      const auto identity = who.identity();
      std::string text;
      JsonObject object(text);
      const auto put_list = [&](std::string_view name, const std::vector<std::string>& list) {
        object.key(name);
        append_json_array(text, list, [&](const std::string& element) { append_json_string(text, element); });
      };
      object.string("id", of.id).string("protocol", who.protocol()).string("ip", who.remote().ip.text());
      if (identity) object.optional_string("userId", identity->user_id);
      put_list("subscriptions", of.subscriptions);
      put_list("presence", of.present_in);
      if (const auto granted = who.grant()) put_list("permissions", granted->permissions);
      object.end();
      return text;
    };
    api.with_client(members.text("client"), act, done);
  }
};

FLUX_DECL std::span<const ApiEndpoint::Method> ApiEndpoint::methods() noexcept {
  using M = Methods;
  static constexpr Method list[] = {
      {{"publish", {M::channel, M::data, M::key}}, M::publish},
      {{"broadcast", {M::channels, M::data, M::key}}, M::broadcast},
      {{"history", {M::channel, M::epoch, M::offset, M::limit}}, M::history},
      {{"presence", {M::channel, M::limit, M::after, M::counts}}, M::list_present},
      {{"presence_update", {M::channel, M::client, M::presence}}, M::be_present},
      {{"presence_leave", {M::channel, M::client}}, M::be_absent},
      {{"subscribe", {M::channel, M::client}}, M::subscribe},
      {{"unsubscribe", {M::channel, M::client, M::reason}}, M::unsubscribe},
      {{"disconnect", {M::some_client, M::user, M::reason}}, M::disconnect},
      {{"stats", {M::some_channel}}, M::stats},
      {{"info", {M::client}}, M::info},
  };
  return list;
}

FLUX_DECL const ApiEndpoint::Method* ApiEndpoint::find(std::string_view name) noexcept {
  for (const Method& method : methods()) {
    if (method.name == name) return &method;
  }
  return nullptr;
}

// --- Requests ---

FLUX_DECL void ApiEndpoint::add_routes(transport::Router& router) {
  router.add("POST", channels_->options().path + "/api/{method}",
             [this](const HttpExchange& exchange) { serve(exchange.state()); });
}

/// Only who shows something gets in, and only where somebody can verify it.
FLUX_DECL void ApiEndpoint::serve(const ExchangePtr& exchange) {
  const Method* const method = find(exchange->captures().find("method").value_or(""));
  if (method == nullptr) {
    return api_detail::respond_error(*exchange, Error(Errc::unknown_type, "the API of channels has no such method"));
  }
  if (!server_.gate.knows_clients()) {
    return api_detail::respond_error(
        *exchange, Error(Errc::forbidden, "the API of channels is closed: this server authenticates nobody"));
  }
  exchange->pause_body();
  endpoints::let_in(server_, exchange, [this, exchange, method] { read_body(exchange, *method); });
}

FLUX_DECL void ApiEndpoint::read_body(const ExchangePtr& exchange, const Method& method) {
  const auto body = std::make_shared<std::string>();
  exchange->on_body([body](std::string_view piece) { body->append(piece); },
                    [this, exchange, body, &method](bool complete) {
                      if (complete) answer(exchange, method, *body);
                    });
  exchange->resume_body();
}

FLUX_DECL void ApiEndpoint::answer(const ExchangePtr& exchange, const Method& method, const std::string& body) {
  static const auto nothing = std::make_shared<const Grant>();
  const ApiCaller caller{exchange->grant() ? exchange->grant() : nothing, exchange->client(), exchange->loop()};
  const std::size_t first = body.find_first_not_of(" \t\r\n");
  if (first != std::string::npos && body[first] == '[') return answer_batch(exchange, method, body, caller);
  run(method, body, caller, [exchange](const Result<std::string>& result) {
    if (!result) return api_detail::respond_error(*exchange, result.error());
    exchange->respond(200, *result, "application/json", {});
  });
}

/// Answers a batch with an array in the same order; a failed item has an error instead of a result.
FLUX_DECL void ApiEndpoint::answer_batch(const ExchangePtr& exchange, const Method& method, const std::string& body,
                                         const ApiCaller& caller) {
  const auto items = api_detail::elements_of(body, server_.config.limits.json_depth_max);
  if (!items) return api_detail::respond_error(*exchange, items.error());
  if (items->size() > api_detail::batch_max) {
    return api_detail::respond_error(*exchange, api_detail::too_many(items->size()));
  }
  const auto answers = std::make_shared<api_detail::ApiAnswers>(
      exchange->loop(), items->size(),
      [exchange](std::string array) { exchange->respond(200, std::move(array), "application/json", {}); });
  for (std::size_t i = 0; i < items->size(); ++i) {
    if (answers->bytes() >= server_.config.limits.answer_bytes_max) {
      answers->of(i)(Error(Errc::limit_exceeded, "the answers before this one are as much as one answer holds"));
    } else {
      run(method, (*items)[i], caller, answers->of(i));
    }
  }
}

FLUX_DECL void ApiEndpoint::run(const Method& method, std::string_view item, const ApiCaller& caller,
                                const Done& done) {
  const Limits& limits = server_.config.limits;
  core::Members members;
  members.declare(method.members);
  members.from(item);
  if (const auto scanned = members.scan(limits.json_depth_max); !scanned) return done(scanned.error());
  if (const auto read = members.read(limits); !read) return done(read.error());
  method.act(*this, caller, members, done);
}

FLUX_DECL Result<void> ApiEndpoint::may(const ApiCaller& caller, std::string ChannelDemands::*operation,
                                        const std::string& channel) const {
  if (auto checked = channels_->check_name(channel); !checked) return checked;
  return channels_->may(caller.granted.get(), channels_->settings_of(channel).options.demands.*operation, channel);
}

FLUX_DECL void ApiEndpoint::publish(const ApiCaller& caller, const std::string& channel, const core::Members& members,
                                    const Done& done) {
  if (const auto allowed = may(caller, &ChannelDemands::publish, channel); !allowed) return done(allowed.error());
  if (channels_->publish_handler && !api_detail::is_admin(caller)) {
    return done(Error(Errc::forbidden,
                      "the application decides about each publication of a client: publish over a connection, or with "
                      "the permission \"admin\""));
  }
  const gate::SenderOf sender(caller);
  features::ChannelSettings& settings = channels_->settings_of(channel);
  if (auto* const rate = server_.client_limits.operations.find("channel_publish")) {
    if (const auto counted = rate->take(nullptr, sender, *caller.loop); !counted) return done(counted.error());
  }
  if (const auto counted = settings.publish_rate.take(nullptr, sender, *caller.loop); !counted) {
    return done(counted.error());
  }
  const std::string_view data = *members.json("data");
  if (settings.options.content != ContentRules()) {
    if (const auto checked = gate::check_content(settings.options.content, {}, data); !checked) {
      return done(checked.error());
    }
  }
  const auto finish = [done](const Result<Published>& published) {
    if (!published) return done(published.error());
    std::string text = features::published_payload(*published);
    text.pop_back();
    done(text + (text.size() > 1 ? "," : "") + "\"reached\":" + std::to_string(published->reached) + "}");
  };
  const auto published = channels_->publish({channel, data, members.text("key"), {}, caller.granted->identity.user_id},
                                            [&finish]() -> features::UnstoredPublication::Done { return finish; });
  if (published) finish(*published);
}

FLUX_DECL void ApiEndpoint::with_client(const std::string& client,
                                        std::function<Result<std::string>(features::Participant&)> act,
                                        const Done& done) const {
  features::with_client<std::string>(*channels_, client, done, std::move(act));
}

}  // namespace flux::detail
