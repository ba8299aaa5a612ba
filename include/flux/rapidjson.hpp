// Payloads as RapidJSON documents, for applications that use RapidJSON. Optional; includes the application's RapidJSON
// with the application's macros. In compiled mode link target flux::rapidjson.
#pragma once

#include <flux/json.hpp>

#include <rapidjson/document.h>
#include <rapidjson/encodedstream.h>
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>
#include <system_error>

namespace flux {

namespace detail {

/// Passes a text to a document. Numbers are read by flux, because RapidJSON reads some wrongly or crashes.
template <class Document>
class DocumentNumbers
    : public RAPIDJSON_NAMESPACE::BaseReaderHandler<RAPIDJSON_NAMESPACE::UTF8<>, DocumentNumbers<Document>> {
 public:
  using Size = RAPIDJSON_NAMESPACE::SizeType;

  explicit DocumentNumbers(Document& document) : document_(document) {}
  bool Null() { return document_.Null(); }
  bool Bool(bool value) { return document_.Bool(value); }
  bool RawNumber(const char* text, Size size, bool) {
    const std::string_view number(text, size);
    if (number.find_first_of(".eE") == std::string_view::npos) {
      if (const auto integer = read_integer<std::int64_t>(number)) return document_.Int64(*integer);
      if (const auto integer = read_integer<std::uint64_t>(number)) return document_.Uint64(*integer);
    }
    const auto value = read_double(number);
    return value && document_.Double(*value);
  }
  bool String(const char* text, Size size, bool copy) { return document_.String(text, size, copy); }
  bool StartObject() { return document_.StartObject(); }
  bool Key(const char* text, Size size, bool copy) { return document_.Key(text, size, copy); }
  bool EndObject(Size members) { return document_.EndObject(members); }
  bool StartArray() { return document_.StartArray(); }
  bool EndArray(Size elements) { return document_.EndArray(elements); }

 private:
  template <class Integer>
  static std::optional<Integer> read_integer(std::string_view number) {
    Integer integer{};
    const auto read = std::from_chars(number.data(), number.data() + number.size(), integer);
    if (read.ec != std::errc()) return std::nullopt;
    return integer;
  }

  Document& document_;
};

}  // namespace detail

/// Parses `json`, which is always valid. With RapidJSON 1.1.0 and C++20 never compare a value with a number by `==`,
/// which recurses without end; use IsInt64() and GetInt64().
/// Threading: any thread. Cost: one pass; the document owns a copy.
inline RAPIDJSON_NAMESPACE::Document to_document(const JsonText& json) {
  namespace rj = RAPIDJSON_NAMESPACE;
  rj::Document document;
  const auto fill = [&json](rj::Document& into) {
    detail::DocumentNumbers<rj::Document> handler(into);
    rj::MemoryStream bytes(json.text().data(), json.text().size());
    rj::EncodedInputStream<rj::UTF8<>, rj::MemoryStream> stream(bytes);
    return !rj::Reader().Parse<rj::kParseIterativeFlag | rj::kParseNumbersAsStringsFlag>(stream, handler).IsError();
  };
  document.Populate(fill);
  return document;
}

/// Errors: invalid_json if RapidJSON can't write the value (NaN, infinity) or its output is not UTF-8.
inline Result<JsonText> from_value(const RAPIDJSON_NAMESPACE::Value& value) {
  namespace rj = RAPIDJSON_NAMESPACE;
  rj::StringBuffer buffer;
  rj::Writer<rj::StringBuffer> writer(buffer);
  if (!value.Accept(writer)) return Error(Errc::invalid_json, "the value can't be written as JSON");
  return JsonText::parse(std::string(buffer.GetString(), buffer.GetSize()));
}

}  // namespace flux
