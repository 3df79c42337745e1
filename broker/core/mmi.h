#pragma once
// The management interface of Majordomo. Source: rfc.zeromq.org/spec/8 (8/MMI).

#include "broker/core/majordomo.h"

namespace compositord::broker {

// Answers a request for a service that begins with "mmi.": one frame with a three-digit code.
// mmi.service: 200 when the service named in the body has a worker, 404 when not, 400 without a name; others: 501.
void answer_mmi(const Client& client, const wire::Frames& body, Majordomo& majordomo, Outputs& out);

}  // namespace compositord::broker
