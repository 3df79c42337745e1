#include "broker/core/mmi.h"

#include "broker/core/bus_services.h"
#include "common/wire/mdp_codec.h"

namespace compositord::broker {

void answer_mmi(const Client& client, const wire::Frames& body, Majordomo& majordomo, Outputs& out) {
  // 8/MMI: "200 Success, 400 Service name missing, 404 Service not registered, 501 Not implemented".
  std::string code = "501";
  if (client.service == "mmi.service") {
    if (body.empty() || body.back().empty()) {
      code = "400";
    } else {
      const bool there = majordomo.has_workers(body.back()) || is_bus_service(body.back());
      code = there ? "200" : "404";
    }
  }
  wire::mdp::ClientReply reply{true, client.service, {code}};
  out.sends.push_back(Send{client.peer, wire::serialize(client.dialect, std::move(reply))});
}

}  // namespace compositord::broker
