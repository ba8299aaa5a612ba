// Event loops that the test runs itself, on a clock that it steps, and members that record what they receive.
#pragma once

#include <flux/detail/core/delivery.hpp>
#include <flux/detail/core/lane.hpp>
#include <flux/detail/core/loop.hpp>
#include <flux/detail/core/session_key.hpp>
#include <flux/detail/features/room.hpp>
#include <flux/testing/manual_clock.hpp>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace flux::testing {

using Lines = std::vector<std::string>;

/// A few loops that share a clock. They run only inside the calls below.
class SteppedLoops {
 public:
  explicit SteppedLoops(std::size_t count = 1) {
    for (std::size_t i = 0; i < count; ++i) loops_.push_back(core::Loop::make(i, clock_, nullptr));
  }
  ~SteppedLoops() { settle(); }
  SteppedLoops(const SteppedLoops&) = delete;
  SteppedLoops& operator=(const SteppedLoops&) = delete;

  const std::shared_ptr<core::Loop>& operator[](std::size_t index) const { return loops_[index]; }
  const std::shared_ptr<ManualClock>& clock() const { return clock_; }

  /// Runs ready tasks until no loop has any left.
  void settle() {
    for (bool busy = true; busy;) {
      busy = false;
      for (const auto& loop : loops_) busy |= loop->context().poll() != 0;
    }
  }
  /// Waits for a task of the first loop, for `most` at the most, and runs it and what follows.
  void run_for(std::chrono::milliseconds most) {
    loops_.front()->context().run_one_for(most);
    settle();
  }
  void advance(std::chrono::milliseconds step) {
    clock_->advance(step);
    settle();
  }
  /// Runs `task` as one turn of a loop, then everything that follows from it.
  void turn(std::size_t index, std::function<void()> task) {
    loops_[index]->post(std::move(task));
    settle();
  }

 private:
  std::shared_ptr<ManualClock> clock_ = std::make_shared<ManualClock>();
  std::vector<std::shared_ptr<core::Loop>> loops_;
};

/// Formats every message as one readable line.
class TextView final : public features::ClientView, public features::PublicChangesView {
 public:
  void event(std::string& out, const features::EventNotice& notice) const override {
    out.append("event ").append(notice.event).append(" from ").append(notice.connection_id);
    if (!notice.user_id.empty()) out.append("/").append(notice.user_id);
    if (notice.payload) out.append(" ").append(*notice.payload);
  }
  void chat(std::string& out, const ChatMessage& message) const override {
    out.append(message.deleted_at != 0 ? "deleted" : message.edited_at != 0 ? "edited " : "chat ");
    out.append(message.message).append(" from ").append(message.connection_id);
  }
  void data(std::string& out, std::string_view, const SharedItem& item) const override {
    out.append("data ").append(item.data.text()).append(" at ").append(std::to_string(item.offset));
  }
  /// `presence +A{} ~B{} -C`: A joined, B changed, C left.
  void presence(std::string& out, const features::PresenceNotice& notice) const override {
    out += "presence";
    for (const auto& entry : notice.joined) put(out, " +", entry);
    for (const auto& entry : notice.updated) put(out, " ~", entry);
    for (const auto& id : notice.left) out.append(" -").append(id);
  }
  void closed(std::string& out, std::string_view room, std::string_view reason) const override {
    out.append("closed ").append(room).append(": ").append(reason);
  }
  /// `public 2 3, before 2`: there are older items.
  void public_history(std::string& out, const features::ItemsView& items) const override {
    out += "public";
    for (const SharedItem& item : items) out.append(" ").append(item.data.text());
    if (items.before != 0) out.append(", before ").append(std::to_string(items.before));
  }
  void notice(std::string& out, const features::Notice& notice) const override {
    out.append(notice.name).append(" ").append(notice.payload);
  }
  void public_item(std::string& out, const SharedItem& item) const override {
    out.append("item ").append(item.data.text()).append(" at ").append(std::to_string(item.offset));
  }
  void public_removed(std::string& out, Offset offset) const override {
    out.append("removed ").append(std::to_string(offset));
  }

 private:
  static void put(std::string& out, const char* sign, const features::PresenceEntry& entry) {
    out.append(sign).append(entry.connection_id).append(entry.presence);
  }
};

/// Records the segments that it receives, with the text inserted into them.
class Inbox : public core::Outlet {
 public:
  void deliver(const core::Batch& batch, std::span<const core::Listed> listed, core::LaneSeat& seat) override {
    ++batches;
    core::deliver_to(Reader{*this}, batch, listed, seat);
  }
  /// What was received since the last call.
  Lines take() { return std::exchange(lines, {}); }

  Lines lines;
  std::size_t batches = 0;
  std::size_t runs = 0;
  bool open = true;
  bool congested = false;
  std::size_t held_back = 0;
  std::uint64_t state_before = 0;  // of the last segment that may be held back

 private:
  struct Reader {
    Inbox& inbox;
    bool open() const { return inbox.open; }
    bool congested() const { return inbox.congested; }
    void held_back() const { ++inbox.held_back; }
    void close_slow() const { inbox.open = false; }
    void take(const core::Batch& batch, const core::Run& run) const {
      ++inbox.runs;
      auto insert = run.inserts.begin();
      for (std::size_t i = run.first; i < run.last; ++i) {
        const auto first = insert;
        while (insert != run.inserts.end() && insert->segment == i) ++insert;
        std::string& line = inbox.lines.emplace_back();
        core::for_each_part(
            batch, {i, i + 1, {first, insert}},
            [&](std::size_t begin, std::size_t end) { line.append(*batch.bytes, begin, end - begin); },
            [&](const core::Insert& in) { line += *in.bytes; });
        if (batch.segments[i].state_before != 0) inbox.state_before = batch.segments[i].state_before;
      }
    }
  };
};

/// A client that may be in a room. `name` is also its connection id.
class RoomMember {
 public:
  RoomMember(std::string name, const std::shared_ptr<core::Loop>& loop, const features::RoomView& view)
      : name_(std::move(name)), key_(std::hash<std::string>{}(name_) | 1), loop_(loop), view_(view) {}
  RoomMember(const RoomMember&) = delete;
  RoomMember& operator=(const RoomMember&) = delete;
  ~RoomMember() { leave(); }

  Result<void> join(const std::shared_ptr<features::Room>& room, std::string presence = "{}") {
    membership_ = std::make_unique<features::Membership>();
    const features::Joiner joiner{key_, name_, identity, &inbox, loop_, &view_};
    auto joined = room->join(*membership_, joiner, std::move(presence), [&](const features::RoomSnapshot& found) {
      snapshot.clear();
      for (const auto& entry : found.members) {
        snapshot.append(snapshot.empty() ? "" : " ").append(entry.connection_id).append(entry.presence);
      }
      position = found.position;
      mode = found.mode;
      items = static_cast<std::size_t>(found.items.end() - found.items.begin());
    });
    if (!joined) membership_.reset();
    return joined;
  }
  void leave() {
    if (!membership_) return;
    const std::shared_ptr<features::Room> room = membership_->room;
    room->leave(*membership_);
    membership_.reset();
  }
  void update(std::string presence) { membership_->room->update_presence(*membership_, std::move(presence)); }
  Result<Position> publish(std::string_view event) {
    return membership_->room->publish(membership_.get(), {membership_->room->id(), name_, {}, event, {}});
  }
  Result<Position> share(std::string text, std::shared_ptr<const features::FileHold> file = nullptr) {
    return membership_->room->share(membership_.get(), {name_, JsonText::trusted(std::move(text)), 0, std::move(file)});
  }
  std::string change_view(const features::RoomView& view) {
    return membership_->room->change_view(*membership_, &view, inbox, ';');
  }
  const void* view() const { return membership_->lane->view(); }
  /// What a reader that has been too slow since `known` receives; "too late" if it can't catch up.
  std::string catch_up(std::uint64_t known) {
    membership_->seat.state_known = known;
    return catch_up();
  }
  std::string catch_up() {
    std::vector<std::string> missed;
    if (!membership_->room->catch_up(*membership_, view_, missed)) return "too late";
    std::string all;
    for (const std::string& message : missed) all.append(all.empty() ? "" : "; ").append(message);
    return all;
  }
  Lines take() { return inbox.take(); }
  core::SessionKey key() const { return key_; }

  Inbox inbox;
  std::shared_ptr<const Identity> identity;
  std::string snapshot;  // what the last join returned: `A{} B{}`
  Position position;
  RoomMode mode{};
  std::size_t items = 0;

 private:
  const std::string name_;
  const core::SessionKey key_;
  const std::shared_ptr<core::Loop> loop_;
  const features::RoomView& view_;
  std::unique_ptr<features::Membership> membership_;
};

}  // namespace flux::testing
