#pragma once

#include <flux/detail/features/channel_name.hpp>
#include <flux/detail/features/channel_table.hpp>
#include <flux/detail/mode.hpp>

#include <algorithm>
#include <utility>

namespace flux::features {

FLUX_DECL ChannelExtras& Channel::pattern_extras() {
  static constexpr HistoryBounds no_history;
  if (!extras) extras = std::make_unique<ChannelExtras>(no_history);
  return *extras;
}

// --- ChannelShard ---

FLUX_DECL ChannelShard::~ChannelShard() {
  for (Channel* first : buckets_) {
    while (first != nullptr) delete std::exchange(first, first->next);
  }
}

FLUX_DECL Channel* ChannelShard::find(std::string_view name, std::uint32_t hash) const noexcept {
  if (buckets_.empty()) return nullptr;
  Channel* at = buckets_[(hash >> shard_bits) & (buckets_.size() - 1)];
  while (at != nullptr && (at->hash != hash || at->name != name)) at = at->next;
  return at;
}

FLUX_DECL Channel& ChannelShard::add(std::unique_ptr<Channel> channel) {
  if (count_ == buckets_.size()) grow();
  ++count_;
  Channel*& first = bucket_of(channel->hash);
  channel->next = first;
  first = channel.release();
  return *first;
}

FLUX_DECL void ChannelShard::grow() {
  constexpr std::size_t least = 16;
  std::vector<Channel*> before(std::max(least, buckets_.size() * 2));
  before.swap(buckets_);
  for (Channel* first : before) {
    while (first != nullptr) {
      Channel* const moved = std::exchange(first, first->next);
      Channel*& bucket = bucket_of(moved->hash);
      moved->next = std::exchange(bucket, moved);
    }
  }
}

FLUX_DECL void ChannelShard::remove(Channel& channel) {
  if (channel.extras) {
    Channel* const last = with_extras_.back();
    last->extras->place = channel.extras->place;
    with_extras_[last->extras->place] = last;
    with_extras_.pop_back();
  }
  Channel** at = &bucket_of(channel.hash);
  while (*at != &channel) at = &(*at)->next;
  *at = channel.next;
  --count_;
  delete &channel;
}

FLUX_DECL ChannelExtras& ChannelShard::extras_of(Channel& channel) {
  if (!channel.extras) {
    channel.extras = std::make_unique<ChannelExtras>(channel.settings->bounds);
    channel.extras->place = with_extras_.size();
    with_extras_.push_back(&channel);
  }
  return *channel.extras;
}

// --- ChannelPatterns ---

FLUX_DECL std::unique_ptr<Channel>& ChannelPatterns::slot(const Segments& segments) {
  Node* node = &root_;
  for (std::size_t i = 0; i < segments.size(); ++i) {
    if (i + 1 == segments.size() && segments[i] == "*") return node->rest;
    auto& child = node->children.try_emplace(std::string(segments[i])).first->second;
    if (!child) child = std::make_unique<Node>();
    node = child.get();
  }
  return node->ends;
}

FLUX_DECL Channel* ChannelPatterns::find(std::string_view pattern) const {
  const Segments segments = channel_segments(pattern);
  const Node* node = &root_;
  for (std::size_t i = 0; i < segments.size(); ++i) {
    if (i + 1 == segments.size() && segments[i] == "*") return node->rest.get();
    const auto child = node->children.find(segments[i]);
    if (child == node->children.end()) return nullptr;
    node = child->second.get();
  }
  return node->ends.get();
}

FLUX_DECL Channel& ChannelPatterns::add(std::unique_ptr<Channel> pattern) {
  auto& place = slot(channel_segments(pattern->name));
  place = std::move(pattern);
  return *place;
}

FLUX_DECL void ChannelPatterns::remove(std::string_view pattern) { remove(root_, channel_segments(pattern), 0); }

FLUX_DECL void ChannelPatterns::remove(Node& node, const Segments& segments, std::size_t at) {
  if (at == segments.size()) return node.ends.reset();
  if (at + 1 == segments.size() && segments[at] == "*") return node.rest.reset();
  const auto child = node.children.find(segments[at]);
  if (child == node.children.end()) return;
  remove(*child->second, segments, at + 1);
  if (child->second->empty()) node.children.erase(child);
}

FLUX_DECL void ChannelPatterns::match(std::string_view channel, const std::function<void(Channel&)>& visit) const {
  match(root_, channel_segments(channel), 0, visit);
}

FLUX_DECL void ChannelPatterns::each(const Node& node, const std::function<void(const Channel&)>& visit) {
  if (node.ends) visit(*node.ends);
  if (node.rest) visit(*node.rest);
  for (const auto& [segment, child] : node.children) each(*child, visit);
}

/// Two ways at most lead on from each node, so the number of nodes visited is bounded by the patterns that exist and by 2 to
/// the number of segments.
FLUX_DECL void ChannelPatterns::match(const Node& node, const Segments& segments, std::size_t at,
                                      const std::function<void(Channel&)>& visit) {
  if (at == segments.size()) {
    if (node.ends) visit(*node.ends);
    return;
  }
  const bool any = at != 0 || segments[0] != "system";
  if (node.rest && any) visit(*node.rest);
  if (const auto child = node.children.find(segments[at]); child != node.children.end()) {
    match(*child->second, segments, at + 1, visit);
  }
  if (!any) return;
  if (const auto child = node.children.find(std::string_view("*")); child != node.children.end()) {
    match(*child->second, segments, at + 1, visit);
  }
}

}  // namespace flux::features
