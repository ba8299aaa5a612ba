#include "catch.hpp"

#include <flux/detail/transport/websocket_handshake.hpp>

namespace websocket_handshake_test {

using namespace flux::transport;

namespace {

const std::string plain_answer = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

std::string answer(std::string_view offers) {
  const DeflateAgreement agreement = negotiate_deflate(offers, {.enabled = true});
  CHECK(agreement.enabled == !agreement.response_header.empty());
  return agreement.response_header;
}

}  // namespace

TEST_CASE("handshake: the key of RFC 6455 gives its accept value", "[websocket]") {
  CHECK(accept_key("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

TEST_CASE("handshake: a key is base64 of exactly 16 bytes", "[websocket]") {
  CHECK(valid_key("dGhlIHNhbXBsZSBub25jZQ=="));
  CHECK(valid_key("AAAAAAAAAAAAAAAAAAAAAA=="));
  CHECK(valid_key("+/+/+/+/+/+/+/+/+/+/+w=="));
  for (const std::string_view key :
       {"", "==", "dGhlIHNhbXBsZSBub25jZQ=", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZQ===",
        "dGhlIHNhbXBsZSBub25jZQA=", "dGhlIHNhbXBsZSBub25jZQAA", "dGhlIHNhbXBsZSBub25j=Q==", "dGhlIHNhbXBsZSBub25j-Q==",
        " dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25j Q==", "dGhlIHNhbXBsZSBub25jZQAAAA=="}) {
    CHECK_FALSE(valid_key(key));
  }
  CHECK_FALSE(valid_key(std::string_view("dGhlIHNhbXBsZSBub25j\0Q==", 24)));
}

TEST_CASE("negotiation: offers of browsers and libraries are accepted", "[websocket]") {
  CHECK(answer("permessage-deflate") == plain_answer);
  CHECK(answer("permessage-deflate; client_max_window_bits") == plain_answer);
  CHECK(answer("permessage-deflate;client_max_window_bits=10") == plain_answer);
  CHECK(answer("permessage-deflate; client_no_context_takeover; server_no_context_takeover") == plain_answer);
  CHECK(answer("x-webkit-deflate-frame, permessage-deflate") == plain_answer);
  CHECK(answer("foo; bar=\"baz\"; quux, permessage-deflate") == plain_answer);
  CHECK(answer(" ,\t, permessage-deflate \t; client_max_window_bits = \"1\\5\" ,") == plain_answer);
}

TEST_CASE("negotiation: a server window of 8 to 15 bits is accepted and echoed", "[websocket]") {
  CHECK(answer("permessage-deflate; server_max_window_bits=15") == plain_answer + "; server_max_window_bits=15");
  CHECK(answer("permessage-deflate; server_max_window_bits=\"15\"") == plain_answer + "; server_max_window_bits=15");
  for (int bits = 8; bits <= 15; ++bits) {
    const std::string parameter = "; server_max_window_bits=" + std::to_string(bits);
    CHECK(answer("permessage-deflate" + parameter) == plain_answer + parameter);
    CHECK(negotiate_deflate("permessage-deflate" + parameter, {.enabled = true}).window_bits == bits);
  }
  CHECK(negotiate_deflate("permessage-deflate", {.enabled = true}).window_bits == 15);
}

TEST_CASE("negotiation: an offer with an unknown, repeated or invalid parameter is declined", "[websocket]") {
  for (const std::string parameters :
       {"unknown", "unknown=1", "server_no_context_takeover=1", "client_no_context_takeover=true",
        "server_no_context_takeover; server_no_context_takeover", "client_max_window_bits; client_max_window_bits=9",
        "server_max_window_bits", "server_max_window_bits=15; server_max_window_bits=15", "server_max_window_bits=015",
        "server_max_window_bits=16", "server_max_window_bits=7", "server_max_window_bits=x", "client_max_window_bits=7",
        "client_max_window_bits=16", "client_max_window_bits=08", "client_max_window_bits=100",
        "Client_Max_Window_Bits"}) {
    INFO(parameters);
    CHECK(answer("permessage-deflate; " + parameters).empty());
    CHECK(answer("permessage-deflate; " + parameters + ", permessage-deflate; client_max_window_bits") == plain_answer);
  }
}

TEST_CASE("negotiation: a malformed header negotiates nothing", "[websocket]") {
  for (const std::string_view header : {"",
                                        ",",
                                        " ",
                                        ";",
                                        "permessage-deflate;",
                                        "permessage-deflate; ;",
                                        "permessage-deflate, ;",
                                        "permessage-deflate foo",
                                        "permessage-deflate; a=",
                                        "permessage-deflate, foo; a=\"",
                                        "permessage-deflate, foo; a=\"\"",
                                        "permessage-deflate, foo; a=\"b c\"",
                                        "permessage-deflate, foo; a=\"b\"c",
                                        "permessage-deflate, foo; a=\"\\",
                                        "permessage-deflate, foo; =b",
                                        "permessage-deflate, foo=1",
                                        "permessage-deflate, f@o",
                                        "permessage-deflate/",
                                        "permessage-deflate, \x7F",
                                        "permessage-deflate, \xC3\xA9",
                                        "permessage-deflate\r\n, foo",
                                        "permessage-deflat",
                                        "permessage-deflated"}) {
    INFO(header);
    CHECK(answer(header).empty());
  }
  CHECK(answer(std::string_view("permessage-deflate, a\0b", 23)).empty());
}

TEST_CASE("negotiation: compression that is off is never negotiated", "[websocket]") {
  const DeflateAgreement agreement = negotiate_deflate("permessage-deflate", {});
  CHECK_FALSE(agreement.enabled);
  CHECK(agreement.response_header.empty());
}

}  // namespace websocket_handshake_test
