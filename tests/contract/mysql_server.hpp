// MariaDB for the tests of stores in it.
#pragma once

#include "contract/sql_server.hpp"

#include <flux/storage/mysql.hpp>

#include <mysql.h>

#include <memory>
#include <string>
#include <utility>

namespace flux_test {

/// A database of the server that tests/databases.sh started, emptied. The script defines the user.
class Mysql final : public SocketServer {
 public:
  explicit Mysql(std::string url) : url_(std::move(url)), connection_(mysql_init(nullptr)) {
    const std::string mark = "?socket=";
    REQUIRE(url_.find(mark) != std::string::npos);
    address_ = {url_.substr(url_.find(mark) + mark.size()), 0, "flux", "flux", "secret"};
    mysql_options(connection_, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    INFO(mysql_error(connection_));
    REQUIRE(mysql_real_connect(connection_, "localhost", "flux", "secret", nullptr, 0, address_.host.c_str(), 0) !=
            nullptr);
    run("DROP DATABASE IF EXISTS flux");
    run("CREATE DATABASE flux CHARACTER SET utf8mb4");
    run("USE flux");
  }
  ~Mysql() override { mysql_close(connection_); }
  Mysql(const Mysql&) = delete;
  Mysql& operator=(const Mysql&) = delete;

  /// Null: skip the test.
  static std::unique_ptr<Mysql> or_skip() {
    const auto url = database_url("FLUX_TEST_MYSQL");
    return url ? std::make_unique<Mysql>(*url) : nullptr;
  }

  void run(const std::string& sql) override {
    INFO(sql);
    const int failed = mysql_query(connection_, sql.c_str());
    INFO(mysql_error(connection_));
    REQUIRE(failed == 0);
    if (MYSQL_RES* result = mysql_store_result(connection_)) mysql_free_result(result);
  }
  std::string ask(const std::string& sql) override {
    REQUIRE(mysql_query(connection_, sql.c_str()) == 0);
    MYSQL_RES* result = mysql_store_result(connection_);
    REQUIRE(result != nullptr);
    const MYSQL_ROW row = mysql_fetch_row(result);
    const std::string answer = row != nullptr && row[0] != nullptr ? row[0] : "";
    mysql_free_result(result);
    return answer;
  }
  std::string json_type() const override { return "JSON"; }
  std::string name_of_text() const override { return "longtext"; }
  std::string tls_folder() const override { return address_.host.substr(0, address_.host.rfind('/')) + "/../tls"; }

  const std::string& url() const { return url_; }
  flux::SqlAddress address() const override { return address_; }
  std::unique_ptr<SqlStores> at(const flux::SqlAddress& address) const override {
    return std::make_unique<SqlStoresAt<flux::MysqlDatabase, flux::SqlAddress>>(address);
  }
  std::string host_in(const std::string& folder) const override { return folder + "/socket"; }
  std::string socket_of(const std::string& host) const override { return host; }

  flux::SqlAddress make_guest() override {
    run("CREATE OR REPLACE USER 'flux_guest'@'localhost' IDENTIFIED BY 'it''s @:/ \"right\"?'");
    flux::SqlAddress guest = address_;
    guest.user = "flux_guest";
    guest.password = "it's @:/ \"right\"?";
    return guest;
  }
  void give_guest(const std::string& rights) override {
    run("GRANT " + rights + " ON flux.* TO 'flux_guest'@'localhost'");
  }

 private:
  const std::string url_;
  flux::SqlAddress address_;
  MYSQL* connection_;
};

}  // namespace flux_test
