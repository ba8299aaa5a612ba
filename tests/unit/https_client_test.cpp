// What the client accepts from a server, and what it refuses: certificates, lies, delays.

#include "catch.hpp"
#include "support/awaited.hpp"
#include "unit/support/issuer.hpp"

#include <flux/detail/transport/https_client.hpp>

#include <future>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#if defined(FLUX_WITH_TLS) && FLUX_WITH_TLS
#include "unit/support/certificate.hpp"
#endif

namespace https_client_test {

namespace {

using flux::Errc;
using flux::Result;
using flux::core::IpAddress;
using flux::transport::HttpResponse;
using flux::transport::HttpsClient;
using flux::transport::HttpsOptions;
using flux::transport::HttpsUrl;
using flux_test::Issuer;
using flux_test::IssuerPeer;
using flux_test::ok_response;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds long_time{20};  // a bound for what ends by itself

Result<HttpResponse> get(const std::string& url, HttpsOptions options = {}, const std::string& etag = {}) {
  return HttpsClient(HttpsUrl::parse(url).value(), std::move(options)).get(etag);
}

/// The body, or the error.
std::string text_of(const Result<HttpResponse>& response) {
  if (response) return response->body;
  CHECK((response.error().code() == Errc::server_error || response.error().code() == Errc::stopped));
  return "error: " + response.error().message();
}

std::string text_from(const Issuer& issuer, HttpsOptions options = {}) {
  return text_of(get(issuer.url(), std::move(options)));
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

HttpsOptions resolving(std::vector<IpAddress> addresses) {
  HttpsOptions options;
  options.resolve = [addresses = std::move(addresses)](const std::string&) { return addresses; };
  return options;
}

std::string url_error(const std::string& url) {
  const auto parsed = HttpsUrl::parse(url);
  if (parsed) return "none";
  CHECK((parsed.error().code() == Errc::bad_config));
  return parsed.error().message();
}

}  // namespace

TEST_CASE("https client: URLs that are valid, their parts follow", "[https]") {
  struct Case {
    const char* url;
    bool tls;
    const char* host;
    int port;
    const char* target;
    const char* authority;
  };
  for (const Case& c : std::vector<Case>{
           {"https://login.example.com/keys", true, "login.example.com", 443, "/keys", "login.example.com"},
           {"HTTPS://Login.Example.com", true, "Login.Example.com", 443, "/", "Login.Example.com"},
           {"https://a.b:8443?x=1", true, "a.b", 8443, "/?x=1", "a.b:8443"},
           {"https://192.0.2.1/a/b?c=%20", true, "192.0.2.1", 443, "/a/b?c=%20", "192.0.2.1"},
           {"https://[2001:db8::1]:9/k", true, "2001:db8::1", 9, "/k", "[2001:db8::1]:9"},
           {"http://localhost/k", false, "localhost", 80, "/k", "localhost"},
           {"http://127.4.5.6:8080/k", false, "127.4.5.6", 8080, "/k", "127.4.5.6:8080"},
           {"http://[::1]/k", false, "::1", 80, "/k", "[::1]"}}) {
    INFO(c.url);
    const auto url = HttpsUrl::parse(c.url);
    REQUIRE(url.ok());
    CHECK(url->tls == c.tls);
    CHECK(url->host == c.host);
    CHECK(url->port == c.port);
    CHECK(url->target == c.target);
    CHECK(url->authority == c.authority);
  }
  CHECK(HttpsUrl::parse("https://a.b/keys?token=secret")->shown == "https://a.b/keys");
}

TEST_CASE("https client: URLs that can't be used, the error says why", "[https]") {
  for (const char* url : {"", "login.example.com", "ftp://a.b/", "https:/a.b", "file:///etc/passwd", " https://a.b"}) {
    INFO(url);
    CHECK(url_error(url) == "the URL must begin with https://, or for this machine with http://");
  }
  for (const char* url :
       {"https://", "https:///keys", "https://:443/", "https://[::1/", "https://[]/", "https://[127.0.0.1]/",
        "https://[fe80::1%25eth0]/", "https://[fe80::1%eth0]/", "https://a b/", "https://m\xc3\xbcnchen.de/",
        "https://.a/", "https://-a/", "https://a%2eb/", "https://::1/"}) {
    INFO(url);
    CHECK(contains(url_error(url), "has no valid host"));
  }
  for (const char* url : {"https://a:/", "https://a:0/", "https://a:65536/", "https://a:x/", "https://a:443443/",
                          "https://[::1]x/", "https://a:-1/"}) {
    INFO(url);
    CHECK(url_error(url) == "the URL has a port that is not a number from 1 to 65535");
  }
  for (const char* url :
       {"https://a/#x", "https://a#x", "https://a/ b", "https://a/\xc3\xbc", "https://a/\r\nHost: b"}) {
    INFO(url);
    CHECK(contains(url_error(url), "characters other than visible ASCII"));
  }
  const std::string with_password = url_error("https://user:hunter2@a.b/");
  CHECK(contains(with_password, "user name or password"));
  CHECK_FALSE(contains(with_password, "hunter2"));
  for (const char* url : {"http://login.example.com/keys", "http://192.0.2.1/", "http://localhost.example.com/",
                          "http://[::2]/", "http://127.0.0.1.example.com/", "http://10.0.0.1/"}) {
    INFO(url);
    CHECK(contains(url_error(url), "begins with http://, which is only for this machine"));
  }
  CHECK(contains(url_error("https://a/" + std::string(3000, 'x')), "has 3010 bytes"));
}

TEST_CASE("https client: the request is a plain GET that asks for no compression", "[https]") {
  std::promise<std::string> head;
  const Issuer issuer(Issuer::answer([&](const std::string& received) {
    head.set_value(received);
    return ok_response("{}");
  }));
  CHECK(text_of(get(issuer.url("/a/keys?p=1"))) == "{}");
  CHECK(head.get_future().get() == "GET /a/keys?p=1 HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(issuer.port()) +
                                       "\r\nUser-Agent: flux\r\nAccept: application/json, */*;q=0.1\r\n"
                                       "Accept-Encoding: identity\r\nConnection: close\r\n\r\n");
}

TEST_CASE("https client: each way to frame a body, the body is complete", "[https]") {
  CHECK(text_from(Issuer(Issuer::answer(ok_response("sized")))) == "sized");
  CHECK(text_from(Issuer(Issuer::answer("HTTP/1.0 200 OK\r\n\r\nold"))) == "old");
  CHECK(text_from(Issuer(Issuer::answer(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nchu\r\n4\r\nnked\r\n0\r\n\r\n"))) == "chunked");
}

TEST_CASE("https client: other statuses than 200, each is an error, even with an endless body", "[https]") {
  const auto answered = [](const std::string& head) {
    return text_from(Issuer([&head](IssuerPeer& peer) {
      peer.read_head();
      if (!peer.send(head)) return;
      while (peer.send("more and more of it, without an end")) {
      }
    }));
  };
  CHECK(answered("HTTP/1.1 404 Not Found\r\n\r\n") == "error: the server answers with status 404 (Not Found)");
  CHECK(answered("HTTP/1.1 503 x\r\n\r\n") == "error: the server answers with status 503 (Service Unavailable)");
  CHECK(answered("HTTP/1.1 206 x\r\n\r\n") == "error: the server answers with status 206 (Partial Content)");
  CHECK(answered("HTTP/1.1 304 x\r\n\r\n") == "error: the server answers with status 304 (Not Modified)");
  for (const char* status : {"301", "302", "303", "307", "308"}) {
    CHECK(answered("HTTP/1.1 " + std::string(status) +
                   " x\r\nLocation: https://evil.example.com/keys\xff\x7f?a=secret\r\n\r\n")
              .empty() == false);
    CHECK(answered("HTTP/1.1 " + std::string(status) + " x\r\nLocation: https://a.b/k\xff?a=secret\r\n\r\n") ==
          "error: the server answers with a redirect (status " + std::string(status) +
              "), which is not followed; it names https://a.b/k?");
  }
  CHECK(answered("HTTP/1.1 302 x\r\n\r\n") ==
        "error: the server answers with a redirect (status 302), which is not followed");
}

TEST_CASE("https client: a redirect, nobody connects to its target", "[https]") {
  const Issuer target(Issuer::answer(ok_response("{}")));
  const Issuer issuer(Issuer::answer("HTTP/1.1 302 x\r\nLocation: " + target.url() + "\r\n\r\n"));
  CHECK(contains(text_from(issuer), "which is not followed"));
  CHECK(target.clients() == 0);
}

TEST_CASE("https client: a compressed body is refused", "[https]") {
  CHECK(text_from(Issuer(Issuer::answer(ok_response("xx", "Content-Encoding: gzip\r\n")))) ==
        "error: the body is compressed, which was not asked for");
  CHECK(text_from(Issuer(Issuer::answer(ok_response("xx", "Content-Encoding: identity\r\n")))) == "xx");
}

TEST_CASE("https client: an ETag is sent, 304 is a response", "[https]") {
  std::string head;
  const Issuer issuer(Issuer::answer([&](const std::string& received) {
    head = received;
    return "HTTP/1.1 304 Not Modified\r\nETag: \"1\"\r\nCache-Control: max-age=60\r\n\r\n";
  }));
  const auto response = get(issuer.url(), {}, "\"1\"");
  REQUIRE(response.ok());
  CHECK(response->status == 304);
  CHECK(contains(head, "\r\nIf-None-Match: \"1\"\r\n"));
}

TEST_CASE("https client: a server that closes early, the error says how far it came", "[https]") {
  CHECK(text_from(Issuer([](IssuerPeer& peer) { peer.read_head(); })) ==
        "error: the connection ended before the head of the response was complete");
  CHECK(text_from(Issuer(Issuer::answer("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort"))) ==
        "error: the connection ended within the body, after 5 bytes");
  CHECK(text_from(Issuer(Issuer::answer("SSH-2.0-OpenSSH_9.2\r\n"))) ==
        "error: the response does not begin with a status line of HTTP/1.1 or HTTP/1.0");
}

TEST_CASE("https client: endless heads and bodies, each ends at its limit", "[https]") {
  const auto endless = [](const std::string& begin, const std::string& more) {
    return text_from(Issuer([&](IssuerPeer& peer) {
      peer.read_head();
      if (!peer.send(begin)) return;
      while (peer.send(more)) {
      }
    }));
  };
  CHECK(endless("HTTP/1.1 200 OK\r\n", "A: b\r\n") == "error: the response has too many fields");
  CHECK(endless("HTTP/1.1 200 OK\r\nA: ", "bbbbbbbbbbbbbbbbbbbbbbbb") == "error: the head of the response is too long");
  CHECK(endless("HTTP/1.1 200 OK\r\n\r\n", "bbbbbbbbbbbbbbbbbbbbbbbb") == "error: the body has more than 262144 bytes");
  CHECK(endless("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "10\r\n0123456789abcdef\r\n") ==
        "error: the framing of the chunked body is too long");
  CHECK(endless("HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n", "b") ==
        "error: the declared body has more than 262144 bytes");
}

TEST_CASE("https client: slow servers, the whole request has one deadline", "[https]") {
  HttpsOptions options;
  options.timeout = std::chrono::milliseconds(200);
  const auto begin = Clock::now();
  const auto silent = [](IssuerPeer& peer) { peer.wait_for_end(); };
  CHECK(text_from(Issuer(silent), options) ==
        "error: no complete response within 200 ms; it timed out while reading the head");
  const auto trickling = [](IssuerPeer& peer) {
    peer.read_head();
    peer.send("HTTP/1.1 200 OK\r\n\r\n");
    flux_test::trickle(peer.socket());
  };
  CHECK(flux_test::eventually([&] {  // on a busy machine the server may need longer for the head
    return text_from(Issuer(trickling), options) ==
           "error: no complete response within 200 ms; it timed out while reading the body";
  }));
  CHECK(Clock::now() - begin < long_time);
}

TEST_CASE("https client: stop, a get that is waiting ends at once, and later ones", "[https]") {
  Issuer issuer([](IssuerPeer& peer) { peer.wait_for_end(); });
  HttpsOptions options;
  options.timeout = std::chrono::minutes(5);
  HttpsClient client(HttpsUrl::parse(issuer.url()).value(), options);
  auto got = std::async(std::launch::async, [&] { return client.get(); });
  REQUIRE(issuer.wait_for_clients(1));
  client.stop();
  REQUIRE(got.wait_for(long_time) == std::future_status::ready);
  const auto response = got.get();
  REQUIRE_FALSE(response.ok());
  CHECK((response.error().code() == Errc::stopped));
  CHECK((client.get().error().code() == Errc::stopped));
  client.stop();
}

TEST_CASE("https client: a resolver that hangs, timeout and stop don't wait for it, and it is called once", "[https]") {
  struct Resolver {  // outlives the client, as the thread that looks up does
    std::promise<void> release;
    std::shared_future<void> released{release.get_future()};
    std::promise<void> ended;
    std::atomic<int> calls{0};
  };
  const auto resolver = std::make_shared<Resolver>();
  const auto client = [&] {
    HttpsOptions options;
    options.timeout = std::chrono::milliseconds(50);
    options.resolve = [resolver](const std::string&) -> Result<std::vector<IpAddress>> {
      ++resolver->calls;
      resolver->released.wait();
      resolver->ended.set_value();
      return std::vector<IpAddress>{};
    };
    return std::make_unique<HttpsClient>(HttpsUrl::parse("http://localhost:1/").value(), options);
  }();
  for (int i = 0; i < 3; ++i) {
    CHECK(text_of(client->get()) == "error: no complete response within 50 ms; it timed out while looking up the name");
  }
  CHECK(flux_test::eventually([&] { return resolver->calls == 1; }));
  client->stop();
  CHECK((client->get().error().code() == Errc::stopped));
  resolver->release.set_value();
  CHECK(resolver->ended.get_future().wait_for(long_time) == std::future_status::ready);
}

TEST_CASE("https client: names without a usable address, the error says why", "[https]") {
  const Issuer issuer(Issuer::answer(ok_response("{}")));
  const std::string url = issuer.url("/", "localhost");
  CHECK(text_of(get(url, resolving({}))) == "error: localhost has no address");
  HttpsOptions failing;
  failing.resolve = [](const std::string&) { return flux::Error(Errc::server_error, "no such name"); };
  CHECK(text_of(get(url, failing)) == "error: can't look up localhost: no such name");
  failing.resolve = [](const std::string&) -> Result<std::vector<IpAddress>> { throw std::runtime_error("thrown"); };
  CHECK(text_of(get(url, failing)) == "error: can't look up localhost: thrown");
  CHECK(text_of(get(url, resolving({*IpAddress::parse("127.0.0.1"), *IpAddress::parse("192.0.2.1")}))) ==
        "error: localhost is not an address of this machine, which http:// requires");
  CHECK(issuer.clients() == 0);
  CHECK(text_of(get(url)) == "{}");  // by the system's resolver
}

TEST_CASE("https client: several addresses, the first that accepts is used", "[https]") {
  const Issuer issuer(Issuer::answer(ok_response("{}")));
  const auto v6 = *IpAddress::parse("::1");
  const auto v4 = *IpAddress::parse("127.0.0.1");
  const auto closed = *IpAddress::parse("127.0.0.9");
  CHECK(text_of(get(issuer.url("/", "localhost"), resolving({v6, closed, v4}))) == "{}");
  const std::string none = text_of(get(issuer.url("/", "localhost"), resolving({closed, v6})));
  CHECK(contains(none, "error: can't connect to port " + std::to_string(issuer.port()) + ": 127.0.0.9: "));
  CHECK(contains(none, "; ::1: "));
}

TEST_CASE("https client: an address that does not answer, the next one is tried beside it", "[https]") {
  const Issuer issuer(Issuer::answer(ok_response("{}")));
  // A listener whose queue is full drops further connections silently.
  const int full = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(issuer.port());
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1);
  REQUIRE(::bind(full, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(::listen(full, 0) == 0);
  std::vector<int> fillers;
  for (int i = 0; i < 4; ++i) {
    fillers.push_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    (void)::connect(fillers.back(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  }
  CHECK(text_of(get(issuer.url("/", "localhost"),
                    resolving({*IpAddress::parse("127.0.0.2"), *IpAddress::parse("127.0.0.1")}))) == "{}");
  HttpsOptions options = resolving({*IpAddress::parse("127.0.0.2")});
  options.timeout = std::chrono::milliseconds(100);
  CHECK(text_of(get(issuer.url("/", "localhost"), options)) ==
        "error: no complete response within 100 ms; it timed out while connecting");
  for (const int filler : fillers) ::close(filler);
  ::close(full);
}

#if defined(FLUX_WITH_TLS) && FLUX_WITH_TLS

using flux::testing::TestCertificate;

namespace {

std::shared_ptr<const flux::transport::TlsContext> context_of(const TestCertificate& certificate) {
  return flux::transport::make_tls_context({certificate.certificate_file(), certificate.private_key_file()}).value();
}

HttpsOptions trusting(const TestCertificate& certificate) {
  HttpsOptions options;
  options.ca_file = certificate.certificate_file();
  return options;
}

}  // namespace

TEST_CASE("https client: a certificate of a trusted authority, the body is received", "[https]") {
  const TestCertificate root({.name = "test root"});
  const TestCertificate leaf({.issuer = &root});
  const Issuer issuer(Issuer::answer(ok_response("{}")), context_of(leaf));
  CHECK(text_of(get(issuer.url(), trusting(root))) == "{}");
  CHECK(text_of(get(issuer.url("/", "localhost"), trusting(root))) == "{}");
  HttpsOptions options = trusting(root);
  options.resolve = resolving({*IpAddress::parse("::1"), *IpAddress::parse("127.0.0.1")}).resolve;
  CHECK(text_of(get(issuer.url("/", "localhost"), options)) == "{}");
}

TEST_CASE("https client: large bodies over TLS, every byte is received", "[https]") {
  const TestCertificate certificate;
  std::string body;
  for (int i = 0; body.size() < 250'000; ++i) body += std::to_string(i);
  const Issuer sized(Issuer::answer(ok_response(body)), context_of(certificate));
  CHECK((text_of(get(sized.url(), trusting(certificate))) == body));
  const Issuer until_end(Issuer::answer("HTTP/1.1 200 OK\r\n\r\n" + body), context_of(certificate));
  CHECK((text_of(get(until_end.url(), trusting(certificate))) == body));
}

TEST_CASE("https client: certificates that prove nothing, no request is sent", "[https]") {
  const auto refused = [](const TestCertificate& certificate, const HttpsOptions& options, const char* host) {
    std::atomic<bool> requested{false};
    const Issuer issuer(
        [&](IssuerPeer& peer) {
          if (!peer.read_head().empty()) requested = true;
        },
        context_of(certificate));
    HttpsOptions to_issuer = options;
    to_issuer.resolve = resolving({*IpAddress::parse("127.0.0.1")}).resolve;
    const std::string text = text_of(get(issuer.url("/", host), to_issuer));
    CHECK_FALSE(requested);
    return text;
  };
  const std::string failed = "error: TLS handshake: certificate verify failed: ";
  const TestCertificate certificate;
  const TestCertificate other;
  const TestCertificate expired({.valid_from = std::chrono::hours(-48), .valid_until = std::chrono::hours(-24)});
  const TestCertificate future({.valid_from = std::chrono::hours(24), .valid_until = std::chrono::hours(48)});
  CHECK(contains(refused(certificate, {}, "localhost"), failed + "self"));  // OpenSSL 1.1: "self signed"
  CHECK(contains(refused(certificate, trusting(other), "localhost"), failed + "self"));
  CHECK(refused(expired, trusting(expired), "localhost") == failed + "certificate has expired");
  CHECK(refused(future, trusting(future), "localhost") == failed + "certificate is not yet valid");
  CHECK(contains(refused(certificate, trusting(certificate), "login.example.com"), failed));
  CHECK(contains(refused(certificate, trusting(certificate), "login.example.com"), "ostname mismatch"));
  CHECK(contains(refused(certificate, trusting(certificate), "localhost.example.com"), "ostname mismatch"));

  const Issuer by_address(Issuer::answer(ok_response("{}")), context_of(certificate));
  CHECK(text_of(get(by_address.url("/", "127.0.0.1"), trusting(certificate))) == "{}");
  HttpsUrl url = HttpsUrl::parse(by_address.url("/", "127.0.0.1")).value();
  url.host = "2130706433";  // 127.0.0.1 as a number, which the resolver accepts, is no name of the certificate
  CHECK(contains(text_of(HttpsClient(url, trusting(certificate)).get()), "ostname mismatch"));
}

TEST_CASE("https client: a server without TLS on an https URL, the error says so", "[https]") {
  const TestCertificate certificate;
  const Issuer issuer([](IssuerPeer& peer) { peer.send("HTTP/1.1 400 Bad Request\r\n\r\n"); });
  std::string url = issuer.url();
  url.insert(4, "s");
  CHECK(contains(text_of(get(url, trusting(certificate))), "error: TLS handshake: "));
}

TEST_CASE("https client: over TLS a connection that is cut off is no end of a body", "[https]") {
  const TestCertificate certificate;
  const Issuer issuer(
      [](IssuerPeer& peer) {
        peer.read_head();
        peer.send("HTTP/1.1 200 OK\r\n\r\n{\"keys\":[");
      },
      context_of(certificate));
  CHECK(text_of(get(issuer.url(), trusting(certificate))) ==
        "error: the connection ended without TLS's close_notify: the response may be cut off");
}

TEST_CASE("https client: servers that stall in the handshake, deadline and stop end it", "[https]") {
  const TestCertificate certificate;
  Issuer issuer([](IssuerPeer& peer) { peer.wait_for_end(); });
  std::string url = issuer.url();
  url.insert(4, "s");
  HttpsOptions options = trusting(certificate);
  options.timeout = std::chrono::milliseconds(200);
  CHECK(text_of(get(url, options)) ==
        "error: no complete response within 200 ms; it timed out while shaking hands (TLS)");
  options.timeout = std::chrono::minutes(5);
  HttpsClient client(HttpsUrl::parse(url).value(), options);
  auto got = std::async(std::launch::async, [&] { return client.get(); });
  REQUIRE(issuer.wait_for_clients(2));
  client.stop();
  REQUIRE(got.wait_for(long_time) == std::future_status::ready);
  CHECK((got.get().error().code() == Errc::stopped));
}

TEST_CASE("https client: a CA file that can't be used, the constructor says so", "[https]") {
  HttpsOptions options;
  options.ca_file = "/nonexistent/ca.pem";
  try {
    const HttpsClient client(HttpsUrl::parse("https://a.b/").value(), options);
    FAIL("no exception");
  } catch (const flux::Error& error) {
    CHECK((error.code() == Errc::tls_failed));
    CHECK(contains(error.message(), "cannot use the CA file /nonexistent/ca.pem: "));
  }
}

#else

TEST_CASE("https client: a build without TLS, https URLs are refused", "[https]") {
  CHECK_THROWS_AS(HttpsClient(HttpsUrl::parse("https://a.b/").value(), {}), flux::Error);
}

#endif

}  // namespace https_client_test
