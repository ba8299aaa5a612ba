// The tables of chat: made, taken over, checked.
#pragma once

#include "database.hpp"

#include <chrono>
#include <string>

namespace flux::storage::sql {

/// The names of the tables, quoted where they stand in statements.
struct ChatTables {
  ChatTables(const Dialect& dialect, const std::string& table);

  std::string name, rooms_name, fresh_name, kept_name;
  std::string messages, rooms;
};

/// Makes the tables, or takes over the one that is there. What is right already is left alone, so that a user who may
/// make no tables can start then. The statement that copies somebody else's table may take `take_over_timeout`; what
/// comes after it has a new deadline. Errors: throws `Failure`.
void prepare_chat_schema(Connection& connection, const Database& database, const ChatTables& tables,
                         std::chrono::milliseconds take_over_timeout);
/// Tries the rights that appending and, where it `drops`, deleting need. Nothing is written.
void check_rights(Connection& connection, const ChatTables& tables, bool drops);

}  // namespace flux::storage::sql
