// Agents that are lost together: one alert of their host, their site, or the fleet, and not one of each.
// Source: schemas/PROTOCOL.md "Alerts".

#include <algorithm>

#include <fmt/format.h>

#include "broker/core/alert_engine.h"

namespace compositord::broker {

namespace {

constexpr std::string_view kFleet = "@fleet";
constexpr std::string_view kSite = "@site/";
constexpr std::string_view kHost = "@host/";

// Within what is promised: 0.1 s from the end of an agent's process to its alert, of which 60 ms may be heartbeat.disconnect_grace.
constexpr Duration kAloneWait = std::chrono::milliseconds(25);

std::string host_of(const std::string& id) { return id.substr(0, id.find('/')); }

std::string group_text(const std::string& group) {
  if (group == kFleet) return "the fleet";
  if (group.starts_with(kSite)) return "site " + group.substr(kSite.size());
  return "host " + group.substr(kHost.size());
}

}  // namespace

std::string AlertEngine::site_of(const std::map<std::string, std::string>& labels) const {
  const auto label = labels.find(config_.site_label);
  return label == labels.end() ? std::string(kFleet) : std::string(kSite) + label->second;
}

void AlertEngine::note_link(const msg::Status& status) {
  const std::string site = site_of(status.labels);
  const auto [it, made] = site_by_agent_.try_emplace(status.id, site);
  if (made) {
    ++sites_[site].agents;
  } else if (it->second != site) {
    Site& before = sites_[it->second];
    --before.agents;
    before.silent.erase(status.id);
    const bool was_pending = before.pending.erase(status.id) > 0;
    if (before.agents == 0) sites_.erase(it->second);
    it->second = site;
    ++sites_[site].agents;
    if (was_pending) sites_[site].pending.insert(status.id);
  }
  if (is_being_lost(status)) {
    sites_[site].silent.insert(status.id);
  } else {
    sites_[site].silent.erase(status.id);
  }
}

bool AlertEngine::is_being_lost(const msg::Status& status) const {
  if (status.link.state != msg::Link::kLost) return status.link.state == msg::Link::kSuspect;
  const auto it = tracks_.find(Key{status.id, "agent"});
  if (it == tracks_.end() || it->second.phase == Phase::kClear) return true;
  return it->second.phase == Phase::kPending && it->second.due != kNever;
}

// An agent among others that are silent waits for what becomes of them. One that is lost alone waits a little: connections that
// close together are seen one after the other.
Duration AlertEngine::group_wait_of(const std::string& id, const std::map<std::string, std::string>& labels) const {
  const auto site = sites_.find(site_of(labels));
  if (site == sites_.end()) return Duration{};
  const std::set<std::string>& silent = site->second.silent;
  const std::size_t others = silent.size() - silent.count(id);
  return others > 0 ? config_.group_wait : std::min(config_.group_wait, kAloneWait);
}

bool AlertEngine::join_group(const Key& key, Track& track, Now now, Outputs& out) {
  const std::string site_name = site_by_agent_[key.first];
  const std::string host = std::string(kHost) + host_of(key.first);
  for (const std::string& group : {host, site_name}) {
    if (!members_.contains(group)) continue;
    track.group = group;
    add_member(group, key.first, now);
    return true;
  }
  std::set<std::string> pending = sites_[site_name].pending;
  pending.insert(key.first);
  // Whoever has more time to come back than these is left alone.
  std::erase_if(pending, [&](const std::string& id) {
    return id != key.first && tracks_.at(Key{id, "agent"}).due > now.instant + config_.group_wait;
  });
  const bool one_host = std::all_of(pending.begin(), pending.end(),
                                    [&](const std::string& id) { return host_of(id) == host_of(key.first); });
  const std::string group = one_host ? host : site_name;
  if (!rule_for(msg::AlertKind::kAgentsLost, group).enabled) return false;
  // The whole of a host is one thing even when it drives two displays only.
  const bool whole_host = one_host && pending.size() >= 2 && pending.size() == agents_of(host);
  if (!whole_host && pending.size() < static_cast<std::size_t>(config_.group_min)) return false;
  const Fault fault{"link", msg::Verdict::kUnknown, {}, msg::AlertKind::kAgentsLost};
  std::map<std::string, std::string> labels;
  if (const auto label = track.labels.find(config_.site_label); label != track.labels.end()) labels.insert(*label);
  members_[group] = {};
  for (const std::string& id : pending) add_member(group, id, now);
  found(Key{group, "agent"}, fault, labels, {}, now, out);
  return true;
}

void AlertEngine::add_member(const std::string& group, const std::string& id, Now now) {
  const Key key{id, "agent"};
  Track& track = tracks_.at(key);
  Site& site = sites_[site_by_agent_[id]];
  site.pending.erase(id);
  site.silent.erase(id);
  track.phase = Phase::kInGroup;
  track.group = group;
  set_due(key, track, kNever);
  members_[group].insert(id);
  const auto it = tracks_.find(Key{group, "agent"});
  if (it == tracks_.end() || !it->second.life || it->second.dirty) return;
  it->second.dirty = true;
  set_due(it->first, it->second, now.instant + config_.group_interval);
}

void AlertEngine::leave_group(const std::string& group, const std::string& id, Now now, Outputs& out) {
  const auto members = members_.find(group);
  if (members == members_.end()) return;
  members->second.erase(id);
  const auto it = tracks_.find(Key{group, "agent"});
  if (it == tracks_.end()) return;
  if (members->second.empty()) {
    gone(it->first, now, out);
    members_.erase(group);
    return;
  }
  if (it->second.dirty) return;
  it->second.dirty = true;
  set_due(it->first, it->second, now.instant + config_.group_interval);
}

std::size_t AlertEngine::agents_of(const std::string& group) const {
  if (!group.starts_with(kHost)) {
    const auto site = sites_.find(group);
    return site == sites_.end() ? 0 : site->second.agents;
  }
  const std::string prefix = group.substr(kHost.size()) + "/";
  std::size_t agents = 0;
  for (auto it = site_by_agent_.lower_bound(prefix); it != site_by_agent_.end() && it->first.starts_with(prefix);
       ++it) {
    ++agents;
  }
  return agents;
}

void AlertEngine::describe_group(const std::string& group, Track& track) {
  const std::set<std::string>& members = members_[group];
  msg::Alert& alert = track.life->alert;
  alert.member_count = members.size();
  alert.members.clear();
  for (const std::string& member : members) {
    if (alert.members.size() < msg::kAlertMembersMax) alert.members.push_back(member);
  }
  if (members.empty()) return;
  alert.text = fmt::format("{} of {} agents of {} are lost", members.size(), agents_of(group), group_text(group));
  alert.seen = fmt::format("they were lost together; the first is {}", *members.begin());
}

}  // namespace compositord::broker
