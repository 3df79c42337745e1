# The pure parts: codecs, messages, and the tables and state machines of both cores. No sockets, no clock, no sleeping.
compositord_test(codecs
  SOURCES vectors_test.cpp frame_test.cpp mdp_codec_test.cpp zmtp_test.cpp msgpack_codec_test.cpp json_codec_test.cpp
          envelope_test.cpp fields_test.cpp compositor_id_test.cpp support/vectors.cpp
  LIBRARIES compositord::broker_core
  DEFINITIONS COMPOSITORD_VECTORS_DIR="${PROJECT_SOURCE_DIR}/schemas/vectors")
compositord_test(broker_core
  SOURCES timer_queue_test.cpp verdict_test.cpp availability_test.cpp value_diff_test.cpp alert_engine_test.cpp
          alert_topology_test.cpp agent_return_test.cpp broker_admin_test.cpp clock_skew_test.cpp feed_test.cpp
          history_service_test.cpp majordomo_test.cpp memory_growth_test.cpp service_table_test.cpp
  LIBRARIES compositord::broker_core)
compositord_test(agent_core
  SOURCES health_test.cpp measurements_test.cpp usual_round_trip_test.cpp agent_core_test.cpp confirmation_test.cpp
          supervisor_test.cpp flight_recorder_test.cpp planned_dark_test.cpp supervision_test.cpp
  LIBRARIES compositord::agent_core)
compositord_test(fault RUNS_LONG
  SOURCES fault_test.cpp
  LIBRARIES compositord::test_broker
  DEFINITIONS COMPOSITORD_GOLDEN_DIR="${PROJECT_SOURCE_DIR}/tests/golden"
  TIMEOUT 300)
