# The broker's store and configuration.
compositord_test(store
  SOURCES store_test.cpp store_damage_test.cpp store_history_test.cpp store_thread_test.cpp support/faulty_vfs.cpp
  LIBRARIES compositord::test_broker compositord::test_support compositord_dep::sqlite
  LABELS unit
  TIMEOUT 120)
compositord_test(store_kill
  SOURCES ../integration/store_kill_test.cpp
  LIBRARIES compositord::test_support compositord::broker_store compositord::clock
  LABELS integration
  TIMEOUT 120)
compositord_test(config
  SOURCES config_test.cpp catalogue_test.cpp notifier_reader_test.cpp
  LIBRARIES compositord::test_support compositord::broker_config
  LABELS unit
  DEFINITIONS COMPOSITORD_EXAMPLE_YAML="${PROJECT_SOURCE_DIR}/tools/packaging/compositord.yaml")
