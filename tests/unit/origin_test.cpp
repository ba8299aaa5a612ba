#include "catch.hpp"

#include <flux/detail/gate/origin.hpp>

#include <map>

namespace origin_test {

using flux::gate::normal_origins;
using flux::gate::origin_allowed;
using flux::gate::punycode;
using flux::gate::same_origin;

namespace {

/// The normalised form of an entry; the error if it is refused.
std::string normal(const std::string& entry) {
  try {
    return normal_origins("Config::origins", {entry}).at(0);
  } catch (const flux::Error& error) {
    return error.message();
  }
}

}  // namespace

TEST_CASE("origin: without a list, only the requested host's own origin is allowed", "[origin]") {
  const auto allowed = [](std::string_view origin, std::string_view host, bool tls = false) {
    return origin_allowed({}, origin, host, tls);
  };
  CHECK(allowed("http://app.example.com", "app.example.com"));
  CHECK(allowed("http://app.example.com:8080", "app.example.com:8080"));
  CHECK(allowed("http://[::1]:8080", "[::1]:8080"));
  CHECK(allowed("http://app.example.com", "App.Example.com"));
  CHECK(allowed("https://app.example.com", "app.example.com"));      // behind a proxy that terminates TLS
  CHECK(allowed("https://app.example.com", "app.example.com:443"));  // the scheme's default port may be given
  CHECK(allowed("http://app.example.com", "app.example.com:80"));
  CHECK(allowed("https://app.example.com", "app.example.com", true));
  CHECK_FALSE(allowed("http://app.example.com", "app.example.com", true));
  CHECK_FALSE(allowed("http://app.example.com", "app.example.com:443"));
  for (const char* origin : {"", "null", "*", "file://", "https://evil.example", "app.example.com",
                             "://app.example.com", "http://app.example.com:8080", "http://app.example.com.evil.example",
                             "http://evil.app.example.com", "ftp://app.example.com", "http://app.example.com/"}) {
    INFO(origin);
    CHECK_FALSE(allowed(origin, "app.example.com"));
  }
  CHECK_FALSE(allowed("http://", ""));
  CHECK(origin_allowed({}, std::nullopt, "app.example.com", false));
}

TEST_CASE("origin: with a star in the list every origin is allowed", "[origin]") {
  for (const char* origin : {"https://evil.example", "null", "file://"}) {
    CHECK(origin_allowed({"https://app.example.com", "*"}, origin, "app.example.com", false));
  }
}

TEST_CASE("origin: only origins on the list are allowed, compared as a whole", "[origin]") {
  const std::vector<std::string> list = {"https://app.example.com", "http://localhost:8080", "file://"};
  const auto allowed = [&](std::string_view origin) { return origin_allowed(list, origin, "localhost", false); };
  CHECK(allowed("https://app.example.com"));
  CHECK(allowed("http://localhost:8080"));
  CHECK(allowed("file://"));
  for (const char* origin :
       {"", "null", "*", "http://app.example.com", "https://app.example.com:444", "https://app.example.com/",
        "https://app.example.com.evil.example", "https://evil.example/https://app.example.com",
        "https://sub.app.example.com", "HTTPS://APP.EXAMPLE.COM", "http://localhost"}) {
    INFO(origin);
    CHECK_FALSE(allowed(origin));
  }
  CHECK(origin_allowed(list, std::nullopt, "localhost", false));  // the request does not come from a page
}

TEST_CASE("origin: an entry must have the form that browsers send, any other is refused by name", "[origin]") {
  for (const char* entry :
       {"*", "null", "file://", "https://app.example.com", "http://localhost:8080", "http://[::1]:8080", "http://[::1]",
        "https://192.0.2.7", "http://h:443", "capacitor://localhost", "https://xn--bcher-kva.example"}) {
    CHECK(normal(entry) == entry);
  }
  for (const char* entry :
       {"", "app.example.com", "app.example.com:443", "https://", "://app.example.com", "https://app.example.com/",
        "https://app.example.com/chat", "https://App.example.com", "HTTPS://app.example.com", "https://*.example.com",
        "https://app.example.com:443", "http://app.example.com:80", "https://ada@app.example.com", "file:///tmp",
        "https://app.example.com https://other.example.com",
        "https://b\xFC"
        "cher.example"}) {
    INFO(entry);
    CHECK_THAT(normal(entry), Catch::Matchers::StartsWith("Config::origins: \"" + std::string(entry) +
                                                          "\" is not an origin; write \"https://app.example.com\""));
  }
}

TEST_CASE("origin: letters outside ASCII are compared in the form that browsers send", "[origin]") {
  const std::map<std::string, std::string> names = {
      {"b\u00fccher.example", "xn--bcher-kva.example"},
      {"b\u00fccher.example:8443", "xn--bcher-kva.example:8443"},
      {"stra\u00dfe.de", "xn--strae-oqa.de"},
      {"\u0105\u0142\u017a.pl", "xn--2da6jsg.pl"},
      {"\u043f\u0440\u0438\u043c\u0435\u0440.\u0440\u0444:8080", "xn--e1afmkfd.xn--p1ai:8080"},
      {"\u03c0\u03b1\u03c1\u03ac\u03b4\u03b5\u03b9\u03b3\u03bc\u03b1.gr", "xn--hxajbheg2az3al.gr"},
      {"\u4f8b\u3048.jp", "xn--r8jz45g.jp"},
      {"\ud55c\uad6d.example", "xn--3e0b707e.example"},
  };
  for (const auto& [name, sent] : names) CHECK(normal("https://" + name) == "https://" + sent);
  // Browsers transform these: capitals, uncomposed characters, full-width letters, ligatures.
  for (const char* name : {"B\u00dcCHER.example", "\u0104.pl", "bu\u0308cher.example", "\uff41.example",
                           "\ufb01.example", "\u0149.example", "a\u200db.example"}) {
    INFO(name);
    CHECK_THAT(normal("https://" + std::string(name)),
               Catch::Matchers::ContainsSubstring("xn--") || Catch::Matchers::ContainsSubstring("is not an origin"));
    CHECK_THAT(normal("https://" + std::string(name)), Catch::Matchers::StartsWith("Config::origins: "));
  }
}

// RFC 3492, 7.1.
TEST_CASE("punycode: the sample strings of its specification", "[origin]") {
  CHECK(punycode("\u4ed6\u4eec\u4e3a\u4ec0\u4e48\u4e0d\u8bf4\u4e2d\u6587") == "ihqwcrb4cv8a8dqg056pqjye");
  CHECK(punycode("3\u5e74B\u7d44\u91d1\u516b\u5148\u751f") == "3B-ww4c5e180e575a65lsy2b");
  CHECK(punycode("Hello-Another-Way-\u305d\u308c\u305e\u308c\u306e\u5834\u6240") ==
        "Hello-Another-Way--fc4qua05auwb3674vfr0b");
  CHECK(punycode("\u305d\u306e\u30b9\u30d4\u30fc\u30c9\u3067") == "d9juau41awczczp");
  CHECK(punycode("\u043f\u043e\u0447\u0435\u043c\u0443\u0436\u0435\u043e\u043d\u0438\u043d\u0435\u0433\u043e\u0432"
                 "\u043e\u0440\u044f\u0442\u043f\u043e\u0440\u0443\u0441\u0441\u043a\u0438") ==
        "b1abfaaepdrnnbgefbadotcwatmq2g4l");
}

}  // namespace origin_test
