#include "broker/reload.h"

#include <algorithm>
#include <utility>

#include "broker/config/catalogue.h"
#include "broker/config/config_update.h"
#include "common/msg/value.h"

namespace compositord::broker {

namespace {

// What is in force, and a file that may say otherwise.
class ConfigFile {
 public:
  ConfigFile(Options options, Config running) : options_(std::move(options)), running_(std::move(running)) {}

  Result<ConfigReloader::Read> read() {
    if (options_.config_file.empty()) {
      return fail(Status::kConflict, "the broker was started without --config: there is no file to read again");
    }
    const Result<Config> wanted = configure(options_);
    if (!wanted) return fail(Status::kFailed, wanted.error().text);
    ConfigUpdate update = update_config(running_, *wanted);
    ConfigReloader::Read read;
    read.log = take_catalogue(update.config);
    const auto has_applied = [&](std::string_view key) {
      return std::find(update.applied.begin(), update.applied.end(), key) != update.applied.end();
    };
    // Its file may say something else under the same name.
    if (update.config.core.catalogue != running_.core.catalogue && !has_applied("catalogue")) {
      update.applied.emplace_back("catalogue");
    }
    if (has_applied("notify")) {
      Result<std::unique_ptr<Notifiers>> notifiers = start_notifiers(update.config);
      if (!notifiers) return fail(Status::kFailed, notifiers.error().text);
      read.notifiers_changed = true;
      read.notifiers = std::move(*notifiers);
    }
    running_ = std::move(update.config);
    read.taken = {running_.core, std::move(update.applied), std::move(update.restart)};
    return read;
  }

 private:
  const Options options_;
  Config running_;
};

}  // namespace

Result<std::unique_ptr<Notifiers>> start_notifiers(const Config& config) {
  if (config.notify.empty()) return nullptr;
  return Notifiers::start(config.notify, config.state_dir);
}

std::vector<LogEvent> take_catalogue(Config& config) {
  Catalogue catalogue = load_catalogue(config.catalogue);
  config.core.catalogue = msg::encode_canonical(msg::Value(std::move(catalogue.entries)));
  config.core.catalogue_refused = catalogue.faults.size();
  std::vector<LogEvent> refused;
  for (const CatalogueFault& fault : catalogue.faults) {
    refused.push_back(
        LogEvent(Severity::kWarning, "catalogue.refused").with("place", fault.place).with("why", fault.why));
  }
  return refused;
}

ConfigReloader::Reader config_reader(const Options& options, Config running) {
  const auto file = std::make_shared<ConfigFile>(options, std::move(running));
  return [file] { return file->read(); };
}

}  // namespace compositord::broker
