#pragma once
// History records and rows in a trace: as arrays of their members in order, like the records in trace_format.cpp.

#include "broker/core/store_query.h"
#include "common/msg/value.h"

namespace compositord::broker {

msg::Value trace_value(const ManifestRevision& revision);
msg::Value trace_value(const StatusChange& change);
msg::Value trace_value(const BrokerRun& run);
msg::Value trace_value(const StoreRows& rows);
msg::Value trace_value(const StoreQuery& query);

// False when it is not what trace_value() makes of rows.
bool read_trace_value(const msg::Value& value, StoreRows& rows);

}  // namespace compositord::broker
