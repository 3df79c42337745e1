// screenshot: a PNG of a compositor's screen, into a file or a pipe.

#include <fmt/format.h>

#include "common/base/clock.h"
#include "tools/compositorctl/screenshot_file.h"
#include "tools/compositorctl/session.h"
#include "tools/compositorctl/text.h"

namespace compositord::ctl {

namespace {

msg::Value params_of(const ScreenshotOptions& options) {
  msg::Value params = msg::Value::map();
  if (!options.output.empty()) params.set("output", options.output);
  if (options.max_width > 0) params.set("max_width", options.max_width);
  if (options.max_height > 0) params.set("max_height", options.max_height);
  return params;
}

Outcome<void> tell(Session& session, const std::string& path, const msg::Value& result) {
  if (session.options.json) {
    msg::Value told = result;
    told.set("file", path);
    return session.console.print_line(safe_json(told, 2));
  }
  return session.console.print_line(fmt::format("{}: {}x{} px, {} bytes", safe_text(path), number_at(result, "width"),
                                                number_at(result, "height"), number_at(result, "bytes")));
}

}  // namespace

Outcome<ExitCode> run_screenshot(Session& session) {
  const Options& options = session.options;
  const bool to_pipe = options.screenshot.file == "-";
  if (to_pipe && session.console.is_terminal()) {
    return give_up(ExitCode::kUsage, "a PNG is not for a terminal: name a file with -o, or send it into a pipe");
  }
  PngParts parts;
  CallOptions call;
  call.deadline = options.deadline.value_or(options.timeout);
  call.on_partial = [&](const msg::Reply& part) { return parts.add(part); };
  const Outcome<msg::Reply> reply =
      session.bus.call("compositor/" + options.id, "screenshot", params_of(options.screenshot), call);
  if (!reply) return tl::unexpected<Failure>(reply.error());
  const ExitCode code = exit_code_of(reply->header.status);
  if (code != ExitCode::kDone) {
    session.console.note(safe_lines(status_text(reply->header)));
    return code;
  }
  const Outcome<std::string> png = parts.finish(reply->result);
  if (!png) return tl::unexpected<Failure>(png.error());
  if (to_pipe) {
    const Outcome<void> printed = session.console.print(*png);
    if (!printed) return tl::unexpected<Failure>(printed.error());
    return code;
  }
  const std::string path = options.screenshot.file.empty()
                               ? default_file_name(options.id, options.screenshot.output, unix_now())
                               : options.screenshot.file;
  Outcome<void> written = write_file(path, *png);
  if (written) written = tell(session, path, reply->result);
  if (!written) return tl::unexpected<Failure>(written.error());
  return code;
}

}  // namespace compositord::ctl
