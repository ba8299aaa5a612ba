#pragma once

#include <flux/detail/transport/openssl.hpp>
#include <flux/detail/transport/tls.hpp>

#include <cstddef>
#include <exception>
#include <new>
#include <utility>

namespace flux::transport {

#if defined(FLUX_WITH_TLS) && FLUX_WITH_TLS

namespace detail {

// The largest payload of a record (RFC 8446, section 5.1).
inline constexpr std::size_t record_bytes_max = 16'384;
// After the handshake, how many records in a row a client may send without application data: key updates, alerts,
// renegotiation requests. Known clients update keys every few million records.
inline constexpr int records_without_data_max = 32;

inline constexpr std::string_view answer_to_plain_http =
    "HTTP/1.1 400 Bad Request\r\n"
    "Connection: close\r\n"
    "Content-Type: text/plain\r\n"
    "Content-Length: 45\r\n"
    "\r\n"
    "This port speaks TLS: use https:// or wss://\n";
static_assert(answer_to_plain_http.size() - answer_to_plain_http.find("\r\n\r\n") - 4 == 45);

inline Error tls_error(std::string what) {
  return Error(Errc::tls_failed, std::move(what) + ": " + take_openssl_errors());
}

/// Replaces OpenSSL's own callback, which asks on the terminal.
inline int no_passphrase(char*, int, int, void* asked) noexcept {
  *static_cast<bool*>(asked) = true;
  return -1;
}

class OpenSslEngine;

class OpenSslContext final : public TlsContext, public std::enable_shared_from_this<OpenSslContext> {
 public:
  static Result<std::shared_ptr<const TlsContext>> make(const TlsOptions& options);
  FLUX_DECL std::unique_ptr<TlsEngine> engine() const override;

 private:
  friend class OpenSslEngine;  // it keeps this object alive, because its BIO uses the methods here

  bool set_up();
  Result<void> load_certificate(const std::string& file);
  Result<void> load_private_key(const TlsOptions& options);
  static int select_protocol(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* offered,
                             unsigned offered_size, void*) noexcept;

  BioMethodPtr wire_;
  SslContextPtr context_;
};

/// Its BIO reads the bytes passed to `receive` and writes to the string of the call, so nothing is buffered in between.
class OpenSslEngine final : public TlsEngine {
 public:
  explicit OpenSslEngine(std::shared_ptr<const OpenSslContext> context);

  FLUX_DECL bool receive(std::string_view from_peer, std::string& plain, std::string& encrypted) override;
  FLUX_DECL void send(std::string_view plain, std::string& encrypted) override;
  FLUX_DECL void finish(std::string& encrypted) override;
  bool handshake_done() const override { return handshake_done_; }
  bool peer_finished() const override { return peer_finished_; }
  std::string error() const override { return error_; }

  static void heard(int write, int version, int content_type, const void* data, std::size_t size, SSL*, void* engine);
  static int wire_read(BIO* bio, char* data, int size) noexcept;
  static int wire_write(BIO* bio, const char* data, int size) noexcept;
  static long wire_control(BIO*, int command, long, void*) noexcept { return command == BIO_CTRL_FLUSH ? 1 : 0; }

 private:
  // Sets what the BIO reads and writes for the duration of a call.
  class Call {
   public:
    Call(OpenSslEngine& engine, std::string_view input, std::string& output) : engine_(engine) {
      ERR_clear_error();  // errors left in the queue would be taken for this call's
      engine_.input_ = input;
      engine_.output_ = &output;
    }
    ~Call() {
      engine_.input_ = {};
      engine_.output_ = nullptr;
    }
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;

   private:
    OpenSslEngine& engine_;
  };

  bool broken() const noexcept { return !error_.empty(); }
  // One is subtracted because the record that has just begun may hold data.
  bool silent_too_long() const noexcept { return records_since_data_ - 1 > records_without_data_max; }
  bool read(std::string& plain);
  void write(std::string_view plain);
  void shut_down();
  bool stopped(int result);
  bool fail(std::string_view reason);

  const std::shared_ptr<const OpenSslContext> context_;
  SslPtr ssl_;
  std::string_view input_;
  std::string* output_ = nullptr;
  std::string kept_;  // data passed to `send` before the handshake was done
  std::string error_;
  bool started_ = false;  // the peer has sent something
  bool handshake_done_ = false;
  bool finished_ = false;
  bool peer_finished_ = false;
  bool out_of_memory_ = false;  // in a function that must not throw
  int records_since_data_ = 0;
};

// --- Context ---

FLUX_DECL Result<std::shared_ptr<const TlsContext>> OpenSslContext::make(const TlsOptions& options) {
  ERR_clear_error();
  auto made = std::make_shared<OpenSslContext>();
  if (!made->set_up()) return tls_error("cannot set up TLS");
  if (const auto loaded = made->load_certificate(options.certificate_file); !loaded) return loaded.error();
  if (const auto loaded = made->load_private_key(options); !loaded) return loaded.error();
  return std::shared_ptr<const TlsContext>(std::move(made));
}

FLUX_DECL bool OpenSslContext::set_up() {
  // The type is only a label here; new types are scarce: a process has 127.
  wire_.reset(BIO_meth_new(BIO_TYPE_MEM, "flux connection"));
  context_.reset(SSL_CTX_new(TLS_server_method()));
  if (!wire_ || !context_) return false;
  SSL_CTX* const context = context_.get();
  // The machine's own policy may be stricter.
  if (SSL_CTX_get_min_proto_version(context) < TLS1_2_VERSION &&
      SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1) {
    return false;
  }
  SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
  // The client knows best which cipher is fast on its machine, and all that we allow are good.
  SSL_CTX_clear_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
  // Sessions resume by tickets, which clients keep. The cache would hold 20,000 sessions in this process.
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_alpn_select_cb(context, &OpenSslContext::select_protocol, nullptr);
  return BIO_meth_set_read(wire_.get(), &OpenSslEngine::wire_read) == 1 &&
         BIO_meth_set_write(wire_.get(), &OpenSslEngine::wire_write) == 1 &&
         BIO_meth_set_ctrl(wire_.get(), &OpenSslEngine::wire_control) == 1 &&
         SSL_CTX_set_cipher_list(context, tls12_ciphers) == 1;
}

FLUX_DECL Result<void> OpenSslContext::load_certificate(const std::string& file) {
  bool asked = false;
  SSL_CTX_set_default_passwd_cb(context_.get(), &no_passphrase);
  SSL_CTX_set_default_passwd_cb_userdata(context_.get(), &asked);
  const bool loaded = SSL_CTX_use_certificate_chain_file(context_.get(), file.c_str()) == 1;
  SSL_CTX_set_default_passwd_cb_userdata(context_.get(), nullptr);
  if (loaded) return {};
  if (asked) return tls_error("the TLS certificate file " + file + " has a passphrase; flux needs one without");
  return tls_error("cannot use the TLS certificate file " + file);
}

FLUX_DECL Result<void> OpenSslContext::load_private_key(const TlsOptions& options) {
  const std::string& file = options.private_key_file;
  bool asked = false;
  const BioPtr bio(BIO_new_file(file.c_str(), "r"));
  const PrivateKeyPtr key(bio ? PEM_read_bio_PrivateKey(bio.get(), nullptr, &no_passphrase, &asked) : nullptr);
  if (asked) return tls_error("the TLS private key file " + file + " has a passphrase; flux needs one without");
  if (!key) return tls_error("cannot use the TLS private key file " + file);
  if (X509_check_private_key(SSL_CTX_get0_certificate(context_.get()), key.get()) != 1) {
    return tls_error("the TLS private key in " + file + " does not belong to the certificate in " +
                     options.certificate_file);
  }
  if (SSL_CTX_use_PrivateKey(context_.get(), key.get()) != 1) {
    return tls_error("cannot use the TLS private key file " + file);
  }
  return {};
}

// A client that offers protocols but not this one would not understand us (RFC 7301, section 3.2).
FLUX_DECL int OpenSslContext::select_protocol(SSL*, const unsigned char** out, unsigned char* out_size,
                                              const unsigned char* offered, unsigned offered_size, void*) noexcept {
  unsigned char* selected = nullptr;
  if (SSL_select_next_proto(&selected, out_size, alpn_http11, sizeof alpn_http11, offered, offered_size) !=
      OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }
  *out = selected;
  return SSL_TLSEXT_ERR_OK;
}

FLUX_DECL std::unique_ptr<TlsEngine> OpenSslContext::engine() const {
  return std::make_unique<OpenSslEngine>(shared_from_this());
}

// --- Engine ---

FLUX_DECL OpenSslEngine::OpenSslEngine(std::shared_ptr<const OpenSslContext> context)
    : context_(std::move(context)), ssl_(SSL_new(context_->context_.get())) {
  BIO* const bio = BIO_new(context_->wire_.get());
  if (!ssl_ || bio == nullptr) {
    BIO_free(bio);
    ERR_clear_error();
    throw std::bad_alloc();
  }
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_.get(), bio, bio);
  SSL_set_accept_state(ssl_.get());
  SSL_set_msg_callback(ssl_.get(), &OpenSslEngine::heard);
  SSL_set_msg_callback_arg(ssl_.get(), this);
}

/// One read of OpenSSL continues until data arrives, and each record without data may cost new keys or an answer. Too
/// many of them are noticed here, at their headers, and end the read by ending its input.
FLUX_DECL void OpenSslEngine::heard(int write, int, int content_type, const void*, std::size_t, SSL*, void* engine) {
  auto& self = *static_cast<OpenSslEngine*>(engine);
  if (write != 0 || content_type != SSL3_RT_HEADER || !self.handshake_done_) return;
  ++self.records_since_data_;
  if (self.silent_too_long()) self.input_ = {};
}

FLUX_DECL int OpenSslEngine::wire_read(BIO* bio, char* data, int size) noexcept {
  auto& engine = *static_cast<OpenSslEngine*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  if (engine.input_.empty()) {
    BIO_set_retry_read(bio);
    return -1;
  }
  const std::size_t taken = engine.input_.copy(data, static_cast<std::size_t>(size));
  engine.input_.remove_prefix(taken);
  return static_cast<int>(taken);
}

FLUX_DECL int OpenSslEngine::wire_write(BIO* bio, const char* data, int size) noexcept {
  auto& engine = *static_cast<OpenSslEngine*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  if (engine.output_ == nullptr) return -1;
  try {
    engine.output_->append(data, static_cast<std::size_t>(size));
  } catch (const std::exception&) {  // it must not pass through OpenSSL
    engine.out_of_memory_ = true;
    return -1;
  }
  return size;
}

FLUX_DECL bool OpenSslEngine::receive(std::string_view from_peer, std::string& plain, std::string& encrypted) {
  if (broken()) return false;
  if (from_peer.empty() || peer_finished_) return true;
  // No record begins with a letter, while every HTTP method does.
  if (!std::exchange(started_, true) && from_peer.front() >= 'A' && from_peer.front() <= 'Z') {
    encrypted += answer_to_plain_http;
    return fail("plain HTTP came instead");
  }
  const Call call(*this, from_peer, encrypted);
  return read(plain);
}

FLUX_DECL bool OpenSslEngine::read(std::string& plain) {
  if (!handshake_done_) {
    if (const int result = SSL_do_handshake(ssl_.get()); result != 1) return stopped(result);
    handshake_done_ = true;
    write(std::exchange(kept_, {}));
    if (finished_) shut_down();
  }
  char record[record_bytes_max];
  while (!broken() && (!input_.empty() || SSL_pending(ssl_.get()) > 0)) {
    std::size_t size = 0;
    if (const int result = SSL_read_ex(ssl_.get(), record, sizeof record, &size); result != 1) return stopped(result);
    records_since_data_ = 0;
    plain.append(record, size);
  }
  return !broken();
}

FLUX_DECL void OpenSslEngine::send(std::string_view plain, std::string& encrypted) {
  if (broken() || finished_) return;
  if (!handshake_done_) {
    kept_ += plain;
    return;
  }
  const Call call(*this, {}, encrypted);
  write(plain);
}

FLUX_DECL void OpenSslEngine::write(std::string_view plain) {
  if (plain.empty()) return;
  std::size_t written = 0;
  if (SSL_write_ex(ssl_.get(), plain.data(), plain.size(), &written) != 1) fail(take_openssl_errors());
}

FLUX_DECL void OpenSslEngine::finish(std::string& encrypted) {
  if (broken() || std::exchange(finished_, true) || !handshake_done_) return;
  const Call call(*this, {}, encrypted);
  shut_down();
}

// 0: sent; the peer's close_notify is still outstanding.
FLUX_DECL void OpenSslEngine::shut_down() {
  if (!broken() && SSL_shutdown(ssl_.get()) < 0) fail(take_openssl_errors());
}

/// Called after an operation on `ssl_` that did not succeed. Returns true if that is not an error.
FLUX_DECL bool OpenSslEngine::stopped(int result) {
  if (silent_too_long()) {
    ERR_clear_error();
    return fail("more than " + std::to_string(records_without_data_max) + " records in a row without data");
  }
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ:
      // Until the rest of that message arrived nothing could be sent, so output would pile up here. Real clients don't
      // split messages this small.
      if (handshake_done_ && !SSL_is_init_finished(ssl_.get())) return fail("a key update was split over records");
      return true;
    case SSL_ERROR_ZERO_RETURN: peer_finished_ = true; return handshake_done_ || fail("the peer gave up");
    default: return fail(out_of_memory_ ? "out of memory" : take_openssl_errors());
  }
}

FLUX_DECL bool OpenSslEngine::fail(std::string_view reason) {
  error_.assign(handshake_done_ ? "TLS: " : "TLS handshake: ").append(reason);
  std::string().swap(kept_);
  return false;
}

}  // namespace detail

FLUX_DECL Result<std::shared_ptr<const TlsContext>> make_tls_context(const TlsOptions& options) {
  if (options.certificate_file.empty()) return Error(Errc::tls_failed, "TlsOptions::certificate_file is empty");
  if (options.private_key_file.empty()) return Error(Errc::tls_failed, "TlsOptions::private_key_file is empty");
  return detail::OpenSslContext::make(options);
}

#else

FLUX_DECL Result<std::shared_ptr<const TlsContext>> make_tls_context(const TlsOptions&) {
  return Error(Errc::tls_failed, "this build of flux has no TLS; configure it with FLUX_WITH_TLS=ON and OpenSSL");
}

#endif

}  // namespace flux::transport
