// A single pass over a JSON text that reports where each value begins and ends. RapidJSON parses; its traps are avoided
// here: nesting is counted and not recursed into, NUL does not end the text, UTF-8 is checked.
#pragma once

#include <flux/detail/core/rapidjson.hpp>
#include <flux/json.hpp>

#include <array>
#include <optional>

#include <string>
#include <string_view>
#include <vector>

namespace flux::detail {

/// RapidJSON's input stream over a text of known length, which may contain NUL.
class JsonStream {
 public:
  using Ch = char;
  explicit JsonStream(std::string_view text) : begin_(text.data()), at_(begin_), end_(begin_ + text.size()) {}
  Ch Peek() const { return at_ == end_ ? '\0' : *at_; }
  Ch Take() { return at_ == end_ ? '\0' : *at_++; }
  std::size_t Tell() const { return static_cast<std::size_t>(at_ - begin_); }
  Ch* PutBegin() { return nullptr; }
  void Put(Ch) {}
  void Flush() {}
  std::size_t PutEnd(Ch*) { return 0; }

 private:
  const char* begin_;
  const char* at_;
  const char* end_;
};

/// How an escaped lone surrogate (`"\ud83d"`) is treated. JavaScript creates them by cutting strings inside a pair, and
/// JSON's grammar allows them. `allowed`: parsed as U+FFFD, which is also what a visitor gets in a name. `refused`:
/// left to RapidJSON, which refuses a high surrogate but accepts a low one.
enum class LoneSurrogates : std::uint8_t { refused, allowed };

/// `text` with each lone surrogate replaced by `\ufffd`, which has the same length; none if there are none.
std::optional<std::string> without_lone_surrogates(std::string_view text);

/// Calls `visitor` for every value in `text`, in order; depth 0 is the whole text. The visitor has
///   bool key(std::size_t depth, std::string_view decoded);            // of a member of a value at depth - 1
///   bool open(std::size_t depth, JsonText::Kind, std::size_t begin);  // an object or array begins
///   bool value(std::size_t depth, JsonText::Kind, std::size_t begin, std::size_t end);  // any value has ended
/// and stops the scan, without an error, by returning false.
template <class Visitor>
Result<void> scan_json(std::string_view text, std::size_t depth_max, Visitor& visitor,
                       LoneSurrogates lone = LoneSurrogates::allowed);

template <class Visitor>
class JsonEvents {
 public:
  JsonEvents(std::string_view text, const JsonStream& stream, std::size_t depth_max, Visitor& visitor)
      : text_(text), stream_(stream), depth_max_(depth_max), visitor_(visitor) {}

  bool Null() { return scalar(JsonText::Kind::null); }
  bool Bool(bool) { return scalar(JsonText::Kind::boolean); }
  bool Int(int) { return scalar(JsonText::Kind::number); }
  bool Uint(unsigned) { return scalar(JsonText::Kind::number); }
  bool Int64(std::int64_t) { return scalar(JsonText::Kind::number); }
  bool Uint64(std::uint64_t) { return scalar(JsonText::Kind::number); }
  bool Double(double) { return scalar(JsonText::Kind::number); }
  bool RawNumber(const char*, rj::SizeType, bool) { return scalar(JsonText::Kind::number); }
  bool String(const char*, rj::SizeType, bool) { return scalar(JsonText::Kind::string); }
  bool StartObject() { return open(JsonText::Kind::object); }
  bool StartArray() { return open(JsonText::Kind::array); }
  bool EndObject(rj::SizeType) { return close(JsonText::Kind::object); }
  bool EndArray(rj::SizeType) { return close(JsonText::Kind::array); }
  bool Key(const char* name, rj::SizeType size, bool) {
    last_ = stream_.Tell();
    return proceed(visitor_.key(depth_, std::string_view(name, size)));
  }

  bool too_deep() const { return too_deep_; }
  bool stopped() const { return stopped_; }

 private:
  bool proceed(bool go_on) {
    stopped_ = !go_on;
    return go_on;
  }
  bool scalar(JsonText::Kind kind) {
    const std::size_t begin = value_begin();
    last_ = stream_.Tell();
    return proceed(visitor_.value(depth_, kind, begin, last_));
  }
  // RapidJSON's iterative parser calls these before it consumes the bracket.
  bool open(JsonText::Kind kind) {
    if (depth_ >= depth_max_) {
      too_deep_ = true;
      return false;
    }
    const std::size_t begin = stream_.Tell();
    last_ = begin + 1;
    begins_.push_back(begin);
    return proceed(visitor_.open(depth_++, kind, begin));
  }
  bool close(JsonText::Kind kind) {
    last_ = stream_.Tell() + 1;
    const std::size_t begin = begins_.back();
    begins_.pop_back();
    return proceed(visitor_.value(--depth_, kind, begin, last_));
  }
  /// The next value begins after the separators that follow the previous token.
  std::size_t value_begin() const {
    std::size_t at = last_;
    while (at < text_.size() && (text_[at] == ' ' || text_[at] == '\t' || text_[at] == '\n' || text_[at] == '\r' ||
                                 text_[at] == ':' || text_[at] == ',')) {
      ++at;
    }
    return at;
  }

  // Needs no allocation for shallow nesting.
  class Stack {
   public:
    void push_back(std::size_t v) {
      if (size_ < inline_.size()) {
        inline_[size_] = v;
      } else {
        more_.push_back(v);
      }
      ++size_;
    }
    std::size_t back() const { return size_ <= inline_.size() ? inline_[size_ - 1] : more_.back(); }
    void pop_back() {
      if (size_ > inline_.size()) more_.pop_back();
      --size_;
    }

   private:
    std::array<std::size_t, 16> inline_{};
    std::vector<std::size_t> more_;
    std::size_t size_ = 0;
  };

  std::string_view text_;
  const JsonStream& stream_;
  std::size_t depth_max_;
  Visitor& visitor_;
  Stack begins_;
  std::size_t depth_ = 0;
  std::size_t last_ = 0;  // the end of the previous token
  bool too_deep_ = false;
  bool stopped_ = false;
};

template <class Visitor>
Result<void> scan_json(std::string_view text, std::size_t depth_max, Visitor& visitor, LoneSurrogates lone) {
  // The parser's stack uses this buffer first, then the heap.
  alignas(16) char buffer[1024];
  rj::MemoryPoolAllocator<> allocator(buffer, sizeof buffer);
  rj::GenericReader<rj::UTF8<>, rj::UTF8<>, rj::MemoryPoolAllocator<>> reader(&allocator, 256);
  const auto mended = lone == LoneSurrogates::allowed ? without_lone_surrogates(text) : std::nullopt;
  JsonStream stream(mended ? std::string_view(*mended) : text);
  JsonEvents<Visitor> events(text, stream, depth_max, visitor);
  constexpr unsigned flags = rj::kParseIterativeFlag | rj::kParseValidateEncodingFlag | rj::kParseNumbersAsStringsFlag;
  const rj::ParseResult result = reader.template Parse<flags>(stream, events);
  if (events.too_deep()) {
    return Error(Errc::invalid_json, "JSON nested deeper than " + std::to_string(depth_max) + " levels");
  }
  if (events.stopped()) return {};
  if (result.IsError()) {
    return Error(Errc::invalid_json, std::string("invalid JSON at byte ") + std::to_string(result.Offset()) + ": " +
                                         rj::GetParseError_En(result.Code()));
  }
  if (stream.Tell() != text.size()) {
    return Error(Errc::invalid_json, "invalid JSON at byte " + std::to_string(stream.Tell()) + ": NUL");
  }
  return {};
}

/// Decodes a JSON string (valid, with its quotes); none if it contains an escaped lone surrogate.
std::optional<std::string> decode_json_string(std::string_view quoted);

/// The part of a valid JSON text that an RFC 6901 pointer refers to, as for `JsonText::at`.
std::optional<std::string_view> json_at(std::string_view text, std::string_view pointer);

/// Appends `utf8` as a JSON string. It must be valid UTF-8.
void append_json_string(std::string& out, std::string_view utf8);
/// The number of bytes that `append_json_string` appends.
std::size_t json_string_size(std::string_view utf8) noexcept;

}  // namespace flux::detail

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/core/json.ipp>
#endif
