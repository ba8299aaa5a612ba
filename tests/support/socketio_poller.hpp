// A client of a Socket.IO server under test, over polling: blocking, with a bound on every wait.
#pragma once

#include "support/client.hpp"

#include <flux/json.hpp>

#include <stdexcept>
#include <string>
#include <string_view>

namespace flux_test {

/// In the namespace "/".
class Poller {
 public:
  /// `parameters`: added to the query of the handshake.
  explicit Poller(std::uint16_t port, bool connects = true, std::string_view parameters = "")
      : Poller(Target{port}, connects, parameters) {}
  explicit Poller(const Target& target, bool connects = true, std::string_view parameters = "")
      : gets_(target), posts_(target) {
    const auto opened = gets_.request(flux_test::get(path() + std::string(parameters))).body;
    sid = text_at(flux::JsonText::parse(opened.substr(1)).value(), "/sid");
    if (!connects) return;
    if (post("40") != "ok" || poll().substr(0, 2) != "40") throw std::runtime_error("not let in");
  }
  HttpReply get() { return gets_.request(flux_test::get(path())); }
  std::string poll() {
    for (;;) {
      const auto payload = get().body;
      if (payload != "2") return payload;
      post("3");
    }
  }
  /// Sends a poll without waiting for the response.
  HttpClient& begin_poll() {
    gets_.send(flux_test::get(path()));
    return gets_;
  }
  HttpReply end_poll() { return gets_.reply(); }
  HttpReply post_reply(std::string_view payload) { return posts_.request(flux_test::post(path(), payload)); }
  std::string post(std::string_view payload) { return post_reply(payload).body; }
  std::string sid;

 private:
  std::string path() const {
    return "/socket.io/?EIO=4&transport=polling" + (sid.empty() ? std::string() : "&sid=" + sid);
  }
  HttpClient gets_;
  HttpClient posts_;
};

}  // namespace flux_test
