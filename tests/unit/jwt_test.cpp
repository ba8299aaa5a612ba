// JSON Web Tokens: what is accepted, everything that must be refused, keys and key sets. The good tokens are those of
// the RFCs, and some that are signed here; forged ones are put together here.
#include "catch.hpp"

#include <flux/jwt.hpp>

#if defined(FLUX_WITH_TLS) && FLUX_WITH_TLS

#include <flux/detail/core/base64url.hpp>
#include <flux/detail/core/digest.hpp>
#include <flux/detail/gate/jwt_key.hpp>

#include "support/temp_folder.hpp"
#include "support/token_keys.hpp"
#include "unit/support/certificate.hpp"

#include <openssl/err.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <fstream>
#include <functional>
#include <iterator>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace jwt_test {

using namespace flux;
using flux::testing::TokenKey;
using jwt::Algorithm;
using jwt::Key;
using jwt::Refusal;
using jwt::Rules;

namespace {

using Time = std::chrono::system_clock::time_point;

constexpr std::int64_t now_seconds = 1'700'000'000;
Time at(std::int64_t seconds) { return Time(std::chrono::seconds(seconds)); }
const Time now = at(now_seconds);

std::string encoded(std::string_view bytes) {
  std::string text;
  core::append_base64url(text, bytes);
  return text;
}

const std::string secret_bytes(32, 's');
Key secret(std::string id = {}) { return Key::secret(Algorithm::hs256, secret_bytes, std::move(id)); }

std::string signature_of(std::string_view text, const Key& key) {
  return jwt::detail::KeyAccess::state(key).sign(text).value();
}
/// A token with these parts, signed by `key`, whatever they are.
std::string token_of_parts(const std::string& header, const std::string& claims, const Key& key = secret()) {
  const std::string text = header + "." + claims;
  return text + "." + encoded(signature_of(text, key));
}
std::string token_of(std::string_view header, std::string_view claims, const Key& key = secret()) {
  return token_of_parts(encoded(header), encoded(claims), key);
}
const std::string plain_header = R"({"alg":"HS256","typ":"JWT"})";
const std::string lasting = R"({"sub":"7","exp":1700000100})";
std::string token_of_claims(std::string_view claims) { return token_of(plain_header, claims); }
std::string token_of_header(std::string_view header) { return token_of(header, lasting); }

/// Why a token is refused, and the sentence for the log.
struct Verdict {
  Refusal refusal = Refusal::none;
  std::string cause{};
};
Verdict outcome(std::string_view token, const std::vector<Key>& keys = {secret()}, const Rules& rules = {},
                Time time = now) {
  Verdict out;
  const auto verified = jwt::verify(token, keys, rules, time, &out.refusal);
  CHECK(verified.ok() == (out.refusal == Refusal::none));
  if (verified) return out;
  CHECK(verified.error().code() == Errc::unauthorized);
  CHECK(verified.error().message() ==
        (out.refusal == Refusal::expired ? "Authentication token expired" : "Invalid authentication token"));
  CHECK(verified.error().cause() != verified.error().message());
  out.cause = verified.error().cause();
  return out;
}
Refusal refusal_of(std::string_view token, const std::vector<Key>& keys = {secret()}, const Rules& rules = {},
                   Time time = now) {
  return outcome(token, keys, rules, time).refusal;
}
/// Whether the token is refused as malformed, and the log's sentence has this text.
bool is_malformed(std::string_view token, std::string_view cause, const std::vector<Key>& keys = {secret()}) {
  const Verdict out = outcome(token, keys);
  if (out.refusal == Refusal::malformed && out.cause.find(cause) != std::string::npos) return true;
  UNSCOPED_INFO("refusal " << static_cast<int>(out.refusal) << ": " << out.cause);
  return false;
}

std::string message_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    CHECK(error.code() == Errc::bad_config);
    return error.message();
  }
  return "no error";
}
bool is_refused(std::string_view part_of_message, const std::function<void()>& call) {
  const std::string message = message_of(call);
  UNSCOPED_INFO(message);
  return message.find(part_of_message) != std::string::npos;
}

const TokenKey& rsa_pair() {
  static const TokenKey pair = TokenKey::rsa();
  return pair;
}
const TokenKey& p256_pair() {
  static const TokenKey pair = TokenKey::ec(NID_X9_62_prime256v1);
  return pair;
}
const TokenKey& ed25519_pair() {
  static const TokenKey pair = TokenKey::ed25519();
  return pair;
}

struct Pair {
  Algorithm algorithm;
  const TokenKey& pair;
  std::size_t signature_bytes;
};
/// Every algorithm with a public key.
const std::vector<Pair>& pairs() {
  static const TokenKey p384 = TokenKey::ec(NID_secp384r1);
  static const TokenKey p521 = TokenKey::ec(NID_secp521r1);
  static const std::vector<Pair> all{
      {Algorithm::rs256, rsa_pair(), 256},    {Algorithm::rs384, rsa_pair(), 256}, {Algorithm::rs512, rsa_pair(), 256},
      {Algorithm::ps256, rsa_pair(), 256},    {Algorithm::ps384, rsa_pair(), 256}, {Algorithm::ps512, rsa_pair(), 256},
      {Algorithm::es256, p256_pair(), 64},    {Algorithm::es384, p384, 96},        {Algorithm::es512, p521, 132},
      {Algorithm::eddsa, ed25519_pair(), 64},
  };
  return all;
}

/// The public key of an EC pair as a JSON Web Key.
std::string ec_jwk(const TokenKey& pair, std::string_view curve, std::size_t width, std::string_view more = {}) {
  const std::string der = pair.public_der();
  return R"({"kty":"EC","crv":")" + std::string(curve) + R"(","x":")" +
         encoded(std::string_view(der).substr(der.size() - 2 * width, width)) + R"(","y":")" +
         encoded(std::string_view(der).substr(der.size() - width)) + "\"" + std::string(more) + "}";
}
std::string set_of(std::string_view keys) { return R"({"keys":[)" + std::string(keys) + "]}"; }

// RFC 7515, A.1 to A.3: the same claims, signed with three algorithms.
constexpr std::string_view rfc_secret =
    "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
constexpr std::string_view rfc_claims =
    ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.";
std::string rfc_token(std::string_view header, std::string_view signature) {
  return std::string(header).append(rfc_claims).append(signature);
}
const std::string rfc_hs256 =
    rfc_token("eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
const std::string rfc_rs256 = rfc_token(
    "eyJhbGciOiJSUzI1NiJ9",
    "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1d"
    "nZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwu"
    "sC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77R"
    "w");
const std::string rfc_rsa_key =
    R"({"kty":"RSA","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4Q)"
    R"(lL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo)"
    R"(7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2P)"
    R"(AcDTW9gb54h4FRWyuXpoQ","e":"AQAB"})";
const std::string rfc_es256 = rfc_token(
    "eyJhbGciOiJFUzI1NiJ9", "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q");
const std::string rfc_ec_key = R"({"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",)"
                               R"("y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"})";
constexpr std::int64_t rfc_expiry = 1300819380;

}  // namespace

// --- What is accepted ---

TEST_CASE("jwt: the HS256 token of RFC 7515 is accepted until it expires, and with its key only", "[jwt]") {
  const Key key = Key::secret(Algorithm::hs256, core::decode_base64url(rfc_secret).value());
  const auto token = jwt::verify(rfc_hs256, key, Rules{.issuers = {"joe"}}, at(rfc_expiry - 1)).value();
  CHECK(token.claims.get<std::string>("/iss") == "joe");
  CHECK(token.claims.get<bool>("/http:~1~1example.com~1is_root") == true);
  CHECK(token.expires_at == at(rfc_expiry));
  CHECK(token.algorithm == Algorithm::hs256);
  CHECK(token.id.empty());
  CHECK(token.key_id.empty());
  CHECK_FALSE(token.issued_at);

  CHECK(refusal_of(rfc_hs256, {key}, {}, at(rfc_expiry + 29)) == Refusal::none);
  CHECK(refusal_of(rfc_hs256, {key}, {}, at(rfc_expiry + 30)) == Refusal::expired);
  CHECK(refusal_of(rfc_hs256, {secret()}, {}, at(rfc_expiry - 1)) == Refusal::signature);
}

TEST_CASE("jwt: the tokens of RFC 7515 and RFC 8037 are accepted with keys of a JSON Web Key Set", "[jwt]") {
  const auto set = jwt::read_jwks(set_of(rfc_rsa_key + "," + rfc_ec_key)).value();
  CHECK(set.left_out.empty());
  REQUIRE(set.keys.size() == 2);
  CHECK(set.keys[0].algorithm() == Algorithm::rs256);
  CHECK(set.keys[1].algorithm() == Algorithm::es256);
  CHECK_FALSE(set.keys[0].can_sign());
  CHECK(refusal_of(rfc_rs256, set.keys, {}, at(rfc_expiry)) == Refusal::none);
  CHECK(refusal_of(rfc_es256, set.keys, {}, at(rfc_expiry)) == Refusal::none);

  // RFC 8037, A.4 signs a text that is no JSON: its claims are read only because the signature is valid.
  const auto ed25519 =
      jwt::read_jwks(R"({"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",)"
                     R"("x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})");
  REQUIRE(ed25519.value().keys.size() == 1);
  CHECK_FALSE(ed25519->keys[0].can_sign());
  CHECK(
      is_malformed("eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc."
                   "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
                   "claims: invalid JSON", ed25519->keys));
}

TEST_CASE("jwt: a signed token is verified, and every changed character of it is refused", "[jwt]") {
  const Key key = secret("k1");
  const std::string token =
      jwt::sign(JsonText::object({{"sub", "7"}, {"exp", now_seconds + 60}, {"iat", now_seconds}, {"jti", "t1"}}), key)
          .value();
  const auto verified = jwt::verify(token, key, {}, now).value();
  CHECK(verified.claims.text() == R"({"sub":"7","exp":1700000060,"iat":1700000000,"jti":"t1"})");
  CHECK(verified.key_id == "k1");
  CHECK(verified.id == "t1");
  CHECK(verified.issued_at == now);
  CHECK(jwt::read_unverified(token).value().header.text() == R"({"alg":"HS256","typ":"JWT","kid":"k1"})");

  for (std::size_t i = 0; i < token.size(); ++i) {
    std::string changed = token;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    INFO(changed);
    CHECK(refusal_of(changed, {key}) != Refusal::none);
    CHECK(refusal_of(token.substr(0, i), {key}) != Refusal::none);
  }
}

TEST_CASE("jwt: every algorithm verifies what its private key signs, and nothing else", "[jwt]") {
  ERR_clear_error();
  for (const auto& [algorithm, pair, signature_bytes] : pairs()) {
    INFO(jwt::to_string(algorithm));
    const Key signing = Key::pem(algorithm, pair.private_pem(), "k");
    const Key verifying = Key::pem(algorithm, pair.public_pem());
    CHECK(signing.can_sign());
    CHECK_FALSE(verifying.can_sign());
    CHECK(jwt::sign(JsonText::parse(lasting).value(), verifying).error().code() == Errc::invalid_argument);

    const std::string token = jwt::sign(JsonText::parse(lasting).value(), signing).value();
    CHECK(refusal_of(token, {verifying}) == Refusal::none);
    CHECK(refusal_of(token, {signing}) == Refusal::none);
    CHECK(refusal_of(token, {secret()}) == Refusal::algorithm);

    const std::size_t start = token.rfind('.') + 1;
    const std::string signature = core::decode_base64url(token.substr(start)).value();
    CHECK(signature.size() == signature_bytes);
    const auto with = [&](const std::string& other) { return token.substr(0, start) + encoded(other); };
    CHECK(refusal_of(with(signature), {verifying}) == Refusal::none);
    CHECK(refusal_of(with(signature.substr(1)), {verifying}) == Refusal::signature);
    CHECK(refusal_of(with(signature + '\0'), {verifying}) == Refusal::signature);
    CHECK(refusal_of(with(std::string(1, '\0') + signature), {verifying}) == Refusal::signature);
    CHECK(refusal_of(with(""), {verifying}) == Refusal::signature);
    CHECK(refusal_of(with(std::string(signature_bytes, '\0')), {verifying}) == Refusal::signature);
    CHECK(refusal_of(with(std::string(signature_bytes, '\xff')), {verifying}) == Refusal::signature);
    for (std::size_t i = 0; i < signature.size(); i += 7) {
      std::string changed = signature;
      changed[i] = static_cast<char>(changed[i] ^ 1);
      CHECK(refusal_of(with(changed), {verifying}) == Refusal::signature);
    }
    CHECK(ERR_peek_error() == 0);  // nothing is left for the thread's next TLS call to report
  }
}

TEST_CASE("jwt: HMAC works with secrets longer than the hash's block", "[jwt]") {
  const std::string bytes(131, '\xaa');
  const Key key = Key::secret(Algorithm::hs256, bytes);
  const std::string text = "Test Using Larger Than Block-Size Key - Hash Key First";  // RFC 4231, 4.7
  CHECK(core::to_hex(signature_of(text, key)) == "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
  CHECK(core::to_hex(signature_of(text, Key::secret(Algorithm::hs512, bytes))) ==
        "80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f3526b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0a"
        "ec8b"
        "915a985d786598");
}

TEST_CASE("jwt: one key is used from several threads at once", "[jwt]") {
  const std::vector<Key> keys{secret(), Key::pem(Algorithm::es256, p256_pair().private_pem()),
                              Key::pem(Algorithm::eddsa, ed25519_pair().private_pem()),
                              Key::pem(Algorithm::ps256, rsa_pair().private_pem())};
  std::vector<std::string> tokens;
  for (const Key& key : keys) tokens.push_back(jwt::sign(JsonText::parse(lasting).value(), key).value());
  std::atomic<int> verified = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int turn = 0; turn < 50; ++turn) {
        for (const std::string& token : tokens) verified += jwt::verify(token, keys, {}, now).ok() ? 1 : 0;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(verified == 4 * 50 * 4);
}

// --- The header ---

TEST_CASE("jwt: alg none is refused in every case and with any signature", "[jwt]") {
  for (const std::string none : {"none", "None", "NONE", "nOnE", "n\\u006fne"}) {
    const std::string header = R"({"alg":")" + none + R"("})";
    CHECK(is_malformed(encoded(header) + "." + encoded(lasting) + ".", "alg is none"));
    CHECK(is_malformed(token_of_header(header), "alg is none"));
  }
  CHECK(is_malformed(token_of_header("{}"), "no alg"));
  CHECK(is_malformed(token_of_header(R"({"alg":null})"), "no alg"));
  CHECK(is_malformed(token_of_header(R"({"alg":["HS256"]})"), "no alg"));
  for (const std::string unknown : {"", "hs256", "HS256 ", "HS1", "RS1", "ES256K", "HS256\\u0000", "dir"}) {
    CHECK(refusal_of(token_of_header(R"({"alg":")" + unknown + R"("})")) == Refusal::algorithm);
  }
}

TEST_CASE("jwt: a token that an RSA public key signs as an HMAC secret is refused", "[jwt]") {
  const Key key = Key::pem(Algorithm::rs256, rsa_pair().public_pem());
  const std::string text = encoded(plain_header) + "." + encoded(lasting);
  for (const std::string& known : {rsa_pair().public_pem(), rsa_pair().public_der()}) {
    const std::string forged = text + "." + encoded(core::hmac_sha256(known, text).value());
    CHECK(refusal_of(forged, {key}) == Refusal::algorithm);
    CHECK(refusal_of(forged, {key, secret()}) == Refusal::signature);
  }
}

TEST_CASE("jwt: an algorithm of the same family that is not the key's is refused", "[jwt]") {
  const Key rs256 = Key::pem(Algorithm::rs256, rsa_pair().public_pem());
  for (const Algorithm other : {Algorithm::rs384, Algorithm::rs512, Algorithm::ps256}) {
    const Key key = Key::pem(other, rsa_pair().private_pem());
    const std::string token = jwt::sign(JsonText::parse(lasting).value(), key).value();
    CHECK(refusal_of(token, {key}) == Refusal::none);
    CHECK(refusal_of(token, {rs256}) == Refusal::algorithm);
    // The same signature under the key's own algorithm.
    const std::string claimed = encoded(R"({"alg":"RS256"})") + "." + encoded(lasting);
    CHECK(refusal_of(claimed + "." + encoded(signature_of(claimed, key)), {rs256}) == Refusal::signature);
  }
}

TEST_CASE("jwt: headers that bring or point to keys, or demand extensions, are refused", "[jwt]") {
  for (const std::string name : {"jku", "x5u", "jwk", "x5c", "crit", "cty", "b64", "zip", "enc"}) {
    for (const std::string value :
         {R"("https://evil.example/keys")", R"(["exp"])", "{}", "null", "false", R"("JWT")"}) {
      CHECK(
          is_malformed(token_of_header(R"({"alg":"HS256",")" + name + "\":" + value + "}"), "the header has " + name));
    }
  }
  CHECK(
      is_malformed(token_of_header(R"({"alg":"HS256","\u006aku":"https://evil.example/keys"})"), "the header has jku"));
  CHECK(refusal_of(token_of_header(R"({"alg":"HS256","x5t":"AAAA","other":{"jku":1}})")) == Refusal::none);
}

TEST_CASE("jwt: typ is JWT or at+jwt in any case, or absent", "[jwt]") {
  for (const std::string type : {"JWT", "jwt", "at+jwt", "AT+JWT", "application/jwt", "application/at+jwt"}) {
    CHECK(refusal_of(token_of_header(R"({"alg":"HS256","typ":")" + type + R"("})")) == Refusal::none);
  }
  for (const std::string type : {R"("dpop+jwt")", R"("logout+jwt")", R"("JOSE")", R"("")", R"("application/")", "null",
                                 "1", R"("JWTx")", R"("text/jwt")"}) {
    CHECK(is_malformed(token_of_header(R"({"alg":"HS256","typ":)" + type + "}"), "typ is"));
  }
}

TEST_CASE("jwt: duplicate names and broken JSON in header or claims are refused", "[jwt]") {
  CHECK(is_malformed(token_of_header(R"({"alg":"HS256","alg":"HS256"})"), "header: two members with the same name"));
  CHECK(is_malformed(token_of_header(R"({"alg":"none","alg":"HS256"})"), "two members"));
  CHECK(is_malformed(token_of_header(R"({"alg":"HS256","a\u006cg":"none"})"), "two members"));
  CHECK(is_malformed(token_of_header(R"({"alg":"HS256","x":[{"a":1,"a":2}]})"), "two members"));
  CHECK(is_malformed(token_of_claims(R"({"sub":"7","exp":1700000100,"sub":"8"})"), "claims: two members"));
  CHECK(is_malformed(token_of_claims(R"({"exp":1700000100,"realm":{"roles":[],"roles":["admin"]}})"), "two members"));
  CHECK(refusal_of(token_of_claims(
            R"({"exp":1700000100,"a":{"x":1},"b":{"x":1,"a":{"x":1}},"x":[{"x":1},{"x":2}]})")) == Refusal::none);

  for (const std::string text : {"", "null", "[]", "\"alg\"", "1", "{", "{}x", R"({"alg":"HS256"}{})",
                                 "{\"alg\":\"HS256\"\xff}", "{'alg':'HS256'}"}) {
    INFO(text);
    CHECK(is_malformed(token_of_header(text), "header:"));
    CHECK(is_malformed(token_of_claims(text), "claims:"));
  }
  const std::string deep =
      R"({"exp":1700000100,"alg":"HS256","a":)" + std::string(40, '[') + std::string(40, ']') + "}";
  CHECK(is_malformed(token_of_claims(deep), "nested deeper than 32"));
  CHECK(is_malformed(token_of_header(deep), "nested deeper than 32"));
}

TEST_CASE("jwt: a header over 1536 bytes is refused", "[jwt]") {
  const auto header_of = [](std::size_t size) {
    const std::string rest = R"({"alg":"HS256","x":""})";
    return R"({"alg":"HS256","x":")" + std::string(size - rest.size(), 'x') + R"("})";
  };
  CHECK(refusal_of(token_of_header(header_of(1536))) == Refusal::none);
  CHECK(is_malformed(token_of_header(header_of(1537)), "1536"));
}

// --- Keys for a token ---

TEST_CASE("jwt: the key with the token's kid is used, or one without id", "[jwt]") {
  const Key first = Key::secret(Algorithm::hs256, std::string(32, '1'), "first");
  const Key second = Key::secret(Algorithm::hs256, std::string(32, '2'), "second");
  const Key any = Key::secret(Algorithm::hs256, std::string(32, '3'));
  const auto header = [](const std::string& id) { return R"({"alg":"HS256","kid":")" + id + R"("})"; };

  CHECK(refusal_of(token_of(header("second"), lasting, second), {first, second}) == Refusal::none);
  CHECK(refusal_of(token_of(header("s\\u0065cond"), lasting, second), {first, second}) == Refusal::none);
  CHECK(refusal_of(token_of(header("first"), lasting, second), {first, second}) == Refusal::signature);
  CHECK(refusal_of(token_of(header("third"), lasting, second), {first, second}) == Refusal::unknown_key);
  CHECK(refusal_of(token_of(header("third"), lasting, second), {}) == Refusal::unknown_key);
  CHECK(refusal_of(token_of(plain_header, lasting, second), {}) == Refusal::unknown_key);
  CHECK(refusal_of(token_of(header("third"), lasting, any), {first, second, any}) == Refusal::none);
  CHECK(refusal_of(token_of(plain_header, lasting, second), {first, second, any}) == Refusal::none);
  for (const std::string kid : {"1", "null", "[]", "\"\\ud800\""}) {
    CHECK(is_malformed(token_of(R"({"alg":"HS256","kid":)" + kid + "}", lasting, second), "kid is", {second}));
  }
  const Key other = Key::pem(Algorithm::es256, p256_pair().public_pem(), "second");
  CHECK(refusal_of(token_of(header("second"), lasting, second), {first, other}) == Refusal::algorithm);
}

TEST_CASE("jwt: at most four keys are tried, those with the token's kid first", "[jwt]") {
  std::vector<Key> keys(6, Key::secret(Algorithm::hs256, std::string(32, 'x')));
  const Key named = Key::secret(Algorithm::hs256, std::string(32, '1'), "k");
  keys.push_back(named);
  CHECK(refusal_of(token_of(R"({"alg":"HS256","kid":"k"})", lasting, named), keys) == Refusal::none);
  CHECK(refusal_of(token_of(R"({"alg":"HS256"})", lasting, named), keys) == Refusal::signature);
  keys[3] = secret();
  CHECK(refusal_of(token_of_header(R"({"alg":"HS256"})"), keys) == Refusal::none);
  std::swap(keys[3], keys[4]);
  CHECK(refusal_of(token_of_header(R"({"alg":"HS256"})"), keys) == Refusal::signature);
}

// --- The signature ---

TEST_CASE("jwt: ECDSA signatures in DER, of zeros, or beyond the curve's order are refused", "[jwt]") {
  const Key key = Key::pem(Algorithm::es256, p256_pair().private_pem());
  const std::string text = encoded(R"({"alg":"ES256"})") + "." + encoded(lasting);
  const auto with = [&](const std::string& signature) { return refusal_of(text + "." + encoded(signature), {key}); };
  const std::string good = signature_of(text, key);
  const std::string r = good.substr(0, 32), s = good.substr(32), zero(32, '\0');
  CHECK(with(good) == Refusal::none);
  CHECK(with(p256_pair().openssl_signature(text, EVP_sha256())) == Refusal::signature);
  CHECK(with(zero + zero) == Refusal::signature);
  CHECK(with(r + zero) == Refusal::signature);
  CHECK(with(zero + s) == Refusal::signature);
  CHECK(with(s + r) == Refusal::signature);
  const std::string order(
      "\xff\xff\xff\xff\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\xbc\xe6\xfa\xad\xa7\x17\x9e\x84\xf3\xb9\xca\xc2"
      "\xfc\x63"
      "\x25\x51",
      32);
  CHECK(with(order + order) == Refusal::signature);
  CHECK(with(r + order) == Refusal::signature);
  CHECK(with(good + good) == Refusal::signature);
  CHECK(with(r + std::string(1, '\0') + s) == Refusal::signature);
  CHECK(with(std::string(1, '\0') + r + std::string(1, '\0') + s) == Refusal::signature);
}

TEST_CASE("jwt: a signature over 1024 bytes is refused", "[jwt]") {
  const std::string text = encoded(plain_header) + "." + encoded(lasting) + ".";
  CHECK(refusal_of(text + encoded(std::string(1024, 'x'))) == Refusal::signature);
  CHECK(is_malformed(text + encoded(std::string(1025, 'x')), "too long"));
}

// --- The form ---

TEST_CASE("jwt: padded, non-canonical and otherwise wrong Base64 is refused", "[jwt]") {
  const std::string header = encoded(plain_header);
  const std::string claims = encoded(R"({"sub":"7","exp":1700000100} )");  // 29 bytes: the last digit has unused bits
  REQUIRE(claims.size() % 4 == 3);
  REQUIRE(refusal_of(token_of_parts(header, claims)) == Refusal::none);
  // Signed as they are, so that only the form is wrong.
  std::string loose = claims;
  loose.back() = static_cast<char>(loose.back() + 1);
  CHECK(is_malformed(token_of_parts(header, loose), "the claims are not Base64"));
  CHECK(is_malformed(token_of_parts(header, claims + "="), "the claims are not Base64"));
  CHECK(is_malformed(token_of_parts(header + "=", claims), "the header is not Base64"));
  CHECK(is_malformed(token_of_parts(header, claims) + "=", "the signature is not Base64"));
  CHECK(is_malformed(token_of_parts(header, claims + "AA"), "the claims are not Base64"));
  for (const std::string bad : {"+", "/", " ", "\n", "%", "\xc3\xa9"}) {
    std::string changed = claims;
    changed.replace(4, 1, bad);
    CHECK(is_malformed(token_of_parts(header, changed), "the claims are not Base64"));
    CHECK(refusal_of(token_of_parts(header, claims) + bad) == Refusal::malformed);
    CHECK(refusal_of(bad + token_of_parts(header, claims)) == Refusal::malformed);
  }
  const std::string token = token_of_parts(header, claims);  // a signature of 32 bytes: two unused bits
  std::string changed = token;
  changed.back() = static_cast<char>(changed.back() + 1);
  CHECK(is_malformed(changed, "the signature is not Base64"));
}

TEST_CASE("jwt: NUL is refused wherever it is in a token", "[jwt]") {
  const std::string token = token_of_claims(lasting);
  for (std::size_t i = 0; i <= token.size(); ++i) {
    std::string changed = token;
    changed.insert(i, 1, '\0');
    CHECK(refusal_of(changed) != Refusal::none);
  }
  const std::string with_nul = encoded(lasting) + '\0';
  CHECK(is_malformed(token_of_parts(encoded(plain_header), with_nul), "the claims are not Base64"));
  CHECK(is_malformed(token_of_parts('\0' + encoded(plain_header), encoded(lasting)), "the header is not Base64"));
  CHECK(is_malformed(token_of_claims(lasting + '\0'), "claims:"));
  CHECK(is_malformed(token_of_claims(std::string("{\"a\0\":1,\"exp\":1700000100}", 25)), "claims:"));
  CHECK(is_malformed(token_of_header(plain_header + '\0'), "header:"));
}

TEST_CASE("jwt: what is not three parts is refused, encrypted tokens and JWS JSON too", "[jwt]") {
  const std::string token = token_of_claims(lasting);
  CHECK(is_malformed("", "empty"));
  for (const std::string text : {".", "..", "...", "a", "a.b", "a.b.c.d", "Bearer x"}) {
    CHECK(refusal_of(text) == Refusal::malformed);
  }
  CHECK(is_malformed(token + ".", "three parts"));
  CHECK(is_malformed(token + ".a.b", "encrypted"));
  CHECK(is_malformed(" " + token, "header"));
  CHECK(is_malformed(R"({"payload":"e30","signatures":[{"protected":"e30","signature":"e30"}]})", "JWS JSON"));
  CHECK(refusal_of("." + token.substr(token.find('.') + 1)) == Refusal::malformed);
  // A token inside a token.
  CHECK(is_malformed(token_of_claims("\"" + token + "\""), "claims: not a JSON object"));
}

TEST_CASE("jwt: a token over the limit is refused before it is read", "[jwt]") {
  const std::string token = token_of_claims(lasting);
  CHECK(refusal_of(token, {secret()}, {.token_bytes_max = token.size()}) == Refusal::none);
  CHECK(outcome(token, {secret()}, {.token_bytes_max = token.size() - 1}).cause.find("token_bytes_max") !=
        std::string::npos);
  CHECK(is_malformed(std::string(8193, '.'), "more than Rules::token_bytes_max, 8192"));
  CHECK(is_malformed(std::string(8192, '.'), "three parts"));
}

// --- Claims ---

TEST_CASE("jwt: a token is valid from nbf to exp, and its iat is not in the future, within the leeway", "[jwt]") {
  const Rules exact{.leeway = std::chrono::seconds(0)};
  const auto refusal = [](const std::string& claims, std::int64_t time, const Rules& rules) {
    return refusal_of(token_of_claims(claims), {secret()}, rules, at(time));
  };
  CHECK(refusal(R"({"exp":1000})", 999, exact) == Refusal::none);
  CHECK(refusal(R"({"exp":1000})", 1000, exact) == Refusal::expired);
  CHECK(refusal(R"({"exp":1000})", 1029, {}) == Refusal::none);
  CHECK(refusal(R"({"exp":1000})", 1030, {}) == Refusal::expired);
  CHECK(refusal_of(token_of_claims(R"({"exp":1000})"), {secret()}, exact, at(1000) - std::chrono::milliseconds(1)) ==
        Refusal::none);
  for (const std::string name : {"nbf", "iat"}) {
    const std::string claims = R"({"exp":2000,")" + name + R"(":1000})";
    CHECK(refusal(claims, 1000, exact) == Refusal::none);
    CHECK(refusal(claims, 999, exact) == Refusal::not_yet_valid);
    CHECK(refusal(claims, 970, {}) == Refusal::none);
    CHECK(refusal(claims, 969, {}) == Refusal::not_yet_valid);
  }
  CHECK(outcome(token_of_claims(R"({"exp":1000})"), {secret()}, {}, at(1090)).cause ==
        "exp 1000 was 90 s ago, leeway 30 s");
  CHECK(outcome(token_of_claims(R"({"exp":2000,"nbf":1500})"), {secret()}, {}, at(1000)).cause ==
        "nbf 1500 is in 500 s, leeway 30 s");
  // Leeways out of their range count as the nearest.
  CHECK(refusal(R"({"exp":1000})", 1000, {.leeway = std::chrono::seconds(-100)}) == Refusal::expired);
  CHECK(refusal(R"({"exp":1000})", 999, {.leeway = std::chrono::seconds(-100)}) == Refusal::none);
  CHECK(refusal(R"({"exp":1000})", 1000 + 86'399, {.leeway = std::chrono::seconds::max()}) == Refusal::none);
  CHECK(refusal(R"({"exp":1000})", 1000 + 86'400, {.leeway = std::chrono::seconds::max()}) == Refusal::expired);
}

TEST_CASE("jwt: times may have fractions: exp is rounded down, nbf and iat up", "[jwt]") {
  const Rules exact{.leeway = std::chrono::seconds(0)};
  const std::string token = token_of_claims(R"({"exp":2000.9,"nbf":1000.1,"iat":999.5})");
  const auto verified = jwt::verify(token, secret(), exact, at(1001)).value();
  CHECK(verified.expires_at == at(2000));
  CHECK(verified.issued_at == at(1000));
  CHECK(refusal_of(token, {secret()}, exact, at(1000)) == Refusal::not_yet_valid);
  CHECK(refusal_of(token, {secret()}, exact, at(1999)) == Refusal::none);
  CHECK(refusal_of(token, {secret()}, exact, at(2000)) == Refusal::expired);
  CHECK(jwt::verify(token_of_claims(R"({"exp":1.7000001e9})"), secret(), {}, now).value().expires_at == at(1700000100));
}

TEST_CASE("jwt: times that are not numbers from 0 to 2^53 are refused", "[jwt]") {
  for (const std::string name : {"exp", "nbf", "iat"}) {
    for (const std::string value :
         {R"("1700000100")", "-1", "-0.5", "-0", "null", "true", "[]", "{}", "9007199254740993", "9007199254740994.0",
          "18446744073709551615", "18446744073709551617", "1e16", "1e308", "99999999999999999999999999999"}) {
      const std::string more = name == "exp" ? "" : R"("exp":1700000100,)";
      CHECK(is_malformed(token_of_claims("{" + more + "\"" + name + "\":" + value + "}"), name + " is "));
    }
  }
  CHECK(is_malformed(token_of_claims(R"({"exp":1e999})"), "claims: invalid JSON"));
  const auto last = jwt::verify(token_of_claims(R"({"exp":9007199254740992})"), secret(), {}, now).value();
  CHECK(last.expires_at == at(7'258'118'400));
  CHECK(refusal_of(token_of_claims(R"({"exp":0})")) == Refusal::expired);
}

TEST_CASE("jwt: a token without exp is refused unless the rules allow it", "[jwt]") {
  CHECK(is_malformed(token_of_claims(R"({"sub":"7"})"), "Rules::expiry_required"));
  const Rules unlimited{.expiry_required = false};
  CHECK_FALSE(jwt::verify(token_of_claims(R"({"sub":"7"})"), secret(), unlimited, now).value().expires_at);
  CHECK(refusal_of(token_of_claims(R"({"exp":1000})"), {secret()}, unlimited) == Refusal::expired);
}

TEST_CASE("jwt: the issuer must be one of the rules', byte for byte", "[jwt]") {
  const Rules rules{.issuers = {"https://issuer.example", "b"}};
  const auto refusal = [&](const std::string& issuer) {
    return refusal_of(token_of_claims(R"({"exp":1700000100)" + issuer + "}"), {secret()}, rules);
  };
  CHECK(refusal(R"(,"iss":"https://issuer.example")") == Refusal::none);
  CHECK(refusal(R"(,"iss":"https:\/\/issuer.example")") == Refusal::none);
  CHECK(refusal(R"(,"iss":"b")") == Refusal::none);
  for (const std::string issuer :
       {"", R"(,"iss":"https://issuer.example/")", R"(,"iss":"https://issuer")", R"(,"iss":"B")", R"(,"iss":["b"])",
        R"(,"iss":null)", R"(,"iss":"")", R"(,"iss":"b\u0000")"}) {
    CHECK(refusal(issuer) == Refusal::issuer);
  }
}

TEST_CASE("jwt: aud must contain one of the rules' audiences, and is refused if there are none", "[jwt]") {
  const auto out = [](const std::string& audience, const Rules& rules) {
    return outcome(token_of_claims(R"({"exp":1700000100)" + audience + "}"), {secret()}, rules);
  };
  const Rules rules{.audiences = {"chat", "api"}};
  for (const std::string audience : {R"("chat")", R"(["x","api"])", R"(["api"])", R"("ch\u0061t")"}) {
    CHECK(out(",\"aud\":" + audience, rules).refusal == Refusal::none);
  }
  for (const std::string audience : {R"("chats")", R"("cha")", R"("Chat")", "[]", R"(["x"])", R"([["chat"]])", "null",
                                     "1", R"(["chat",1])", R"([1,"chat"])", R"({"chat":"chat"})", R"("")"}) {
    INFO(audience);
    CHECK(out(",\"aud\":" + audience, rules).refusal == Refusal::audience);
  }
  CHECK(out("", rules).refusal == Refusal::audience);
  CHECK(out("", {}).refusal == Refusal::none);
  for (const std::string audience : {R"("chat")", "[]", "null"}) {
    const Verdict refused = out(",\"aud\":" + audience, {});
    CHECK(refused.refusal == Refusal::audience);
    CHECK(refused.cause.find("Rules::audiences") != std::string::npos);
  }
}

TEST_CASE("jwt: jti must be a string that is not empty, so that every token with one can be revoked", "[jwt]") {
  CHECK(jwt::verify(token_of_claims(R"({"exp":1700000100,"jti":"a\u0062"})"), secret(), {}, now).value().id == "ab");
  for (const std::string id : {"1", "null", R"("")", "[]", R"("\ud800")"}) {
    CHECK(is_malformed(token_of_claims(R"({"exp":1700000100,"jti":)" + id + "}"), "jti is"));
  }
}

// --- Keys ---

TEST_CASE("jwt: secrets have at least the hash's size, and are no public keys", "[jwt]") {
  const auto secret_of = [](Algorithm algorithm, const std::string& bytes) {
    return [=] { Key::secret(algorithm, bytes); };
  };
  CHECK(is_refused("has 31 bytes: use 32", secret_of(Algorithm::hs256, std::string(31, 'x'))));
  CHECK(is_refused("has 47 bytes: use 48", secret_of(Algorithm::hs384, std::string(47, 'x'))));
  CHECK(is_refused("has 63 bytes: use 64", secret_of(Algorithm::hs512, std::string(63, 'x'))));
  CHECK(is_refused("has 8193 bytes", secret_of(Algorithm::hs512, std::string(8193, 'x'))));
  CHECK(is_refused("no error", secret_of(Algorithm::hs512, std::string(64, '\0'))));
  CHECK(is_refused("RS256 needs a public or private key", secret_of(Algorithm::rs256, secret_bytes)));

  CHECK(is_refused("PEM", secret_of(Algorithm::hs256, rsa_pair().public_pem())));
  CHECK(is_refused("PEM", secret_of(Algorithm::hs256, "\n\n" + p256_pair().private_pem())));
  CHECK(is_refused("public key in DER", secret_of(Algorithm::hs256, rsa_pair().public_der())));
  CHECK(is_refused("public key in DER", secret_of(Algorithm::hs256, ed25519_pair().public_der())));
  CHECK(is_refused("JSON Web Key", secret_of(Algorithm::hs256, rfc_rsa_key)));
  CHECK(is_refused("JSON Web Key", secret_of(Algorithm::hs256, set_of(rfc_ec_key))));
  CHECK(is_refused("SSH", secret_of(Algorithm::hs256, "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQC7")));
  // Never a part of the secret.
  CHECK(message_of(secret_of(Algorithm::hs256, "hunter2")).find("hunter") == std::string::npos);
}

TEST_CASE("jwt: keys in PEM fit their algorithm, or are refused", "[jwt]") {
  const auto pem = [](Algorithm algorithm, const std::string& text) { return [=] { Key::pem(algorithm, text); }; };
  for (const Pair& own : pairs()) {
    for (const Pair& other : pairs()) {
      const bool same = &own.pair == &other.pair;
      INFO(jwt::to_string(own.algorithm) << " with the key for " << jwt::to_string(other.algorithm));
      CHECK(is_refused(same ? "no error" : "is not an", pem(own.algorithm, other.pair.public_pem())));
      CHECK(is_refused(same ? "no error" : "is not an", pem(own.algorithm, other.pair.private_pem())));
    }
  }
  CHECK(is_refused("HS256 needs a secret", pem(Algorithm::hs256, rsa_pair().public_pem())));
  CHECK(
      is_refused("has 1024 bits: use one with 2048 to 8192", pem(Algorithm::rs256, TokenKey::rsa(1024).public_pem())));
  CHECK(is_refused("is not an EC key on curve P-256", pem(Algorithm::es256, TokenKey::ec(NID_secp256k1).public_pem())));
  CHECK(is_refused("is encrypted", pem(Algorithm::rs256, rsa_pair().private_pem("passphrase"))));
  for (const std::string text : {"", "key", "-----BEGIN PUBLIC KEY-----\n", "-----BEGIN PUBLIC KEY-----\nAAAA\n"}) {
    CHECK(is_refused("is not in PEM", pem(Algorithm::rs256, text)));
  }
  CHECK(is_refused("holds no key",
                   pem(Algorithm::rs256, "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n")));
  CHECK(is_refused("holds no key", pem(Algorithm::rs256, "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n")));
  CHECK(ERR_peek_error() == 0);
  CHECK(is_refused("not UTF-8", [] { Key::secret(Algorithm::hs256, secret_bytes, "\xff"); }));
}

TEST_CASE("jwt: a certificate's key verifies, whatever the certificate says", "[jwt]") {
  testing::TestCertificate::Options options;
  options.valid_until = std::chrono::seconds(-1);
  const testing::TestCertificate certificate(options);
  const Key verifying = Key::read_file(Algorithm::es256, certificate.certificate_file());
  const Key signing = Key::read_file(Algorithm::es256, certificate.private_key_file(), "c");
  CHECK(signing.id() == "c");
  CHECK(refusal_of(jwt::sign(JsonText::parse(lasting).value(), signing).value(), {verifying}) == Refusal::none);
}

TEST_CASE("jwt: a key file holds PEM, or a secret with or without a line end", "[jwt]") {
  const TempFolder folder;
  const auto file = [&](std::string_view text) {
    const std::string name = folder / "key";
    std::ofstream(name, std::ios::binary) << text;
    return name;
  };
  const std::string token = token_of_claims(lasting);
  for (const std::string end : {"", "\n", "\r\n"}) {
    CHECK(refusal_of(token, {Key::read_file(Algorithm::hs256, file(secret_bytes + end))}) == Refusal::none);
  }
  CHECK(refusal_of(token, {Key::read_file(Algorithm::hs256, file(secret_bytes + "\n\n"))}) == Refusal::signature);
  const std::string name = file(secret_bytes.substr(1) + "\n");
  CHECK(is_refused("\"" + name + "\": the secret for HS256 has 31 bytes",
                   [&] { Key::read_file(Algorithm::hs256, name); }));
  CHECK(is_refused("can't be read", [&] { Key::read_file(Algorithm::hs256, name + ".absent"); }));
  CHECK(is_refused("can't be read", [&] { Key::read_file(Algorithm::hs256, folder.path().string()); }));
  CHECK(is_refused("over 64 KiB", [&] { Key::read_file(Algorithm::hs256, file(std::string(65'537, 'x'))); }));
}

// --- Key sets ---

TEST_CASE("jwt: a key set gives its keys for signatures in their order, and says why it leaves out others", "[jwt]") {
  const auto left_out = [](const std::string& key, jwt::JwksSecrets secrets = jwt::JwksSecrets::refused) {
    const auto set = jwt::read_jwks(set_of(key), secrets).value();
    CHECK(set.keys.size() + set.left_out.size() == 1);
    return set.left_out.empty() ? std::string() : set.left_out[0];
  };
  const auto with = [](const std::string& members) {
    return rfc_ec_key.substr(0, rfc_ec_key.size() - 1) + "," + members + "}";
  };
  for (const std::string good :
       {R"("use":"sig")", R"("key_ops":["verify"])", R"("key_ops":["sign","verify"],"kid":"a")", R"("alg":"ES256")",
        R"("d":"AAAA","x5c":["x"],"unknown":{})"}) {
    CHECK(left_out(with(good)).empty());
  }
  CHECK(left_out(with(R"("kid":"k1","use":"enc")")) == R"(key "k1": use is "enc", not sig)");
  CHECK(left_out(with(R"("use":1)")) == "key without kid: use is 1, not sig");
  CHECK(left_out(with(R"("key_ops":["encrypt"])")).find("key_ops") != std::string::npos);
  CHECK(left_out(with(R"("key_ops":[])")).find("key_ops") != std::string::npos);
  CHECK(left_out(with(R"("key_ops":"verify")")).find("key_ops") != std::string::npos);
  CHECK(left_out(with(R"("kid":1)")).find("kid is not a string") != std::string::npos);
  CHECK(left_out(with(R"("alg":"ES384")")).find("does not use curve P-256") != std::string::npos);
  CHECK(left_out(with(R"("alg":"RS256")")).find("alg") != std::string::npos);
  CHECK(left_out(with(R"("alg":"ECDH-ES")")).find("alg") != std::string::npos);
  CHECK(left_out(with(R"("alg":null)")).find("alg") != std::string::npos);
  CHECK(left_out(R"({"kty":"EC","crv":"secp256k1","x":"AA","y":"AA"})").find("crv") != std::string::npos);
  CHECK(left_out(R"({"kty":"OKP","crv":"X25519","x":"AA"})").find("crv") != std::string::npos);
  CHECK(left_out(R"({"kty":"OKP","crv":"Ed25519","x":"AA"})").find("32 bytes") != std::string::npos);
  CHECK(left_out(R"({"kty":"AKP"})").find("kty") != std::string::npos);
  CHECK(left_out("{}").find("kty") != std::string::npos);
  CHECK(left_out("1").find("not a JSON object") != std::string::npos);
}

TEST_CASE("jwt: keys of every curve are read from a set, and bad points, sizes and exponents are not", "[jwt]") {
  using namespace std::string_literals;
  ERR_clear_error();
  const TokenKey p384 = TokenKey::ec(NID_secp384r1), p521 = TokenKey::ec(NID_secp521r1);
  const std::string ed_der = ed25519_pair().public_der();
  const std::string ed_x = encoded(std::string_view(ed_der).substr(ed_der.size() - 32));
  const auto set = jwt::read_jwks(set_of(ec_jwk(p256_pair(), "P-256", 32, R"(,"kid":"a")") + "," +
                                         ec_jwk(p384, "P-384", 48, R"(,"kid":"b")") + "," +
                                         ec_jwk(p521, "P-521", 66, R"(,"kid":"a")") +
                                         R"(,{"kty":"OKP","crv":"Ed25519","alg":"EdDSA","x":")" + ed_x + R"("})" +
                                         R"(,{"kty":"OKP","crv":"Ed25519","alg":"Ed25519","x":")" + ed_x + R"("})"))
                       .value();
  CHECK(set.left_out == std::vector<std::string>());
  REQUIRE(set.keys.size() == 5);
  CHECK(set.keys[0].id() == "a");
  CHECK(set.keys[2].id() == "a");
  const std::vector<std::pair<Algorithm, const TokenKey*>> signers{{Algorithm::es256, &p256_pair()},
                                                                   {Algorithm::es384, &p384},
                                                                   {Algorithm::es512, &p521},
                                                                   {Algorithm::eddsa, &ed25519_pair()},
                                                                   {Algorithm::eddsa, &ed25519_pair()}};
  for (std::size_t i = 0; i < signers.size(); ++i) {
    const Key key = Key::pem(signers[i].first, signers[i].second->private_pem());
    CHECK(refusal_of(jwt::sign(JsonText::parse(lasting).value(), key).value(), {set.keys[i]}) == Refusal::none);
  }

  const auto left_out = [](const std::string& key) {
    const auto read = jwt::read_jwks(key).value();
    return read.keys.empty() ? read.left_out.at(0) : std::string("accepted");
  };
  const std::string zeros = encoded(std::string(32, '\0')), ones = encoded(std::string(32, '\1'));
  for (const std::string& y : {zeros, ones}) {
    CHECK(left_out(R"({"kty":"EC","crv":"P-256","x":")" + ones + R"(","y":")" + y + R"("})").find("no point") !=
          std::string::npos);
  }
  CHECK(left_out(ec_jwk(p256_pair(), "P-384", 32)).find("48 bytes") != std::string::npos);
  CHECK(left_out(R"({"kty":"EC","crv":"P-256","x":")" + ones + R"("})").find("32 bytes") != std::string::npos);

  const auto rsa = [&](const std::string& modulus, const std::string& exponent) {
    return left_out(R"({"kty":"RSA","n":")" + encoded(modulus) + R"(","e":")" + encoded(exponent) + R"("})");
  };
  const std::string modulus = std::string(255, '\xab') + '\xad';
  CHECK(rsa(modulus, "\3") == "accepted");
  CHECK(rsa(std::string(128, '\xad'), "\3").find("1024 bits") != std::string::npos);
  CHECK(rsa(std::string(1024, '\xad'), "\3") == "accepted");
  CHECK(rsa(std::string(1025, '\xad'), "\3").find("8200 bits") != std::string::npos);
  CHECK(rsa(modulus, "\1").find("exponent") != std::string::npos);
  CHECK(rsa(modulus, "\4").find("exponent") != std::string::npos);
  CHECK(rsa(modulus, std::string(1, '\0')).find("exponent") != std::string::npos);
  CHECK(rsa(modulus, "").find("empty") != std::string::npos);
  CHECK(rsa("", "\3").find("empty") != std::string::npos);
  CHECK(left_out(R"({"kty":"RSA"})").find("empty") != std::string::npos);
  // From Wycheproof's json_web_key_test.json.
  constexpr std::string_view weak =
      "AanFpofbj7KjD4Lf-N2hVMKR7yewSyXhhbirIMTGpfYEhZ_lnt5UoK98DnKIgArXGTu3MaW_HhFw16HGaTDUHqPrId7fe4r11CqRw09yBFuW79"
      "V8sYIwHdzCaWflUI6auImYbVfoN9_nD5n8N8SY9DwXw7mwZM9wREPXoDPgOoIWl6q_MPsp7n0zs3Z5ZaiQWOOzl1S9OhwAfSiiOwz6efnXEaxu"
      "TEtPd7BjSx7NaFka8Dx9U7YqXy2RFj1O9PjyaDGuRh7YXsX3iMUSP_wSyHQg_c_qHRtKUsNSGCT7OZg0hzm2KphtjnayKJvC64vAbROBR4Ubg6"
      "Bxg9IQVZ-QYyE";
  CHECK(rsa(core::decode_base64url(weak).value(), "\1\0\1"s).find("ROCA") != std::string::npos);
  CHECK(ERR_peek_error() ==
        0);  // nothing is left for the thread's next call of OpenSSL, or the application's, to report
}

TEST_CASE("jwt: secrets of a set are read only if the caller allows it", "[jwt]") {
  const auto set_with = [](const std::string& members, jwt::JwksSecrets secrets) {
    return jwt::read_jwks(R"({"kty":"oct","k":")" + encoded(secret_bytes) + "\"" + members + "}", secrets).value();
  };
  CHECK(set_with(R"(,"alg":"HS256")", jwt::JwksSecrets::refused).keys.empty());
  const auto set = set_with(R"(,"alg":"HS256","kid":"a")", jwt::JwksSecrets::allowed);
  REQUIRE(set.keys.size() == 1);
  CHECK(refusal_of(token_of_claims(lasting), set.keys) == Refusal::none);
  CHECK(set_with("", jwt::JwksSecrets::allowed).left_out.at(0) == "key without kid: it has no alg");
  CHECK(set_with(R"(,"alg":"HS512")", jwt::JwksSecrets::allowed).keys.empty());
  CHECK(set_with(R"(,"alg":"RS256")", jwt::JwksSecrets::allowed).keys.empty());
}

TEST_CASE("jwt: a key set that is none, too long, or has too many keys is an error", "[jwt]") {
  CHECK(jwt::read_jwks("").error().code() == Errc::invalid_json);
  CHECK(jwt::read_jwks("{").error().code() == Errc::invalid_json);
  for (const std::string text : {"[]", "{}", R"({"keys":{}})", R"({"keys":null})", R"({"keys":[],"keys":[]})"}) {
    CHECK(jwt::read_jwks(text).error().code() == Errc::invalid_argument);
  }
  CHECK(jwt::read_jwks(R"({"keys":[]})").value().keys.empty());
  std::string keys = rfc_ec_key;
  for (int i = 1; i < 100; ++i) keys += "," + rfc_ec_key;
  CHECK(jwt::read_jwks(set_of(keys)).value().keys.size() == 100);
  CHECK(jwt::read_jwks(set_of(keys + ",{}")).error().message().find("more than 100") != std::string::npos);
  std::string text = set_of("");
  text.insert(1, 262'144 - text.size(), ' ');
  CHECK(jwt::read_jwks(text).ok());
  CHECK(jwt::read_jwks(text + " ").error().code() == Errc::invalid_argument);
}

// --- Signing, and reading without verifying ---

TEST_CASE("jwt: only objects with unique names are signed", "[jwt]") {
  for (const std::string claims : {"null", "[]", "7", R"({"a":1,"a":2})"}) {
    CHECK(jwt::sign(JsonText::parse(claims).value(), secret()).error().code() == Errc::invalid_argument);
  }
  const std::string token = jwt::sign(JsonText::object({}), secret("\"\n\xc3\xa9")).value();
  const auto read = jwt::read_unverified(token).value();
  CHECK(read.claims.text() == "{}");
  CHECK(read.header.get<std::string>("/kid") == "\"\n\xc3\xa9");
}

TEST_CASE("jwt: a token can be read without verifying it if its form is right", "[jwt]") {
  const auto read = jwt::read_unverified(encoded(R"({"alg":"none"})") + "." + encoded(R"({"sub":"7"})") + ".");
  CHECK(read.value().header.text() == R"({"alg":"none"})");
  CHECK(read.value().claims.text() == R"({"sub":"7"})");
  for (const std::string text : {"", "a.b", "e30.e30.e30.e30", "e30.W10.", "W10.e30.", "e30=.e30.", "e30.e30"}) {
    CHECK(jwt::read_unverified(text).error().code() == Errc::invalid_argument);
  }
  CHECK(jwt::read_unverified(std::string(1'048'577, 'a')).error().code() == Errc::invalid_argument);
}

TEST_CASE("jwt: algorithms have the names of the RFCs, case-sensitive", "[jwt]") {
  CHECK(jwt::find_algorithm("PS384") == Algorithm::ps384);
  CHECK(jwt::find_algorithm("EdDSA") == Algorithm::eddsa);
  CHECK_FALSE(jwt::find_algorithm("eddsa"));
  CHECK_FALSE(jwt::find_algorithm("none"));
  CHECK_FALSE(jwt::find_algorithm(""));
  for (int i = 0; i <= static_cast<int>(Algorithm::eddsa); ++i) {
    const auto algorithm = static_cast<Algorithm>(i);
    CHECK(jwt::find_algorithm(jwt::to_string(algorithm)) == algorithm);
  }
}

}  // namespace jwt_test

#else

namespace jwt_test {

TEST_CASE("jwt: a build without OpenSSL says so, and still reads tokens", "[jwt]") {
  using namespace flux;
  CHECK_THROWS_AS(jwt::Key::secret(jwt::Algorithm::hs256, std::string(32, 's')), Error);
  CHECK(jwt::verify("a.b.c", std::span<const jwt::Key>(), {}, {}).error().code() == Errc::server_error);
  CHECK(jwt::read_jwks(R"({"keys":[]})").error().code() == Errc::server_error);
  CHECK(jwt::read_unverified("e30.e30.").ok());
}

}  // namespace jwt_test

#endif
