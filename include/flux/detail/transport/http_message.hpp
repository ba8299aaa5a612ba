// The contents of HTTP/1.1 messages: the head of a request, header fields, query parameters, status codes.
//
// Threading: values. Const members may be called from several threads at once.
#pragma once

#include <flux/detail/mode.hpp>

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace flux::transport {

/// Name and value of a header field. Names are compared without regard to case (RFC 9110 section 5.1).
using HttpField = std::pair<std::string, std::string>;

/// Fields in the order in which they are sent.
using HttpFields = std::vector<HttpField>;

/// A header field in a head; valid until that head is changed or moved.
struct HttpFieldView {
  std::string_view name;
  std::string_view value;

  friend bool operator==(const HttpFieldView&, const HttpFieldView&) = default;
};

/// Whether both are equal, ignoring the case of ASCII letters.
bool equals_ignore_case(std::string_view left, std::string_view right) noexcept;

/// The value of the first field with that name.
std::optional<std::string_view> find_field(const HttpFields& fields, std::string_view name) noexcept;

/// Whether the comma-separated list `value` contains `token`, ignoring case: header_has_token("close, TE", "te").
/// Parameters belong to a list member: "a;q=1" does not contain "a".
bool header_has_token(std::string_view value, std::string_view token) noexcept;

/// How url_decode reads `+`: as a space in queries and form bodies, as `+` in paths.
enum class PlusSign { is_plus, is_space };

/// Decodes percent-encoding. The result may contain any byte, including NUL and invalid UTF-8.
/// Errors: none if a `%` is not followed by two hexadecimal digits.
std::optional<std::string> url_decode(std::string_view text, PlusSign plus = PlusSign::is_plus);

/// Percent-encodes every byte except unreserved characters (letters, digits, `-`, `.`, `_`, `~`).
std::string url_encode(std::string_view text);

/// The first parameter with that name in `name=value&name=value`, both sides decoded (`+` is a space). A name without
/// `=` has an empty value.
/// Errors: none if there is no such name or its value has a malformed escape.
std::optional<std::string> query_parameter(std::string_view query, std::string_view name);

/// The values of all parameters with that name, in their order; those with a malformed escape are left out.
std::vector<std::string> query_parameters(std::string_view query, std::string_view name);

/// The token of an Authorization field, `Bearer …` (RFC 6750, 2.1); empty if there is none.
std::string bearer_token(std::optional<std::string_view> authorization);

/// Removes the text before the next `separator`, and the separator, from `rest`; returns it without the blanks around it.
std::string_view take_part(std::string_view& rest, char separator);

/// The value of a cookie in a Cookie field (RFC 6265, 4.2.1), without quotes around it; the first one of that name.
std::optional<std::string> cookie_value(std::optional<std::string_view> cookies, std::string_view name);

/// The standard phrase of a status (RFC 9110 section 15 and the IANA registry), "Unknown" for others.
std::string_view reason_phrase(int status) noexcept;

/// The head of a request: request line and header fields, created and checked by HttpRequestParser. A
/// default-constructed head is empty. Owns its text; the views that it returns are valid until it is changed, moved
/// from or destroyed.
class HttpHead {
 public:
  class FieldIterator;
  class FieldRange;

  /// The method as sent; methods are case-sensitive, and unknown ones are accepted.
  std::string_view method() const noexcept { return view(method_); }

  /// The request target as sent: "/a%20b?c=d", "http://host/a", "*", or "host:port" for CONNECT.
  std::string_view target() const noexcept { return view(target_); }

  /// The path, percent-decoded, also of absolute-form targets. Begins with "/", except "*" for OPTIONS and "" for
  /// CONNECT. Contains no control characters, and every "/" was sent as "/", because the parser refuses "%2F". May
  /// contain dot segments, backslashes and bytes that are not UTF-8.
  std::string_view path() const noexcept { return path_; }

  /// The target after its first `?`, as sent; empty without one.
  std::string_view query() const noexcept { return view(query_); }

  /// 0 for HTTP/1.0, otherwise 1.
  int version_minor() const noexcept { return version_minor_; }

  /// Host and port: from the target if it names them, otherwise from the Host field; empty if neither does.
  std::string_view host() const noexcept { return view(host_); }

  /// The value of the first field with that name, without surrounding whitespace.
  std::optional<std::string_view> header(std::string_view name) const noexcept;

  /// The values of all fields with that name, joined by ", " (RFC 9110 section 5.3); empty if there is none.
  std::string all_headers(std::string_view name) const;

  /// All fields in the order received, for range-for.
  FieldRange fields() const noexcept;

  /// Whether the client allows the connection to stay open after this exchange.
  bool keep_alive() const noexcept { return keep_alive_; }

  /// The declared length of the body in bytes; none for chunked bodies, and if no length was given (then there is no
  /// body).
  std::optional<std::uint64_t> content_length() const noexcept { return content_length_; }

  /// Whether the body is sent in chunks.
  bool chunked() const noexcept { return chunked_; }

  /// Whether a body follows; if it is chunked, it may be empty.
  bool has_body() const noexcept { return chunked_ || content_length_.value_or(0) > 0; }

  /// Whether the client waits for 100 (Continue) before it sends its body.
  bool expects_continue() const noexcept { return expects_continue_; }

  /// Whether this is an HTTP/1.1 GET without a body whose Connection lists `upgrade` and whose Upgrade lists
  /// `websocket`. Key and version of the handshake are not checked here.
  bool upgrade_websocket() const noexcept { return upgrade_websocket_; }

 private:
  friend class HttpRequestParser;

  /// A part of text_. Offsets survive moving and copying; views would not.
  struct Span {
    std::uint32_t offset = 0;
    std::uint32_t size = 0;
  };
  struct FieldSpan {
    Span name;
    Span value;
  };

  std::string_view view(Span span) const noexcept { return std::string_view(text_).substr(span.offset, span.size); }
  HttpFieldView view(const FieldSpan& field) const noexcept { return {view(field.name), view(field.value)}; }
  void clear() noexcept;

  std::string text_;
  std::string path_;
  std::vector<FieldSpan> fields_;
  std::optional<std::uint64_t> content_length_;
  Span method_;
  Span target_;
  Span query_;
  Span host_;
  std::uint8_t version_minor_ = 1;
  bool keep_alive_ = false;
  bool chunked_ = false;
  bool expects_continue_ = false;
  bool upgrade_websocket_ = false;
};

/// Iterates over the fields of a head.
class HttpHead::FieldIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = HttpFieldView;
  using difference_type = std::ptrdiff_t;
  using pointer = void;
  using reference = HttpFieldView;

  FieldIterator() = default;

  HttpFieldView operator*() const noexcept { return head_->view(head_->fields_[index_]); }
  FieldIterator& operator++() noexcept {
    ++index_;
    return *this;
  }
  FieldIterator operator++(int) noexcept {
    FieldIterator before = *this;
    ++index_;
    return before;
  }
  friend bool operator==(const FieldIterator&, const FieldIterator&) = default;

 private:
  friend class FieldRange;
  FieldIterator(const HttpHead& head, std::size_t index) noexcept : head_(&head), index_(index) {}

  const HttpHead* head_ = nullptr;
  std::size_t index_ = 0;
};

/// The fields of a head; valid as long as the head.
class HttpHead::FieldRange {
 public:
  FieldIterator begin() const noexcept { return {*head_, 0}; }
  FieldIterator end() const noexcept { return {*head_, size()}; }
  std::size_t size() const noexcept { return head_->fields_.size(); }
  bool empty() const noexcept { return size() == 0; }

 private:
  friend class HttpHead;
  explicit FieldRange(const HttpHead& head) noexcept : head_(&head) {}

  const HttpHead* head_;
};

inline HttpHead::FieldRange HttpHead::fields() const noexcept { return FieldRange(*this); }

}  // namespace flux::transport

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/transport/http_message.ipp>
#endif
