// The tables of chat: created, taken over, checked.
#pragma once

#include "database.hpp"

#include <chrono>
#include <string>

namespace flux::storage::sql {

/// The names of the tables, and the same quoted for statements.
struct ChatTables {
  ChatTables(const Dialect& dialect, const std::string& table);

  std::string name, rooms_name, fresh_name, kept_name;
  std::string messages, rooms;
};

/// Creates the tables, or takes over an existing one. Correct tables are left alone, so that a user who may not create
/// tables can start then. The statement that copies the table of another program may take `take_over_timeout`; what
/// follows has a new deadline. Errors: throws `Failure`.
void prepare_chat_schema(Connection& connection, const Database& database, const ChatTables& tables,
                         std::chrono::milliseconds take_over_timeout);
/// Checks the privileges that appending, editing and, if `drops`, dropping need. Writes nothing.
void check_rights(Connection& connection, const ChatTables& tables, bool drops);

}  // namespace flux::storage::sql
