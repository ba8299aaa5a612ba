// Key pairs for tokens, generated when the tests run. No key is ever committed.
#pragma once

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

namespace flux::testing {

/// A private key of OpenSSL.
class TokenKey {
 public:
  static TokenKey rsa(int bits = 2048) {
    return TokenKey(EVP_PKEY_RSA, [&](EVP_PKEY_CTX* maker) { return EVP_PKEY_CTX_set_rsa_keygen_bits(maker, bits); });
  }
  /// `curve`: such as NID_X9_62_prime256v1.
  static TokenKey ec(int curve) {
    return TokenKey(EVP_PKEY_EC, [&](EVP_PKEY_CTX* maker) {
      return EVP_PKEY_CTX_set_ec_paramgen_curve_nid(maker, curve) == 1
                 ? EVP_PKEY_CTX_set_ec_param_enc(maker, OPENSSL_EC_NAMED_CURVE)
                 : 0;
    });
  }
  static TokenKey ed25519() {
    return TokenKey(EVP_PKEY_ED25519, [](EVP_PKEY_CTX*) { return 1; });
  }

  std::string private_pem(const std::string& passphrase = {}) const {
    std::string copy = passphrase;
    return written([&](BIO* to) {
      return PEM_write_bio_PrivateKey(to, key_.get(), copy.empty() ? nullptr : EVP_aes_128_cbc(), nullptr, 0, nullptr,
                                      copy.empty() ? nullptr : copy.data());
    });
  }
  std::string public_pem() const {
    return written([&](BIO* to) { return PEM_write_bio_PUBKEY(to, key_.get()); });
  }
  /// A SubjectPublicKeyInfo. It ends with the x and y of an EC key, or with the x of an Ed25519 key.
  std::string public_der() const {
    return written([&](BIO* to) { return i2d_PUBKEY_bio(to, key_.get()); });
  }
  /// A signature as OpenSSL makes it: of an EC key, in DER.
  std::string openssl_signature(std::string_view text, const EVP_MD* digest) const {
    const std::unique_ptr<EVP_MD_CTX, Free<EVP_MD_CTX_free>> context(EVP_MD_CTX_new());
    const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
    std::string signature(1024, '\0');
    std::size_t size = signature.size();
    check(EVP_DigestSignInit(context.get(), nullptr, digest, nullptr, key_.get()) == 1);
    check(EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size, bytes,
                         text.size()) == 1);
    signature.resize(size);
    return signature;
  }
  EVP_PKEY* get() const noexcept { return key_.get(); }

 private:
  template <auto function>
  struct Free {
    template <class T>
    void operator()(T* object) const noexcept {
      function(object);
    }
  };

  static void check(bool done) {
    if (!done) throw std::runtime_error("TokenKey: OpenSSL failed");
  }

  template <class Choose>
  TokenKey(int type, const Choose& choose) {
    const std::unique_ptr<EVP_PKEY_CTX, Free<EVP_PKEY_CTX_free>> maker(EVP_PKEY_CTX_new_id(type, nullptr));
    EVP_PKEY* key = nullptr;
    check(maker && EVP_PKEY_keygen_init(maker.get()) == 1 && choose(maker.get()) == 1 &&
          EVP_PKEY_keygen(maker.get(), &key) == 1);
    key_.reset(key);
  }

  template <class Write>
  static std::string written(const Write& write) {
    const std::unique_ptr<BIO, Free<BIO_free>> memory(BIO_new(BIO_s_mem()));
    check(memory && write(memory.get()) == 1);
    char* text = nullptr;
    const long size = BIO_get_mem_data(memory.get(), &text);
    return std::string(text, static_cast<std::size_t>(size));
  }

  std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>> key_;
};

}  // namespace flux::testing
