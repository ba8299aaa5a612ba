#include "database.hpp"

#include <algorithm>

namespace flux::storage::sql {

using namespace std::chrono_literals;

/// Between two attempts of a transaction that conflicted with another.
static constexpr std::chrono::milliseconds conflict_pause = 10ms;

void require(bool good, const StoreName& name, const std::string& text) {
  if (!good) throw Error(Errc::bad_config, std::string(name.store) + ": " + text);
}

void check_timeout(const StoreName& name, const char* option, std::chrono::milliseconds timeout) {
  require(timeout >= 100ms && timeout <= 24h, name,
          std::string(option) + " must be 100 ms to a day, not " + std::to_string(timeout.count()) + " ms");
}

void check_table(const StoreName& name, const std::string& table) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  const auto allowed = [&](char c) { return letter(c) || (c >= '0' && c <= '9'); };
  require(
      !table.empty() && table.size() <= 40 && letter(table.front()) && std::all_of(table.begin(), table.end(), allowed),
      name, "a table's name must be 1 to 40 letters, digits and \"_\" and not begin with a digit: \"" + table + "\"");
}

void check_options(const SqlOptions& options) {
  constexpr StoreName name{"database", "database"};
  require(options.connections >= 1 && options.connections <= 256, name,
          "connections must be 1 to 256, not " + std::to_string(options.connections));
  check_timeout(name, "call_timeout", options.call_timeout);
  check_timeout(name, "connect_timeout", options.connect_timeout);
}

Error Database::failed(const Failure& failure) const {
  const bool is_refused = failure.kind() == Failure::Kind::bad_value;
  return {is_refused ? Errc::invalid_argument : Errc::store_failed, text_of(failure)};
}

std::string Database::text_of(const Failure& failure) const {
  return std::string(name_.content) + " in " + access_->address + ": " + failure.what();
}

bool Database::again(ConnectionPool& pool, TimePoint deadline, const Failure& failure, int tries) {
  if (failure.kind() == Failure::Kind::read_only) return tries == 0;
  const bool lost = failure.kind() == Failure::Kind::lost;
  if (!lost && failure.kind() != Failure::Kind::conflict) return false;
  if (std::chrono::steady_clock::now() + conflict_pause >= deadline) {
    if (lost) pool.found_away();
    return false;
  }
  if (pool.is_away()) return false;
  if (!lost) std::this_thread::sleep_for(conflict_pause);
  return true;
}

}  // namespace flux::storage::sql
