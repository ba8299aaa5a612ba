// Channels without a socket, and clients that use them.
#pragma once

#include "participant_fixture.hpp"

#include <flux/detail/features/channel_requests.hpp>

#include <map>

namespace channel_test {

using namespace participant_test;

/// Channels, and clients that send requests.
struct Station : Scene {
  explicit Station(ChannelsOptions options = {}, const std::function<void(Config&)>& change = {})
      : Scene(change), hub(std::make_shared<ChannelHub>(backend, std::move(options))) {
    for (auto& request : channel_requests(hub)) requests.emplace(std::string(request.name), std::move(request));
    hub->prepare();
    hub->start(*loops[0]);
    loops.settle();
  }
  /// The answer as JSON; or the error, as "code: message".
  std::string ask(Client& client, const std::string& type, const std::string& payload) {
    const Request& request = requests.at("channel_" + type);
    core::Members members;
    members.declare(request.members);
    members.from(payload);
    const auto wrong = [](const Error& e) { return std::string(to_wire_name(e.code())) + ": " + e.message(); };
    if (const auto scanned = members.scan(64); !scanned) return wrong(scanned.error());
    if (const auto read = members.read(backend.config.limits); !read) return wrong(read.error());
    const auto answer = std::make_shared<std::string>("(none)");  // it may come later
    request.act(client, members, [answer, wrong](const Result<JsonText>& result) {
      *answer = result ? result->text() : wrong(result.error());
    });
    return *answer;
  }
  /// Epochs are random: they become "E", and ids of clients and times what they stand for.
  std::string masked(std::string text, const std::map<std::string, std::string>& names = {}) const {
    const auto replace = [&text](const std::string& what, const std::string& with) {
      for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += with.size()) {
        text.replace(at, what.size(), with);
      }
    };
    for (std::size_t at = 0; (at = text.find("\"epoch\":\"", at)) != std::string::npos; at += 9) {
      text.replace(at + 9, 13, "E");
    }
    for (const auto& [what, with] : names) replace(what, with);
    replace(std::to_string(loops.clock()->unix_ms()), "now");
    return text;
  }
  /// By the application, in a channel that is not stored.
  Result<Published> publish(const ChannelPost& post) {
    return hub->publish(post, [] { return UnstoredPublication::Done(); }).value();
  }
  std::string epoch_of(const std::string& channel) const {
    return hub->history(channel, std::nullopt, 1, 1)->position.epoch;
  }
  std::string subscribe_since(Client& client, const std::string& channel, const std::string& epoch, Offset offset) {
    return masked(
        ask(client, "subscribe",
            R"({"channel":")" + channel + R"(","epoch":")" + epoch + R"(","offset":)" + std::to_string(offset) + "}"));
  }
  /// The data of the publications among these lines.
  static std::string data_of(const Lines& lines) {
    std::string all;
    for (const std::string& line : lines) {
      const std::size_t begin = line.find("\"data\":");
      if (line.substr(0, 16) == "channel_publish ")
        all += line.substr(begin + 7, line.find(',', begin) - begin - 7) + " ";
    }
    return all;
  }
  std::string heard_data(Client& client) { return data_of(heard(client)); }
  std::string told_data(Client& client) { return data_of(std::exchange(client.told, {})); }
  Client& with(const std::vector<std::string>& permissions, const std::string& user = "u") {
    Client& made = client(user);
    made.change_grant(Grant{{user, user, {}, {}, true}, permissions}).value();
    loops.settle();
    return made;
  }

  std::shared_ptr<ChannelHub> hub;
  std::map<std::string, Request> requests;
};

}  // namespace channel_test
