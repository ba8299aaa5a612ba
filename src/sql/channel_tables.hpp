// Histories of channels in SQL: the algorithm of all three databases.
#pragma once

#include "database.hpp"

#include <flux/storage/sql.hpp>

#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace flux::storage::sql {

/// Threading: any thread.
class ChannelTables {
 public:
  static constexpr StoreName name{"channel store", "channels"};

  /// Creates or checks the tables. Errors: throws `Error` (store_failed, or bad_config if an option is out of its range).
  ChannelTables(std::unique_ptr<Database> database, const SqlChannelOptions& options);

  Result<std::vector<StoredChannel>> load();
  std::vector<Result<void>> append_all(std::span<const ChannelAppend> appends);
  Result<void> remove(const std::string& channel, const std::string& epoch);
  std::size_t batch_max() const { return batch_max_; }

 private:
  /// An append that is to be stored, and its result.
  struct Pending {
    const ChannelAppend* append;
    Result<void>* result;
  };
  using Batch = std::span<const Pending>;
  using Appends = std::map<std::string_view, const ChannelAppend*>;  // the order of a map is the order of the locks
  /// What is stored of a channel.
  struct Known {
    std::string epoch;
    Offset offset;
  };

  void prepare(Connection& connection) const;
  void make(Connection& connection) const;
  void append(Connection& connection, Batch batch) const;
  std::map<std::string, Known> known(Connection& connection, const std::vector<std::string>& channels) const;
  void keep_channels(Connection& connection, const Appends& appends) const;
  void delete_replaced(Connection& connection, const Appends& appends, const std::map<std::string, Known>& known) const;
  void insert(Connection& connection, const Appends& appends) const;

  const std::unique_ptr<Database> database_;
  const std::size_t batch_max_;
  const std::string channels_name_, publications_name_;
  const std::string channels_, publications_;  // quoted
};

}  // namespace flux::storage::sql
