// The signals that stop a server.
#pragma once

#include <flux/detail/core/asio.hpp>
#include <flux/detail/features/service.hpp>
#include <flux/detail/mode.hpp>
#include <flux/signals.hpp>

#include <asio/posix/basic_stream_descriptor.hpp>

#include <array>
#include <csignal>
#include <memory>
#include <optional>

namespace flux::detail {

class ServerState;

/// Handles the process's signals while its server is running. The signal handler writes the signal's number to a pipe,
/// which the server's first loop reads.
class StopSignals final : public features::Service, public std::enable_shared_from_this<StopSignals> {
 public:
  StopSignals(ServerState& state, SignalOptions options);
  FLUX_DECL ~StopSignals() override;

  FLUX_DECL void prepare() override;
  FLUX_DECL void start(core::Loop& loop) override;
  FLUX_DECL void begin_stop() override;
  FLUX_DECL void stop() override;

 private:
  struct Handled {
    int number;
    struct sigaction before;
  };
  using Descriptor = asio::posix::basic_stream_descriptor<Executor>;

  void wait();
  void received();
  void handle(int number);

  ServerState& state_;
  const SignalOptions options_;
  std::array<int, 2> pipe_{-1, -1};  // read end, write end
  bool has_signals_ = false;
  std::vector<Handled> handled_;
  std::shared_ptr<core::Loop> loop_;
  std::optional<Descriptor> reader_;  // of a copy of the read end; used on the loop only
};

}  // namespace flux::detail

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/server/stop_signals.ipp>
#endif
