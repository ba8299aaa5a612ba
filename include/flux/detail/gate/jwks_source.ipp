#pragma once

#include <flux/detail/gate/jwks_source.hpp>
#include <flux/detail/transport/http_chars.hpp>
#include <flux/detail/transport/http_date.hpp>
#include <flux/detail/transport/https_client.hpp>

#include <algorithm>
#include <charconv>
#include <condition_variable>
#include <exception>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

namespace flux::gate {

namespace detail {

inline constexpr std::chrono::seconds lifetime_min = std::chrono::minutes(1);
inline constexpr std::chrono::seconds lifetime_max = std::chrono::hours(24);
inline constexpr std::chrono::seconds lifetime_default = std::chrono::hours(1);
inline constexpr std::size_t jwks_bytes_max = 256 * 1024;

/// A number of seconds (RFC 9111, section 1.2.2); one that is too large counts as a day.
inline std::optional<std::chrono::seconds> parse_seconds(std::string_view text) {
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"') text = text.substr(1, text.size() - 2);
  std::int64_t seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (text.empty() || text.front() == '-' || end != text.data() + text.size()) return std::nullopt;
  if (error != std::errc()) return lifetime_max;
  return std::chrono::seconds(std::min<std::int64_t>(seconds, lifetime_max.count()));
}

/// What the Cache-Control fields say; none: nothing. The shortest time counts.
inline std::optional<std::chrono::seconds> cache_control(const transport::HttpFields& fields) {
  std::optional<std::chrono::seconds> shortest;
  const auto note = [&shortest](std::chrono::seconds time) { shortest = std::min(shortest.value_or(time), time); };
  for (const auto& [name, value] : fields) {
    if (!transport::equals_ignore_case(name, "Cache-Control")) continue;
    for (std::string_view rest = value; !rest.empty();) {
      const std::string_view directive = transport::take_part(rest, ',');
      const std::size_t equals = std::min(directive.find('='), directive.size());
      const std::string_view key = directive.substr(0, equals);
      if (transport::equals_ignore_case(key, "no-store") || transport::equals_ignore_case(key, "no-cache")) note({});
      if (!transport::equals_ignore_case(key, "max-age")) continue;
      note(parse_seconds(directive.substr(std::min(equals + 1, directive.size()))).value_or(std::chrono::seconds(0)));
    }
  }
  return shortest;
}

/// None: a file. Errors: throws bad_config.
inline std::optional<transport::HttpsUrl> parse_source(const std::string& source) {
  if (source.empty()) throw Error(Errc::bad_config, "JWKS: the URL or file is empty");
  if (source.find("://") == std::string::npos) return std::nullopt;
  auto parsed = transport::HttpsUrl::parse(source);
  if (!parsed) throw Error(Errc::bad_config, "JWKS: " + parsed.error().message());
  return std::move(parsed).value();
}

/// Errors: bad_config, without the path.
inline Result<std::string> read_key_file(const std::string& path) {
  std::error_code failure;
  const auto status = std::filesystem::status(path, failure);
  const auto cannot = [](const std::string& why) { return Error(Errc::bad_config, "can't read the file: " + why); };
  if (!std::filesystem::exists(status)) return cannot("it does not exist");
  if (!std::filesystem::is_regular_file(status)) return cannot("it is not a regular file");
  std::ifstream file(path, std::ios::binary);
  std::string text(jwks_bytes_max + 1, '\0');
  if (!file.is_open()) return cannot("it can't be opened");
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad()) return cannot("reading failed");
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.size() > jwks_bytes_max) return cannot("it has more than " + std::to_string(jwks_bytes_max) + " bytes");
  return text;
}

}  // namespace detail

FLUX_DECL std::chrono::seconds keys_lifetime(const transport::HttpFields& fields, std::chrono::sys_seconds now) {
  std::chrono::seconds lifetime = detail::lifetime_default;
  if (const auto control = detail::cache_control(fields)) {
    const auto age = transport::find_field(fields, "Age");
    lifetime = *control - (age ? detail::parse_seconds(*age) : std::nullopt).value_or(std::chrono::seconds(0));
  } else if (const auto expires = transport::find_field(fields, "Expires")) {
    const auto date = transport::find_field(fields, "Date");
    const auto sent = date ? transport::parse_http_date(*date, now) : std::nullopt;
    const auto end = transport::parse_http_date(*expires, now);  // what is no date, such as 0, has passed
    lifetime = end ? *end - sent.value_or(now) : std::chrono::seconds(0);
  }
  return std::clamp(lifetime, detail::lifetime_min, detail::lifetime_max);
}

/// Shared with the thread.
class JwksSource::State : public std::enable_shared_from_this<State> {
 public:
  State(JwksOptions options, std::shared_ptr<Clock> clock, LogSink log);

  void start();
  void begin_stop() noexcept;
  void stop() noexcept;
  Keys keys() const;
  Refresh refresh(const Keys& seen, std::function<void()> done);

 private:
  struct Fetched {
    std::shared_ptr<const std::string> text;  // null: as before
    std::string etag;
    std::chrono::seconds lifetime{};
  };
  using Lock = std::unique_lock<std::mutex>;
  using Waiting = std::vector<std::function<void()>>;

  std::unique_ptr<transport::HttpsClient> make_client() const;
  void work();
  void wait_until_due(Lock& lock);
  Result<Fetched> fetch(transport::HttpsClient* client) const;
  Result<Fetched> fetch_file() const;
  Result<Keys> read(const std::string& text, std::string& summary) const;
  void renew(transport::HttpsClient* client);
  void take(const Fetched& fetched, Keys renewed, const std::string& summary);
  void note_failure(const Error& error);
  void end_fetch();
  void say(LogLevel level, const std::string& text) const;

  const JwksOptions options_;
  const std::optional<transport::HttpsUrl> url_;  // none: a file
  const std::string shown_;
  const std::shared_ptr<Clock> clock_;
  const LogSink log_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::shared_ptr<transport::HttpsClient> client_;  // of this life; null: a file
  std::thread thread_;
  Keys keys_;
  Waiting waiting_;
  Clock::TimePoint due_ = Clock::TimePoint::min();        // of the next fetch
  Clock::TimePoint permitted_ = Clock::TimePoint::min();  // of the next fetch that a token causes
  unsigned failures_ = 0;                                 // in a row
  bool requested_ = false;
  bool fetching_ = false;
  bool stopping_ = true;

  // Only the thread uses these.
  std::shared_ptr<const std::string> text_;  // of the keys
  std::string etag_;
  Waiting done_;  // for the fetch that has ended
};

// --- For users ---

FLUX_DECL JwksSource::JwksSource(JwksOptions options, std::shared_ptr<Clock> clock, LogSink log)
    : state_(std::make_shared<State>(std::move(options), std::move(clock), std::move(log))) {}

FLUX_DECL JwksSource::~JwksSource() { state_->stop(); }

FLUX_DECL void JwksSource::start() { state_->start(); }
FLUX_DECL void JwksSource::begin_stop() noexcept { state_->begin_stop(); }
FLUX_DECL void JwksSource::stop() noexcept { state_->stop(); }
FLUX_DECL JwksSource::Keys JwksSource::keys() const { return state_->keys(); }
FLUX_DECL JwksSource::Refresh JwksSource::refresh(const Keys& seen, std::function<void()> done) {
  return state_->refresh(seen, std::move(done));
}

// --- State ---

FLUX_DECL JwksSource::State::State(JwksOptions options, std::shared_ptr<Clock> clock, LogSink log)
    : options_(std::move(options)),
      url_(detail::parse_source(options_.source)),
      shown_(url_ ? url_->shown : options_.source),
      clock_(clock ? std::move(clock) : std::make_shared<SystemClock>()),
      log_(std::move(log)) {
  if (options_.timeout < std::chrono::milliseconds(1) || options_.timeout > std::chrono::minutes(5)) {
    throw Error(Errc::bad_config, "JWKS: the timeout must be from 1 ms to 5 min, not " +
                                      std::to_string(options_.timeout.count()) + " ms");
  }
  if (url_) {
    make_client();
    return;
  }
  std::string summary;
  const Result<Fetched> file = fetch_file();
  const Result<Keys> read_keys = file ? read(*file->text, summary) : Result<Keys>(file.error());
  if (!read_keys) throw Error(Errc::bad_config, "JWKS " + shown_ + ": " + read_keys.error().message());
  keys_ = *read_keys;
  text_ = file->text;
}

FLUX_DECL std::unique_ptr<transport::HttpsClient> JwksSource::State::make_client() const {
  if (!url_) return nullptr;
  transport::HttpsOptions options;
  options.ca_file = options_.ca_file;
  options.timeout = options_.timeout;
  options.limits.body_bytes_max = detail::jwks_bytes_max;
  options.resolve = options_.resolve;
  return std::make_unique<transport::HttpsClient>(*url_, std::move(options));
}

FLUX_DECL void JwksSource::State::start() {
  const std::lock_guard lock(mutex_);
  if (thread_.joinable()) return;
  client_ = make_client();
  stopping_ = false;
  requested_ = fetching_ = false;
  due_ = permitted_ = Clock::TimePoint::min();
  const auto self = shared_from_this();
  if (clock_->stepped()) {
    clock_->watch(this, [self] {
      { const std::lock_guard turn(self->mutex_); }  // it is waiting, or will see the new time
      self->changed_.notify_all();
    });
  }
  thread_ = std::thread([self] { self->work(); });
}

FLUX_DECL void JwksSource::State::begin_stop() noexcept {
  const std::lock_guard lock(mutex_);
  stopping_ = true;
  if (client_) client_->stop();
  changed_.notify_all();
}

FLUX_DECL void JwksSource::State::stop() noexcept {
  begin_stop();
  if (clock_->stepped()) clock_->unwatch(this);
  Waiting dropped;
  std::thread ended;
  {
    const std::lock_guard lock(mutex_);
    dropped.swap(waiting_);
    ended.swap(thread_);
  }
  if (!ended.joinable()) return;
  if (ended.get_id() == std::this_thread::get_id()) {
    ended.detach();  // a function that waited released the last owner
  } else {
    ended.join();
  }
}

FLUX_DECL JwksSource::Keys JwksSource::State::keys() const {
  const std::lock_guard lock(mutex_);
  return keys_;
}

FLUX_DECL JwksSource::Refresh JwksSource::State::refresh(const Keys& seen, std::function<void()> done) {
  const std::lock_guard lock(mutex_);
  if (keys_ != seen) return Refresh::newer;
  if (stopping_ || waiting_.size() >= waiting_max) return Refresh::not_now;
  if (!fetching_ && !requested_) {
    if (clock_->now() < permitted_) return Refresh::not_now;
    requested_ = true;
    changed_.notify_all();
  }
  waiting_.push_back(std::move(done));
  return Refresh::pending;
}

FLUX_DECL void JwksSource::State::say(LogLevel level, const std::string& text) const {
  if (log_) log_(level, "JWKS " + shown_ + ": " + text);
}

// --- The thread ---

FLUX_DECL void JwksSource::State::work() {
  const auto client = client_;  // it is set before the thread starts
  Lock lock(mutex_);
  for (;;) {
    wait_until_due(lock);
    if (stopping_) return;
    requested_ = false;
    fetching_ = true;
    lock.unlock();
    renew(client.get());
    for (auto& call : std::exchange(done_, {})) std::exchange(call, nullptr)();
    lock.lock();
  }
}

/// Called with the lock held, together with noting the outcome: a caller that arrives later waits for the next fetch.
FLUX_DECL void JwksSource::State::end_fetch() {
  if (!std::exchange(fetching_, false)) return;
  if (!stopping_) done_.swap(waiting_);
}

FLUX_DECL void JwksSource::State::wait_until_due(Lock& lock) {
  while (!stopping_ && !requested_) {
    const auto now = clock_->now();
    if (now >= due_) return;
    if (clock_->stepped()) {
      changed_.wait(lock);
    } else {
      changed_.wait_for(lock, due_ - now);
    }
  }
}

/// Fetches, and notes the outcome.
FLUX_DECL void JwksSource::State::renew(transport::HttpsClient* client) {
  try {
    const Result<Fetched> fetched = fetch(client);
    if (!fetched) return note_failure(fetched.error());
    const bool is_new = fetched->text && (!text_ || *fetched->text != *text_);
    std::string summary;
    Keys renewed;
    if (is_new) {
      const Result<Keys> keys = read(*fetched->text, summary);
      if (!keys) return note_failure(keys.error());
      renewed = *keys;
    }
    take(*fetched, std::move(renewed), summary);
  } catch (const std::exception& error) {
    note_failure(Error(Errc::server_error, error.what()));
  }
}

FLUX_DECL Result<JwksSource::State::Fetched> JwksSource::State::fetch(transport::HttpsClient* client) const {
  if (client == nullptr) return fetch_file();
  return client->get(etag_).transform([this](transport::HttpResponse response) {
    Fetched fetched;
    const auto now = std::chrono::sys_time<std::chrono::milliseconds>(std::chrono::milliseconds(clock_->unix_ms()));
    fetched.lifetime = keys_lifetime(response.fields, std::chrono::floor<std::chrono::seconds>(now));
    if (response.status == 304) return fetched;
    fetched.etag = transport::find_field(response.fields, "ETag").value_or("");
    if (fetched.etag.size() > 1024) fetched.etag.clear();
    fetched.text = std::make_shared<const std::string>(std::move(response.body));
    return fetched;
  });
}

FLUX_DECL Result<JwksSource::State::Fetched> JwksSource::State::fetch_file() const {
  return detail::read_key_file(options_.source).transform([](std::string text) {
    return Fetched{std::make_shared<const std::string>(std::move(text)), {}, interval_min};
  });
}

FLUX_DECL Result<JwksSource::Keys> JwksSource::State::read(const std::string& text, std::string& summary) const {
  const auto set = jwt::read_jwks(text, url_ ? jwt::JwksSecrets::refused : jwt::JwksSecrets::allowed);
  if (!set) return set.error();
  summary = std::to_string(set->keys.size()) + (set->keys.size() == 1 ? " key" : " keys");
  for (const std::string& reason : set->left_out) summary += "; " + reason;
  if (set->keys.empty()) {
    return Error(Errc::bad_config, "the set has no key for verifying signatures: " + summary);
  }
  return std::make_shared<const std::vector<jwt::Key>>(set->keys);
}

FLUX_DECL void JwksSource::State::take(const Fetched& fetched, Keys renewed, const std::string& summary) {
  const bool is_new = renewed != nullptr;
  if (is_new) text_ = fetched.text;
  if (fetched.text) etag_ = fetched.etag;
  unsigned failures = 0;
  {
    const std::lock_guard lock(mutex_);
    end_fetch();
    if (is_new) keys_ = std::move(renewed);
    failures = std::exchange(failures_, 0);
    const auto now = clock_->now();
    due_ = now + fetched.lifetime;
    permitted_ = now + interval_min;
  }
  if (is_new) {
    say(LogLevel::info, summary);
  } else if (failures > 0) {
    say(LogLevel::info, "it can be fetched again; its keys are the same");
  }
}

FLUX_DECL void JwksSource::State::note_failure(const Error& error) {
  std::chrono::seconds delay{};
  bool has_keys = false;
  {
    const std::lock_guard lock(mutex_);
    end_fetch();
    if (stopping_) return;
    has_keys = keys_ != nullptr;
    delay = has_keys ? interval_min : first_retry;
    for (unsigned i = 0; i < failures_ && delay < retry_max; ++i) delay *= 2;
    delay = std::min(delay, retry_max);
    ++failures_;
    due_ = permitted_ = clock_->now() + delay;
  }
  say(LogLevel::warning, error.cause() + "; " +
                             (has_keys ? "the keys it had are kept" : "there are no keys, so tokens are refused") +
                             "; next attempt in " + std::to_string(delay.count()) + " s");
}

}  // namespace flux::gate
