#pragma once

#include <flux/detail/core/lane_output.hpp>
#include <flux/detail/mode.hpp>

#include <iterator>

namespace flux::core {

FLUX_DECL void LaneOutput::begin_segment() {
  if (!pending_.bytes || pending_.bytes->size() < batch_bytes_max) return;
  if (!complete_) complete_ = std::make_unique<std::deque<Batch>>();
  complete_bytes_ += pending_.bytes->size();
  complete_->push_back(std::exchange(pending_, {}));
}

FLUX_DECL std::string& LaneOutput::pending_bytes() {
  if (!pending_.bytes) pending_.bytes = std::make_shared<std::string>();
  return *pending_.bytes;
}

FLUX_DECL void LaneOutput::insert(SharedBytes bytes, bool is_attachment) {
  pending_.inserts.push_back({static_cast<std::uint32_t>(pending_bytes().size()),
                              static_cast<std::uint32_t>(pending_.segments.size()), is_attachment, std::move(bytes)});
}

FLUX_DECL void LaneOutput::copy_last(const LaneOutput& other, std::size_t begin, std::size_t inserts_begin) {
  std::string& out = pending_bytes();
  const std::size_t start = out.size();
  out.append(*other.pending_.bytes, begin);
  for (std::size_t i = inserts_begin; i < other.pending_.inserts.size(); ++i) {
    const Insert& same = other.pending_.inserts[i];
    pending_.inserts.push_back({static_cast<std::uint32_t>(start + same.at - begin),
                                static_cast<std::uint32_t>(pending_.segments.size()), same.is_attachment, same.bytes});
  }
}

FLUX_DECL void LaneOutput::end_segment(SegmentPolicy policy, std::uint64_t state_before, SegmentFor whom) {
  pending_.segments.push_back({static_cast<std::uint32_t>(pending_.bytes->size()), policy, whom, state_before});
  pending_.has_states |= policy == SegmentPolicy::newest;
  pending_.has_listed |= whom == SegmentFor::listed;
}

FLUX_DECL void LaneOutput::list_in_last(SessionKey member) {
  const auto last = static_cast<std::uint32_t>(pending_.segments.size());
  if (!pending_.listed.empty()) {
    Listed& newest = pending_.listed.back();
    if (newest.member == member && newest.last == last - 1) {  // one sender's run
      newest.last = last;
      return;
    }
  }
  pending_.listed.push_back({member, last - 1, last});
}

FLUX_DECL std::size_t LaneOutput::pending_listed() const noexcept {
  std::size_t count = pending_.listed.size();
  if (complete_) {
    for (const Batch& batch : *complete_) count += batch.listed.size();
  }
  return count;
}

FLUX_DECL void LaneOutput::exclude_from_pending(SessionKey member) {
  const auto exclude_from = [member](Batch& batch) {
    const auto is_listed = [](const Segment& segment) { return segment.whom == SegmentFor::listed; };
    const auto begin = batch.segments.begin();
    const auto end = batch.segments.end();
    for (auto first = begin; first != end;) {
      const auto last = batch.has_listed ? std::find_if(first, end, is_listed) : end;
      if (first != last) {
        batch.listed.push_back(
            {member, static_cast<std::uint32_t>(first - begin), static_cast<std::uint32_t>(last - begin)});
      }
      first = last == end ? end : last + 1;
    }
  };
  if (complete_) std::for_each(complete_->begin(), complete_->end(), exclude_from);
  exclude_from(pending_);
}

FLUX_DECL std::string LaneOutput::take_pending(SessionKey member, LaneSeat& seat, char separator,
                                               std::vector<Insert>* inserts) const {
  std::string taken;
  bool beside_insert = false;
  const auto take_from = [&](const Batch& batch) {
    std::vector<Listed> own;
    std::copy_if(batch.listed.begin(), batch.listed.end(), std::back_inserter(own),
                 [member](const Listed& e) { return e.member == member; });
    std::size_t begin = 0;
    auto insert = batch.inserts.begin();
    for (std::size_t i = 0; i < batch.segments.size(); ++i) {
      const Segment& segment = batch.segments[i];
      const bool excluded = !is_for(segment, i, own);
      const bool held_back = !excluded && segment.policy == SegmentPolicy::newest;
      if (held_back && seat.state_known == 0) seat.state_known = segment.state_before;
      const bool taken_along = !excluded && !held_back;
      if (taken_along && !taken.empty() && !beside_insert) taken += separator;
      for (; insert != batch.inserts.end() && insert->segment == i; ++insert) {
        if (!taken_along || inserts == nullptr) continue;
        inserts->push_back(*insert);
        inserts->back().at = static_cast<std::uint32_t>(taken.size() + insert->at - begin);
      }
      if (taken_along) {
        taken.append(*batch.bytes, begin, segment.end - begin);
        beside_insert = inserts != nullptr && !inserts->empty() && inserts->back().at == taken.size();
      }
      begin = segment.end;
    }
  };
  if (complete_) std::for_each(complete_->begin(), complete_->end(), take_from);
  take_from(pending_);
  return taken;
}

FLUX_DECL bool LaneOutput::take_batch() {
  if (!complete_) {
    std::swap(pending_, sending_);
    return false;
  }
  sending_ = std::move(complete_->front());
  complete_->pop_front();
  complete_bytes_ -= sending_.bytes->size();
  if (complete_->empty()) complete_.reset();
  return true;  // `pending_` follows, even if it is empty
}

FLUX_DECL void LaneOutput::clear_sent() {
  sending_.segments.clear();
  sending_.listed.clear();
  sending_.inserts.clear();
  sending_.has_states = false;
  sending_.has_listed = false;
  // The buffer is reused unless a slow reader still refers to it or it has become too large.
  constexpr std::size_t kept_bytes = 4096;
  if (sending_.bytes.use_count() == 1 && sending_.bytes->capacity() <= kept_bytes) {
    sending_.bytes->clear();
  } else {
    sending_.bytes.reset();
  }
}

}  // namespace flux::core
