// An in-memory store of revocations for tests. It outlives the servers that use it, and can be made to fail or to wait.
#pragma once

#include "support/awaited.hpp"

#include <flux/storage/revocation_store.hpp>

#include <condition_variable>
#include <map>
#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace flux_test {

class MemoryRevocationStore final : public flux::RevocationStore {
 public:
  explicit MemoryRevocationStore(bool blocks = true) : blocks_(blocks) {}

  // --- Instructions ---

  enum class Failure { none, error, exception };
  /// What the calls from now on do.
  void fail(Failure how) {
    const std::lock_guard lock(mutex_);
    failure_ = how;
  }
  /// Holds calls from now on, until `let_through`.
  void hold() {
    const std::lock_guard lock(mutex_);
    holds_ = true;
  }
  void let_through() {
    const std::lock_guard lock(mutex_);
    holds_ = false;
    changed_.notify_all();
  }

  // --- Observations ---

  /// "user ann, credential k1".
  std::string content() const {
    const std::lock_guard lock(mutex_);
    std::string text;
    for (const auto& [key, row] : rows_) {
      text.append(text.empty() ? "" : ", ").append(to_string(row.kind)).append(" ").append(row.name);
    }
    return text;
  }
  std::size_t calls() const {
    const std::lock_guard lock(mutex_);
    return calls_;
  }

  // --- RevocationStore ---

  bool may_block() const override { return blocks_; }
  flux::Result<std::vector<flux::Revocation>> load() override {
    std::vector<flux::Revocation> all;
    auto result = call([&] {
      for (const auto& [key, row] : rows_) all.push_back(row);
    });
    if (!result) return result.error();
    return all;
  }
  flux::Result<void> save(const flux::Revocation& row) override {
    return call([&] { rows_.insert_or_assign({row.kind, row.name}, row); });
  }
  flux::Result<void> remove(flux::RevocationKind kind, const std::string& name) override {
    return call([&] { rows_.erase({kind, name}); });
  }

 private:
  template <class Change>
  flux::Result<void> call(const Change& change) {
    std::unique_lock lock(mutex_);
    ++calls_;
    if (!changed_.wait_for(lock, patience, [this] { return !holds_; }))
      return flux::Error(flux::Errc::store_failed, "held too long");
    if (failure_ == Failure::exception) throw std::runtime_error("thrown on purpose");
    if (failure_ == Failure::error) return flux::Error(flux::Errc::store_failed, "failed on purpose");
    change();
    return {};
  }

  const bool blocks_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::pair<flux::RevocationKind, std::string>, flux::Revocation> rows_;
  Failure failure_ = Failure::none;
  std::size_t calls_ = 0;
  bool holds_ = false;
};

}  // namespace flux_test
