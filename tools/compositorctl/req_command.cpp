// req: any call, and its whole reply.

#include <fmt/format.h>

#include "tools/compositorctl/req_call.h"
#include "tools/compositorctl/session.h"
#include "tools/compositorctl/text.h"

namespace compositord::ctl {

namespace {

// The frames of a plain reply, one a line; to a terminal escaped, to anything else as they are.
Outcome<ExitCode> send_raw(Session& session) {
  const Options& options = session.options;
  if (!options.params.empty()) return give_up(ExitCode::kUsage, "--raw takes one body: one word too many");
  const bool escape = session.console.is_terminal();
  const auto on_reply = [&](wire::mdp::ClientReply&& reply) -> Outcome<bool> {
    for (const wire::Frame& frame : reply.body) {
      const Outcome<void> printed = session.console.print_line(escape ? safe_text(frame) : frame);
      if (!printed) return tl::unexpected<Failure>(printed.error());
    }
    return reply.final;
  };
  const Duration timeout = options.deadline.value_or(options.timeout);
  const Outcome<void> exchanged = session.bus.exchange(options.service, {options.body}, timeout, on_reply);
  if (!exchanged) return tl::unexpected<Failure>(exchanged.error());
  return ExitCode::kDone;
}

}  // namespace

Outcome<ExitCode> run_req(Session& session) {
  const Options& options = session.options;
  if (options.raw) return send_raw(session);
  Result<RequestedCall> wanted = parse_requested_call(options.body, options.params);
  if (!wanted) return give_up(ExitCode::kUsage, wanted.error().text);
  CallOptions call;
  call.encoding = msg::Encoding::kJson;
  call.id = wanted->id;
  call.deadline = options.deadline ? options.deadline : wanted->deadline;
  if (wanted->idem) call.idem.emplace(*wanted->idem);
  call.queue = wanted->queue;
  call.ttl = wanted->ttl;
  call.idempotent = wanted->idempotent;
  const auto print = [&](const msg::Reply& reply) {
    msg::Value whole = to_value(reply.header);
    whole.set("result", reply.result);
    return session.console.print_line(safe_json(whole, 2));
  };
  call.on_partial = print;
  const Outcome<msg::Reply> reply = session.bus.call(options.service, wanted->method, std::move(wanted->params), call);
  if (!reply) return tl::unexpected<Failure>(reply.error());
  const Outcome<void> printed = print(*reply);
  if (!printed) return tl::unexpected<Failure>(printed.error());
  const ExitCode code = exit_code_of(reply->header.status);
  if (code != ExitCode::kDone) session.console.note(safe_lines(status_text(reply->header)));
  return code;
}

}  // namespace compositord::ctl
