// One HTTP request about files: the application's permission, calls of the store, and the answer.
#pragma once

#include <flux/detail/endpoints/files/upload_body.hpp>
#include <flux/detail/endpoints/hub.hpp>
#include <flux/detail/features/files_service.hpp>
#include <flux/detail/mode.hpp>
#include <flux/detail/transport/http_exchange.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace flux::detail {

/// An error as the client gets it.
struct FileRefusal {
  int status;
  std::string_view text;  // empty: the error's own
};

/// Ownership: by whatever the request is waiting for: the store, the application, the body.
/// Threading: the loop of the connection.
class FileCall final : public UploadBody, public std::enable_shared_from_this<FileCall> {
 public:
  FileCall(Hub& hub, features::FilesService& service, std::shared_ptr<HttpExchangeState> exchange);
  /// Holds the body back until `read`. The first call.
  void begin();

  // The request
  const transport::HttpHead& head() const noexcept { return exchange_->head(); }
  /// For requests of tus, X-HTTP-Method-Override replaces the method.
  std::string_view method() const noexcept;
  bool speaks_tus() const noexcept { return speaks_tus_; }
  /// The `{id}` of the path; empty if it has none.
  std::string_view id() const noexcept { return exchange_->captures().find("id").value_or(std::string_view()); }
  const std::shared_ptr<HttpExchangeState>& exchange() const noexcept { return exchange_; }
  core::Loop& loop() const noexcept { return *exchange_->loop(); }
  Hub& hub() const noexcept { return hub_; }
  features::FilesService& service() const noexcept { return service_; }
  features::Files& files() const noexcept { return *service_.files(); }
  const FilesOptions& options() const noexcept { return hub_.config.files; }
  /// Whether the client has disconnected or got its answer.
  bool over() const noexcept { return over_; }

  // Permission
  /// Calls `accepted` with the client's identity when the application permits the action: at once if it is not asked.
  /// A permission that `FileDemands` has for the action is demanded of the ticket's session or, if that lacks it, of the
  /// grant that the application answers with. Otherwise the client gets 401 or 403, 429 over a rate, or 503 if there is
  /// no answer within `Limits::answer_timeout`. `session`: the one whose ticket the request has; null if it has none.
  void ask(FileAction action, FileInfo file, RoomId room, std::shared_ptr<SessionState> session,
           std::function<void(const Identity&)> accepted);
  /// What `ask` has accepted the client with; null: nothing.
  const std::shared_ptr<const Grant>& grant() const noexcept { return granted_; }
  /// Counts the request against `Limits::operations`: for its address, or if there is a grant for its user. Returns
  /// false if it is over a rate: then the client has been answered.
  bool count(FileAction action, const Grant* grant);
  /// Returns false if the client, accepted with `identity`, is another user than the owner of the file: then the client
  /// has been answered. A file or a client without a user id never counts as another user's.
  bool may_own(const FileInfo& file, const Identity& identity);
  enum class Entitled : std::uint8_t { by_client, by_link };
  /// Looks up the file that the path names and passes it to `found`, in a separate turn. The request is counted before, so
  /// that ids can't be guessed without limit. If there is no such file, the client is told so if `ask` permits the action.
  /// `by_link`: the request has a signed link, which permits the action without a login.
  void find_file(FileAction action, Entitled entitled, std::function<void(const FileInfo&)> found);

  // The body
  std::optional<std::uint64_t> length() const override { return head().content_length(); }
  FLUX_DECL void read(HttpExchangeState::BodyPiece piece, HttpExchangeState::BodyDone done) override;
  void pause() override { exchange_->pause_body(); }
  void resume() override { exchange_->resume_body(); }

  // The store
  /// Makes `call(store)` after the file's earlier calls; `then` gets its result in a separate turn of this loop, even
  /// if the client has disconnected meanwhile.
  template <class Call, class Then>
  void with_store(const FileId& id, Call call, Then then, features::Files::Pace pace = features::Files::Pace::quick) {
    auto done = [self = shared_from_this(), then = std::move(then)](auto result) {
      self->loop().post([self, then, result = std::move(result)]() mutable { then(std::move(result)); });
    };
    files().run(id, std::move(call), std::move(done), pace);
  }

  // The answer. The rest of the body is not read: the connection closes after the answer.
  void answer(int status, std::string text, transport::HttpFields fields = {},
              std::string_view type = "text/plain; charset=utf-8");
  /// Answers with the error.
  void fail(const Error& error);
  /// For an answer whose body follows, `length` bytes of it.
  void begin_answer(int status, transport::HttpFields fields, std::uint64_t length);

 private:
  void ask_handler(gate::FileSubject subject, Grant known, std::function<void(const Result<Grant>&)> answered);
  void complete_fields(transport::HttpFields& fields);
  void end_with_revocation(const std::shared_ptr<const Grant>& of_session,
                           const std::shared_ptr<const Grant>& answered = nullptr);
  void refuse_unknown(FileAction action, const Error& error);
  static Error insufficient(const Grant* grant, const RoomId& room);
  void refuse(const Error& error);

  Hub& hub_;
  features::FilesService& service_;
  const std::shared_ptr<HttpExchangeState> exchange_;
  const bool speaks_tus_;
  bool body_read_;
  bool over_ = false;
  std::shared_ptr<const Grant> granted_;
  std::shared_ptr<const Grant> known_;  // that of the client's token or API key, if a file handler is asked; null: none
  bool address_counted_ = false;        // against the rate of its operation
  bool user_counted_ = false;
};

}  // namespace flux::detail
