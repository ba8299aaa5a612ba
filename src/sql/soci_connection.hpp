// A database server, over SOCI.
#pragma once

#include "call_guard.hpp"
#include "connection.hpp"

#include <soci/soci.h>

#include <memory>
#include <string>

namespace flux::storage::sql {

class SociConnection : public Connection {
 public:
  ~SociConnection() override;
  SociConnection(const SociConnection&) = delete;
  SociConnection& operator=(const SociConnection&) = delete;

  using Connection::run;
  Rows run(const Statement& statement, std::size_t columns) override;
  void set_deadline(TimePoint deadline) override { deadline_ = deadline; }

 protected:
  /// Connects. Errors: throws `soci::soci_error`.
  SociConnection(const soci::backend_factory& factory, const std::string& parameters, std::shared_ptr<CallGuard> guard);
  /// The library's socket. Once, before the first `run`.
  void watch_socket(int socket);
  virtual Failure::Kind kind_of(const soci::soci_error& error) = 0;
  soci::session& session() { return session_; }
  TimePoint deadline() const { return deadline_; }

 private:
  Rows exchange(const Statement& statement, std::size_t columns);

  soci::session session_;
  const std::shared_ptr<CallGuard> guard_;
  int socket_ = -1;  // our own descriptor of it: the library may close its one at any time
  TimePoint deadline_ = TimePoint::max();
};

/// The error's own words, in one line. What SOCI adds would show statements and what people wrote.
std::string words_of(const soci::soci_error& error);

}  // namespace flux::storage::sql
