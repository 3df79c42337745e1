#pragma once
// The management interface of Majordomo. Source: rfc.zeromq.org/spec/8 (8/MMI).

#include "broker/core/majordomo.h"

namespace compositord::broker {

// Answers a request for a service that begins with "mmi.": a frame with a three-digit code, then what was asked for.
//
//   mmi.service    the service's name as the last body frame: 200 when it has a worker or is the bus's own, 404 when not,
//                  400 without a name
//   mmi.workers    the same, with a second frame: the number of its workers in decimal digits
//   mmi.services   a prefix or nothing: 200 and a JSON array of {"service", "workers", "waiting"}, at most 1 000, by name
//   mmi.echo       anything: 200 and the same frames
//   others         501
void answer_mmi(const Client& client, wire::Frames&& body, Majordomo& majordomo, Counters& counters, Outputs& out);

}  // namespace compositord::broker
