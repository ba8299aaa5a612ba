// Payloads as RapidJSON documents, for applications that use RapidJSON. Optional; includes the application's RapidJSON
// with the application's macros. In compiled mode link target flux::rapidjson.
#pragma once

#include <flux/json.hpp>

#include <rapidjson/document.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

namespace flux {

/// Parses `json`, which is always valid. With RapidJSON 1.1.0 and C++20 never compare a value with a number by `==`,
/// which recurses without end; use IsInt64() and GetInt64().
/// Threading: any thread. Cost: one pass; the document owns a copy.
inline RAPIDJSON_NAMESPACE::Document to_document(const JsonText& json) {
  namespace rj = RAPIDJSON_NAMESPACE;
  rj::Document document;
  document.Parse<rj::kParseIterativeFlag | rj::kParseFullPrecisionFlag>(json.text().data(), json.text().size());
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
