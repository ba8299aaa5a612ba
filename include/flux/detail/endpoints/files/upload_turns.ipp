#pragma once

#include <flux/detail/endpoints/files/upload_turns.hpp>
#include <flux/detail/mode.hpp>

namespace flux::detail {

FLUX_DECL UploadTurn::~UploadTurn() { turns_->leave(id_, this); }

FLUX_DECL std::shared_ptr<UploadTurn> UploadTurns::take(const FileId& id, std::function<void()> on_over) {
  auto turn = std::make_shared<UploadTurn>(shared_from_this(), id, std::move(on_over));
  std::shared_ptr<UploadTurn> before;
  {
    const std::lock_guard lock(mutex_);
    Entry& entry = newest_[id];
    before = entry.turn.lock();
    entry = {turn, turn.get()};
    if (before) before->over_.store(true);
  }
  if (before && before->on_over_) before->on_over_();
  return turn;
}

FLUX_DECL void UploadTurns::leave(const FileId& id, const UploadTurn* turn) {
  const std::lock_guard lock(mutex_);
  const auto found = newest_.find(id);
  if (found != newest_.end() && found->second.key == turn) newest_.erase(found);
}

}  // namespace flux::detail
