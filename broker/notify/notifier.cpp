#include "broker/notify/notifier.h"

#include "broker/notify/desktop_notifier.h"
#include "broker/notify/exec_notifier.h"
#include "broker/notify/webhook.h"

namespace compositord::broker {

std::unique_ptr<Notifier> make_notifier(const NotifierConfig& config) {
  switch (config.kind) {
    case NotifierKind::kExec: return std::make_unique<ExecNotifier>(config);
    case NotifierKind::kDesktop: return std::make_unique<DesktopNotifier>(config);
    case NotifierKind::kWebhook: break;
  }
  return std::make_unique<Webhook>(config);
}

}  // namespace compositord::broker
