// A client wants to share a file that is in the store: the application's permission.
#pragma once

#include <flux/detail/features/backend.hpp>

#include <functional>
#include <memory>

namespace flux::features {

/// Asks the application's file handler whether the session may share the complete `file` in `room` (empty: the public
/// space). `done` is called once, on the session's loop, with whom the file is then held for; its `room` is left to the
/// caller. At once where the application is not asked.
/// Errors: forbidden, with the application's reason; overloaded where it does not answer within
/// `Limits::handshake_timeout`; server_error where the handler throws.
/// Threading: the session's loop.
void ask_to_share(Backend& backend, const std::shared_ptr<detail::SessionState>& session, const FileInfo& file,
                  const RoomId& room, const std::function<void(Result<FileHolder>)>& done);

}  // namespace flux::features

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/features/file_share.ipp>
#endif
