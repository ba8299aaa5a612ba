#pragma once

#include <flux/detail/core/digest.hpp>
#include <flux/detail/gate/file_link.hpp>
#include <flux/detail/gate/random_key.hpp>
#include <flux/detail/transport/http_message.hpp>

#include <algorithm>
#include <charconv>
#include <system_error>

namespace flux::gate {

FLUX_DECL std::string file_path(std::string_view folder, std::string_view file) {
  std::string path;
  for (std::string_view rest = folder; !rest.empty();) {
    const std::size_t end = std::min(rest.find('/'), rest.size());
    path += transport::url_encode(rest.substr(0, end));
    if (end < rest.size()) path += '/';
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return path.append("/").append(file);
}

FLUX_DECL FileLinks::FileLinks(std::string key) : key_(key.empty() ? random_key() : std::move(key)) {}

// Id and expiry contain no line ends and the name comes last, so the signed text is unambiguous.
FLUX_DECL Result<std::string> FileLinks::signature(std::string_view file, std::string_view expires,
                                                   std::string_view name) const {
  std::string text = "flux file link\n";
  text.append(file).append("\n").append(expires).append("\n").append(name);
  return core::hmac_sha256(key_, text).transform(core::to_hex);
}

FLUX_DECL Result<std::string> FileLinks::query(std::string_view file, std::int64_t expires,
                                               std::string_view name) const {
  const std::string expires_text = std::to_string(expires);
  const std::string of_name = name.empty() ? std::string() : "filename=" + transport::url_encode(name) + "&";
  return signature(file, expires_text, name).transform([&](const std::string& signed_text) {
    return of_name + "expires=" + expires_text + "&signature=" + signed_text;
  });
}

FLUX_DECL bool FileLinks::is_link(std::string_view query) {
  while (!query.empty()) {  // a value with a bad escape counts as well
    const std::size_t end = std::min(query.find('&'), query.size());
    const auto name = transport::url_decode(query.substr(0, std::min(query.find('='), end)));
    if (name == "signature" || name == "expires") return true;
    query.remove_prefix(std::min(end + 1, query.size()));
  }
  return false;
}

FLUX_DECL bool FileLinks::admits(std::string_view file, std::string_view query, std::int64_t now) const {
  const auto expires = transport::query_parameter(query, "expires");
  const auto given = transport::query_parameter(query, "signature");
  if (!expires || !given) return false;
  std::int64_t until = 0;
  const char* const end = expires->data() + expires->size();
  const auto [read_to, error] = std::from_chars(expires->data(), end, until);
  if (error != std::errc() || read_to != end) return false;
  const auto name = transport::query_parameter(query, "filename");
  const auto expected = signature(file, *expires, name.value_or(""));
  return expected && core::equal_in_constant_time(*expected, *given) && now < until;
}

}  // namespace flux::gate
