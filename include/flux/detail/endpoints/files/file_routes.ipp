#pragma once

#include <flux/detail/endpoints/files/file_download.hpp>
#include <flux/detail/endpoints/files/file_routes.hpp>
#include <flux/detail/endpoints/files/form_post.hpp>
#include <flux/detail/endpoints/files/tus_request.hpp>
#include <flux/detail/endpoints/files/upload_request.hpp>
#include <flux/detail/gate/cross_origin.hpp>
#include <flux/detail/mode.hpp>
#include <flux/detail/storage/file_id.hpp>

#include <limits>
#include <string>

namespace flux::detail {

FLUX_DECL FileRoutes::FileRoutes(Hub& hub, std::shared_ptr<features::FilesService> service)
    : hub_(hub),
      service_(std::move(service)),
      downloads_(std::make_shared<DownloadMemory>(hub.config.files.download_bytes_max)) {}

FLUX_DECL void FileRoutes::add_routes(transport::Router& router) {
  // The size limit of a body depends on the upload, and refusals have additional fields.
  const RouteOptions any_body{std::numeric_limits<std::uint64_t>::max()};
  const std::string& path = hub_.config.files.path;
  for (const std::string& pattern : {path, path + "/{id}"}) {
    for (const char* method : {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}) {
      router.add(
          method, pattern, [this](const HttpExchange& exchange) { serve(exchange); }, any_body);
    }
  }
}

FLUX_DECL void FileRoutes::serve(const HttpExchange& exchange) {
  const auto call = std::make_shared<FileCall>(hub_, *service_, exchange.state());
  call->begin();
  if (call->method() == "OPTIONS") return answer_options(*call);
  if (!may_begin(*call)) return;
  if (call->id().empty()) return serve_folder(call);
  serve_file(call);
}

/// Checks made before anything else. Returns false if the client has been answered.
FLUX_DECL bool FileRoutes::may_begin(FileCall& call) const {
  const transport::HttpHead& head = call.head();
  if (call.speaks_tus() && head.all_headers("Tus-Resumable") != protocol::tus_version) {
    call.answer(412, "only tus 1.0.0 is supported", {{"Tus-Version", std::string(protocol::tus_version)}});
    return false;
  }
  const bool reads = call.method() == "GET" || call.method() == "HEAD";
  if (!reads && !gate::may_change_things(call.options().cors_origins, head, call.hub().speaks_tls())) {
    call.answer(403, "pages of this origin may not upload files");
    return false;
  }
  if (head.header("Content-Encoding").value_or("identity") != "identity") {
    call.answer(415, "the body of the request must not have a Content-Encoding");
    return false;
  }
  return true;
}

FLUX_DECL void FileRoutes::serve_folder(const std::shared_ptr<FileCall>& call) {
  if (call->method() != "POST") {
    return call->answer(405, "only POST and OPTIONS are supported here; POST uploads a file",
                        {{"Allow", "POST, OPTIONS"}});
  }
  if (call->speaks_tus()) return std::make_shared<TusRequest>(call, uploads_)->post();
  if (FormPost::is_form(call->head())) return std::make_shared<FormPost>(call, uploads_)->start();
  std::make_shared<FilePost>(call, uploads_)->start();
}

FLUX_DECL void FileRoutes::serve_file(const std::shared_ptr<FileCall>& call) {
  const std::string_view method = call->method();
  if (!storage::is_file_id(call->id())) return call->answer(404, "no such file");
  if (method == "HEAD" && call->speaks_tus()) return std::make_shared<TusRequest>(call, uploads_)->head();
  if (method == "GET" || method == "HEAD") return download(call);
  if (method == "DELETE") return remove(call);
  if (method == "PATCH" && call->speaks_tus()) return std::make_shared<TusRequest>(call, uploads_)->patch();
  if (method == "PATCH") {
    return call->answer(412, "PATCH needs Tus-Resumable", {{"Tus-Version", std::string(protocol::tus_version)}});
  }
  call->answer(405, "method not supported", {{"Allow", "GET, HEAD, PATCH, DELETE, OPTIONS"}});
}

/// Also the preflight of CORS.
FLUX_DECL void FileRoutes::answer_options(FileCall& call) const {
  const std::string_view methods = call.id().empty() ? "POST, OPTIONS" : "GET, HEAD, PATCH, DELETE, OPTIONS";
  transport::HttpFields fields = tus_abilities(call.options());
  fields.emplace_back("Allow", methods);
  if (!call.options().cors_origins.empty() && call.head().header("Access-Control-Request-Method")) {
    fields.emplace_back("Access-Control-Allow-Methods", "GET, HEAD, POST, PATCH, DELETE, OPTIONS");
    // Allows all requested fields: tracing and frameworks add their own, and none is harmful here.
    if (const auto asked = call.head().header("Access-Control-Request-Headers")) {
      fields.emplace_back("Access-Control-Allow-Headers", std::string(*asked));
    }
    fields.emplace_back("Access-Control-Max-Age", "86400");
  }
  call.answer(204, {}, std::move(fields));
}

// --- One file ---

FLUX_DECL void FileRoutes::download(const std::shared_ptr<FileCall>& call) {
  const FileId id(call->id());
  const std::string_view query = call->head().query();
  const bool by_link = gate::FileLinks::is_link(query);
  if (by_link && !service_->links().admits(id, query, service_->files()->unix_ms())) {
    return call->answer(403, "this link is invalid or has expired");
  }
  std::string name = transport::query_parameter(query, "filename").value_or("");
  if (name.size() > file_name_bytes_max) {
    return call->answer(400, "a file name has at most " + std::to_string(file_name_bytes_max) + " bytes");
  }
  auto answer = [call, memory = downloads_, name = std::move(name)](const FileInfo& file) {
    if (file.state != FileState::complete) return call->answer(404, "the file is not complete yet");
    answer_download(call, memory, file, name);
  };
  call->find_file(FileAction::download, by_link ? FileCall::Entitled::by_link : FileCall::Entitled::by_client,
                  [call, by_link, answer = std::move(answer)](const FileInfo& file) {
                    if (by_link) return answer(file);
                    call->ask(FileAction::download, file, {}, nullptr,
                              [answer, file](const Identity&) { answer(file); });
                  });
}

FLUX_DECL void FileRoutes::remove(const std::shared_ptr<FileCall>& call) {
  const bool asked = static_cast<bool>(hub_.gate.file);
  const auto found = [call, asked, uploads = uploads_](const FileInfo& file) {
    call->ask(FileAction::remove, file, {}, nullptr, [call, asked, uploads, file](const Identity& identity) {
      if (!asked && !call->may_own(file, identity)) return;  // a handler that accepts has seen the owner
      uploads->turns->take(file.id, {});
      call->with_store(
          file.id,
          [id = file.id, asked](FileStore& store) -> Result<void> {
            const auto known = store.info(id);
            if (!known) return known.error();
            if (known->state != FileState::complete) return store.remove(id);
            if (!asked) return Error(Errc::forbidden, "clients may not remove complete files");
            return store.mark_deleted(id);
          },
          [call](const Result<void>& removed) {
            if (!removed) return call->fail(removed.error());
            call->answer(204, {});
          });
    });
  };
  call->find_file(FileAction::remove, FileCall::Entitled::by_client, found);
}

}  // namespace flux::detail
