// POST of a form with files: curl -F file=@NAME, or an HTML form.
#pragma once

#include <flux/detail/endpoints/files/upload_request.hpp>
#include <flux/detail/mode.hpp>
#include <flux/detail/transport/multipart.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace flux::detail {

class FormFile;

/// All files of the form are stored, or none: each becomes complete when the whole form has been received. The fields
/// `room`, `ticket` and `upload_id` mean what they do in the query, and come before the files, which they describe; other
/// fields are ignored. 201 with `{files: [...]}`, and the address of the file if there is one.
///
/// While a file is being created or the store is busy, the client is held back: at most one read of the connection is kept.
/// Ownership: by the callbacks of the body, then by the file that is being received or completed. It owns the others.
/// Threading: the loop of the connection.
class FormPost final : public UploadBody, public std::enable_shared_from_this<FormPost> {
 public:
  static constexpr std::size_t field_bytes_max = 8 * 1024;

  /// Whether the body of the request is a form that may hold files.
  static bool is_form(const transport::HttpHead& head);

  FormPost(std::shared_ptr<FileCall> call, std::shared_ptr<UploadState> uploads);
  /// Removes the files of a form that was not stored.
  FLUX_DECL ~FormPost() override;
  void start();

  // For the file that is being received, whose bytes these are
  std::optional<std::uint64_t> length() const override { return std::nullopt; }
  FLUX_DECL void read(HttpExchangeState::BodyPiece piece, HttpExchangeState::BodyDone done) override;
  void pause() override { hold(); }
  void resume() override { release(); }

  /// Why the form was refused in the middle of a file; none if the client has disconnected.
  const std::optional<Error>& error() const noexcept { return error_; }
  /// `error`, which refuses a file; that the form is too large, if no other upload is to blame for it.
  Error limit_error(Error error) const;
  /// All bytes of the file are stored.
  void received(std::shared_ptr<FormFile> file);
  /// The file could not be received, and ends the form.
  void file_failed();
  /// The file is complete.
  void stored(std::shared_ptr<FormFile> file);

 private:
  using Event = transport::MultipartParser::Event;

  void on_piece(std::string_view piece);
  void on_body_over(bool complete);
  void hold();
  void release();
  void proceed();
  void parse(std::string_view in);
  void begin_part();
  void begin_file(const transport::MultipartPart& part);
  void take_data(std::string_view data);
  void end_part();
  void end_file(bool whole);
  void fail(Error error);
  void complete_next();
  void finish();

  const std::shared_ptr<FileCall> call_;
  const std::shared_ptr<UploadState> uploads_;
  std::optional<transport::MultipartParser> parser_;
  UploadRequest::Announced announced_;
  std::string* field_ = nullptr;             // gets the value of the present part; null: it is a file, or ignored
  std::string ignored_;                      // the value of a field that is ignored
  std::string waiting_;                      // received, and not parsed yet
  HttpExchangeState::BodyPiece file_piece_;  // of the file that is being received; empty: there is none
  HttpExchangeState::BodyDone file_done_;
  std::vector<std::shared_ptr<FormFile>> files_;  // received; null while it is being completed
  std::size_t complete_ = 0;                      // the first of them
  std::uint64_t file_bytes_ = 0;                  // received of all files
  std::optional<Error> error_;
  bool held_ = false;     // nothing is parsed until `release`
  bool parsing_ = false;  // `parse` is running
  bool body_over_ = false;
  bool over_ = false;  // nothing is parsed any more
};

/// One file of a form.
class FormFile final : public UploadRequest {
 public:
  FormFile(std::shared_ptr<FileCall> call, std::shared_ptr<UploadState> uploads, std::shared_ptr<FormPost> form)
      : UploadRequest(std::move(call), std::move(uploads)), form_(std::move(form)) {}

  const FileInfo& info() const noexcept { return file_; }
  /// Creates the file, and receives it from the form.
  void start(const transport::MultipartPart& part, const Announced& announced);
  /// The whole form was received.
  void complete(std::shared_ptr<FormPost> form);
  /// All files are complete.
  void keep() { settle(); }
  /// The form was not stored.
  void discard() { remove_file(); }

 private:
  std::shared_ptr<UploadBody> body() override { return form_; }
  void created() override { receive_body({}); }
  Error limit_error(Error error) const override { return form_->limit_error(std::move(error)); }
  FLUX_DECL void received(const FileUpload::Outcome& outcome) override;
  FLUX_DECL void stored() override;
  void completed() override {}
  void not_completed(const Error& error) override { remove_file(error); }
  std::shared_ptr<FormFile> self() { return std::static_pointer_cast<FormFile>(shared_from_this()); }

  std::shared_ptr<FormPost> form_;  // null while the form owns this file
};

}  // namespace flux::detail
