// Files over HTTP with test stores and handlers: order, bounds, takeover, authorisation, errors.
#include "support/memory_file_store.hpp"
#include "support/server.hpp"

#include <flux/asio.hpp>
#include <flux/detail/core/base64.hpp>
#include <flux/detail/core/digest.hpp>
#include <flux/testing/manual_clock.hpp>

#include <asio/post.hpp>

#include <atomic>
#include <mutex>
#include <set>

namespace files_test {

using namespace flux_test;
using flux::FileAction;
using flux::FileRequest;

namespace {

struct Fixture {
  explicit Fixture(MemoryFileStoreOptions options = {}, std::size_t threads = 1)
      : store(std::make_shared<MemoryFileStore>(options)), config(test_config(threads)) {
    config.clock = options.clock;
    config.files.store = store;
    config.files.file_bytes_max = 10'000'000;
  }
  flux::Server& start() {
    server = std::make_unique<flux::Server>(config);
    if (before_start) before_start(*server);
    server->start();
    return *server;
  }
  HttpClient client() const { return HttpClient(server->port()); }

  std::shared_ptr<MemoryFileStore> store;
  flux::Config config;
  std::function<void(flux::Server&)> before_start;
  std::unique_ptr<flux::Server> server;
};

std::string field(const HttpReply& reply, const std::string& name) {
  const std::size_t at = reply.head.find("\r\n" + name + ": ");
  if (at == std::string::npos) return {};
  const std::size_t begin = at + name.size() + 4;
  return reply.head.substr(begin, reply.head.find("\r\n", begin) - begin);
}

std::string tus(std::string_view method, std::string_view path, std::string_view fields = "",
                std::string_view body = "") {
  std::string request(method);
  request.append(" ").append(path).append(" HTTP/1.1\r\nHost: h\r\nTus-Resumable: 1.0.0\r\n").append(fields);
  if (!body.empty() || method == "PATCH") {
    request.append("Content-Type: application/offset+octet-stream\r\n");
    request.append("Content-Length: " + std::to_string(body.size()) + "\r\n");
  }
  return request.append("\r\n").append(body);
}
std::string patch_head(std::string_view path, std::size_t offset, std::size_t length) {
  return "PATCH " + std::string(path) +
         " HTTP/1.1\r\nHost: h\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: " + std::to_string(offset) +
         "\r\nContent-Type: application/offset+octet-stream\r\nContent-Length: " + std::to_string(length) + "\r\n\r\n";
}
std::string patch(std::string_view path, std::size_t offset, std::string_view body) {
  return patch_head(path, offset, body.size()).append(body);
}

/// The path of the file created by a POST to /files.
std::string path_of(const HttpReply& made) { return "/" + field(made, "Location"); }

std::string begin_upload(HttpClient& client, std::size_t length, std::string_view fields = "") {
  const auto made =
      client.request(tus("POST", "/files", "Upload-Length: " + std::to_string(length) + "\r\n" + std::string(fields)));
  if (made.status != 201) throw std::runtime_error("no upload: " + made.head + made.body);
  return path_of(made);
}

std::string field_part(std::string_view name, std::string_view value) {
  return "--xyz\r\nContent-Disposition: form-data; name=\"" + std::string(name) + "\"\r\n\r\n" + std::string(value) +
         "\r\n";
}
std::string file_part(std::string_view name, std::string_view content, std::string_view type = {}) {
  return "--xyz\r\nContent-Disposition: form-data; name=\"f\"; filename=\"" + std::string(name) + "\"\r\n" +
         (type.empty() ? "" : "Content-Type: " + std::string(type) + "\r\n") + "\r\n" + std::string(content) + "\r\n";
}
/// A POST of a form with these parts.
std::string form(const std::string& parts, std::string_view end = "--xyz--\r\n", std::string_view fields = "") {
  return post("/files", parts + std::string(end),
              "Content-Type: multipart/form-data; boundary=xyz\r\n" + std::string(fields));
}

std::string bytes_of(std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>('a' + i * 31 % 23);
  return bytes;
}

}  // namespace

TEST_CASE("files: an uploaded file can be downloaded, from a blocking store and one that does not block") {
  for (const bool blocks : {true, false}) {
    Fixture files({.blocks = blocks}, 2);
    files.config.files.sha256 = flux::core::has_digests();
    files.start();
    auto client = files.client();
    for (const std::size_t size : {0U, 1U, 300'000U, 3'000'000U}) {
      const std::string content = bytes_of(size);
      const auto made = client.request(post("/files?filename=a%20b.txt", content, "Content-Type: text/plain\r\n"));
      REQUIRE(made.status == 201);
      CHECK(made.body.find("\"fileName\":\"a b.txt\",\"mimeType\":\"text/plain\",\"size\":" + std::to_string(size)) !=
            std::string::npos);
      const auto got = client.request(get(path_of(made)));
      CHECK(got.status == 200);
      CHECK(got.body == content);
      CHECK(got.has("Content-Disposition: attachment; filename=\"a b.txt\""));
      CHECK(got.has("X-Content-Type-Options: nosniff"));
      CHECK(got.has("Content-Security-Policy: sandbox; default-src 'none'"));
      if (flux::core::has_digests()) {
        std::string digest = "Repr-Digest: sha-256=:";
        flux::protocol::append_base64(digest, flux::core::sha256(content).value());
        CHECK(got.has(digest + ":"));
      }
    }
  }
}

TEST_CASE("files: a PATCH that trickles in gets 408; what was received is kept, and the upload can be resumed") {
  const auto clock = std::make_shared<flux::testing::ManualClock>();
  Fixture files({.clock = clock});
  files.start();
  auto client = files.client();
  const std::string path = begin_upload(client, 1000);
  auto slow = files.client();
  const auto read = [&] { return files.server->stats().bytes_in; };
  const std::string head = patch_head(path, 0, 1000);
  const auto before = read();
  slow.send(head);
  REQUIRE(eventually([&] { return read() == before + head.size(); }));
  slow.send_some("xx");
  REQUIRE(eventually([&] { return read() > before + head.size(); }));  // the store has opened the file
  int seconds = 0;
  for (pollfd answered{slow.native(), POLLIN, 0}; seconds < 60 && ::poll(&answered, 1, 0) == 0; ++seconds) {
    slow.send_some("xx");
    client.request(get("/"));  // the loop has handled what was due
    clock->advance(1000ms);
    client.request(get("/"));
  }
  CHECK(seconds >= 29);
  CHECK(seconds < 40);
  CHECK(slow.reply().status == 408);
  client.send(tus("HEAD", path));
  const std::size_t received = std::stoul(field(client.reply(true), "Upload-Offset"));
  CHECK(received <= 2 + 2 * static_cast<std::size_t>(seconds));
  CHECK(client.request(patch(path, received, std::string(1000 - received, 'x'))).status == 204);
  CHECK(client.request(get(path)).body == std::string(1000, 'x'));
}

TEST_CASE("files: Location is relative to the URL of the request, however a proxy has rewritten it") {
  for (const std::string path : {"/files", "/rt/my files", "/a:b"}) {
    Fixture files;
    files.config.files.path = path;
    files.start();
    auto client = files.client();
    const std::string last = path.substr(path.rfind('/') + 1);
    const std::string expected = (last == "my files" ? "my%20files"
                                  : last == "a:b"    ? "a%3Ab"
                                                     : last) +
                                 std::string("/");
    const std::string target = "/" + (path == "/rt/my files" ? "rt/" : std::string()) + expected;
    const std::string folder = target.substr(0, target.size() - 1);
    for (const auto& made :
         {client.request(post(folder, "x")), client.request(tus("POST", folder, "Upload-Length: 1\r\n"))}) {
      REQUIRE(made.status == 201);
      const std::string location = field(made, "Location");
      CHECK(location.substr(0, expected.size()) == expected);
      CHECK(client.request(tus("DELETE", target + location.substr(expected.size()))).status != 404);
    }
  }
}

TEST_CASE("files: no response head exceeds 4 kB, however long names and metadata are") {
  constexpr std::size_t usual_bound = 4'096;  // of nginx and others
  Fixture files;
  files.config.files.cors_origins = {"https://app.example.com"};
  files.config.files.sha256 = flux::core::has_digests();
  files.start();
  const std::string from = "Origin: https://app.example.com\r\n";
  const auto begun_with = [&](std::size_t bytes) {
    return files.client().request(
        tus("POST", "/files", "Upload-Length: 1\r\nUpload-Metadata: " + std::string(bytes, 'k') + "\r\n" + from));
  };
  const auto refused = begun_with(3'073);
  CHECK(refused.status == 413);
  CHECK(refused.body == "Upload-Metadata has at most 3072 bytes here, not 3073");
  const auto made = begun_with(3'072);
  REQUIRE(made.status == 201);
  const auto known = files.client().request(tus("HEAD", path_of(made), from));
  REQUIRE(known.status == 200);
  CHECK(field(known, "Upload-Metadata") == std::string(3'072, 'k'));
  CHECK(known.head.size() <= usual_bound);

  std::string name;
  for (int i = 0; i < 256; ++i) name += "%C3%A4";
  const std::string type = "Content-Type: text/x-" + std::string(248, 'y') + "\r\n" + from;
  CHECK(files.client().request(post("/files?filename=" + name + "x", "x", type)).status == 400);
  const auto named = files.client().request(post("/files?filename=" + name, "x", type));
  REQUIRE(named.status == 201);
  const auto got = files.client().request(get(path_of(named), from));
  REQUIRE(got.status == 200);
  CHECK(got.head.find("filename*=UTF-8''" + name) != std::string::npos);
  CHECK(got.head.size() <= usual_bound);
  CHECK(files.client().request(get(path_of(named) + "?filename=" + name + "x")).status == 400);
}

TEST_CASE("files: the server removes deleted files by itself, at its start and periodically") {
  const auto clock = std::make_shared<flux::testing::ManualClock>();
  Fixture files({.clock = clock});
  auto& server = files.start();
  const auto share_and_delete = [&] {
    const std::string id = path_of(files.client().request(post("/files", "x"))).substr(7);
    REQUIRE(answer_of<flux::Position>([&](auto done) { server.public_share_file(id, done); }));
    REQUIRE(public_delete_last(server));
    CHECK(eventually([&] { return !files.store->info(id).ok(); }));
    CHECK(files.store->files() == 1);
  };
  share_and_delete();
  clock->advance(601s);
  CHECK(eventually([&] { return files.store->files() == 0; }));
  share_and_delete();
  server.stop(0ms);
  server.start();
  CHECK(eventually([&] { return files.store->files() == 0; }));
}

TEST_CASE("files: on_file_stored hears of each file once, before its client does, over POST and tus") {
  for (const bool blocks : {true, false}) {
    std::mutex mutex;
    std::vector<flux::StoredFile> stored;
    Fixture files({.blocks = blocks});
    files.config.files.sha256 = flux::core::has_digests();
    files.before_start = [&](flux::Server& server) {
      server.on_file([](FileRequest& file) {
        file.accept(flux::Grant({.user_id = "ann"}, {}, std::nullopt, flux::JsonText::object({{"team", 7}})));
      });
      server.on_file_stored([&](const flux::StoredFile& file) {
        const std::lock_guard lock(mutex);
        stored.push_back(file);
      });
    };
    files.start();
    auto client = files.client();
    const auto last = [&](std::size_t count) {
      const std::lock_guard lock(mutex);
      REQUIRE(stored.size() == count);
      return stored.back();
    };
    const auto posted = client.request(post("/files?filename=a.txt", "abc", "Content-Type: text/plain\r\n"));
    REQUIRE(posted.status == 201);
    const auto whole = last(1);
    CHECK("/files/" + whole.file.id == path_of(posted));
    CHECK(whole.file == files.store->info(whole.file.id).value());
    CHECK(whole.file.state == flux::FileState::complete);
    CHECK(whole.file.owner == "ann");
    CHECK(whole.grant.claims.get<int>("/team") == 7);
    CHECK(whole.file.sha256.empty() != flux::core::has_digests());
    CHECK(whole.room.empty());
    CHECK_FALSE(whole.session.has_value());

    const std::string path = begin_upload(client, 4);
    CHECK(client.request(patch(path, 0, "ab")).status == 204);
    last(1);
    CHECK(client.request(patch(path, 2, "cd")).status == 204);
    CHECK("/files/" + last(2).file.id == path);
    client.send(tus("HEAD", path));
    CHECK(client.reply(true).status == 200);
    last(2);
    const auto at_once = client.request(tus("POST", "/files", "Upload-Length: 2\r\n", "xy"));
    CHECK("/files/" + last(3).file.id == path_of(at_once));
    CHECK(client.request(tus("POST", "/files", "Upload-Length: 0\r\n")).status == 201);
    CHECK(last(4).grant.claims.get<int>("/team") == 7);
  }
}

TEST_CASE("files: without a connect handler, the file handler gets what the token verifier has granted") {
  Fixture files;
  files.before_start = [](flux::Server& server) {
    server.on_token([](flux::TokenRequest& request) {
      if (request.token() != "good") return request.refuse("no such token");
      request.accept(flux::Grant({.user_id = "ann"}, {}, std::nullopt, flux::JsonText::object({{"team", 7}})));
    });
    server.on_file([](FileRequest& request) {
      if (request.action() == FileAction::upload) return request.accept();
      request.grant().claims.get<int>("/team") == 7 ? request.accept()
                                                    : request.refuse("not of this team", flux::Errc::forbidden);
    });
  };
  files.start();
  auto client = files.client();
  const std::string id = path_of(client.request(post("/files", "x", "Authorization: Bearer good\r\n")));
  CHECK(files.store->info(id.substr(7)).value().owner == "ann");
  CHECK(client.request(get(id, "Authorization: Bearer good\r\n")).status == 200);
  CHECK(client.request(get(id)).status == 403);
  CHECK(client.request(get(id, "Authorization: Bearer bad\r\n")).status == 401);
}

TEST_CASE("files: two requests complete an upload, on_file_stored hears of it once") {
  std::atomic<int> stored{0};
  Gate append;
  Gate loop;
  Awaited<bool> appending;
  Awaited<bool> blocked;
  Fixture files({}, 2);
  files.store->before_append = [&](const flux::FileId&) {
    appending.set(true);
    append.wait();
  };
  files.before_start = [&](flux::Server& server) {
    server.on_file_stored([&](const flux::StoredFile&) { ++stored; });
    server.route("GET", "/block", [&](const flux::HttpExchange& exchange) {
      blocked.set(true);
      loop.wait();
      exchange.respond(204, {});
    });
  };
  files.start();
  // Connections are given to the loops in turn.
  auto patching = files.client();
  const std::string path = begin_upload(patching, 2);
  auto asking = files.client();
  CHECK(asking.request(get("/")).status == 404);
  auto blocking = files.client();
  patching.send(patch(path, 0, "ab"));
  CHECK(appending.get());
  blocking.send(get("/block"));
  CHECK(blocked.get());
  asking.send(tus("HEAD", path));
  append.open();  // the loop of the PATCH does not see this yet
  CHECK(asking.reply(true).status == 200);
  loop.open();
  CHECK(patching.reply().status == 204);
  CHECK(stored == 1);
}

TEST_CASE("files: on_file_stored is not told of a file whose client has disconnected, and may throw") {
  Gate gate;
  Awaited<bool> completing;
  std::atomic<int> stored{0};
  std::atomic<bool> first{true};
  Fixture files;
  files.store->before_complete = [&](const flux::FileId&) {
    if (!first.exchange(false)) return;
    completing.set(true);
    gate.wait();
  };
  files.before_start = [&](flux::Server& server) {
    server.on_file_stored([&](const flux::StoredFile&) {
      ++stored;
      throw std::runtime_error("no record");
    });
  };
  const auto& server = files.start();
  {
    auto client = files.client();
    client.send(post("/files", "abc"));
    CHECK(completing.get());
    client.reset();
  }
  REQUIRE(eventually([&] { return server.stats().connections_now == 0; }));
  gate.open();
  CHECK(eventually([&] { return files.store->files() == 0; }));
  CHECK(stored == 0);
  const auto made = files.client().request(post("/files", "abc"));
  CHECK(made.status == 201);
  CHECK(stored == 1);
  CHECK(server.stats().handler_errors == 1);
  CHECK(files.client().request(get(path_of(made))).body == "abc");
}

namespace {

flux::Result<flux::FileInfo> store_file(flux::Server& server, flux::NewFile file) {
  return answer_of<flux::FileInfo>([&](auto done) { server.store_file(std::move(file), done); });
}

}  // namespace

TEST_CASE("files: the application stores a file of its own, from a blocking store and one that does not block") {
  for (const bool blocks : {true, false}) {
    INFO("blocks: " << blocks);
    Fixture files({.blocks = blocks});
    std::atomic<int> told{0};
    files.before_start = [&](flux::Server& server) {
      server.on_file([&](FileRequest& request) {
        ++told;
        request.accept();
      });
      server.on_file_stored([&](const flux::StoredFile&) { ++told; });
    };
    auto& server = files.start();
    const std::string bytes = std::string(9'000'000, 'x') + "end";  // in three pieces
    const auto stored = store_file(
        server, {.bytes = bytes, .name = "sc\u00f6res.csv", .media_type = "text/csv; charset=utf-8", .owner = "ann"});
    REQUIRE(stored.ok());
    CHECK(stored->state == flux::FileState::complete);
    CHECK(stored->size == bytes.size());
    CHECK(stored->length == bytes.size());
    CHECK(stored->owner == "ann");
    CHECK_FALSE(stored->shared);
    CHECK(files.store->content(stored->id) == bytes);
    CHECK(files.store->largest_append <= 4'194'304);
    const auto page = answer_of<flux::FilesPage>([&](auto done) { server.files({.owner = "ann"}, done); });
    REQUIRE(page.ok());
    REQUIRE(page->files.size() == 1);
    CHECK(page->files[0] == *stored);
    CHECK(told == 0);

    server.create_room("r", {.mode = flux::RoomMode::history, .permanent = true}).value();
    REQUIRE(answer_of<flux::Position>([&](auto done) { server.share_file("r", stored->id, done); }).ok());
    auto client = files.client();
    const auto got = client.request(get("/files/" + stored->id));
    CHECK(got.status == 200);
    CHECK(got.body == bytes);
    CHECK(field(got, "Content-Type") == "text/csv; charset=utf-8");

    const auto empty = store_file(server, {});
    REQUIRE(empty.ok());
    CHECK(empty->size == 0);
    CHECK(empty->state == flux::FileState::complete);
    CHECK(field(client.request(get("/files/" + empty->id)), "Content-Type") == "application/octet-stream");
  }
}

TEST_CASE("files: a file of the application's that can't be stored, its error says why and nothing is left behind") {
  Fixture files({.bytes_per_owner_max = 1'000});
  files.config.files.file_bytes_max = 5'000;
  bool fails = false;
  files.store->append_fails = [&]() -> flux::Result<void> {
    if (fails) return flux::Error(flux::Errc::store_failed, "no disk");
    return {};
  };
  auto& server = files.start();
  const auto code = [&](flux::NewFile file) {
    const auto stored = store_file(server, std::move(file));
    return stored ? flux::Errc() : stored.error().code();
  };
  CHECK(code({.bytes = std::string(5'001, 'x')}) == flux::Errc::file_too_large);
  CHECK(code({.name = std::string(513, 'n')}) == flux::Errc::invalid_argument);
  CHECK(code({.name = std::string("a\0b", 3)}) == flux::Errc::invalid_argument);
  CHECK(code({.name = "\xff"}) == flux::Errc::invalid_argument);
  CHECK(code({.media_type = "csv"}) == flux::Errc::invalid_argument);
  CHECK(code({.media_type = "text/csv\r\nX: y"}) == flux::Errc::invalid_argument);
  CHECK(code({.owner = "\xff"}) == flux::Errc::invalid_argument);
  CHECK(code({.bytes = std::string(1'001, 'x'), .owner = "ann"}) == flux::Errc::owner_quota_exceeded);
  CHECK(code({.bytes = std::string(900, 'x'), .owner = "ann"}) == flux::Errc());
  CHECK(code({.bytes = std::string(101, 'x'), .owner = "ann"}) == flux::Errc::owner_quota_exceeded);
  CHECK(code({.bytes = std::string(101, 'x'), .owner = "ben"}) == flux::Errc());
  fails = true;
  CHECK(code({.bytes = "x"}) == flux::Errc::store_failed);
  CHECK(eventually([&] { return files.store->files() == 2; }));
  server.stop();
  CHECK(code({.bytes = "x"}) == flux::Errc::stopped);
  flux::Server without_store(test_config());
  without_store.start();
  const auto refused = store_file(without_store, {.bytes = "x"});
  CHECK(refused.error().code() == flux::Errc::forbidden);
}

TEST_CASE(
    "files: the server stops while a file of the application's is being stored, it hears of it and none is left") {
  Fixture files;
  Gate gate;
  Awaited<bool> begun;
  files.store->before_append = [&](const flux::FileId&) {
    begun.set(true);
    gate.wait();
  };
  auto& server = files.start();
  const auto stored = std::make_shared<Awaited<flux::Result<flux::FileInfo>>>();
  server.store_file({.bytes = std::string(5'000'000, 'x')}, [stored](auto result) { stored->set(std::move(result)); });
  begun.get();
  // Scheduled calls are dropped after the loops have ended: until then the next piece could still be stored.
  server.call_after(1h, [loops_end = std::shared_ptr<void>(nullptr, [&](void*) { gate.open(); })] {});
  server.stop(0ms);
  CHECK(stored->get().error().code() == flux::Errc::stopped);
  CHECK(files.store->files() == 0);
}

TEST_CASE("files: a file that was not shared expires after a day, by default") {
  const auto clock = std::make_shared<flux::testing::ManualClock>();
  Fixture files({.clock = clock});
  files.start();
  auto client = files.client();
  const std::string path = path_of(client.request(post("/files", "x")));
  const auto is_there = [&] { return files.client().request(get(path)).status == 200; };
  CHECK(is_there());
  clock->advance(24h);
  CHECK(is_there());
  // A sweep deletes it, a cleanup removes it from disk; each comes within ten minutes.
  CHECK(eventually([&] {
    clock->advance(601s);
    return files.store->files() == 0;
  }));
}

TEST_CASE("files: an upload delayed by the store blocks its client and takes little memory") {
  const bool as_form = GENERATE(false, true);
  Fixture files;
  Gate gate;
  files.store->before_append = [&](const flux::FileId&) { gate.wait(); };
  files.start();
  auto client = files.client();
  const std::string content = bytes_of(9'000'000);
  const std::string request = as_form ? form(file_part("a", content)) : post("/files", content);
  // The kernel buffers some megabytes and we queue the rest, until the socket has taken nothing for 100 ms.
  std::size_t sent = 0;
  for (pollfd writable{client.native(), POLLOUT, 0}; sent < request.size() && ::poll(&writable, 1, 100) == 1;) {
    sent += client.send_some(std::string_view(request).substr(sent));
  }
  const std::size_t taken = files.server->stats().bytes_in;
  CHECK(taken <= 1'100'000 + 262'144);
  gate.open();
  client.send(std::string_view(request).substr(sent));
  const auto made = client.reply();
  CHECK(made.status == 201);
  CHECK(files.store->largest_append <= 2 * 262'144 + 1);
  CHECK(files.client().request(get(path_of(made))).body == content);
}

TEST_CASE("files: a client that disconnects during a plain POST leaves nothing behind") {
  Fixture files;
  files.start();
  {
    auto client = files.client();
    client.send("POST /files HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nhalf");
    REQUIRE(eventually([&] { return files.store->files() == 1; }));
  }
  CHECK(eventually([&] { return files.store->files() == 0; }));
}

TEST_CASE("files: a store fails in the middle, POST gets its status and leaves nothing behind") {
  struct Failure {
    flux::Errc code;
    int status;
  };
  for (const auto& [code, status] :
       {Failure{flux::Errc::store_failed, 500}, Failure{flux::Errc::quota_exceeded, 507},
        Failure{flux::Errc::owner_quota_exceeded, 507}, Failure{flux::Errc::overloaded, 503}}) {
    Fixture files;
    files.store->append_fails = [code = code] {
      return flux::Result<void>(flux::Error(code, "said with /secret/path"));
    };
    files.start();
    const auto reply = files.client().request(post("/files", bytes_of(1'000)));
    CHECK(reply.status == status);
    CHECK(reply.body.find("/secret") == std::string::npos);
    CHECK((status == 503) == !field(reply, "Retry-After").empty());
    CHECK(eventually([&] { return files.store->files() == 0; }));
  }
}

TEST_CASE("files: a store throws, 500, and the server continues") {
  Fixture files;
  std::atomic<bool> throws{true};
  files.store->append_fails = [&]() -> flux::Result<void> {
    if (throws) throw std::runtime_error("thrown on purpose");
    return {};
  };
  files.start();
  CHECK(files.client().request(post("/files", "x")).status == 500);
  throws = false;
  CHECK(files.client().request(post("/files", "x")).status == 201);
}

TEST_CASE("files: past the store's quota, 507 without asking for the body") {
  Fixture files({.bytes_max = 1'000});
  files.start();
  auto client = files.client();
  client.send("POST /files HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 1001\r\n\r\n");
  CHECK(client.reply().status == 507);
  CHECK(files.store->files() == 0);
}

TEST_CASE("files: 100 (Continue) is sent once the application has permitted the upload, not before") {
  Fixture files;
  Awaited<flux::LaterAnswer> asked;
  files.before_start = [&](flux::Server& server) {
    server.on_file([&](FileRequest& request) { asked.set(request.later()); });
  };
  files.start();
  auto client = files.client();
  client.send("POST /files HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  const auto answer = asked.get();
  CHECK(files.store->files() == 0);
  CHECK(files.client().request(get("/none")).status == 404);  // the loop has had its turns
  CHECK(client.received.empty());
  answer.accept({.user_id = "u"});
  CHECK(client.reply().status == 100);
  CHECK(client.request("hi").status == 201);
}

TEST_CASE("files: an upload refused later, 401 with the reason, nothing created, its body not parsed as a request") {
  Fixture files;
  std::vector<std::string> seen;
  Awaited<flux::LaterAnswer> asked;
  files.before_start = [&](flux::Server& server) {
    server.on_file([&](FileRequest& request) {
      CHECK(request.action() == FileAction::upload);
      CHECK(request.file().name == "n");
      CHECK(request.file().length == 31U);
      CHECK(request.file().id.empty());
      CHECK(request.room() == "r");
      CHECK(request.path() == "/files");
      CHECK(request.query("x") == "1");
      CHECK(request.token() == "t");
      CHECK(request.remote_address().find("127.0.0.1:") == 0);
      asked.set(request.later());
    });
  };
  files.start();
  auto client = files.client();
  client.send(
      post("/files?filename=n&room=r&x=1", "GET / HTTP/1.1\r\nHost: other\r\n\r\n", "Authorization: Bearer t\r\n"));
  asked.get().refuse("not today");
  const auto reply = client.reply();
  CHECK(reply.status == 401);
  CHECK(reply.has("WWW-Authenticate: Bearer"));
  CHECK(reply.body == "not today");
  CHECK(client.to_end().empty());
  CHECK(files.store->files() == 0);
}

TEST_CASE("files: an application that does not answer in time, 503, and its later answer is ignored") {
  Fixture files;
  files.config.limits.answer_timeout = 300ms;
  Awaited<flux::LaterAnswer> asked;
  files.before_start = [&](flux::Server& server) {
    server.on_file([&](FileRequest& request) { asked.set(request.later()); });
  };
  files.start();
  auto client = files.client();
  const auto reply = client.request(post("/files", "hi"));
  CHECK(reply.status == 503);
  CHECK(reply.body == "the application took too long to answer");
  CHECK(reply.has("Retry-After: 1"));
  asked.get().accept({.user_id = "u"});
  CHECK(client.to_end().empty());
  CHECK(files.client().request(get("/none")).status == 404);  // the loop has had its turns
  CHECK(files.store->files() == 0);
}

TEST_CASE("files: with an answer in time, an upload may take longer than the answer's timeout") {
  const auto clock = std::make_shared<flux::testing::ManualClock>();
  Fixture files({.clock = clock});
  files.config.limits.handshake_timeout = files.config.limits.answer_timeout = 300ms;
  files.before_start = [](flux::Server& server) {
    server.on_file([](FileRequest& request) { request.later().accept({.user_id = "u"}); });
  };
  files.start();
  auto client = files.client();
  client.send("POST /files HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nab");
  REQUIRE(eventually([&] { return files.store->appends == 1; }));
  // Its own deadline is set later in the same loop: once it has passed, so has the other.
  auto silent = files.client();
  REQUIRE(eventually([&] { return files.server->stats().connections_now == 2; }));
  clock->advance(1s);
  CHECK(silent.to_end().empty());
  client.send("cd");
  CHECK(client.reply().status == 201);
}

TEST_CASE("files: a client that disconnects while the application's answer is pending frees its connection") {
  Fixture files;
  files.config.limits.answer_timeout = 300ms;
  Awaited<flux::LaterAnswer> asked;
  files.before_start = [&](flux::Server& server) {
    server.on_file([&](FileRequest& request) { asked.set(request.later()); });
  };
  files.start();
  auto client = files.client();
  client.send("POST /files HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nhalf");
  const auto answer = asked.get();
  client.reset();
  CHECK(eventually([&] { return files.server->stats().connections_now == 0; }));
}

TEST_CASE("files: a handler throws, 500; it throws after accepting, nothing is created") {
  Fixture files;
  files.before_start = [&](flux::Server& server) {
    server.on_file([&](FileRequest& request) {
      request.accept();
      throw std::runtime_error("thrown on purpose");
    });
  };
  files.start();
  CHECK(files.client().request(post("/files", "x")).status == 500);
  CHECK(files.client().request(get("/none")).status == 404);
  CHECK(files.store->files() == 0);
}

TEST_CASE("files: the handler is asked about each action, with the file and its owner") {
  Fixture files;
  std::mutex mutex;
  std::vector<std::string> log;
  files.before_start = [&](flux::Server& server) {
    server.on_file([&](FileRequest& request) {
      const std::lock_guard lock(mutex);
      log.push_back(std::to_string(static_cast<int>(request.action())) + request.file().owner + request.file().name);
      if (request.action() == FileAction::remove && request.file().state == flux::FileState::complete &&
          request.token() != "admin") {
        return request.refuse("no", flux::Errc::forbidden);
      }
      request.accept({.user_id = "ann"});
    });
  };
  files.start();
  auto client = files.client();
  const auto path = begin_upload(client, 2, "Upload-Metadata: filename bg==\r\n");
  CHECK(client.request(patch(path, 0, "a")).status == 204);
  client.send(tus("HEAD", path));
  CHECK(client.reply(true).status == 200);
  CHECK(client.request(patch(path, 1, "b")).status == 204);
  CHECK(client.request(get(path)).body == "ab");
  CHECK(client.request("DELETE " + path + " HTTP/1.1\r\nHost: h\r\n\r\n").status == 403);
  CHECK(client.request("DELETE " + path + " HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer admin\r\n\r\n").status == 204);
  CHECK(client.request(get(path)).status == 404);
  CHECK(log == std::vector<std::string>{"0n", "0annn", "0annn", "0annn", "1annn", "2annn", "2annn", "1"});
}

TEST_CASE("files: a client that is refused does not learn which files exist, or are complete") {
  Fixture files;
  files.before_start = [](flux::Server& server) {
    server.on_file([](FileRequest& request) {
      const auto user = request.header("X-User");
      if (!user) return request.refuse("log in");
      if (request.file().owner != *user && request.file().id != "")
        return request.refuse("not yours", flux::Errc::forbidden);
      request.accept({.user_id = std::string(*user)});
    });
  };
  files.start();
  auto client = files.client();
  const std::string ann = "X-User: ann\r\n";
  const std::string complete = path_of(client.request(post("/files", "x", ann)));
  const std::string begun = path_of(client.request(tus("POST", "/files", "Upload-Length: 2\r\n" + ann)));
  const std::string unknown = "/files/00000000-0000-4000-8000-000000000000";
  for (const std::string& path : {complete, begun, unknown}) {
    CHECK(client.request(get(path)).status == 401);
    CHECK(client.request(get(path, "X-User: bob\r\n")).status == 403);
    CHECK(client.request(tus("PATCH", path, "Upload-Offset: 0\r\n", "")).status == 401);
    CHECK(client.request("DELETE " + path + " HTTP/1.1\r\nHost: h\r\n\r\n").status == 401);
  }
  CHECK(client.request(get(begun, ann)).status == 404);
}

TEST_CASE("files: an upload is continued and asked about by its owner alone") {
  Fixture files;
  files.before_start = [](flux::Server& server) {
    server.on_file([](FileRequest& request) { request.accept({.user_id = request.token()}); });
  };
  files.start();
  auto client = files.client();
  const std::string ann = "Authorization: Bearer ann\r\n", bob = "Authorization: Bearer bob\r\n";
  const auto path = begin_upload(client, 2, ann);
  const auto head = [&](const std::string& who) {
    client.send(tus("HEAD", path, who));
    return client.reply(true).status;
  };
  CHECK(head(bob) == 403);
  CHECK(files.client().request(tus("PATCH", path, "Upload-Offset: 0\r\n" + bob, "xx")).body ==
        "this upload belongs to another user");
  CHECK(head(ann) == 200);
  CHECK(head({}) == 200);  // accepted without a user
  CHECK(client.request(tus("PATCH", path, "Upload-Offset: 0\r\n" + ann, "ab")).status == 204);
  CHECK(client.request(get(path)).body == "ab");
}

TEST_CASE("files: without a file handler an unfinished upload is removed by its owner alone") {
  Fixture files;
  files.before_start = [](flux::Server& server) {
    server.on_connect([](flux::ConnectRequest& request) { request.accept({.user_id = request.token()}); });
  };
  files.start();
  auto client = files.client();
  const std::string ann = "Authorization: Bearer ann\r\n", bob = "Authorization: Bearer bob\r\n";
  const auto path = begin_upload(client, 2, ann);
  CHECK(client.request(tus("DELETE", path, bob)).status == 403);
  CHECK(client.request(tus("PATCH", path, "Upload-Offset: 0\r\n" + ann, "a")).status == 204);
  CHECK(client.request(tus("DELETE", path, ann)).status == 204);
}

TEST_CASE("files: a store that gives wrong numbers or states is a failure that is logged") {
  Fixture files;
  std::mutex mutex;
  std::vector<std::string> lines;
  files.config.log = [&](flux::LogLevel level, std::string_view line) {
    const std::lock_guard lock(mutex);
    if (level == flux::LogLevel::error) lines.emplace_back(line);
  };
  files.start();
  const auto path = path_of(files.client().request(post("/files", "abc")));
  const std::string id = path.substr(7);
  const auto error_of = [&](const std::string& request) {
    {
      const std::lock_guard lock(mutex);
      lines.clear();
    }
    CHECK(files.client().request(request).status == 500);
    const std::lock_guard lock(mutex);
    return lines.empty() ? std::string() : lines.front();
  };
  files.store->wrong_by = 1;
  CHECK(error_of(get(path)) == "the file store failed: it read 4 bytes of file " + id + " instead of at most 3");
  CHECK(error_of(post("/files", "abc")).find(" has 4 bytes instead of 3") != std::string::npos);
  files.store->wrong_by = SIZE_MAX;  // one less
  CHECK(error_of(get(path)) ==
        "the file store read 2 bytes of file " + id + " at 0 instead of 3: the file is shorter than it was said to be");
  files.store->wrong_by = 0;
  files.store->stays_unfinished = true;
  CHECK(error_of(post("/files", "abc")).find(" is not complete after it was completed") != std::string::npos);
  CHECK(files.server->stats().store_errors == 4);
}

TEST_CASE(
    "files: without a handler unfinished uploads are removed by clients that know them, complete files by nobody") {
  Fixture files;
  files.start();
  auto client = files.client();
  const auto path = begin_upload(client, 2);
  CHECK(client.request(tus("DELETE", path)).status == 204);
  CHECK(files.client().request(patch(path, 0, "ab")).status == 404);
  const auto made = client.request(post("/files", "x"));
  CHECK(client.request(tus("DELETE", path_of(made))).status == 403);
  CHECK(client.request(get(path_of(made))).status == 200);
}

TEST_CASE("tus: a newer PATCH takes over at once from a stalled one, whose later bytes are not written") {
  Fixture files({}, 2);
  files.start();
  auto dead = files.client();
  const auto path = begin_upload(dead, 10);
  const std::string id = path.substr(7);
  dead.send(patch_head(path, 0, 10) + "abc");
  REQUIRE(eventually([&] { return files.store->content(id) == "abc"; }));
  auto newer = files.client();
  CHECK(newer.request(patch(path, 3, "DEFGHIJ")).status == 204);
  dead.send("defghij");
  const auto ended = dead.reply();
  CHECK(ended.status == 409);
  CHECK(dead.to_end().empty());
  CHECK(newer.request(get(path)).body == "abcDEFGHIJ");
}

TEST_CASE("tus: a HEAD takes over from a PATCH that the store delays, and reports the resulting offset") {
  Fixture files;
  Gate gate;
  Awaited<bool> held;
  std::atomic<int> calls{0};
  files.store->before_append = [&](const flux::FileId&) {
    if (++calls != 2) return;
    held.set(true);
    gate.wait();
  };
  files.start();
  auto dead = files.client();
  const auto path = begin_upload(dead, 100);
  dead.send(patch_head(path, 0, 100) + "abc");
  REQUIRE(eventually([&] { return files.store->content(path.substr(7)) == "abc"; }));
  dead.send("def");  // on its way to the store
  CHECK(held.get());
  dead.send("ghi");  // queued after it
  auto newer = files.client();
  newer.send(tus("HEAD", path));
  CHECK(files.client().request(get("/none")).status == 404);
  gate.open();
  const auto offset = newer.reply(true);
  const std::string come = files.store->content(path.substr(7));
  CHECK((come == "abcdef" || come == "abcdefghi"));  // as soon as the HEAD is permitted
  CHECK(field(offset, "Upload-Offset") == std::to_string(come.size()));
  CHECK(dead.reply().status == 409);
  const std::string rest(100 - come.size(), 'x');
  CHECK(newer.request(patch(path, come.size(), rest)).status == 204);
  CHECK(newer.request(get(path)).body == come + rest);
}

TEST_CASE("tus: many concurrent requests for one upload, each byte is written once") {
  Fixture files({}, 2);
  files.start();
  auto first = files.client();
  const std::string content = bytes_of(2'000'000);
  const auto path = begin_upload(first, content.size());
  Crew crew;
  for (int i = 0; i < 4; ++i) {
    crew.add([&] {
      for (;;) {
        auto client = files.client();
        client.send(tus("HEAD", path));
        const auto head = client.reply(true);
        if (head.status != 200) continue;
        const auto offset = static_cast<std::size_t>(std::stoul(field(head, "Upload-Offset")));
        if (offset == content.size()) return;
        const std::size_t size = std::min<std::size_t>(content.size() - offset, 100'000);
        client.send(patch(path, offset, std::string_view(content).substr(offset, size)));
        const auto reply = client.reply();
        if (reply.status != 204 && reply.status != 409 && reply.status != 0) throw std::runtime_error(reply.head);
      }
    });
  }
  crew.join();
  CHECK(first.request(get(path)).body == content);
}

TEST_CASE("tus: an expired upload no longer exists") {
  const auto clock = std::make_shared<flux::testing::ManualClock>();
  Fixture files({.clock = clock});
  files.config.files.upload_expires = 60s;
  files.start();
  auto client = files.client();
  const auto path = begin_upload(client, 3);
  clock->advance(30s);
  CHECK(client.request(patch(path, 0, "a")).status == 204);
  clock->advance(61s);
  const auto reply = files.client().request(patch(path, 1, "b"));  // the other connection was idle for too long
  CHECK((reply.status == 410 || reply.status == 404));             // before or after the sweep
}

TEST_CASE("files: a stranger's unfinished uploads fill neither the quota nor the number that others have") {
  const std::string stranger = "X-Forwarded-For: 192.0.2.1\r\n", other = "X-Forwarded-For: 192.0.2.2\r\n";
  Fixture files;
  files.config.trusted_proxies = {"127.0.0.1", "::1"};
  files.config.files.unfinished_uploads_per_address_max = 3;
  files.config.files.unfinished_bytes_per_address_max = 10'000;
  files.start();
  const auto begin = [&](const std::string& from, const std::string& length) {
    return files.client().request(tus("POST", "/files", from + length + "\r\n"));
  };
  const auto first = begin(stranger, "Upload-Length: 6000");
  CHECK(first.status == 201);
  const auto large = begin(stranger, "Upload-Length: 6000");
  CHECK(large.status == 429);
  CHECK(field(large, "Retry-After") == "60");
  CHECK(large.body.find("unfinished uploads") != std::string::npos);
  const auto second = begin(stranger, "Upload-Length: 4");
  CHECK(second.status == 201);
  const auto third = begin(stranger, "Upload-Defer-Length: 1");
  CHECK(third.status == 201);
  CHECK(begin(stranger, "Upload-Length: 1").status == 429);
  CHECK(files.client().request(post("/files", "x", stranger)).status == 429);
  CHECK(begin(other, "Upload-Length: 9000").status == 201);
  CHECK(files.client().request(post("/files", "x", other)).status == 201);
  // What is complete or removed no longer counts, and of an upload of unknown length what has arrived does.
  CHECK(files.client().request(patch(path_of(second), 0, "abcd")).status == 204);
  CHECK(files.client().request(post("/files", "x", stranger)).status == 201);
  const auto path = path_of(third);
  CHECK(files.client().request(patch(path, 0, bytes_of(4000))).status == 204);
  CHECK(files.client().request(patch(path, 4000, "x")).status == 429);
  CHECK(files.client().request(tus("DELETE", path_of(first))).status == 204);
  CHECK(files.client().request(patch(path, 4000, "x")).status == 204);
  const auto longer = tus("PATCH", path, "Upload-Offset: 4001\r\nUpload-Length: 9999999\r\n", "x");
  CHECK(files.client().request(longer).status == 204);  // the only one
  CHECK(begin(stranger, "Upload-Length: 1").status == 429);
}

TEST_CASE("files: the uploads of known users are not limited by their address") {
  Fixture files;
  files.config.files.unfinished_uploads_per_address_max = 1;
  files.before_start = [](flux::Server& server) {
    server.on_file([](FileRequest& request) {
      flux::Identity identity;
      identity.user_id = std::string(request.query("user").value_or(""));
      request.accept(identity);
    });
  };
  files.start();
  auto client = files.client();
  const auto begin = [&](const std::string& user) {
    return client.request(tus("POST", "/files?user=" + user, "Upload-Length: 5\r\n")).status;
  };
  CHECK(begin("anna") == 201);
  CHECK(begin("anna") == 201);
  CHECK(begin("") == 201);
  CHECK(begin("") == 429);
  CHECK(begin("anna") == 201);
}

TEST_CASE("files: the uploads that an address could not create do not count") {
  Fixture files({.bytes_max = 10});
  files.config.files.unfinished_uploads_per_address_max = 1;
  files.start();
  auto client = files.client();
  for (int i = 0; i < 3; ++i) CHECK(client.request(tus("POST", "/files", "Upload-Length: 11\r\n")).status == 507);
  CHECK(client.request(tus("POST", "/files", "Upload-Length: 10\r\n")).status == 201);
}

TEST_CASE("tus: Upload-Expires says when an upload without a byte is removed, then when an idle one is") {
  const auto clock = std::make_shared<flux::testing::ManualClock>();
  Fixture files({.clock = clock});
  files.config.files.upload_expires = 1000s;
  files.config.files.unstarted_upload_expires = 60s;
  files.start();
  auto client = files.client();
  const auto made = client.request(tus("POST", "/files", "Upload-Length: 3\r\n"));
  const auto begun = client.request(patch(path_of(made), 0, "a"));
  CHECK(begun.status == 204);
  CHECK_FALSE(field(made, "Upload-Expires").empty());
  CHECK(field(made, "Upload-Expires") != field(begun, "Upload-Expires"));
  const auto unstarted = path_of(client.request(tus("POST", "/files", "Upload-Length: 3\r\n")));
  clock->advance(61s);
  const auto gone = files.client().request(patch(unstarted, 0, "a")).status;
  CHECK((gone == 410 || gone == 404));  // before or after the sweep
  CHECK(files.client().request(patch(path_of(made), 1, "b")).status == 204);
}

TEST_CASE("files: the store loses the rest of a download, it is truncated, not padded") {
  Fixture files;
  files.start();
  auto client = files.client();
  const auto made = client.request(post("/files", bytes_of(5'000'000)));
  const std::string path = path_of(made);
  TcpClient slow(Target{files.server->port(), "127.0.0.1", 4'096});
  slow.send(get(path));
  REQUIRE(slow.receive());
  REQUIRE(files.store->remove(path.substr(7)));
  const std::string all = slow.to_end();
  CHECK(all.size() < 5'000'000);
}

TEST_CASE("files: a client that stops reading holds two pieces, and is closed at the timeout") {
  Fixture files;
  files.config.limits.http_idle_timeout = 500ms;
  files.start();
  auto client = files.client();
  const auto made = client.request(post("/files", bytes_of(9'900'000)));
  TcpClient slow(Target{files.server->port(), "127.0.0.1", 4'096});
  slow.send(get(path_of(made)));
  REQUIRE(slow.receive());
  CHECK(eventually([&] { return files.server->stats().connections_now == 1 || client.native() < 0; }));
  CHECK(files.store->reads < 9'900'000 / 524'288);
}

TEST_CASE("files: unread downloads hold at most the shared budget, then little each, and arrive complete") {
  constexpr std::size_t clients = 40;
  constexpr std::size_t allowed = 2'000'000;
  Fixture files;
  files.config.files.download_bytes_max = allowed;
  auto& server = files.start();
  const std::string content = bytes_of(9'900'000);
  const auto made = files.client().request(post("/files", content));
  const std::uint64_t sent_before = server.stats().bytes_out;
  std::vector<std::unique_ptr<TcpClient>> idle;
  for (std::size_t i = 0; i < clients; ++i) {
    idle.push_back(std::make_unique<TcpClient>(Target{server.port(), "127.0.0.1", 4'096}));
    idle.back()->send(get(path_of(made)));
    REQUIRE(idle.back()->receive());
  }
  // Reading stops when the kernel accepts nothing more; a few turns of the loop show that.
  auto client = files.client();
  std::uint64_t read = 0;
  for (int quiet = 0; quiet < 50; quiet = files.store->bytes_read == read ? quiet + 1 : 0) {
    read = files.store->bytes_read;
    REQUIRE(client.request(get("/nothing")).status == 404);
  }
  const std::uint64_t sent = server.stats().bytes_out - sent_before;
  const std::uint64_t held = read > sent ? read - sent : 0;
  CHECK(held <= allowed + clients * 16'384);
  CHECK(client.request(get(path_of(made))).body == content);  // in small pieces
}

TEST_CASE("files: links work without the handler, until they expire") {
  if (!flux::core::has_digests()) return;
  Fixture files;
  const auto clock = std::make_shared<flux::testing::ManualClock>();
  files.config.clock = clock;
  files.before_start = [](flux::Server& server) {
    server.on_file([](FileRequest& request) {
      if (request.action() != FileAction::upload) return request.refuse("never");
      request.accept();
    });
  };
  auto& server = files.start();
  auto client = files.client();
  const auto path = path_of(client.request(post("/files?filename=old", "x")));
  CHECK(client.request(get(path)).status == 401);
  const auto link = server.file_link(path.substr(7), 60s, "n\xc3\xa4u").value();
  CHECK(link.find(path + "?filename=n%C3%A4u&expires=") == 0);
  const auto got = client.request(get(link));
  CHECK(got.body == "x");
  CHECK(got.has("Content-Disposition: attachment; filename=\"n_u\"; filename*=UTF-8''n%C3%A4u"));
  CHECK(client.request(get(link + "0")).body == "this link is invalid or has expired");
  clock->advance(59'999ms);
  CHECK(files.client().request(get(link)).status == 200);
  clock->advance(1ms);
  CHECK(files.client().request(get(link)).body == "this link is invalid or has expired");
  CHECK(server.file_link("../x", 60s).error().code() == flux::Errc::invalid_argument);
  for (const auto valid_for : {0s, -1s, std::chrono::seconds::min(), std::chrono::seconds::max()}) {
    const auto refused = server.file_link(path.substr(7), valid_for);
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().code() == flux::Errc::invalid_argument);
    CHECK(refused.error().message() ==
          "a link must be valid for 1 s to 100 years, not " + std::to_string(valid_for.count()) + " s");
  }
  CHECK(server.file_link(path.substr(7), 1s).ok());
  CHECK(flux::Server(test_config()).file_link(path.substr(7), 60s).error().code() == flux::Errc::forbidden);
}

namespace {

std::string ticket_of(LiveClient& member, const std::string& room = "r") {
  return text_at(member.request("upload_ticket", R"({"roomId":")" + room + "\"}"), "/payload/ticket");
}
std::string base64(std::string_view text) {
  std::string encoded;
  flux::protocol::append_base64(encoded, text);
  return encoded;
}
/// The next event of a room.
flux::JsonText next_event(LiveClient& member) { return member.next("broadcast_event"); }

}  // namespace

TEST_CASE("files: a member's upload is announced in its room, throttled, the last report always") {
  if (!flux::core::has_digests()) return;
  Fixture files;
  auto& server = files.start();
  LiveClient member(server.port());
  LiveClient other(server.port());
  member.join("r");
  other.join("r");
  auto client = files.client();
  const auto begin = std::chrono::steady_clock::now();
  const std::string ticket = ticket_of(member);
  const auto path =
      begin_upload(client, 400, "Upload-Metadata: filename bg==,ticket " + base64(ticket) + ",upload_id bWluZQ==\r\n");
  // A client that knows the upload does not learn the ticket.
  CHECK(field(client.request(tus("HEAD", path)), "Upload-Metadata") == "filename bg==,upload_id bWluZQ==");
  for (std::size_t offset = 0; offset < 400; ++offset) {
    REQUIRE(client.request(patch(path, offset, "x")).status == 204);
  }
  std::vector<flux::JsonText> events;
  do {
    events.push_back(next_event(other));
  } while (!events.back().get<bool>("/payload/payload/done").value());
  const auto took = std::chrono::steady_clock::now() - begin;
  CHECK(events.size() >= 2);
  CHECK(events.size() <= 2 + static_cast<std::size_t>(took / 200ms));
  const std::string id = path.substr(path.rfind('/') + 1);
  CHECK(events.front().at("/payload/payload")->text() ==
        R"({"uploadId":"mine","fileName":"n","offset":1,"length":400,"done":false})");
  CHECK(events.back().at("/payload/payload")->text() ==
        R"({"uploadId":"mine","fileName":"n","offset":400,"length":400,"done":true,"fileId":")" + id + "\"}");
  for (const auto& event : events) {
    CHECK(text_at(event, "/payload/event") == "upload_progress");
    CHECK(text_at(event, "/payload/connectionId") == member.id);
  }

  const auto whole = client.request(post("/files?upload_id=whole&ticket=" + ticket, "x"));
  CHECK(whole.status == 201);
  CHECK(text_at(next_event(other), "/payload/payload/uploadId") == "whole");
  // Its room and its uploader may delete it, like files that they send in a message.
  const std::string data = R"({"data":{"type":"file","fileId":")" + path_of(whole).substr(7) + "\"}}";
  CHECK(type_of(other.request("public_share", data)) == "ack");
  CHECK_FALSE(files.store->info(path_of(whole).substr(7)).value().shared);
  CHECK(type_of(member.request("public_share", data)) == "ack");
  CHECK(files.store->info(path_of(whole).substr(7)).value().shared);
}

TEST_CASE("files: a room is told only of its members' uploads") {
  if (!flux::core::has_digests()) return;
  Fixture files;
  const auto clock = std::make_shared<flux::testing::ManualClock>();
  files.config.clock = clock;
  files.config.limits.rooms_per_connection = 2;
  auto& server = files.start();
  LiveClient member(server.port());
  auto gone = std::make_unique<LiveClient>(server.port());
  for (const char* room : {"r", "other"}) {
    member.join(room);
    gone->join(room);
  }
  const std::string good = ticket_of(member);
  const std::string left = ticket_of(*gone);
  const std::string disconnected = ticket_of(*gone, "other");
  const auto why_not = [&](const std::string& query) {
    const auto reply = files.client().request(post("/files?" + query, "x"));
    return std::to_string(reply.status) + " " + reply.body;
  };
  const std::string members_only =
      "403 a room is told only of its members' uploads: request a ticket in the room, and send it as ticket";
  CHECK(why_not("room=r") == members_only);
  CHECK(why_not("room=not%20there") == members_only);
  CHECK(files.client().request(tus("POST", "/files", "Upload-Length: 1\r\nUpload-Metadata: room cg==\r\n")).status ==
        403);
  const std::string no_good = "403 this ticket is invalid or has expired; request a new one in the room";
  CHECK(why_not("ticket=x") == no_good);
  CHECK(why_not("ticket=" + good + "0") == no_good);
  CHECK(why_not("room=other&ticket=" + good) ==
        "400 this ticket is for another room than the one that the request names");
  const std::string not_there = "403 the connection that got this ticket has ended, or is no longer in its room";
  gone->request("leave_room", R"({"roomId":"r"})");
  CHECK(why_not("ticket=" + left) == not_there);
  gone.reset();
  CHECK(eventually([&] { return server.stats().sessions_now == 1; }));
  CHECK(why_not("ticket=" + disconnected) == not_there);
  CHECK(files.client().request(post("/files?room=r&ticket=" + good, "x")).status == 201);
  CHECK(text_at(next_event(member), "/payload/connectionId") == member.id);
  clock->advance(3'600'001ms);
  CHECK(why_not("ticket=" + good) == no_good);

  // A frame that is not UTF-8 would close the connections of all members.
  CHECK(why_not("upload_id=%FF").substr(0, 3) == "400");
  CHECK(
      files.client().request(tus("POST", "/files", "Upload-Length: 1\r\nUpload-Metadata: upload_id /w==\r\n")).status ==
      400);
  CHECK(why_not("room=a%01b").substr(0, 3) == "400");
  CHECK(why_not("upload_id=" + std::string(129, 'x')).substr(0, 3) == "400");
  CHECK(files.store->files() == 1);
  CHECK(text_at(LiveClient(server.port()).request("upload_ticket", R"({"roomId":"r"})"), "/payload/code") ==
        "NOT_IN_ROOM");
}

TEST_CASE("files: an upload for the public space belongs to its connection, which alone may delete it") {
  if (!flux::core::has_digests()) return;
  Fixture files;
  auto& server = files.start();
  auto ann = std::make_unique<LiveClient>(server.port());
  LiveClient eve(server.port());
  const std::string ticket = text_at(ann->request("public_upload_ticket"), "/payload/ticket");
  const auto upload = [&](const std::string& query) { return files.client().request(post("/files?" + query, "x")); };
  CHECK(upload("room=r&ticket=" + ticket).status == 400);
  const auto made = upload("ticket=" + ticket);
  REQUIRE(made.status == 201);
  const std::string id = path_of(made).substr(7);
  const std::string data = R"({"data":{"type":"file","fileId":")" + id + "\"}}";
  for (LiveClient* client : {&eve, ann.get()}) {  // if eve's item had deleted it, ann could not share it
    CHECK(type_of(client->request("public_share", data)) == "ack");
    CHECK(type_of(client->request("public_delete_last")) == "ack");
  }
  CHECK(eventually([&] { return !files.store->info(id).ok(); }));
  ann.reset();
  CHECK(eventually([&] { return server.stats().sessions_now == 1; }));
  CHECK(upload("ticket=" + ticket).status == 403);
}

TEST_CASE("files: an upload by a user with a session in the room counts as a member's, and belongs to that user") {
  Fixture files;
  files.before_start = [](flux::Server& server) {
    server.on_connect([](flux::ConnectRequest& request) { request.accept({.user_id = request.token()}); });
    server.on_file([](FileRequest& request) { request.accept({.user_id = request.token()}); });
  };
  auto& server = files.start();
  LiveClient ann(server.port(), "/live?access_token=ann");
  LiveClient bob(server.port(), "/live?access_token=bob");
  ann.join("r");
  bob.join("other");
  const auto upload_as = [&](const std::string& user) {
    return files.client().request(post("/files?room=r&access_token=" + user, "x"));
  };
  CHECK(upload_as("bob").status == 403);
  CHECK(upload_as("").status == 403);
  const auto made = upload_as("ann");
  REQUIRE(made.status == 201);
  const auto event = next_event(ann);
  CHECK(text_at(event, "/payload/connectionId") == ann.id);
  CHECK(text_at(event, "/payload/userId") == "ann");
  CHECK(files.store->info(path_of(made).substr(7)).value().owner == "ann");
}

TEST_CASE("files: an upload with a ticket is owned by its session's user, whom the file handler sees") {
  if (!flux::core::has_digests()) return;
  Fixture files;
  std::atomic<int> known{0};
  files.before_start = [&](flux::Server& server) {
    server.on_connect([](flux::ConnectRequest& request) { request.accept({.user_id = "ann"}); });
    server.on_file([&](FileRequest& request) {
      if (request.session() && request.session()->identity().user_id == "ann" && request.room() == "r") ++known;
      request.accept();
    });
  };
  auto& server = files.start();
  LiveClient ann(server.port());
  ann.join("r");
  auto client = files.client();
  const std::string path = begin_upload(client, 1, "Upload-Metadata: ticket " + base64(ticket_of(ann)) + "\r\n");
  CHECK(known == 1);
  CHECK(client.request(patch(path, 0, "x")).status == 204);
  CHECK(known == 2);
  CHECK(files.store->info(path.substr(7)).value().owner == "ann");
}

TEST_CASE("files: on_file_stored gets the room and the session of a member's upload, before the room hears of it") {
  if (!flux::core::has_digests()) return;
  std::mutex mutex;
  std::vector<flux::StoredFile> stored;
  Fixture files;
  files.before_start = [&](flux::Server& server) {
    server.on_connect([](flux::ConnectRequest& request) { request.accept({.user_id = "ann"}); });
    server.on_file_stored([&](const flux::StoredFile& file) {
      const std::lock_guard lock(mutex);
      stored.push_back(file);
    });
  };
  auto& server = files.start();
  LiveClient member(server.port());
  member.join("r");
  const std::string ticket = ticket_of(member);
  auto client = files.client();
  const auto check_last = [&](std::size_t count) {
    while (!next_event(member).get<bool>("/payload/payload/done").value()) continue;
    const std::lock_guard lock(mutex);
    REQUIRE(stored.size() == count);
    CHECK(stored.back().room == "r");
    REQUIRE(stored.back().session.has_value());
    CHECK(stored.back().session->id() == member.id);
    CHECK(stored.back().grant == stored.back().session->grant());
    CHECK(stored.back().grant.identity.user_id == "ann");
  };
  CHECK(client.request(post("/files?ticket=" + ticket, "x")).status == 201);
  check_last(1);
  const auto path = begin_upload(client, 1, "Upload-Metadata: filename bg==,ticket " + base64(ticket) + "\r\n");
  CHECK(client.request(patch(path, 0, "x")).status == 204);
  check_last(2);
}

// --- Forms ---

TEST_CASE("files: the files of a form are stored, listed in the answer, and belong to their fields' room") {
  const bool blocks = GENERATE(true, false);
  std::mutex mutex;
  std::vector<std::string> told;
  Fixture files({.blocks = blocks}, 2);
  files.before_start = [&](flux::Server& server) {
    server.on_file([](FileRequest& file) { file.accept({.user_id = file.file().name}); });
    server.on_file_stored([&](const flux::StoredFile& stored) {
      const std::lock_guard lock(mutex);
      told.push_back(stored.file.name + " of " + stored.file.owner + " in " + stored.room);
    });
  };
  auto& server = files.start();
  auto client = files.client();
  const std::string large = bytes_of(3'000'000);
  const auto made = client.request(form(field_part("comment", "hi") + file_part("a.png", "abc", "image/png") +
                                        file_part("\xc3\xa4%22.txt", large) + file_part("c", "")));
  REQUIRE(made.status == 201);
  const auto answer = flux::JsonText::parse(made.body).value();
  const auto contents = std::vector<std::string>{"abc", large, ""};
  for (std::size_t i = 0; i < contents.size(); ++i) {
    const std::string id = text_at(answer, "/files/" + std::to_string(i) + "/fileId");
    CHECK(client.request(get("/files/" + id)).body == contents[i]);
  }
  CHECK(text_at(answer, "/files/0/mimeType") == "image/png");
  CHECK(text_at(answer, "/files/1/mimeType") == "application/octet-stream");
  CHECK(text_at(answer, "/files/1/fileName") == "\xc3\xa4\".txt");
  CHECK(answer.get<int>("/files/1/size") == 3'000'000);
  CHECK_FALSE(answer.at("/files/3").has_value());
  CHECK(field(made, "Location").empty());
  CHECK(told == std::vector<std::string>{"a.png of a.png in ", "\xc3\xa4\".txt of \xc3\xa4\".txt in ", "c of c in "});

  if (!flux::core::has_digests()) return;
  LiveClient member(server.port());
  member.join("r");
  const auto in_room = client.request(
      form(field_part("ticket", ticket_of(member)) + field_part("upload_id", "mine") + file_part("a", "x")));
  CHECK(in_room.status == 201);
  CHECK(path_of(in_room) == "/files/" + text_at(flux::JsonText::parse(in_room.body).value(), "/files/0/fileId"));
  CHECK(text_at(next_event(member), "/payload/payload/uploadId") == "mine");
  CHECK(told.back() == "a of a in r");
}

TEST_CASE("files: a form that arrives in single bytes, chunked, is stored") {
  Fixture files;
  files.start();
  auto client = files.client();
  const std::string request = form(field_part("upload_id", "u") + file_part("a", "\r\n--xy\r\n") + file_part("b", ""));
  const std::size_t body = request.find("\r\n\r\n") + 4;
  std::string head = request.substr(0, body);
  head.replace(head.find("Content-Length: "),
               head.find("\r\n", head.find("Content-Length: ")) - head.find("Content-Length: "),
               "Transfer-Encoding: chunked");
  client.send(head);
  for (const char c : request.substr(body)) client.send("1\r\n" + std::string(1, c) + "\r\n");
  client.send("0\r\n\r\n");
  const auto made = client.reply();
  REQUIRE(made.status == 201);
  const auto first = text_at(flux::JsonText::parse(made.body).value(), "/files/0/fileId");
  CHECK(client.request(get("/files/" + first)).body == "\r\n--xy\r\n");
}

TEST_CASE("files: a form that is refused in any way leaves none of its files behind, and says why") {
  const bool blocks = GENERATE(true, false);
  Fixture files({.bytes_max = 20'000'000, .blocks = blocks});
  files.before_start = [](flux::Server& server) {
    server.on_file([](FileRequest& file) {
      if (file.file().name == "no") return file.refuse("not this one");
      file.accept({.user_id = "ann"});
    });
  };
  files.start();
  const auto why_not = [&](const std::string& parts, std::string_view end = "--xyz--\r\n") {
    const auto reply = files.client().request(form(parts, end));
    CHECK(eventually([&] { return files.store->files() == 0; }));
    return std::to_string(reply.status) + " " + reply.body;
  };
  const std::string good = file_part("good", "abc");
  CHECK(why_not(good + file_part("", "")) == "400 no file was chosen for the field \"f\"");
  CHECK(why_not(field_part("a", "b")) == "400 the form has no file");
  CHECK(why_not("") == "400 the form has no file");
  CHECK(why_not(good, "") == "400 the form has no end: its last boundary is missing");
  CHECK(why_not(good + "--xyz\r\nX: y\r\n\r\n") == "400 a part of the form has no Content-Disposition");
  CHECK(why_not(good + file_part("half", "abc").substr(0, 70), "") ==
        "400 the form has no end: its last boundary is missing");
  CHECK(why_not(good + file_part("bad\xff", "")) == "400 a file name is UTF-8 without NUL, of at most 512 bytes");
  CHECK(why_not(good + field_part("room", "r")) == "400 the field room of a form comes before its files");
  CHECK(why_not(field_part("x", std::string(8'193, 'x')) + good) ==
        "413 the field \"x\" has at most 8192 bytes; a file needs a filename");
  CHECK(why_not(good + file_part("no", "abc")) == "401 not this one");
  CHECK(why_not(field_part("ticket", "x") + good).substr(0, 4) == "403 ");
  CHECK(why_not(good + file_part("large", std::string(10'000'001, 'x'))) ==
        "413 the file becomes longer than 10000000 bytes");
  std::string many;
  for (int i = 0; i < 3; ++i) many += file_part("large", std::string(9'000'000, 'x'));
  CHECK(why_not(many).substr(0, 4) == "507 ");
  CHECK(why_not(good + file_part("mid", "abc\r\n--xyz?")) ==
        "400 a boundary of the form is not followed by a line end or two dashes");
  const auto no_boundary = files.client().request(post("/files", "x", "Content-Type: multipart/form-data\r\n"));
  CHECK(no_boundary.status == 400);
  CHECK(no_boundary.body == "the Content-Type of a form needs a valid boundary");
}

TEST_CASE("files: a form whose store fails to complete a file is not stored, and on_file_stored hears of none") {
  std::atomic<int> completions{0};
  std::atomic<int> told{0};
  Fixture files;
  files.store->before_complete = [&](const flux::FileId&) {
    if (++completions == 2) throw std::runtime_error("full");
  };
  files.before_start = [&](flux::Server& server) { server.on_file_stored([&](const flux::StoredFile&) { ++told; }); };
  files.start();
  CHECK(files.client().request(form(file_part("a", "1") + file_part("b", "2") + file_part("c", "3"))).status == 500);
  CHECK(eventually([&] { return files.store->files() == 0; }));
  CHECK(completions == 2);
  CHECK(told == 0);
}

TEST_CASE("files: a client that disconnects in the middle of a form leaves none of its files behind") {
  Fixture files;
  files.start();
  const std::string whole = form(file_part("a", "1") + file_part("b", std::string(1000, 'x')));
  for (const std::size_t missing : {20U, 500U, 1030U, 1070U}) {
    auto client = files.client();
    client.send(whole.substr(0, whole.size() - missing));
    CHECK(eventually([&] { return files.store->files() > 0; }));
    client.reset();
    CHECK(eventually([&] { return files.store->files() == 0; }));
  }
}

TEST_CASE("files: a client that disconnects while its form is being completed leaves nothing behind") {
  Gate gate;
  Awaited<bool> completing;
  std::atomic<int> completions{0};
  Fixture files;
  files.store->before_complete = [&](const flux::FileId&) {
    if (++completions != 2) return;
    completing.set(true);
    gate.wait();
  };
  files.start();
  {
    auto client = files.client();
    client.send(form(file_part("a", "1") + file_part("b", "2") + file_part("c", "3")));
    CHECK(completing.get());
    client.reset();
  }
  REQUIRE(eventually([&] { return files.server->stats().connections_now == 0; }));
  gate.open();
  CHECK(eventually([&] { return files.store->files() == 0; }));
}

TEST_CASE("files: the limits of unfinished uploads hold for the files of a form") {
  Fixture files;
  files.config.files.unfinished_uploads_per_address_max = 2;
  files.config.files.unfinished_bytes_per_address_max = 100'000;
  files.start();
  const auto reply_to = [&](const std::string& parts) { return files.client().request(form(parts)); };
  const std::string two = file_part("a", "1") + file_part("b", "2");
  const std::string large = file_part("a", std::string(60'000, 'x'));
  CHECK(reply_to(two).status == 201);
  // Alone too large: another attempt can't help.
  const auto too_many = reply_to(two + file_part("c", "3"));
  CHECK(too_many.status == 413);
  CHECK(too_many.body.find("a form has at most 2 files here") == 0);
  CHECK(field(too_many, "Retry-After").empty());
  CHECK(eventually([&] { return files.store->files() == 2; }));
  const auto too_long = reply_to(large + large);
  CHECK(too_long.status == 413);
  CHECK(too_long.body.find("the files of a form have at most 100000 bytes together here") == 0);
  CHECK(eventually([&] { return files.store->files() == 2; }));
  CHECK(reply_to(two).status == 201);
  // Too much together with another upload, which will end.
  auto client = files.client();
  begin_upload(client, 70'000);
  CHECK(reply_to(two).status == 429);
  const auto with_other = reply_to(large);
  CHECK(with_other.status == 429);
  CHECK(field(with_other, "Retry-After") == "60");
  CHECK(eventually([&] { return files.store->files() == 5; }));
}

TEST_CASE("files: a page of another origin can't upload with a form") {
  Fixture files;
  files.start();
  const auto status_of = [&](std::string_view fields) {
    return files.client().request(form(file_part("a", "x"), "--xyz--", fields)).status;
  };
  CHECK(status_of("Origin: https://evil.example\r\n") == 403);
  CHECK(status_of("Origin: null\r\nSec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\n") == 403);
  CHECK(files.store->files() == 0);
  CHECK(status_of("Origin: http://h\r\nSec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: navigate\r\n") == 201);
}

TEST_CASE("files: the application lists files by owner, in pages, and those of a room") {
  const bool blocks = GENERATE(true, false);
  Fixture files({.blocks = blocks});
  files.before_start = [](flux::Server& server) {
    server.on_file([](FileRequest& file) { file.accept({.user_id = file.token()}); });
  };
  auto& server = files.start();
  const auto page = [&](flux::FileQuery query) {
    Awaited<flux::Result<flux::FilesPage>> answer;
    server.files(std::move(query), [&](flux::Result<flux::FilesPage> listed) { answer.set(std::move(listed)); });
    return answer.get();
  };
  CHECK(page({})->files.empty());
  auto client = files.client();
  std::vector<flux::FileId> ids;
  for (const std::string user : {"ann", "bob", "ann"}) {
    const auto made = client.request(post("/files", "x", "Authorization: Bearer " + user + "\r\n"));
    ids.push_back(path_of(made).substr(7));
  }
  const std::string unfinished = begin_upload(client, 1, "Authorization: Bearer ann\r\n").substr(7);
  const auto info = [&](const flux::FileId& id) {
    return answer_of<flux::FileInfo>([&](auto done) { server.file(id, done); });
  };
  REQUIRE(info(ids[1]).ok());
  CHECK(info(ids[1])->id == ids[1]);
  CHECK(info(ids[1])->owner == "bob");
  for (const flux::FileId& id :
       {unfinished, flux::FileId("00000000-0000-4000-8000-000000000000"), flux::FileId("../x")}) {
    CHECK(info(id).error().code() == flux::Errc::file_not_found);
  }
  const auto first = page({.owner = "ann", .limit = 1}).value();
  REQUIRE(first.files.size() == 1);
  const auto second = page({.owner = "ann", .after = first.after, .limit = 1}).value();
  REQUIRE(second.files.size() == 1);
  CHECK(second.after.empty());
  CHECK(std::set{first.files[0].id, second.files[0].id} == std::set{ids[0], ids[2]});
  CHECK(page({})->files.size() == 3);
  const auto refused = page({.after = "zzz"});
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code() == flux::Errc::invalid_argument);
  CHECK(refused.error().message() ==
        "FileQuery::after must be empty or what a page of files returned as `after`, not \"zzz\"");

  CHECK(server.room_files("r").error().code() == flux::Errc::room_not_found);
  REQUIRE(server.create_room("r", {.mode = flux::RoomMode::history}).ok());
  server.share("r", flux::JsonText::string("no file"));
  for (const int i : {1, 0, 1}) {
    Awaited<bool> shared;
    server.share_file("r", ids[static_cast<std::size_t>(i)], [&](const auto& position) { shared.set(position.ok()); });
    CHECK(shared.get());
  }
  const auto in_room = server.room_files("r").value();
  REQUIRE(in_room.size() == 2);
  CHECK(in_room[0].id == ids[1]);
  CHECK(in_room[1].owner == "ann");
}

TEST_CASE("files: a server without a store serves none") {
  flux::Server server(test_config());
  server.start();
  HttpClient client(server.port());
  CHECK(client.request(post("/files", "x")).status == 404);
  CHECK(answer_of<flux::FileInfo>([&](auto done) { server.file("any", done); }).error().code() ==
        flux::Errc::forbidden);
}

TEST_CASE("files: a client that resets its connection while its POST is being completed leaves nothing behind") {
  for (const bool over_tus : {false, true}) {
    Fixture files;
    Gate gate;
    Awaited<bool> completing;
    files.store->before_complete = [&](const flux::FileId&) {
      completing.set(true);
      gate.wait();
    };
    files.start();
    {
      auto client = files.client();
      client.send(over_tus ? tus("POST", "/files", "Upload-Length: 4\r\n", "half") : post("/files", "half"));
      CHECK(completing.get());
      client.reset();  // the end alone might be that of one direction
    }
    REQUIRE(eventually([&] { return files.server->stats().connections_now == 0; }));
    gate.open();
    CHECK(eventually([&] { return files.store->files() == 0; }));
  }
}

TEST_CASE("files: a client that only ends its sending side while its POST is being completed gets its answer") {
  Fixture files;
  Gate gate;
  Awaited<bool> completing;
  files.store->before_complete = [&](const flux::FileId&) {
    completing.set(true);
    gate.wait();
  };
  files.start();
  auto client = files.client();
  client.send(post("/files", "half"));
  CHECK(completing.get());
  client.end();
  CHECK(files.client().request(get("/none")).status == 404);  // the loop has had its turns
  gate.open();
  const auto made = client.reply();
  CHECK(made.status == 201);
  CHECK(files.client().request(get(path_of(made))).body == "half");
}

TEST_CASE("files: a download whose request has a body is answered, then the connection closes") {
  Fixture files;
  files.start();
  for (const std::string& content : {std::string(), bytes_of(3'000'000)}) {
    auto client = files.client();
    const auto path = path_of(client.request(post("/files", content)));
    client.send("GET " + path + " HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello" + get(path));
    const auto got = client.reply();
    CHECK(got.status == 200);
    CHECK(got.body == content);
    CHECK(got.has("Connection: close"));
    CHECK(client.to_end().empty());
  }
  CHECK(eventually([&] { return files.server->stats().connections_now == 0; }));
}

TEST_CASE("files: a body of unknown length can't exceed a lowered limit") {
  Fixture files;
  files.start();
  auto client = files.client();
  const auto made = client.request(tus("POST", "/files", "Upload-Defer-Length: 1\r\n"));
  const std::string path = path_of(made);
  REQUIRE(client.request(patch(path, 0, bytes_of(1'000))).status == 204);
  files.server->stop(0ms);
  files.config.files.file_bytes_max = 500;
  files.start();
  const auto reply = files.client().request("PATCH " + path +
                                            " HTTP/1.1\r\nHost: h\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: 1000\r\n"
                                            "Content-Type: application/offset+octet-stream\r\n"
                                            "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n");
  CHECK(reply.status == 413);
  CHECK(files.store->content(path.substr(7)).size() == 1'000);
}

TEST_CASE("files: invalid settings are refused") {
  const auto refused = [](const std::function<void(flux::FilesOptions&)>& set) {
    flux::Config config = test_config();
    set(config.files);
    try {
      const flux::Server server(config);
    } catch (const flux::Error& error) {
      return error.code() == flux::Errc::bad_config;
    }
    return false;
  };
  CHECK_FALSE(refused([](flux::FilesOptions& files) { files.checked_chunk_bytes_max = 1; }));
  CHECK(refused([](flux::FilesOptions& files) { files.checked_chunk_bytes_max = 0; }));
  CHECK(refused([](flux::FilesOptions& files) { files.checked_chunk_bytes_max = SIZE_MAX; }));
  CHECK(refused([](flux::FilesOptions& files) { files.upload_expires = std::chrono::seconds::max(); }));
  CHECK(refused([](flux::FilesOptions& files) { files.unshared_expires = std::chrono::seconds::max(); }));
  CHECK(refused([](flux::FilesOptions& files) { files.unstarted_upload_expires = std::chrono::seconds::max(); }));
  CHECK(refused([](flux::FilesOptions& files) { files.unstarted_upload_expires = -1s; }));
  CHECK(refused([](flux::FilesOptions& files) { files.cleanup_interval = -1s; }));
  CHECK(refused([](flux::FilesOptions& files) { files.ticket_expires = 0s; }));
  CHECK_FALSE(refused([](flux::FilesOptions& files) { files.inline_types = {"image/*", "image/svg+xml"}; }));
  for (const char* type : {"png", "*/*", "image/", "/png", "image/png/x", "image/png, image/gif", ""}) {
    CHECK(refused([type](flux::FilesOptions& files) { files.inline_types = {type}; }));
  }
  CHECK(refused([](flux::FilesOptions& files) { files.cleanup_interval = std::chrono::seconds::max(); }));
  CHECK(refused([](flux::FilesOptions& files) { files.upload_expires = -1s; }));
  CHECK(refused([](flux::FilesOptions& files) { files.worker_threads = 0; }));
  CHECK(refused([](flux::FilesOptions& files) { files.link_key = "short"; }));
  CHECK(refused([](flux::FilesOptions& files) { files.path = "/files/"; }));
}

TEST_CASE("files: a forced stop of the server discards a POST, and keeps a PATCH") {
  for (const bool blocks : {true, false}) {
    Fixture files({.blocks = blocks}, 2);
    auto& server = files.start();
    auto client = files.client();
    const auto path = begin_upload(client, 10);
    client.send(patch_head(path, 0, 10) + "abc");
    REQUIRE(eventually([&] { return files.store->content(path.substr(7)) == "abc"; }));
    auto plain = files.client();
    plain.send("POST /files HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nhalf");
    auto creation = files.client();
    creation.send(
        "POST /files HTTP/1.1\r\nHost: h\r\nTus-Resumable: 1.0.0\r\nUpload-Length: 100\r\n"
        "Content-Type: application/offset+octet-stream\r\nContent-Length: 100\r\n\r\nhalf");
    REQUIRE(eventually([&] { return files.store->appends == 3; }));
    server.stop(0ms);
    CHECK(files.store->files() == 1);
    server.start();
    CHECK(files.client().request(patch(path, 3, "defghij")).status == 204);
    CHECK(files.client().request(get(path)).body == "abcdefghij");
  }
}

TEST_CASE("files: a server that ends during the store's work on a POST, in the application's context, leaves nothing") {
  struct End {
    bool destroyed, completing;
  };
  for (const End end : {End{false, false}, End{true, false}, End{true, true}}) {
    Fixture files;
    Gate gate;
    std::atomic<bool> held{false};
    (end.completing ? files.store->before_complete : files.store->before_append) = [&](const flux::FileId&) {
      held = true;
      gate.wait();
    };
    asio::io_context context;
    files.before_start = [&](flux::Server& server) { flux::use_context(server, context); };
    files.start();
    auto client = files.client();
    const std::size_t announced = end.completing ? 4 : 100;
    client.send("POST /files HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(announced) + "\r\n\r\nhalf");
    REQUIRE(eventually([&] {
      context.poll();
      return held.load();
    }));
    gate.open();
    // The store has finished the call, and the loop does not know it yet.
    const auto awaited = end.completing ? flux::FileState::complete : flux::FileState::uploading;
    REQUIRE(eventually([&] {
      const auto known = files.store->list().value();
      return known.size() == 1 && known[0].size == 4 && known[0].state == awaited;
    }));
    if (end.destroyed) {
      files.server.reset();
    } else {
      asio::post(context, [&] { files.server->stop(0ms); });
      REQUIRE(eventually([&] {
        context.poll();
        return !files.server->running();
      }));
    }
    CHECK(eventually([&] {
      context.poll();
      return files.store->files() == 0;
    }));
  }
}

TEST_CASE("files: the server stops in the middle of uploads and downloads, and starts again") {
  Fixture files({}, 2);
  auto& server = files.start();
  std::string path;
  {
    auto client = files.client();
    path = path_of(client.request(post("/files", bytes_of(9'000'000))));
    TcpClient slow(Target{server.port(), "127.0.0.1", 4'096});
    slow.send(get(path));
    REQUIRE(slow.receive());
    client.send("POST /files HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nhalf");
    REQUIRE(eventually([&] { return files.store->files() == 2; }));
    server.stop(10ms);
  }
  server.start();
  CHECK(files.client().request(get(path)).body.size() == 9'000'000);
}

}  // namespace files_test
