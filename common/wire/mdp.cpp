#include "common/wire/mdp.h"

namespace compositord::wire {

namespace {

struct Namer {
  std::string_view operator()(const mdp::ClientRequest&) const { return "REQUEST"; }
  std::string_view operator()(const mdp::ClientReply& m) const { return m.final ? "FINAL" : "PARTIAL"; }
  std::string_view operator()(const mdp::WorkerReady&) const { return "READY"; }
  std::string_view operator()(const mdp::WorkerRequest&) const { return "REQUEST"; }
  std::string_view operator()(const mdp::WorkerReply& m) const { return m.final ? "FINAL" : "PARTIAL"; }
  std::string_view operator()(const mdp::Heartbeat&) const { return "HEARTBEAT"; }
  std::string_view operator()(const mdp::Disconnect&) const { return "DISCONNECT"; }
};

}  // namespace

std::string_view command_name(const ToBroker& message) noexcept { return std::visit(Namer{}, message); }
std::string_view command_name(const FromBroker& message) noexcept { return std::visit(Namer{}, message); }

}  // namespace compositord::wire
