#pragma once

#include <flux/detail/transport/http_exchange.hpp>
#include <flux/http.hpp>

#include <utility>

namespace flux {

FLUX_DECL std::string_view HttpExchange::method() const { return state_->head().method(); }

FLUX_DECL std::string_view HttpExchange::path() const { return state_->head().path(); }

FLUX_DECL std::string_view HttpExchange::parameter(std::string_view name) const {
  return state_->captures().find(name).value_or(std::string_view());
}

FLUX_DECL std::optional<std::string> HttpExchange::query(std::string_view name) const {
  return transport::query_parameter(state_->head().query(), name);
}

FLUX_DECL std::optional<std::string_view> HttpExchange::header(std::string_view name) const {
  return state_->head().header(name);
}

FLUX_DECL std::string HttpExchange::token() const {
  if (auto from_query = query("access_token"); from_query && !from_query->empty()) return std::move(*from_query);
  return transport::bearer_token(header("authorization"));
}

FLUX_DECL std::optional<std::string> HttpExchange::cookie(std::string_view name) const {
  return transport::cookie_value(header("cookie"), name);
}

FLUX_DECL Identity HttpExchange::identity() const { return state_->grant() ? state_->grant()->identity : Identity(); }

FLUX_DECL Grant HttpExchange::grant() const { return state_->grant() ? *state_->grant() : Grant(); }

FLUX_DECL std::string HttpExchange::remote_address() const { return state_->client().text(); }

FLUX_DECL void HttpExchange::read_body(std::function<void(std::string body)> done) const {
  const auto body = std::make_shared<std::string>();
  state_->on_body([body](std::string_view piece) { body->append(piece); },
                  [body, done = std::move(done)](bool complete) {
                    if (complete) done(std::move(*body));
                  });
}

FLUX_DECL void HttpExchange::on_body(std::function<void(std::string_view piece)> chunk,
                                     std::function<void(bool complete)> done) const {
  state_->on_body(std::move(chunk), std::move(done));
}

FLUX_DECL void HttpExchange::pause_body() const { state_->pause_body(); }

FLUX_DECL void HttpExchange::resume_body() const { state_->resume_body(); }

FLUX_DECL void HttpExchange::on_abort(std::function<void()> aborted) const { state_->on_abort(std::move(aborted)); }

FLUX_DECL void HttpExchange::respond(int status, std::string body, std::string_view content_type,
                                     HttpFields fields) const {
  state_->respond(status, std::move(body), content_type, std::move(fields));
}

FLUX_DECL void HttpExchange::begin(int status, HttpFields fields, std::optional<std::uint64_t> content_length) const {
  state_->begin(status, std::move(fields), content_length);
}

FLUX_DECL Sent HttpExchange::write(std::string piece) const { return state_->write(std::move(piece)); }

FLUX_DECL void HttpExchange::end() const { state_->end(); }

FLUX_DECL void HttpExchange::on_drain(std::function<void()> drained) const { state_->on_drain(std::move(drained)); }

}  // namespace flux
