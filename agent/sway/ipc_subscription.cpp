#include "agent/sway/ipc_subscription.h"

#include "common/msg/value.h"

namespace compositord::agent::sway {

namespace {

// Source: sway-ipc(7) "EVENTS".
constexpr std::uint32_t kWorkspaceEvent = kIpcEventBit | 0U;  // also tells of a reload
constexpr std::uint32_t kOutputEvent = kIpcEventBit | 1U;
constexpr std::uint32_t kInputEvent = kIpcEventBit | 21U;

bool is_success(const std::string& payload) {
  const auto value = msg::decode_json(payload);
  const msg::Value* success = value ? value->find("success") : nullptr;
  return success != nullptr && *success == msg::Value(true);
}

bool is_reload(const IpcMessage& message) {
  if (message.type != kWorkspaceEvent) return false;
  const auto value = msg::decode_json(message.payload);
  const msg::Value* change = value ? value->find("change") : nullptr;
  return change != nullptr && *change == msg::Value("reload");
}

}  // namespace

Result<IpcSubscription> IpcSubscription::open(const std::string& path, pid_t pid) {
  auto connection = IpcConnection::open(path, pid);
  if (!connection) return tl::unexpected(connection.error());
  return begin(std::move(*connection));
}

Result<IpcSubscription> IpcSubscription::begin(IpcConnection connection) {
  IpcSubscription subscription(std::move(connection));
  if (auto sent = subscription.connection_.send(IpcType::kSubscribe, R"(["output","input","workspace"])"); !sent) {
    return tl::unexpected(sent.error());
  }
  return subscription;
}

Result<IpcSubscription::Seen> IpcSubscription::service() {
  std::vector<IpcMessage> messages;
  const auto serviced = connection_.service(messages);
  Seen seen;
  for (const IpcMessage& message : messages) {
    seen.outputs_changed = seen.outputs_changed || message.type == kOutputEvent;
    seen.inputs_changed = seen.inputs_changed || message.type == kInputEvent;
    seen.reloaded = seen.reloaded || is_reload(message);
    if (message.is_event()) continue;
    if (auto done = on_reply(message.payload); !done) return tl::unexpected(done.error());
  }
  if (!serviced) return tl::unexpected(serviced.error());
  return seen;
}

Result<void> IpcSubscription::on_reply(const std::string& payload) {
  const bool success = is_success(payload);
  if (step_ == Step::kAskedWithOutputs) {
    step_ = success ? Step::kWithOutputs : Step::kAskedWithoutOutputs;
    if (!success) return connection_.send(IpcType::kSubscribe, R"(["input","workspace"])");
  } else if (step_ == Step::kAskedWithoutOutputs) {
    if (!success) return fail(Status::kMalformed, "sway refuses to tell of input changes");
    step_ = Step::kWithoutOutputs;
  }
  return {};
}

}  // namespace compositord::agent::sway
