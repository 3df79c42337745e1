#include "agent/ipc/line_session.h"

#include <utility>

#include <fmt/format.h>

namespace compositord::agent {

Result<void> LineSession::open() {
  close();
  auto paths = find_();
  if (!paths) return tl::unexpected(paths.error());
  auto events = UnixStream::open(paths->events, pid_, std::string(dialect_->compositor()));
  if (!events) return tl::unexpected(events.error());
  if (const std::string request = dialect_->events_request(); !request.empty()) {
    if (auto sent = events->send(request); !sent) return sent;
  }
  paths_ = std::move(*paths);
  events_.emplace(Connection{std::move(*events), {}});
  open_ = true;
  return {};
}

void LineSession::close() {
  open_ = false;
  request_.reset();
  events_.reset();
}

void LineSession::poll_fds(std::vector<pollfd>& fds) const {
  if (request_) request_->stream.poll_fds(fds);
  if (events_) events_->stream.poll_fds(fds);
}

Result<void> LineSession::ask(IpcQuestion, std::string_view text) {
  auto stream = UnixStream::open(paths_.requests, pid_, std::string(dialect_->compositor()));
  if (!stream) return tl::unexpected(stream.error());
  request_.emplace(Connection{std::move(*stream), {}});
  return request_->stream.send(text);
}

Result<void> LineSession::service(std::vector<std::string>& replies) {
  if (!request_) return {};
  auto serviced = request_->stream.service(request_->received);
  if (request_->received.size() > kBytesMax) {
    return fail(Status::kTooLarge,
                fmt::format("{}'s answer has more than {} bytes", dialect_->compositor(), kBytesMax));
  }
  if (auto reply = take_reply()) {
    request_.reset();
    replies.push_back(std::move(*reply));
    return {};
  }
  if (!serviced) return serviced;
  if (request_->stream.is_ended()) return request_->stream.closed_early();
  return {};
}

std::optional<std::string> LineSession::take_reply() {
  std::string& received = request_->received;
  if (dialect_->reply_is_line()) {
    const std::size_t end = received.find('\n');
    if (end == std::string::npos) return std::nullopt;
    return received.substr(0, end);
  }
  if (!request_->stream.is_ended() || received.empty()) return std::nullopt;
  return std::exchange(received, {});
}

Result<IpcSession::Changes> LineSession::service_events() {
  Changes changes;
  if (!events_) return changes;
  const auto serviced = events_->stream.service(events_->received);
  if (auto taken = take_events(changes); !taken) return tl::unexpected(taken.error());
  if (!serviced) return tl::unexpected(serviced.error());
  if (events_->stream.is_ended()) return events_->stream.closed_early();
  return changes;
}

Result<void> LineSession::take_events(Changes& changes) {
  const std::string_view received = events_->received;
  std::size_t begin = 0;
  for (std::size_t end = 0; (end = received.find('\n', begin)) != std::string_view::npos; begin = end + 1) {
    const auto seen = dialect_->parse_event(received.substr(begin, end - begin));
    if (!seen) return tl::unexpected(seen.error());
    changes.outputs = changes.outputs || seen->outputs;
    changes.inputs = changes.inputs || seen->inputs;
    changes.reloaded = changes.reloaded || seen->reloaded;
    changes.reload_failed = changes.reload_failed || seen->reload_failed;
  }
  events_->received.erase(0, begin);
  if (events_->received.size() <= kBytesMax) return {};
  return fail(Status::kTooLarge,
              fmt::format("an event of {} has more than {} bytes", dialect_->compositor(), kBytesMax));
}

}  // namespace compositord::agent
