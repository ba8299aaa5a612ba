#include "scene.hpp"

#include <malloc.h>
#include <time.h>

#include <fstream>

#include <flux/asio.hpp>
#include <flux/sharing.hpp>
#include <flux/storage/disk_file_store.hpp>

namespace flux::bench {
namespace {

std::chrono::nanoseconds cpu_time() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

JsonText text_item(std::size_t bytes) {
  return JsonText::object(
      {{"type", JsonText::string("string")}, {"content", JsonText::string(std::string(bytes, 'x'))}});
}

}  // namespace

Scene::Scene(const std::string& folder, bool deflate) {
  std::ofstream(folder + "/" + static_file) << std::string(100'000, 'p');
  Config config;
  config.listen = {{"127.0.0.1", 0}};
  config.deflate.enabled = deflate;
  config.files.store = std::make_shared<DiskFileStore>(folder + "/files");
  server_ = std::make_unique<Server>(config);
  use_context(*server_, context_);
  server_->static_files("/static", folder);
  server_->route("GET", "/hello", [](const HttpExchange& exchange) { exchange.respond(200, "hello\n"); });
  server_->route("POST", "/read", [](const HttpExchange& exchange) {
    exchange.read_body([exchange](const std::string& body) { exchange.respond(200, std::to_string(body.size())); });
  });
  server_->on_token([](TokenRequest& request) {
    request.accept(Grant({.user_id = request.token()}, {}, std::chrono::system_clock::now() + std::chrono::hours(1)));
  });
  const JsonText list = JsonText::array(std::vector<JsonText>(1'000, JsonText::string("an entry of a list")));
  server_->on_call("list", [list](Call& call) { call.reply(list); });
  WebSocketEndpoint echo;
  echo.on_message = [](const WebSocket& socket, std::string_view message, MessageType type) {
    socket.send(message, type);
  };
  server_->websocket("/echo", std::move(echo));
  io_ = std::make_unique<socketio::Io>(*server_);
  socketio::serve_sharing(*server_, *io_, {.room_list = true});
  server_->start();
  fill();
}

Scene::~Scene() = default;

/// Fills each up to the limits of a server with default settings.
void Scene::fill() {
  constexpr std::size_t item_bytes = 16'000;
  const Limits limits;
  server_->create_room(full_room, {.mode = RoomMode::history, .permanent = true}).value();
  for (std::size_t i = 0; i < limits.room_history_bytes_max / item_bytes; ++i) {
    server_->share(full_room, text_item(item_bytes));
  }
  for (std::size_t i = 0; i < 1'000; ++i) server_->send_chat(full_room, std::string(limits.chat_bytes_max, 'c'));
  const std::size_t public_bytes = limits.public_history_bytes_max / limits.public_history_items_max;
  for (std::size_t i = 0; i < limits.public_history_items_max; ++i)
    server_->public_share(text_item(public_bytes - 100));
  for (int i = 0; i < 10'000; ++i) server_->create_room("room " + std::to_string(i), {.permanent = true}).value();
}

std::chrono::nanoseconds Scene::turn(std::chrono::milliseconds most) {
  const auto before = cpu_time();
  context_.restart();
  context_.run_one_for(most);
  return cpu_time() - before;
}

std::int64_t allocated_bytes() {
  const struct mallinfo2 info = mallinfo2();
  return static_cast<std::int64_t>(info.uordblks + info.hblkhd);
}

}  // namespace flux::bench
