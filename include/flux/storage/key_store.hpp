// API keys: what is kept of one, the interface of the stores that keep them, which applications can implement, and the
// stores in memory and in a file. sql.hpp has those in databases.
#pragma once

#include <flux/detail/mode.hpp>
#include <flux/error.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace flux {

/// What is kept of an API key: everything but the key, of which only the hash is kept.
struct ApiKeyRecord {
  /// 1 to 64 letters, digits, `-` and `_`; never changes. It is no secret: logs name a key by it.
  std::string id{};
  std::string hash{};     ///< SHA-256 of the key's text: 64 hexadecimal digits in lower case
  std::string name{};     ///< for people: at most 200 bytes
  std::string user_id{};  ///< the user that clients with this key are; empty: a user of their own, "key:<id>"
  std::vector<std::string> permissions{};  ///< at most 100, each an `operation:scope`; see `permission_matches`
  std::int64_t created_at = 0;             ///< milliseconds since 1970
  /// When the key ends, in milliseconds since 1970. None: never.
  std::optional<std::int64_t> expires_at{};
  friend bool operator==(const ApiKeyRecord&, const ApiKeyRecord&) = default;
};

/// Checks the sizes and forms that `ApiKeyRecord` states. Text must be UTF-8 without control characters.
/// Errors: invalid_argument; the message names the member that is wrong and its limit.
Result<void> check_storable(const ApiKeyRecord& record);

/// What the application says about a new API key.
struct ApiKeySpec {
  std::string name{};                      ///< for people, in lists of keys: at most 200 bytes
  std::vector<std::string> permissions{};  ///< each an `operation:scope`; see `permission_matches`
  std::string user_id{};                   ///< as `ApiKeyRecord::user_id`
  /// When the key ends. None: never.
  std::optional<std::chrono::system_clock::time_point> expires_at{};
};

/// A generated API key. Its text exists only here: give it to its user, and don't store it.
struct NewApiKey {
  std::string id;   ///< for lists and for revoking it
  std::string key;  ///< `flux_<id>_<secret>`; see `ApiKeysOptions::prefix`
};

class KeyStore;

/// How API keys are kept and checked.
struct ApiKeysOptions {
  /// Where they are kept. None: in memory, until the server ends.
  std::shared_ptr<KeyStore> store{};
  /// What generated keys begin with, so that scanners for leaked secrets and people who read a log know whose they are:
  /// 1 to 20 letters, digits and `_`, beginning with a letter. A generated key is `<prefix>_<id>_<secret>`: the id has
  /// 12 letters and digits, the secret 43 (256 random bits), followed by 6 that are the CRC-32 of all before in base 62
  /// (0-9, A-Z, a-z; most significant digit first). Older keys stay valid if the prefix changes.
  std::string prefix = "flux";
  /// The number of keys, at least 1, those included that have expired but were not revoked. Each takes about 1 kB of memory.
  std::size_t keys_max = 10'000;
  /// How often the store is read again, so that what other processes and people have changed in it takes effect: at
  /// least 100 ms; 0: only when an unknown key is presented. A key that another process revokes, or that is deleted
  /// from the store by hand, ends after this time at the latest. A key that another process adds is accepted at once: a
  /// client with an unknown key waits until the store is read, which is done for them every 250 ms at most, and takes at
  /// most a tenth of the time. As long as the store can't be read, such a client is told to try again (`overloaded`).
  std::chrono::milliseconds reload_interval{5'000};
};

/// A durable table of `ApiKeyRecord`s, one row per id. The implementer's duties:
/// - `put` and `remove` are atomic, and durable when they return; a `load` that begins later returns their result, also
///   in another process if several share the store.
/// - `load` is called again and again. Calls may come from several threads at the same time, and may block: flux makes
///   none of them on an event loop.
/// - Errors are values; an exception counts as store_failed. Their text goes to the log and to `Error::cause`; clients
///   never see it. If `load` fails, the keys that were loaded before stay valid.
/// - The store need not check that hashes are unique.
class KeyStore {
 public:
  virtual ~KeyStore() = default;
  /// Returns every row, in no particular order.
  virtual Result<std::vector<ApiKeyRecord>> load() = 0;
  /// Inserts the row, or replaces the row with the same id. flux passes only rows that `check_storable` accepts, and checks
  /// those that `load` returns.
  virtual Result<void> put(const ApiKeyRecord& record) = 0;
  /// Does nothing if there is no such row.
  virtual Result<void> remove(const std::string& id) = 0;
};

/// Keeps keys in memory, for one process. Several servers may share it.
/// Threading: any thread. Never blocks.
class MemoryKeyStore final : public KeyStore {
 public:
  MemoryKeyStore() = default;
  FLUX_DECL Result<std::vector<ApiKeyRecord>> load() override;
  FLUX_DECL Result<void> put(const ApiKeyRecord& record) override;
  FLUX_DECL Result<void> remove(const std::string& id) override;

 private:
  std::mutex mutex_;
  std::map<std::string, ApiKeyRecord> records_;  // by id
};

/// Keeps keys in a text file that people can edit: JSON Lines, one key a line.
///
///     # The nightly build. Lines like this one, and empty ones, are kept.
///     {"id":"ci","hash":"<64 digits>","name":"CI","permissions":["read:*"],"expires_at":1798675200000}
///
/// - The members are those of `ApiKeyRecord`; only `id` and `hash` are required. `printf %s "$KEY" | sha256sum` prints the
///   hash of a key, `date -d 2027-01-01 +%s000` a time.
/// - A line that can't be read, has an unknown member or repeats an id makes every call fail, with an error that names
///   the line: a rewrite loses nothing. The keys that were loaded before stay valid.
/// - A change of one key rewrites the file (a new file, synced and renamed, with mode 0600) and leaves all other lines as
///   they are, byte for byte. A crash leaves the old file or the new one.
/// - Several processes of a machine may share the file: they lock "<path>.lock" for changes. People who edit the file
///   should replace it whole (edit a copy, then `mv`): a half-written file could be read.
/// - A file that every user of the machine may write is refused. A symbolic link is followed, and its target replaced.
///
/// Errors: besides those of `KeyStore`, quota_exceeded if the disk is full. Their text holds the path.
/// Threading: any thread. May block.
class FileKeyStore final : public KeyStore {
 public:
  /// `path`: UTF-8. Creates the file if it does not exist; later a missing file is an error, so that no accident ends all
  /// keys.
  /// Errors: throws flux::Error (bad_config) if the file can't be created or read, or has a bad line.
  explicit FileKeyStore(std::string path);
  FLUX_DECL ~FileKeyStore() override;
  FileKeyStore(const FileKeyStore&) = delete;
  FileKeyStore& operator=(const FileKeyStore&) = delete;

  FLUX_DECL Result<std::vector<ApiKeyRecord>> load() override;
  FLUX_DECL Result<void> put(const ApiKeyRecord& record) override;
  FLUX_DECL Result<void> remove(const std::string& id) override;

 private:
  template <class Change>
  Result<void> changed(const Change& change);

  const std::string path_;
  std::mutex mutex_;  // held during a change
};

}  // namespace flux

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/storage/file_key_store.ipp>
#include <flux/detail/storage/key_store.ipp>
#endif
