// Revoked users and credentials: what a revocation is, and the interface of stores that keep them over a restart, which
// applications can implement. `FileRevocationStore` (flux/storage/file_revocation_store.hpp) is one; sql.hpp has those in
// databases.
#pragma once

#include <flux/error.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace flux {

/// What a revocation refuses.
enum class RevocationKind : std::uint8_t {
  user,        ///< every grant whose `Identity::user_id` is the name
  credential,  ///< every grant whose `Grant::credential` is the name
};

/// "user" or "credential".
std::string_view to_string(RevocationKind kind) noexcept;

/// Refuses clients until a time: `Server::revoke_user`, `Server::revoke_credential`. There is at most one for a kind and
/// name.
struct Revocation {
  RevocationKind kind = RevocationKind::user;  ///< what `name` names
  std::string name{};                          ///< 1 to `name_bytes_max` bytes of UTF-8 without NUL
  std::int64_t until = 0;                      ///< milliseconds since 1970; from then on it refuses nothing
  std::string reason{};  ///< for the refused clients; at most `reason_bytes_max` bytes of UTF-8 without NUL
  /// The longest name, in bytes.
  static constexpr std::size_t name_bytes_max = 1'024;
  /// The longest reason, in bytes: as much as a WebSocket's close frame holds (RFC 6455, 5.5).
  static constexpr std::size_t reason_bytes_max = 123;
  /// Every member is compared.
  friend bool operator==(const Revocation&, const Revocation&) = default;
};

/// A durable table of revocations, one row for a kind and name. The implementer's duties:
/// - Every call is atomic. What `save` and `remove` have done is durable when they return, and `load` returns it. Rows
///   whose `until` has passed may be left out.
/// - Names differ if their bytes do, in upper and lower case or trailing spaces too; a user and a credential with the same
///   name are two rows.
/// - `load` is called once, before the others; calls never overlap.
/// - A store that may block (`may_block() == true`, the default) is called on a worker thread, except `load`. One that
///   never blocks may return false, and is called on the thread that revokes.
/// - No method may call the `Server`.
/// - Errors are values; an exception counts as store_failed. A row that could not be stored is stored again later.
class RevocationStore {
 public:
  virtual ~RevocationStore() = default;
  /// Returns every row, in no particular order.
  virtual Result<std::vector<Revocation>> load() = 0;
  /// Inserts the row, or replaces the row with the same kind and name.
  virtual Result<void> save(const Revocation& revocation) = 0;
  /// Does nothing if there is no such row.
  virtual Result<void> remove(RevocationKind kind, const std::string& name) = 0;
  /// Whether calls may wait, for a disk or a network.
  virtual bool may_block() const { return true; }
  /// What the application should know about the rows that `load` returned, such as that the end of a file was lost: a
  /// line for the server's log, where it is a warning. Called after `load` has succeeded. Empty: nothing.
  virtual std::string load_warning() const { return {}; }
};

}  // namespace flux
