#pragma once

#include <flux/detail/features/participant.hpp>
#include <flux/detail/features/participant.ipp>
#include <flux/detail/mode.hpp>

#include <memory>
#include <utility>

namespace flux::features {

// --- Sharing ---

FLUX_DECL Result<void> Participant::may_share(const RoomPtr& room) const {
  if (!room) return {};
  return member_of(room, gate::RoomAct::share).transform([](Membership*) {});
}

FLUX_DECL Result<void> Participant::may_share_file(const RoomPtr& room, const std::string& operation) const {
  if (auto allowed = may_share(room); !allowed || operation.empty()) return allowed;
  const auto granted = grant();
  if (gate::meets(granted.get(), operation, room ? std::string_view(room->id()) : "files")) return {};
  return room ? gate::insufficient(granted.get(), "room", room->id()) : gate::insufficient_for_files(granted.get());
}

FLUX_DECL void Participant::share(const RoomPtr& room, JsonText data, const Done<Position>& done) {
  if (const auto allowed = may_write({}, data.text()); !allowed) return done(allowed.error());
  share_permitted(room, std::move(data), nullptr, done);
}

/// Asks the application, then shares the item. `hold`: the place of the file that the item stands for. If it is
/// refused, the place is destroyed, and with it a file that has no other.
FLUX_DECL void Participant::share_permitted(const RoomPtr& room, JsonText data, FileHoldPtr hold,
                                            const Done<Position>& done) {
  if (!is_open()) return;
  if (const auto allowed = may_share(room); !allowed) return done(allowed.error());
  ShareDraft draft(session_handle(), room ? room->id() : RoomId(), std::move(data));
  permitted("share", backend().handlers.share, draft, done,
            [this, room, hold = std::move(hold), done](ShareDraft& permitted) {
              share_unasked(room, {id(), std::move(permitted.data), 0, hold}, done);
            });
}

FLUX_DECL void Participant::share_unasked(const RoomPtr& room, SharedItem item, const Done<Position>& done) {
  if (!is_open()) return;
  if (const auto allowed = may_share(room); !allowed) return done(allowed.error());
  backend().share(room, room ? membership_in(room) : nullptr, std::move(item), on_loop(done));
}

FLUX_DECL void Participant::share_stored(const RoomPtr& room, const FileId& file, Done<Position> done) {
  if (!backend().files) return done(no_files());
  if (const auto allowed = may_share_file(room, backend().config.files.demands.share); !allowed) {
    return done(allowed.error());
  }
  done = holding_requests(std::move(done));
  backend().files->find(file, on_loop<FileInfo>([this, room, done](const Result<FileInfo>& found) {
                          if (!is_open()) return;
                          if (!found) return done(found.error());
                          share_found(room, *found, done);
                        }));
}

FLUX_DECL void Participant::share_found(const RoomPtr& room, const FileInfo& file, const Done<Position>& done) {
  backend().files->ask_to_share(
      self(), file, room ? room->id() : RoomId(), [this, self = self(), room, file, done](Result<FileHolder> holder) {
        if (!is_open()) return;
        if (!holder) return done(holder.error());
        if (const auto allowed = may_share_file(room, backend().config.files.demands.share); !allowed) {
          return done(allowed.error());
        }
        ShareDraft draft(session_handle(), room ? room->id() : RoomId(), backend().files->stored_data(file));
        permitted("share", backend().handlers.share, draft, done,
                  [this, room, file = file.id, done, holder = std::move(*holder)](ShareDraft& permitted) {
                    hold_and_share(room, file, permitted.data, holder, done);
                  });
      });
}

/// Called only when the application has agreed, because a hold can make the file shared: its release then deletes it.
FLUX_DECL void Participant::hold_and_share(const RoomPtr& room, const FileId& file, const JsonText& data,
                                           FileHolder holder, const Done<Position>& done) {
  if (const auto allowed = may_share_file(room, backend().config.files.demands.share); !allowed) {
    return done(allowed.error());
  }
  holder.room = room;
  backend().hold_file(file, std::move(holder),
                      on_loop<FileHoldPtr>([this, room, data, done](const Result<FileHoldPtr>& hold) {
                        if (!is_open()) return;
                        if (!hold) return done(hold.error());
                        share_unasked(room, {id(), data, 0, *hold}, done);
                      }));
}

namespace participant_detail {

/// Counts the bytes of one file that is in memory.
class InMemory {
 public:
  InMemory(std::shared_ptr<UploadsInMemory> all, std::uint64_t bytes)
      : all_(std::move(all)), bytes_(bytes), sum_(all_->bytes += bytes) {}
  InMemory(const InMemory&) = delete;
  InMemory& operator=(const InMemory&) = delete;
  ~InMemory() { all_->bytes -= bytes_; }
  bool fits() const { return sum_ <= all_->bytes_max; }

 private:
  const std::shared_ptr<UploadsInMemory> all_;
  const std::uint64_t bytes_;
  const std::uint64_t sum_;
};

}  // namespace participant_detail

FLUX_DECL void Participant::share_whole(const RoomPtr& room, WholeFile whole,
                                        const std::shared_ptr<UploadsInMemory>& uploads, const Done<Position>& done) {
  if (!backend().files) return done(no_files());
  const FilesOptions& options = backend().config.files;
  if (const auto allowed = may_share_file(room, options.demands.upload); !allowed) return done(allowed.error());
  const std::uint64_t size = whole.bytes->size();
  if (size > options.file_bytes_max) {
    return done(Error(Errc::file_too_large, "the file has " + std::to_string(size) + " bytes; at most " +
                                                std::to_string(options.file_bytes_max) + " are allowed"));
  }
  const auto in_memory = std::make_shared<const participant_detail::InMemory>(uploads, size);
  if (extras().uploads >= uploads->per_client_max || !in_memory->fits()) {
    return done(Error(Errc::overloaded, "too many files are being stored; try again"));
  }
  ++extras().uploads;
  auto stored = [this, self = self(), room, in_memory, done](const Result<FileHoldPtr>& hold) {
    if (extras_) --extras_->uploads;
    if (!hold) return done(hold.error());
    if (!is_open()) return;  // the file is deleted
    backend().tell_stored(loop()->counters(), (*hold)->info(), room ? room->id() : RoomId(), self, nullptr);
    share_permitted(room, (*hold)->stored_data(), *hold, done);
  };
  auto wanted = [this, self = self(), room] {
    return is_open() && may_share_file(room, backend().config.files.demands.upload).ok();
  };
  backend().files->store_whole(self(), std::move(whole), std::move(wanted), std::move(stored));
}

FLUX_DECL Result<SignedTicket> Participant::upload_ticket(const RoomId& room) const {
  if (!backend().files) return no_files();
  const Membership* const membership = room.empty() ? nullptr : membership_of(room);
  if (!room.empty() && membership == nullptr) return no_longer_in(room);
  const auto allowed = may_share_file(membership ? membership->room : nullptr, backend().config.files.demands.upload);
  if (!allowed) return allowed.error();
  return backend().files->upload_ticket(*this, room);
}

// --- The public space ---

FLUX_DECL ItemsPage Participant::public_items(std::size_t limit, Offset before) const {
  return backend().public_space->items(page(limit, before));
}

FLUX_DECL ItemsPage Participant::watch_public(PublicSeat& seat, std::size_t limit, Offset before) {
  auto items = backend().public_space->watch(receiver(), &view(), seat, page(limit, before));
  if (subscribers_.of(seat.feature()) == nullptr) subscribers_.add(seat);
  return items;
}

FLUX_DECL ItemsPage Participant::watch_public_changes(PublicSeat& seat, const PublicChangesView& view,
                                                      std::size_t limit, Offset before) {
  auto items = backend().public_space->watch_changes(receiver(), &view, seat, page(limit, before));
  if (subscribers_.of(seat.feature()) == nullptr) subscribers_.add(seat);
  return items;
}

FLUX_DECL void Participant::delete_public_newest(const Done<bool>& done) {
  if (!backend().handlers.public_delete) return backend().remove_public_newest({}, on_loop(done));
  auto newest = backend().public_space->newest();
  if (!newest) return done(false);
  PublicDelete removal(session_handle(), std::move(*newest));
  permitted("public delete", backend().handlers.public_delete, removal, done, [this, done](PublicDelete& permitted) {
    backend().remove_public_newest(permitted.item, on_loop<bool>([this, done](const Result<bool>& removed) {
                                     if (!is_open()) return;
                                     if (removed && !*removed) return delete_public_newest(done);
                                     done(removed);
                                   }));
  });
}

}  // namespace flux::features
