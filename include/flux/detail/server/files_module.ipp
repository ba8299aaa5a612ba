#pragma once

#include <flux/detail/endpoints/files/file_routes.hpp>
#include <flux/detail/features/files_service.hpp>
#include <flux/detail/mode.hpp>
#include <flux/detail/server/files_module.hpp>
#include <flux/detail/server/server_state.hpp>
#include <flux/storage/file_store.hpp>

#include <memory>

namespace flux::detail {

FLUX_DECL void add_files(ServerState& server) {
  Hub& hub = server.hub();
  const auto service = std::make_shared<features::FilesService>(hub);
  hub.files = service;
  server.add_service(service);
  server.add_endpoint(std::make_shared<FileRoutes>(hub, service));
}

}  // namespace flux::detail

// The definitions of the endpoint need all of its declarations.
#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/endpoints/files/file_call.ipp>
#include <flux/detail/endpoints/files/file_download.ipp>
#include <flux/detail/endpoints/files/file_routes.ipp>
#include <flux/detail/endpoints/files/file_upload.ipp>
#include <flux/detail/endpoints/files/form_post.ipp>
#include <flux/detail/endpoints/files/tus_request.ipp>
#include <flux/detail/endpoints/files/upload_progress.ipp>
#include <flux/detail/endpoints/files/upload_request.ipp>
#include <flux/detail/endpoints/files/upload_turns.ipp>
#else
namespace flux {

void FileStore::add_to(detail::ServerState& server) const { detail::add_files(server); }

}  // namespace flux
#endif
