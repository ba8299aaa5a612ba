// flux-bench-tokens: what verifying a JSON Web Token costs, next to what OpenSSL needs for the signature alone, with the
// same key and text. CPU time of one thread; the sides take turns, so that both see the same machine.
#include <flux/jwt.hpp>

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/x509.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <ctime>
#include <exception>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "../support/token_keys.hpp"

namespace flux::bench {
namespace {

using jwt::Algorithm;
using jwt::Key;
using testing::TokenKey;

constexpr std::string_view usage =
    "usage: flux-bench-tokens [--turns N] [--check]\n"
    "Prints a table of medians of N turns (21). --check exits with 1 if a bound is missed.\n";

constexpr double ratio_max = 1.2;
constexpr double hs256_per_second_min = 500'000;
constexpr double bad_token_ratio_max = 1.1;  // of a good one: for the sentence in the log, and noise
constexpr std::size_t batch = 64;            // verifications of a turn for slow algorithms
constexpr std::size_t large_batch = 4096;    // and for HMAC

const auto now = std::chrono::system_clock::time_point(std::chrono::seconds(1'700'000'000));
const jwt::Rules rules{.issuers = {"https://login.example.com"}, .audiences = {"chat"}};

/// The claims of a usual access token, which ends `valid_for` seconds from now.
JsonText claims(std::int64_t valid_for) {
  return JsonText::object({{"iss", "https://login.example.com"},
                           {"sub", "auth0|6478f1b2c3d4e5f6a7b8c9d0"},
                           {"aud", "chat"},
                           {"iat", 1'699'999'000},
                           {"exp", 1'700'000'000 + valid_for},
                           {"jti", "0b5bd0a6-4a5e-4cde-8b4c-0a2a5f0c8a11"},
                           {"name", "Ada Lovelace"},
                           {"permissions", JsonText::array({"read:*", "write:chat"})}});
}

void require(bool condition, const char* what) {
  if (!condition) throw std::runtime_error(std::string(what) + " failed");
}

double cpu_microseconds() {
  timespec time{};
  require(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time) == 0, "clock_gettime");
  return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_nsec) / 1e3;
}

/// Microseconds for each of `count` calls.
template <class Call>
double timed(std::size_t count, const Call& call) {
  const double start = cpu_microseconds();
  for (std::size_t i = 0; i < count; ++i) call(i);
  return (cpu_microseconds() - start) / static_cast<double>(count);
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

/// The signature alone.
class OpenSsl {
 public:
  virtual ~OpenSsl() = default;
  virtual double microseconds() = 0;
};

class OpenSslHmac final : public OpenSsl {
 public:
  OpenSslHmac(std::string secret, std::string text) : secret_(std::move(secret)), text_(std::move(text)) {}
  double microseconds() override {
    return timed(large_batch, [this](std::size_t) {
      unsigned char code[EVP_MAX_MD_SIZE];
      require(HMAC(EVP_sha256(), secret_.data(), static_cast<int>(secret_.size()),
                   reinterpret_cast<const unsigned char*>(text_.data()), text_.size(), code, nullptr) != nullptr,
              "HMAC");
    });
  }

 private:
  std::string secret_;
  std::string text_;
};

/// EVP_DigestVerify. The contexts are made ready outside the time.
class OpenSslVerify final : public OpenSsl {
 public:
  OpenSslVerify(const TokenKey& pair, const EVP_MD* digest, std::string text)
      : digest_(digest), text_(std::move(text)), signature_(pair.openssl_signature(text_, digest)) {
    const std::string der = pair.public_der();
    const auto* at = reinterpret_cast<const unsigned char*>(der.data());
    key_.reset(d2i_PUBKEY(nullptr, &at, static_cast<long>(der.size())));
    require(key_ != nullptr, "d2i_PUBKEY");
  }
  double microseconds() override {
    std::array<std::unique_ptr<EVP_MD_CTX, Free<EVP_MD_CTX_free>>, batch> contexts;
    for (auto& context : contexts) {
      context.reset(EVP_MD_CTX_new());
      require(EVP_DigestVerifyInit(context.get(), nullptr, digest_, nullptr, key_.get()) == 1, "EVP_DigestVerifyInit");
    }
    return timed(batch, [&](std::size_t i) {
      require(
          EVP_DigestVerify(contexts[i].get(), reinterpret_cast<const unsigned char*>(signature_.data()),
                           signature_.size(), reinterpret_cast<const unsigned char*>(text_.data()), text_.size()) == 1,
          "EVP_DigestVerify");
    });
  }

 private:
  template <auto function>
  struct Free {
    template <class T>
    void operator()(T* object) const noexcept {
      function(object);
    }
  };
  const EVP_MD* digest_;
  std::string text_;
  std::string signature_;
  std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>> key_;
};

/// A token, and whether it must be accepted.
struct Sample {
  std::string name;
  std::string token;
  bool good;
};

std::vector<Sample> samples(const Key& signing) {
  const std::string good = jwt::sign(claims(600), signing).value();
  std::string forged = good;
  char& changed = forged[good.size() - 20];  // in the signature
  changed = changed == 'A' ? 'B' : 'A';
  std::string other_claims = good;
  char& claim = other_claims[good.find('.') + 10];
  claim = claim == 'A' ? 'B' : 'A';
  return {{"accepted", good, true},
          {"signature changed", forged, false},
          {"claims changed", other_claims, false},
          {"expired", jwt::sign(claims(-600), signing).value(), false},
          {"cut off", good.substr(0, good.size() / 2), false}};
}

/// One row of the table.
class Row {
 public:
  Row(std::string name, const Key& signing, Key verifying, std::unique_ptr<OpenSsl> alone, std::size_t count)
      : name_(std::move(name)), key_(std::move(verifying)), alone_(std::move(alone)), count_(count) {
    for (Sample& sample : samples(signing)) sides_.push_back({std::move(sample), {}});
  }

  void turn() {
    own_.push_back(alone_->microseconds());
    for (Side& side : sides_) {
      side.times.push_back(timed(count_, [&](std::size_t) {
        require(jwt::verify(side.sample.token, key_, rules, now).ok() == side.sample.good, side.sample.name.c_str());
      }));
    }
  }

  /// Prints it. Returns whether it holds its bounds.
  bool report() const {
    const double own = median(own_), good = median(sides_[0].times);
    double worst = 0;
    for (const Side& side : sides_) worst = std::max(worst, median(side.times));
    const bool hmac = count_ == large_batch;
    const bool holds =
        (hmac ? 1e6 / good >= hs256_per_second_min : good <= ratio_max * own) && worst <= bad_token_ratio_max * good;
    std::printf("| %s | %.3g | %.3g | %.2f | %s | %.0f |", name_.c_str(), good, own, good / own,
                hmac ? "500,000 a second" : "ratio 1.20", 1e6 / good);
    for (std::size_t i = 1; i < sides_.size(); ++i) std::printf(" %.3g |", median(sides_[i].times));
    std::printf(" %s |\n", holds ? "yes" : "no");
    return holds;
  }

 private:
  struct Side {
    Sample sample;
    std::vector<double> times;
  };
  std::string name_;
  Key key_;
  std::unique_ptr<OpenSsl> alone_;
  std::size_t count_;
  std::vector<double> own_;
  std::vector<Side> sides_;
};

std::string signed_text(const Key& key) {
  const std::string token = jwt::sign(claims(600), key).value();
  return token.substr(0, token.rfind('.'));
}

Row secret_row() {
  const std::string secret(32, 's');
  const Key key = Key::secret(Algorithm::hs256, secret, "2026-01");
  return Row("HS256", key, key, std::make_unique<OpenSslHmac>(secret, signed_text(key)), large_batch);
}

Row pair_row(std::string name, Algorithm algorithm, const TokenKey& pair, const EVP_MD* digest) {
  const Key signing = Key::pem(algorithm, pair.private_pem(), "2026-01");
  return Row(std::move(name), signing, Key::pem(algorithm, pair.public_pem(), "2026-01"),
             std::make_unique<OpenSslVerify>(pair, digest, signed_text(signing)), batch);
}

/// Returns whether every bound holds.
bool measure(std::size_t turns) {
  std::vector<Row> rows;
  rows.push_back(secret_row());
  rows.push_back(pair_row("RS256, 2048 bits", Algorithm::rs256, TokenKey::rsa(), EVP_sha256()));
  rows.push_back(pair_row("ES256", Algorithm::es256, TokenKey::ec(NID_X9_62_prime256v1), EVP_sha256()));
  rows.push_back(pair_row("EdDSA", Algorithm::eddsa, TokenKey::ed25519(), nullptr));
  for (std::size_t i = 0; i < turns; ++i) {
    for (Row& row : rows) row.turn();
  }
  std::puts(
      "| algorithm | verify, µs | OpenSSL alone, µs | ratio | bound | a second | signature changed, µs | claims "
      "changed, "
      "µs | expired, µs | cut off, µs | holds |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |");
  bool all = true;
  for (const Row& row : rows) all = row.report() && all;
  return all;
}

int run(int argc, char** argv) {
  std::size_t turns = 21;
  bool check = false;
  for (int i = 1; i < argc; ++i) {
    const std::string_view option = argv[i];
    if (option == "--check") {
      check = true;
    } else if (option == "--turns" && i + 1 < argc) {
      const std::string_view number = argv[++i];
      const auto [end, ec] = std::from_chars(number.data(), number.data() + number.size(), turns);
      if (ec != std::errc() || end != number.data() + number.size() || turns == 0 || turns > 100'000) {
        std::cerr << "--turns " << number << ": must be 1 to 100000\n";
        return 2;
      }
    } else {
      std::cerr << usage;
      return 2;
    }
  }
  return measure(turns) || !check ? 0 : 1;
}

}  // namespace
}  // namespace flux::bench

int main(int argc, char** argv) {
  try {
    return flux::bench::run(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "flux-bench-tokens: " << error.what() << "\n";
    return 2;
  }
}
