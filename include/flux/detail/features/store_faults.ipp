#pragma once

#include <flux/detail/core/utf8.hpp>
#include <flux/detail/features/store_faults.hpp>
#include <flux/detail/mode.hpp>

#include <utility>

namespace flux::features {

FLUX_DECL Error StoreFaults::failed(const Error& error) {
  switch (error.code()) {
    case Errc::file_not_found: return {error.code(), "there is no such file", error.cause()};
    case Errc::wrong_offset: return {error.code(), "the file has a different number of bytes", error.cause()};
    case Errc::file_too_large: return {error.code(), "the file is too large", error.cause()};
    case Errc::owner_quota_exceeded: return {error.code(), "the owner of the file has no space left", error.cause()};
    case Errc::invalid_argument: return {error.code(), store_ + " can't store this", error.cause()};
    default: break;
  }
  count_and_log(store_ + " failed: " + error.cause());
  if (error.code() == Errc::quota_exceeded) return {error.code(), store_ + " is full", error.cause()};
  if (error.code() == Errc::overloaded) return {error.code(), store_ + " is overloaded; try again", error.cause()};
  return {Errc::store_failed, store_ + " failed", error.cause()};
}

FLUX_DECL void add_store_errors(core::MetricSet& metrics, std::string_view store, std::function<std::uint64_t()> read) {
  metrics.add(core::MetricKind::counter, "store_errors", "calls of a store that failed, and bad rows that it gave",
              std::move(read), {{"store", std::string(store)}});
}

FLUX_DECL void StoreFaults::add_metrics(core::MetricSet& metrics, std::string_view store) const {
  add_store_errors(metrics, store, [this] { return count(); });
}

FLUX_DECL Error StoreFaults::threw(std::string_view what) {
  count_and_log(store_ + " threw: " + std::string(what));
  return {Errc::store_failed, store_ + " failed", std::string(what)};
}

FLUX_DECL Error StoreFaults::misbehaved(const std::string& what) {
  count_and_log(store_ + " " + what);
  return {Errc::store_failed, store_ + " failed", what};
}

FLUX_DECL void StoreFaults::count_and_log(std::string_view line) {
  count_.fetch_add(1, std::memory_order_relaxed);
  note(line);
}

FLUX_DECL void StoreFaults::note(std::string_view line) {
  const auto left_out = limit_.admit();
  if (!left_out) return;
  if (*left_out > 0) log_(std::to_string(*left_out) + " lines about " + store_ + " were left out");
  log_(line);
}

FLUX_DECL bool mend_text(std::string& text) {
  if (core::valid_utf8(text)) return false;
  text = core::repaired(std::move(text));
  return true;
}

}  // namespace flux::features
