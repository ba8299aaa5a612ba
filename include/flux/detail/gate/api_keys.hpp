// The API keys of a server: an index in memory, behind which is the application's store.
#pragma once

#include <flux/clock.hpp>
#include <flux/detail/core/digest.hpp>
#include <flux/detail/core/log_limit.hpp>
#include <flux/detail/core/loop.hpp>
#include <flux/detail/core/secret.hpp>
#include <flux/detail/core/side_thread.hpp>
#include <flux/grant.hpp>
#include <flux/storage/key_store.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace flux::gate {

/// Keys are found by the SHA-256 of their text, whether flux generated them or not, and hashes are compared in constant
/// time. Checks only read memory, so keys stay valid while the store is unreachable.
///
/// What other processes change in the store is noticed when it is read again: in intervals (`watch`), and by
/// `check_later` for an unknown key. Until then a key that another process has revoked is accepted. An unknown key is
/// refused only if it is not in the store; as long as that can't be read, its client is told to try again.
///
/// Threading: any thread. Calls with a `done`, and `check`, never block; `done` is called inside the call, or on a
/// thread of this object. The others wait for the store.
class ApiKeys : public std::enable_shared_from_this<ApiKeys> {
 public:
  using Record = std::shared_ptr<const ApiKeyRecord>;
  template <class T>
  using Done = std::function<void(T)>;
  /// Gets the ids of keys that were revoked, deleted from the store, or given another user, permissions or expiry, here
  /// or elsewhere: clients that are connected with them must be disconnected. Called without a lock, on any thread.
  using Ended = std::function<void(const std::vector<std::string>& ids)>;
  using Log = std::function<void(std::string_view line)>;

  /// The least time from one reading of the store to the next for unknown keys; more if reading takes long: at most a
  /// tenth of the time is spent on it.
  static constexpr std::chrono::milliseconds miss_interval{250};
  /// Keys of the application's own.
  static constexpr std::size_t key_bytes_min = 16;
  static constexpr std::size_t key_bytes_max = 512;

  /// Loads the keys. Blocks. `ended` and `log` may be empty.
  /// Errors: throws `Error`, bad_config: an option is out of its range, the build has no SHA-256, or the store can't be
  /// read, of which the message has the cause.
  static std::shared_ptr<ApiKeys> open(const ApiKeysOptions& options, std::shared_ptr<const Clock> clock,
                                       Ended ended = {}, Log log = {});

  /// From now on reads the store again at every `reload_interval`, and for unknown keys when `miss_interval` allows, as long
  /// as `loop` runs. Called on that loop.
  void watch(const std::shared_ptr<core::Loop>& loop);

  /// The record of a key that was presented.
  /// Errors: unauthorized ("Invalid API key"); the cause says why, and never shows a secret. overloaded for an unknown key
  /// if the store could not be read the last time.
  Result<Record> check(std::string_view key) const;
  /// Whether there still is a key with this id that grants the same.
  bool still_grants(const ApiKeyRecord& before) const;
  /// The same as `check`, but for an unknown key the store is read first, or again, because another process may have added
  /// it. `done` gets overloaded if too many wait for that, and before `watch` if the store was read too recently.
  void check_later(std::string key, Done<Result<Record>> done);

  /// Generates a key and stores it.
  /// Errors: invalid_argument; limit_exceeded at `keys_max`; store_failed.
  Result<NewApiKey> add(const ApiKeySpec& spec);
  /// Stores a key of the application's own: 16 to 512 visible ASCII characters, which must be hard to guess. Returns
  /// its id. If there is such a key, gives it `spec` and returns the id that it has.
  /// Errors: as above.
  Result<std::string> add(std::string_view key, const ApiKeySpec& spec);
  /// This server refuses the key at once; the result tells whether it is deleted from the store. If not, every reload
  /// tries again.
  /// Errors: invalid_argument if there is no such key; store_failed.
  Result<void> revoke(const std::string& id);
  /// Reads the store again. Errors: store_failed; all keys stay as they are.
  Result<void> reload();

  void add(ApiKeySpec spec, Done<Result<NewApiKey>> done);
  void add(std::string key, ApiKeySpec spec, Done<Result<std::string>> done);
  void revoke(std::string id, Done<Result<void>> done);
  /// Coalesced. `done` may be empty.
  void reload(Done<Result<void>> done);

  /// All keys that are not revoked, by name and id; those that have expired too.
  std::vector<ApiKeyRecord> list() const;
  std::size_t size() const;
  /// Calls of the store that failed.
  std::uint64_t store_errors() const noexcept { return store_errors_.load(std::memory_order_relaxed); }
  /// Waits until every call with a `done` that was made before has been done. Unknown keys for which the store may not be
  /// read yet get overloaded.
  void finish();

 private:
  /// Hashes of keys are compared in constant time, and which of them share a bucket can't be predicted.
  struct SameHash {
    bool operator()(std::string_view a, std::string_view b) const noexcept {
      return core::equal_in_constant_time(a, b);
    }
  };
  using ById = std::unordered_map<std::string, Record, core::SeededHash, std::equal_to<>>;
  using ByHash = std::unordered_multimap<std::string, Record, core::SeededHash, SameHash>;
  using Ids = std::vector<std::string>;
  static constexpr std::size_t waiting_max = 1'000;
  /// A key that was presented, and is unknown until the store is read.
  struct Unknown {
    std::string key;
    Done<Result<Record>> done;
  };

  ApiKeys(const ApiKeysOptions& options, std::shared_ptr<const Clock> clock, Ended ended, Log log);

  template <class Call>
  auto guarded(const Call& call) -> std::invoke_result_t<const Call&>;
  Error failed(const Error& error);
  Result<void> check_rows(const std::vector<ApiKeyRecord>& rows) const;
  Result<ApiKeyRecord> record_of(const ApiKeySpec& spec) const;
  Error no_such_key(const std::string& id) const;
  Error too_many() const;

  // With `store_mutex_` held, without `mutex_`. `ended`: where to add the keys that have ended.
  Result<void> load(Ids& ended);
  Ids apply(std::vector<ApiKeyRecord> rows, Ids& ended);
  Result<void> put(const ApiKeyRecord& record, Ids& ended);
  Result<void> remove(const std::string& id);
  Result<void> revoke_in_store(const std::string& id, bool known, Ids& ended);

  // With `mutex_` held.
  Record valid_key(const std::string& hash, Error& why) const;
  Ids ids_with_hash(const std::string& hash) const;
  Ids refuse(const std::string& id, Ids& ended);
  void unindex(const std::string& id);

  bool refuse_now(const std::string& id);
  Result<void> revoke_refused(const std::string& id, bool known);
  void tell(const Ids& ended) const;
  void run_reload();
  void read_for_unknown();
  void read_when_due();
  void run_read_for_unknown();
  void give_up_unknown();
  void reload_in(const std::shared_ptr<core::Loop>& loop);

  const std::shared_ptr<KeyStore> store_;
  const std::string prefix_;
  const std::size_t keys_max_;
  const std::chrono::milliseconds reload_interval_;
  const std::shared_ptr<const Clock> clock_;
  const Ended ended_;
  const Log log_;
  core::LogLimit log_limit_;
  std::atomic<std::uint64_t> store_errors_{0};

  std::mutex store_mutex_;    // held during a call of the store and while its result is applied. Before `mutex_`
  mutable std::mutex mutex_;  // guards everything below
  // The index. Changed only with both locks held, so that either is enough to read it.
  ById by_id_;
  ByHash by_hash_;
  std::unordered_set<std::string> revoked_;   // ids in the index that are refused, and may still be in the store
  Clock::TimePoint next_load_for_unknown_{};  // not before: anybody can present unknown keys
  bool store_failed_ = false;                 // the last time that it was read
  bool reload_pending_ = false;
  std::vector<Done<Result<void>>> waiting_;  // for that reload
  std::vector<Unknown> unknown_;             // wait for the next reading of the store, whatever it is for
  bool reading_for_unknown_ = false;         // it is queued, or a timer runs for it
  std::weak_ptr<core::Loop> loop_;           // which has that timer

  core::SideThread side_;  // makes the calls of the store that nobody waits for. Last: its tasks use the others
};

/// The grant of clients that show this key. Its credential is "key:<id>".
Grant grant_of(const ApiKeyRecord& record);

}  // namespace flux::gate

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/gate/api_keys.ipp>
#endif
