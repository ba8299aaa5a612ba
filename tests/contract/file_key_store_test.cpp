#include "catch.hpp"

#include "support/awaited.hpp"
#include "support/contract_check.hpp"
#include "support/temp_folder.hpp"

#include <flux/detail/storage/raw_file.hpp>
#include <flux/storage/key_store.hpp>
#include <flux/testing/key_store_contract.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

namespace file_key_store_test {

using namespace flux;
using namespace flux::testing;
using Catch::Matchers::ContainsSubstring;
using flux_test::checked;
namespace fs = std::filesystem;

namespace {

std::string refused(const std::string& path) {
  try {
    FileKeyStore store(path);
  } catch (const Error& error) {
    CHECK(error.code() == Errc::bad_config);
    return error.message();
  }
  return "not refused";
}

constexpr const char* a_line =
    R"({"id":"a","hash":"0000000000000000000000000000000000000000000000000000000000000000"})";

}  // namespace

TEST_CASE("key store: a file fulfills the contract", "[key_store]") {
  NewFolders files;
  const auto open = [&] { return std::make_shared<FileKeyStore>(files.last()); };
  key_store_contract(
      checked,
      [&] {
        files.next();
        return open();
      },
      open);
}

TEST_CASE("file key store: the file is created for its owner alone, and a missing one is an error from then on",
          "[key_store]") {
  const TempFolder folder;
  const std::string path = folder / "keys.jsonl";
  FileKeyStore store(path);
  REQUIRE(store.put(key_row(1)).ok());
  CHECK(fs::status(path).permissions() == (fs::perms::owner_read | fs::perms::owner_write));
  CHECK_FALSE(fs::exists(path + ".new"));
  fs::remove(path);
  CHECK_THAT(store.load().error().message(), ContainsSubstring(path) && ContainsSubstring("No such file"));
  CHECK_FALSE(store.put(key_row(2)).ok());
  CHECK_FALSE(fs::exists(path));
  CHECK_THAT(refused(folder / "none/keys.jsonl"), ContainsSubstring("No such file"));
  CHECK_THAT(refused(folder.path().string()), ContainsSubstring("directory"));
}

TEST_CASE("file key store: what people have written is read, and other lines stay as they are, byte for byte",
          "[key_store]") {
  const TempFolder folder;
  const std::string path = folder / "keys.jsonl";
  const std::string written = std::string("# of the operators\n\n") + a_line +
                              "\r\n   # \xC3\xA4\n  { \"expires_at\" : 7,\"id\":\"b\"," + R"("user_id":"u","hash":")" +
                              std::string(64, 'b') +
                              R"(","name":"B\u00e4r","permissions":["read:*"],"created_at":-1})";  // no line end
  write_bytes(path, written);
  FileKeyStore store(path);
  const ApiKeyRecord a{.id = "a", .hash = std::string(64, '0')};
  const ApiKeyRecord b{.id = "b",
                       .hash = std::string(64, 'b'),
                       .name = "B\xC3\xA4r",
                       .user_id = "u",
                       .permissions = {"read:*"},
                       .created_at = -1,
                       .expires_at = 7};
  CHECK(store.load().value() == std::vector{a, b});
  REQUIRE(store.put(key_row(1)).ok());
  const std::string added = R"({"id":"key100001","hash":")" + key_row(1).hash +
                            R"(","name":"ci","permissions":["read:*"],"created_at":1700000000000})" + "\n";
  CHECK(bytes_of(path) == written + "\n" + added);
  REQUIRE(store.remove("a").ok());
  REQUIRE(store.remove("key100001").ok());
  std::string rest = written + "\n";
  rest.erase(rest.find(a_line), std::string(a_line).size() + 2);
  CHECK(bytes_of(path) == rest);
  fs::permissions(path, fs::perms::owner_read);
  CHECK(store.load().value() == std::vector{b});
}

TEST_CASE("file key store: a bad line is an error that names it, of every call, and the file stays as it is",
          "[key_store]") {
  const TempFolder folder;
  const std::string path = folder / "keys.jsonl";
  FileKeyStore store(path);
  const std::string hash = R"("hash":")" + std::string(64, '1') + '"';
  const std::vector<std::pair<std::string, std::string>> bad = {
      {"{", "line 3: "},
      {"[]", "a key must be a JSON object"},
      {"{}", "the id of an API key must be"},
      {R"({"id":"b"})", "the hash of an API key must be its SHA-256"},
      {R"({"id":"b","hash":"my-secret-key-1234"})", "the hash of an API key must be its SHA-256"},
      {R"({"id":7,)" + hash + "}", "\"id\" must be a string"},
      {R"({"id":"b",)" + hash + R"(,"expire_at":1})", "\"expire_at\" is no member of a key; there are id, hash"},
      {R"({"id":"b",)" + hash + R"(,"expires_at":"2027"})", "\"expires_at\" must be a whole number"},
      {R"({"id":"b",)" + hash + R"(,"expires_at":1.5})", "\"expires_at\" must be a whole number"},
      {R"({"id":"b",)" + hash + R"(,"expires_at":1,"expires_at":2})", "\"expires_at\" occurs twice"},
      {R"({"id":"b",)" + hash + R"(,"permissions":"read:*"})", "\"permissions\" must be an array of strings"},
      {R"({"id":"b",)" + hash + R"(,"permissions":[7]})", "\"permissions\" must be an array of strings"},
      {R"({"id":"b",)" + hash + R"(,"permissions":["read"]})", "operation:scope"},
      {R"({"id":"b",)" + hash + "} x", "line 3: "},
      {R"({"id":"a",)" + hash + "}", "line 1 has the id \"a\" already"},
      {std::string("\xEF\xBB\xBF") + a_line, "line 3: "}};
  for (const auto& [line, message] : bad) {
    INFO(line);
    const std::string text = std::string(a_line) + "\n\n" + line + "\n";
    write_bytes(path, text);
    const auto loaded = store.load();
    REQUIRE_FALSE(loaded.ok());
    CHECK(loaded.error().code() == Errc::store_failed);
    CHECK_THAT(loaded.error().message(), ContainsSubstring(path) && ContainsSubstring("line 3: ") &&
                                             ContainsSubstring(message) && !ContainsSubstring("my-secret-key"));
    CHECK(store.put(key_row(1)).error().message() == loaded.error().message());
    CHECK(store.remove("a").error().message() == loaded.error().message());
    CHECK(refused(path) == loaded.error().message());
    CHECK(bytes_of(path) == text);
  }
}

TEST_CASE("file key store: a file that everybody may write is refused", "[key_store]") {
  const TempFolder folder;
  const std::string path = folder / "keys.jsonl";
  FileKeyStore store(path);
  fs::permissions(path, fs::perms::others_write, fs::perm_options::add);
  CHECK_THAT(store.load().error().message(), ContainsSubstring("chmod 600"));
  CHECK_THAT(store.put(key_row(1)).error().message(), ContainsSubstring("chmod 600"));
  CHECK_THAT(refused(path), ContainsSubstring("chmod 600"));
}

TEST_CASE("file key store: a symbolic link is followed, and its target replaced", "[key_store]") {
  const TempFolder folder;
  FileKeyStore(folder / "target").load().value();
  fs::create_symlink("target", folder / "link");
  FileKeyStore store(folder / "link");
  REQUIRE(store.put(key_row(1)).ok());
  CHECK(fs::is_symlink(folder / "link"));
  CHECK(FileKeyStore(folder / "target").load().value() == std::vector{key_row(1)});
}

TEST_CASE("file key store: what a killed process has left of a change is no obstacle", "[key_store]") {
  const TempFolder folder;
  const std::string path = folder / "keys.jsonl";
  FileKeyStore store(path);
  REQUIRE(store.put(key_row(1)).ok());
  write_bytes(path + ".new", std::string(100'000, 'x'));
  REQUIRE(store.put(key_row(2)).ok());
  CHECK(FileKeyStore(path).load().value() == std::vector{key_row(1), key_row(2)});
}

TEST_CASE("file key store: a process killed at any time loses no key whose put had returned", "[key_store]") {
  const TempFolder folder;
  const std::string path = folder / "keys.jsonl";
  FileKeyStore(path).load().value();
  int acknowledged = 0;
  for (int round = 0; round < 10; ++round) {
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    const ::pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      FileKeyStore store(path);
      for (int i = acknowledged;; ++i) {
        if (!store.put(key_row(i)) || ::write(ends[1], "x", 1) != 1) ::_exit(1);
      }
    }
    ::close(ends[1]);
    char byte = 0;
    for (int i = 0; i < 3 + round; ++i) REQUIRE(::read(ends[0], &byte, 1) == 1);
    ::kill(child, SIGKILL);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(WIFSIGNALED(status));
    int returned = 3 + round;
    while (::read(ends[0], &byte, 1) == 1) ++returned;
    ::close(ends[0]);
    acknowledged += returned;
    const auto rows = FileKeyStore(path).load().value();
    CHECK(rows.size() >= static_cast<std::size_t>(acknowledged));
    CHECK(rows.size() <= static_cast<std::size_t>(acknowledged) + 1);  // one put had not returned
    acknowledged = static_cast<int>(rows.size());
  }
}

TEST_CASE("file key store: a change waits for that of another process, and gives up in time", "[key_store]") {
  const TempFolder folder;
  const std::string path = folder / "keys.jsonl";
  FileKeyStore store(path);
  auto other = std::make_unique<storage::RawFile>();
  std::error_code error;
  *other = storage::RawFile(path + ".lock", storage::RawFile::Mode::create, error);
  REQUIRE_FALSE(error);
  other->lock(error);
  REQUIRE_FALSE(error);
  const auto given_up = store.put(key_row(1));
  REQUIRE_FALSE(given_up.ok());
  CHECK(given_up.error().code() == Errc::store_failed);
  CHECK_THAT(given_up.error().message(), ContainsSubstring("can't lock it for a change"));
  CHECK(store.load().value().empty());
  other.reset();
  CHECK(store.put(key_row(1)).ok());
}

}  // namespace file_key_store_test
