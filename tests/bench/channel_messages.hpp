#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

/// The messages of `/realtime` that the load generator needs.
namespace flux::bench {

/// The server answers it with an `ack` of this id.
inline std::string subscribe_channel(std::string_view channel, std::uint64_t id) {
  std::string text = R"({"type":"subscribe","id":)";
  text.append(std::to_string(id)).append(R"(,"channel":")").append(channel);
  return text + "\"}";
}

/// The same of a client that knows a position.
inline std::string subscribe_channel(std::string_view channel, std::uint64_t id, std::string_view epoch,
                                     std::uint64_t offset) {
  std::string text = subscribe_channel(channel, id);
  text.back() = ',';
  text.append(R"("epoch":")").append(epoch).append(R"(","offset":)").append(std::to_string(offset));
  return text + "}";
}

/// The server answers it with an `ack` of this id.
inline std::string publish_channel(std::string_view channel, std::string_view data, std::uint64_t id) {
  std::string text = R"({"type":"publish","id":)";
  text.append(std::to_string(id)).append(R"(,"channel":")").append(channel).append(R"(","data":)").append(data);
  return text + "}";
}

/// To all subscribers but the sender.
inline std::string broadcast_channel(std::string_view channel, std::string_view data) {
  std::string text = R"({"type":"broadcast","channel":")";
  text.append(channel).append(R"(","data":)").append(data);
  return text + "}";
}

}  // namespace flux::bench
