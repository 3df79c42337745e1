# Who tells people: the rules, the ways, and all of them together.
compositord_test(notify
  SOURCES notify_rules_test.cpp notifiers_test.cpp webhook_test.cpp exec_notifier_test.cpp support/http_receiver.cpp
  LIBRARIES compositord::test_support compositord::broker_notify compositord::clock
  DEFINITIONS COMPOSITORD_HTTP_RECEIVER="${CMAKE_CURRENT_SOURCE_DIR}/support/py/http_receiver.py"
  TIMEOUT 60)
# A desktop: an X server, a session bus, and a program that shows notifications.
compositord_test(desktop_notifier
  SOURCES desktop_notifier_test.cpp
  LIBRARIES compositord::test_support compositord::broker_notify compositord::clock
  LABELS integration
  TIMEOUT 60)
