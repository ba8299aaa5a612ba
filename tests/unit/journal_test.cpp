// The journal: losses of power at every step, torn tails, flipped bits, full disks, failed syncs, group commit.
#include "catch.hpp"
#include "support/simulated_files.hpp"

#include <flux/detail/storage/journal.hpp>
#include <flux/detail/storage/little_endian.hpp>

#include <zlib.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace journal_test {

using namespace flux;
using namespace flux::storage;
using Call = SimulatedFiles::Call;

namespace {

constexpr std::size_t head_bytes = 20;
constexpr std::size_t frame_head_bytes = 12;
constexpr char kind_set = 1;
constexpr char kind_erase = 2;

using Values = std::map<std::string, std::string>;

/// A table of short keys and their values: kind_set "k=value", kind_erase "k".
class Table final : public JournalState {
 public:
  /// `copies`: its live records are copied from the old file, instead of written from memory.
  explicit Table(bool copies = false) : copies_(copies) {}

  Result<void> apply(const JournalRecord& record) override {
    const std::string text(record.content);
    const std::size_t equals = text.find('=');
    if (record.kind != kind_set && record.kind != kind_erase) return Error(Errc::store_failed, "unknown kind");
    const std::string key = text.substr(0, equals);
    if (const auto old = places_.find(key); old != places_.end()) live_bytes_ -= old->second.bytes;
    values.erase(key), places_.erase(key);
    if (record.kind == kind_erase) return {};
    values[key] = text.substr(equals + 1);
    places_[key] = record.place;
    live_bytes_ += record.place.bytes;
    return {};
  }
  std::uint64_t live_bytes() const override { return live_bytes_; }
  Result<void> write_live(JournalSnapshot& to) override {
    moved_.clear();
    for (const auto& [key, value] : values) {
      if (!copies_) {
        moved_[key] = to.add(kind_set, key + '=' + value);
        continue;
      }
      const auto copied = to.copy(places_.at(key));
      if (!copied) return copied.error();
      moved_[key] = *copied;
    }
    return {};
  }
  void rewritten() override { places_ = moved_; }

  Values values;

 private:
  const bool copies_;
  std::map<std::string, JournalPlace> places_, moved_;
  std::uint64_t live_bytes_ = 0;
};

/// A table with its journal.
struct Opened {
  explicit Opened(const std::shared_ptr<SimulatedFiles>& files, std::uint64_t rewrite_bytes_min = 64 * 1024,
                  bool copies = false, bool refuse_damaged_end = false)
      : table(copies),
        journal("j", table, options(files, rewrite_bytes_min, refuse_damaged_end)),
        result(journal.open()) {}

  static JournalOptions options(const std::shared_ptr<SimulatedFiles>& files, std::uint64_t rewrite_bytes_min,
                                bool refuse_damaged_end = false) {
    JournalOptions options;
    options.name = "testtest";
    options.rewrite_bytes_min = rewrite_bytes_min;
    options.refuse_damaged_end = refuse_damaged_end;
    options.files = files;
    return options;
  }
  Result<void> set(const std::string& key, const std::string& value) {
    return journal.append(kind_set, key + '=' + value);
  }

  Table table;
  Journal journal;
  Result<void> result;
};

/// "a=1 b=2 ", or the error.
std::string content_of(const std::shared_ptr<SimulatedFiles>& files) {
  const Opened opened(files);
  if (!opened.result) return opened.result.error().message();
  std::string text;
  for (const auto& [key, value] : opened.table.values) text += key + '=' + value + ' ';
  return text;
}

std::string content_of(const std::string& file) {
  const auto files = std::make_shared<SimulatedFiles>();
  files->put("j", file);
  return content_of(files);
}

/// The file after 0, 1, 2, … records "a=1", "b=1", …
std::vector<std::string> files_of(int records) {
  const auto files = std::make_shared<SimulatedFiles>();
  Opened opened(files);
  REQUIRE(opened.result.ok());
  std::vector<std::string> all = {files->bytes("j")};
  for (int n = 0; n < records; ++n) {
    REQUIRE(opened.set(std::string(1, static_cast<char>('a' + n)), "1").ok());
    all.push_back(files->bytes("j"));
  }
  return all;
}

std::uint32_t crc_on(std::uint32_t crc, const std::string& bytes) {
  return static_cast<std::uint32_t>(
      ::crc32(crc, reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<unsigned>(bytes.size())));
}

/// A frame for the end of `file`, as the header's comment describes it.
std::string frame_for(const std::string& file, const std::string& content) {
  std::string offset, size, crcs;
  append_u64(offset, file.size());
  append_u32(size, static_cast<std::uint32_t>(content.size()));
  const std::uint32_t seed = crc_on(crc_on(0, file.substr(8, 8)), offset);
  append_u32(crcs, crc_on(seed, size));
  append_u32(crcs, crc_on(seed, content));
  return size + crcs + content;
}

// --- A load with losses of power and faults ---

struct Step {
  std::vector<std::pair<std::string, std::string>> sets;  // in one append; an empty value erases
};

/// Enough for several rewritings of a journal that is rewritten from 300 bytes on.
std::vector<Step> load_of(unsigned seed, int steps) {
  std::mt19937 random(seed);
  std::vector<Step> load;
  for (int n = 0; n < steps; ++n) {
    Step step;
    const int size = n % 5 == 0 ? 2 : 1;
    for (int i = 0; i < size; ++i) {
      const std::string key(1, static_cast<char>('a' + (random() + static_cast<unsigned>(i)) % 5));
      step.sets.emplace_back(key, random() % 6 == 0 ? "" : std::to_string(n) + std::string(random() % 30, 'v'));
    }
    load.push_back(step);
  }
  return load;
}

Result<void> append(Journal& journal, const Step& step) {
  std::vector<std::string> texts;
  for (const auto& [key, value] : step.sets) texts.push_back(value.empty() ? key : key + '=' + value);
  std::vector<JournalEntry> entries;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    entries.push_back({step.sets[i].second.empty() ? kind_erase : kind_set, texts[i]});
  }
  return journal.append(entries);
}

void apply(Values& values, const Step& step) {
  for (const auto& [key, value] : step.sets) {
    if (value.empty()) {
      values.erase(key);
    } else {
      values[key] = value;
    }
  }
}

}  // namespace

TEST_CASE("journal: after a loss of power at any step, acknowledged records are kept and the journal continues",
          "[journal]") {
  const bool copies = GENERATE(false, true);
  const bool refuse_damaged_end = GENERATE(false, true);
  const std::vector<Step> load = load_of(7, 40);
  std::size_t changes = 0, rewritings = 0;
  {
    const auto files = std::make_shared<SimulatedFiles>();
    Opened opened(files, 300, copies, refuse_damaged_end);
    for (const Step& step : load) REQUIRE(append(opened.journal, step).ok());
    changes = files->changes;
    rewritings = files->calls[Call::rename];
  }
  CHECK(rewritings > 4);
  CHECK(changes > 100);
  for (std::size_t at = 1; at <= changes; ++at) {
    for (unsigned seed = 0; seed < 12; ++seed) {
      INFO("power loss at change " << at << ", seed " << seed);
      std::mt19937 random(seed);
      const auto files = std::make_shared<SimulatedFiles>();
      Values acknowledged, attempted;
      files->power_loss_at = at;
      {
        Opened opened(files, 300, copies, refuse_damaged_end);
        for (const Step& step : load) {
          if (!opened.result) break;
          attempted = acknowledged;
          apply(attempted, step);
          if (!append(opened.journal, step)) break;
          acknowledged = attempted;
        }
      }
      files->restart(random);
      // The power is lost again while the file is opened.
      files->power_loss_at = files->changes + 1 + random() % 3;
      { const Opened interrupted(files, 300, copies, refuse_damaged_end); }
      files->restart(random);
      Opened opened(files, 300, copies, refuse_damaged_end);
      REQUIRE(opened.result.ok());
      const bool as_acknowledged = opened.table.values == acknowledged;
      REQUIRE((as_acknowledged || opened.table.values == attempted));
      REQUIRE(opened.set("z", "after").ok());
      files->restart(random);
      const Opened again(files, 300, copies, refuse_damaged_end);
      REQUIRE(again.result.ok());
      REQUIRE(again.table.values.at("z") == "after");
      REQUIRE(again.table.values.size() == (as_acknowledged ? acknowledged : attempted).size() + 1);
    }
  }
}

TEST_CASE("journal: calls that fail at random lose no acknowledged record, even at a loss of power", "[journal]") {
  const bool refuse_damaged_end = GENERATE(false, true);
  const std::vector<Step> load = load_of(11, 60);
  std::size_t failures = 0;
  for (unsigned seed = 0; seed < 600; ++seed) {
    INFO("seed " << seed);
    std::mt19937 random(seed);
    const auto files = std::make_shared<SimulatedFiles>();
    std::map<std::string, std::set<std::string>> possible;  // the acknowledged value, and later ones that failed
    {
      Opened opened(files, 300, seed % 2 == 0, refuse_damaged_end);
      REQUIRE(opened.result.ok());
      files->before = [&](Call call) {
        if (call == Call::read || random() % 12 != 0) return std::error_code();
        return std::make_error_code(random() % 2 == 0 ? std::errc::io_error : std::errc::no_space_on_device);
      };
      files->power_loss_at = 20 + random() % 200;
      for (const Step& step : load) {
        const bool done = append(opened.journal, step).ok();
        failures += done ? 0 : 1;
        for (const auto& [key, value] : step.sets) {
          if (possible[key].empty()) possible[key].insert("");
          if (done) possible[key].clear();
          possible[key].insert(value);
        }
      }
    }
    files->restart(random);
    const Opened opened(files, 300, false, refuse_damaged_end);
    REQUIRE(opened.result.ok());
    for (const auto& [key, values] : possible) {
      const auto found = opened.table.values.find(key);
      REQUIRE(values.contains(found == opened.table.values.end() ? "" : found->second));
    }
  }
  CHECK(failures > 1000);
}

TEST_CASE("journal: torn at any byte, every earlier record is kept and the journal continues", "[journal]") {
  const auto whole = files_of(3);
  REQUIRE(whole[0].size() == head_bytes);
  for (std::size_t cut = head_bytes; cut <= whole[3].size(); ++cut) {
    INFO(cut);
    std::string expected;
    for (std::size_t n = 1; n <= 3 && whole[n].size() <= cut; ++n) {
      expected += std::string(1, static_cast<char>('a' + n - 1)) + "=1 ";
    }
    const auto files = std::make_shared<SimulatedFiles>();
    files->put("j", whole[3].substr(0, cut));
    {
      Opened opened(files);
      REQUIRE(opened.result.ok());
      REQUIRE(opened.set("z", "after").ok());
    }
    CHECK(content_of(files) == expected + "z=after ");
  }
}

TEST_CASE("journal: a half-written last frame, or zeros after it, are cut off", "[journal]") {
  const auto whole = files_of(2);
  const auto files = std::make_shared<SimulatedFiles>();
  for (std::size_t at = whole[1].size(); at < whole[2].size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      INFO("byte " << at << ", bit " << bit);
      std::string torn = whole[2];
      torn[at] = static_cast<char>(torn[at] ^ 1 << bit);
      files->put("j", torn);
      CHECK(content_of(files) == "a=1 ");
      CHECK(files->bytes("j") == whole[1]);
    }
  }
  for (const std::size_t zeros : {std::size_t{1}, std::size_t{5000}, std::size_t{1'000'000}}) {
    files->put("j", whole[2] + std::string(zeros, '\0'));
    CHECK(content_of(files) == "a=1 b=1 ");
    CHECK(files->bytes("j") == whole[2]);
  }
}

TEST_CASE("journal: a flipped bit before whole frames is an error with its position, and nothing is cut", "[journal]") {
  const auto whole = files_of(4);
  const auto files = std::make_shared<SimulatedFiles>();
  for (std::size_t at = 0; at < whole[3].size(); ++at) {
    INFO(at);
    std::string damaged = whole[4];
    damaged[at] = static_cast<char>(damaged[at] ^ 1 << at % 8);
    files->put("j", damaged);
    std::size_t frame = 0;
    for (std::size_t n = 0; n < 4 && whole[n].size() <= at; ++n) frame = whole[n].size();
    CHECK_THAT(content_of(files),
               Catch::Matchers::StartsWith("the journal is damaged at byte " + std::to_string(frame)));
    CHECK(files->bytes("j") == damaged);
    Opened opened(files);
    CHECK_FALSE(opened.set("z", "1").ok());
    CHECK(files->bytes("j") == damaged);
  }
}

TEST_CASE("journal: a file that is not a journal, or one of another kind, is refused and kept", "[journal]") {
  std::string other = files_of(1)[1];
  other[0] = 'x';
  for (const std::string& content : {std::string(), std::string("testtest"), std::string(100, 'x'), other}) {
    const auto files = std::make_shared<SimulatedFiles>();
    files->put("j", content);
    CHECK(content_of(files) == "the journal is damaged at byte 0: it does not begin like one of flux");
    CHECK(files->bytes("j") == content);
  }
}

TEST_CASE("journal: unreadable bytes are not mistaken for a torn tail", "[journal]") {
  const auto files = std::make_shared<SimulatedFiles>();
  std::string big;
  {
    Opened opened(files);
    for (const char* key : {"a", "b", "c"}) REQUIRE(opened.set(key, std::string(300'000, 'v')).ok());
    big = files->bytes("j");
  }
  for (int good = 0; good < 4; ++good) {
    int reads = 0;
    files->before = [&](Call call) {
      return std::make_error_code(call == Call::read && reads++ == good ? std::errc::io_error : std::errc{});
    };
    CHECK(content_of(files) == "can't read the journal: " + std::make_error_code(std::errc::io_error).message());
    CHECK(files->bytes("j") == big);
  }
}

TEST_CASE("journal: frames inside a record are not mistaken for frames", "[journal]") {
  const auto whole = files_of(2);
  const auto files = std::make_shared<SimulatedFiles>();
  files->put("j", whole[2]);
  {
    Opened opened(files);
    REQUIRE(opened.set("c", whole[2].substr(head_bytes)).ok());
  }
  const std::string file = files->bytes("j");
  CHECK(content_of(file.substr(0, file.size() - 1)) == "a=1 b=1 ");
}

TEST_CASE("journal: a frame that is not a sequence of records, or a record that the state refuses, is an error",
          "[journal]") {
  const std::string file = files_of(1)[1];
  const auto with = [&](const std::string& content) { return content_of(file + frame_for(file, content)); };
  using namespace std::string_literals;
  CHECK(with("\2\1\0\0\0a"s).empty());  // the frame is valid
  for (const std::string& content : {"\2"s, "\2\2\0\0\0a"s, "\2\1\0\0\0a\2"s, "\2\xff\xff\xff\xff"s}) {
    const std::size_t at = file.size() + frame_head_bytes + (content.size() > 6 ? 6 : 0);
    CHECK(with(content) == "the journal holds at byte " + std::to_string(at) +
                               " data that this version of flux does not know: was it written by a newer one?");
  }
  CHECK(with("\x9\1\0\0\0a"s) == "unknown kind");
}

TEST_CASE("journal: the file stays below twice the size of its live records", "[journal]") {
  const auto files = std::make_shared<SimulatedFiles>();
  Opened opened(files);
  std::size_t largest = 0;
  for (int i = 0; i < 5000; ++i) {
    REQUIRE(opened.set(std::to_string(i % 20), "value " + std::to_string(i)).ok());
    largest = std::max(largest, files->bytes("j").size());
  }
  CHECK(largest > 60 * 1024);
  CHECK(largest < 65 * 1024);
  CHECK_FALSE(files->exists("j.new"));
  for (int i = 0; i < 200; ++i) REQUIRE(opened.set(std::to_string(i % 20), std::string(100'000, 'v')).ok());
  CHECK(files->bytes("j").size() < 2 * opened.table.live_bytes() + 101'000);
  for (int i = 0; i < 20; ++i) REQUIRE(opened.set(std::to_string(i), "small").ok());
  CHECK(files->bytes("j").size() < 64 * 1024);
  CHECK(Opened(files).table.values == opened.table.values);
}

TEST_CASE("journal: an append that finds the disk full fails, leaves the file as it was, and a shorter one succeeds",
          "[journal]") {
  const auto files = std::make_shared<SimulatedFiles>();
  files->put("j", files_of(2)[2]);
  Opened opened(files);
  const std::string before = files->bytes("j");
  files->capacity = before.size() + 60;
  const auto full = opened.set("c", std::string(1000, 'x'));
  REQUIRE_FALSE(full.ok());
  CHECK(full.error().code() == Errc::quota_exceeded);
  CHECK_THAT(full.error().message(), Catch::Matchers::StartsWith("can't write the journal: "));
  CHECK(files->bytes("j") == before);
  CHECK_FALSE(opened.table.values.contains("c"));
  CHECK(opened.set("d", "1").ok());
  CHECK(content_of(files) == "a=1 b=1 d=1 ");
}

TEST_CASE("journal: if there is no room for a new file, the old one stays in use", "[journal]") {
  const auto files = std::make_shared<SimulatedFiles>();
  Opened opened(files, 300, true);
  REQUIRE(opened.set("a", std::string(200, 'a')).ok());
  files->capacity = 700;
  int done = 0;
  while (opened.set("b", std::to_string(done))) ++done;
  CHECK(done > 20);
  CHECK_FALSE(files->exists("j.new"));
  files->capacity.reset();
  REQUIRE(opened.set("c", "1").ok());
  CHECK(content_of(files) == "a=" + std::string(200, 'a') + " b=" + std::to_string(done - 1) + " c=1 ");
}

TEST_CASE("journal: after a failed sync the next append writes a new file", "[journal]") {
  const auto files = std::make_shared<SimulatedFiles>();
  Opened opened(files, 64 * 1024, true);
  REQUIRE(opened.set("a", "1").ok());
  const std::size_t renames = files->calls[Call::rename];
  files->before = [](Call call) {
    return std::make_error_code(call == Call::sync ? std::errc::io_error : std::errc{});
  };
  CHECK_FALSE(opened.set("b", "1").ok());
  CHECK_FALSE(opened.set("c", "1").ok());  // no new file either
  files->before = [](Call) { return std::error_code(); };
  CHECK(opened.set("d", "1").ok());
  CHECK(files->calls[Call::rename] == renames + 1);
  CHECK(opened.set("e", "1").ok());
  CHECK(files->calls[Call::rename] == renames + 1);
  std::mt19937 random(1);
  files->restart(random);
  CHECK(content_of(files) == "a=1 d=1 e=1 ");
}

TEST_CASE("journal: records that a killed process left unsynced are durable once the journal is open", "[journal]") {
  const auto whole = files_of(2);
  for (unsigned seed = 0; seed < 20; ++seed) {
    const auto files = std::make_shared<SimulatedFiles>();
    files->put("j", whole[1]);
    std::error_code error;
    files->open("j", FileSystem::Open::existing, error)
        ->write(whole[1].size(), whole[2].substr(whole[1].size()), error);
    CHECK(content_of(files) == "a=1 b=1 ");
    std::mt19937 random(seed);
    files->restart(random);
    CHECK(content_of(files) == "a=1 b=1 ");
  }
}

TEST_CASE("journal: damage is not copied to a new file", "[journal]") {
  const auto files = std::make_shared<SimulatedFiles>();
  Opened opened(files, 300, true);
  REQUIRE(opened.set("a", "12345").ok());
  const std::size_t end = files->bytes("j").size();
  std::error_code error;
  files->open("j", FileSystem::Open::existing, error)->write(end - 1, "!", error);
  REQUIRE_FALSE(error);
  for (int i = 0; i < 100; ++i) REQUIRE(opened.set("b", std::to_string(i)).ok());
  CHECK(files->bytes("j").size() > 1000);
  CHECK(content_of(files) == "the journal is damaged at byte 20, and more of it follows");
}

TEST_CASE("journal: a new file that a crash left behind is ignored, then replaced", "[journal]") {
  const auto files = std::make_shared<SimulatedFiles>();
  files->put("j", files_of(2)[2]);
  files->put("j.new", files_of(1)[1]);
  CHECK(content_of(files) == "a=1 b=1 ");
  Opened opened(files, 300);
  for (int i = 0; i < 100; ++i) REQUIRE(opened.set("a", std::to_string(i)).ok());
  CHECK_FALSE(files->exists("j.new"));
  CHECK(content_of(files) == "a=99 b=1 ");
}

TEST_CASE("journal: appends that wait for a write share the next one", "[journal]") {
  const auto files = std::make_shared<SimulatedFiles>();
  Opened opened(files);
  REQUIRE(opened.result.ok());
  std::mutex mutex;
  std::condition_variable changed;
  bool in_sync = false, may_go_on = false;
  const auto before_calls = files->calls;
  files->before = [&](Call call) {
    std::unique_lock lock(mutex);
    if (call == Call::sync && !in_sync) {
      in_sync = true;
      changed.notify_all();
      changed.wait(lock, [&] { return may_go_on; });
    }
    return std::error_code();
  };
  std::vector<char> done(4, 0);
  std::vector<std::thread> threads;
  const auto start = [&](std::size_t n) {
    threads.emplace_back([&, n] { done[n] = opened.set(std::to_string(n), "1").ok() ? 1 : 0; });
  };
  start(0);
  {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return in_sync; });
  }
  for (std::size_t n = 1; n < done.size(); ++n) start(n);
  while (opened.journal.waiting() < 3) std::this_thread::yield();
  {
    const std::lock_guard lock(mutex);
    may_go_on = true;
  }
  changed.notify_all();
  for (std::thread& thread : threads) thread.join();
  CHECK(done == std::vector<char>(4, 1));
  CHECK(files->calls[Call::write] - before_calls.at(Call::write) == 2);
  CHECK(files->calls[Call::sync] - before_calls.at(Call::sync) == 2);
  CHECK(opened.journal.waiting() == 0);
  CHECK(content_of(files) == "0=1 1=1 2=1 3=1 ");
}

TEST_CASE("journal: appends that share a failed write all fail", "[journal]") {
  const auto files = std::make_shared<SimulatedFiles>();
  Opened opened(files, 300);
  REQUIRE(opened.result.ok());
  std::atomic<bool> fails = false;
  files->before = [&](Call call) {
    return std::make_error_code(call == Call::sync && fails ? std::errc::io_error : std::errc{});
  };
  std::vector<std::thread> threads;
  std::vector<Values> acknowledged(4);
  for (std::size_t t = 0; t < acknowledged.size(); ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 200; ++i) {
        if (t == 0) fails = i % 3 == 1;
        const std::string key = std::to_string(t) + "." + std::to_string(i);
        if (opened.set(key, "1").ok()) acknowledged[t][key] = "1";
      }
      if (t == 0) fails = false;
    });
  }
  for (std::thread& thread : threads) thread.join();
  Values all;
  for (const Values& part : acknowledged) all.insert(part.begin(), part.end());
  CHECK(all.size() < 800);
  CHECK(opened.set("last", "1").ok());
  all["last"] = "1";
  CHECK(opened.table.values == all);
  std::mt19937 random(3);
  files->restart(random);
  CHECK(Opened(files).table.values == all);
}

TEST_CASE("journal: a record above the limit, an append before open, and a bad name are errors", "[journal]") {
  const auto files = std::make_shared<SimulatedFiles>();
  Table table;
  JournalOptions options = Opened::options(files, 300);
  options.record_bytes_max = 10;
  {
    Journal journal("j", table, options);
    CHECK(journal.append(kind_set, "a=1").error().message() == "the journal must be opened before it is written");
    REQUIRE(journal.open().ok());
    CHECK(journal.append(kind_set, "a=12345678").ok());
    CHECK(journal.append(kind_set, "a=123456789").error().message() ==
          "a record of the journal may have 10 bytes, not 11");
    const std::vector<JournalEntry> two = {{kind_set, "a=1234"}, {kind_set, "b=123"}};
    CHECK_FALSE(journal.append(two).ok());
    CHECK(table.values == Values{{"a", "12345678"}});
  }
  options.record_bytes_max = 65 * 1024 * 1024;
  CHECK_THROWS_AS(Journal("j", table, options), Error);
  options = Opened::options(files, 300);
  options.name = "short";
  CHECK_THROWS_AS(Journal("j", table, options), Error);
}

}  // namespace journal_test
