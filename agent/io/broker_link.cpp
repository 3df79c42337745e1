#include "agent/io/broker_link.h"

namespace compositord::agent {

Result<BrokerLink> BrokerLink::open(net::ZmqContext& context, const std::string& endpoint) {
  BrokerLink link;
  link.bus_ = std::make_unique<net::Dealer>(context, wire::MessageLimits{});
  link.monitor_ =
      std::make_unique<net::ConnectionMonitor>(context, *link.bus_);  // before connect: it must see CONNECTED
  const Result<void> connected = link.bus_->connect(endpoint);
  if (!connected) return tl::unexpected<Error>(connected.error());
  return link;
}

}  // namespace compositord::agent
