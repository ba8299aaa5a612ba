// Files over HTTP: which request is what, and who may.
#pragma once

#include <flux/detail/endpoints/endpoint.hpp>
#include <flux/detail/endpoints/files/file_call.hpp>
#include <flux/detail/endpoints/files/file_download.hpp>
#include <flux/detail/endpoints/files/file_upload.hpp>
#include <flux/detail/transport/router.hpp>
#include <flux/http.hpp>

#include <memory>

namespace flux::detail {

/// POST at `FilesOptions::path`; GET, HEAD, PATCH and DELETE at that and "/{id}"; OPTIONS at both. HEAD and POST with a
/// Tus-Resumable field, and PATCH, are tus.
///
/// What goes wrong is said in a sentence, with the status
///   400  a field, a name or a room that is not well formed; a part of a file by another protocol than ours
///   403  refused by the application, a bad link or ticket, or a page of a foreign origin
///   404  no such file, or it is not complete yet
///   409  another offset; or a newer request has taken over
///   410  an upload that has expired
///   412  another version of tus
///   413  longer than a file, an upload, a chunk or metadata may be
///   415  a form, an encoded body, no chunk where one is due
///   460  the bytes are not those of the checksum
///   500  the store failed; why is in the log
///   503  too many calls wait for the store, the application does not say in time who may, or the server stops
///   507  the quota of the store or of the user is used up, or the disk is full; which of them is in the log
///
/// Threading: any loop, for the connections of its own.
class FileRoutes final : public endpoints::Endpoint {
 public:
  /// `hub.files` is there.
  explicit FileRoutes(Hub& hub);

  void add_routes(transport::Router& router) override;

 private:
  void serve(const HttpExchange& exchange);
  void serve_folder(const std::shared_ptr<FileCall>& call);
  void serve_file(const std::shared_ptr<FileCall>& call);
  void answer_options(FileCall& call) const;
  bool may_begin(FileCall& call) const;
  void download(const std::shared_ptr<FileCall>& call);
  void remove(const std::shared_ptr<FileCall>& call);

  Hub& hub_;
  const std::shared_ptr<UploadState> uploads_ = std::make_shared<UploadState>();
  const std::shared_ptr<DownloadMemory> downloads_;
};

}  // namespace flux::detail
