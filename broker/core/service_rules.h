#pragma once
// What the workers of a service get without asking: by configuration, for patterns of service names.

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace compositord::broker {

struct ServiceRule {
  std::string match;               // see common/base/glob.h
  std::optional<int> credit;       // 1 … 1024
  std::optional<bool> idempotent;  // what a dead worker did not answer may be done again by another
  friend bool operator==(const ServiceRule&, const ServiceRule&) = default;
};

// What holds for the workers of one service.
struct ServiceTerms {
  int credit = 1;
  bool idempotent = false;
};

// The first rule whose pattern matches applies; what it does not say is `otherwise`.
ServiceTerms terms_of(std::span<const ServiceRule> rules, std::string_view service, ServiceTerms otherwise);

}  // namespace compositord::broker
