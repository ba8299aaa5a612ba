// Certificates for tests, generated when they run. No key is ever committed.
#pragma once

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

namespace flux::testing {

/// A temporary folder for one test; removed with its contents.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::random_device entropy;
    do {
      path_ = std::filesystem::temp_directory_path() / ("flux-test-" + std::to_string(entropy()));
    } while (!std::filesystem::create_directory(path_));
    std::filesystem::permissions(path_, std::filesystem::perms::owner_all);
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::filesystem::path& path() const noexcept { return path_; }

 private:
  std::filesystem::path path_;
};

/// A certificate for `localhost`, 127.0.0.1 and ::1 with its private key, as PEM files in a temporary folder.
/// Self-signed, or signed by an `issuer`, whose certificate then follows in the file.
class TestCertificate {
 public:
  enum class KeyType { ec_p256, rsa_2048 };
  struct Options {
    std::string name = "localhost";
    KeyType key_type = KeyType::ec_p256;
    std::chrono::seconds valid_from{-3'600};  ///< from now
    std::chrono::seconds valid_until{86'400};
    const TestCertificate* issuer = nullptr;
    std::string passphrase{};  ///< of the key file; empty: it is not encrypted
  };

  TestCertificate() : TestCertificate(Options{}) {}
  explicit TestCertificate(const Options& options) : key_(make_key(options.key_type)), certificate_(X509_new()) {
    fill(options);
    write_files(options);
  }

  std::string certificate_file() const { return (folder_.path() / "certificate.pem").string(); }
  std::string private_key_file() const { return (folder_.path() / "key.pem").string(); }
  const std::filesystem::path& folder() const noexcept { return folder_.path(); }
  X509* x509() const noexcept { return certificate_.get(); }

 private:
  template <auto function>
  struct Free {
    template <class T>
    void operator()(T* object) const noexcept {
      function(object);
    }
  };
  using Key = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;
  using File = std::unique_ptr<BIO, Free<BIO_free>>;

  static void check(bool done, const char* what) {
    if (!done) throw std::runtime_error(std::string("TestCertificate: ") + what + " failed");
  }

  static Key make_key(KeyType type) {
    const bool ec = type == KeyType::ec_p256;
    const std::unique_ptr<EVP_PKEY_CTX, Free<EVP_PKEY_CTX_free>> maker(
        EVP_PKEY_CTX_new_id(ec ? EVP_PKEY_EC : EVP_PKEY_RSA, nullptr));
    check(maker && EVP_PKEY_keygen_init(maker.get()) == 1, "EVP_PKEY_keygen_init");
    if (ec) {
      check(EVP_PKEY_CTX_set_ec_paramgen_curve_nid(maker.get(), NID_X9_62_prime256v1) == 1 &&
                EVP_PKEY_CTX_set_ec_param_enc(maker.get(), OPENSSL_EC_NAMED_CURVE) == 1,
            "choosing P-256");
    } else {
      check(EVP_PKEY_CTX_set_rsa_keygen_bits(maker.get(), 2048) == 1, "choosing 2048 bits");
    }
    EVP_PKEY* key = nullptr;
    check(EVP_PKEY_keygen(maker.get(), &key) == 1, "EVP_PKEY_keygen");
    return Key(key);
  }

  void add_extension(int nid, const char* value) {
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, certificate_.get(), certificate_.get(), nullptr, nullptr, 0);
    const std::unique_ptr<X509_EXTENSION, Free<X509_EXTENSION_free>> extension(
        X509V3_EXT_conf_nid(nullptr, &context, nid, value));
    check(extension && X509_add_ext(certificate_.get(), extension.get(), -1) == 1, "X509_add_ext");
  }

  void fill(const Options& options) {
    X509* const certificate = certificate_.get();
    check(certificate != nullptr && X509_set_version(certificate, 2) == 1, "X509_new");
    std::random_device entropy;
    check(ASN1_INTEGER_set(X509_get_serialNumber(certificate), static_cast<long>(entropy() >> 1)) == 1,
          "the serial number");
    check(
        X509_gmtime_adj(X509_getm_notBefore(certificate), static_cast<long>(options.valid_from.count())) != nullptr &&
            X509_gmtime_adj(X509_getm_notAfter(certificate), static_cast<long>(options.valid_until.count())) != nullptr,
        "X509_gmtime_adj");
    check(X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_UTF8,
                                     reinterpret_cast<const unsigned char*>(options.name.c_str()), -1, -1, 0) == 1,
          "X509_NAME_add_entry_by_txt");
    X509* const issuer = options.issuer != nullptr ? options.issuer->x509() : certificate;
    check(X509_set_issuer_name(certificate, X509_get_subject_name(issuer)) == 1, "X509_set_issuer_name");
    check(X509_set_pubkey(certificate, key_.get()) == 1, "X509_set_pubkey");
    add_extension(NID_basic_constraints, "critical,CA:TRUE");
    add_extension(NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1,IP:::1");
    EVP_PKEY* const signer = options.issuer != nullptr ? options.issuer->key_.get() : key_.get();
    check(X509_sign(certificate, signer, EVP_sha256()) > 0, "X509_sign");
  }

  void write_files(const Options& options) const {
    const File certificates(BIO_new_file(certificate_file().c_str(), "w"));
    check(certificates && PEM_write_bio_X509(certificates.get(), certificate_.get()) == 1, "writing the certificate");
    if (options.issuer != nullptr) {
      check(PEM_write_bio_X509(certificates.get(), options.issuer->x509()) == 1, "writing the issuer's certificate");
    }
    std::string passphrase = options.passphrase;
    const bool encrypted = !passphrase.empty();
    const File key(BIO_new_file(private_key_file().c_str(), "w"));
    check(key && PEM_write_bio_PrivateKey(key.get(), key_.get(), encrypted ? EVP_aes_128_cbc() : nullptr, nullptr, 0,
                                          nullptr, encrypted ? passphrase.data() : nullptr) == 1,
          "writing the key");
  }

  TemporaryFolder folder_;
  Key key_;
  std::unique_ptr<X509, Free<X509_free>> certificate_;
};

}  // namespace flux::testing
