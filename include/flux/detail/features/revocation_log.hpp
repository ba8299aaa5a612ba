// Keeps the gate's revocations in the application's store.
#pragma once

#include <flux/config.hpp>
#include <flux/detail/features/store_faults.hpp>
#include <flux/detail/gate/revocations.hpp>
#include <flux/detail/storage/store_queue.hpp>
#include <flux/storage/revocation_store.hpp>

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <vector>

namespace flux::features {

/// Revocations are in force at once; the store follows, one call at a time. A key is *unsaved* if its row may differ from
/// what is in force: before the start, until its call, after a failure.
/// Threading: any thread.
class RevocationLog {
 public:
  using Key = gate::Revocations::Key;
  using Done = std::function<void(Result<void>)>;

  /// `revocations` must outlive it. Without `options.store` nothing is stored, and `faults` may be null.
  RevocationLog(const RevocationsOptions& options, gate::Revocations& revocations, std::shared_ptr<StoreFaults> faults);
  ~RevocationLog();
  RevocationLog(const RevocationLog&) = delete;
  RevocationLog& operator=(const RevocationLog&) = delete;

  bool has_store() const noexcept { return store_ != nullptr; }
  /// Puts in force what the store holds; only the first call does. What the application has changed meanwhile is newer
  /// and stays. Rows that are not valid are left out and logged. Returns `RevocationStore::load_warning`, for the log.
  /// Errors: the store's.
  Result<std::string> restore();
  /// From now on calls are made, first those for all unsaved keys.
  void start();
  /// Returns when every call has finished. Later ones are made after the next start.
  void stop();

  /// Has the store follow a change of this key. `done` is called on a worker, or at once if the store does not block.
  /// Errors: the store's; overloaded; stopped if the log does not run. The key is then unsaved, and tried again.
  void keep(const Key& key, const Done& done);
  /// Removes the revocations that have ended, from the store too, and tries unsaved keys again.
  void tidy();

 private:
  Result<void> make_call(const Key& key);
  Result<void> save(const Key& key);

  const std::shared_ptr<RevocationStore> store_;
  gate::Revocations& revocations_;
  const std::shared_ptr<StoreFaults> faults_;
  const bool blocks_;
  const std::size_t unsaved_max_;
  std::mutex call_mutex_;                // held during each call of the store
  std::atomic<std::size_t> pending_{0};  // calls
  std::mutex mutex_;                     // guards everything below
  std::set<Key> unsaved_;
  bool running_ = false;
  bool is_restored_ = false;
  std::shared_ptr<storage::StoreQueue> queue_;  // while it runs, for a store that blocks
};

}  // namespace flux::features

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/features/revocation_log.ipp>
#endif
