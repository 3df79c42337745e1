// What the broker does about its store's file, when that was damaged or is gone.

#include <fmt/format.h>

#include "broker/core/alert_texts.h"
#include "broker/core/broker_core.h"

namespace compositord::broker {

namespace {

constexpr const char* kStoreFile = "store_file";  // in the alert's key: watch_store() ends the alert of "store"

std::string name_of_file(const std::string& path) { return path.substr(path.rfind('/') + 1); }

}  // namespace

void BrokerCore::on(input::StoreFile& file, Instant now, Outputs& out) {
  if (!file.why.empty()) {
    LogEvent event(Severity::kError, "store.set_aside");
    event.with("file", file.set_aside.empty() ? std::string() : file.set_aside.back()).with("why", file.why);
    out.log.push_back(std::move(event));
  }
  watch_set_aside(file, both(now), out);
  if (file.replaced) store_all(now, out);
}

// It stays as long as the files do: somebody is to look at them, and at the disk.
void BrokerCore::watch_set_aside(const input::StoreFile& file, Now now, Outputs& out) {
  if (file.set_aside.empty()) return alerts_.clear(kBusItself, kStoreFile, now, out);
  const std::string& last = file.set_aside.back();
  Fault fault;
  fault.verdict = msg::Verdict::kDown;
  fault.kind = msg::AlertKind::kStoreTrouble;
  fault.text =
      fmt::format("the store's file was damaged: it was set aside as {}, and a new one begun", name_of_file(last));
  if (file.set_aside.size() > 1) fault.text += fmt::format("; {} such files lie there", file.set_aside.size());
  fault.advice = fmt::format(
      "Look at the disk (dmesg, smartctl). What can still be read: sqlite3 {0} .recover. Then move {0}* away or delete "
      "it: "
      "this alert ends within a minute.",
      last);
  const std::string missing =
      "what only that file knows is missing: history, and of a time before this start queued jobs, alerts, silences "
      "and the "
      "manifests of agents that do not come back";
  alerts_.raise(kBusItself, kStoreFile, fault, {}, file.why.empty() ? missing : file.why + "; " + missing, now, out);
}

void BrokerCore::store_all(Instant now, Outputs& out) {
  const std::size_t before = out.store_writes.size();
  compositors_.store_all(out);
  jobs_.store_all(out);
  alerts_.store_all(out);
  store_run(now, out);
  out.log.push_back(LogEvent(Severity::kWarning, "store.begun_anew")
                        .with("records", std::to_string(out.store_writes.size() - before)));
}

}  // namespace compositord::broker
