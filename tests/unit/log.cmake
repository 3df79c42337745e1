# Where log lines go: the status log, journald, syslog.
compositord_test(log
  SOURCES log_test.cpp support/temp_dir.cpp support/datagram_listener.cpp
  LIBRARIES compositord::log)
