// The server behind `flux::Server`: its loops, its listeners, its life.
#pragma once

#include <flux/detail/core/metrics.hpp>
#include <flux/detail/endpoints/endpoint_list.hpp>
#include <flux/detail/endpoints/hub.hpp>
#include <flux/detail/features/service.hpp>
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

/// One event loop with what its connections share.
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
  bool stopping = false;  // the loop's: takes no new connections
};

/// Threading: any thread, as `flux::Server` says.
class ServerState {
 public:
  explicit ServerState(Config config);
  /// Stops at once.
  ~ServerState();
  /// Ends the server that nobody has any more: here, or inside one of its handlers as soon as that has returned.
  static void let_go(std::shared_ptr<ServerState> state);

  void use_context(asio::io_context& context);
  void run();
  void start();
  void stop(std::chrono::milliseconds grace);
  bool running() const;
  std::uint16_t port(std::size_t index) const;
  Result<void> reload_certificates();
  Result<void> adopt(std::intptr_t native_socket, std::string bytes_read);
  Stats stats() const;
  /// Where callbacks of the application go that belong to no connection; null where nothing runs.
  std::shared_ptr<core::Loop> a_loop() const;
  /// Calls a callback of the application on this thread, which is no loop's, because the loops have ended. A `stop` or a
  /// destruction inside it does not wait.
  void call_here(const std::function<void()>& callback);

  /// Errors: throws `Error` (already_running): handlers and routes are read by the loops without a lock.
  void check_not_running(const char* what) const;

  const Config& config() const noexcept { return config_; }
  Hub& hub() noexcept { return hub_; }
  transport::Router& router() noexcept { return router_; }
  /// Before the start. Errors: throws `Error` (already_running, bad_config).
  void add_endpoint(std::shared_ptr<endpoints::Endpoint> endpoint);
  /// The same; it starts after those that are there.
  void add_service(std::shared_ptr<features::Service> service);
  /// Serves one file, read now. Errors: throws `Error` (bad_config).
  void add_file(const std::string& path, const std::string& file);

 private:
  enum class Life : std::uint8_t { stopped, running, stopping };

  void open(bool inline_first);
  void open_listeners();
  LoopUnit& next_unit();
  void accepted(Socket socket);
  std::optional<transport::AddressSeat> seat_for(const core::IpAddress& peer);
  void begin_connection(LoopUnit& unit, Socket socket, transport::AddressSeat seat, std::string first);

  // Stopping. Those with a unit run on its loop.
  void stop_and_wait(std::chrono::milliseconds grace);
  void stop_in_context(std::chrono::milliseconds grace);
  void finish_in_context();
  void wait_until_stopped();
  bool begin_stop();
  void stop_listening();
  void say_goodbye(LoopUnit& unit);
  void end(LoopUnit& unit);
  void finish();
  bool in_a_callback() const;
  bool in_a_handler() const;
  std::size_t connections_now() const;

  const Config config_;
  Hub hub_;
  core::Metrics metrics_;
  transport::Router router_;
  features::ServiceList services_;
  endpoints::EndpointList endpoints_;
  asio::io_context* context_ = nullptr;  // the application's, or none

  mutable std::mutex mutex_;  // guards what follows; units and listeners change only while nothing runs
  std::condition_variable changed_;
  Life life_ = Life::stopped;
  std::vector<std::unique_ptr<LoopUnit>> units_;
  std::vector<std::shared_ptr<transport::Listener>> listeners_;
  std::vector<std::uint16_t> ports_;
  std::shared_ptr<const transport::TlsContext> tls_;
  std::thread stopper_;                     // stops on behalf of a handler
  bool inline_running_ = false;             // a thread of the application is in the first loop
  std::multiset<std::thread::id> callers_;  // threads inside `call_here`
  std::size_t next_unit_ = 0;
};

/// The door to a server for what belongs to flux but not to its class.
struct ServerAccess {
  static ServerState& state(Server& server) { return *server.state_; }
};

}  // namespace flux::detail
