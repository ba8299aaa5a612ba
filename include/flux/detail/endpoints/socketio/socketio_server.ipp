#pragma once

#include <flux/detail/core/option_check.hpp>
#include <flux/detail/core/shared_list.hpp>
#include <flux/detail/endpoints/socketio/socketio_client.hpp>
#include <flux/detail/endpoints/socketio/socketio_server.hpp>
#include <flux/detail/mode.hpp>

#include <algorithm>
#include <utility>

namespace flux::detail {

/// The transport's options. The gate is asked when a client joins a namespace, so the handshake does not ask it as well.
FLUX_DECL engineio::Options asked_when_joining(const socketio::Options& options) {
  return {.path = options.path,
          .ping_interval = options.ping_interval,
          .ping_timeout = options.ping_timeout,
          .payload_bytes_max = options.payload_bytes_max,
          .upgrade_timeout = options.upgrade_timeout,
          .polling_limits = options.polling_limits,
          .polling = options.polling,
          .websocket = options.websocket,
          .cors_origins = options.cors_origins,
          .cors_credentials = options.cors_credentials,
          .authenticated = false};
}

FLUX_DECL SocketIoServer::SocketIoServer(Hub& hub, socketio::Options options)
    : hub_(hub),
      fanout_bytes_max_(hub.config.limits.fanout_bytes_max),
      call_faults_(hub.call_faults),
      options_(std::make_shared<const socketio::Options>(std::move(options))),
      packet_limits_(protocol::resolved(options_->packet_limits, options_->payload_bytes_max)),
      engine_(hub, "socket.io", asked_when_joining(*options_),
              [this](EngineIoSession& session, std::shared_ptr<const EngineIoOpening> opening) {
                auto client = std::make_shared<SocketIoClient>(*this, session, std::move(opening));
                client->start();
                return client;
              }) {
  using core::require_at_least, core::require_time;
  require_time(options_->connect_timeout, "socketio::Options::connect_timeout");
  require_time(options_->attachments_timeout, "socketio::Options::attachments_timeout");
  core::require_option(options_->recovery_max.count() >= 0,
                       "socketio::Options::recovery_max must not be negative, but is " +
                           std::to_string(options_->recovery_max.count()) + " ms");
  require_at_least(1, options_->namespaces_max, "socketio::Options::namespaces_max");
  require_at_least(1, options_->namespaces_per_connection_max, "socketio::Options::namespaces_per_connection_max");
  require_at_least(2, options_->auth_bytes_max, "socketio::Options::auth_bytes_max");
  const std::string packet = "socketio::PacketLimits::";
  if (packet_limits_.text_bytes_max) require_at_least(1, *packet_limits_.text_bytes_max, packet + "text_bytes_max");
  require_at_least(1, packet_limits_.namespace_bytes_max, packet + "namespace_bytes_max");
  require_at_least(1, packet_limits_.event_name_bytes_max, packet + "event_name_bytes_max");
  require_at_least(1, packet_limits_.json_depth_max, packet + "json_depth_max");
  of("/");
}

FLUX_DECL std::shared_ptr<SocketIoNamespace> SocketIoServer::make(const std::string& name) const {
  return std::make_shared<SocketIoNamespace>(name, options_, fanout_bytes_max_, call_faults_);
}

FLUX_DECL std::shared_ptr<SocketIoNamespace> SocketIoServer::of(const std::string& name) {
  const std::string full = !name.empty() && name.front() == '/' ? name : "/" + name;
  if (const auto named = protocol::encode_socketio_disconnect(full); !named) {
    throw Error(Errc::bad_config, "\"" + name + "\" can't name a namespace: " + named.error().message());
  }
  const std::lock_guard lock(mutex_);
  auto& nsp = namespaces_[full];
  if (!nsp) nsp = make(full);
  nsp->dynamic_ = false;  // it is kept from now on
  return nsp;
}

FLUX_DECL void SocketIoServer::of(std::function<bool(std::string_view, const JsonText&)> matches,
                                  std::function<void(socketio::Namespace)> made) {
  const std::lock_guard lock(mutex_);
  add_to_list(dynamic_, Dynamic{std::move(matches), std::move(made)});
}

FLUX_DECL std::shared_ptr<SocketIoNamespace> SocketIoServer::take(std::string_view name, const JsonText& auth) {
  std::shared_ptr<const std::vector<Dynamic>> dynamic;
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = namespaces_.find(name); found != namespaces_.end()) {
      ++found->second->users_;
      return found->second;
    }
    dynamic = dynamic_;
  }
  const auto wants = [&](const Dynamic& d) {
    bool wanted = false;
    hub_.guarded_elsewhere("Socket.IO namespace", [&] { wanted = d.matches(name, auth); });
    return wanted;
  };
  const auto wanted = std::find_if(dynamic->begin(), dynamic->end(), wants);
  if (wanted == dynamic->end()) return nullptr;
  // Set up before anyone can see it. If two clients arrive at the same time, one of the two copies is discarded.
  auto fresh = make(std::string(name));
  if (wanted->made) hub_.guarded_elsewhere("Socket.IO namespace", [&] { wanted->made(socketio::Namespace(fresh)); });
  std::vector<std::shared_ptr<SocketIoNamespace>> ended;
  auto taken = enter(fresh, ended);
  if (taken != fresh) ended.push_back(fresh);
  for (const auto& nsp : ended) nsp->end();
  return taken;
}

/// Returns `fresh`, or the namespace that has that name already; null if there are too many. Namespaces that were
/// removed to make room are added to `ended`.
FLUX_DECL std::shared_ptr<SocketIoNamespace> SocketIoServer::enter(
    const std::shared_ptr<SocketIoNamespace>& fresh, std::vector<std::shared_ptr<SocketIoNamespace>>& ended) {
  const std::lock_guard lock(mutex_);
  auto found = namespaces_.find(fresh->name());
  if (found == namespaces_.end()) {
    if (namespaces_.size() >= options_->namespaces_max) {
      std::erase_if(namespaces_, [&](const auto& entry) {
        const bool unused = entry.second->dynamic_ && entry.second->users_ == 0;
        if (unused) ended.push_back(entry.second);
        return unused;
      });
    }
    if (namespaces_.size() >= options_->namespaces_max) return nullptr;
    fresh->dynamic_ = true;
    found = namespaces_.emplace(fresh->name(), fresh).first;
  }
  ++found->second->users_;
  return found->second;
}

FLUX_DECL void SocketIoServer::end() {
  std::map<std::string, std::shared_ptr<SocketIoNamespace>, std::less<>> ended;
  std::shared_ptr<const std::vector<Dynamic>> dynamic = std::make_shared<std::vector<Dynamic>>();
  {
    const std::lock_guard lock(mutex_);
    ended = namespaces_;
    dynamic.swap(dynamic_);
  }
  for (const auto& [name, nsp] : ended) nsp->end();
}

FLUX_DECL void SocketIoServer::release(const std::shared_ptr<SocketIoNamespace>& nsp) {
  {
    const std::lock_guard lock(mutex_);
    if (--nsp->users_ != 0 || !nsp->dynamic_ || nsp->recovers()) return;
    namespaces_.erase(nsp->name());
  }
  nsp->end();
}

}  // namespace flux::detail
