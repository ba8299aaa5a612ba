// What the application does in channels for clients: by `flux::Channels`, and by the HTTP API.
#pragma once

#include <flux/detail/core/session_key.hpp>
#include <flux/detail/core/utf8.hpp>
#include <flux/detail/features/channel_hub.hpp>
#include <flux/detail/features/participant.hpp>
#include <flux/detail/mode.hpp>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace flux::features {

/// Calls `act` with the client on its loop, and passes the result to `done`, which may be empty: there, or where the client
/// is found missing. An act with a second parameter, a function, passes its result to that one. Errors: session_not_found.
template <class T, class Act>
void with_client(const ChannelHub& hub, const SessionId& client, const std::function<void(Result<T>)>& done, Act act) {
  const std::function<void(Result<T>)> give = [done](Result<T> result) {
    if (done) done(std::move(result));
  };
  const auto gone = [give, client] {
    give(Error(Errc::session_not_found, "session " + core::shown(client) + " is gone"));
  };
  const auto key = core::key_from_text(client);
  auto found = key ? hub.backend().sessions.find(*key) : nullptr;
  const auto participant = std::dynamic_pointer_cast<Participant>(std::move(found));
  if (!participant) return gone();
  const bool posted = participant->loop()->dispatch([participant, give, gone, act = std::move(act)] {
    if (!participant->connected()) return gone();
    if constexpr (std::is_invocable_v<const Act&, Participant&, decltype(give)>) {
      act(*participant, give);
    } else {
      give(act(*participant));
    }
  });
  if (!posted) gone();
}

/// Subscribes the client, if its grant allows it, without asking the application. On the client's loop. Errors: as for
/// `Channels::subscribe_client`.
Result<void> subscribe_unasked(const std::shared_ptr<ChannelHub>& hub, Participant& client, std::string_view channel);
/// As `Channels::update_presence`.
Result<void> update_presence(const std::shared_ptr<ChannelHub>& hub, const SessionId& client, std::string_view channel,
                             const JsonText& data);
/// As `Channels::leave_presence`.
bool leave_presence(const std::shared_ptr<ChannelHub>& hub, const SessionId& client, std::string_view channel);

}  // namespace flux::features

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/features/channel_acts.ipp>
#endif
