# The socket wrappers and the broker's loop, over real sockets.
compositord_test(net
  SOURCES net_test.cpp support/temp_dir.cpp
  LIBRARIES compositord::net compositord::clock compositord_dep::zmq
  LABELS integration)
compositord_test(broker_loop
  SOURCES broker_loop_test.cpp support/faulty_store.cpp support/kept_records.cpp
  LIBRARIES compositord::broker_io compositord::clock
  LABELS integration
  TIMEOUT 120)
