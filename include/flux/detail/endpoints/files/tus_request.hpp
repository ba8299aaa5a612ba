// Resumable uploads: tus 1.0, core and creation, creation-with-upload, creation-defer-length, checksum, termination,
// expiration (https://tus.io/protocols/resumable-upload). DELETE, which is not only for tus, is handled by FileRoutes.
#pragma once

#include <flux/detail/endpoints/files/tus.hpp>
#include <flux/detail/endpoints/files/upload_request.hpp>
#include <flux/detail/mode.hpp>

#include <cstdint>
#include <optional>
#include <string_view>

namespace flux::detail {

/// The fields with which OPTIONS describes the server's tus.
transport::HttpFields tus_abilities(const FilesOptions& options);

/// One request of tus. Each function named after a method begins that request.
/// The bytes received of an aborted PATCH count; an aborted POST leaves nothing, because its client does not know the
/// address.
class TusRequest final : public UploadRequest {
 public:
  using UploadRequest::UploadRequest;

  void post();
  void patch();
  void head();

 private:
  enum class Kind : std::uint8_t { post, patch, head };
  using Known = void (TusRequest::*)();

  Result<void> read_creation();
  Result<void> read_chunk();
  Result<void> read_checksum();
  void find_upload(Known then);
  void know_file(const FileInfo& file);
  void append_chunk();
  void set_length(std::uint64_t length);
  void say_offset();

  FLUX_DECL void created() override;
  FLUX_DECL void received(const FileUpload::Outcome& outcome) override;
  FLUX_DECL void completed() override;
  FLUX_DECL void not_completed(const Error& error) override;
  void answer();
  bool has_all_bytes() const noexcept { return file_.length && file_.size == *file_.length; }

  Kind kind_ = Kind::post;
  std::optional<protocol::TusChecksum> checksum_;
  std::uint64_t offset_ = 0;               // claimed by the client
  std::optional<std::uint64_t> length_{};  // declared in a PATCH
};

}  // namespace flux::detail
