// jobs, job and cancel: calls that were queued, and what became of them.

#include <fmt/format.h>

#include "common/base/clock.h"
#include "tools/compositorctl/session.h"
#include "tools/compositorctl/text.h"

namespace compositord::ctl {

namespace {

constexpr std::size_t kPagesMax = 20'000;  // whoever gives more pages than that is no broker

std::string age_at(const msg::Value& job, std::string_view key) {
  const std::int64_t at = number_at(job, key);
  return at == 0 ? "" : age_text(unix_now().ms - at);
}

Colour colour_of_job(const msg::Value& job) {
  const std::int64_t status = number_at(job, "status");
  if (status == 0) return Colour::kNone;
  return is_success(static_cast<Status>(status)) ? Colour::kGreen : Colour::kRed;
}

// A job as JSON, or in lines.
Outcome<ExitCode> show(Session& session, const msg::Value& job) {
  if (session.options.json) {
    return done(session.console.print_line(safe_json(job, 2)));
  }
  std::string text;
  const auto line = [&](std::string_view name, const std::string& value) {
    if (!value.empty()) text += fmt::format("{:<10}{}\n", name, value);
  };
  line("job", text_at(job, "job"));
  line("service", text_at(job, "service"));
  line("method", text_at(job, "method"));
  line("state", text_at(job, "state"));
  line("guarantee", text_at(job, "guarantee"));
  line("attempts", std::to_string(number_at(job, "attempts")));
  line("created", time_text(UnixMs{number_at(job, "created_at")}));
  line("expires", time_text(UnixMs{number_at(job, "expires_at")}));
  if (const std::int64_t status = number_at(job, "status"); status != 0) {
    line("ended", time_text(UnixMs{number_at(job, "ended_at")}));
    line("status", fmt::format("{} {}", status, status_name(static_cast<Status>(status))));
  }
  line("error", text_at(job, "error"));
  if (const msg::Value* result = job.find("result")) line("result", safe_json(*result));
  return done(session.console.print(text));
}

Outcome<ExitCode> ask_and_show(Session& session, const std::string& method) {
  const Outcome<msg::Value> job = session.bus.ask("bus.job", method, msg::Value::map({{"job", session.options.job}}));
  if (!job) return tl::unexpected<Failure>(job.error());
  return show(session, *job);
}

}  // namespace

Outcome<ExitCode> run_jobs(Session& session) {
  Table table({"JOB", "STATE", "STATUS", "SERVICE", "METHOD", "ATTEMPTS", "AGE"});
  msg::Value all = msg::Value::array();
  msg::Value params = msg::Value::map();
  for (std::size_t page = 0; page < kPagesMax; ++page) {
    const Outcome<msg::Value> result = session.bus.ask("bus.job", "list", params);
    if (!result) return tl::unexpected<Failure>(result.error());
    const msg::Value* jobs = result->find("jobs");
    if (jobs == nullptr || jobs->if_array() == nullptr) {
      return give_up(ExitCode::kLocal, "bus.job list: jobs: an array expected");
    }
    for (const msg::Value& job : *jobs->if_array()) {
      const std::int64_t status = number_at(job, "status");
      table.add({{text_at(job, "job")},
                 {text_at(job, "state")},
                 {status == 0 ? "" : std::to_string(status), colour_of_job(job)},
                 {text_at(job, "service")},
                 {text_at(job, "method")},
                 {std::to_string(number_at(job, "attempts"))},
                 {age_at(job, "created_at")}});
      all.push(job);
    }
    const msg::Value* next = result->find("next");
    if (next == nullptr || !next->is_string()) break;
    params = msg::Value::map({{"after", *next}});
  }
  const bool none = all.if_array()->empty();
  const Outcome<void> printed = session.console.print(session.options.json ? safe_json(all, 2) + '\n'
                                                      : none               ? std::string()
                                                             : table.to_text(session.console.is_terminal()));
  if (!printed) return tl::unexpected<Failure>(printed.error());
  if (none && !session.options.json) session.console.note("nothing was queued (compositorctl run --queue does that)");
  return ExitCode::kDone;
}

Outcome<ExitCode> run_job(Session& session) { return ask_and_show(session, "get"); }

Outcome<ExitCode> run_cancel(Session& session) { return ask_and_show(session, "cancel"); }

}  // namespace compositord::ctl
