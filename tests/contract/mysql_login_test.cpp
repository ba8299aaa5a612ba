// Logins to servers that misbehave.
#include "contract/mysql_server.hpp"
#include "contract/sql_chat_store_tests.hpp"
#include "support/awaited.hpp"
#include "support/scripted_server.hpp"

#include <sys/un.h>

#include <chrono>
#include <cstring>
#include <string>

namespace mysql_login_test {

using namespace flux;
using namespace flux::testing;
using Catch::Matchers::ContainsSubstring;
using flux_test::error_of;
using flux_test::Mysql;
using flux_test::ScriptedServer;

namespace {

/// MySQL's manual, Protocol::Handshake: the greeting of a MariaDB that also has the capabilities `more`.
std::string greeting(unsigned int more = 0) {
  const unsigned int able = 0x0008 | 0x0200 | 0x8000 | 0x0008'0000 | more;  // database, 4.1, secure, plugins
  const auto byte = [able](int place) { return std::string(1, static_cast<char>(able >> (8 * place) & 0xFF)); };
  std::string words = "\x0A" + std::string("5.5.5-10.11.6-MariaDB");
  words += std::string(5, '\0') + "12345678" + '\0';  // the connection's number, a part of the challenge
  words += byte(0) + byte(1) + '\x2D' + std::string("\x02\0", 2) + byte(2) + byte(3) + '\x15' + std::string(10, '\0');
  words += "123456789012" + std::string(1, '\0') + "mysql_native_password" + '\0';
  return static_cast<char>(words.size()) + std::string(3, '\0') + words;
}
constexpr unsigned int tls = 0x0800;

std::string url_of(const ScriptedServer& server, const std::string& parameters = {}) {
  return "mysql://flux:secret@127.0.0.1:" + std::to_string(server.port()) + "/flux" + parameters;
}

std::string refused(const std::string& url) {
  const Error error = error_of([&] { MysqlDatabase(url, flux_test::hurried<SqlOptions>()).chat_store(); });
  CHECK(error.code() == Errc::store_failed);
  return error.message();
}

/// `hurried` has 300 ms for connecting.
void is_given_up(const std::string& url) {
  std::string message;
  const auto waited = flux_test::time_of([&] { message = refused(url); });
  CHECK_THAT(message, ContainsSubstring("did not answer in time"));
  CHECK(waited < std::chrono::milliseconds(1'500));
}

int connected_to(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  REQUIRE(path.size() < sizeof address.sun_path);
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  const int server = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  REQUIRE(::connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  return server;
}

}  // namespace

TEST_CASE("mysql stores: with sslca, a server without TLS receives nothing of the login", "[chat_store][mysql][tls]") {
  const auto mariadb = Mysql::or_skip();
  if (!mariadb) return;
  flux_test::Awaited<std::string> heard;
  const ScriptedServer server([&](int client) {
    flux_test::send_all(client, greeting());
    std::string all;
    for (std::string some; !(some = flux_test::receive_some(client)).empty();) all += some;
    heard.set(all);
  });
  const std::string message = refused(url_of(server, "?sslca=" + mariadb->tls_folder() + "/ca.pem"));
  CHECK_THAT(message, ContainsSubstring("server does not support it"));
  CHECK(heard.get().empty());
}

TEST_CASE("mysql stores: with sslca, a certificate for another name is refused", "[chat_store][mysql][tls]") {
  const auto mariadb = Mysql::or_skip();
  if (!mariadb) return;
  const std::string path = mariadb->address().host;
  const ScriptedServer server([&](int client) {  // the same MariaDB, whose certificate is for "localhost"
    const int to = connected_to(path);
    flux_test::relay(client, to);
    ::close(to);
  });
  const std::string plain = url_of(server);
  MysqlDatabase(plain).chat_store()->append("r", chat_message("r", "1")).value();
  const std::string message = refused(plain + "?sslca=" + mariadb->tls_folder() + "/ca.pem");
  CHECK_THAT(message, ContainsSubstring("certificate"));
}

TEST_CASE("mysql stores: a server that trickles bytes during the login is given up", "[chat_store][mysql]") {
  const auto mariadb = Mysql::or_skip();
  if (!mariadb) return;
  SECTION("in its greeting") {
    const ScriptedServer server([](int client) {
      if (flux_test::send_all(client, {"\x40\x1F\0\0", 4})) flux_test::trickle(client);  // 8 kB
    });
    is_given_up(url_of(server));
  }
  SECTION("in answering the login") {
    const ScriptedServer server([](int client) {
      if (!flux_test::send_all(client, greeting()) || flux_test::receive_some(client).empty()) return;
      if (flux_test::send_all(client, {"\x40\x1F\0\x02", 4})) flux_test::trickle(client);
    });
    is_given_up(url_of(server));
  }
  SECTION("in the handshake of TLS") {
    const ScriptedServer server([](int client) {
      if (!flux_test::send_all(client, greeting(tls)) || flux_test::receive_some(client).empty()) return;
      if (flux_test::send_all(client, {"\x16\x03\x03\x40\0\x02\0\x3F\xFC", 9})) flux_test::trickle(client);  // 16 kB
    });
    is_given_up(url_of(server, "?sslca=" + mariadb->tls_folder() + "/ca.pem"));
  }
}

TEST_CASE("mysql stores: a silent server is given up at the connect timeout", "[chat_store][mysql]") {
  const auto mariadb = Mysql::or_skip();
  if (!mariadb) return;
  const ScriptedServer server([](int client) { flux_test::receive_some(client); });
  is_given_up(url_of(server));
}

TEST_CASE("mysql stores: an encrypted connection is replaced when it was cut", "[chat_store][mysql][tls]") {
  const auto mariadb = Mysql::or_skip();
  if (!mariadb) return;
  const TempFolder folder;
  flux_test::SocketProxy proxy(folder / "socket", mariadb->address().host);
  const auto opened_store = MysqlDatabase("mysql://flux:secret@localhost/flux?socket=" + (folder / "socket") +
                                          "&sslca=" + mariadb->tls_folder() + "/ca.pem")
                                .chat_store();
  SqlChatStore& store = *opened_store;
  REQUIRE(store.append("r", chat_message("r", "1")).value() == 1);
  proxy.cut();
  CHECK(store.append("r", chat_message("r", "2")).value() == 2);
}

}  // namespace mysql_login_test
