# The socket wrappers and the broker's loop, over real sockets.
compositord_test(net
  SOURCES net_test.cpp router_test.cpp router_endpoints_test.cpp
  LIBRARIES compositord::test_support compositord::net compositord::clock compositord_dep::zmq
  LABELS integration)
compositord_test(broker_loop
  SOURCES broker_loop_test.cpp
  LIBRARIES compositord::test_broker compositord::broker_io compositord::clock
  LABELS integration
  TIMEOUT 120)
