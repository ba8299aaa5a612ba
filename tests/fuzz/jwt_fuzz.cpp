// libFuzzer: JSON Web Tokens and key sets. Whatever the input is, a token that is accepted has claims in which every name
// is unique, reads the same unverified, and is refused with another key; Base64 that decodes is what encoding gives.
//   clang++ -std=c++20 -g -O1 -fsanitize=fuzzer,address,undefined -DFLUX_HEADER_ONLY -DFLUX_WITH_TLS=1 -Iinclude
//   tests/fuzz/jwt_fuzz.cpp -lcrypto ./a.out corpus_of_yours tests/fuzz/corpus/jwt
// The first byte of an input is what the rest is: t a token; s header and claims, with a line end between them, which are
// signed here; k a key set; b Base64.
#include <flux/jwt.hpp>

#include <flux/detail/core/base64url.hpp>
#include <flux/detail/gate/jwt_key.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace {

namespace jwt = flux::jwt;

const auto now = std::chrono::system_clock::time_point(std::chrono::seconds(1'700'000'000));
const jwt::Rules lenient{.issuers = {}, .audiences = {"chat"}, .expiry_required = false};

void require(bool condition) {
  if (!condition) std::abort();
}

const jwt::Key& secret() {
  static const jwt::Key key = jwt::Key::secret(jwt::Algorithm::hs256, std::string(32, 's'));
  return key;
}

std::string encoded(std::string_view bytes) {
  std::string text;
  flux::core::append_base64url(text, bytes);
  return text;
}

bool has_duplicates(const flux::JsonText& object) {
  std::vector<std::string> names;
  for (const auto& [name, value] : object.members()) names.push_back(name);
  std::sort(names.begin(), names.end());
  return std::adjacent_find(names.begin(), names.end()) != names.end();
}

void verify(std::string_view token, const jwt::Rules& rules) {
  jwt::Refusal refusal = jwt::Refusal::none;
  const auto verified = jwt::verify(token, secret(), rules, now, &refusal);
  require(verified.ok() == (refusal == jwt::Refusal::none));
  if (!verified) {
    require(verified.error().code() == flux::Errc::unauthorized && !verified.error().cause().empty());
    return;
  }
  require(flux::JsonText::parse(verified->claims.text()).ok());
  require(verified->claims.kind() == flux::JsonKind::object && !has_duplicates(verified->claims));
  require(!verified->expires_at || *verified->expires_at > now - rules.leeway);
  const auto unverified = jwt::read_unverified(token);
  require(unverified.ok() && unverified->claims == verified->claims && !has_duplicates(unverified->header));
  static const jwt::Key other = jwt::Key::secret(jwt::Algorithm::hs256, std::string(32, 'o'));
  require(!jwt::verify(token, other, rules, now).ok());
}

void sign_and_verify(std::string_view text) {
  const std::size_t end = std::min(text.find('\n'), text.size());
  const std::string_view claims = text.substr(std::min(end + 1, text.size()));
  std::string token = encoded(text.substr(0, end)) + "." + encoded(claims);
  const auto signature = jwt::detail::KeyAccess::state(secret()).sign(token);
  token += "." + encoded(signature.value());
  verify(token, {});
  verify(token, lenient);
}

void read_keys(std::string_view text) {
  const auto set = jwt::read_jwks(text, jwt::JwksSecrets::allowed);
  if (!set) return;
  require(set->keys.size() + set->left_out.size() <= 100);
  for (const jwt::Key& key : set->keys) {
    const std::string header = R"({"alg":")" + std::string(jwt::to_string(key.algorithm())) + R"("})";
    const std::string token = encoded(header) + "." + encoded(R"({"exp":1700000100})") + "." + std::string(86, 'A');
    require(!jwt::verify(token, key, {}, now).ok());
  }
}

void decode(std::string_view text) {
  const auto bytes = flux::core::decode_base64url(text);
  if (bytes) require(encoded(*bytes) == text);
  require(flux::core::decode_base64url(encoded(text)) == text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0 || !jwt::detail::has_tokens()) return 0;
  const std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0]) {
    case 't':
      verify(rest, lenient);
      (void)jwt::read_unverified(rest);
      break;
    case 's': sign_and_verify(rest); break;
    case 'k': read_keys(rest); break;
    case 'b': decode(rest); break;
    default: break;
  }
  return 0;
}
