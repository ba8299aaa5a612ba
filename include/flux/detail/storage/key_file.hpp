// A file of API keys, whose format `FileKeyStore` states: reading it, and rewriting it so that a crash loses nothing.
#pragma once

#include <flux/detail/storage/file_system.hpp>
#include <flux/json.hpp>
#include <flux/storage/key_store.hpp>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace flux::storage {

/// The lines of a file of keys.
class KeyLines {
 public:
  /// Errors: store_failed; the message begins with "line 7: ".
  static Result<KeyLines> parse(std::string_view text);

  std::vector<ApiKeyRecord> records() const;
  /// Replaces the line with this id, or adds one.
  void put(const ApiKeyRecord& record);
  /// Returns false if there is no such line.
  bool remove(const std::string& id);
  std::string text() const;

 private:
  struct Line {
    std::string text;       // without its end
    ApiKeyRecord record{};  // its id is empty if the line holds no key
    bool has_key() const { return !record.id.empty(); }
  };
  std::vector<Line>::iterator find(const std::string& id);

  std::vector<Line> lines_;
};

/// Threading: changes of one file must not overlap, here and in other processes.
class KeyFile {
 public:
  static constexpr std::size_t bytes_max = 64 * 1024 * 1024;

  KeyFile(std::string path, std::shared_ptr<FileSystem> files) : path_(std::move(path)), files_(std::move(files)) {}

  /// Creates the file, empty, if it does not exist. Errors: as below.
  Result<void> create();
  /// Errors: store_failed.
  Result<std::vector<ApiKeyRecord>> load() const;
  /// Errors: store_failed; quota_exceeded if the disk is full.
  Result<void> put(const ApiKeyRecord& record);
  Result<void> remove(const std::string& id);

 private:
  Result<KeyLines> read() const;
  Result<void> write(const std::string& text);
  Error failed(const std::string& what, const std::error_code& error) const;

  const std::string path_;
  const std::shared_ptr<FileSystem> files_;
};

/// A key as a line of the file, without its end.
std::string key_line(const ApiKeyRecord& record);

}  // namespace flux::storage

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/storage/key_file.ipp>
#endif
