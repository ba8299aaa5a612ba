// A file system in memory that loses power, fails calls and fills up on demand.
#pragma once

#include <flux/detail/storage/file_system.hpp>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

/// It distinguishes what processes see from what is on disk. A write reaches the disk for certain with the next `sync`
/// of its file, a name with the next `sync_folder`; at a loss of power any subset of the writes since then is on disk,
/// each whole or in part, and any prefix of the changes of names. After a failed sync, the writes before it are never
/// synced. There is one folder. Threading: one call at a time.
class SimulatedFiles final : public flux::storage::FileSystem {
 public:
  enum class Call { open, read, write, truncate, sync, rename, remove, sync_folder };

  /// Called before each call: an error makes that call fail. A failed write writes half of its bytes.
  std::function<std::error_code(Call)> before = [](Call) { return std::error_code(); };
  /// The number of calls so far that change something.
  std::size_t changes = 0;
  /// Power is lost during the change with this number; all calls from then on fail.
  std::optional<std::size_t> power_loss_at;
  /// Bytes of all files together.
  std::optional<std::size_t> capacity;
  std::map<Call, std::size_t> calls;

  bool exists(const std::string& path) const { return names_.contains(path); }
  std::string bytes(const std::string& path) const { return names_.at(path)->seen; }
  /// Puts a file on the disk.
  void put(const std::string& path, std::string bytes) {
    names_[path] = names_on_disk_[path] = std::make_shared<Node>(Node{bytes, bytes, {}});
  }
  /// Restarts the machine; `random` decides what has reached the disk.
  void restart(std::mt19937& random) {
    power_loss_at.reset();
    before = [](Call) { return std::error_code(); };
    names_since_.push_back(names_on_disk_);
    names_on_disk_ = names_since_[random() % names_since_.size()];
    names_since_.clear();
    std::set<Node*> done;
    for (const auto& [path, node] : names_on_disk_) {
      if (done.insert(node.get()).second) node->lose_power(random);
    }
    names_ = names_on_disk_;
    powered_ = true;
  }

  std::unique_ptr<File> open(const std::string& path, Open mode, std::error_code& error) override {
    if (!begin(Call::open, error)) return nullptr;
    const auto found = names_.find(path);
    if (found != names_.end()) return std::make_unique<OpenFile>(*this, found->second);
    if (mode != Open::create) {
      error = std::make_error_code(std::errc::no_such_file_or_directory);
      return nullptr;
    }
    const auto node = std::make_shared<Node>();
    change_names([&] { names_[path] = node; }, error);
    if (error) return nullptr;
    return std::make_unique<OpenFile>(*this, node);
  }
  void rename(const std::string& from, const std::string& to, std::error_code& error) override {
    if (!begin(Call::rename, error)) return;
    change_names([&] { names_[to] = names_.at(from), names_.erase(from); }, error);
  }
  void remove(const std::string& path, std::error_code& error) override {
    if (!begin(Call::remove, error) || !names_.contains(path)) return;
    change_names([&] { names_.erase(path); }, error);
  }
  void sync_folder(const std::string&, std::error_code& error) override {
    if (!begin(Call::sync_folder, error) || loses_power(error)) return;
    names_on_disk_ = names_;
    names_since_.clear();
  }

 private:
  struct Change {
    bool truncates = false;
    std::uint64_t offset = 0;  // or the new size
    std::string bytes{};
    bool never_synced = false;

    void apply_to(std::string& content) const {
      if (truncates) return content.resize(offset, '\0');
      if (bytes.empty()) return;
      if (content.size() < offset + bytes.size()) content.resize(offset + bytes.size(), '\0');
      content.replace(offset, bytes.size(), bytes);
    }
  };
  struct Node {
    std::string seen{};
    std::string on_disk{};
    std::vector<Change> since{};  // the last sync

    void lose_power(std::mt19937& random) {
      for (Change& change : since) {
        const auto fate = random() % 4;
        if (fate == 0) continue;
        if (fate == 1 && !change.truncates) change.bytes.resize(random() % (change.bytes.size() + 1));
        change.apply_to(on_disk);
      }
      since.clear();
      seen = on_disk;
    }
  };
  using Names = std::map<std::string, std::shared_ptr<Node>>;

  class OpenFile final : public File {
   public:
    OpenFile(SimulatedFiles& files, std::shared_ptr<Node> node) : files_(files), node_(std::move(node)) {}
    std::uint64_t size(std::error_code& error) const override {
      error.clear();
      return node_->seen.size();
    }
    std::size_t read(std::uint64_t offset, std::span<char> into, std::error_code& error) const override {
      if (!files_.begin(Call::read, error)) return 0;
      const std::string_view from = std::string_view(node_->seen).substr(std::min(offset, node_->seen.size()));
      const std::size_t bytes = std::min(from.size(), into.size());
      std::copy_n(from.begin(), bytes, into.begin());
      return bytes;
    }
    void write(std::uint64_t offset, std::string_view bytes, std::error_code& error) override {
      const bool whole = files_.begin(Call::write, error);
      if (!files_.powered_) return;
      std::size_t written = whole ? bytes.size() : bytes.size() / 2;
      if (const std::size_t room = files_.room_for(*node_, offset); written > room) {
        written = room;
        error = std::make_error_code(std::errc::no_space_on_device);
      }
      make({false, offset, std::string(bytes.substr(0, written))}, error);
    }
    void truncate(std::uint64_t size, std::error_code& error) override {
      if (files_.begin(Call::truncate, error)) make({true, size}, error);
    }
    void sync(std::error_code& error) override {
      if (!files_.begin(Call::sync, error)) {
        for (Change& change : node_->since) change.never_synced = true;
        return;
      }
      if (files_.loses_power(error)) return;
      std::vector<Change> left;
      for (Change& change : node_->since) {
        if (change.never_synced) {
          left.push_back(change);
        } else {
          change.apply_to(node_->on_disk);
        }
      }
      node_->since = left;
    }

   private:
    void make(const Change& change, std::error_code& error) {
      change.apply_to(node_->seen);
      node_->since.push_back(change);
      files_.loses_power(error);
    }
    SimulatedFiles& files_;
    std::shared_ptr<Node> node_;
  };

  bool begin(Call call, std::error_code& error) {
    ++calls[call];
    error = powered_ ? before(call) : std::make_error_code(std::errc::io_error);
    return !error;
  }
  bool loses_power(std::error_code& error) {
    if (++changes != power_loss_at) return false;
    powered_ = false;
    error = std::make_error_code(std::errc::io_error);
    return true;
  }
  template <class F>
  void change_names(F change, std::error_code& error) {
    names_since_.push_back(names_);
    change();
    names_since_.push_back(names_);
    loses_power(error);
  }
  std::size_t room_for(const Node& node, std::uint64_t offset) const {
    if (!capacity) return SIZE_MAX;
    std::size_t used = 0;
    for (const auto& [path, other] : names_) used += other.get() == &node ? 0 : other->seen.size();
    return *capacity - std::min<std::size_t>(*capacity, used + offset);
  }

  bool powered_ = true;
  Names names_, names_on_disk_;
  std::vector<Names> names_since_;  // states of the folder since the last sync_folder
};
