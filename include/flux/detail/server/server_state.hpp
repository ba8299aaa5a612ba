// The implementation of `flux::Server`: its loops, its listeners, its life.
#pragma once

#include <flux/detail/core/metrics.hpp>
#include <flux/detail/endpoints/endpoint_list.hpp>
#include <flux/detail/endpoints/hub.hpp>
#include <flux/detail/features/application_timers.hpp>
#include <flux/detail/features/service.hpp>
#include <flux/detail/server/loop_watch.hpp>
#include <flux/detail/transport/connection.hpp>
#include <flux/detail/transport/http_connection.hpp>
#include <flux/detail/transport/listener.hpp>
#include <flux/detail/transport/router.hpp>
#include <flux/http.hpp>
#include <flux/server.hpp>
#include <flux/stats.hpp>

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace flux::detail {

/// One event loop and what its connections share.
struct LoopUnit {
  LoopUnit(Hub& hub, const endpoints::EndpointList& endpoints, const transport::Router& router,
           std::shared_ptr<core::Loop> event_loop);
  LoopUnit(const LoopUnit&) = delete;
  LoopUnit& operator=(const LoopUnit&) = delete;

  std::shared_ptr<core::Loop> loop;
  transport::ConnectionGroup connections;
  transport::WebSocketService websockets;
  transport::HttpService http;
  std::thread thread;
  bool stopping = false;  // used on the loop only: it accepts no new connections
};

/// Threading: any thread, as `flux::Server` says.
class ServerState {
 public:
  explicit ServerState(Config config);
  /// Stops at once.
  ~ServerState();
  /// Ends the server after its owner has released it: here or, inside one of its handlers, as soon as that has
  /// returned.
  static void let_go(std::shared_ptr<ServerState> state);

  void use_context(asio::io_context& context);
  void run();
  void start();
  void stop(std::chrono::milliseconds grace);
  void wait() const;
  bool running() const;
  std::uint16_t port(std::size_t index) const;
  std::vector<std::string> urls() const;
  Result<void> reload_certificates();
  Result<void> adopt(std::intptr_t native_socket, std::string bytes_read, AdoptOptions options);
  Stats stats() const;
  /// As `Server::clients`; `limit` is at least 1.
  ClientsPage clients(std::size_t limit, std::string_view after) const;
  /// The loop for callbacks of the application that belong to no connection; null if none is running.
  std::shared_ptr<core::Loop> a_loop() const;
  /// Calls a callback of the application on this thread, which is not a loop's, because the loops have ended. A `stop`
  /// or a destruction inside it does not wait.
  void call_here(const std::function<void()>& callback);

  /// Errors: throws `Error` (already_running): handlers and routes are read by the loops without a lock.
  void check_not_running(const char* what) const;

  const Config& config() const noexcept { return config_; }
  Hub& hub() noexcept { return hub_; }
  transport::Router& router() noexcept { return router_; }
  const endpoints::EndpointList& endpoints() const noexcept { return endpoints_; }
  features::ApplicationTimers& timers() noexcept { return *timers_; }
  /// Errors: throws `Error` (bad_config) if WebSocket clients connect at the path of an application's route.
  void check_route_path(std::string_view method, std::string_view path) const;
  /// Before the start. Errors: throws `Error` (already_running, bad_config).
  void add_endpoint(std::shared_ptr<endpoints::Endpoint> endpoint);
  /// The same; it starts after those added before.
  void add_service(std::shared_ptr<features::Service> service);
  /// The same: a request for clients of every protocol that has requests.
  void add_request(features::Request request);
  /// Serves one file, which is read now. Errors: throws `Error` (bad_config).
  void add_file(const std::string& path, const std::string& file);

 private:
  enum class Life : std::uint8_t { stopped, running, stopping };

  void open(bool inline_first);
  void add_unit(std::size_t index);
  void start_threads(std::size_t first, const std::shared_ptr<bool>& complete);
  void check_authenticated_routes() const;
  void open_listeners();
  std::vector<std::shared_ptr<core::Loop>> loops() const;
  LoopUnit& next_unit();
  void accepted(Socket socket);
  std::optional<core::AddressSeat> seat_for(const core::IpAddress& peer);
  /// `first`: the bytes already read. `one_request`: as for `HttpConnection`.
  void begin_connection(LoopUnit& unit, Socket socket, core::AddressSeat seat, std::string first = {},
                        AdoptOptions options = {.keep_alive = true});

  // Stopping. Functions with a unit run on its loop.
  void stop_and_wait(std::chrono::milliseconds grace);
  void stop_in_context(std::chrono::milliseconds grace);
  void finish_in_context();
  std::uint64_t present_life() const {
    const std::lock_guard lock(mutex_);
    return lives_;
  }
  /// Waits until this life of the server has ended.
  void wait_for_end(std::uint64_t life) const;
  /// Which life of the server is stopped, and whether the caller is the one that must carry it out.
  struct Stop {
    std::uint64_t life;
    bool is_first;
  };
  Stop begin_stop();
  void stop_listening();
  void say_goodbye(LoopUnit& unit);
  void goodbye_sent();
  void end(LoopUnit& unit);
  void finish();
  bool in_a_callback() const;
  bool in_a_handler() const;
  /// In the application's context: whether another thread runs it and is doing the server's work at this moment.
  bool works_on_another_thread() const;
  std::size_t connections_now() const;

  const Config config_;
  Hub hub_;
  core::Metrics metrics_;
  transport::Router router_;
  const std::shared_ptr<features::ApplicationTimers> timers_;
  LoopWatch loop_watch_;
  features::ServiceList services_;
  endpoints::EndpointList endpoints_;
  asio::io_context* context_ = nullptr;  // the application's, or none

  mutable std::mutex mutex_;  // guards everything below; units and listeners change only while no loop runs
  mutable std::condition_variable changed_;
  Life life_ = Life::stopped;
  std::uint64_t lives_ = 0;  // so far: a caller that waits for the end of one must not wait for the end of the next
  std::vector<std::unique_ptr<LoopUnit>> units_;
  std::vector<std::shared_ptr<transport::Listener>> listeners_;
  std::vector<std::uint16_t> ports_;
  std::shared_ptr<const transport::TlsContext> tls_;
  std::thread stopper_;                     // stops on behalf of a handler
  std::size_t goodbyes_sent_ = 0;           // loops whose clients have been told of the stop
  bool inline_running_ = false;             // a thread of the application is in the first loop
  std::multiset<std::thread::id> callers_;  // threads inside `call_here`
  std::size_t next_unit_ = 0;
};

/// Gives other parts of flux access to a server's state.
struct ServerAccess {
  static ServerState& state(Server& server) { return *server.state_; }
};

}  // namespace flux::detail
