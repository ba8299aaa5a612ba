// What a client presents, and to which endpoint.
#pragma once

#include <flux/detail/core/ip_address.hpp>
#include <flux/detail/transport/http_message.hpp>
#include <flux/json.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace flux::gate {

/// The source of an AccessRequest. An endpoint has one class for each way in which its clients identify themselves; the
/// object exists while the application's handler runs.
class Shown {
 public:
  virtual ~Shown() = default;
  virtual std::string_view protocol() const = 0;
  virtual std::string_view path() const = 0;
  virtual std::optional<std::string> query(std::string_view) const { return std::nullopt; }
  virtual std::optional<std::string_view> header(std::string_view) const { return std::nullopt; }
  virtual const JsonText& payload() const {
    static const JsonText none;
    return none;
  }
  virtual const core::ClientAddress& client() const = 0;
};

/// An HTTP request.
class ShownOverHttp final : public Shown {
 public:
  /// `head` must outlive it. `protocol`: a literal.
  ShownOverHttp(std::string_view protocol, const transport::HttpHead& head, const core::ClientAddress& client)
      : protocol_(protocol), head_(head), client_(client) {}
  std::string_view protocol() const override { return protocol_; }
  std::string_view path() const override { return head_.path(); }
  std::optional<std::string> query(std::string_view name) const override {
    return transport::query_parameter(head_.query(), name);
  }
  std::optional<std::string_view> header(std::string_view name) const override { return head_.header(name); }
  const core::ClientAddress& client() const override { return client_; }

 private:
  const std::string_view protocol_;
  const transport::HttpHead& head_;
  const core::ClientAddress client_;
};

/// A message of a connected client.
class ShownInMessage final : public Shown {
 public:
  /// `path` must outlive it. `protocol`: a literal.
  ShownInMessage(std::string_view protocol, std::string_view path, JsonText payload, const core::ClientAddress& client)
      : protocol_(protocol), path_(path), payload_(std::move(payload)), client_(client) {}
  std::string_view protocol() const override { return protocol_; }
  std::string_view path() const override { return path_; }
  const JsonText& payload() const override { return payload_; }
  const core::ClientAddress& client() const override { return client_; }

 private:
  const std::string_view protocol_;
  const std::string_view path_;
  const JsonText payload_;
  const core::ClientAddress client_;
};

}  // namespace flux::gate
