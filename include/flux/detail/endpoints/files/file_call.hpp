// One HTTP request about files: the application's permission, the way to the store and back, and its answer.
#pragma once

#include <flux/detail/endpoints/hub.hpp>
#include <flux/detail/transport/http_exchange.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace flux::detail {

/// What went wrong, for the client.
struct FileRefusal {
  int status;
  std::string_view text;  // empty: the error's own
};

/// Ownership: by what the request waits for: the store, the application, the body.
/// Threading: the loop of the connection.
class FileCall final : public std::enable_shared_from_this<FileCall> {
 public:
  FileCall(Hub& hub, std::shared_ptr<HttpExchangeState> exchange);
  /// Holds the body back until `read_body`. The first call.
  void begin();

  // The request
  const transport::HttpHead& head() const noexcept { return exchange_->head(); }
  /// In requests of tus X-HTTP-Method-Override counts.
  std::string_view method() const noexcept;
  bool speaks_tus() const noexcept { return speaks_tus_; }
  /// The `{id}` of the path; empty where it has none.
  std::string_view id() const noexcept { return exchange_->captures().find("id").value_or(std::string_view()); }
  const std::shared_ptr<HttpExchangeState>& exchange() const noexcept { return exchange_; }
  core::Loop& loop() const noexcept { return *exchange_->loop(); }
  Hub& hub() const noexcept { return hub_; }
  const FilesOptions& options() const noexcept { return hub_.config.files; }
  /// The client has gone, or has got its answer.
  bool over() const noexcept { return over_; }

  // Permission
  /// Calls `accepted` when the application lets the client do it, with who that is: at once where it is not asked. Else
  /// the client gets 403, and 503 where the answer does not come within `Limits::handshake_timeout`.
  /// `session`: whose ticket the request has; null: it has none.
  void ask(FileAction action, FileInfo file, RoomId room, std::shared_ptr<SessionState> session,
           std::function<void(const Identity&)> accepted);

  // The body
  void read_body(HttpExchangeState::BodyPiece piece, HttpExchangeState::BodyDone done);
  /// As HttpExchange's.
  void pause_body() { exchange_->pause_body(); }
  void resume_body() { exchange_->resume_body(); }

  // The store
  /// Has `call(store)` made behind the file's earlier calls; `then` gets its result in a turn of this loop of its own,
  /// also where the client has gone meanwhile.
  template <class Call, class Then>
  void with_store(const FileId& id, Call call, Then then, features::Files::Pace pace = features::Files::Pace::quick) {
    auto done = [self = shared_from_this(), then = std::move(then)](auto result) {
      self->loop().post([self, then, result = std::move(result)]() mutable { then(std::move(result)); });
    };
    hub_.files->run(id, std::move(call), std::move(done), pace);
  }

  // The answer. What remains of the body is not read: the connection ends behind the answer.
  void answer(int status, std::string text, transport::HttpFields fields = {},
              std::string_view type = "text/plain; charset=utf-8");
  /// The answer to what went wrong.
  void fail(const Error& error);
  /// For an answer whose body follows, `length` bytes of it.
  void begin_answer(int status, transport::HttpFields fields, std::uint64_t length);

 private:
  void complete_fields(transport::HttpFields& fields);

  Hub& hub_;
  const std::shared_ptr<HttpExchangeState> exchange_;
  const bool speaks_tus_;
  bool body_read_;
  bool over_ = false;
};

}  // namespace flux::detail
