// What the requests that put files up have in common: a file is announced, permitted, made, filled and completed.
#pragma once

#include <flux/detail/endpoints/files/file_call.hpp>
#include <flux/detail/endpoints/files/file_upload.hpp>

#include <memory>
#include <optional>

namespace flux::detail {

/// The steps of an upload; each ends in a call of the next one that a protocol fills in, or with the answer to what
/// went wrong.
/// Ownership: by what it waits for. Threading: the loop of the connection.
class UploadRequest : public std::enable_shared_from_this<UploadRequest> {
 public:
  UploadRequest(std::shared_ptr<FileCall> call, std::shared_ptr<UploadState> uploads)
      : call_(std::move(call)), uploads_(std::move(uploads)) {}
  UploadRequest(const UploadRequest&) = delete;
  UploadRequest& operator=(const UploadRequest&) = delete;
  virtual ~UploadRequest() = default;

 protected:
  FileCall& call() const noexcept { return *call_; }
  UploadState& uploads() const noexcept { return *uploads_; }

  /// `file_` and `announced_` are what the client says of a new file: checks it, asks the application, and has the
  /// store make it. Then `created`; where the client has gone meanwhile, the file is removed.
  void create_file();
  virtual void created() = 0;
  /// Has `announced_` say what the query of the request does.
  void read_query();

  /// This request writes to the file from here on, and a request that did is ended. Its client gets 409.
  void take_turn();
  bool turn_over() const noexcept { return turn_->over(); }
  /// A newer request has the turn. Ends this one, unless it has come too far for that.
  void taken_over();

  /// Has the body appended to the file. Then `received`, with `file_.size` up to date.
  void receive_body(std::optional<protocol::TusChecksum> checksum);
  virtual void received(const FileUpload::Outcome& outcome) = 0;

  /// What `create_file` has made is to stay, however the server ends. False where it does not: its client has gone, so
  /// nobody would know of it; or the server stops, and the client hears that.
  bool keep_file();

  /// All bytes are there. Then `completed`, with the complete `file_`; or `not_completed`. A file that is not to be
  /// kept is removed instead.
  void complete_file();
  virtual void completed() = 0;
  virtual void not_completed(const Error& error) { call_->fail(error); }

  /// Takes back what nobody can ask for. When it is gone, the client hears of `why`.
  void remove_file(std::optional<Error> why = {});

  /// Where an upload is to be told of, as its client says.
  struct Announced {
    RoomId room{};         // empty: nowhere, or the ticket's
    std::string ticket{};  // empty: none
    std::string upload_id{};
  };

  FileInfo file_{};
  Announced announced_{};
  features::FileOrigin origin_{};

 private:
  Result<void> check_announced() const;
  Result<void> read_ticket();
  Result<void> find_session(const Identity& owner);
  void make_file(const Identity& owner);

  const std::shared_ptr<FileCall> call_;
  const std::shared_ptr<UploadState> uploads_;
  std::shared_ptr<UploadTurn> turn_;
  std::weak_ptr<FileUpload> upload_;
  std::shared_ptr<SessionState> session_;  // whose ticket a new file has
  bool completing_ = false;
  bool is_new_ = false;  // made here, and not kept yet
};

/// POST with the file as its body: all of it, or nothing is left. 201 with the file's address, and what is known of it
/// as JSON.
class FilePost final : public UploadRequest {
 public:
  using UploadRequest::UploadRequest;
  void start();

 private:
  void created() override;
  void received(const FileUpload::Outcome& outcome) override;
  void completed() override;
  void not_completed(const Error& error) override;
};

/// The path of a file on this server.
std::string file_path(const FilesOptions& options, const FileId& id);
/// The address of a file for the Location of an answer to POST: a reference that is relative to the URL of the request
/// (RFC 9110 section 10.2.2), for only the client knows what proxies have made of its path.
std::string file_location(const FilesOptions& options, const FileId& id);

}  // namespace flux::detail
