#pragma once
// Titanic: store and forward for plain Majordomo clients, on the same machinery as jobs.
// Source: rfc.zeromq.org/spec/9 (9/TSP).
//
//   titanic.request  [service][body…]  ->  "200" [uuid]         kept on disk; 32 hex digits
//   titanic.reply    [uuid]            ->  "200" [body…]        the worker's answer
//                                          "300"                not yet
//                                          "400"                no such request
//                                          "500" [sentence]     it ended without an answer
//   titanic.close    [uuid]            ->  "200"                forgotten, also when it was not known
//                                          "300"                it has not ended; it is kept
//   anything that can't be read        ->  "400"; a limit or the disk -> "500" [sentence]

#include <string_view>

#include "broker/core/jobs.h"

namespace compositord::broker {

inline constexpr std::string_view kTitanicPrefix = "titanic.";

void answer_titanic(const Client& client, wire::Frames&& body, const BrokerConfig& config, Jobs& jobs, Now now,
                    Counters& counters, Outputs& out);

}  // namespace compositord::broker
