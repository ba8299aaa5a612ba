// The file system as durable logs see it: an interface, so that tests can lose power, fill the disk or fail a sync.
#pragma once

#include <flux/detail/mode.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <system_error>

namespace flux::storage {

/// Every call sets `error`, and clears it on success. Paths are UTF-8.
class FileSystem {
 public:
  enum class Open : std::uint8_t {
    read,      ///< for reading only; fails as `existing` does
    existing,  ///< fails with no_such_file_or_directory if the file does not exist
    create,    ///< creates the file if it does not exist
  };

  /// An open file, for reading and writing; closed by its destructor. Threading: none.
  class File {
   public:
    virtual ~File() = default;
    virtual std::uint64_t size(std::error_code& error) const = 0;
    /// Reads from `offset` until `into` is full or the file ends. Returns the number of bytes read.
    virtual std::size_t read(std::uint64_t offset, std::span<char> into, std::error_code& error) const = 0;
    /// Writes all of `bytes`. After an error, some of them may have been written.
    virtual void write(std::uint64_t offset, std::string_view bytes, std::error_code& error) = 0;
    virtual void truncate(std::uint64_t size, std::error_code& error) = 0;
    /// Returns when the content and the size would survive a loss of power. After an error, what is on disk is
    /// unknown, and a later success says nothing about what was written before the error.
    virtual void sync(std::error_code& error) = 0;
  };

  virtual ~FileSystem() = default;
  /// Returns null with an error.
  virtual std::unique_ptr<File> open(const std::string& path, Open mode, std::error_code& error) = 0;
  /// Replaces `to` if it exists. Atomic, also at a loss of power; durable after `sync_folder`.
  virtual void rename(const std::string& from, const std::string& to, std::error_code& error) = 0;
  /// Succeeds if there is no such file.
  virtual void remove(const std::string& path, std::error_code& error) = 0;
  /// Returns when the names in the folder would survive a loss of power.
  virtual void sync_folder(const std::string& path, std::error_code& error) = 0;
};

/// The operating system's file system, through `RawFile`. Holds no state, so one object serves every caller.
std::shared_ptr<FileSystem> system_files();

}  // namespace flux::storage

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/storage/file_system.ipp>
#endif
