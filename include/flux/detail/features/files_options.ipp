#pragma once

#include <flux/detail/core/digest.hpp>
#include <flux/detail/core/option_check.hpp>
#include <flux/detail/core/utf8.hpp>
#include <flux/detail/features/files_options.hpp>
#include <flux/detail/mode.hpp>

#include <chrono>
#include <string>

namespace flux::features {

FLUX_DECL void check_options(const FilesOptions& files) {
  using core::given, core::hundred_years, core::require_option;
  require_option(files.path.size() > 1 && files.path.front() == '/' && files.path.back() != '/',
                 "Config::files.path must begin with \"/\" and not end with one, not \"" + files.path + "\"");
  require_option(files.worker_threads >= 1 && files.worker_threads <= 256,
                 "Config::files.worker_threads must be 1 to 256" + given(files.worker_threads));
  require_option(files.upload_expires.count() >= 0 && files.upload_expires <= hundred_years,
                 "Config::files.upload_expires must be 0 to 100 years");
  require_option(files.unstarted_upload_expires.count() >= 0 && files.unstarted_upload_expires <= hundred_years,
                 "Config::files.unstarted_upload_expires must be 0 to 100 years");
  require_option(files.unshared_expires.count() >= 0 && files.unshared_expires <= hundred_years,
                 "Config::files.unshared_expires must be 0 to 100 years");
  require_option(files.cleanup_interval.count() >= 0 && files.cleanup_interval <= hundred_years,
                 "Config::files.cleanup_interval must be 0 to 100 years");
  for (const std::string& type : files.inline_types) {
    const std::size_t slash = type.find('/');
    require_option(slash != std::string::npos && slash != 0 && slash + 1 != type.size() && type.front() != '*' &&
                       type.find_first_of("/ ;,", slash + 1) == std::string::npos,
                   "Config::files.inline_types must hold types like \"image/png\" or \"image/*\", not \"" +
                       core::shown(type) + "\"");
  }
  require_option(files.ticket_expires.count() >= 1 && files.ticket_expires <= hundred_years,
                 "Config::files.ticket_expires must be 1 s to 100 years");
  require_option(files.checked_chunk_bytes_max >= 1 && files.checked_chunk_bytes_max <= 0x4000'0000,
                 "Config::files.checked_chunk_bytes_max must be 1 to 1 GiB" + given(files.checked_chunk_bytes_max));
  require_option(files.link_key.empty() || files.link_key.size() >= 16,
                 "Config::files.link_key must have at least 16 bytes" + given(files.link_key.size()));
  for (const std::string* operation :
       {&files.demands.upload, &files.demands.download, &files.demands.remove, &files.demands.share}) {
    require_option(operation->find(':') == std::string::npos,
                   "Config::files.demands must be operations without scope, such as \"upload\", not \"" +
                       core::shown(*operation) + "\"");
  }
  require_option(!files.sha256 || core::has_digests(), "Config::files.sha256 needs a build with TLS (FLUX_WITH_TLS)");
}

}  // namespace flux::features
