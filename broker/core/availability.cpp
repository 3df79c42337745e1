#include "broker/core/availability.h"

#include <algorithm>
#include <map>
#include <utility>

namespace compositord::broker {

namespace {

// From `at` until the next one's it was like this; without a change nothing is known, and `reason` says why.
struct Moment {
  UnixMs at;
  const StatusChange* change = nullptr;
  std::string reason;
};

bool is_planned(const StatusChange& change) {
  if (change.verdict != msg::Verdict::kDegraded || !change.layer.starts_with("output/")) return false;
  const auto is_dark_as_planned = [](const OutputChange& o) { return o.planned; };
  const auto is_well = [](const OutputChange& o) { return o.planned || o.state == msg::OutputState::kOn; };
  return std::any_of(change.outputs.begin(), change.outputs.end(), is_dark_as_planned) &&
         std::all_of(change.outputs.begin(), change.outputs.end(), is_well);
}

Standing standing_of(const Moment& moment) {
  if (moment.change == nullptr) return Standing::kUnknown;
  if (is_planned(*moment.change)) return Standing::kPlanned;
  switch (moment.change->verdict) {
    case msg::Verdict::kOk: return Standing::kOk;
    case msg::Verdict::kDegraded: return Standing::kDegraded;
    case msg::Verdict::kDown: return Standing::kDown;
    case msg::Verdict::kMaintenance: return Standing::kMaintenance;
    case msg::Verdict::kUnknown: break;
  }
  return Standing::kUnknown;
}

// An output's own state counts only while the compositor is there to show it.
Standing standing_of(const Moment& moment, const OutputChange& output) {
  const Standing whole = standing_of(moment);
  if (whole == Standing::kMaintenance || whole == Standing::kUnknown || whole == Standing::kDown) return whole;
  if (output.planned) return Standing::kPlanned;
  switch (output.state) {
    case msg::OutputState::kOn: return Standing::kOk;
    case msg::OutputState::kOff:
    case msg::OutputState::kDisconnected: return Standing::kDown;
    case msg::OutputState::kUnknown: break;
  }
  return Standing::kUnknown;
}

// The runs that matter, also those of which only changes are left, with the time until which each is known to have lived.
std::map<std::uint64_t, BrokerRun> complete_runs(const std::vector<StatusChange>& changes,
                                                 const std::vector<BrokerRun>& runs, std::uint64_t epoch,
                                                 UnixMs until) {
  std::map<std::uint64_t, BrokerRun> all;
  for (const BrokerRun& run : runs) all.emplace(run.epoch, run);
  for (const StatusChange& change : changes) {
    BrokerRun seen;
    seen.epoch = change.epoch;
    seen.started_at = seen.alive_at = change.at;
    BrokerRun& run = all.emplace(change.epoch, seen).first->second;
    run.started_at = std::min(run.started_at, change.at);
    run.alive_at = std::max(run.alive_at, change.at);
  }
  if (const auto present = all.find(epoch); present != all.end()) present->second.alive_at = until;
  return all;
}

// In the order of time. A calendar that jumped back is taken for one that stood still.
std::vector<Moment> moments_of(const std::vector<StatusChange>& changes, const std::vector<BrokerRun>& runs,
                               std::uint64_t epoch, UnixMs until) {
  std::vector<Moment> moments;
  std::size_t next = 0;
  const auto add = [&](UnixMs at, const StatusChange* change, std::string reason) {
    if (!moments.empty()) at = std::max(at, moments.back().at);
    moments.push_back({at, change, std::move(reason)});
  };
  for (const auto& [number, run] : complete_runs(changes, runs, epoch, until)) {
    add(run.started_at, nullptr, "the broker had just started");
    for (; next < changes.size() && changes[next].epoch <= number; ++next) add(changes[next].at, &changes[next], {});
    if (number != epoch) add(run.alive_at, nullptr, "the broker was not running");
  }
  return moments;
}

int badness(Standing standing) { return standing == Standing::kDown ? 2 : standing == Standing::kUnknown ? 1 : 0; }

bool is_outage(Standing standing) {
  return standing == Standing::kDown || standing == Standing::kDegraded || standing == Standing::kUnknown;
}

class Adder {
 public:
  Adder(UnixMs since, UnixMs until) : since_(since), until_(until) { out_.since = since; }

  // From `moment` to `end` it was so.
  void add(const Moment& moment, UnixMs end) {
    const UnixMs from = std::max(moment.at, since_);
    const UnixMs to = std::min(end, until_);
    if (from >= to) return;
    const Standing standing = standing_of(moment);
    out_.time.add(standing, to.ms - from.ms);
    if (moment.change == nullptr) {
      for (auto& output : outputs_) output.second.add(Standing::kUnknown, to.ms - from.ms);
    } else {
      for (const OutputChange& output : moment.change->outputs) {
        outputs_[output.name].add(standing_of(moment, output), to.ms - from.ms);
      }
    }
    add_outage(moment, standing, from, to);
  }

  Availability take() {
    for (auto& [name, time] : outputs_) out_.outputs.push_back({name, time});
    return std::move(out_);
  }

 private:
  void add_outage(const Moment& moment, Standing standing, UnixMs from, UnixMs to) {
    if (!is_outage(standing)) return;
    // What nobody saw is an outage of its own, with the time until something is known again.
    const bool unseen = moment.change == nullptr;
    const bool follows = !out_.outages.empty() && out_.outages.back().until == from;
    const bool joins = follows && (unseen_ ? standing == Standing::kUnknown : !unseen);
    if (!joins) {
      unseen_ = unseen;
      Outage outage;
      outage.from = from;
      outage.began_before = moment.at < since_;
      outage.worst = standing;
      outage.layer = moment.change != nullptr ? moment.change->layer : "link";
      outage.reason = moment.change != nullptr ? moment.change->reason : moment.reason;
      out_.outages.push_back(std::move(outage));
    }
    Outage& outage = out_.outages.back();
    outage.until = to;
    outage.goes_on = to == until_;
    if (badness(standing) > badness(outage.worst)) outage.worst = standing;
  }

  UnixMs since_;
  UnixMs until_;
  Availability out_;
  bool unseen_ = false;  // the last outage began so
  std::map<std::string, TimeShares> outputs_;
};

}  // namespace

std::optional<double> TimeShares::ok_share() const {
  const std::int64_t known = of(Standing::kOk) + of(Standing::kDegraded) + of(Standing::kDown);
  if (known <= 0) return std::nullopt;
  return static_cast<double>(of(Standing::kOk)) / static_cast<double>(known);
}

Availability availability_of(const std::vector<StatusChange>& changes, const std::vector<BrokerRun>& runs,
                             std::uint64_t epoch, UnixMs since, UnixMs until) {
  if (changes.empty()) {
    Availability nothing;
    nothing.since = until;
    return nothing;
  }
  UnixMs first = changes.front().at;
  for (const StatusChange& change : changes) first = std::min(first, change.at);
  const UnixMs begin = std::min(std::max(since, first), until);
  Adder adder(begin, until);
  const std::vector<Moment> moments = moments_of(changes, runs, epoch, until);
  for (std::size_t i = 0; i < moments.size(); ++i) {
    adder.add(moments[i], i + 1 < moments.size() ? moments[i + 1].at : until);
  }
  return adder.take();
}

}  // namespace compositord::broker
