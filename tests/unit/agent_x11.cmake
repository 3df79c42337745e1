# The X11 side of the agent: its parsers, and its driver with real servers.
compositord_test(agent_x11
  SOURCES x11_packets_test.cpp x11_client_counter_test.cpp x11_ids_test.cpp
  LIBRARIES compositord::agent_x11)
compositord_test(x11_drivers
  SOURCES ../integration/x11_drivers_test.cpp ../integration/x11_commands_test.cpp ../integration/x11_reload_test.cpp
          ../integration/x11_few_ids_test.cpp ../integration/x11_window_manager_test.cpp
  LIBRARIES compositord::test_driver compositord::agent_x11
  LABELS integration support_matrix
  TIMEOUT 120)
compositord_test(frame_probe
  SOURCES ../integration/frame_probe_test.cpp
  LIBRARIES compositord::test_driver
  LABELS integration
  TIMEOUT 120)
compositord_test(clients
  SOURCES ../integration/clients_test.cpp
  LIBRARIES compositord::test_driver compositord::agent_x11
  LABELS integration
  TIMEOUT 120)
compositord_test(windows
  SOURCES ../integration/windows_test.cpp window_list_test.cpp
  LIBRARIES compositord::test_driver compositord::agent_windows compositord::agent_x11
  LABELS integration support_matrix
  TIMEOUT 120)
compositord_test(identify
  SOURCES ../integration/identify_test.cpp
  LIBRARIES compositord::test_driver compositord::agent_identify compositord::agent_x11
  LABELS integration support_matrix
  TIMEOUT 120)
