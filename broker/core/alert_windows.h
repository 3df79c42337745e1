#pragma once
// The silences and the maintenance windows. Source: schemas/PROTOCOL.md "Alerts".

#include <map>
#include <string>
#include <vector>

#include "broker/core/outputs.h"
#include "broker/core/record.h"
#include "broker/core/selector.h"
#include "common/msg/alert.h"
#include "common/msg/alert_window.h"

namespace compositord::broker {

class AlertWindows {
 public:
  AlertWindows(CommitIds& commit_ids, std::uint64_t epoch) : commit_ids_(commit_ids), epoch_(epoch) {}

  // What the store remembered; what can't be read is logged and left alone.
  void load(const std::vector<WindowRecord>& records, UnixMs now, Outputs& out);

  struct Added {
    std::string window;
    std::uint64_t commit_id = 0;
  };
  // `window` without its id. Errors: kMalformed of a selector or times that make no sense, kLimit.
  Result<Added> add(msg::AlertWindow window, UnixMs now, Outputs& out);
  // Ends it now. Returns the commit to wait for. Errors: kNotFound: never, or over already; kConflict: of the other kind.
  Result<std::uint64_t> end(const std::string& window, msg::WindowKind kind, Outputs& out);
  // Forgets those that are over. True: some window began or ended since the last call, so that things are to be judged anew.
  [[nodiscard]] bool advance(UnixMs now, Outputs& out);
  // When the next one begins or ends: `now` when advance() was not told of it yet; the greatest time when none does.
  UnixMs next_change(UnixMs now) const;

  // The silence that keeps this alert from people, or empty.
  std::string silence_for(const msg::Alert& alert, UnixMs now) const;
  // The maintenance that the compositor is in, or nullptr.
  const msg::AlertWindow* maintenance_for(const std::string& id, const std::map<std::string, std::string>& labels,
                                          UnixMs now) const;
  // In the order of their ids.
  std::vector<const msg::AlertWindow*> list(msg::WindowKind kind) const;
  void store_all(Outputs& out);

 private:
  struct Entry {
    msg::AlertWindow window;
    Selector selector;
    bool active = false;  // as of the last advance()
  };
  std::uint64_t store(const msg::AlertWindow& window, bool erased, Outputs& out);

  CommitIds& commit_ids_;
  std::map<std::string, Entry> windows_;
  std::uint64_t epoch_;
  std::uint64_t last_number_ = 0;
  bool changed_ = false;  // since the last advance()
};

}  // namespace compositord::broker
