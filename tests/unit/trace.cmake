# Traces of the broker: format, files, replay.
compositord_test(trace
  SOURCES trace_test.cpp
  LIBRARIES compositord::test_support compositord::broker_trace
  DEFINITIONS COMPOSITORD_TRACES_DIR="${PROJECT_SOURCE_DIR}/tests/trace")
# Recorded by an earlier version, perhaps, whose outputs were others: only that it gets through is asked for.
add_test(NAME trace.recorded COMMAND trace_replay --inputs-only "${PROJECT_SOURCE_DIR}/tests/trace/mixed.trace")
set_tests_properties(trace.recorded PROPERTIES LABELS unit TIMEOUT 60 ENVIRONMENT "${COMPOSITORD_TEST_ENVIRONMENT}")
