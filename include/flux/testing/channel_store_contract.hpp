// The duties of every ChannelStore as a test suite, for flux's stores and those of applications, with any test framework
// (contract.hpp says how). With Catch2:
//
//     TEST_CASE("channel store: mine fulfills the contract") {
//       flux::testing::channel_store_contract(
//           [](const flux::testing::Check& check) { INFO(check.text()); CHECK(check.passed); },
//           [] { return my_new_empty_store(); }, [] { return my_reopened_store(); });
//     }
//
// The store must keep at least 1,000 publications of a channel, and 32 channels.
#pragma once

#include <flux/testing/contract.hpp>
#include <flux/testing/faulty_channel_store.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace flux::testing {

/// Returns a store.
using MakeChannelStore = std::function<std::shared_ptr<ChannelStore>()>;

/// For flux itself: a publication.
inline StoredPublication stored_publication(Offset offset, std::string data = "{\"text\":\"hello\"}") {
  return {.offset = offset, .timestamp = 1'700'000'000'000, .data = std::move(data)};
}

/// For flux itself: an append of the publications with the offsets `first` to `last`.
inline ChannelAppend channel_append(const std::string& channel, Offset first, Offset last, Offset first_kept = 1,
                                    const std::string& epoch = "epoch1") {
  ChannelAppend append{channel, epoch, {}, first_kept};
  for (Offset offset = first;; ++offset) {
    append.publications.push_back(stored_publication(offset));
    if (offset == last) return append;
  }
}

/// For flux itself: the result of `load`, by the names of channels. Throws if two have the same name.
inline std::map<std::string, StoredChannel> loaded(ChannelStore& store) {
  std::map<std::string, StoredChannel> channels;
  for (StoredChannel& channel : store.load().value()) {
    const std::string name = channel.name;
    if (!channels.emplace(name, std::move(channel)).second) throw std::runtime_error("two channels named " + name);
  }
  return channels;
}

/// For flux itself: "epoch1: 2 3 of 3", the offsets in the order of `load` and the newest one; "none" if there is no such
/// channel.
inline std::string content_of(ChannelStore& store, const std::string& channel) {
  const auto channels = loaded(store);
  const auto found = channels.find(channel);
  if (found == channels.end()) return "none";
  std::string content = found->second.epoch + ": ";
  for (const StoredPublication& one : found->second.publications) content += std::to_string(one.offset) + ' ';
  return content + "of " + std::to_string(found->second.offset);
}

namespace channel_contract {

inline void empty(Contract& contract, ChannelStore& store) {
  FLUX_CHECK(loaded(store).empty());
  FLUX_CHECK(store.remove("c", "epoch1").ok());
  FLUX_CHECK(store.append_all({}).empty());
  FLUX_CHECK(loaded(store).empty());
}

inline void members(Contract& contract, ChannelStore& store) {
  ChannelAppend append = channel_append("c", 1, 3);
  append.publications[1] = {2, 253'402'300'799'999, "key", "0000000000001", "ann", "[1,{\"a\":null}]"};
  append.publications[2].timestamp = 0;
  FLUX_REQUIRE(store.append(append).ok());
  FLUX_CHECK(loaded(store).at("c") == StoredChannel{"c", "epoch1", 3, append.publications});
}

inline void order(Contract& contract, ChannelStore& store) {
  FLUX_REQUIRE(store.append(channel_append("c", 1, 1)).ok());
  FLUX_REQUIRE(store.append(channel_append("c", 2, 9)).ok());
  FLUX_REQUIRE(store.append(channel_append("c", 10, 11)).ok());
  FLUX_CHECK(content_of(store, "c") == "epoch1: 1 2 3 4 5 6 7 8 9 10 11 of 11");
}

inline void replacing(Contract& contract, ChannelStore& store) {
  const auto append = [&](Offset first, Offset last) {
    FLUX_REQUIRE(store.append(channel_append("c", first, last)).ok());
    return content_of(store, "c");
  };
  FLUX_REQUIRE(store.append(channel_append("other", 1, 6)).ok());
  FLUX_CHECK(append(1, 5) == "epoch1: 1 2 3 4 5 of 5");
  FLUX_CHECK(append(5, 6) == "epoch1: 1 2 3 4 5 6 of 6");
  FLUX_CHECK(append(3, 4) == "epoch1: 1 2 3 4 of 4");
  ChannelAppend again = channel_append("c", 4, 4);
  again.publications[0] = {4, 7, "key", "0000000000002", "bob", "\"again\""};
  FLUX_REQUIRE(store.append(again).ok());
  FLUX_CHECK(loaded(store).at("c").publications.back() == again.publications[0]);
  FLUX_CHECK(content_of(store, "c") == "epoch1: 1 2 3 4 of 4");
  FLUX_CHECK(append(1, 1) == "epoch1: 1 of 1");
  FLUX_CHECK(append(2, 2) == "epoch1: 1 2 of 2");
  FLUX_CHECK(content_of(store, "other") == "epoch1: 1 2 3 4 5 6 of 6");
}

inline void epochs(Contract& contract, ChannelStore& store) {
  const std::string longest = "0123456789abcdefABCDEFGHIJKLMNOP";
  const std::string other_case = "0123456789ABCDEFabcdefghijklmnop";
  const auto append = [&](const std::string& epoch, Offset first, Offset last) {
    FLUX_REQUIRE(store.append(channel_append("c", first, last, 1, epoch)).ok());
    return content_of(store, "c");
  };
  FLUX_REQUIRE(store.append(channel_append("other", 1, 2)).ok());
  FLUX_CHECK(append("epoch1", 1, 3) == "epoch1: 1 2 3 of 3");
  FLUX_CHECK(append("epoch2", 1, 1) == "epoch2: 1 of 1");
  FLUX_CHECK(append("epoch2", 2, 3) == "epoch2: 1 2 3 of 3");
  FLUX_CHECK(append(longest, 1, 2) == longest + ": 1 2 of 2");
  FLUX_CHECK(append(other_case, 1, 1) == other_case + ": 1 of 1");
  FLUX_CHECK(content_of(store, "other") == "epoch1: 1 2 of 2");
}

inline void trimming(Contract& contract, ChannelStore& store) {
  const auto append = [&](Offset first, Offset last, Offset first_kept) {
    FLUX_REQUIRE(store.append(channel_append("c", first, last, first_kept)).ok());
    return content_of(store, "c");
  };
  FLUX_REQUIRE(store.append(channel_append("other", 1, 2)).ok());
  FLUX_CHECK(append(1, 2, 0) == "epoch1: 1 2 of 2");
  FLUX_CHECK(append(3, 3, 1) == "epoch1: 1 2 3 of 3");
  FLUX_CHECK(append(4, 4, 2) == "epoch1: 2 3 4 of 4");
  FLUX_CHECK(append(5, 5, 1) == "epoch1: 2 3 4 5 of 5");  // what was deleted stays deleted
  FLUX_CHECK(append(6, 7, 4) == "epoch1: 4 5 6 7 of 7");
  FLUX_CHECK(append(8, 9, 8) == "epoch1: 8 9 of 9");     // all but the new ones
  FLUX_CHECK(append(10, 12, 12) == "epoch1: 12 of 12");  // and some of the new ones
  FLUX_CHECK(append(13, 14, 15) == "epoch1: of 14");     // and all of them
  FLUX_CHECK(append(15, 15, 15) == "epoch1: 15 of 15");
  FLUX_CHECK(content_of(store, "other") == "epoch1: 1 2 of 2");
}

inline void removing(Contract& contract, ChannelStore& store) {
  for (const char* name : {"c", "other"}) FLUX_REQUIRE(store.append(channel_append(name, 1, 2)).ok());
  const auto remove = [&](const std::string& epoch) {
    FLUX_REQUIRE(store.remove("c", epoch).ok());
    return content_of(store, "c");
  };
  FLUX_CHECK(remove("epoch2") == "epoch1: 1 2 of 2");
  FLUX_CHECK(remove("EPOCH1") == "epoch1: 1 2 of 2");
  FLUX_CHECK(remove("epoch1") == "none");
  FLUX_CHECK(remove("epoch1") == "none");
  FLUX_CHECK(content_of(store, "other") == "epoch1: 1 2 of 2");
  FLUX_REQUIRE(store.append(channel_append("c", 1, 1)).ok());
  FLUX_CHECK(content_of(store, "c") == "epoch1: 1 of 1");  // nothing has reappeared
  FLUX_REQUIRE(store.append(channel_append("c", 2, 2, 3)).ok());
  FLUX_CHECK(remove("epoch1") == "none");  // without publications as well
}

inline void names_apart(Contract& contract, ChannelStore& store) {
  std::vector<std::string> names = {"a",
                                    "A",
                                    "a ",
                                    " a",
                                    "a%",
                                    "a_",
                                    "a'b",
                                    "a\"b",
                                    "a\\b",
                                    "a;--",
                                    "a/b",
                                    "../a",
                                    "/a",
                                    ".",
                                    "..",
                                    "a:b",
                                    "news:*",
                                    "a:b?c#d",
                                    "null",
                                    "NULL",
                                    "0",
                                    "00",
                                    "con.txt",
                                    "\xC3\xA9",
                                    "e\xCC\x81",
                                    "e",
                                    "gru\xC3\x9F",
                                    "gruss",
                                    "\xF0\x9F\x98\x80"};
  names.emplace_back(255, 'x');
  names.push_back(std::string(254, 'x') + "y");
  std::string emoji;
  while (emoji.size() < 252) emoji += "\xF0\x9F\x98\x80";
  names.push_back(emoji);
  std::vector<ChannelAppend> appends;
  for (std::size_t i = 0; i < names.size(); ++i) appends.push_back(channel_append(names[i], 1, i + 1));
  for (const auto& result : store.append_all(appends)) FLUX_REQUIRE(result.ok());
  const auto all = loaded(store);
  FLUX_REQUIRE(all.size() == names.size());
  for (std::size_t i = 0; i < names.size(); ++i) {
    FLUX_CHECK(all.at(names[i]).name == names[i]);
    FLUX_CHECK(all.at(names[i]).publications.size() == i + 1);
  }
  for (std::size_t i = 0; i < names.size(); i += 2) FLUX_REQUIRE(store.remove(names[i], "epoch1").ok());
  FLUX_CHECK(loaded(store).size() == names.size() / 2);
  FLUX_CHECK(content_of(store, "a") == "none");
  FLUX_CHECK(content_of(store, "A") == "epoch1: 1 2 of 2");
}

inline void any_text(Contract& contract, ChannelStore& store) {
  std::string emoji;
  while (emoji.size() < 65'536) emoji += "\xF0\x9F\x98\x80";
  ChannelAppend append{"c", "epoch1", {}, 1};
  for (const std::string& text : std::vector<std::string>{
           "-1.50e+300", R"("\\\"\u0000\ud83d\ude00")", R"({"b":1,"a":{"b":[null,{}]},"b":2})",
           "{ \"spaced\" :\t[ 1 , 2 ]\r\n}", "\"it's `so`; DROP TABLE channels; --\"",
           R"("\\ ' \\' %s % \\\\ '' $1 ? :p0 ::text")", "\"\xEF\xBB\xBF\xEF\xBF\xBD\x7F e\xCC\x81\"",
           "  \" spaces \"  ", '"' + emoji + '"', '"' + std::string(1'048'576, '\'') + '"'}) {
    StoredPublication& one = append.publications.emplace_back(stored_publication(append.publications.size() + 1, text));
    one.key = one.client_id = one.user_id = text.substr(0, 201);  // whole characters
  }
  FLUX_REQUIRE(store.append(append).ok());
  const std::vector<StoredPublication> stored = loaded(store).at("c").publications;
  FLUX_REQUIRE(stored.size() == append.publications.size());
  for (std::size_t i = 0; i < stored.size(); ++i) FLUX_CHECK((stored[i] == append.publications[i]));
}

inline void many_publications(Contract& contract, ChannelStore& store) {
  FLUX_REQUIRE(store.append(channel_append("c", 1, 1'000)).ok());
  const std::vector<StoredPublication> stored = loaded(store).at("c").publications;
  FLUX_REQUIRE(stored.size() == 1'000);
  for (std::size_t i = 0; i < stored.size(); ++i) FLUX_REQUIRE(stored[i].offset == i + 1);
  FLUX_REQUIRE(store.append(channel_append("c", 1'001, 1'001, 1'000)).ok());
  FLUX_CHECK(content_of(store, "c") == "epoch1: 1000 1001 of 1001");
}

/// The same appends, one by one in one store and in batches in another: new, continued, replaced, shortened and ended
/// channels, and new epochs.
inline void batches_are_appends(Contract& contract, const MakeChannelStore& make) {
  std::vector<std::vector<ChannelAppend>> batches;
  std::map<Offset, Offset> newest;
  for (Offset round = 0; round < 6; ++round) {
    std::vector<ChannelAppend>& batch = batches.emplace_back();
    for (Offset c = 0; c < 12; ++c) {
      const std::string epoch = c % 6 == 5 && round > 2 ? "epoch2" : "epoch1";
      if (c % 6 == 5 && round == 3) newest[c] = 0;
      if ((round + c) % 5 == 4) continue;
      const Offset first = newest[c] + (c % 4 == 1 && newest[c] > 0 ? 0 : 1);  // of some, the newest one is replaced
      newest[c] = first + 1;
      batch.push_back(channel_append("c" + std::to_string(12 - c), first, first + 1,
                                     c % 3 == 2 ? first - round % 2 : c % 3, epoch));
      batch.back().publications[1].data = std::to_string(round);
    }
  }
  std::map<std::string, StoredChannel> one_by_one;
  {
    const auto store = make();
    for (const auto& batch : batches) {
      for (const ChannelAppend& append : batch) FLUX_REQUIRE(store->append(append).ok());
    }
    one_by_one = loaded(*store);
  }
  const auto store = make();
  for (const auto& batch : batches) {
    const auto results = store->append_all(batch);
    FLUX_REQUIRE(results.size() == batch.size());
    for (const auto& result : results) FLUX_REQUIRE(result.ok());
  }
  FLUX_CHECK(loaded(*store) == one_by_one);
}

/// Names may have up to 65,535 bytes. This one can't be compressed.
inline void longest_name(Contract& contract, ChannelStore& store) {
  std::string name;
  for (std::uint32_t n = 1; name.size() < 65'535; n = n * 1'664'525 + 1'013'904'223) name += char('a' + (n >> 24) % 26);
  const auto results = store.append_all(
      std::vector<ChannelAppend>{channel_append("a", 1, 2), channel_append(name, 1, 2), channel_append("z", 1, 2)});
  FLUX_REQUIRE(results.size() == 3);
  FLUX_CHECK(results[0].ok());
  FLUX_CHECK(results[2].ok());
  if (!results[1]) FLUX_CHECK(results[1].error().code() == Errc::invalid_argument);
  FLUX_CHECK(content_of(store, "a") == "epoch1: 1 2 of 2");
  FLUX_CHECK((content_of(store, name) == (results[1] ? "epoch1: 1 2 of 2" : "none")));
  FLUX_CHECK(content_of(store, "z") == "epoch1: 1 2 of 2");
}

/// Whichever call fails, and however: the next append replaces what it stored.
inline void faults(Contract& contract, const MakeChannelStore& make) {
  const auto store = make();
  for (const Fault fault : {Fault::before, Fault::after, Fault::exception}) {
    for (std::size_t nth = 1; nth <= 5; ++nth) {
      FaultyChannelStore faulty(store);
      faulty.fail(nth, fault);
      int failures = 0;
      const auto insist = [&](const std::function<Result<void>(ChannelStore&)>& call) {
        bool good = false;
        try {
          good = call(faulty).ok();
        } catch (const std::exception&) {
        }
        if (good) return;
        ++failures;
        FLUX_REQUIRE(call(faulty).ok());
      };
      insist([](ChannelStore& in) { return in.append(channel_append("c", 1, 2)); });
      insist([](ChannelStore& in) { return in.append(channel_append("c", 3, 3)); });
      insist([](ChannelStore& in) { return in.append(channel_append("c", 4, 4, 2)); });
      insist([](ChannelStore& in) { return in.append(channel_append("ended", 1, 1)); });
      insist([](ChannelStore& in) { return in.remove("ended", "epoch1"); });
      FLUX_CHECK(failures == 1);
      FLUX_CHECK(content_of(*store, "c") == "epoch1: 2 3 4 of 4");
      FLUX_CHECK(content_of(*store, "ended") == "none");
      FLUX_REQUIRE(store->remove("c", "epoch1").ok());
    }
  }
}

/// Appends batches to some channels while others are written to and removed by several threads.
inline void overlapping(Contract& contract, ChannelStore& store) {
  constexpr std::size_t others = 3;
  constexpr Offset rounds = 20;
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < others; ++t) {
    threads.emplace_back([&store, &wrong, name = "other" + std::to_string(t)] {
      for (const char* epoch : {"epoch1", "epoch2"}) {
        for (Offset i = 1; i <= rounds; ++i) {
          wrong += store.append(channel_append(name, i, i, i > 5 ? i - 5 : 1, epoch)) ? 0 : 1;
        }
        if (epoch == std::string("epoch1")) wrong += store.remove(name, epoch) ? 0 : 1;
      }
    });
  }
  for (Offset i = 1; i <= rounds; ++i) {
    std::vector<ChannelAppend> batch;
    for (int c = 9; c >= 0; --c) batch.push_back(channel_append("c" + std::to_string(c), 2 * i - 1, 2 * i));
    for (const auto& result : store.append_all(batch)) wrong += result ? 0 : 1;
  }
  for (std::thread& thread : threads) thread.join();
  FLUX_CHECK(wrong.load() == 0);
  const auto all = loaded(store);
  FLUX_REQUIRE(all.size() == others + 10);
  for (const auto& [name, channel] : all) {
    const bool is_other = name.starts_with("other");
    FLUX_CHECK(channel.epoch == (is_other ? "epoch2" : "epoch1"));
    FLUX_CHECK(channel.publications.size() == (is_other ? 6 : 2 * rounds));
    FLUX_CHECK(channel.offset == (is_other ? rounds : 2 * rounds));
  }
}

inline void opening_again(Contract& contract, const MakeChannelStore& make, const MakeChannelStore& reopen) {
  std::map<std::string, StoredChannel> before;
  {
    const auto store = make();
    for (const char* name : {"c", "trimmed", "empty", "ended"}) {
      FLUX_REQUIRE(store->append(channel_append(name, 1, 3)).ok());
    }
    FLUX_REQUIRE(store->append(channel_append("trimmed", 4, 5, 3)).ok());
    FLUX_REQUIRE(store->append(channel_append("empty", 4, 4, 5)).ok());
    FLUX_REQUIRE(store->remove("ended", "epoch1").ok());
    before = loaded(*store);
  }
  const auto store = reopen();
  FLUX_REQUIRE(loaded(*store) == before);
  FLUX_CHECK(before.size() == 3);
  FLUX_REQUIRE(store->append(channel_append("trimmed", 5, 6)).ok());
  FLUX_CHECK(content_of(*store, "trimmed") == "epoch1: 3 4 5 6 of 6");
  FLUX_REQUIRE(store->append(channel_append("empty", 5, 5)).ok());
  FLUX_CHECK(content_of(*store, "empty") == "epoch1: 5 of 5");
}

}  // namespace channel_contract

/// Runs a store through the contract. `check` is called for every check. `make` returns a new, empty store at each call.
/// `reopen` reopens the store that `make` returned last, after its release; none: the store is not persistent.
inline void channel_store_contract(const CheckFunction& check, const MakeChannelStore& make,
                                   const MakeChannelStore& reopen = {}) {
  Contract contract(check);
  contract.duty("a new store has no channels, and calls for unknown channels do nothing",
                [&] { channel_contract::empty(contract, *make()); });
  contract.duty("every member of a channel and of a publication is returned",
                [&] { channel_contract::members(contract, *make()); });
  contract.duty("publications are returned in the order of their offsets",
                [&] { channel_contract::order(contract, *make()); });
  contract.duty("an append replaces what is stored from its first offset on",
                [&] { channel_contract::replacing(contract, *make()); });
  contract.duty("an append of another epoch deletes the one that is stored",
                [&] { channel_contract::epochs(contract, *make()); });
  contract.duty("an append deletes what is before its first_kept, at every edge; the newest offset remains",
                [&] { channel_contract::trimming(contract, *make()); });
  contract.duty("removing a channel deletes it with its publications, if its epoch is the stored one",
                [&] { channel_contract::removing(contract, *make()); });
  contract.duty("channels are independent, whatever their names",
                [&] { channel_contract::names_apart(contract, *make()); });
  contract.duty("text is kept byte for byte", [&] { channel_contract::any_text(contract, *make()); });
  contract.duty("1,000 publications of a channel", [&] { channel_contract::many_publications(contract, *make()); });
  contract.duty("a batch has the effect of single appends",
                [&] { channel_contract::batches_are_appends(contract, make); });
  contract.duty(
      "a name of 65,535 bytes is stored or refused with invalid_argument, and the rest of its batch is stored",
      [&] { channel_contract::longest_name(contract, *make()); });
  contract.duty("after a fault of any call, a retry stores once", [&] { channel_contract::faults(contract, make); });
  contract.duty("calls for different channels may overlap, and with a batch of others",
                [&] { channel_contract::overlapping(contract, *make()); });
  if (reopen) {
    contract.duty("what was stored is there when the store is reopened",
                  [&] { channel_contract::opening_again(contract, make, reopen); });
  }
}

}  // namespace flux::testing
