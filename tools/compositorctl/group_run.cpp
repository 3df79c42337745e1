#include "tools/compositorctl/group_run.h"

#include <fmt/format.h>

#include "tools/compositorctl/selection.h"
#include "tools/compositorctl/text.h"

namespace compositord::ctl {

namespace {

msg::Value group_params(const Options& options, const msg::Value& params) {
  msg::Value selector = selector_of({options.id}, options.labels);
  if (!options.facts.empty()) selector.set("facts", map_of(options.facts));
  msg::Value group =
      msg::Value::map({{"selector", std::move(selector)}, {"method", options.method}, {"params", params}});
  if (options.batch > 0) group.set("batch", options.batch);
  if (options.max_fail) group.set("max_fail", *options.max_fail);
  return group;
}

// "wall-3/wayland-1  200 done", "wall-4/wayland-1  503 not connected: …", "wall-5/wayland-1  not begun".
std::string row_text(const msg::Value& row) {
  std::string text = text_at(row, "id") + "  ";
  const std::int64_t status = number_at(row, "status");
  text += status == 0 ? "not begun" : fmt::format("{} {}", status, status_name(static_cast<Status>(status)));
  const std::string error = text_at(row, "error");
  return error.empty() ? text : text + ": " + error;
}

Outcome<void> print_row(Session& session, const msg::Value& row) {
  return session.console.print_line(session.options.json ? safe_json(row) : row_text(row));
}

// Those that were begun have been told as they ended. Here are the others.
Outcome<void> print_not_begun(Session& session, const msg::Value& result) {
  const msg::Value* targets = result.find("targets");
  if (targets == nullptr || targets->if_array() == nullptr) return {};
  for (const msg::Value& target : *targets->if_array()) {
    if (number_at(target, "status") != 0) continue;
    const Outcome<void> printed = print_row(session, target);
    if (!printed) return printed;
  }
  return {};
}

}  // namespace

bool is_for_group(const Options& options) noexcept {
  return options.id.find_first_of("*?") != std::string::npos || !options.labels.empty() || !options.facts.empty() ||
         options.batch > 0 || options.max_fail.has_value();
}

Outcome<ExitCode> run_on_group(Session& session, const msg::Value& params) {
  const Options& options = session.options;
  CallOptions call;
  call.deadline = options.deadline.value_or(options.timeout);
  call.on_partial = [&](const msg::Reply& part) { return print_row(session, part.result); };
  const Outcome<msg::Reply> reply = session.bus.call("bus.group", "call", group_params(options, params), call);
  if (!reply) return tl::unexpected<Failure>(reply.error());
  const Outcome<void> printed = print_not_begun(session, reply->result);
  if (!printed) return tl::unexpected<Failure>(printed.error());
  if (reply->result.find("done") == nullptr) {
    session.console.note(safe_lines(status_text(reply->header)));
  } else {
    session.console.note(fmt::format("{} done, {} failed, {} not begun", number_at(reply->result, "done"),
                                     number_at(reply->result, "failed"), number_at(reply->result, "not_begun")));
  }
  return exit_code_of(reply->header.status);
}

}  // namespace compositord::ctl
