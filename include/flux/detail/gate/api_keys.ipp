#pragma once

#include <flux/detail/core/option_check.hpp>
#include <flux/detail/core/utf8.hpp>
#include <flux/detail/gate/api_key_text.hpp>
#include <flux/detail/gate/api_keys.hpp>

#include <algorithm>
#include <exception>
#include <future>
#include <tuple>
#include <utility>

namespace flux::gate {

namespace api_key_detail {

inline Error invalid_key(std::string why) { return Error(Errc::unauthorized, "Invalid API key", std::move(why)); }

inline Result<std::string> hash_of(std::string_view key) { return core::sha256(key).transform(core::to_hex); }

inline Result<void> check_own_key(std::string_view key) {
  if (key.size() < ApiKeys::key_bytes_min || key.size() > ApiKeys::key_bytes_max) {
    return Error(Errc::invalid_argument, "an API key must have " + std::to_string(ApiKeys::key_bytes_min) + " to " +
                                             std::to_string(ApiKeys::key_bytes_max) + " bytes, not " +
                                             std::to_string(key.size()));
  }
  const auto visible = [](char c) { return c > ' ' && c < '\x7f'; };
  if (std::all_of(key.begin(), key.end(), visible)) return {};
  return Error(Errc::invalid_argument,
               "an API key must consist of visible ASCII characters without spaces, so that it fits into a header");
}

/// Whether an unknown key could be in the store.
inline bool may_be_new(std::string_view key) { return !is_misspelled_api_key(key) && check_own_key(key).ok(); }

inline Error try_again(std::string why) {
  return Error(Errc::overloaded, "the API key can't be checked now; try again", std::move(why));
}

/// Whether clients with this key must not stay connected when it is replaced.
inline bool grants_the_same(const ApiKeyRecord& a, const ApiKeyRecord& b) {
  return a.hash == b.hash && a.user_id == b.user_id && a.permissions == b.permissions && a.expires_at == b.expires_at;
}

}  // namespace api_key_detail

// --- Beginning ---

FLUX_DECL ApiKeys::ApiKeys(const ApiKeysOptions& options, std::shared_ptr<const Clock> clock, Ended ended, Log log)
    : store_(options.store ? options.store : std::make_shared<MemoryKeyStore>()),
      prefix_(options.prefix),
      keys_max_(options.keys_max),
      reload_interval_(options.reload_interval),
      clock_(std::move(clock)),
      ended_(std::move(ended)),
      log_(std::move(log)),
      log_limit_(clock_) {}

FLUX_DECL std::shared_ptr<ApiKeys> ApiKeys::open(const ApiKeysOptions& options, std::shared_ptr<const Clock> clock,
                                                 Ended ended, Log log) {
  using namespace std::chrono_literals;
  core::require_option(core::has_digests(), "API keys need SHA-256: build flux with FLUX_WITH_TLS and OpenSSL");
  core::require_option(
      is_api_key_prefix(options.prefix),
      "ApiKeysOptions::prefix must be 1 to 20 letters, digits and \"_\", beginning with a letter, not \"" +
          core::shown(options.prefix) + "\"");
  core::require_at_least(1, options.keys_max, "ApiKeysOptions::keys_max");
  core::require_option(
      options.reload_interval == 0ms || (options.reload_interval >= 100ms && options.reload_interval <= 24h),
      "ApiKeysOptions::reload_interval must be 0, or 100 ms to a day, not " +
          std::to_string(options.reload_interval.count()) + " ms");
  std::shared_ptr<ApiKeys> keys(new ApiKeys(options, std::move(clock), std::move(ended), std::move(log)));
  const auto loaded = keys->reload();
  core::require_option(loaded.ok(), loaded ? "" : "the API keys can't be loaded: " + loaded.error().cause());
  return keys;
}

FLUX_DECL void ApiKeys::watch(const std::shared_ptr<core::Loop>& loop) {
  {
    const std::lock_guard lock(mutex_);
    loop_ = loop;
    reading_for_unknown_ = false;  // an earlier loop has ended with its timer
  }
  read_for_unknown();
  if (reload_interval_.count() != 0) reload_in(loop);
}

FLUX_DECL void ApiKeys::reload_in(const std::shared_ptr<core::Loop>& loop) {
  loop->call_after(reload_interval_, [weak = weak_from_this(), weak_loop = std::weak_ptr<core::Loop>(loop)] {
    const auto self = weak.lock();
    const auto same_loop = weak_loop.lock();
    if (!self || !same_loop) return;
    self->reload(nullptr);
    self->reload_in(same_loop);
  });
}

// --- Checking ---

FLUX_DECL Result<ApiKeys::Record> ApiKeys::check(std::string_view key) const {
  // A longer text is not worth its hash.
  if (key.size() > key_bytes_max) return api_key_detail::invalid_key("it is longer than any key");
  const auto hash = api_key_detail::hash_of(key);
  if (!hash) return hash.error();
  Error why = api_key_detail::invalid_key({});
  Record found;
  bool is_stale = false;
  {
    const std::lock_guard lock(mutex_);
    found = valid_key(*hash, why);
    is_stale = store_failed_;
  }
  if (found) return found;
  if (why.code() == Errc::forbidden) {  // found, but expired or revoked
    return api_key_detail::invalid_key(why.message());
  }
  if (is_stale && api_key_detail::may_be_new(key)) {
    return api_key_detail::try_again(shown_api_key(key) + " is unknown, and the key store can't be read");
  }
  return api_key_detail::invalid_key(shown_api_key(key) + (is_misspelled_api_key(key)
                                                               ? " is misspelled: its checksum is wrong"
                                                               : " is not among the keys"));
}

FLUX_DECL bool ApiKeys::still_grants(const ApiKeyRecord& before) const {
  const std::lock_guard lock(mutex_);
  const auto found = by_id_.find(before.id);
  if (found == by_id_.end() || revoked_.contains(before.id)) return false;
  return found->second.get() == &before || api_key_detail::grants_the_same(*found->second, before);
}

/// The store must be read after the call: the row may have been added since it was read before.
FLUX_DECL void ApiKeys::check_later(std::string key, Done<Result<Record>> done) {
  auto known = check(key);
  if (known || !api_key_detail::may_be_new(key)) return done(std::move(known));
  {
    const std::lock_guard lock(mutex_);
    if (unknown_.size() < waiting_max) unknown_.push_back({std::move(key), std::exchange(done, nullptr)});
  }
  if (done) return done(api_key_detail::try_again("too many unknown keys wait for the key store"));
  read_for_unknown();
}

FLUX_DECL void ApiKeys::read_for_unknown() {
  {
    const std::lock_guard lock(mutex_);
    if (unknown_.empty() || std::exchange(reading_for_unknown_, true)) return;
  }
  read_when_due();
}

/// `reading_for_unknown_` is set.
FLUX_DECL void ApiKeys::read_when_due() {
  Clock::TimePoint::duration wait{};
  std::shared_ptr<core::Loop> loop;
  {
    const std::lock_guard lock(mutex_);
    wait = next_load_for_unknown_ - clock_->now();
    loop = loop_.lock();
  }
  if (wait.count() <= 0) return side_.run([self = shared_from_this()] { self->run_read_for_unknown(); });
  const auto after = std::chrono::ceil<std::chrono::milliseconds>(wait);
  const bool posted = loop && loop->post([weak = weak_from_this(), loop, after] {
    loop->call_after(after, [weak] {
      if (const auto self = weak.lock()) self->read_when_due();
    });
  });
  if (!posted) give_up_unknown();
}

FLUX_DECL void ApiKeys::run_read_for_unknown() {
  bool is_due = false;
  {
    const std::lock_guard lock(mutex_);
    is_due = clock_->now() >= next_load_for_unknown_;  // it may have been read meanwhile
    if (is_due || unknown_.empty()) reading_for_unknown_ = false;
    if (unknown_.empty()) return;
  }
  is_due ? run_reload() : read_when_due();
}

FLUX_DECL void ApiKeys::give_up_unknown() {
  std::vector<Unknown> unknown;
  {
    const std::lock_guard lock(mutex_);
    unknown.swap(unknown_);
    reading_for_unknown_ = false;
  }
  for (const Unknown& each : unknown) each.done(api_key_detail::try_again("the key store may not be read again yet"));
}

// --- Changing ---

FLUX_DECL Result<NewApiKey> ApiKeys::add(const ApiKeySpec& spec) {
  auto record = record_of(spec);
  if (!record) return record.error();
  record->id = new_api_key_id();
  NewApiKey added{record->id, new_api_key_text(prefix_, record->id)};
  auto hash = api_key_detail::hash_of(added.key);
  if (!hash) return hash.error();
  record->hash = std::move(*hash);
  Ids ended;
  const std::lock_guard lock(store_mutex_);
  if (size() >= keys_max_) return too_many();
  if (auto stored = put(*record, ended); !stored) return stored.error();
  return added;
}

FLUX_DECL Result<std::string> ApiKeys::add(std::string_view key, const ApiKeySpec& spec) {
  if (auto good = api_key_detail::check_own_key(key); !good) return good.error();
  auto record = record_of(spec);
  if (!record) return record.error();
  auto hash = api_key_detail::hash_of(key);
  if (!hash) return hash.error();
  record->hash = std::move(*hash);
  Ids ended;
  const auto stored = [&]() -> Result<void> {
    const std::lock_guard lock(store_mutex_);
    if (auto loaded = load(ended); !loaded) return loaded;  // another process may have added it
    Record before;
    {
      const std::lock_guard lock_index(mutex_);
      const auto ids = ids_with_hash(record->hash);
      if (!ids.empty()) before = by_id_.find(ids.front())->second;
      const auto id = id_in_api_key(key);
      record->id = before ? before->id : id && !by_id_.contains(std::string(*id)) ? std::string(*id) : new_api_key_id();
    }
    if (!before && size() >= keys_max_) return too_many();
    if (before) record->created_at = before->created_at;
    if (before && *before == *record) return {};
    return put(*record, ended);
  }();
  tell(ended);
  if (!stored) return stored.error();
  return record->id;
}

FLUX_DECL Result<void> ApiKeys::revoke(const std::string& id) {
  const bool known = refuse_now(id);
  return revoke_refused(id, known);
}

/// `known`: there was such a key, which is refused already.
FLUX_DECL Result<void> ApiKeys::revoke_refused(const std::string& id, bool known) {
  Ids ended;
  auto revoked = [&] {
    const std::lock_guard lock(store_mutex_);
    return revoke_in_store(id, known, ended);
  }();
  tell(ended);
  return revoked;
}

/// Removes every record of the key: two processes that added the same key at the same time have stored one each.
FLUX_DECL Result<void> ApiKeys::revoke_in_store(const std::string& id, bool known, Ids& ended) {
  std::string hash;
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = by_id_.find(id); found != by_id_.end()) hash = found->second->hash;
  }
  auto loaded = load(ended);  // which also removes what is refused already
  Ids ids;
  {
    const std::lock_guard lock(mutex_);
    ids = refuse(id, ended);
    if (ids.empty() && revoked_.contains(id)) ids.push_back(id);
    // The record may be removed by now, while the load has shown another one of the same key.
    for (const std::string& other : ids_with_hash(hash)) {
      for (const std::string& each : refuse(other, ended)) ids.push_back(each);
    }
  }
  if (ids.empty() && !known && loaded) return no_such_key(id);
  for (const std::string& each : ids) {
    if (auto removed = remove(each); !removed) return removed;
  }
  return loaded;
}

FLUX_DECL Result<void> ApiKeys::reload() {
  Ids ended;
  auto loaded = [&] {
    const std::lock_guard lock(store_mutex_);
    return load(ended);
  }();
  tell(ended);
  return loaded;
}

FLUX_DECL void ApiKeys::add(ApiKeySpec spec, Done<Result<NewApiKey>> done) {
  side_.run([self = shared_from_this(), spec = std::move(spec), done = std::move(done)] { done(self->add(spec)); });
}

FLUX_DECL void ApiKeys::add(std::string key, ApiKeySpec spec, Done<Result<std::string>> done) {
  side_.run([self = shared_from_this(), key = std::move(key), spec = std::move(spec), done = std::move(done)] {
    done(self->add(std::string_view(key), spec));
  });
}

FLUX_DECL void ApiKeys::revoke(std::string id, Done<Result<void>> done) {
  const bool known = refuse_now(id);
  side_.run([self = shared_from_this(), id = std::move(id), known, done = std::move(done)] {
    done(self->revoke_refused(id, known));
  });
}

FLUX_DECL void ApiKeys::reload(Done<Result<void>> done) {
  bool begins = false;
  {
    const std::lock_guard lock(mutex_);
    if (done && waiting_.size() < waiting_max) waiting_.push_back(std::exchange(done, nullptr));
    begins = !std::exchange(reload_pending_, true);
  }
  if (begins) side_.run([self = shared_from_this()] { self->run_reload(); });
  if (done) done(Error(Errc::overloaded, "too many calls wait for the key store; try again"));
}

FLUX_DECL void ApiKeys::run_reload() {
  std::vector<Done<Result<void>>> waiting;
  std::vector<Unknown> unknown;
  {
    const std::lock_guard lock(mutex_);  // before the store is read: later callers wait for the next time
    waiting.swap(waiting_);
    unknown.swap(unknown_);
    reload_pending_ = false;
  }
  const auto loaded = reload();
  for (const auto& done : waiting) done(loaded);
  for (const Unknown& each : unknown) each.done(check(each.key));
}

FLUX_DECL void ApiKeys::finish() {
  std::promise<void> behind;
  side_.run([&behind] { behind.set_value(); });
  behind.get_future().wait();
  give_up_unknown();
}

// --- The store ---

template <class Call>
auto ApiKeys::guarded(const Call& call) -> std::invoke_result_t<const Call&> {
  try {
    auto result = call();
    if (!result) return failed(result.error());
    return result;
  } catch (const std::exception& e) {
    return failed(Error(Errc::store_failed, e.what()));
  } catch (...) {
    return failed(Error(Errc::store_failed, "it threw something that is not a std::exception"));
  }
}

FLUX_DECL Error ApiKeys::failed(const Error& error) {
  store_errors_.fetch_add(1, std::memory_order_relaxed);
  const auto left_out = log_limit_.admit();
  if (left_out && log_) {
    if (*left_out > 0) log_(std::to_string(*left_out) + " lines about the key store were left out");
    log_("the key store failed: " + error.cause());
  }
  return {Errc::store_failed, "the key store failed", error.cause()};
}

FLUX_DECL Result<void> ApiKeys::load(Ids& ended) {
  const auto began = clock_->now();
  auto rows = guarded([this]() -> Result<std::vector<ApiKeyRecord>> {
    auto loaded = store_->load();
    if (!loaded) return loaded;
    if (auto good = check_rows(*loaded); !good) return good.error();
    return loaded;
  });
  {
    const std::lock_guard lock(mutex_);
    const auto ended_at = clock_->now();
    next_load_for_unknown_ = ended_at + std::max<Clock::TimePoint::duration>(miss_interval, 10 * (ended_at - began));
    store_failed_ = !rows;
  }
  if (!rows) return rows.error();
  for (const std::string& id : apply(std::move(*rows), ended)) {
    if (!remove(id)) break;  // the next load tries again
  }
  return {};
}

FLUX_DECL Result<void> ApiKeys::check_rows(const std::vector<ApiKeyRecord>& rows) const {
  if (rows.size() > keys_max_) {
    return Error(Errc::store_failed, "it has " + std::to_string(rows.size()) + " keys; at most " +
                                         std::to_string(keys_max_) + " (ApiKeysOptions::keys_max)");
  }
  std::unordered_set<std::string_view> ids;
  for (const ApiKeyRecord& row : rows) {
    if (auto good = check_storable(row); !good) {
      return Error(Errc::store_failed, "the key \"" + core::shown(row.id) + "\": " + good.error().message());
    }
    if (!ids.insert(row.id).second) return Error(Errc::store_failed, "it has two keys with the id \"" + row.id + "\"");
  }
  return {};
}

/// Builds a new index without `mutex_`, so that checks don't wait. Returns the ids that were revoked, but are still in
/// the store.
FLUX_DECL ApiKeys::Ids ApiKeys::apply(std::vector<ApiKeyRecord> rows, Ids& ended) {
  ById by_id;
  ByHash by_hash;
  by_id.reserve(rows.size());
  by_hash.reserve(rows.size());
  Ids changed;
  for (ApiKeyRecord& row : rows) {
    const auto before = by_id_.find(row.id);
    const bool is_known = before != by_id_.end();
    if (is_known && !api_key_detail::grants_the_same(*before->second, row)) changed.push_back(row.id);
    const Record record =
        is_known && *before->second == row ? before->second : std::make_shared<const ApiKeyRecord>(std::move(row));
    by_id.emplace(record->id, record);
    by_hash.emplace(record->hash, record);
  }
  for (const auto& [id, record] : by_id_) {
    if (!by_id.contains(id)) changed.push_back(id);
  }
  const std::lock_guard lock(mutex_);
  for (const std::string& id : changed) {
    if (!revoked_.contains(id)) ended.push_back(id);
  }
  by_id_.swap(by_id);
  by_hash_.swap(by_hash);
  std::erase_if(revoked_, [this](const std::string& id) { return !by_id_.contains(id); });
  return {revoked_.begin(), revoked_.end()};
}

/// A key that is revoked.
FLUX_DECL Result<void> ApiKeys::remove(const std::string& id) {
  if (auto removed = guarded([&] { return store_->remove(id); }); !removed) return removed;
  const std::lock_guard lock(mutex_);
  unindex(id);
  revoked_.erase(id);
  return {};
}

FLUX_DECL Result<void> ApiKeys::put(const ApiKeyRecord& record, Ids& ended) {
  if (auto stored = guarded([&] { return store_->put(record); }); !stored) return stored;
  const std::lock_guard lock(mutex_);
  const auto found = by_id_.find(record.id);
  if (found != by_id_.end() && !api_key_detail::grants_the_same(*found->second, record)) ended.push_back(record.id);
  unindex(record.id);
  const Record kept = std::make_shared<const ApiKeyRecord>(record);
  by_id_.emplace(kept->id, kept);
  by_hash_.emplace(kept->hash, kept);
  return {};
}

// --- The index ---

FLUX_DECL void ApiKeys::unindex(const std::string& id) {
  const auto found = by_id_.find(id);
  if (found == by_id_.end()) return;
  const auto [first, last] = by_hash_.equal_range(found->second->hash);
  const auto same = std::find_if(first, last, [&](const auto& entry) { return entry.second == found->second; });
  if (same != last) by_hash_.erase(same);
  by_id_.erase(found);
}

/// Of several records of a key the newest counts that has not expired. Otherwise null; `why` then says that all have
/// expired or were revoked (forbidden), or stays as it is.
FLUX_DECL ApiKeys::Record ApiKeys::valid_key(const std::string& hash, Error& why) const {
  const std::int64_t now = clock_->unix_ms();
  Record valid;
  const auto [first, last] = by_hash_.equal_range(hash);
  for (auto entry = first; entry != last; ++entry) {
    const Record& record = entry->second;
    if (revoked_.contains(record->id)) {
      why = Error(Errc::forbidden, "the key \"" + record->id + "\" was revoked");
    } else if (record->expires_at && *record->expires_at <= now) {
      why = Error(Errc::forbidden, "the key \"" + record->id + "\" has expired");
    } else if (!valid || std::tie(valid->created_at, valid->id) < std::tie(record->created_at, record->id)) {
      valid = record;
    }
  }
  return valid;
}

/// Of the keys that are not revoked.
FLUX_DECL ApiKeys::Ids ApiKeys::ids_with_hash(const std::string& hash) const {
  Ids ids;
  const auto [first, last] = by_hash_.equal_range(hash);
  for (auto entry = first; entry != last; ++entry) {
    if (!revoked_.contains(entry->second->id)) ids.push_back(entry->second->id);
  }
  std::sort(ids.begin(), ids.end());
  return ids;
}

/// Refuses a key under each of its ids, which are returned.
FLUX_DECL ApiKeys::Ids ApiKeys::refuse(const std::string& id, Ids& ended) {
  const auto found = by_id_.find(id);
  if (found == by_id_.end()) return {};
  Ids ids = ids_with_hash(found->second->hash);
  revoked_.insert(ids.begin(), ids.end());
  ended.insert(ended.end(), ids.begin(), ids.end());
  return ids;
}

/// Before the store is asked. Returns whether there is such a key, revoked just now or before.
FLUX_DECL bool ApiKeys::refuse_now(const std::string& id) {
  Ids ended;
  bool known = false;
  {
    const std::lock_guard lock(mutex_);
    refuse(id, ended);
    known = revoked_.contains(id);
  }
  tell(ended);
  return known;
}

FLUX_DECL std::vector<ApiKeyRecord> ApiKeys::list() const {
  std::vector<ApiKeyRecord> records;
  {
    const std::lock_guard lock(mutex_);
    records.reserve(by_id_.size());
    for (const auto& [id, record] : by_id_) {
      if (!revoked_.contains(id)) records.push_back(*record);
    }
  }
  std::sort(records.begin(), records.end(), [](const ApiKeyRecord& a, const ApiKeyRecord& b) {
    return std::tie(a.name, a.id) < std::tie(b.name, b.id);
  });
  return records;
}

FLUX_DECL std::size_t ApiKeys::size() const {
  const std::lock_guard lock(mutex_);
  return by_id_.size() - revoked_.size();
}

// --- What callers are told ---

FLUX_DECL Result<ApiKeyRecord> ApiKeys::record_of(const ApiKeySpec& spec) const {
  using namespace std::chrono;
  ApiKeyRecord record;
  record.id = "new";
  record.hash = std::string(64, '0');
  record.name = spec.name;
  record.user_id = spec.user_id;
  record.permissions = spec.permissions;
  record.created_at = clock_->unix_ms();
  if (spec.expires_at) record.expires_at = duration_cast<milliseconds>(spec.expires_at->time_since_epoch()).count();
  if (auto good = check_storable(record); !good) return good.error();
  if (record.expires_at && *record.expires_at <= record.created_at) {
    return Error(Errc::invalid_argument, "the expiry of a new API key must be in the future");
  }
  return record;
}

FLUX_DECL Error ApiKeys::no_such_key(const std::string& id) const {
  return {Errc::invalid_argument, "there is no API key with the id \"" + core::shown(id) + "\""};
}

FLUX_DECL Error ApiKeys::too_many() const {
  return {Errc::limit_exceeded,
          "there are " + std::to_string(keys_max_) + " API keys already (ApiKeysOptions::keys_max); revoke one first"};
}

FLUX_DECL void ApiKeys::tell(const Ids& ended) const {
  if (ended_ && !ended.empty()) ended_(ended);
}

FLUX_DECL Grant grant_of(const ApiKeyRecord& record) {
  Grant grant;
  grant.identity.user_id = record.user_id.empty() ? "key:" + record.id : record.user_id;
  grant.identity.verified = true;
  grant.permissions = record.permissions;
  grant.credential = "key:" + record.id;
  if (record.expires_at) grant.expires_at = Grant::TimePoint(std::chrono::milliseconds(*record.expires_at));
  return grant;
}

}  // namespace flux::gate
