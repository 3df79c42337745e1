#include "tools/compositorctl/run_command.h"

#include <algorithm>
#include <vector>

#include <fmt/format.h>

#include "tools/compositorctl/fleet.h"
#include "tools/compositorctl/group_run.h"
#include "tools/compositorctl/run_arguments.h"
#include "tools/compositorctl/session.h"
#include "tools/compositorctl/text.h"

namespace compositord::ctl {

namespace {

// A field's value in few words.
std::string field_text(const msg::Value* value) {
  if (value == nullptr || value->is_null()) return "none";
  if (const std::string* text = value->if_string()) return safe_text(*text);
  if (const double* number = value->if_double()) return number_text(*number);
  if (value->find("width_px") != nullptr) {
    if (const Result<msg::Mode> mode = msg::from_value<msg::Mode>(*value)) return mode_text(*mode);
  }
  return safe_json(*value);
}

struct Difference {
  std::string key;
  std::string before;
  std::string after;
};

std::vector<Difference> differences(const msg::Value& before, const msg::Value& after) {
  std::vector<std::string> keys;
  for (const msg::Value* side : {&before, &after}) {
    for (const auto& entry : *side->if_map()) {
      if (std::find(keys.begin(), keys.end(), entry.first) == keys.end()) keys.push_back(entry.first);
    }
  }
  std::vector<Difference> found;
  for (const std::string& key : keys) {
    const msg::Value* a = before.find(key);
    const msg::Value* b = after.find(key);
    const bool same = a != nullptr && b != nullptr && *a == *b;
    if (!same) found.push_back({key, field_text(a), field_text(b)});
  }
  return found;
}

// Of a call that was queued: what to ask for, and what to expect.
std::string queued_text(const msg::Value& queued) {
  const bool once = text_at(queued, "guarantee") != "at_least_once";
  return fmt::format("queued as {}: runs {}, and not after {}\n", text_at(queued, "job"),
                     once ? "at most once" : "at least once", time_text(UnixMs{number_at(queued, "expires_at")}));
}

Outcome<ExitCode> check_manifest(Session& session) {
  const Options& options = session.options;
  Outcome<std::optional<KnownManifest>> known = fetch_manifest(session.bus, options.id);
  if (!known) return tl::unexpected<Failure>(std::move(known.error()));
  // Without a manifest the agent itself will say what it can't do.
  if (!*known) return ExitCode::kDone;
  std::optional<Failure> refused = objection((*known)->manifest, options.id, options.method);
  if (!refused) return ExitCode::kDone;
  refused->hints.push_back(fmt::format("it was not sent (the manifest is {} old; --force sends it all the same)",
                                       age_text((*known)->freshness.age_ms)));
  return tl::unexpected<Failure>(std::move(*refused));
}

std::string change_text(const msg::Value& before, const msg::Value& after) {
  const std::string name = after.find("name") == nullptr ? "" : field_text(after.find("name")) + ": ";
  std::string text;
  for (const Difference& difference : differences(before, after)) {
    text += fmt::format("{}{} {} → {}\n", name, safe_text(difference.key), difference.before, difference.after);
  }
  return text.empty() ? name + "nothing changed: before and after are the same\n" : text;
}

CallOptions call_options(const Options& options) {
  CallOptions call;
  call.deadline = options.deadline.value_or(options.timeout);
  if (options.idem) call.idem.emplace(*options.idem);
  call.queue = options.queue;
  call.ttl = options.ttl;
  call.idempotent = options.idempotent;
  return call;
}

}  // namespace

std::optional<Failure> objection(const msg::Manifest& manifest, const std::string& id, const std::string& command) {
  std::vector<std::string> names;
  for (const msg::CommandSupport& known : manifest.commands) {
    names.push_back(known.name);
    if (known.name != command) continue;
    if (known.supported) return std::nullopt;
    return Failure{ExitCode::kUnsupported,
                   fmt::format("{} does not support {}: {}", id, command,
                               known.reason.empty() ? "it gives no reason" : known.reason),
                   {}};
  }
  const std::vector<std::string> near = nearest(command, names, 1);
  std::string text = fmt::format("{} has no command \"{}\"", id, command);
  if (!near.empty()) text += fmt::format(": did you mean {}?", near.front());
  text += names.empty() ? " It has none" : fmt::format(" It has {}", fmt::join(names, ", "));
  return Failure{ExitCode::kRefused, std::move(text), {}};
}

std::string result_text(const msg::Value& result) {
  const msg::Value* before = result.find("before");
  const msg::Value* after = result.find("after");
  if (before != nullptr && after != nullptr) {
    if (before->is_map() && after->is_map()) return change_text(*before, *after);
    const msg::Value::Array* befores = before->if_array();  // of output.configure, in the same order
    const msg::Value::Array* afters = after->if_array();
    if (befores != nullptr && afters != nullptr && befores->size() == afters->size()) {
      std::string text;
      for (std::size_t i = 0; i < befores->size(); ++i) text += change_text((*befores)[i], (*afters)[i]);
      return text;
    }
  }
  const bool empty = result.is_map() && result.if_map()->empty();
  return empty ? std::string() : safe_json(result, 2) + '\n';
}

Outcome<ExitCode> run_run(Session& session) {
  const Options& options = session.options;
  Result<msg::Value> params = parse_run_arguments(options.method, options.arguments);
  if (!params) return give_up(ExitCode::kUsage, params.error().text);
  if (options.confirm_within) params->set("confirm_within_ms", to_ms(*options.confirm_within));
  if ((options.ttl || options.idempotent) && !options.queue) {
    return give_up(ExitCode::kUsage, "--ttl and --idempotent say how --queue is meant: give that, too");
  }
  if (is_for_group(options)) {
    if (!options.queue && !options.idem && !options.force) return run_on_group(session, *params);
    return give_up(ExitCode::kUsage, "--queue, --idem and --force are for one compositor, not for a pattern");
  }
  if (!options.force) {
    Outcome<ExitCode> checked = check_manifest(session);
    if (!checked) return checked;
  }
  const Outcome<msg::Reply> reply =
      session.bus.call("compositor/" + options.id, options.method, *params, call_options(options));
  if (!reply) return tl::unexpected<Failure>(reply.error());
  const ExitCode code = exit_code_of(reply->header.status);
  msg::Value whole = to_value(reply->header);
  whole.set("result", reply->result);
  const bool queued = reply->header.status == to_number(Status::kQueued);
  const Outcome<void> printed = session.console.print(options.json ? safe_json(whole, 2) + '\n'
                                                      : queued     ? queued_text(reply->result)
                                                                   : result_text(reply->result));
  if (!printed) return tl::unexpected<Failure>(printed.error());
  if (code != ExitCode::kDone) session.console.note(safe_lines(status_text(reply->header)));
  if (const msg::Value* within = reply->result.find("confirm_within_ms");
      within != nullptr && within->if_int() != nullptr) {
    session.console.note(
        fmt::format("it is taken back in {} unless you confirm it: compositorctl run {} output.confirm",
                    age_text(*within->if_int()), safe_text(options.id)));
  }
  return code;
}

}  // namespace compositord::ctl
