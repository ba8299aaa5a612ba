#pragma once

#include <flux/detail/gate/operation_limits.hpp>
#include <flux/detail/mode.hpp>
#include <flux/live.hpp>

#include <array>
#include <tuple>
#include <utility>

namespace flux::gate {

FLUX_DECL OperationLimit::OperationLimit(std::string_view name, const OperationRates& rates, std::size_t index)
    : name_(name),
      rates_(rates),
      index_(index),
      of_connection_(rates.connection),
      of_user_(Pace(rates.user)),
      of_address_(Pace(rates.address)) {}

FLUX_DECL Result<void> OperationLimit::refuse(Pace::Duration wait, const Rate& rate, std::string_view whose,
                                              core::Loop& loop) const {
  if (wait.count() == 0) return {};
  loop.counters().messages_rate_limited.add();
  return Error(Errc::rate_limited, "Rate limit exceeded: at most " + std::to_string(rate.count) + " " + name_ + " in " +
                                       std::to_string(rate.per.count()) + " ms by one " + std::string(whose))
      .with_retry_after(retry_after(wait));
}

FLUX_DECL Result<void> OperationLimit::take(OperationBuckets* buckets, const Sender& sender, core::Loop& loop) {
  if (buckets != nullptr && counts_connections()) {
    if (buckets->size() <= index_) buckets->resize(index_ + 1);
    const auto wait = (*buckets)[index_].take(loop.clock().now(), of_connection_);
    if (auto taken = refuse(wait, rates_.connection, "connection", loop); !taken) return taken;
  }
  if (auto taken = take_of_user(sender, loop); !taken) return taken;
  return take_of_address(sender, loop);
}

FLUX_DECL Result<void> OperationLimit::take_of_user(const Sender& sender, core::Loop& loop) {
  if (!of_user_.limits()) return {};
  return refuse(of_user_.take_of_user(sender, loop.clock().now()), rates_.user, "user", loop);
}

FLUX_DECL Result<void> OperationLimit::take_of_address(const Sender& sender, core::Loop& loop) {
  if (!of_address_.limits()) return {};
  return refuse(of_address_.take_of_address(sender, loop.clock().now()), rates_.address, "address", loop);
}

FLUX_DECL OperationLimits::OperationLimits(const Limits& limits) {
  for (const auto& [name, rates] : limits.operations) {
    limits_.emplace(std::piecewise_construct, std::forward_as_tuple(name),
                    std::forward_as_tuple(name, rates, limits_.size()));
  }
}

FLUX_DECL OperationLimit* OperationLimits::find(std::string_view name) {
  const auto found = limits_.find(name);
  return found == limits_.end() ? nullptr : &found->second;
}

FLUX_DECL std::vector<OperationLimit*> OperationLimits::of(std::span<const std::string_view> names) {
  std::vector<OperationLimit*> found;
  if (none()) return found;
  for (const std::string_view name : names) found.push_back(find(name));
  return found;
}

FLUX_DECL std::span<const std::string_view> OperationLimits::known() noexcept {
  using namespace live::request;
  static constexpr std::array names = {join_room,
                                       refresh,
                                       leave_room,
                                       update_presence,
                                       broadcast_event,
                                       send_chat,
                                       edit_chat,
                                       delete_chat,
                                       call,
                                       create_room,
                                       share,
                                       get_history,
                                       get_presence,
                                       room_items,
                                       upload_ticket,
                                       public_share,
                                       public_history,
                                       public_delete_last,
                                       public_upload_ticket,
                                       std::string_view("close_room"),
                                       std::string_view("list_rooms"),
                                       std::string_view("file_upload"),
                                       std::string_view("file_download"),
                                       std::string_view("file_remove")};
  return names;
}

}  // namespace flux::gate
