// Answers a request with a file of a static folder.
#pragma once

#include <flux/detail/transport/http_exchange.hpp>
#include <flux/detail/transport/static_folder.hpp>

#include <memory>
#include <string_view>

namespace flux::transport {

/// Answers `exchange` with the file at `path` below the folder, in pieces of 64 KiB; each is read when the client has
/// taken the previous one. If the file turns out to be shorter than it was, the answer is cut, so that the client sees
/// that it is incomplete.
///
/// The file is looked up and read on the loop. For one piece, usually in the page cache, that is faster than a round
/// trip to another thread; serve a folder on a slow network drive by other means.
void answer_with_file(const std::shared_ptr<flux::detail::HttpExchangeState>& exchange, const StaticFolder& folder,
                      std::string_view path);

}  // namespace flux::transport

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/transport/file_answer.ipp>
#endif
