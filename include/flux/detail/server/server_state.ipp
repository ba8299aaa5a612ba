#pragma once

#include <flux/detail/endpoints/handshake.hpp>
#include <flux/detail/mode.hpp>
#include <flux/detail/server/checked_config.hpp>
#include <flux/detail/server/own_endpoints.hpp>
#include <flux/detail/server/own_services.hpp>
#include <flux/detail/server/server_state.hpp>
#include <flux/detail/transport/media_type.hpp>
#include <flux/detail/transport/socket_in_transit.hpp>
#include <flux/storage/file_info.hpp>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <system_error>

namespace flux::detail {

FLUX_DECL LoopUnit::LoopUnit(Hub& hub, const endpoints::EndpointList& endpoints, const transport::Router& router,
                             std::shared_ptr<core::Loop> event_loop)
    : loop(std::move(event_loop)),
      websockets{&hub.config.limits,
                 nullptr,
                 {},
                 hub.config.deflate.message_bytes_min,
                 transport::InflateTurns(hub.config.deflate.inflated_per_turn_max)} {
  connections.set_limits(hub.config.limits);
  connections.seats = &hub.client_limits.connections;
  if (hub.config.deflate.enabled) {
    websockets.inflater = std::make_unique<transport::Inflater>();
    for (int bits = transport::deflate_window_bits_min; bits <= transport::deflate_window_bits_max; ++bits)
      websockets.deflaters.emplace_back(hub.config.deflate.level, bits);
  }
  http.router = &router;
  http.limits = &hub.config.limits;
  http.proxies = &hub.proxies;
  http.is_websocket = [&endpoints](const std::string& path) { return endpoints.find(path) != nullptr; };
  http.upgrade = [this, &hub, &endpoints](const std::shared_ptr<transport::HttpConnection>& connection,
                                          const transport::HttpHead& head) {
    if (!gate::origin_allowed(hub.config.origins, head.header("origin"), head.host(), hub.speaks_tls())) {
      loop->counters().connections_refused.add();
      hub.debug([&] {
        return "refused " + connection->client(head).text() + ": origin \"" +
               core::shown(head.header("origin").value_or("")) + "\" is not allowed";
      });
      return connection->refuse_upgrade(403, "origin not allowed");
    }
    endpoints.find(head.path())->upgrade(connection, head, websockets);
  };
  http.let_in = [&hub](const std::shared_ptr<HttpExchangeState>& exchange, std::function<void()> admitted) {
    endpoints::let_in(hub, exchange, std::move(admitted));
  };
  http.log = [&hub](LogLevel level, std::string_view message) { hub.log(level, message); };
}

FLUX_DECL ServerState::ServerState(Config config)
    : config_(checked(std::move(config))),
      hub_(config_),
      timers_(std::make_shared<features::ApplicationTimers>(hub_)),
      loop_watch_(config_.slow_handler, [this](LogLevel level, std::string_view line) { hub_.log(level, line); }) {
  const auto elsewhere = std::make_shared<core::MetricSet>();
  elsewhere->add(core::MetricKind::counter, "handler_errors", "exceptions thrown by handlers",
                 [this] { return hub_.errors_elsewhere.load(std::memory_order_relaxed); });
  hub_.call_faults->add_metrics(*elsewhere);
  loop_watch_.add_metrics(*elsewhere);
  metrics_.add(elsewhere);
  if (config_.files.store) {
#if defined(FLUX_HEADER_ONLY)
    files_module.load()(*this);
#else
    config_.files.store->add_to(*this);
#endif
  }
  for (auto& service : own_services(hub_)) add_service(std::move(service));
  add_service(timers_);
  for (auto& endpoint : own_endpoints(hub_)) add_endpoint(std::move(endpoint));
}

FLUX_DECL void ServerState::let_go(std::shared_ptr<ServerState> state) {
  if (state->works_on_another_thread()) {
    state->hub_.log(
        LogLevel::error,
        "a Server is destroyed while another thread runs its io_context; it stops on that thread. Destroy it "
        "there, or after stop()");
  } else if (state->in_a_handler()) {
    state->hub_.log(LogLevel::warning,
                    "a Server is destroyed inside one of its own handlers; it stops when the handler has returned");
  } else {
    return;  // it ends here
  }
  if (state->context_ != nullptr) {
    asio::io_context& context = *state->context_;
    asio::post(context, [state = std::move(state)] {});
  } else {
    std::thread([state = std::move(state)] { state->stop_and_wait(std::chrono::milliseconds(0)); }).detach();
  }
}

FLUX_DECL ServerState::~ServerState() {
  if (context_ == nullptr) {
    stop_and_wait(std::chrono::milliseconds(0));
  } else {
    begin_stop();
    if (life_ != Life::stopped) finish_in_context();  // also if a stop that has begun is waiting for its grace period
  }
  if (stopper_.joinable()) stopper_.join();
}

FLUX_DECL void ServerState::check_not_running(const char* what) const {
  const std::lock_guard lock(mutex_);
  if (life_ == Life::stopped) return;
  throw Error(Errc::already_running, std::string(what) + " is only possible before the server starts");
}

FLUX_DECL void ServerState::check_route_path(std::string_view method, std::string_view path) const {
  if (endpoints_.find(path) == nullptr) return;
  throw Error(Errc::bad_config, std::string("route ").append(method).append(" ").append(path).append(
                                    path == config_.live_path
                                        ? ": protocol live is served there; choose another path, or another live_path"
                                        : ": a WebSocket endpoint is served there; choose another path"));
}

FLUX_DECL void ServerState::add_endpoint(std::shared_ptr<endpoints::Endpoint> endpoint) {
  check_not_running("adding an endpoint");
  endpoints_.add(std::move(endpoint), router_);
}

FLUX_DECL void ServerState::add_request(features::Request request) {
  check_not_running("adding a request");
  hub_.requests.add(std::move(request));
}

FLUX_DECL void ServerState::add_service(std::shared_ptr<features::Service> service) {
  check_not_running("adding a service");
  const auto metrics = std::make_shared<core::MetricSet>();
  service->add_metrics(*metrics);
  services_.add(std::move(service));
  metrics_.add(metrics);
}

FLUX_DECL void ServerState::add_file(const std::string& path, const std::string& file) {
  check_not_running("adding a file");
  std::error_code ec;
  std::ifstream in(file, std::ios::binary);
  if (!in || !std::filesystem::is_regular_file(file, ec)) {
    throw Error(Errc::bad_config, "can't read the file \"" + file + "\"");
  }
  const auto content =
      std::make_shared<const std::string>(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
  const std::string type(transport::media_type(file));
  router_.add("GET", path, [content, type](const HttpExchange& exchange) {
    exchange.respond(200, *content, type, {{"Cache-Control", "no-cache"}});
  });
}

FLUX_DECL void ServerState::use_context(asio::io_context& context) {
  check_not_running("use_context");
  if (config_.threads != 1) {
    throw Error(Errc::bad_config,
                "Config::threads must be 1 for a server that runs in the application's io_context, not " +
                    std::to_string(config_.threads));
  }
  context_ = &context;
}

// --- Starting ---

FLUX_DECL void ServerState::start() { open(false); }

FLUX_DECL void ServerState::run() {
  if (context_ != nullptr) {
    throw Error(Errc::bad_config, "a server in the application's io_context is started with start(); run the context");
  }
  open(true);
  units_[0]->loop->run();
  const std::uint64_t life = present_life();
  {
    const std::lock_guard lock(mutex_);
    inline_running_ = false;
    changed_.notify_all();
  }
  wait_for_end(life);
}

FLUX_DECL void ServerState::open(bool inline_first) {
  std::unique_lock lock(mutex_);
  if (life_ != Life::stopped) throw Error(Errc::already_running, "the server is already running");
  check_authenticated_routes();
  if (stopper_.joinable()) {  // it may wait for the lock
    std::thread ended = std::move(stopper_);
    lock.unlock();
    ended.join();
    lock.lock();
    if (life_ != Life::stopped) throw Error(Errc::already_running, "the server is already running");
  }
  tls_ = nullptr;
  if (!config_.tls.certificate_file.empty()) tls_ = transport::make_tls_context(config_.tls).value();
  const auto complete = std::make_shared<bool>(false);  // under the lock
  try {
    for (std::size_t i = 0; i < config_.threads; ++i) add_unit(i);
    open_listeners();
    try {
      loop_watch_.start(loops());
      if (context_ == nullptr) start_threads(inline_first ? 1 : 0, complete);
      services_.start(*units_[0]->loop);
    } catch (const std::system_error& refused) {
      if (refused.code() != std::errc::resource_unavailable_try_again) throw;
      throw Error(Errc::bad_config,
                  "the system has too few threads for Config::threads = " + std::to_string(config_.threads) +
                      " and the workers of the stores: " + refused.what());
    }
    endpoints_.start([this](const core::Loop& loop) -> std::optional<endpoints::LoopHome> {
      LoopUnit& unit = *units_[loop.index()];
      if (unit.stopping) return std::nullopt;
      return endpoints::LoopHome{unit.connections, unit.websockets};
    });
  } catch (...) {
    loop_watch_.stop();
    listeners_.clear();
    ports_.clear();
    for (const auto& unit : units_) {
      unit->loop->shut();  // drops what the services have posted
      metrics_.retire(unit->loop->counters());
    }
    const auto units = std::exchange(units_, {});
    lock.unlock();
    for (const auto& unit : units) {
      if (unit->thread.joinable()) unit->thread.join();
    }
    throw;
  }
  life_ = Life::running;
  *complete = true;
  ++lives_;
  inline_running_ = inline_first;
  for (const auto& unit : units_) unit->loop->begin();
  for (const auto& listener : listeners_) {
    units_[0]->loop->post([listener] { listener->start(); });
  }
}

/// A thread runs its loop when the start is `complete`, or ends because the start has failed.
FLUX_DECL void ServerState::start_threads(std::size_t first, const std::shared_ptr<bool>& complete) {
  const auto is_complete = [this, complete] {
    const std::lock_guard lock(mutex_);
    return *complete;
  };
  for (std::size_t i = first; i < units_.size(); ++i) {
    units_[i]->thread = std::thread([loop = units_[i]->loop, is_complete] {
      if (is_complete()) loop->run();
    });
  }
}

FLUX_DECL void ServerState::add_unit(std::size_t index) {
  auto loop = core::Loop::make(index, config_.clock, context_, hub_.call_faults);
  loop->hold_tasks();
  units_.push_back(std::make_unique<LoopUnit>(hub_, endpoints_, router_, loop));
  metrics_.add({loop, &loop->counters()});
  units_.back()->connections.on_empty = [this] {
    const std::lock_guard guard(mutex_);
    changed_.notify_all();
  };
}

FLUX_DECL void ServerState::check_authenticated_routes() const {
  const std::string& route = router_.first_authenticated();
  if (route.empty() || hub_.gate.knows_clients()) return;
  throw Error(Errc::bad_config,
              route + " is authenticated, but nobody can log in: add a flux::Auth, or set on_connect or on_token");
}

FLUX_DECL void ServerState::open_listeners() {
  ports_.clear();
  for (const ListenAddress& address : config_.listen) {
    auto listener = std::make_shared<transport::Listener>(
        units_[0]->loop, [this](Socket socket) { accepted(std::move(socket)); },
        [this](LogLevel level, std::string_view message) { hub_.log(level, message); });
    // "::" accepts IPv4 too, unless "0.0.0.0" is listed with the same port.
    const auto is_any_v4 = [&](const ListenAddress& other) {
      return other.host == "0.0.0.0" && other.port == address.port;
    };
    listener->open(address, std::none_of(config_.listen.begin(), config_.listen.end(), is_any_v4));
    ports_.push_back(listener->port());
    listeners_.push_back(std::move(listener));
    hub_.log(LogLevel::info, "listening on " + address.host + " port " + std::to_string(ports_.back()));
  }
}

FLUX_DECL std::vector<std::shared_ptr<core::Loop>> ServerState::loops() const {
  std::vector<std::shared_ptr<core::Loop>> loops;
  for (const auto& unit : units_) loops.push_back(unit->loop);
  return loops;
}

// --- Connections ---

FLUX_DECL LoopUnit& ServerState::next_unit() {
  const std::lock_guard lock(mutex_);
  return *units_[next_unit_++ % units_.size()];
}

FLUX_DECL void ServerState::accepted(Socket socket) {
  std::error_code ec;
  socket.non_blocking(true, ec);
  if (!ec) socket.set_option(asio::ip::tcp::no_delay(true), ec);
  const std::size_t most = config_.limits.connections_max;
  std::optional<core::AddressSeat> seat;
  if (!ec && (most == 0 || connections_now() < most)) seat = seat_for(transport::peer_of(socket).ip);
  if (!seat) {
    units_[0]->loop->counters().connections_refused.add();
    hub_.debug([&] { return "refused " + transport::peer_of(socket).text() + ": too many connections"; });
    return;  // and the socket closes
  }
  LoopUnit& unit = next_unit();
  if (&unit == units_[0].get()) return begin_connection(unit, std::move(socket), std::move(*seat));
  // A socket belongs to one io_context, so another loop gets the native socket.
  const auto protocol = socket.local_endpoint(ec).protocol();
  const auto native = ec ? Socket::native_handle_type{} : socket.release(ec);
  if (ec) return;
  unit.loop->post([this, &unit, transit = std::make_shared<transport::SocketInTransit>(protocol, native),
                   kept = std::make_shared<core::AddressSeat>(std::move(*seat))] {
    std::error_code failed;
    Socket moved = transit->arrive(*unit.loop, failed);
    if (!failed) begin_connection(unit, std::move(moved), std::move(*kept));
  });
}

/// A seat for a connection from `peer`; none if the peer has reached its limit. Connections from this machine are not
/// counted, because one may be an unlisted proxy; those from trusted proxies are counted for the client of each
/// request.
FLUX_DECL std::optional<core::AddressSeat> ServerState::seat_for(const core::IpAddress& peer) {
  if (peer.is_loopback() || hub_.proxies.trusts(peer)) return core::AddressSeat();
  const auto seat = hub_.client_limits.connections.take(peer);
  if (!seat) return std::nullopt;
  return core::AddressSeat(hub_.client_limits.connections, *seat);
}

FLUX_DECL void ServerState::begin_connection(LoopUnit& unit, Socket socket, core::AddressSeat seat, std::string first,
                                             AdoptOptions options) {
  if (unit.stopping) return;
  std::unique_ptr<transport::TlsEngine> engine;
  {
    const std::lock_guard lock(mutex_);
    if (tls_ && options.tls) engine = tls_->engine();
  }
  auto connection =
      std::make_shared<transport::Connection>(unit.loop, unit.connections, std::move(socket), std::move(engine));
  connection->set_seat(std::move(seat));
  connection->start(std::make_shared<transport::HttpConnection>(*connection, unit.http, !options.keep_alive),
                    std::move(first));
}

FLUX_DECL Result<void> ServerState::adopt(std::intptr_t native_socket, std::string bytes_read, AdoptOptions options) {
  const auto native = static_cast<Socket::native_handle_type>(native_socket);
  sockaddr_storage address{};
  auto size = static_cast<socklen_t>(sizeof address);
  if (::getsockname(native, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    return Error(Errc::invalid_argument, "adopt: " + std::to_string(native_socket) + " is not an open socket");
  }
  const bool is_v6 = address.ss_family == AF_INET6;
  const auto protocol = is_v6 ? asio::ip::tcp::v6() : asio::ip::tcp::v4();
  const auto transit = std::make_shared<transport::SocketInTransit>(protocol, native);
  if (!is_v6 && address.ss_family != AF_INET) {
    return Error(Errc::invalid_argument, "adopt: the socket must be one of TCP over IPv4 or IPv6");
  }
  const std::lock_guard lock(mutex_);
  if (life_ != Life::running) return Error(Errc::stopped, "adopt: the server is not running");
  LoopUnit& unit = *units_[next_unit_++ % units_.size()];
  unit.loop->post([this, &unit, transit, first = std::move(bytes_read), options]() mutable {
    std::error_code ec;
    Socket socket = transit->arrive(*unit.loop, ec);
    if (!ec) socket.set_option(asio::ip::tcp::no_delay(true), ec);
    if (ec) return hub_.log(LogLevel::error, "can't adopt a socket: " + ec.message());
    auto seat = seat_for(transport::peer_of(socket).ip);
    if (!seat) return unit.loop->counters().connections_refused.add();
    begin_connection(unit, std::move(socket), std::move(*seat), std::move(first), options);
  });
  return {};
}

// --- Stopping ---
//
// One order, whoever runs the loops:
//   1  `begin_stop`: the server accepts no more connections from `adopt`, and the services are told
//   2  the listeners close; every endpoint and every connection is told, on its loop (`say_goodbye`)
//   3  until every connection is closed, or the grace period, which begins then, is over
//   4  on each loop: its connections are closed, its sessions end, and nothing more runs on it (`end`)
//   5  the services stop, in reverse order, and finish the pending calls of their stores (`finish`)
// With threads of our own the steps are posted to the loops, and one thread waits between them. In the application's
// context the steps are tasks of its one loop; a destructor skips from step 1 to step 4.

FLUX_DECL bool ServerState::in_a_callback() const {
  const std::lock_guard lock(mutex_);
  return std::any_of(units_.begin(), units_.end(), [](const auto& unit) { return unit->loop->here(); }) ||
         callers_.contains(std::this_thread::get_id());
}

FLUX_DECL bool ServerState::works_on_another_thread() const {
  if (context_ == nullptr) return false;
  const std::lock_guard lock(mutex_);
  return !units_.empty() && units_[0]->loop->in_turn_elsewhere();
}

FLUX_DECL bool ServerState::in_a_handler() const {
  if (context_ == nullptr) return in_a_callback();
  const std::lock_guard lock(mutex_);
  return (!units_.empty() && units_[0]->loop->in_turn()) || callers_.contains(std::this_thread::get_id());
}

FLUX_DECL void ServerState::call_here(const std::function<void()>& callback) {
  const auto self = std::this_thread::get_id();
  {
    const std::lock_guard lock(mutex_);
    callers_.insert(self);
  }
  callback();
  const std::lock_guard lock(mutex_);
  callers_.erase(callers_.find(self));
}

FLUX_DECL void ServerState::wait() const {
  if (!in_a_callback()) wait_for_end(present_life());
}

FLUX_DECL void ServerState::wait_for_end(std::uint64_t life) const {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this, life] { return life_ == Life::stopped || lives_ != life; });
}

FLUX_DECL void ServerState::stop(std::chrono::milliseconds grace) {
  const bool in_callback = in_a_callback();
  if (context_ != nullptr) {
    const Stop stop = begin_stop();
    if (stop.is_first) {
      const auto loop = units_[0]->loop;  // which may end before `dispatch` returns
      const auto begin = [this, grace] { stop_in_context(grace); };
      if (in_callback) {
        loop->post(begin);  // the answer of a handler arrives first
      } else {
        loop->dispatch(begin);
      }
    }
    if (!in_callback) wait_for_end(stop.life);
    return;
  }
  if (!in_callback) return stop_and_wait(grace);
  const std::lock_guard lock(mutex_);
  if (life_ != Life::running || stopper_.joinable()) return;
  stopper_ = std::thread([this, grace] { stop_and_wait(grace); });
}

FLUX_DECL ServerState::Stop ServerState::begin_stop() {
  const std::lock_guard lock(mutex_);
  if (life_ != Life::running) return {lives_, false};
  life_ = Life::stopping;
  goodbyes_sent_ = 0;
  services_.begin_stop();
  return {lives_, true};
}

FLUX_DECL void ServerState::stop_and_wait(std::chrono::milliseconds grace) {
  if (const Stop stop = begin_stop(); !stop.is_first) return wait_for_end(stop.life);
  units_[0]->loop->post([this] { stop_listening(); });
  endpoints_.stop();
  for (const auto& unit : units_) {
    unit->loop->post([this, raw = unit.get()] {
      say_goodbye(*raw);
      raw->loop->post([this] { goodbye_sent(); });  // after the flush of this turn
    });
  }
  {
    std::unique_lock lock(mutex_);
    // The grace begins when the clients have been told, which a busy loop may do late.
    changed_.wait(lock, [this] { return goodbyes_sent_ == units_.size(); });
    changed_.wait_for(lock, grace, [this] { return connections_now() == 0; });
  }
  for (const auto& unit : units_) {
    unit->loop->post([this, raw = unit.get()] { end(*raw); });
  }
  for (const auto& unit : units_) {
    if (unit->thread.joinable()) unit->thread.join();
  }
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !inline_running_; });
  }
  finish();
}

FLUX_DECL void ServerState::stop_in_context(std::chrono::milliseconds grace) {
  LoopUnit& unit = *units_[0];
  stop_listening();
  endpoints_.stop();
  say_goodbye(unit);
  // In a turn of its own: the last connection may be in the middle of closing, and `finish` waits for the stores, whose
  // calls may be held by tasks of this loop.
  const auto finish_soon = [this, loop = unit.loop.get()] {
    asio::post(*context_, [this, loop = loop->shared_from_this()] {
      if (!loop->is_shut()) finish_in_context();
    });
  };
  unit.loop->call_after(grace, finish_soon);
  unit.connections.on_empty = finish_soon;
  if (unit.connections.members.empty()) finish_soon();
}

FLUX_DECL void ServerState::finish_in_context() {
  LoopUnit& unit = *units_[0];
  stop_listening();
  unit.connections.on_empty = nullptr;
  end(unit);
  // This may be inside a call of the loop, which must exist until it has returned to the context.
  asio::post(*context_, [loop = unit.loop] {});
  finish();
}

FLUX_DECL void ServerState::stop_listening() {
  for (const auto& listener : listeners_) listener->close();
}

FLUX_DECL void ServerState::say_goodbye(LoopUnit& unit) {
  unit.stopping = true;
  std::vector<std::shared_ptr<transport::Connection>> open;
  for (transport::Connection* connection : unit.connections.members) open.push_back(connection->shared_from_this());
  for (const auto& connection : open) {
    if (const auto handler = connection->handler()) handler->on_stop();
  }
}

FLUX_DECL void ServerState::goodbye_sent() {
  const std::lock_guard lock(mutex_);
  ++goodbyes_sent_;
  changed_.notify_all();
}

FLUX_DECL void ServerState::end(LoopUnit& unit) {
  unit.stopping = true;
  while (!unit.connections.members.empty()) unit.connections.members.back()->shared_from_this()->close();
  endpoints_.end(*unit.loop);
  unit.loop->shut();
  unit.loop->release_work();
}

/// Called when no loop runs any more.
FLUX_DECL void ServerState::finish() {
  loop_watch_.stop();
  services_.stop();
  std::vector<std::unique_ptr<LoopUnit>> ended;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& unit : units_) metrics_.retire(unit->loop->counters());
    ended.swap(units_);
    listeners_.clear();
    ports_.clear();
  }
  ended.clear();
  const std::lock_guard lock(mutex_);
  life_ = Life::stopped;
  changed_.notify_all();
}

// --- Queries ---

FLUX_DECL bool ServerState::running() const {
  const std::lock_guard lock(mutex_);
  return life_ == Life::running;
}

FLUX_DECL std::uint16_t ServerState::port(std::size_t index) const {
  const std::lock_guard lock(mutex_);
  return index < ports_.size() ? ports_[index] : std::uint16_t{0};
}

namespace server_detail {

/// The host of `ListenAddress` as it is written in a URL (RFC 3986, 3.2.2; RFC 6874 for the zone of a link-local address).
inline std::string url_host(const std::string& host) {
  const auto ip = core::IpAddress::parse(host);
  if (!ip) return host;  // "localhost"
  if (*ip == core::IpAddress() || *ip == core::IpAddress::v4({})) return "localhost";
  if (host.find(':') == std::string::npos) return host;
  std::string in_brackets = "[" + host + "]";
  if (const std::size_t zone = in_brackets.find('%'); zone != std::string::npos) in_brackets.replace(zone, 1, "%25");
  return in_brackets;
}

}  // namespace server_detail

FLUX_DECL std::vector<std::string> ServerState::urls() const {
  const std::string scheme = config_.tls.certificate_file.empty() ? "http://" : "https://";
  std::vector<std::string> urls;
  const std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < ports_.size(); ++i) {
    urls.push_back(scheme + server_detail::url_host(config_.listen[i].host) + ":" + std::to_string(ports_[i]));
  }
  return urls;
}

FLUX_DECL std::size_t ServerState::connections_now() const {
  std::size_t sum = 0;
  for (const auto& unit : units_) sum += unit->loop->counters().connections_now.get();
  return sum;
}

FLUX_DECL Result<void> ServerState::reload_certificates() {
  if (config_.tls.certificate_file.empty()) {
    return Error(Errc::tls_failed, "this server has no certificate: Config::tls is empty");
  }
  auto fresh = transport::make_tls_context(config_.tls);
  if (!fresh) return fresh.error();
  const std::lock_guard lock(mutex_);
  tls_ = std::move(*fresh);
  return {};
}

FLUX_DECL std::shared_ptr<core::Loop> ServerState::a_loop() const {
  const std::lock_guard lock(mutex_);
  return units_.empty() ? nullptr : units_.front()->loop;
}

/// `after` is "LIST:ID": 0 is the directory of sessions, and the endpoints count from 1.
FLUX_DECL ClientsPage ServerState::clients(std::size_t limit, std::string_view after) const {
  std::size_t source = 0;
  const std::size_t colon = std::min(after.find(':'), after.size());
  std::from_chars(after.data(), after.data() + colon, source);
  std::string_view id = after.substr(std::min(colon + 1, after.size()));
  ClientsPage page;
  std::string last;
  for (; source <= endpoints_.size(); ++source, id = {}) {
    const std::size_t wanted = limit + 1 - page.clients.size();  // one more, to see whether there is another page
    auto part = source == 0 ? hub_.sessions.page(id, wanted) : endpoints_.at(source - 1).clients(id, wanted);
    for (core::ListedClient& client : part) {
      if (page.clients.size() == limit) {
        page.after = std::move(last);
        return page;
      }
      last = std::to_string(source) + ":" + client.id;
      const std::chrono::system_clock::time_point connected_at{std::chrono::seconds(client.connected_at)};
      auto session = client.session ? std::optional(Session(std::move(client.session))) : std::nullopt;
      page.clients.push_back({client.protocol, std::move(client.id), connected_at, std::move(session), client.counts});
    }
  }
  return page;
}

FLUX_DECL Stats ServerState::stats() const {
  const auto samples = metrics_.samples();
  const auto total = [&](std::string_view name) { return core::Metrics::total(samples, name); };
  Stats stats;
  stats.connections_now = static_cast<std::size_t>(total("connections_now"));
  stats.sessions_now = static_cast<std::size_t>(total("sessions_now"));
  stats.rooms_now = static_cast<std::size_t>(total("rooms_now"));
  stats.connections = total("connections");
  stats.connections_refused = total("connections_refused");
  stats.requests = total("requests");
  stats.messages_in = total("messages_in");
  stats.messages_bad = total("messages_bad");
  stats.messages_rate_limited = total("messages_rate_limited");
  stats.frames_out = total("frames_out");
  stats.bytes_in = total("bytes_in");
  stats.bytes_out = total("bytes_out");
  stats.states_coalesced = total("states_coalesced");
  stats.messages_dropped = total("messages_dropped");
  stats.slow_readers_closed = total("slow_readers_closed");
  stats.handler_errors = total("handler_errors");
  stats.slow_handlers = total("slow_handlers");
  stats.store_errors = total("store_errors");
  stats.calls_failed = total("calls_failed");
  return stats;
}

}  // namespace flux::detail
