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

namespace flux {

namespace detail {

/// Hands a text to a document, number by number: see `is_zero_double`.
template <class Document>
class DocumentNumbers
    : public RAPIDJSON_NAMESPACE::BaseReaderHandler<RAPIDJSON_NAMESPACE::UTF8<>, DocumentNumbers<Document>> {
 public:
  using Size = RAPIDJSON_NAMESPACE::SizeType;

  explicit DocumentNumbers(Document& document) : document_(document) {}
  bool Null() { return document_.Null(); }
  bool Bool(bool value) { return document_.Bool(value); }
  bool RawNumber(const char* text, Size size, bool) {
    namespace rj = RAPIDJSON_NAMESPACE;
    if (is_zero_double({text, size})) return document_.Double(*text == '-' ? -0.0 : 0.0);
    rj::MemoryStream bytes(text, size);
    rj::EncodedInputStream<rj::UTF8<>, rj::MemoryStream> stream(bytes);
    return !rj::Reader().Parse<rj::kParseFullPrecisionFlag>(stream, document_).IsError();
  }
  bool String(const char* text, Size size, bool copy) { return document_.String(text, size, copy); }
  bool StartObject() { return document_.StartObject(); }
  bool Key(const char* text, Size size, bool copy) { return document_.Key(text, size, copy); }
  bool EndObject(Size members) { return document_.EndObject(members); }
  bool StartArray() { return document_.StartArray(); }
  bool EndArray(Size elements) { return document_.EndArray(elements); }

 private:
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
