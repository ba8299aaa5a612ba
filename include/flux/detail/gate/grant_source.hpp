// What a grant was given for, which may be changed or withdrawn later.
#pragma once

#include <flux/grant.hpp>

#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace flux::gate {

/// An API key, as it was when the grant was given. Each copy of the grant keeps it, also one that the application has
/// changed. So whatever a client waits for, its grant can be checked when it takes effect.
/// Threading: any thread.
class GrantSource {
 public:
  GrantSource() = default;
  GrantSource(const GrantSource&) = delete;
  GrantSource& operator=(const GrantSource&) = delete;
  virtual ~GrantSource() = default;

  /// The reason if it no longer grants what it did.
  virtual std::optional<std::string> refusal() const = 0;

  /// Null: the grant has none, which is so for those of tokens and of the application.
  static const std::shared_ptr<const GrantSource>& of(const Grant& grant) noexcept { return grant.source_; }
  static void set(Grant& grant, std::shared_ptr<const GrantSource> source) { grant.source_ = std::move(source); }
};

}  // namespace flux::gate
