#pragma once
// What main() makes of a configuration, at the start and when it is read again.

#include <memory>
#include <vector>

#include "broker/io/config_reloader.h"
#include "broker/notify/notifiers.h"
#include "broker/options.h"
#include "common/base/log_event.h"
#include "common/base/result.h"

namespace compositord::broker {

// Nothing when nobody is to be told.
Result<std::unique_ptr<Notifiers>> start_notifiers(const Config& config);

// The kinds of compositor that are known. What is wrong with the operator's file is counted, and returned to be logged.
std::vector<LogEvent> take_catalogue(Config& config);

// Reads what `options` name again; `running` is what the broker was started with, its endpoints bound.
ConfigReloader::Reader config_reader(const Options& options, Config running);

}  // namespace compositord::broker
