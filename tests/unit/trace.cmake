# Traces of the broker: format, files, replay.
compositord_test(trace
  SOURCES trace_test.cpp
  LIBRARIES compositord::test_support compositord::broker_trace
  DEFINITIONS COMPOSITORD_TRACES_DIR="${PROJECT_SOURCE_DIR}/tests/trace")
# What the broker did when it was recorded it must do now. tests/trace/README.md: how it is made anew.
add_test(NAME trace.recorded COMMAND trace_replay "${PROJECT_SOURCE_DIR}/tests/trace/mixed.trace")
set_tests_properties(trace.recorded PROPERTIES LABELS unit TIMEOUT 60 ENVIRONMENT "${COMPOSITORD_TEST_ENVIRONMENT}")
