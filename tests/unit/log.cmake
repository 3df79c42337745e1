# Where log lines go: the status log, journald, syslog.
compositord_test(log
  SOURCES log_test.cpp support/datagram_listener.cpp
  LIBRARIES compositord::test_support compositord::log)
