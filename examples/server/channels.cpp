#include "channels.hpp"

#include <flux/json.hpp>

#include <chrono>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <stdexcept>
#include <utility>

namespace {

using flux::JsonView;

[[noreturn]] void refuse(const std::string& what) { throw std::invalid_argument("--channels: " + what); }

template <class T>
T value_of(const JsonView& value, const std::string& where, const char* right) {
  const auto read = value.get<T>();
  if (!read) refuse(where + " must be " + right + ", not " + std::string(value.text()));
  return *read;
}

std::size_t number(const JsonView& value, const std::string& where) {
  return value_of<std::uint64_t>(value, where, "a number from 0");
}

/// One of several words.
template <class T>
T one_of(const JsonView& value, const std::string& where, const std::map<std::string, T>& words) {
  const auto found = words.find(value_of<std::string>(value, where, "a string"));
  if (found != words.end()) return found->second;
  std::string list;
  for (const auto& [word, meaning] : words) list += (list.empty() ? "\"" : ", \"") + word + "\"";
  refuse(where + " must be one of " + list + ", not " + std::string(value.text()));
}

using Setter = std::function<void(const JsonView&, const std::string& where)>;

/// Calls the setter of each member. `where`: ends with a point, or is empty.
void read_members(const JsonView& object, const std::string& where, const std::map<std::string, Setter>& setters) {
  if (object.kind() != flux::JsonKind::object) refuse((where.empty() ? "the file" : where) + " must be an object");
  for (const auto& [name, value] : object.members()) {
    const auto setter = setters.find(name);
    if (setter == setters.end()) refuse("there is no option " + where + name);
    setter->second(value, where + name);
  }
}

void read_demands(flux::ChannelDemands& demands, const JsonView& object, const std::string& where) {
  std::map<std::string, Setter> setters;
  const auto add = [&](const char* name, std::string& operation) {
    setters[name] = [&operation](const JsonView& value, const std::string& at) {
      operation = value_of<std::string>(value, at, "a string such as \"read\", or \"\" to demand nothing");
    };
  };
  add("subscribe", demands.subscribe);
  add("publish", demands.publish);
  add("history", demands.history);
  add("presence", demands.presence);
  add("state", demands.state);
  read_members(object, where + ".", setters);
}

/// `{"count": 10, "seconds": 1}` of each connection.
void read_rate(flux::Rate& rate, const JsonView& object, const std::string& where) {
  read_members(object, where + ".",
               {{"count", [&](auto& v, auto& at) { rate.count = static_cast<std::uint32_t>(number(v, at)); }},
                {"seconds", [&](auto& v, auto& at) { rate.per = std::chrono::seconds(number(v, at)); }}});
}

void read_options(flux::ChannelOptions& options, const JsonView& object, const std::string& where) {
  const auto flag = [](bool& option) -> Setter {
    return [&option](const JsonView& value, const std::string& at) {
      option = value_of<bool>(value, at, "true or false");
    };
  };
  const auto count = [](std::size_t& option) -> Setter {
    return [&option](const JsonView& value, const std::string& at) { option = number(value, at); };
  };
  read_members(
      object, where + ".",
      {{"history", count(options.history_max)},
       {"historyBytes", count(options.history_bytes_max)},
       {"historySeconds", [&](auto& v, auto& at) { options.history_age = std::chrono::seconds(number(v, at)); }},
       {"recovery",
        [&](auto& v, auto& at) {
          options.recovery = one_of<flux::ChannelRecovery>(v, at,
                                                           {{"none", flux::ChannelRecovery::none},
                                                            {"missed", flux::ChannelRecovery::missed},
                                                            {"latest", flux::ChannelRecovery::latest}});
        }},
       {"stored", flag(options.stored)},
       {"presence", flag(options.presence)},
       {"presenceNotices", flag(options.presence_notices)},
       {"state", count(options.state_max)},
       {"stateBytes", count(options.state_bytes_max)},
       {"demands", [&](auto& v, auto& at) { read_demands(options.demands, v, at); }},
       {"publishRate", [&](auto& v, auto& at) { read_rate(options.publish_rate.connection, v, at); }},
       {"slowReaders", [&](auto& v, auto& at) {
          options.slow_readers = one_of<flux::ChannelSlowReaders>(v, at,
                                                                  {{"all", flux::ChannelSlowReaders::all},
                                                                   {"newest", flux::ChannelSlowReaders::newest},
                                                                   {"close", flux::ChannelSlowReaders::close}});
        }}});
}

}  // namespace

flux::ChannelsOptions read_channels(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) refuse("can't read \"" + file + "\"");
  const std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  const auto json = flux::JsonText::parse(text);
  if (!json) refuse("\"" + file + "\" is not JSON: " + json.error().message());
  flux::ChannelsOptions options;
  read_members(json->view(), "",
               {{"defaults", [&](auto& value, auto& at) { read_options(options.defaults, value, at); }},
                {"namespaces", [&](auto& value, auto& at) {
                   if (value.kind() != flux::JsonKind::object) refuse(at + " must be an object of namespaces");
                   for (const auto& [prefix, of] : value.members()) {
                     flux::ChannelNamespace space{std::string(prefix), {}};
                     read_options(space.options, of, at + "." + space.prefix);
                     options.namespaces.push_back(std::move(space));
                   }
                 }}});
  return options;
}
