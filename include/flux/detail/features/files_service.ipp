#pragma once

#include <flux/detail/core/option_check.hpp>
#include <flux/detail/features/files_service.hpp>
#include <flux/detail/mode.hpp>

#include <algorithm>
#include <chrono>
#include <string>

namespace flux::features {

FLUX_DECL void FilesService::check() const {
  using core::given, core::hundred_years, core::require_option;
  const FilesOptions& files = backend_.config.files;
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
  require_option(files.ticket_expires.count() >= 1 && files.ticket_expires <= hundred_years,
                 "Config::files.ticket_expires must be 1 s to 100 years");
  require_option(files.checked_chunk_bytes_max >= 1 && files.checked_chunk_bytes_max <= 0x4000'0000,
                 "Config::files.checked_chunk_bytes_max must be 1 to 1 GiB" + given(files.checked_chunk_bytes_max));
  require_option(files.link_key.empty() || files.link_key.size() >= 16,
                 "Config::files.link_key must have at least 16 bytes" + given(files.link_key.size()));
  require_option(!files.sha256 || FLUX_WITH_TLS, "Config::files.sha256 needs a build with TLS (FLUX_WITH_TLS)");
}

FLUX_DECL void FilesService::start(core::Loop& loop) {
  if (!backend_.files) return;
  backend_.files->start();
  sweep(loop);
  if (backend_.config.files.cleanup_interval.count() > 0) clean(loop);
}

/// Repeats for as long as the loop runs.
FLUX_DECL void FilesService::sweep(core::Loop& loop) {
  using std::chrono::seconds;
  backend_.files->sweep(std::chrono::duration_cast<std::chrono::milliseconds>(loop.lost()));
  seconds interval(600);
  const FilesOptions& options = backend_.config.files;
  for (const seconds expires : {options.upload_expires, options.unstarted_upload_expires, options.unshared_expires}) {
    if (expires.count() > 0) interval = std::min(interval, std::max(expires / 4, seconds(1)));
  }
  loop.post([this, &loop, interval] { loop.call_after(interval, [this, &loop] { sweep(loop); }); });
}

/// Repeats for as long as the loop runs.
FLUX_DECL void FilesService::clean(core::Loop& loop) {
  backend_.files->cleanup();
  loop.post([this, &loop] { loop.call_after(backend_.config.files.cleanup_interval, [this, &loop] { clean(loop); }); });
}

FLUX_DECL void FilesService::stop() {
  if (backend_.files) backend_.files->stop();
}

}  // namespace flux::features
