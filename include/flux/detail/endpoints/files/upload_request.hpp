// The common steps of requests that upload files: announce, permit, create, fill and complete a file.
#pragma once

#include <flux/detail/endpoints/files/file_call.hpp>
#include <flux/detail/endpoints/files/file_upload.hpp>
#include <flux/detail/mode.hpp>

#include <memory>
#include <optional>

namespace flux::detail {

/// The steps of an upload; each ends in a call of a virtual function that the protocol implements, or with an error for
/// the client.
/// Ownership: by whatever it is waiting for. Threading: the loop of the connection.
class UploadRequest : public std::enable_shared_from_this<UploadRequest> {
 public:
  UploadRequest(std::shared_ptr<FileCall> call, std::shared_ptr<UploadState> uploads)
      : call_(std::move(call)), uploads_(std::move(uploads)) {}
  UploadRequest(const UploadRequest&) = delete;
  UploadRequest& operator=(const UploadRequest&) = delete;
  virtual ~UploadRequest() = default;

  /// Where the progress of an upload is reported, as its client requested.
  struct Announced {
    RoomId room{};         // empty: none, or the ticket's
    std::string ticket{};  // empty: none
    std::string upload_id{};
  };

  /// `announced`, with what the query of the request has instead.
  static Announced in_query(const transport::HttpHead& head, Announced announced);

 protected:
  FileCall& call() const noexcept { return *call_; }
  /// Whose bytes `receive_body` stores.
  virtual std::shared_ptr<UploadBody> body() { return call_; }
  UploadState& uploads() const noexcept { return *uploads_; }

  /// Checks `file_` and `announced_`, the client's description of a new file, asks the application, and creates the
  /// file in the store. Then calls `created`; if the client has disconnected meanwhile, the file is removed.
  void create_file();
  virtual void created() = 0;
  /// What the client is told if a limit of the server refuses its file.
  virtual Error limit_error(Error error) const { return error; }

  /// From now on this request writes to the file; a request that did so before is ended, and its client gets 409.
  void take_turn();
  bool turn_over() const noexcept { return turn_->over(); }
  /// A newer request has the turn. Ends this one, unless it is already completing.
  void taken_over();

  /// Appends the body to the file. Then calls `received`, with `file_.size` up to date.
  void receive_body(std::optional<protocol::TusChecksum> checksum);
  virtual void received(const FileUpload::Outcome& outcome) = 0;

  /// Keeps the file that `create_file` created, however the server ends. Returns false if it is not kept: the client
  /// has disconnected, so the file would be unknown; or the server is stopping, and the client is told.
  bool keep_file();

  /// All bytes are stored. Makes the file complete and durable. Then calls `stored`, with the complete `file_`, or
  /// `not_completed`.
  void complete_file();
  virtual void stored() { settle(); }
  /// Keeps the complete file, tells the application and the room of it, and calls `completed`. A file that is not kept is
  /// removed instead.
  void settle();
  virtual void completed() = 0;
  virtual void not_completed(const Error& error) { call_->fail(error); }

  /// Removes a file that no client can request. Afterwards the client gets `why`.
  void remove_file(std::optional<Error> why = {});

  FileInfo file_{};
  Announced announced_{};
  features::FileOrigin origin_{};

 private:
  struct Completed {
    FileInfo file;
    bool told;  // the application need not be told of the file
  };
  static Result<Completed> complete_once(FileStore& store, const FileId& id, bool told);
  void tell_stored() const;
  Result<void> check_announced() const;
  Result<void> read_ticket();
  Result<void> find_session(const Identity& owner);
  Result<void> may_share() const;
  void make_file(const Identity& owner);

  const std::shared_ptr<FileCall> call_;
  const std::shared_ptr<UploadState> uploads_;
  std::shared_ptr<UploadTurn> turn_;
  std::weak_ptr<FileUpload> upload_;
  std::shared_ptr<SessionState> session_;  // the one whose ticket a new file has
  bool completing_ = false;
  bool told_ = true;     // the application need not be told of the complete file
  bool is_new_ = false;  // created here, and not kept yet
};

/// POST with a file as its body: all of it is stored, or nothing. 201 with the file's address, and its metadata as
/// JSON.
class FilePost final : public UploadRequest {
 public:
  using UploadRequest::UploadRequest;
  void start();

 private:
  FLUX_DECL void created() override;
  FLUX_DECL void received(const FileUpload::Outcome& outcome) override;
  FLUX_DECL void completed() override;
  FLUX_DECL void not_completed(const Error& error) override;
};

/// `{fileId, fileName, mimeType, size, sha256?}`.
std::string complete_file_json(const FileInfo& file);

/// The address of a file for the Location of an answer to POST: a reference relative to the URL of the request (RFC
/// 9110 section 10.2.2), because proxies may have rewritten the path.
std::string file_location(const FilesOptions& options, const FileId& id);

}  // namespace flux::detail
