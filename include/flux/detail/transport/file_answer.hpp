// Answers a request with a file of a static folder.
#pragma once

#include <flux/detail/transport/http_exchange.hpp>
#include <flux/detail/transport/static_folder.hpp>

#include <memory>
#include <string_view>

namespace flux::transport {

/// Answers `exchange` with the file at `path` below the folder: in pieces of 64 KiB, the next one read when the client
/// has taken the last. A file that turns out shorter than it was cuts the answer, so the client sees that it is
/// incomplete.
///
/// The file is looked up and read on the loop. For one piece, mostly out of the page cache, that takes less than
/// handing it to another thread and back would; a folder on a slow network drive should be served by other means.
void answer_with_file(const std::shared_ptr<flux::detail::HttpExchangeState>& exchange, const StaticFolder& folder,
                      std::string_view path);

}  // namespace flux::transport

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/transport/file_answer.ipp>
#endif
