// Files over HTTP: the dispatch of requests, and their permission.
#pragma once

#include <flux/detail/endpoints/endpoint.hpp>
#include <flux/detail/endpoints/files/file_call.hpp>
#include <flux/detail/endpoints/files/file_download.hpp>
#include <flux/detail/endpoints/files/file_upload.hpp>
#include <flux/detail/mode.hpp>
#include <flux/detail/transport/router.hpp>
#include <flux/http.hpp>

#include <memory>

namespace flux::detail {

/// POST at `FilesOptions::path`; GET, HEAD, PATCH and DELETE at that and "/{id}"; OPTIONS at both. HEAD and POST with a
/// Tus-Resumable field, and PATCH, are tus.
///
/// Errors have a sentence, and the status
///   400  a malformed field, name, room or form; a part of a file in another protocol than ours
///   401  refused by the application: log in
///   403  refused by the application: may not; or a bad link or ticket, or a page of a foreign origin
///   404  no such file, or it is not complete yet
///   409  another offset; or a newer request has taken over
///   410  an upload that has expired
///   412  another version of tus
///   413  larger than a file, an upload, a chunk or metadata may be
///   415  a form of another type than multipart/form-data, an encoded body, or not a chunk where one is expected
///   460  the bytes do not match the checksum
///   500  the store failed; the log has the reason
///   503  too many calls wait for the store, the application does not answer in time, or the server stops
///   507  the quota of the store or of the user is used up, or the disk is full; which of them is in the log
///
/// Threading: any loop, for its own connections.
class FileRoutes final : public endpoints::Endpoint {
 public:
  FileRoutes(Hub& hub, std::shared_ptr<features::FilesService> service);

  FLUX_DECL void add_routes(transport::Router& router) override;

 private:
  void serve(const HttpExchange& exchange);
  void serve_folder(const std::shared_ptr<FileCall>& call);
  void serve_file(const std::shared_ptr<FileCall>& call);
  void answer_options(FileCall& call) const;
  bool may_begin(FileCall& call) const;
  void download(const std::shared_ptr<FileCall>& call);
  void remove(const std::shared_ptr<FileCall>& call);

  Hub& hub_;
  const std::shared_ptr<features::FilesService> service_;
  const std::shared_ptr<UploadState> uploads_ = std::make_shared<UploadState>();
  const std::shared_ptr<DownloadMemory> downloads_;
};

}  // namespace flux::detail
