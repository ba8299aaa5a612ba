#include "soci_connection.hpp"

#include <unistd.h>

#include <utility>
#include <vector>

namespace flux::storage::sql {

std::string words_of(const soci::soci_error& error) {
  std::string words = error.get_error_message();
  while (!words.empty() && (words.back() == '\n' || words.back() == ' ')) words.pop_back();
  for (char& c : words) {
    if (c == '\n') c = ' ';
  }
  return words;
}

/// SOCI's parameters have names; what we bind by position may share one.
static std::string with_names(const std::string& text) {
  std::string named;
  named.reserve(text.size() * 2);
  for (const char c : text) c == '?' ? named += ":p" : named += c;
  return named;
}

SociConnection::SociConnection(const soci::backend_factory& factory, const std::string& parameters,
                               std::shared_ptr<CallGuard> guard)
    : session_(factory, parameters), guard_(std::move(guard)) {}

SociConnection::~SociConnection() {
  if (socket_ >= 0) ::close(socket_);
}

void SociConnection::watch_socket(int socket) {
  socket_ = ::dup(socket);
  if (socket_ < 0) throw Failure(Failure::Kind::other, "no more file descriptors");
}

Rows SociConnection::run(const Statement& statement, std::size_t columns) {
  const CallGuard::Watch watch(*guard_, socket_, deadline_);
  try {
    return exchange(statement, columns);
  } catch (const soci::soci_error& error) {
    if (watch.was_late()) throw Failure(Failure::Kind::lost, "the database did not answer in time");
    throw Failure(kind_of(error), words_of(error));
  }
}

Rows SociConnection::exchange(const Statement& statement, std::size_t columns) {
  static const std::string nothing;
  soci::indicator is_null = soci::i_null;
  soci::statement exchange(session_);
  for (const Value& value : statement.values()) {
    if (const auto* number = std::get_if<std::int64_t>(&value)) {
      exchange.exchange(soci::use(*number));
    } else if (const auto* text = std::get_if<std::string>(&value)) {
      exchange.exchange(soci::use(*text));
    } else {
      exchange.exchange(soci::use(nothing, is_null));
    }
  }
  std::vector<std::string> texts(columns);
  std::vector<soci::indicator> indicators(columns);
  for (std::size_t i = 0; i < columns; ++i) exchange.exchange(soci::into(texts[i], indicators[i]));
  exchange.alloc();
  // Once: nothing is prepared, which would be two more ways to the server and back.
  exchange.prepare(with_names(statement.text()), soci::details::st_one_time_query);
  exchange.define_and_bind();
  exchange.execute(false);
  Rows rows;
  while (columns != 0 && exchange.fetch()) {
    Row& row = rows.emplace_back();
    for (std::size_t i = 0; i < columns; ++i) {
      row.push_back(indicators[i] == soci::i_null ? std::nullopt : std::optional(texts[i]));
    }
  }
  return rows;
}

}  // namespace flux::storage::sql
