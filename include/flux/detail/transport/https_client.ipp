#pragma once

#include <flux/detail/transport/http_chars.hpp>
#include <flux/detail/transport/https_client.hpp>
#include <flux/detail/transport/tls_client.hpp>

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <exception>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

namespace flux::transport {

namespace detail {

using Addresses = std::vector<core::IpAddress>;
using Deadline = std::chrono::steady_clock::time_point;

inline constexpr std::size_t url_bytes_max = 2048;
inline constexpr std::size_t addresses_max = 16;
/// After so long without a connection the next address is tried, too (RFC 8305, section 5).
inline constexpr std::chrono::milliseconds attempt_delay{250};

inline Error client_error(std::string what) { return Error(Errc::server_error, std::move(what)); }
inline std::string system_error_text(int number) { return std::generic_category().message(number); }

/// A file descriptor and its owner.
class Descriptor {
 public:
  explicit Descriptor(int number = -1) noexcept : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  int get() const noexcept { return number_; }
  explicit operator bool() const noexcept { return number_ >= 0; }

  void set_non_blocking() const noexcept {
    ::fcntl(number_, F_SETFD, FD_CLOEXEC);
    ::fcntl(number_, F_SETFL, O_NONBLOCK);
  }

 private:
  int number_;
};

inline bool is_host_name(std::string_view name) noexcept {
  return !name.empty() && name.size() <= 253 && name.front() != '.' && name.front() != '-' &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return is_digit(c) || (to_lower(c) >= 'a' && to_lower(c) <= 'z') || c == '-' || c == '.' || c == '_';
         });
}

inline std::optional<std::uint16_t> parse_port(std::string_view text) noexcept {
  std::uint32_t port = 0;
  if (text.empty() || text.size() > 5 || !std::all_of(text.begin(), text.end(), is_digit)) return std::nullopt;
  for (const char c : text) port = port * 10 + static_cast<std::uint32_t>(c - '0');
  return port >= 1 && port <= 65'535 ? std::optional(static_cast<std::uint16_t>(port)) : std::nullopt;
}

inline bool is_of_this_machine(const std::string& host) {
  const auto address = core::IpAddress::parse(host);
  return address ? address->is_loopback() : equals_ignore_case(host, "localhost");
}

inline Result<Addresses> resolve_by_system(const std::string& host) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_ADDRCONFIG;
  addrinfo* found = nullptr;
  int failure = ::getaddrinfo(host.c_str(), nullptr, &hints, &found);
  if (failure == EAI_NONAME) {  // AI_ADDRCONFIG ignores loopback addresses: a machine without a network has "localhost"
    hints.ai_flags = 0;
    failure = ::getaddrinfo(host.c_str(), nullptr, &hints, &found);
  }
  if (failure != 0) {
    return client_error(failure == EAI_SYSTEM ? system_error_text(errno) : std::string(::gai_strerror(failure)));
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, &::freeaddrinfo);
  Addresses addresses;
  for (const addrinfo* entry = found; entry != nullptr; entry = entry->ai_next) {
    if (entry->ai_family == AF_INET) {
      std::array<std::uint8_t, 4> bytes{};
      std::memcpy(bytes.data(), &reinterpret_cast<const sockaddr_in*>(entry->ai_addr)->sin_addr, bytes.size());
      addresses.push_back(core::IpAddress::v4(bytes));
    } else if (entry->ai_family == AF_INET6) {
      core::IpAddress::Bytes bytes{};
      std::memcpy(bytes.data(), &reinterpret_cast<const sockaddr_in6*>(entry->ai_addr)->sin6_addr, bytes.size());
      addresses.emplace_back(bytes);
    }
  }
  return addresses;
}

/// The families in turns, beginning with the one that the resolver prefers, so that one that is broken costs one delay.
inline Addresses in_turns(const Addresses& addresses) {
  Addresses ordered;
  std::array<std::size_t, 2> next{};  // of each family
  bool v4 = !addresses.empty() && addresses.front().is_v4();
  for (std::size_t misses = 0; misses < 2 && ordered.size() < addresses_max; v4 = !v4) {
    std::size_t& i = next[v4 ? 1 : 0];
    while (i < addresses.size() && addresses[i].is_v4() != v4) ++i;
    misses = i < addresses.size() ? 0 : misses + 1;
    if (i < addresses.size()) ordered.push_back(addresses[i++]);
  }
  return ordered;
}

inline int milliseconds_until(Deadline deadline) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, 3'600'000));
}

}  // namespace detail

// --- URL ---

FLUX_DECL Result<HttpsUrl> HttpsUrl::parse(std::string_view url) {
  const auto wrong = [](std::string what) { return Error(Errc::bad_config, "the URL " + std::move(what)); };
  if (url.size() > detail::url_bytes_max) {
    return wrong("has " + std::to_string(url.size()) + " bytes; at most " + std::to_string(detail::url_bytes_max) +
                 " are possible");
  }
  HttpsUrl parsed;
  parsed.tls = equals_ignore_case(url.substr(0, 8), "https://");
  if (!parsed.tls && !equals_ignore_case(url.substr(0, 7), "http://")) {
    return wrong("must begin with https://, or for this machine with http://");
  }
  const std::size_t begin = parsed.tls ? 8 : 7;
  const std::size_t end = std::min(url.find_first_of("/?#", begin), url.size());
  const std::string_view authority = url.substr(begin, end - begin);
  const std::string_view target = url.substr(end);
  if (authority.find('@') != std::string_view::npos) {
    return wrong("holds a user name or password (in front of an @), which is not supported");
  }
  if (!detail::all_chars(target, detail::target_char)) {
    return wrong("must not hold a # or characters other than visible ASCII in its path; percent-encode them");
  }
  const bool bracket = authority.substr(0, 1) == "[";
  const std::size_t host_end = std::min(bracket ? authority.find(']') : authority.find(':'), authority.size());
  parsed.host = authority.substr(bracket ? 1 : 0, host_end - (bracket ? 1 : 0));
  const std::string_view rest = authority.substr(std::min(host_end + (bracket ? 1 : 0), authority.size()));
  const auto address = core::IpAddress::parse(parsed.host);
  const bool is_v6 = address && !address->is_v4() && parsed.host.find('%') == std::string::npos;
  if (bracket ? !is_v6 || host_end == authority.size() : !detail::is_host_name(parsed.host)) {
    return wrong("has no valid host; it looks like https://login.example.com/keys, with names in ASCII (xn--...)");
  }
  parsed.port = parsed.tls ? 443 : 80;
  if (!rest.empty()) {
    const auto port = rest.front() == ':' ? detail::parse_port(rest.substr(1)) : std::nullopt;
    if (!port) return wrong("has a port that is not a number from 1 to 65535");
    parsed.port = *port;
  }
  if (!parsed.tls && !detail::is_of_this_machine(parsed.host)) {
    return wrong("begins with http://, which is only for this machine (localhost, 127.0.0.1, [::1]), not for " +
                 parsed.host + "; use https://");
  }
  parsed.authority = authority;
  parsed.target = target.substr(0, 1) == "/" ? std::string(target) : "/" + std::string(target);
  parsed.shown = url.substr(0, std::min(url.find('?'), url.size()));
  return parsed;
}

// --- Client ---

/// Shared with the thread that looks up names, which may outlive the client.
struct HttpsClient::State {
  std::mutex mutex;
  std::condition_variable changed;
  bool stopped = false;
  bool resolving = false;
  std::optional<Result<detail::Addresses>> resolved;
  detail::Descriptor wake_reader, wake_writer;  // readable from `stop` on
};

/// One GET.
class HttpsClient::Request {
 public:
  explicit Request(const HttpsClient& client)
      : url_(client.url_),
        options_(client.options_),
        state_(client.state_),
        deadline_(std::chrono::steady_clock::now() + client.options_.timeout) {}

  Result<HttpResponse> run(const std::string& etag);

 private:
  struct Attempt {
    detail::Descriptor socket;
    core::IpAddress address;
  };

  Result<detail::Addresses> resolve();
  Result<void> start_resolver();
  Result<detail::Descriptor> connect(const detail::Addresses& addresses);
  std::optional<Attempt> begin(const core::IpAddress& address);
  void note_failure(const core::IpAddress& address, int number);
  Result<void> wait(std::vector<pollfd>& sockets, detail::Deadline until);
  Result<void> wait_for(int socket, short events);
  Result<HttpResponse> exchange(int socket, const std::string& etag);
  std::string head(const std::string& etag) const;
  Result<void> send(int socket, std::string_view bytes);
  Result<std::string> receive(int socket);
  Error timed_out() const;

  const HttpsUrl& url_;
  const HttpsOptions& options_;
  const std::shared_ptr<State> state_;
  const detail::Deadline deadline_;
  const char* doing_ = "looking up the name";
  std::string failures_;  // of addresses
};

FLUX_DECL HttpsClient::HttpsClient(HttpsUrl url, HttpsOptions options)
    : url_(std::move(url)), options_(std::move(options)), state_(std::make_shared<State>()) {
  if (url_.tls) make_tls_client(url_.host, options_.ca_file).value();
  std::array<int, 2> ends{};
  if (::pipe(ends.data()) != 0) {
    throw Error(Errc::server_error, "can't create a pipe: " + detail::system_error_text(errno));
  }
  state_->wake_reader = detail::Descriptor(ends[0]);
  state_->wake_writer = detail::Descriptor(ends[1]);
  state_->wake_reader.set_non_blocking();
  state_->wake_writer.set_non_blocking();
}

FLUX_DECL HttpsClient::~HttpsClient() { stop(); }

FLUX_DECL void HttpsClient::stop() noexcept {
  {
    const std::lock_guard lock(state_->mutex);
    if (std::exchange(state_->stopped, true)) return;
  }
  state_->changed.notify_all();
  [[maybe_unused]] const auto written = ::write(state_->wake_writer.get(), "", 1);  // the pipe is empty
}

FLUX_DECL Result<HttpResponse> HttpsClient::get(const std::string& etag) { return Request(*this).run(etag); }

FLUX_DECL Result<HttpResponse> HttpsClient::Request::run(const std::string& etag) {
  const Result<detail::Addresses> addresses = resolve();
  if (!addresses) return addresses.error();
  if (!url_.tls && !std::all_of(addresses->begin(), addresses->end(), [](auto& a) { return a.is_loopback(); })) {
    return detail::client_error(url_.host + " is not an address of this machine, which http:// requires");
  }
  doing_ = "connecting";
  const Result<detail::Descriptor> socket = connect(detail::in_turns(*addresses));
  if (!socket) return socket.error();
  return exchange(socket->get(), etag);
}

FLUX_DECL Error HttpsClient::Request::timed_out() const {
  return detail::client_error("no complete response within " + std::to_string(options_.timeout.count()) +
                              " ms; it timed out while " + doing_ + (failures_.empty() ? "" : ", after " + failures_));
}

// --- Addresses ---

FLUX_DECL Result<detail::Addresses> HttpsClient::Request::resolve() {
  if (const auto address = core::IpAddress::parse(url_.host)) return detail::Addresses{*address};
  std::unique_lock lock(state_->mutex);
  if (!state_->resolving) {
    if (const auto started = start_resolver(); !started) return started.error();
  }
  state_->changed.wait_until(lock, deadline_, [this] { return state_->stopped || state_->resolved; });
  if (state_->stopped) return Error(Errc::stopped, "the client was stopped");
  if (!state_->resolved) return timed_out();
  Result<detail::Addresses> found = *std::exchange(state_->resolved, std::nullopt);
  if (!found) return detail::client_error("can't look up " + url_.host + ": " + found.error().message());
  if (found->empty()) return detail::client_error(url_.host + " has no address");
  return found;
}

/// Called with the lock.
FLUX_DECL Result<void> HttpsClient::Request::start_resolver() {
  state_->resolved.reset();
  const auto look_up = [state = state_, host = url_.host, resolver = options_.resolve] {
    Result<detail::Addresses> found = detail::client_error("out of memory");
    try {
      found = resolver ? resolver(host) : detail::resolve_by_system(host);
    } catch (const std::exception& error) {
      found = detail::client_error(error.what());
    }
    {
      const std::lock_guard lock(state->mutex);
      state->resolved = std::move(found);
      state->resolving = false;
    }
    state->changed.notify_all();
  };
  try {
    std::thread(look_up).detach();
  } catch (const std::system_error& error) {
    return detail::client_error(std::string("can't start a thread: ") + error.what());
  }
  state_->resolving = true;
  return {};
}

// --- Connection ---

FLUX_DECL Result<void> HttpsClient::Request::wait(std::vector<pollfd>& sockets, detail::Deadline until) {
  sockets.push_back({state_->wake_reader.get(), POLLIN, 0});
  const int ready = ::poll(sockets.data(), static_cast<nfds_t>(sockets.size()), detail::milliseconds_until(until));
  const int failure = errno;
  const bool stopped = ready > 0 && sockets.back().revents != 0;
  sockets.pop_back();
  if (stopped) return Error(Errc::stopped, "the client was stopped");
  if (ready < 0 && failure != EINTR) return detail::client_error("poll: " + detail::system_error_text(failure));
  if (ready < 0) {
    for (pollfd& socket : sockets) socket.revents = 0;
  }
  if (std::chrono::steady_clock::now() >= deadline_) return timed_out();
  return {};
}

FLUX_DECL void HttpsClient::Request::note_failure(const core::IpAddress& address, int number) {
  if (!failures_.empty()) failures_ += "; ";
  failures_ += address.text() + ": " + detail::system_error_text(number);
}

/// Begins to connect. None: it failed at once.
FLUX_DECL std::optional<HttpsClient::Request::Attempt> HttpsClient::Request::begin(const core::IpAddress& address) {
  const bool v4 = address.is_v4();
  Attempt attempt{detail::Descriptor(::socket(v4 ? AF_INET : AF_INET6, SOCK_STREAM, 0)), address};
  if (!attempt.socket) {
    note_failure(address, errno);
    return std::nullopt;
  }
  attempt.socket.set_non_blocking();
#if defined(SO_NOSIGPIPE)
  const int on = 1;
  ::setsockopt(attempt.socket.get(), SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on);
#endif
  sockaddr_in to_v4{};
  to_v4.sin_family = AF_INET;
  to_v4.sin_port = htons(url_.port);
  std::memcpy(&to_v4.sin_addr, address.bytes().data() + 12, 4);
  sockaddr_in6 to_v6{};
  to_v6.sin6_family = AF_INET6;
  to_v6.sin6_port = htons(url_.port);
  std::memcpy(&to_v6.sin6_addr, address.bytes().data(), 16);
  const auto* const to = v4 ? reinterpret_cast<const sockaddr*>(&to_v4) : reinterpret_cast<const sockaddr*>(&to_v6);
  const auto size = static_cast<socklen_t>(v4 ? sizeof to_v4 : sizeof to_v6);
  if (::connect(attempt.socket.get(), to, size) != 0 && errno != EINPROGRESS && errno != EINTR) {
    note_failure(address, errno);
    return std::nullopt;
  }
  return attempt;
}

FLUX_DECL Result<detail::Descriptor> HttpsClient::Request::connect(const detail::Addresses& addresses) {
  std::vector<Attempt> attempts;
  std::size_t next = 0;
  detail::Deadline next_at{};
  for (;;) {
    const auto now = std::chrono::steady_clock::now();
    if (next < addresses.size() && (attempts.empty() || now >= next_at)) {
      if (auto begun = begin(addresses[next++])) attempts.push_back(std::move(*begun));
      next_at = now + detail::attempt_delay;
      continue;
    }
    if (attempts.empty()) {
      return detail::client_error("can't connect to port " + std::to_string(url_.port) + ": " + failures_);
    }
    std::vector<pollfd> sockets;
    sockets.reserve(attempts.size() + 1);
    for (const Attempt& attempt : attempts) sockets.push_back({attempt.socket.get(), POLLOUT, 0});
    const auto waited = wait(sockets, next < addresses.size() ? std::min(next_at, deadline_) : deadline_);
    if (!waited) return waited.error();
    for (std::size_t i = sockets.size(); i-- > 0;) {
      if (sockets[i].revents == 0) continue;
      int failure = 0;
      socklen_t size = sizeof failure;
      if (::getsockopt(sockets[i].fd, SOL_SOCKET, SO_ERROR, &failure, &size) != 0) failure = errno;
      if (failure == 0) return std::move(attempts[i].socket);
      note_failure(attempts[i].address, failure);
      attempts.erase(attempts.begin() + static_cast<std::ptrdiff_t>(i));
      next_at = now;
    }
  }
}

FLUX_DECL Result<void> HttpsClient::Request::wait_for(int socket, short events) {
  std::vector<pollfd> sockets{{socket, events, 0}};
  do {
    if (const auto waited = wait(sockets, deadline_); !waited) return waited.error();
  } while (sockets.front().revents == 0);
  return {};
}

FLUX_DECL Result<void> HttpsClient::Request::send(int socket, std::string_view bytes) {
#if defined(MSG_NOSIGNAL)
  constexpr int flags = MSG_NOSIGNAL;
#else
  constexpr int flags = 0;
#endif
  while (!bytes.empty()) {
    const ssize_t sent = ::send(socket, bytes.data(), bytes.size(), flags);
    if (sent >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    } else if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) {
      if (const auto waited = wait_for(socket, POLLOUT); !waited) return waited.error();
    } else {
      return detail::client_error("the connection broke while " + std::string(doing_) + ": " +
                                  detail::system_error_text(errno));
    }
  }
  return {};
}

/// The next bytes; "": the server has closed the connection. Waits first, so that a server that sends without end can't
/// keep the client from its deadline.
FLUX_DECL Result<std::string> HttpsClient::Request::receive(int socket) {
  for (;;) {
    if (const auto waited = wait_for(socket, POLLIN); !waited) return waited.error();
    std::array<char, 16 * 1024> bytes;
    const ssize_t size = ::recv(socket, bytes.data(), bytes.size(), 0);
    if (size >= 0) return std::string(bytes.data(), static_cast<std::size_t>(size));
    if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
      return detail::client_error("the connection broke while " + std::string(doing_) + ": " +
                                  detail::system_error_text(errno));
    }
  }
}

// --- HTTP ---

FLUX_DECL std::string HttpsClient::Request::head(const std::string& etag) const {
  std::string text = "GET " + url_.target + " HTTP/1.1\r\nHost: " + url_.authority +
                     "\r\nUser-Agent: flux\r\nAccept: application/json, */*;q=0.1\r\nAccept-Encoding: identity\r\n"
                     "Connection: close\r\n";
  if (!etag.empty()) text += "If-None-Match: " + etag + "\r\n";
  return text + "\r\n";
}

/// Why a response with this head is of no use; empty: it is.
inline std::string refusal_of(const HttpResponse& response, bool has_etag) {
  const std::string status = std::to_string(response.status);
  if (response.status >= 300 && response.status < 400 && response.status != 304) {
    std::string text = "the server answers with a redirect (status " + status + "), which is not followed";
    const auto location = find_field(response.fields, "Location");
    if (!location) return text;
    std::string shown(location->substr(0, std::min<std::size_t>(location->find('?'), 200)));
    for (char& c : shown) c = detail::is_char(c, detail::target_char) ? c : '?';
    return text + "; it names " + shown;
  }
  if (response.status != 200 && (response.status != 304 || !has_etag)) {
    return "the server answers with status " + status + " (" + std::string(reason_phrase(response.status)) + ")";
  }
  const auto coding = find_field(response.fields, "Content-Encoding");
  if (coding && !coding->empty() && !equals_ignore_case(*coding, "identity")) {
    return "the body is compressed, which was not asked for";
  }
  return {};
}

FLUX_DECL Result<HttpResponse> HttpsClient::Request::exchange(int socket, const std::string& etag) {
  using Step = HttpResponseParser::Step;
  std::unique_ptr<TlsEngine> tls;
  std::string to_server;
  std::string plain;
  if (url_.tls) {
    auto made = make_tls_client(url_.host, options_.ca_file);
    if (!made) return made.error();
    tls = std::move(made).value();
    tls->receive({}, plain, to_server);
    tls->send(head(etag), to_server);
  } else {
    to_server = head(etag);
  }
  doing_ = tls ? "shaking hands (TLS)" : "sending the request";
  HttpResponseParser parser(options_.limits);
  Step step = Step::need_more;
  while (step == Step::need_more) {
    if (const auto sent = send(socket, std::exchange(to_server, {})); !sent) return sent.error();
    if (!tls || tls->handshake_done()) doing_ = parser.has_head() ? "reading the body" : "reading the head";
    Result<std::string> received = receive(socket);
    if (!received) return received.error();
    const bool ended = received->empty();
    if (!tls) {
      plain = std::move(*received);
    } else if (!ended && !tls->receive(*received, plain, to_server)) {
      (void)send(socket, to_server);  // the alert, if it can be sent
      return detail::client_error(tls->error());
    } else if (ended && !tls->handshake_done()) {
      return detail::client_error("the server closed the connection during the TLS handshake");
    }
    step = parser.receive(plain);
    plain.clear();
    if (parser.has_head() && step != Step::failed) {
      if (std::string refusal = refusal_of(parser.response(), !etag.empty()); !refusal.empty()) {
        return detail::client_error(std::move(refusal));
      }
    }
    const bool finished = tls ? tls->peer_finished() : ended;
    if (step == Step::need_more && ended && !finished) {
      return detail::client_error("the connection ended without TLS's close_notify: the response may be cut off");
    }
    if (step == Step::need_more && finished) step = parser.end();
  }
  if (step == Step::failed) return detail::client_error(parser.error());
  if (tls) {
    tls->finish(to_server);
    (void)send(socket, to_server);  // the response is complete: the rest is courtesy
  }
  return std::move(parser.response());
}

}  // namespace flux::transport
