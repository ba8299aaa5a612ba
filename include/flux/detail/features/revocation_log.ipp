#pragma once

#include <flux/detail/features/revocation_log.hpp>
#include <flux/detail/mode.hpp>

#include <string>
#include <utility>

namespace flux::features {

namespace revocation_detail {

/// Calls that may be pending at a time. Further keys stay unsaved until `RevocationLog::tidy`.
inline constexpr std::size_t queue_max = 10'000;

}  // namespace revocation_detail

FLUX_DECL RevocationLog::RevocationLog(const RevocationsOptions& options, gate::Revocations& revocations,
                                       std::shared_ptr<StoreFaults> faults)
    : store_(options.store),
      revocations_(revocations),
      faults_(std::move(faults)),
      blocks_(store_ && store_->may_block()),
      unsaved_max_(2 * options.count_max + 1'000) {}

FLUX_DECL RevocationLog::~RevocationLog() { stop(); }

FLUX_DECL Result<std::string> RevocationLog::restore() {
  if (!store_ || is_restored_) return std::string();
  std::string warning;
  auto rows = faults_->guarded([&] {
    auto loaded = store_->load();
    if (loaded) warning = store_->load_warning();
    return loaded;
  });
  if (!rows) return rows.error();
  const std::lock_guard lock(mutex_);
  for (Revocation& row : *rows) {
    const Key key{row.kind, row.name};
    if (unsaved_.contains(key)) continue;
    std::vector<Key> ended;
    if (const auto added = revocations_.add(std::move(row), ended); !added) {
      faults_->note("a revocation of Config::revocations.store is left out: " + added.error().message());
    } else if (!revocations_.find(key.kind, key.name)) {
      unsaved_.insert(key);  // it has ended
    }
    unsaved_.insert(ended.begin(), ended.end());
  }
  is_restored_ = true;
  return warning;
}

FLUX_DECL void RevocationLog::start() {
  if (store_) {
    using revocation_detail::queue_max;
    const std::lock_guard lock(mutex_);
    if (blocks_) queue_ = std::make_shared<storage::StoreQueue>(1, queue_max, queue_max);
    running_ = true;
  }
  tidy();
}

FLUX_DECL void RevocationLog::stop() {
  std::shared_ptr<storage::StoreQueue> queue;
  {
    const std::lock_guard lock(mutex_);
    running_ = false;
    queue = std::move(queue_);
  }
  if (queue) queue->stop();
}

FLUX_DECL void RevocationLog::keep(const Key& key, const Done& done) {
  if (!store_) return done({});
  std::shared_ptr<storage::StoreQueue> queue;
  bool noted = false;
  bool running = false;
  {
    const std::lock_guard lock(mutex_);
    noted = unsaved_.contains(key) || (unsaved_.size() < unsaved_max_ && unsaved_.insert(key).second);
    running = running_;
    queue = queue_;
  }
  if (!noted) return done(Error(Errc::overloaded, "too many revocations are pending for their store; try again"));
  if (!running) {
    return done(Error(Errc::stopped, "the server is not running; the revocation is stored when it starts"));
  }
  if (!queue) return done(make_call(key));
  pending_.fetch_add(1);
  const bool taken = queue->run(key.name, [this, key, done](const storage::StoreQueue::Turn&) {
    const auto result = make_call(key);
    pending_.fetch_sub(1);
    done(result);
  });
  if (taken) return;
  pending_.fetch_sub(1);
  done(Error(Errc::overloaded, "the store of revocations is busy; the revocation is stored later"));
}

FLUX_DECL Result<void> RevocationLog::make_call(const Key& key) {
  const std::lock_guard call_lock(call_mutex_);
  {
    const std::lock_guard lock(mutex_);
    if (unsaved_.erase(key) == 0) return {};  // an earlier call has stored it
  }
  // A change from here on makes the key unsaved again, and is followed by a call of its own.
  auto result = save(key);
  if (!result) {
    const std::lock_guard lock(mutex_);
    unsaved_.insert(key);
  }
  return result;
}

/// What is in force at the time of the call.
FLUX_DECL Result<void> RevocationLog::save(const Key& key) {
  const auto revocation = revocations_.find(key.kind, key.name);
  return faults_->guarded([&] { return revocation ? store_->save(*revocation) : store_->remove(key.kind, key.name); });
}

FLUX_DECL void RevocationLog::tidy() {
  const auto ended = revocations_.remove_ended();
  if (!store_) return;
  std::vector<Key> keys;
  {
    const std::lock_guard lock(mutex_);
    unsaved_.insert(ended.begin(), ended.end());
    if (!running_ || pending_.load() != 0) return;
    keys.assign(unsaved_.begin(), unsaved_.end());
  }
  bool failed = false;
  for (const Key& key : keys) {
    if (failed) break;  // the next time
    keep(key, [&failed, blocks = blocks_](const Result<void>& result) {
      if (!blocks && !result) failed = true;
    });
  }
}

}  // namespace flux::features
