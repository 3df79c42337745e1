compositord_test(worker_table
  SOURCES worker_table_test.cpp
  LIBRARIES compositord::broker_core)
