#include "broker/core/counters.h"

namespace compositord::broker {

msg::Value to_value(const Counters& c) {
  return msg::Value::map({{"messages_received", c.messages_received},
                          {"requests_received", c.requests_received},
                          {"readies_received", c.readies_received},
                          {"partials_received", c.partials_received},
                          {"finals_received", c.finals_received},
                          {"heartbeats_received", c.heartbeats_received},
                          {"disconnects_received", c.disconnects_received},
                          {"partials_sent", c.partials_sent},
                          {"finals_sent", c.finals_sent},
                          {"heartbeats_sent", c.heartbeats_sent},
                          {"disconnects_sent", c.disconnects_sent},
                          {"messages_malformed", c.messages_malformed},
                          {"messages_too_large", c.messages_too_large},
                          {"commands_unexpected", c.commands_unexpected},
                          {"sends_failed", c.sends_failed},
                          {"feed_messages_malformed", c.feed_messages_malformed},
                          {"feed_published", c.feed_published},
                          {"requests_routed", c.requests_routed},
                          {"requests_refused", c.requests_refused},
                          {"requests_expired", c.requests_expired},
                          {"requests_orphaned", c.requests_orphaned},
                          {"requests_retried", c.requests_retried},
                          {"replies_late", c.replies_late},
                          {"partials_dropped", c.partials_dropped},
                          {"jobs_queued", c.jobs_queued},
                          {"jobs_retried", c.jobs_retried},
                          {"jobs_expired", c.jobs_expired},
                          {"jobs_ended", c.jobs_ended},
                          {"idem_repeated", c.idem_repeated},
                          {"group_calls", c.group_calls},
                          {"agents_registered", c.agents_registered},
                          {"agents_lost", c.agents_lost},
                          {"agents_taken_over", c.agents_taken_over},
                          {"workers_registered", c.workers_registered},
                          {"workers_ready", c.workers_ready},
                          {"workers_lost", c.workers_lost},
                          {"store_failures", c.store_failures},
                          {"log_events_suppressed", c.log_events_suppressed},
                          {"stalls", c.stalls}});
}

}  // namespace compositord::broker
