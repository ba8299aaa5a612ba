#pragma once

#include <flux/detail/transport/file_answer.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>

namespace flux::transport {

namespace detail {

/// Owned by the exchange's drain callback until the answer is complete or cut.
class FileSender : public std::enable_shared_from_this<FileSender> {
 public:
  FileSender(std::shared_ptr<flux::detail::HttpExchangeState> exchange, std::ifstream file, std::uint64_t length)
      : exchange_(std::move(exchange)), file_(std::move(file)), left_(length) {}

  void start() {
    exchange_->on_drain([self = shared_from_this()] { self->send_piece(); });
    send_piece();
  }

 private:
  static constexpr std::uint64_t piece_bytes = 64 * 1024;

  void send_piece() {
    if (left_ == 0) return exchange_->end();
    std::string piece(static_cast<std::size_t>(std::min(left_, piece_bytes)), '\0');
    file_.read(piece.data(), static_cast<std::streamsize>(piece.size()));
    if (static_cast<std::size_t>(file_.gcount()) < piece.size()) {
      return exchange_->cut("a static file became shorter while it was sent");
    }
    left_ -= piece.size();
    if (exchange_->write(std::move(piece)) == Sent::dropped) return;
    if (left_ == 0) return exchange_->end();
    exchange_->ask_drained();
  }

  const std::shared_ptr<flux::detail::HttpExchangeState> exchange_;
  std::ifstream file_;
  std::uint64_t left_;
};

}  // namespace detail

FLUX_DECL void answer_with_file(const std::shared_ptr<flux::detail::HttpExchangeState>& exchange,
                                const StaticFolder& folder, std::string_view path) {
  StaticPlan plan = folder.plan(exchange->head(), path);
  const bool sends_file = !plan.file.empty();
  const bool reads_file = sends_file && exchange->head().method() != "HEAD";
  if (!sends_file) {
    std::string text(plan.status == 304 ? std::string_view() : reason_phrase(plan.status));
    return exchange->respond(plan.status, std::move(text), "text/plain; charset=utf-8", std::move(plan.fields));
  }
  std::ifstream file;
  if (reads_file) {
    file.open(std::filesystem::path(std::u8string(plan.file.begin(), plan.file.end())), std::ios::binary);
    if (plan.offset > 0) file.seekg(static_cast<std::streamoff>(plan.offset));
    if (!file) return exchange->respond(404, "Not Found", "text/plain; charset=utf-8", {});
  }
  exchange->begin(plan.status, std::move(plan.fields), plan.length);
  if (!reads_file) return exchange->end();
  std::make_shared<detail::FileSender>(exchange, std::move(file), plan.length)->start();
}

}  // namespace flux::transport
