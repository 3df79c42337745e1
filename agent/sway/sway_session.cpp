#include "agent/sway/sway_session.h"

namespace compositord::agent::sway {

namespace {

IpcType type_of(IpcQuestion question) {
  switch (question) {
    case IpcQuestion::kVersion: return IpcType::kGetVersion;
    case IpcQuestion::kOutputs: return IpcType::kGetOutputs;
    case IpcQuestion::kInputs: return IpcType::kGetInputs;
    case IpcQuestion::kCommand:
    case IpcQuestion::kReload: break;
  }
  return IpcType::kRunCommand;
}

}  // namespace

Result<void> SwaySession::open() {
  close();
  auto requests = IpcConnection::open(path_, pid_);
  if (!requests) return tl::unexpected(requests.error());
  auto subscription = IpcSubscription::open(path_, pid_);
  if (!subscription) return tl::unexpected(subscription.error());
  requests_ = std::move(*requests);
  subscription_ = std::move(*subscription);
  return {};
}

void SwaySession::close() {
  requests_.reset();
  subscription_.reset();
}

void SwaySession::poll_fds(std::vector<pollfd>& fds) const {
  if (requests_) requests_->poll_fds(fds);
  if (subscription_) subscription_->poll_fds(fds);
}

Result<void> SwaySession::ask(IpcQuestion question, std::string_view text) {
  return requests_->send(type_of(question), text);
}

Result<void> SwaySession::service(std::vector<std::string>& replies) {
  std::vector<IpcMessage> messages;
  auto serviced = requests_->service(messages);
  for (IpcMessage& message : messages) replies.push_back(std::move(message.payload));
  return serviced;
}

Result<IpcSession::Changes> SwaySession::service_events() {
  if (!subscription_) return Changes{};
  return subscription_->service().map([](const IpcSubscription::Seen& seen) {
    return Changes{seen.outputs_changed || seen.reloaded, seen.inputs_changed || seen.reloaded, seen.reloaded};
  });
}

}  // namespace compositord::agent::sway
