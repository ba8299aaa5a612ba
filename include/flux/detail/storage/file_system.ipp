#pragma once

#include <flux/detail/storage/file_system.hpp>
#include <flux/detail/storage/raw_file.hpp>

#include <utility>

namespace flux::storage {

namespace detail {

class SystemFile final : public FileSystem::File {
 public:
  explicit SystemFile(RawFile file) : file_(std::move(file)) {}
  std::uint64_t size(std::error_code& error) const override { return file_.size(error); }
  std::size_t read(std::uint64_t offset, std::span<char> into, std::error_code& error) const override {
    return file_.read(offset, into, error);
  }
  void write(std::uint64_t offset, std::string_view bytes, std::error_code& error) override {
    file_.write(offset, bytes, error);
  }
  void truncate(std::uint64_t size, std::error_code& error) override { file_.truncate(size, error); }
  void sync(std::error_code& error) override { file_.sync(error); }

 private:
  RawFile file_;
};

class SystemFiles final : public FileSystem {
 public:
  std::unique_ptr<File> open(const std::string& path, Open mode, std::error_code& error) override {
    RawFile file(path, raw(mode), error);
    if (error) return nullptr;
    return std::make_unique<SystemFile>(std::move(file));
  }
  void rename(const std::string& from, const std::string& to, std::error_code& error) override {
    rename_file(from, to, error);
  }
  void remove(const std::string& path, std::error_code& error) override { remove_file(path, error); }
  void sync_folder(const std::string& path, std::error_code& error) override { storage::sync_folder(path, error); }

 private:
  static RawFile::Mode raw(Open mode) {
    switch (mode) {
      case Open::read: return RawFile::Mode::read;
      case Open::existing: return RawFile::Mode::write;
      case Open::create: break;
    }
    return RawFile::Mode::create;
  }
};

}  // namespace detail

FLUX_DECL std::shared_ptr<FileSystem> system_files() { return std::make_shared<detail::SystemFiles>(); }

}  // namespace flux::storage
