// A small image for every bitmap that is uploaded: made on a thread of its own, stored as a file, and shared in the room
// that the upload was for, or in "gallery". The room must keep what is shared (mode history): a file is deleted when no
// room shows it any more.
//
//     curl -F image=@photo.bmp http://127.0.0.1:8080/files
//
// usage: flux-example-thumbnails [FOLDER [PORT]]
#include "bitmap.hpp"

#include <flux/flux.hpp>
#include <flux/log.hpp>
#include <flux/signals.hpp>
#include <flux/storage/disk_file_store.hpp>

#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

namespace {

constexpr std::uint64_t image_bytes_max = 50'000'000;
constexpr std::size_t side_max = 128;
constexpr std::size_t pending_max = 100;

/// A thumbnail of the image, of the same owner. Errors: those of the store; invalid_argument if it is not a bitmap.
flux::Result<flux::NewFile> make_thumbnail(flux::FileStore& store, const flux::FileInfo& image) {
  std::string bytes(static_cast<std::size_t>(image.size), '\0');
  if (const auto read = store.read(image.id, 0, bytes); !read) return read.error();
  auto small = small_bitmap(bytes, side_max);
  if (!small) return flux::Error(flux::Errc::invalid_argument, image.name + " is not a bitmap of 24 or 32 bits");
  std::string name = "small " + image.name;
  if (name.size() > flux::file_name_bytes_max) name = "small.bmp";
  return flux::NewFile{
      .bytes = std::move(*small), .name = std::move(name), .media_type = "image/bmp", .owner = image.owner};
}

/// Makes the thumbnails, one after another: reading and computing would hold up an event loop.
class Workshop {
 public:
  Workshop(flux::Server& server, std::shared_ptr<flux::FileStore> store)
      : server_(server), store_(std::move(store)), thread_([this] { work(); }) {}
  Workshop(const Workshop&) = delete;
  Workshop& operator=(const Workshop&) = delete;
  ~Workshop() {
    {
      const std::lock_guard lock(mutex_);
      ended_ = true;
    }
    wake_.notify_one();
    thread_.join();
  }

  /// Any thread; never blocks. Beyond `pending_max` images get no thumbnail.
  void add(const flux::StoredFile& stored) {
    const std::lock_guard lock(mutex_);
    if (pending_.size() < pending_max) pending_.push_back({stored.file, stored.room.empty() ? "gallery" : stored.room});
    wake_.notify_one();
  }

 private:
  void work() {
    for (std::unique_lock lock(mutex_);;) {
      wake_.wait(lock, [this] { return ended_ || !pending_.empty(); });
      if (ended_) return;
      const auto [image, room] = std::move(pending_.front());
      pending_.pop_front();
      lock.unlock();
      auto small = make_thumbnail(*store_, image);
      if (small) {
        server_.store_file(std::move(*small),
                           [&server = server_, room = room](const flux::Result<flux::FileInfo>& stored) {
                             if (stored) server.share_file(room, stored->id);
                           });
      } else {
        std::fprintf(stderr, "no thumbnail: %s\n", small.error().message().c_str());
      }
      lock.lock();
    }
  }

  flux::Server& server_;
  const std::shared_ptr<flux::FileStore> store_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::pair<flux::FileInfo, flux::RoomId>> pending_;
  bool ended_ = false;
  std::thread thread_;
};

}  // namespace

int main(int count, char** arguments) {
  const int port = count > 2 ? std::atoi(arguments[2]) : 8080;
  const auto store = std::make_shared<flux::DiskFileStore>(count > 1 ? arguments[1] : "uploads");
  flux::Config config{.listen = {{"127.0.0.1", static_cast<std::uint16_t>(port)}}, .log = flux::log_to_stderr()};
  config.files.store = store;
  config.files.file_bytes_max = image_bytes_max;
  config.files.inline_types = {"image/bmp"};
  flux::Server server(config);
  Workshop workshop(server, store);
  server.on_file_stored([&](const flux::StoredFile& stored) {
    if (stored.file.media_type == "image/bmp") workshop.add(stored);
  });
  server.create_room("gallery", {.mode = flux::RoomMode::history});
  flux::stop_on_signals(server);
  server.start();
  std::fprintf(stderr, "images go to %s/files\n", server.urls().front().c_str());
  server.wait();
}
