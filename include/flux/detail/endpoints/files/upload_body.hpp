// The bytes of an upload, as the one that stores them sees them.
#pragma once

#include <flux/detail/transport/http_exchange.hpp>

#include <cstdint>
#include <optional>

namespace flux::detail {

/// The body of a request, or one file of a form.
/// Threading: the loop of the connection.
class UploadBody {
 public:
  UploadBody() = default;
  UploadBody(const UploadBody&) = delete;
  UploadBody& operator=(const UploadBody&) = delete;
  virtual ~UploadBody() = default;

  /// None: unknown.
  virtual std::optional<std::uint64_t> length() const = 0;
  /// Calls `piece` for each piece and `done` at the end, with false if the rest will not come.
  virtual void read(HttpExchangeState::BodyPiece piece, HttpExchangeState::BodyDone done) = 0;
  /// As in HttpExchange.
  virtual void pause() = 0;
  virtual void resume() = 0;
};

}  // namespace flux::detail
