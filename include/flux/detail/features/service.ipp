#pragma once

#include <flux/detail/features/service.hpp>
#include <flux/detail/mode.hpp>

#include <utility>

namespace flux::features {

FLUX_DECL void ServiceList::add(std::shared_ptr<Service> service) {
  service->check();
  list_.push_back(std::move(service));
}

FLUX_DECL void ServiceList::start(core::Loop& loop) const {
  for (const auto& service : list_) service->prepare();
  std::size_t started = 0;
  try {
    for (; started < list_.size(); ++started) list_[started]->start(loop);
  } catch (...) {
    stop_first(started);
    throw;
  }
}

FLUX_DECL void ServiceList::begin_stop() const {
  for (auto service = list_.rbegin(); service != list_.rend(); ++service) (*service)->begin_stop();
}

FLUX_DECL void ServiceList::stop() const { stop_first(list_.size()); }

FLUX_DECL void ServiceList::stop_first(std::size_t count) const {
  while (count > 0) list_[--count]->stop();
}

}  // namespace flux::features
