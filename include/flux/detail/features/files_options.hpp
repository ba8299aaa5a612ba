// Checks the options of files.
#pragma once

#include <flux/config.hpp>

namespace flux::features {

/// Also for a server without a file store. Errors: throws `Error` (bad_config).
void check_options(const FilesOptions& files);

}  // namespace flux::features

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/features/files_options.ipp>
#endif
