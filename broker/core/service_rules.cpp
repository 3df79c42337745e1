#include "broker/core/service_rules.h"

#include "common/base/glob.h"

namespace compositord::broker {

ServiceTerms terms_of(std::span<const ServiceRule> rules, std::string_view service, ServiceTerms otherwise) {
  for (const ServiceRule& rule : rules) {
    if (!glob_matches(rule.match, service)) continue;
    return ServiceTerms{rule.credit.value_or(otherwise.credit), rule.idempotent.value_or(otherwise.idempotent)};
  }
  return otherwise;
}

}  // namespace compositord::broker
