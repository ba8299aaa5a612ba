#include <flux/detail/transport/tls.hpp>

#include "catch.hpp"

#include <string>

using flux::Errc;
using flux::TlsOptions;
using flux::transport::make_tls_context;

#if defined(FLUX_WITH_TLS) && FLUX_WITH_TLS

#include "unit/support/certificate.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <memory>
#include <random>
#include <string_view>
#include <utility>

namespace tls_test {

namespace {

using flux::testing::TestCertificate;
using flux::transport::TlsContext;
using flux::transport::TlsEngine;

TlsOptions files_of(const TestCertificate& certificate) {
  return {certificate.certificate_file(), certificate.private_key_file()};
}

std::shared_ptr<const TlsContext> context_of(const TestCertificate& certificate) {
  return make_tls_context(files_of(certificate)).value();
}

/// One pair of files for all tests that accept any certificate.
std::shared_ptr<const TlsContext> any_context() {
  static const TestCertificate certificate;
  static const std::shared_ptr<const TlsContext> context = context_of(certificate);
  return context;
}

std::string error_of(const TlsOptions& options) {
  const auto made = make_tls_context(options);
  REQUIRE_FALSE(made.ok());
  CHECK(made.error().code() == Errc::tls_failed);
  return made.error().message();
}

bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

std::string random_bytes(std::size_t size, unsigned seed) {
  std::mt19937 random(seed);
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random() & 0xFF);
  return bytes;
}

void write_file(const std::filesystem::path& path, std::string_view text) {
  std::ofstream(path, std::ios::binary) << text;
}

/// OpenSSL's own client between two memory BIOs.
class Client {
 public:
  struct Options {
    int version = 0;                 ///< such as TLS1_2_VERSION; 0: the newest
    std::string alpn{};              ///< in wire format; empty: not offered
    X509* trusted = nullptr;         ///< null: any certificate is accepted
    SSL_SESSION* session = nullptr;  ///< to be resumed
    std::string tls12_ciphers{};
  };

  Client() : Client(Options{}) {}
  explicit Client(const Options& options) : context_(SSL_CTX_new(TLS_client_method())) {
    if (options.version != 0) {
      SSL_CTX_set_min_proto_version(context_.get(), options.version);
      SSL_CTX_set_max_proto_version(context_.get(), options.version);
    }
    if (options.version != 0 && options.version < TLS1_2_VERSION) SSL_CTX_set_security_level(context_.get(), 0);
    if (!options.tls12_ciphers.empty()) SSL_CTX_set_cipher_list(context_.get(), options.tls12_ciphers.c_str());
    if (options.trusted != nullptr) {
      X509_STORE_add_cert(SSL_CTX_get_cert_store(context_.get()), options.trusted);
      SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER, nullptr);
    }
    ssl_.reset(SSL_new(context_.get()));
    SSL_set_bio(ssl_.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    if (!options.alpn.empty()) {
      SSL_set_alpn_protos(ssl_.get(), reinterpret_cast<const unsigned char*>(options.alpn.data()),
                          static_cast<unsigned>(options.alpn.size()));
    }
    if (options.session != nullptr) SSL_set_session(ssl_.get(), options.session);
    SSL_set_connect_state(ssl_.get());
  }

  SSL* ssl() const noexcept { return ssl_.get(); }
  const std::string& plain() const noexcept { return plain_; }
  bool handshake_done() const { return SSL_is_init_finished(ssl_.get()) == 1; }
  bool peer_finished() const { return (SSL_get_shutdown(ssl_.get()) & SSL_RECEIVED_SHUTDOWN) != 0; }
  /// The reason of the last failure; 0: none.
  int failure() const noexcept { return failure_; }

  void receive(std::string_view from_server) {
    BIO_write(SSL_get_rbio(ssl_.get()), from_server.data(), static_cast<int>(from_server.size()));
    step();
  }
  void step() {
    ERR_clear_error();
    char buffer[16'384];
    int size = 0;
    while ((size = SSL_read(ssl_.get(), buffer, sizeof buffer)) > 0) {
      plain_.append(buffer, static_cast<std::size_t>(size));
    }
    if (SSL_get_error(ssl_.get(), size) == SSL_ERROR_SSL) failure_ = ERR_GET_REASON(ERR_peek_error());
    ERR_clear_error();
  }
  void send(std::string_view plain) {
    ERR_clear_error();
    std::size_t written = 0;
    REQUIRE(SSL_write_ex(ssl_.get(), plain.data(), plain.size(), &written) == 1);
  }
  void finish() { SSL_shutdown(ssl_.get()); }
  /// The bytes to be sent to the server.
  std::string take() {
    BIO* const bio = SSL_get_wbio(ssl_.get());
    std::string bytes(BIO_ctrl_pending(bio), '\0');
    if (!bytes.empty()) BIO_read(bio, bytes.data(), static_cast<int>(bytes.size()));
    return bytes;
  }

 private:
  struct Free {
    void operator()(SSL_CTX* context) const noexcept { SSL_CTX_free(context); }
    void operator()(SSL* ssl) const noexcept { SSL_free(ssl); }
  };
  std::unique_ptr<SSL_CTX, Free> context_;
  std::unique_ptr<SSL, Free> ssl_;
  std::string plain_;
  int failure_ = 0;
};

/// A server's engine and its output.
struct Server {
  explicit Server(const TlsContext& context) : engine(context.engine()) {}

  bool receive(std::string_view bytes) { return engine->receive(bytes, plain, encrypted); }
  void send(std::string_view bytes) { engine->send(bytes, encrypted); }
  void finish() { engine->finish(encrypted); }
  std::string take() { return std::exchange(encrypted, {}); }

  std::unique_ptr<TlsEngine> engine;
  std::string plain;
  std::string encrypted;
};

/// Carries bytes both ways until neither side has more. False once the server's side has failed.
bool exchange(Client& client, Server& server) {
  client.step();
  bool whole = true;
  for (int turn = 0; turn < 100; ++turn) {
    const std::string to_server = client.take();
    whole = server.receive(to_server);
    const std::string to_client = server.take();
    if (to_server.empty() && to_client.empty()) return whole;
    client.receive(to_client);
    if (!whole) return false;
  }
  FAIL("client and server never fall silent");
  return false;
}

void connect(Client& client, Server& server) {
  REQUIRE(exchange(client, server));
  REQUIRE(client.handshake_done());
  REQUIRE(server.engine->handshake_done());
}

/// A connection from handshake to close, with the bytes to the server in two pieces, split at `split`. Returns their
/// number.
std::size_t live_with_split(Client& client, Server& server, std::size_t split) {
  std::size_t sent = 0;
  const auto deliver = [&] {
    const std::string bytes = client.take();
    const std::size_t first = split > sent ? std::min(split - sent, bytes.size()) : 0;
    REQUIRE(server.receive(std::string_view(bytes).substr(0, first)));
    REQUIRE(server.receive(std::string_view(bytes).substr(first)));
    sent += bytes.size();
    client.receive(server.take());
    return !bytes.empty();
  };
  client.step();
  while (deliver()) {
  }
  client.send("ping");
  deliver();
  server.send("pong");
  client.finish();
  deliver();
  server.finish();
  client.receive(server.take());
  return sent;
}

}  // namespace

TEST_CASE("tls: a handshake split at every byte succeeds and the text is exact", "[tls]") {
  const int version = GENERATE(TLS1_2_VERSION, TLS1_3_VERSION);
  std::size_t size = 1;
  for (std::size_t split = 0; split < size; ++split) {
    Client client({.version = version});
    Server server(*any_context());
    size = live_with_split(client, server, split);
    if (server.plain != "ping" || client.plain() != "pong" || !server.engine->peer_finished() ||
        !client.peer_finished()) {
      FAIL("split at " << split << " of " << size);
    }
  }
  CHECK(size > 200);
}

TEST_CASE("tls: single bytes both ways, the same text arrives", "[tls]") {
  const int version = GENERATE(TLS1_2_VERSION, TLS1_3_VERSION);
  Client client({.version = version});
  Server server(*any_context());
  const auto trickle = [&] {
    client.step();
    for (int turn = 0; turn < 10; ++turn) {
      for (const char byte : client.take()) REQUIRE(server.receive({&byte, 1}));
      for (const char byte : server.take()) client.receive({&byte, 1});
    }
  };
  trickle();
  REQUIRE(server.engine->handshake_done());
  const std::string up = random_bytes(40'000, 1);
  const std::string down = random_bytes(40'000, 2);
  client.send(up);
  server.send(down);
  trickle();
  CHECK(server.plain == up);
  CHECK(client.plain() == down);
  CHECK_FALSE(server.engine->peer_finished());
}

TEST_CASE("tls: 5 MB both ways at once in pieces of any size, the content is exact", "[tls]") {
  const int version = GENERATE(TLS1_2_VERSION, TLS1_3_VERSION);
  Client client({.version = version});
  Server server(*any_context());
  connect(client, server);
  const std::string up = random_bytes(5'000'000, 3);
  const std::string down = random_bytes(5'000'000, 4);
  std::mt19937 random(5);
  const auto piece = [&random](std::string_view rest) {
    return rest.substr(0, std::uniform_int_distribution<std::size_t>(1, random() % 4 == 0 ? 200'000 : 3'000)(random));
  };
  std::string_view up_rest = up;
  std::string_view down_rest = down;
  while (!up_rest.empty() || !down_rest.empty()) {
    if (const std::string_view next = piece(up_rest); !next.empty()) {
      client.send(next);
      up_rest.remove_prefix(next.size());
    }
    if (const std::string_view next = piece(down_rest); !next.empty()) {
      server.send(next);
      down_rest.remove_prefix(next.size());
    }
    const std::string bytes = client.take();
    for (std::string_view rest = bytes; !rest.empty();) {
      const std::string_view next = piece(rest);
      REQUIRE(server.receive(next));
      rest.remove_prefix(next.size());
    }
    client.receive(server.take());
  }
  CHECK((server.plain == up));
  CHECK((client.plain() == down));
}

TEST_CASE("tls: one send of 5 MB is output at once and complete", "[tls]") {
  Client client;
  Server server(*any_context());
  connect(client, server);
  const std::string down = random_bytes(5'000'000, 6);
  server.send(down);
  CHECK(server.encrypted.size() > down.size());
  CHECK(server.encrypted.size() < down.size() + down.size() / 100);
  client.receive(server.take());
  CHECK((client.plain() == down));
}

TEST_CASE("tls: output is appended to what is there", "[tls]") {
  Client client;
  Server server(*any_context());
  connect(client, server);
  server.plain = "plain ";
  server.encrypted = "before";
  client.send("text");
  REQUIRE(server.receive(client.take()));
  server.send("answer");
  CHECK(server.plain == "plain text");
  REQUIRE(server.encrypted.substr(0, 6) == "before");
  client.receive(std::string_view(server.encrypted).substr(6));
  CHECK(client.plain() == "answer");
}

TEST_CASE("tls: sends before the handshake is done are output in order once it is", "[tls]") {
  const int version = GENERATE(TLS1_2_VERSION, TLS1_3_VERSION);
  Client client({.version = version});
  Server server(*any_context());
  server.send("one ");
  server.send("two ");
  CHECK(server.encrypted.empty());
  SECTION("nothing else is sent") {
    connect(client, server);
    server.send("three");
    CHECK(exchange(client, server));
    client.receive(server.take());
    CHECK(client.plain() == "one two three");
    CHECK_FALSE(client.peer_finished());
  }
  SECTION("the end follows them") {
    server.finish();
    server.send("not this");
    CHECK(server.encrypted.empty());
    CHECK(exchange(client, server));
    CHECK(client.plain() == "one two ");
    CHECK(client.peer_finished());
  }
}

TEST_CASE("tls: close_notify from the peer, earlier data is available and the server may still send", "[tls]") {
  const int version = GENERATE(TLS1_2_VERSION, TLS1_3_VERSION);
  Client client({.version = version});
  Server server(*any_context());
  connect(client, server);
  client.send("last words");
  CHECK_FALSE(server.engine->peer_finished());
  client.finish();
  CHECK(server.receive(client.take() + "junk behind the end"));
  CHECK(server.plain == "last words");
  CHECK(server.engine->peer_finished());
  CHECK(server.receive("more junk"));
  CHECK(server.plain == "last words");
  CHECK(server.encrypted.empty());
  server.send("farewell");
  server.finish();
  client.receive(server.take());
  CHECK(client.plain() == "farewell");
  CHECK(client.peer_finished());
  CHECK(server.engine->error().empty());
}

TEST_CASE("tls: close_notify from the server, the peer may still send", "[tls]") {
  const int version = GENERATE(TLS1_2_VERSION, TLS1_3_VERSION);
  Client client({.version = version});
  Server server(*any_context());
  connect(client, server);
  server.finish();
  const std::string alert = server.take();
  CHECK_FALSE(alert.empty());
  server.finish();
  server.send("too late");
  CHECK(server.encrypted.empty());
  client.send("still here");
  CHECK(server.receive(client.take()));
  CHECK(server.plain == "still here");
  client.receive(alert);
  CHECK(client.peer_finished());
  client.finish();
  CHECK(server.receive(client.take()));
  CHECK(server.engine->peer_finished());
}

TEST_CASE("tls: the peer's bytes end without close_notify, the stream counts as unfinished", "[tls]") {
  Client client;
  Server server(*any_context());
  connect(client, server);
  client.send("whole");
  const std::string whole = client.take();
  client.send("cut off");
  const std::string cut = client.take();
  CHECK(server.receive(whole + cut.substr(0, cut.size() - 1)));
  CHECK(server.receive({}));
  CHECK(server.plain == "whole");
  CHECK_FALSE(server.engine->peer_finished());
}

TEST_CASE("tls: the peer aborts the handshake, an error", "[tls]") {
  Client client({.version = TLS1_2_VERSION});
  Server server(*any_context());
  client.step();
  REQUIRE(server.receive(client.take()));
  CHECK_FALSE(server.receive(std::string_view("\x15\x03\x03\x00\x02\x01\x00", 7)));  // close_notify
  CHECK(server.engine->error() == "TLS handshake: the peer gave up");
}

TEST_CASE("tls: plain HTTP on the TLS port is answered in plain HTTP", "[tls]") {
  const std::string request =
      GENERATE("GET / HTTP/1.1\r\n\r\n", "POST /a HTTP/1.1\r\n\r\n", "OPTIONS * HTTP/1.1\r\n\r\n",
               "BREW /pot HTTP/1.1\r\n\r\n", "G", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  Server server(*any_context());
  server.send("kept");
  CHECK_FALSE(server.receive(request));
  CHECK(server.engine->error() == "TLS handshake: plain HTTP came instead");
  CHECK(server.plain.empty());
  CHECK(server.encrypted.substr(0, 28) == "HTTP/1.1 400 Bad Request\r\nCo");
  CHECK(contains(server.encrypted, "https://"));
  server.take();
  CHECK_FALSE(server.receive(request));
  CHECK(server.encrypted.empty());
}

TEST_CASE("tls: garbage fails soon and memory does not grow", "[tls]") {
  std::mt19937 random(7);
  for (unsigned round = 0; round < 300; ++round) {
    std::string garbage = random_bytes(40'000, 100 + round);
    if (round % 3 == 1) garbage.replace(0, 3, "\x16\x03\x01");                                   // resembles a record
    if (round % 3 == 2) garbage.replace(0, 6, std::string_view("\x16\x03\x01\x10\x00\x01", 6));  // and a ClientHello
    Server server(*any_context());
    std::size_t taken = 0;
    bool whole = true;
    while (whole && taken < garbage.size()) {
      const std::size_t size = std::min<std::size_t>(1 + random() % 5'000, garbage.size() - taken);
      whole = server.receive(std::string_view(garbage).substr(taken, size));
      taken += size;
    }
    const bool plain_http = garbage.front() >= 'A' && garbage.front() <= 'Z';
    if (whole || !server.plain.empty() || server.encrypted.size() > (plain_http ? 200u : 20u) ||
        server.engine->error().empty() || server.engine->handshake_done()) {
      FAIL("round " << round << ": " << server.engine->error());
    }
  }
}

TEST_CASE("tls: one wrong byte anywhere in a record, the connection fails and its text is not delivered", "[tls]") {
  const int version = GENERATE(TLS1_2_VERSION, TLS1_3_VERSION);
  std::size_t size = 1;
  for (std::size_t at = 0; at < size; ++at) {
    Client client({.version = version});
    Server server(*any_context());
    connect(client, server);
    client.send("attack at dawn");
    std::string record = client.take();
    size = record.size();
    record[at] = static_cast<char>(record[at] ^ 0x01);
    client.send("and so on");
    record += client.take();  // if the length was increased
    server.send("last that counts");
    server.take();
    const bool whole = server.receive(record);
    if (!server.plain.empty() || (whole && at != 3) || (!whole && server.engine->error().empty())) FAIL("byte " << at);
    if (whole) continue;
    server.take();
    server.send("after");
    server.finish();
    if (!server.encrypted.empty() || server.receive("x")) FAIL("byte " << at << ": it goes on after the error");
  }
}

TEST_CASE("tls: a record that announces too much is refused by its header", "[tls]") {
  const int version = GENERATE(TLS1_2_VERSION, TLS1_3_VERSION);
  Client client({.version = version});
  Server server(*any_context());
  connect(client, server);
  CHECK_FALSE(server.receive("\x17\x03\x03\xFF\xFF"));
  CHECK(contains(server.engine->error(), "TLS: "));
  CHECK(contains(server.engine->error(), "length too long"));
  client.receive(server.take());
  CHECK(client.failure() == SSL_R_TLSV1_ALERT_RECORD_OVERFLOW);
}

TEST_CASE("tls: records of the largest size and empty ones, both are read", "[tls]") {
  Client client;
  Server server(*any_context());
  connect(client, server);
  const std::string record = random_bytes(16'384, 8);
  client.send({});
  client.send(record);
  client.send({});
  CHECK(server.receive(client.take()));
  CHECK((server.plain == record));
  server.send({});
  CHECK(server.encrypted.empty());
}

TEST_CASE("tls: a client below TLS 1.2 is refused with an alert", "[tls]") {
  Client client({.version = TLS1_1_VERSION, .tls12_ciphers = "ALL"});
  Server server(*any_context());
  CHECK_FALSE(exchange(client, server));
  CHECK(contains(server.engine->error(), "TLS handshake: unsupported protocol"));
  CHECK(client.failure() == SSL_R_TLSV1_ALERT_PROTOCOL_VERSION);
}

TEST_CASE("tls: TLS 1.2 ciphers without forward secrecy or with CBC are refused", "[tls]") {
  const std::string ciphers = GENERATE("AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA256", "ECDHE-ECDSA-AES128-SHA");
  Client client({.version = TLS1_2_VERSION, .tls12_ciphers = ciphers});
  Server server(*any_context());
  CHECK_FALSE(exchange(client, server));
  CHECK(contains(server.engine->error(), "no shared cipher"));
}

TEST_CASE("tls: ALPN, http/1.1 is chosen if it is offered", "[tls]") {
  const int version = GENERATE(TLS1_2_VERSION, TLS1_3_VERSION);
  const auto chosen = [version](std::string offered) {
    Client client({.version = version, .alpn = offered});
    Server server(*any_context());
    connect(client, server);
    const unsigned char* name = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(client.ssl(), &name, &size);
    return std::string(name, name + size);
  };
  CHECK(chosen("\x08http/1.1") == "http/1.1");
  CHECK(chosen("\x02h2\x08http/1.1") == "http/1.1");
  CHECK(chosen("").empty());

  Client client({.version = version, .alpn = "\x02h2"});
  Server server(*any_context());
  CHECK_FALSE(exchange(client, server));
  CHECK(contains(server.engine->error(), "no application protocol"));
}

TEST_CASE("tls: a client returns with its ticket, the session is resumed", "[tls]") {
  const int version = GENERATE(TLS1_2_VERSION, TLS1_3_VERSION);
  Client first({.version = version});
  Server server(*any_context());
  connect(first, server);
  const std::unique_ptr<SSL_SESSION, decltype(&SSL_SESSION_free)> session(SSL_get1_session(first.ssl()),
                                                                          &SSL_SESSION_free);
  Client again({.version = version, .session = session.get()});
  Server other(*any_context());
  connect(again, other);
  CHECK(SSL_session_reused(again.ssl()) == 1);
  again.send("hello");
  CHECK(exchange(again, other));
  CHECK(other.plain == "hello");
}

TEST_CASE("tls: key updates, both sides continue", "[tls]") {
  Client client({.version = TLS1_3_VERSION});
  Server server(*any_context());
  connect(client, server);
  std::string up;
  std::string down;
  for (int round = 0; round < 20; ++round) {
    SSL_key_update(client.ssl(), SSL_KEY_UPDATE_REQUESTED);
    client.send("up");
    up += "up";
    for (const char byte : client.take()) REQUIRE(server.receive({&byte, 1}));
    server.send("down");
    down += "down";
    client.receive(server.take());
  }
  CHECK(server.plain == up);
  CHECK(client.plain() == down);
}

TEST_CASE("tls: a client asks for renegotiation, it is refused and the server keeps running", "[tls]") {
  Client client({.version = TLS1_2_VERSION});
  Server server(*any_context());
  connect(client, server);
  REQUIRE(SSL_renegotiate(client.ssl()) == 1);
  SSL_do_handshake(client.ssl());
  CHECK(server.receive(client.take()));
  CHECK(server.engine->handshake_done());
  const std::string refusal = server.take();
  CHECK_FALSE(refusal.empty());
  CHECK(refusal.size() < 100);
  client.receive(refusal);
  CHECK(client.failure() == SSL_R_NO_RENEGOTIATION);
}

TEST_CASE("tls: key updates without data, 32 in a row are answered and one more fails the connection", "[tls]") {
  Client client({.version = TLS1_3_VERSION});
  Server server(*any_context());
  connect(client, server);
  const auto key_update = [&] {
    SSL_key_update(client.ssl(), SSL_KEY_UPDATE_REQUESTED);
    SSL_do_handshake(client.ssl());
    return client.take();
  };
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 32; ++i) REQUIRE(server.receive(key_update()));
    client.send("data");
    REQUIRE(server.receive(client.take()));
  }
  CHECK(server.plain == "datadatadata");
  server.take();
  std::string flood;
  for (int i = 0; i < 10'000; ++i) flood += key_update();
  CHECK_FALSE(server.receive(flood));
  CHECK(contains(server.engine->error(), "more than 32 records in a row without data"));
  CHECK(server.encrypted.size() < 33 * 100);
}

TEST_CASE("tls: an unrelated error in the thread's queue is not attributed to the connection", "[tls]") {
  const auto spoil = [] { BIO_free(BIO_new_file("/nonexistent/file", "r")); };
  Client client;
  Server server(*any_context());
  client.step();
  for (int turn = 0; turn < 5; ++turn) {
    const std::string bytes = client.take();
    spoil();
    REQUIRE(server.receive(bytes));
    client.receive(server.take());
  }
  spoil();
  server.send("text");
  client.receive(server.take());
  CHECK(client.plain() == "text");
  spoil();
  CHECK_FALSE(server.receive("\x17\x03\x03\xFF\xFF"));
  CHECK_FALSE(contains(server.engine->error(), "file"));
  CHECK(ERR_peek_error() == 0);
  spoil();
  const TestCertificate certificate;
  CHECK(make_tls_context(files_of(certificate)).ok());
}

TEST_CASE("tls: a chain file, the client gets all of it and trusts its root", "[tls]") {
  const TestCertificate root({.name = "test root"});
  const TestCertificate leaf(
      {.key_type = GENERATE(TestCertificate::KeyType::ec_p256, TestCertificate::KeyType::rsa_2048), .issuer = &root});
  Client client({.trusted = root.x509()});
  Server server(*context_of(leaf));
  connect(client, server);
  CHECK(SSL_get_verify_result(client.ssl()) == X509_V_OK);
  CHECK(sk_X509_num(SSL_get_peer_cert_chain(client.ssl())) == 2);
}

TEST_CASE("tls: an expired certificate loads, and the error names the client's refusal", "[tls]") {
  const TestCertificate expired({.valid_from = std::chrono::hours(-48), .valid_until = std::chrono::hours(-24)});
  const auto context = context_of(expired);
  Client client({.trusted = expired.x509()});
  Server server(*context);
  CHECK_FALSE(exchange(client, server));
  CHECK(client.failure() == SSL_R_CERTIFICATE_VERIFY_FAILED);
  CHECK_FALSE(server.receive(client.take()));
  CHECK(contains(server.engine->error(), "alert certificate expired"));
}

TEST_CASE("tls: a second context from new files, engines of the first continue without it", "[tls]") {
  auto old_certificate = std::make_unique<TestCertificate>();
  auto context = context_of(*old_certificate);
  Client talking;
  Server talking_server(*context);
  connect(talking, talking_server);
  Client half;
  Server half_server(*context);
  half.step();
  REQUIRE(half_server.receive(half.take()));
  Server fresh_server(*context);

  const TestCertificate new_certificate;
  context = context_of(new_certificate);
  old_certificate.reset();

  talking.send("still");
  CHECK(exchange(talking, talking_server));
  CHECK(talking_server.plain == "still");
  half.receive(half_server.take());
  connect(half, half_server);
  Client fresh;
  connect(fresh, fresh_server);
  Client newcomer({.trusted = new_certificate.x509()});
  Server newcomer_server(*context);
  connect(newcomer, newcomer_server);
}

TEST_CASE("tls: unusable files, the error names the file and the reason", "[tls]") {
  const TestCertificate certificate;
  const TestCertificate other;
  const TestCertificate rsa({.key_type = TestCertificate::KeyType::rsa_2048});
  const TestCertificate locked({.passphrase = "secret"});
  const std::string good_certificate = certificate.certificate_file();
  const std::string good_key = certificate.private_key_file();
  const std::string missing = (certificate.folder() / "missing.pem").string();
  const std::string junk = (certificate.folder() / "junk.pem").string();
  const std::string empty = (certificate.folder() / "empty.pem").string();
  write_file(junk, "-----BEGIN CERTIFICATE-----\nnot base64 at all!\n-----END CERTIFICATE-----\n");
  write_file(empty, "");

  CHECK(error_of({"", good_key}) == "TlsOptions::certificate_file is empty");
  CHECK(error_of({good_certificate, ""}) == "TlsOptions::private_key_file is empty");
  for (const std::string& file : {missing, junk, empty, certificate.folder().string()}) {
    INFO(file);
    CHECK(contains(error_of({file, good_key}), "cannot use the TLS certificate file " + file + ": "));
    CHECK(contains(error_of({good_certificate, file}), "cannot use the TLS private key file " + file + ": "));
  }
  CHECK(contains(error_of({missing, good_key}), "No such file or directory"));
  CHECK(contains(error_of({good_certificate, missing}), "No such file or directory"));
  CHECK(contains(error_of({good_key, good_key}), "cannot use the TLS certificate file " + good_key));
  CHECK(contains(error_of({good_certificate, good_certificate}), "cannot use the TLS private key file"));
  for (const TestCertificate* stranger : {&other, &rsa}) {
    const std::string text = error_of({good_certificate, stranger->private_key_file()});
    CHECK(contains(text, "the TLS private key in " + stranger->private_key_file() +
                             " does not belong to the certificate in " + good_certificate + ": "));
  }
  CHECK(contains(error_of(files_of(locked)), "has a passphrase; flux needs one without"));
  CHECK(make_tls_context(files_of(certificate)).ok());
}

}  // namespace tls_test

#else

namespace tls_test {

TEST_CASE("tls: a build without TLS, the context reports it", "[tls]") {
  const auto made = make_tls_context(TlsOptions{"certificate.pem", "key.pem"});
  REQUIRE_FALSE(made.ok());
  CHECK(made.error().code() == Errc::tls_failed);
  CHECK(made.error().message() == "this build of flux has no TLS; configure it with FLUX_WITH_TLS=ON and OpenSSL");
}

}  // namespace tls_test

#endif
